"""A cell made of dictionaries, for tests of the gateway, the client and the command line.

What is submitted is stored at once; `advance` brings it further. Run as a program it writes
run.json and gateway.token into a home and serves until SIGTERM: a stand-in for the daemon.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nacl.signing import SigningKey

from core.errors import InvariantBroken, LocalMisuse, OperationalFault
from core.ids import Hash, NetworkId, PublicKey, cell_id_of
from gateway.errors import (
    NoSuchCell,
    NoSuchInvite,
    NoSuchJournal,
    NoSuchKey,
    NoSuchReceipt,
    NotReachedInTime,
)
from gateway.server import Gateway
from gateway.trust_views import (
    AttestationView,
    AttestWish,
    InteractionsQuery,
    InteractionsView,
    InteractionView,
    ScoreView,
    TrustEdgeView,
    TrustGraphView,
    TrustPathView,
    TrustWhyView,
)
from gateway.views import (
    AccountView,
    AuditView,
    BlockView,
    EpochView,
    FollowView,
    InviteUseView,
    InviteView,
    InviteWish,
    IssuedView,
    JournalView,
    LatencyView,
    MemberChange,
    MembersView,
    MemberView,
    MetricsView,
    PeerView,
    ProofView,
    ReceiptView,
    RefusalView,
    RotationView,
    RoundView,
    SporeView,
    Stage,
    StateValueView,
    StatusView,
    TransactionView,
    VoterView,
)
from gossip.discovery.ticket import Ticket, format_ticket
from identity.keys import KeyPair
from identity.trust import INTERACTIONS_JOURNAL, interaction, proof_of
from journal.checkpoint import sign_checkpoint
from journal.merkle import leaf_hash, node_hash, subtree_inclusion_proof, subtree_root
from journal.proof_file import format_proof
from tests.gateway.fake_consensus import FakeConsensus
from tests.gateway.fake_doctor import FakeDoctor
from tests.gateway.fake_governance import FakeGovernance
from tests.gateway.fake_light import FakeLight
from tests.gateway.fake_messages import FakeMessages
from tests.gateway.fake_prana import FakePrana
from tests.gateway.fake_proofs import FakeProofs
from tests.gateway.fake_services import FakeServices
from tests.gateway.fake_state import FakeState
from tests.gateway.fake_streams import FakeStreams

TOKEN = "t0ken-of-the-tests"  # noqa: S105 - a secret of nothing
CELL_ID = "12D3KooWFakeCell"
OTHER_ID = "12D3KooWOther"
THIRD_ID = "12D3KooWThird"


def _met(number: int) -> bytes:
    """Return what the cell of `journal_proof` and another one signed together."""
    pairs = [KeyPair(bytes([seed]) * 32) for seed in (1, 2)]
    keys = [pair.public_key for pair in pairs]
    met = interaction(
        NetworkId(bytes(32)), *keys, time_ns=number, digest=Hash(bytes([number]) * 32)
    )
    return proof_of(met, {pair.public_key: pair.sign(met.body) for pair in pairs}).encode()


class UsedNonce(LocalMisuse):
    code = "MYC-TEST-001"
    remedy = "Use the next nonce."


class QueueFull(OperationalFault):
    code = "MYC-TEST-002"
    remedy = "Try again in a moment."
    retryable = True


_METRICS = MetricsView(
    created_to_ordered=LatencyView(10, 71.25, 140.0),
    received_to_ordered=LatencyView(30, 60.0, 120.5),
    commit=LatencyView(10, 0.4, 2.0),
    verify=LatencyView(0, None, None),
    signatures=0,
    peers=1,
    bytes_in=2048,
    bytes_out=512,
    events_in=30,
    events_out=10,
    events_repeated=2,
    orphans=0,
    mempool=1,
    consensus_queue=0,
    execution_queue=0,
    outbound_bytes=100,
    ends={"MYC-NODE-021": 3},
    silent_because="observing",
    refusals={"observing": 4},
)


_TRUSTED = (
    ScoreView(CELL_ID, "aa" * 32, "alpha", 1.0, "full", 0.51, is_self=True),
    ScoreView(OTHER_ID, "bb" * 32, 'be\x1b[31mta <"', 0.9, "full", 0.5, is_self=False),
    ScoreView(THIRD_ID, "cc" * 32, "", 0.07, "none", None, is_self=False),
)


class FakeCell(
    FakeMessages,
    FakeServices,
    FakeGovernance,
    FakeState,
    FakePrana,
    FakeProofs,
    FakeLight,
    FakeDoctor,
    FakeStreams,
    FakeConsensus,
):
    """Keeps receipts and values; keys with special names make it fail in special ways."""

    def __init__(self, *, goes_to: Stage = Stage.CERTIFIED) -> None:
        FakeMessages.__init__(self)
        FakeServices.__init__(self)
        FakeGovernance.__init__(self, self._taken)
        FakeState.__init__(self, self._taken)
        FakePrana.__init__(self)
        FakeProofs.__init__(self)
        FakeDoctor.__init__(self)
        FakeStreams.__init__(self)
        self.receipts: dict[str, ReceiptView] = {}
        self.values: dict[str, bytes] = {}
        self.calls: list[tuple[str, object]] = []
        self.goes_to = goes_to
        self.changed = asyncio.Event()
        self.phase = "idle"
        self.followed: dict[tuple[str, str], list[int]] = {}
        self.invited: dict[str, InviteView] = {}
        self.gateway_url = ""

    async def submit(
        self, transactions: Sequence[bytes], *, wait: Stage, timeout_s: float
    ) -> list[ReceiptView]:
        self.calls.append(("submit", (list(transactions), wait, timeout_s)))
        for data in transactions:
            self._take(data, key=None)
        ids = [hashlib.sha256(data).digest() for data in transactions]
        return [await self.receipt(i, wait=wait, timeout_s=timeout_s) for i in ids]

    async def put(
        self, key: str, value: bytes, *, nonce: int | None, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        self.calls.append(("put", (key, value, nonce, wait, timeout_s)))
        match key:
            case "raise:nonce":
                raise UsedNonce("nonce 1 is used")
            case "raise:full":
                raise QueueFull("the mempool is full")
            case "raise:invariant":
                raise InvariantBroken("two and two are five")
            case "raise:bug":
                raise ZeroDivisionError("secret detail")
            case "raise:hang":
                await asyncio.Event().wait()
        self.values[key] = value
        data = key.encode() + value + repr(nonce).encode()
        self._take(data, key=key)
        return await self.receipt(hashlib.sha256(data).digest(), wait=wait, timeout_s=timeout_s)

    async def submit_post(self, body: bytes, wait: Stage, timeout_s: float) -> ReceiptView:
        (receipt,) = await self.submit([body], wait=wait, timeout_s=timeout_s)
        return receipt

    async def receipt(
        self, transaction_id: bytes, *, wait: Stage | None, timeout_s: float
    ) -> ReceiptView:
        name = transaction_id.hex()
        if name not in self.receipts:
            raise NoSuchReceipt(f"no transaction {name[:8]}…")
        if wait is not None:
            try:
                async with asyncio.timeout(timeout_s):
                    while Stage[self.receipts[name].stage.upper()] < wait:
                        self.changed.clear()
                        await self.changed.wait()
            except TimeoutError as error:
                raise NotReachedInTime(f"{wait.word} not reached") from error
        return self.receipts[name]

    def advance(self, name: str, stage: Stage) -> None:
        """Bring a transaction to `stage`."""
        receipt = self.receipts[name]
        reached = {s.word: 1_700_000_000_000_000_000 + s for s in Stage if s <= stage}
        refused = receipt.kind == "refused" and stage >= Stage.APPLIED
        self.receipts[name] = replace(
            receipt,
            stage=stage.word,
            stages_ns=reached,
            outcome=None if stage < Stage.APPLIED else "refused" if refused else "applied",
            refusal=RefusalView("MYC-LEDGER-001", "not allowed") if refused else None,
            round=None if stage < Stage.ORDERED else 7,
            position=None if stage < Stage.ORDERED else 3,
            consensus_time_ns=None if stage < Stage.ORDERED else 1_700_000_000_000_000_000,
        )
        self.changed.set()

    def _take(self, data: bytes, *, key: str | None) -> None:
        name = hashlib.sha256(data).hexdigest()
        kind = "refused" if key == "refused" else "put"
        self.receipts[name] = ReceiptView(
            id=name,
            stage="accepted",
            stages_ns={},
            outcome=None,
            refusal=None,
            kind=kind,
            sender="ab" * 32,
            nonce=1,
            round=None,
            position=None,
            consensus_time_ns=None,
            event=None,
        )
        self.advance(name, self.goes_to)
        if key == "slow":
            self.advance(name, Stage.STORED)
            self._later = asyncio.ensure_future(self._climb(name))

    async def _climb(self, name: str) -> None:
        for stage in (Stage.ORDERED, Stage.APPLIED, Stage.CERTIFIED):
            await asyncio.sleep(0.05)
            self.advance(name, stage)

    def status(self) -> StatusView:
        return StatusView(
            version="0.1.0",
            cell_id=CELL_ID,
            name="alpha",
            role="sclerotium",
            network_id="cd" * 32,
            network_name="testnet",
            uptime_s=61.5,
            phase=self.phase,
            summary="nothing to order",
            members_total=2,
            members_reachable=1,
            members_needed=2,
            silent=["beta"],
            members=[
                MemberView(CELL_ID, "alpha", 1, is_self=True, reachable=True),
                MemberView("12D3KooWOther", "be\x1b[31mta", 1, is_self=False, reachable=False),
            ],
            epoch=3,
            round_decided=9,
            round_applied=3,
            round_certified=7,
            state_root="ef" * 32,
            events_total=100,
            events_own=40,
            transactions_ordered=5,
            transactions_pending=1,
            addresses=["/ip4/127.0.0.1/tcp/4001"],
            gateway_url=self.gateway_url,
            metrics=_METRICS,
            fault_budget="one of two members is missing: nothing is ordered until it is back",
            round_time_ns=1_700_000_000_000_000_000,
            database_bytes=2 << 20,
            disk_free_bytes=1 << 30,
        )

    def metrics(self) -> str:
        return "# TYPE myceld_epoch gauge\nmyceld_epoch 3.0\n"

    def peers(self) -> list[PeerView]:
        return [
            PeerView(
                cell_id="12D3KooWOther",
                name="beta",
                member=True,
                connected=True,
                direction="inbound",
                addresses=["/ip4/127.0.0.1/tcp/4002"],
                rtt_ms=0.42,
                bytes_in=2_500_000,
                bytes_out=10,
                events_in=1,
                events_out=2,
                last_error=None,
            )
        ]

    async def state_value(self, key: str, at: int | None = None) -> StateValueView:
        if key not in self.values:
            raise NoSuchKey(f"no value at {key!r}")
        value = self.values[key]
        try:
            text: str | None = value.decode()
        except UnicodeDecodeError:
            text = None
        round_number = 8 if at is None else at
        return StateValueView(key, text, value.hex(), 8, "ab" * 32, round_number, "ef" * 32, 7)

    async def transactions(self, *, start: int, limit: int) -> list[TransactionView]:
        self.calls.append(("transactions", (start, limit)))
        return [
            TransactionView(
                position=position,
                id=f"{position:064x}",
                round=7,
                consensus_time_ns=1_700_000_000_000_000_000,
                event="aa" * 32,
                creator=CELL_ID,
                kind="put",
                sender="ab" * 32,
                nonce=position,
                outcome="applied",
                refusal=None,
                size_bytes=100,
            )
            for position in range(start, min(5, start + limit))
        ]

    async def rounds(self, *, start: int, limit: int) -> list[RoundView]:
        return [
            RoundView(number, "aa" * 32, "bb" * 32, "cc" * 32, 2, 2 * number, 1, certified=True)
            for number in range(max(1, start), min(4, start + limit))
        ]

    async def epochs(self, *, start: int, limit: int) -> list[EpochView]:
        return [
            EpochView(number, 1 + 16 * number, 0, 1, 10, 0, [VoterView(CELL_ID, "ab", "one", 1)])
            for number in range(start, min(4, start + limit))
        ]

    async def members(self) -> MembersView:
        return MembersView(2, [VoterView(CELL_ID, "ab", "one", 1)], [], [])

    async def change_members(
        self, change: MemberChange, *, wait: Stage, timeout_s: float
    ) -> ReceiptView:
        self.calls.append(("change_members", (change, wait, timeout_s)))
        data = repr(change).encode()
        self._take(data, key="")
        return await self.receipt(hashlib.sha256(data).digest(), wait=wait, timeout_s=timeout_s)

    async def _taken(self, name: str, what: object, wait: Stage, timeout_s: float) -> ReceiptView:
        self.calls.append((name, (what, wait, timeout_s)))
        data = repr(what).encode()
        self._take(data, key="refused" if "refused" in repr(what) else "")
        return await self.receipt(hashlib.sha256(data).digest(), wait=wait, timeout_s=timeout_s)

    async def attest(self, wish: AttestWish, *, wait: Stage, timeout_s: float) -> ReceiptView:
        self.calls.append(("attest", (wish, wait, timeout_s)))
        data = repr(wish).encode()
        self._take(data, key="refused" if wish.cell == CELL_ID else "")
        return await self.receipt(hashlib.sha256(data).digest(), wait=wait, timeout_s=timeout_s)

    async def trust_of(self, cell: str, paths_max: int, scope: str) -> TrustWhyView:
        self.calls.append(("trust_of", scope))
        if cell not in ("beta", OTHER_ID):
            raise NoSuchCell(f"no member is called {cell!r}")
        said = AttestationView(CELL_ID, OTHER_ID, "general", 0.9, 4, 0, 900)
        ways = [
            TrustPathView([CELL_ID, OTHER_ID], ["alpha", "be\x1b[31mta"], [0.9], 0.9),
            TrustPathView([CELL_ID, THIRD_ID, OTHER_ID], ["alpha", "", "beta"], [0.5, 1.0], 0.07),
        ]
        return TrustWhyView(_TRUSTED[1], 0.9, 0.0, 0.0, [said], ways[:paths_max])

    async def trust_graph(self, limit: int, scope: str, start: int = 0) -> TrustGraphView:
        self.calls.append(("trust_graph", scope))
        edges = [TrustEdgeView(CELL_ID, OTHER_ID, 0.9), TrustEdgeView(OTHER_ID, THIRD_ID, 0.5)]
        shown = _TRUSTED[start : start + limit]
        ids = {one.cell_id for one in shown}
        return TrustGraphView(list(shown), [e for e in edges if {e.issuer, e.subject} <= ids], 3)

    async def interactions(self, query: InteractionsQuery) -> InteractionsView:
        self.calls.append(("interactions", query))
        proof = (await self.journal_proof(INTERACTIONS_JOURNAL, 0)).file if query.of else None
        items = [
            InteractionView(index, [CELL_ID, OTHER_ID], 0, "ab" * 32, query.of or CELL_ID, proof)
            for index in (2, 1, 0)
            if index < query.before
        ][: min(query.limit, 2)]
        return InteractionsView(items, items[-1].index if len(items) == 2 else None)

    async def rotate_key(self, *, wait: Stage, timeout_s: float) -> RotationView:
        self.calls.append(("rotate_key", (wait, timeout_s)))
        self._take(b"rotation", key="")
        identity = hashlib.sha256(b"rotation").digest()
        receipt = await self.receipt(identity, wait=wait, timeout_s=timeout_s)
        return RotationView(CELL_ID, "12D3KooWnew", receipt)

    async def create_invite(self, wish: InviteWish) -> IssuedView:
        self.calls.append(("create_invite", wish))
        ticket = Ticket(
            NetworkId(bytes(32)),
            PublicKey(bytes(32)),
            len(self.invited).to_bytes(16, "big"),
            1_800_000_000,
            wish.addresses or ("/ip4/127.0.0.1/tcp/4710",),
        )
        role = "sclerotium" if wish.votes else "rhizomorph"
        expires_ns = 10**18 + wish.expires_s * 10**9
        view = InviteView(
            ticket.id.hex(), role, wish.name, 1, 10**18, expires_ns, wish.uses_max, "open", []
        )
        self.invited[view.id] = view
        return IssuedView(format_ticket(ticket), view)

    async def invites(self) -> list[InviteView]:
        return list(reversed(self.invited.values()))

    async def revoke_invite(self, invite_id: bytes) -> InviteView:
        view = self.invited.get(invite_id.hex())
        if view is None:
            raise NoSuchInvite("no such ticket")
        self.invited[view.id] = replace(view, state="revoked")
        return self.invited[view.id]

    def use_invite(self, invite_id: str, words: str) -> None:
        """Let a cell with a name that steers terminals use a ticket."""
        use = InviteUseView(
            cell_id=CELL_ID,
            name="bob\x1b[2J",
            joined_ns=10**18,
            words=words.split(),
            connected=True,
            member=False,
            proposal=None,
            state="waiting",
            problem=None,
        )
        self.invited[invite_id] = replace(self.invited[invite_id], state="used", uses=[use])

    async def spore(self, *, seed: bool) -> SporeView:
        kind = "seed" if seed else "latent"
        node = {
            "node_id": CELL_ID,
            "addresses": ["/ip4/127.0.0.1/tcp/1\x1b[2J"],
            "node_type": "sclerotium",
            "last_seen": 10**18,
            "trust_score": 0.5,
        }
        content = {
            "spore_type": f"master/{kind}",
            "network_identity": {"network_name": "testnet"},
            "active_nodes": [node],
            "last_updated": 10**18,
            "issuer": CELL_ID,
        }
        return SporeView(kind, json.dumps(content))

    async def account(self, public_key: bytes) -> AccountView:
        return AccountView(public_key.hex(), 5)

    async def journals(self) -> list[JournalView]:
        return [JournalView("consensus", 3, "dd" * 32, "origin\n3\n")]

    async def journal_blocks(self, name: str, *, start: int, limit: int) -> list[BlockView]:
        if name != "consensus":
            raise NoSuchJournal(f"no journal {name!r}")
        return [
            BlockView(index, 4, "ee" * 32, f"event {index}", "00112233")
            for index in range(start, min(3, start + limit))
        ]

    async def journal_proof(self, name: str, index: int) -> ProofView:
        if not name.isalpha():
            raise NoSuchJournal(f"no journal {name}")
        blocks = [b"block %d" % number for number in range(3)]
        if name == INTERACTIONS_JOURNAL:
            blocks = [_met(number) for number in range(3)]
        leaves = [leaf_hash(block) for block in blocks]

        def node(level: int, number: int) -> bytes:
            return leaves[number] if level == 0 else node_hash(leaves[0], leaves[1])

        key = SigningKey(b"\x01" * 32)
        public_key = PublicKey(bytes(key.verify_key))
        origin = f"{cell_id_of(public_key)}/{name}/0"
        head = sign_checkpoint(
            origin, 3, subtree_root(0, 3, node), public_key, lambda m: key.sign(m).signature
        )
        hashes = subtree_inclusion_proof(index, 0, 3, node)
        return ProofView(name, index, origin, 3, format_proof(index, blocks[index], hashes, head))

    async def audit_journal(self, name: str) -> AuditView:
        if name == "none":
            raise NoSuchJournal(f"no journal {name!r}")
        return AuditView(name, "running", 1, 3, 0, 0, None)

    async def audit_of_journal(self, name: str) -> AuditView:
        if name == "damaged":
            return AuditView(name, "failed", 1, 3, 0, 0, "MYC-JOURNAL-016: block 1 is not it")
        return AuditView(name, "ok", 3, 3, 1, 16, None)

    async def prune_journal(self, name: str, min_index: int) -> JournalView:
        self.calls.append(("prune", (name, min_index)))
        return (await self.journals())[0]

    async def follows(self) -> list[FollowView]:
        for followed in self.followed.values():
            followed[0] += 1
        return [self._follow_view(*key) for key in self.followed]

    async def follow(self, cell: str, journal: str) -> FollowView:
        if cell == "nobody":
            raise NoSuchCell("no member is called nobody")
        self.followed[cell, journal] = [0]
        return self._follow_view(cell, journal)

    async def stop_following(self, cell: str, journal: str) -> FollowView:
        self.followed.setdefault((cell, journal), [0])
        view = self._follow_view(cell, journal)
        del self.followed[cell, journal]
        return replace(view, state="stopped")

    def _follow_view(self, cell: str, journal: str) -> FollowView:
        """A copy that has one more block each time it is asked about, until it has three."""
        asked = self.followed[cell, journal][0]
        length = min(3, asked)
        return FollowView(
            cell_id=cell,
            journal=journal,
            state="conflict" if journal == "two-faced" and asked else "following",
            fork=0,
            length=length,
            size=3,
            whole=length if length == 3 else 0,
            head="origin\n3\n" if asked else None,
            copy="consensus",
            evidence=[],
            last_error=None,
        )


async def serve(home: Path) -> None:
    """Be the daemon of `home` until SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    cell = FakeCell()
    gateway = Gateway(cell, token=TOKEN)
    cell.gateway_url = await gateway.start()
    write_home(home, cell.gateway_url)
    await stopped.wait()
    await gateway.stop()
    (home / "run.json").unlink()


def write_home(home: Path, url: str) -> None:
    """Write what the daemon writes when it is ready."""
    run = {"pid": os.getpid(), "url": url, "cell_id": CELL_ID, "addresses": []}
    home.mkdir(parents=True, exist_ok=True)
    (home / "gateway.token").write_text(TOKEN)
    (home / "run.json.new").write_text(json.dumps({**run, "started_ns": time.time_ns()}))
    (home / "run.json.new").rename(home / "run.json")


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
