"""Cells of which only what other cells may ask runs, over real hosts on loopback."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, cast

from core.ids import CellId, Epoch, Hash, Round, public_key_of
from gossip.discovery.book import AddressBook
from gossip.host import HostConfig
from gossip.wire import Forward
from identity.audit import Act
from identity.challenge import Verifier
from identity.description import Description
from identity.keys import KeyPair
from identity.trust import INTERACTIONS_JOURNAL, policy_of
from journal import Store
from journal.replication import Copies
from ledger.chain import RosterLink
from ledger.proof import Proof
from node.access import Access, MessageAccess
from node.diagnosis import DiagnosisServing, diagnosis_protocol
from node.follows import Follows
from node.genesis_service import GENESIS_PROTOCOL, serve_genesis
from node.headers import Headers
from node.inbox import ConsensusInbox
from node.interactions import Interactions
from node.invite_tables import INVITE_SCHEMA
from node.keyring import reader_of
from node.lines import Lines
from node.message_tables import MESSAGE_SCHEMA
from node.peers import Peers, PeersConfig, PeersLinks
from node.proofs import Proofs
from node.services.audit import AuditTrail, Wanted
from node.services.content import Contents
from node.services.content_shelf import CONTENT_SCHEMA
from node.services.identity import IdentityService
from node.services.message import Messages
from node.services.message_desk import Owner
from node.services.nucleus import Nucleus, wall_ms
from node.shown_interactions import ShownInteractions
from node.stages.execution import Execution
from node.tables import HEADERS_JOURNAL, SCHEMA
from node.transfer_serving import StoreSource, TransferServing, transfer_protocol
from node.trust_scopes import TrustScopes
from tests.ledger.proof_world import network, sample_proofs
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS
from tests.node.silent import SilentIntroducer
from tests.waiting import PATIENCE_S

GUARD, STRANGER = KEYS[0], NEWCOMERS[0]
CONTENT: Final = b"some content"
CONTENT_HASH: Final = Hash(hashlib.sha256(CONTENT).digest())
HEADER: Final = network().headers[-1]
"""Of a round without transactions."""
OPEN: Final[dict[str, str]] = {}


class _Source:
    """Of a network without any end of an epoch."""

    def newest(self) -> None:
        return None

    async def links(self, epoch: Epoch, count_max: int) -> list[RosterLink]:  # noqa: ARG002 - the protocol's
        return []


class _Proofs:
    """Can prove one header and one value."""

    async def of_round(self, _round: Round, *, roster: bool) -> Proof:
        assert not roster
        return sample_proofs()["header"]

    async def of_value(self, _key: bytes, _round: Round) -> Proof:
        return sample_proofs()["value"]


class _Stage:
    """Has certified one header, which every cell has."""

    certified_hash = Hash(b"h" * 32)

    def has_header(self, digest: Hash) -> bool:
        return digest == self.certified_hash


class Body:
    """One cell. `given` is the score of all others here; None has it computed."""

    def __init__(
        self,
        tmp: Path,
        key: KeyPair,
        needs: dict[str, str],
        *,
        proofs: dict[str, str] | None = None,
    ) -> None:
        self.key, self.cell_id = key, key.cell_id
        self.path = tmp / f"{key.cell_id}.db"
        self.policy = policy_of(needs=needs, proofs=proofs)
        self.given: float | None = None
        self.forwarded: list[bytes] = []
        self.later_ms = 0
        """How far this cell's clock is ahead, for its sessions."""

    async def start(self, group: asyncio.TaskGroup) -> None:
        key = self.key
        self.store = await Store.open(self.path, signer=key.sign, cell_id=key.cell_id)
        store = self.store
        await store.create_tables(SCHEMA + INVITE_SCHEMA + MESSAGE_SCHEMA + CONTENT_SCHEMA)
        await (await store.journal(HEADERS_JOURNAL)).append(HEADER.encode())
        self.audit = await AuditTrail.open(store, key.public_key)
        self.audit.local("start")
        await self.audit.flush()
        self.nucleus = Nucleus(store, self.audit)
        self.nucleus.begin()
        self.lines = lines = Lines(reader_of(store))
        self.trust = trust = TrustScopes(
            store, key.public_key, lambda: Round(0), self.policy, lines=lines
        )
        self.proven = Verifier(GENESIS.network_id, key.public_key)
        roster = GENESIS.roster
        self.access = access = Access(store, trust, lambda: roster, self.audit, self._is_proven)
        if self.given is not None:
            access.score = lambda peer, scope="general": self.given or 0.0  # type: ignore[method-assign]  # noqa: ARG005 - given here
        host = HostConfig(key.seed, ("/ip4/127.0.0.1/tcp/0",), "/myceld/test/1")
        config = PeersConfig(host, GENESIS.network_id, GENESIS.rule_set, roster)
        links = PeersLinks(
            *(ConsensusInbox(), asyncio.Queue(8), list, self._save, self._take),
            SilentIntroducer(),
            partial(access.check_outsider, "gossip"),
        )
        self.peers = peers = Peers(config, links, AddressBook(self.cell_id))
        serve = serve_genesis(GENESIS, partial(access.check, "genesis-read"))
        peers.host.set_handler(GENESIS_PROTOCOL, peers.guarded(serve))
        serving = TransferServing(
            cast("StoreSource", _Source()), partial(access.check_outsider, "checkpoint-read")
        )
        protocol = transfer_protocol(GENESIS.network_id)
        peers.host.set_handler(protocol, peers.guarded(serving.serve))
        check = partial(access.check_outsider, "checkpoint-read")
        headers = await Headers.open(store)
        diagnosis = DiagnosisServing(store, headers, cast("Proofs", _Proofs()), check)
        protocol = diagnosis_protocol(GENESIS.network_id)
        peers.host.set_handler(protocol, peers.guarded(diagnosis.serve))
        await self._make_services(trust)
        (self.address, *_) = await peers.start()
        self.tasks = [
            group.create_task(work)
            for work in (peers.run(), self.messages.run(), self.follows.run())
        ]

    async def _make_services(self, trust: TrustScopes) -> None:
        key, store, peers, access = self.key, self.store, self.peers, self.access
        network_id, nucleus = GENESIS.network_id, self.nucleus
        self.follows = Follows(store, await Copies.open(store), self.cell_id, peers, access)
        self.follows.listen(network_id)
        owner = Owner(key, network_id, MessageAccess(access), self.lines, lambda _: True)
        self.messages = await Messages.open(store, owner, peers, nucleus.grant("message"))
        self.messages.judge_work(lambda _cell, _kind, _body: True)  # all ask for something
        self.identity = IdentityService(
            key,
            peers,
            access,
            verifier=self.proven,
            nucleus=nucleus,
            network_id=network_id,
            description=lambda: Description("ada", "0", "sclerotium", 1, 0, (), (("a", "b"),)),
        )
        self.follows.prove_by(self.identity.prove)
        self.messages.prove_by(self.identity.prove)
        self.contents = Contents(
            store, network_id, peers, lambda: 0, partial(access.check, "blob-fetch"), self.lines
        )
        await self.contents.keep(CONTENT)
        self.interactions = Interactions(
            store,
            key,
            network_id,
            peers,
            trust,
            cast("Execution", _Stage()),
            pen=nucleus.grant("identity", INTERACTIONS_JOURNAL),
            check=access.check,
        )
        self.shown = ShownInteractions(store, network_id, peers, self.interactions, access.check)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        await self.peers.stop()
        await self.store.close()

    def meet(self, other: Body) -> None:
        book = AddressBook(self.cell_id, [other.address])
        self.peers.book._entries.update(book._entries)
        self.peers.seek([other.cell_id])

    async def refused(self) -> list[Act]:
        rows, _ = await self.audit.page(Wanted(100, refused=True))
        return [act for _, act in rows]

    async def proofs_taken(self) -> int:
        rows, _ = await self.audit.page(Wanted(1000))
        return sum(act.count for _, act in rows if act.action == "identity-proof")

    def _is_proven(self, cell: CellId, channel: bytes) -> bool:
        now_ms = wall_ms() + self.later_ms
        return self.proven.session(public_key_of(cell), channel, now_ms) is not None

    async def _take(self, peer: CellId, forward: Forward) -> None:
        self.access.check("tx-forward", peer)
        self.forwarded += forward.transactions

    async def _save(self, _changes: object) -> None:
        return None


@asynccontextmanager
async def started(*bodies: Body) -> AsyncIterator[None]:
    """Run cells; the later ones know the address of the first."""
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        for body in bodies:
            await body.start(group)
            if body is not bodies[0]:
                body.meet(bodies[0])
        try:
            yield
        finally:
            for body in reversed(bodies):
                await body.stop()
