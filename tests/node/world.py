"""A seed-driven world: the real consensus and execution stages on virtual time, network and disk.

Each cell's disk keeps what was committed; a crash loses a random tail of what was not fsynced.
Links delay, lose (by breaking: a stream never loses single frames), and can be cut.
"""

from __future__ import annotations

import contextlib
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any, TypeVar

from core.errors import MyceldError
from core.ids import CellId, Epoch, EventId, PublicKey, Round, TransactionId
from gossip.errors import Equivocated
from gossip.index import EventIndex
from gossip.sync import Send
from gossip.wire import Events, Frame, Have, Want, decode_frame, encode_frame
from hashgraph.event import decode_any_event, decode_event
from hashgraph.evidence import encode_evidence, fork_evidence
from identity.keys import KeyPair, verify
from ledger.chain import RosterLink
from ledger.forks import fork_key
from ledger.genesis import Genesis
from ledger.header import Receipt, RoundHeader
from ledger.kinds import Arguments
from ledger.machine import Applied
from ledger.roster import Member, Roster
from ledger.rotation import KeyRotate
from ledger.succession import current_key, succession_message
from ledger.transaction import opaque_transaction, sign_transaction, transaction_id
from ledger.transfer.fetcher import Fetcher
from ledger.transfer.server import answer_of
from ledger.transfer.staging import headers_of, receipts_of, state_of
from ledger.transfer.wire import (
    Answer,
    Ask,
    ReceiptRow,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from ledger.tree import Snapshot
from node.stages.accuser import Accuser, ForkSeen
from node.stages.consensus import Consensus, Decided, Effects, Identity, SendBlocks
from node.stages.execution import Execution
from node.stages.mempool import Mempool
from tests.ledger.pages import PageDisk
from tests.ledger.world import certified, write_state

_T = TypeVar("_T")
BAN_MS = 1_000
_REMEMBERED = 4_096
"""Newest signatures and blocks whose check serves all cells of a world."""
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Unplaced:
    """Transactions that a seal voided, as kept until they are ordered."""

    transactions: tuple[bytes, ...]


class Crashed(Exception):
    """A cell crashed in the middle of what it did."""


@dataclass(frozen=True)
class Jumped:
    """A checkpoint that was put in place."""

    links: list[RosterLink]
    state: dict[bytes, bytes]
    window: list[tuple[RoundHeader, list[Receipt]]]


Entry = bytes | Applied | Unplaced | Jumped


@dataclass
class Disk:
    """What a cell committed, in order: blocks of events, rounds, unplaced transactions, jumps.

    The first `synced` entries survive a power cut.
    """

    log: list[Entry] = field(default_factory=list)
    synced: int = 0
    staged: dict[bytes, bytes] = field(default_factory=dict)
    blocks: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.blocks = [entry for entry in self.log if isinstance(entry, bytes)]

    def append(self, *entries: Entry) -> None:
        self.log += entries
        self.blocks += [entry for entry in entries if isinstance(entry, bytes)]

    def cut(self, random: Random) -> None:
        """Lose some of what was not fsynced."""
        del self.log[random.randint(self.synced, len(self.log)) :]
        for identity in random.sample(sorted(self.staged), random.randint(0, len(self.staged))):
            del self.staged[identity]
        self.__post_init__()

    def rounds(self) -> list[Applied | Jumped]:
        return [entry for entry in self.log if isinstance(entry, Applied | Jumped)]

    def epochs(self, genesis: Genesis) -> list[tuple[Roster, int]]:
        """Return the last two rosters, and how many blocks there were when each began."""
        epochs, blocks = [(genesis.roster, 0)], 0
        for entry in self.log:
            if isinstance(entry, bytes):
                blocks += 1
            elif isinstance(entry, Jumped):
                newer = [link.roster for link in entry.links]
                epochs += [(one, blocks) for one in newer if one.epoch > epochs[-1][0].epoch]
            elif isinstance(entry, Applied) and entry.sealed is not None:
                epochs.append((entry.sealed, blocks))
        return epochs[-2:]


class SimCell:
    """One cell: stages in memory, and its disk."""

    def __init__(self, world: World, index: int, key: KeyPair) -> None:
        self.world = world
        self.index = index
        self.key = key
        self.earlier: tuple[KeyPair, ...] = ()
        """Keys that the cell gave up."""
        self.next_key: KeyPair | None = None
        """Beside the present one in its key file."""
        self.disk = Disk()
        self.up = False
        self.timers = 0
        self.stored: set[TransactionId] = set()
        self.signed: dict[tuple[Epoch, int], EventId] = {}
        self.nonces = 0
        self.headers: list[RoundHeader] = []
        self.order: dict[int, tuple[bytes, int]] = {}
        self.jumps = 0
        self.crash_after: int | None = None
        self.state: dict[bytes, bytes] = {}

    def start(self) -> None:
        genesis = self.world.genesis
        self.go_over()
        earlier = tuple(Identity(one.public_key, one.sign) for one in self.earlier)
        identity = Identity(self.key.public_key, self.key.sign, earlier)
        self.mempool = Mempool()
        epochs = self.disk.epochs(genesis)
        roster, before = epochs[-1][0], epochs[0][0] if len(epochs) > 1 else None
        first_block = epochs[0][1]
        self.consensus = Consensus(
            genesis, roster, identity, self.mempool, first_block=first_block, before=before
        )
        self.execution = Execution(genesis, identity, self._value, self._read_pages)
        self.accuser = Accuser(self.key.public_key)
        self.headers, self.order, self.state = [], {}, {}
        self.pages = PageDisk()
        self.ordered: dict[bytes, int] = {}
        self.receipts: dict[int, list[Receipt]] = {}
        self.seals: dict[Epoch, dict[bytes, bytes]] = {}
        self.fetcher: Fetcher | None = None
        self.up = True
        self.peers: set[int] = set()
        for applied in self.disk.rounds():
            if isinstance(applied, Jumped):
                self._note_jump(applied)
            else:
                self._note(applied)
        if self.headers:
            rosters = [roster for roster, _ in epochs]
            recent, sealed = self.headers[-100:], self._sealed_headers()
            self.execution.restore(rosters, self.pages.heads(), recent, [], sealed)
        self.sealed: Roster | None = None
        lost: dict[TransactionId, bytes] = {}
        for block in self.disk.blocks[first_block:]:
            for decided in self.consensus.replay(block):
                self._execute(decided)
            own = {transaction_id(raw): raw for raw in self.consensus.take_own_before()}
            own = {key: raw for key, raw in own.items() if key not in self.ordered}
            if own:
                self.disk.append(Unplaced(tuple(own.values())))
            lost |= own
        for entry in self.disk.log:
            kept = entry.transactions if isinstance(entry, Unplaced) else ()
            lost |= {transaction_id(raw): raw for raw in kept}
        lost = {key: raw for key, raw in lost.items() if key not in self.ordered}
        self.consensus.replayed()
        self.consensus.put_again(list(lost.values()))
        self._seal()
        self._note_rotation()
        self.wake()

    def rotate(self, key: KeyPair) -> TransactionId:
        """Have another key beside the present one, and ask the network to agree to it."""
        self.next_key = key
        self.world.index_of[key.cell_id] = self.index
        message = succession_message(
            self.world.genesis.network_id, self.key.public_key, key.public_key
        )
        rotate = KeyRotate(key.public_key, self.key.sign(message), key.sign(message))
        return self.act(rotate)

    def go_over(self) -> None:
        """Be who the cell is by what is on its disk."""
        state: dict[bytes, bytes] = {}
        for applied in self.disk.rounds():
            if isinstance(applied, Jumped):
                state |= applied.state
            else:
                write_state(state, applied.changes)
        key = self.next_key
        if key is not None and current_key(state.get, self.key.public_key) == key.public_key:
            self.earlier, self.key, self.next_key = (*self.earlier, self.key), key, None
            self.nonces = 0

    def _note_rotation(self) -> None:
        """Start again as the next key once the present one was given up for it."""
        if self.next_key is not None and self.execution.gave_up_key:
            peers = sorted(self.peers)
            life = self.timers

            def again() -> None:
                if self.up and self.next_key is not None and self.timers >= life:
                    self.crash(power=False)
                    self.start()
                    for peer in peers:
                        self.world.link(*sorted((self.index, peer)))

            self.world.at(0, again)

    def crash(self, *, power: bool, flush: bool = False) -> None:
        """`flush`: what was sent still arrives."""
        self.up = False
        for peer in sorted(self.peers) if flush else ():
            self.world.flush(self.index, peer)
        if power:
            self.disk.cut(self.world.random)
        for peer in list(self.peers):
            self.world.unlink(self.index, peer)

    def restore(self, log: list[Entry]) -> None:
        """Put an old copy of the disk back, as if the directory came from a backup."""
        self.disk = Disk(list(log), len(log))

    def submit(self, raw: bytes) -> TransactionId:
        transaction = transaction_id(raw)
        self.mempool.check_room(1, len(raw))
        self.mempool.add(transaction, raw)
        self.wake()
        return transaction

    def act(self, arguments: Arguments) -> TransactionId:
        """Submit a transaction signed with the cell's key."""
        self.nonces += 1
        return self.submit(
            sign_transaction(
                network_id=self.world.genesis.network_id,
                sender=self.key.public_key,
                nonce=self.nonces - 1,
                arguments=arguments,
                sign=self.key.sign,
            )
        )

    def receive(self, peer: int, data: bytes) -> None:
        frame = decode_frame(data[4:])
        now, name = self.world.now_ms, self.world.cells[peer].key.cell_id
        match frame:
            case Have():
                self.consensus.told(name, frame, now)
            case Want():
                self.consensus.wanted(name, frame, now)
            case Events():
                unpacked = self.consensus.unpack(name, frame)
                if unpacked is not None:
                    verdicts = [self.world.verify(*check) for check in unpacked.checks]
                    self.consensus.received(name, unpacked, verdicts, now, last=frame.last)
            case _:
                raise AssertionError(frame)
        self.wake()

    def wake(self) -> None:
        now = self.world.now_ms
        self.timers += 1  # the one that is set below is the only one
        timer = self.timers
        self._carry_out(self.consensus.finish(now, START_NS + now * 1_000_000 + self.index))
        self._accuse()
        if self.world.jumps and self.fetcher is None and self._is_far_behind():
            self._fetch()
        waits = [self.consensus.wait_ms(now), self.accuser.wait_ms(now)]
        wait = min((wait for wait in waits if wait is not None), default=None)
        if wait is not None and self.timers == timer:
            self.world.at(wait, lambda: self.wake() if self.up and self.timers == timer else None)

    def _accuse(self) -> None:
        for accusation in self.accuser.due(
            self.world.now_ms,
            self.consensus.epoch,
            is_proven=lambda epoch, member: fork_key(epoch, member) in self.state,
            is_under_way=lambda transaction: transaction not in self.ordered,
        ):
            self.accuser.made(accusation, self.act(accusation.proof))

    def _note_fork(self, fork: ForkSeen) -> None:
        network_id, epoch = self.world.genesis.network_id, fork.roster.epoch
        one, other = [
            decode_event(self.disk.blocks[at], network_id=network_id, epoch=epoch)
            for at in fork.blocks
        ]
        evidence = fork_evidence(one, other, network_id=network_id, epoch=epoch)
        self.accuser.note(fork, encode_evidence(evidence), self.world.now_ms)

    def _carry_out(self, effects: Effects) -> None:
        for peer, error in effects.drops:
            self._drop(self.world.index_of[peer], error)
        self.disk.append(*effects.blocks)
        if effects.unplaced:
            self.disk.append(Unplaced(tuple(effects.unplaced)))
        if effects.durable:
            self.disk.synced = len(self.disk.log)
        for block in effects.blocks:
            event, epoch = self.world.decode_block(block)
            own = event.creator == self.world.roster(epoch).index_of(self.key.public_key)
            if own and self.index not in self.world.forkers:
                before = self.signed.setdefault((epoch, event.sequence), event.id)
                assert before == event.id, f"cell {self.index} signed {event.sequence} twice"
        self.stored.update(effects.stored)
        self._send_all(effects)
        for fork in effects.forks:
            self._note_fork(fork)
        for epoch in effects.loads:
            self._read_epoch(epoch)
        for member in self.world.members_up(self.consensus.roster)[:1]:
            for raw in effects.homeless:
                if transaction_id(raw) not in member.ordered:
                    member.submit(raw)
        for decided in effects.rounds:
            self._execute(decided)
        self._seal()

    def _drop(self, peer: int, error: MyceldError) -> None:
        """Disconnect who showed us a second history, for a while; nobody else breaks a rule."""
        assert peer in self.world.forkers, error
        assert isinstance(error, Equivocated), error
        self.world.unlink(self.index, peer)
        self.world.at(BAN_MS, lambda: self.world.link(self.index, peer))

    def _send_all(self, effects: Effects) -> None:
        for effect in effects.sends:
            peer = self.world.index_of[effect.peer]
            match effect:
                case Send():
                    self._send(peer, effect.frame)
                case SendBlocks():
                    blocks = (self.disk.blocks[at] for at in effect.blocks)
                    events = tuple(self.consensus.with_hints(effect, block) for block in blocks)
                    self._send(peer, Events(effect.epoch, events, effect.last))
                    if self.consensus.is_streaming(effect.peer):
                        self.consensus.drained(effect.peer)
                        self.world.at(0, lambda: self.wake() if self.up else None)

    def _send(self, peer: int, frame: Frame) -> None:
        self.world.send(self.index, peer, encode_frame(frame))

    def _execute(self, item: Decided) -> None:
        ledger, decided = self.execution.ledger, item.round
        if item.epoch != ledger.roster.epoch or decided.round <= ledger.applied_round:
            return
        candidates = self.execution.candidates(decided)
        first = ledger.window_first_round
        known = {identity for identity, number in self.ordered.items() if number >= first}
        executed = self.execution.apply(decided, candidates, lambda _: True, known)
        self.disk.append(executed.applied)
        self.execution.check_agreed()
        self._note(executed.applied)
        self.world.check_agreement(self)
        if executed.applied.sealed is not None:
            self.world.note_seal(executed.applied.header, executed.applied.sealed)
            self.sealed = executed.applied.sealed
            self.disk.synced = len(self.disk.log)
        if executed.signature is not None:
            self.execution.add_signature(executed.signature)
        self._note_rotation()

    def _value(self, key: bytes) -> bytes | None:
        return self.state.get(key)

    def _read_pages(self, numbers: Sequence[int]) -> dict[int, bytes]:
        return self.pages.read(numbers)

    def _note(self, applied: Applied) -> None:
        self.headers.append(applied.header)
        write_state(self.state, applied.changes)
        self.pages.write(applied.pages)
        self._note_receipts(applied.header, [entry.receipt for entry in applied.entries])
        if applied.sealed is not None:
            self.world.note_roster(applied.sealed)
            self.seals[applied.header.epoch] = dict(self.state)
            self.pages.drop(applied.header.epoch - 1)

    def _note_receipts(self, header: RoundHeader, receipts: list[Receipt]) -> None:
        self.receipts[header.round] = receipts
        self.order |= {one.position: (one.id, one.consensus_time_ns) for one in receipts}
        self.ordered |= {one.id: header.round for one in receipts}

    def _note_jump(self, jumped: Jumped) -> None:
        self.headers += [header for header, _ in jumped.window]
        self.state = dict(jumped.state)
        self.pages.fill(sorted(self.state.items()), jumped.links[-1].header.epoch)
        for header, receipts in jumped.window:
            self._note_receipts(header, receipts)
        self.seals = {jumped.links[-1].header.epoch: dict(jumped.state)}

    def _sealed_headers(self) -> list[RoundHeader]:
        """Of the ends of the newest epochs that this cell has."""
        return [self.world.link_of(epoch).header for epoch in sorted(self.seals)[-2:]]

    # -- jumping -------------------------------------------------------------------------------

    def _is_far_behind(self) -> bool:
        ahead, epoch = self.consensus.epoch_ahead, self.consensus.epoch
        is_new = self.execution.ledger.applied_round == 0
        return (
            ahead is not None
            and ahead > epoch + (0 if is_new else 1)
            and self.consensus.own_count() == 0
        )

    def _fetch(self) -> None:
        genesis = self.world.genesis
        self.fetcher = Fetcher(
            genesis.network_id,
            genesis.roster,
            self.execution.ledger.applied_round,
            self.disk.staged.get,
            verify,
        )
        for peer in sorted(self.peers):
            self.fetcher.joined(self.world.cells[peer].key.cell_id)
        self._advance()
        self.world.at(5_000, self._give_up(self.fetcher))

    def _give_up(self, fetcher: Fetcher) -> Callable[[], None]:
        def give_up() -> None:
            if self.up and self.fetcher is fetcher:
                self.fetcher = None
                self.consensus.is_jumping = False
                self.wake()

        return give_up

    def _advance(self) -> None:
        fetcher = self.fetcher
        while fetcher is not None:
            effects = fetcher.take()
            assert not effects.drops, effects.drops
            for identity, body in effects.keep:
                self.disk.staged[identity] = body
                self._count_write()
            for peer, ask in effects.asks:
                self._ask(fetcher, peer, decode_ask(encode_ask(ask)[4:]))
            self.consensus.is_jumping = fetcher.progress is not None
            if not effects.more:
                break
            fetcher.advance()
        if fetcher is not None and fetcher.whole is not None:
            self._jump(fetcher)

    def _ask(self, fetcher: Fetcher, peer: CellId, ask: Ask) -> None:
        server = self.world.cells[self.world.index_of[peer]]
        delay_ms = self.world.delay_ms[1]  # always the same: a stream keeps its order

        def ask_it() -> None:
            if server.up:
                answer = now(answer_of(ask, SimSource(server)))
                self.world.at(delay_ms, lambda: take(answer))

        def take(answer: Answer) -> None:
            if self.up and self.fetcher is fetcher:
                fetcher.answered(peer, decode_answer(encode_answer(answer)[4:]))
                self._advance()

        self.world.at(delay_ms, ask_it)

    def _jump(self, fetcher: Fetcher) -> None:
        """Put the checkpoint in place and start again, as the daemon does."""
        whole, staged = fetcher.whole, self.disk.staged
        assert whole is not None
        if whole.header.round > self.execution.ledger.applied_round:
            state = {
                k: v for piece in state_of(whole.header.state_root, staged.get) for k, v in piece
            }
            headers = headers_of(whole.header, fetcher.first_round, staged.get)
            window = [(header, receipts_of(header, staged.get)) for header in headers]
            owed = self.consensus.owed()
            jumped = Jumped(fetcher.whole_links, state, window)
            self.disk.append(jumped, Unplaced(tuple(owed)))
            self.disk.synced = len(self.disk.log)
            self.jumps += 1
        self._count_write()
        staged.clear()
        self.crash(power=False)
        self.start()
        self.world.connect_all()

    def _count_write(self) -> None:
        """Crash after the write that a test chose."""
        if self.crash_after is not None:
            self.crash_after -= 1
            if self.crash_after == 0:
                self.crash_after = None
                self.crash(power=True)
                raise Crashed

    def _read_epoch(self, epoch: Epoch) -> None:
        """Read an old epoch for a peer far behind; that takes a while."""
        index, first = EventIndex(len(self.world.roster(epoch).members)), -1
        for at, block in enumerate(self.disk.blocks):
            event, of = decode_any_event(block, self.world.genesis.network_id)
            if of == epoch:
                first = at if first < 0 else first
                index.add_stored(event)

        def read(stage: Consensus = self.consensus) -> None:
            if self.up and self.consensus is stage:
                stage.archived(epoch, index, first)
                self.wake()

        self.world.at(50, read)

    def _seal(self) -> None:
        sealed, self.sealed = self.sealed, None
        if sealed is not None:
            self.consensus.seal(sealed, self.world.now_ms)
            self.world.at(0, lambda: self.wake() if self.up else None)


class SimSource:
    """What a cell serves of the ends of its epochs."""

    def __init__(self, cell: SimCell) -> None:
        self._cell = cell

    def newest(self) -> Epoch | None:
        return max(self._cell.seals, default=None)

    async def links(self, epoch: Epoch, count_max: int) -> list[RosterLink]:
        newest = self.newest()
        end = -1 if newest is None else newest
        return [self._cell.world.link_of(Epoch(at)) for at in range(epoch, end + 1)][:count_max]

    def snapshot(self, epoch: Epoch) -> Snapshot | None:
        return self._cell.execution.ledger.snapshot(epoch)

    def values(self, epoch: Epoch, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return {key: self._cell.seals[epoch][key] for key in keys}

    async def headers(self, epoch: Epoch, last: Round, count_max: int) -> list[bytes]:
        headers = [one for one in self._cell.headers if one.epoch == epoch and one.round <= last]
        return [one.encode() for one in headers[::-1]][:count_max]

    def receipts(self, epoch: Epoch, position: int, count_max: int) -> list[ReceiptRow]:
        rounds = {one.round for one in self._cell.headers if one.epoch == epoch}
        return [
            (one.id, one.event, one.consensus_time_ns, one.outcome)
            for number in sorted(rounds)
            for one in self._cell.receipts[number]
            if one.position >= position
        ][:count_max]


def now(work: Coroutine[Any, Any, _T]) -> _T:
    """Return what a coroutine returns that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: _T = stop.value
        return result
    raise AssertionError("it waits")


class World:
    """Cells, links and virtual time, all chance from one seed."""

    def __init__(
        self,
        seed: int,
        cells: int = 4,
        *,
        delay_ms: tuple[int, int] = (1, 20),
        epoch_rounds: int = 2048,
        members: int | None = None,
        jumps: bool = False,
        prana: tuple[tuple[PublicKey, int], ...] = (),
    ) -> None:
        """`members` of the cells have a vote from the start, all unless given.

        `jumps`: cells far behind fetch a checkpoint; without it they replay all epochs. `prana`:
        who begins with how much.
        """
        self.jumps = jumps
        self._sealed: dict[Epoch, RosterLink] = {}
        self.random = Random(seed)  # noqa: S311 - chance of a test, not a secret
        self.now_ms = 0
        self.delay_ms = delay_ms
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        keys = [KeyPair(bytes([seed % 251, index + 1]) * 16) for index in range(cells)]
        self.genesis = Genesis(
            "sim",
            tuple(
                Member(key.public_key, 1, f"cell-{at}") for at, key in enumerate(keys[:members], 1)
            ),
            START_NS,
            epoch_rounds=epoch_rounds,
            prana=prana,
        )
        self._rosters = {Epoch(0): self.genesis.roster}
        self.cells = [SimCell(self, index, key) for index, key in enumerate(keys)]
        self.index_of: dict[CellId, int] = {c.key.cell_id: c.index for c in self.cells}
        network_id = self.genesis.network_id
        # What is the same at every cell is worked out by the first one.
        self.verify = lru_cache(_REMEMBERED)(verify)
        self.decode_block = lru_cache(_REMEMBERED)(lambda raw: decode_any_event(raw, network_id))
        self._links: dict[tuple[int, int], int] = {}
        self._last: dict[tuple[int, int], int] = {}
        self._wire: dict[tuple[int, int], deque[bytes]] = {}
        self.frames = 0
        self.forkers: set[int] = set()
        """Cells whose key signs elsewhere too."""

    def start(self) -> None:
        for cell in self.cells:
            cell.start()
        self.connect_all()

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self._count, action))

    def run(self, duration_ms: int) -> None:
        end = self.now_ms + duration_ms
        while self._queue and self._queue[0][0] <= end:
            self.now_ms, _, action = heapq.heappop(self._queue)
            with contextlib.suppress(Crashed):
                action()
        self.now_ms = end

    def connect_all(self) -> None:
        for one in self.cells:
            for other in self.cells:
                if one.index < other.index:
                    self.link(one.index, other.index)

    def link(self, one: int, other: int) -> None:
        if other in self.cells[one].peers or not (self.cells[one].up and self.cells[other].up):
            return
        self._links[one, other] = self._links[other, one] = self._next()
        for at, peer in ((one, other), (other, one)):
            cell = self.cells[at]
            cell.peers.add(peer)
            cell.consensus.connected(self.cells[peer].key.cell_id, self.now_ms)
            cell.wake()

    def unlink(self, one: int, other: int) -> None:
        self._links.pop((one, other), None)
        self._links.pop((other, one), None)
        self._wire.pop((one, other), None)
        self._wire.pop((other, one), None)
        for at, peer in ((one, other), (other, one)):
            cell = self.cells[at]
            if peer in cell.peers:
                cell.peers.discard(peer)
                if cell.up:
                    cell.consensus.disconnected(self.cells[peer].key.cell_id)

    def partition(self, *groups: set[int]) -> None:
        for one in range(len(self.cells)):
            for other in range(one + 1, len(self.cells)):
                if not any({one, other} <= group for group in groups):
                    self.unlink(one, other)

    def send(self, sender: int, receiver: int, data: bytes) -> None:
        link = self._links.get((sender, receiver))
        if link is None:
            return
        self.frames += 1
        # A stream keeps its order: never before what was sent on it earlier.
        arrival = max(
            self.now_ms + self.random.randint(*self.delay_ms), self._last.get((sender, receiver), 0)
        )
        self._last[sender, receiver] = arrival

        wire = self._wire.setdefault((sender, receiver), deque())
        wire.append(data)

        def deliver() -> None:
            same = self._links.get((sender, receiver)) == link
            if same and self._wire[sender, receiver] is wire and wire:
                self.cells[receiver].receive(sender, wire.popleft())

        self.at(arrival - self.now_ms, deliver)

    def flush(self, sender: int, receiver: int) -> None:
        """Deliver at once what is on its way."""
        wire = self._wire.get((sender, receiver), deque())
        while wire and self.cells[receiver].up:
            self.cells[receiver].receive(sender, wire.popleft())

    def submit(self, cell: int, text: str) -> TransactionId:
        return self.cells[cell].submit(opaque_transaction(text.encode()))

    def roster(self, epoch: Epoch) -> Roster:
        return self._rosters[epoch]

    def note_roster(self, roster: Roster) -> None:
        """All cells seal the same rosters."""
        assert self._rosters.setdefault(roster.epoch, roster) == roster

    def note_seal(self, header: RoundHeader, following: Roster) -> None:
        """All members certify the end of an epoch, once the first of them came to it."""
        if header.epoch not in self._sealed:
            pairs = [pair for cell in self.cells for pair in (cell.key, *cell.earlier)]
            keys = {pair.public_key: pair for pair in pairs}
            members = self.roster(header.epoch).members
            signed = certified(
                header, range(len(members)), keys=[keys[one.public_key] for one in members]
            )
            self._sealed[header.epoch] = RosterLink(header, signed, following)

    def link_of(self, epoch: Epoch) -> RosterLink:
        return self._sealed[epoch]

    def members_up(self, roster: Roster) -> list[SimCell]:
        return [
            cell
            for cell in self.cells
            if cell.up
            and cell.consensus.me is not None
            and roster.index_of(cell.key.public_key) is not None
        ]

    def check_agreement(self, cell: SimCell) -> None:
        """Headers of equal rounds are equal, so order, times and state are."""
        header = cell.headers[-1]
        for other in self.cells:
            if other is cell or not other.up or not other.headers:
                continue
            at = header.round - other.headers[-1].round - 1
            if -len(other.headers) <= at < 0 and other.headers[at].round == header.round:
                assert other.headers[at].hash == header.hash, f"round {header.round} differs"

    def check_settled(self, acknowledged: set[TransactionId]) -> None:
        """All cells agree on the whole order, which has each acknowledged transaction once.

        One that jumped lacks a part of it, never the newest.
        """
        orders = sorted((cell.order for cell in self.cells if cell.up), key=len)
        whole = orders[-1]
        assert list(whole) == list(range(len(whole)))
        for order in orders:
            assert order.items() <= whole.items()
            assert self.jumps or order == whole, [len(order) for order in orders]
            assert not whole or max(order) == len(whole) - 1
        listed = [identity for identity, _ in whole.values()]
        assert len(set(listed)) == len(listed)
        assert acknowledged <= set(listed), f"{len(acknowledged - set(listed))} lost"
        roots = {cell.headers[-1].state_root for cell in self.cells if cell.up and cell.headers}
        assert len(roots) <= 1

    def _next(self) -> int:
        self._count += 1
        return self._count
