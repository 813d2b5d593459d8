"""The consensus stage drops who breaks the protocol, and never signs what it might contradict."""

from __future__ import annotations

from collections import deque

import pytest

from core.codec import encode
from core.errors import MyceldError
from core.ids import CellId, EventId, MemberIndex, Round
from gossip.creator import Refusal
from gossip.errors import (
    BadEventSignature,
    BadFrame,
    BuildsOnForker,
    Equivocated,
    TimeStandsStill,
)
from gossip.limits import EVENT_PATIENCE_MS, HAVE_INTERVAL_MS, ORPHAN_GRACE_MS
from gossip.sync import Send
from gossip.wire import Have, Want
from hashgraph.errors import (
    MalformedEvent,
    OldEventFormat,
    UnknownMember,
    UnresolvableEvent,
)
from hashgraph.event import Event, encode_event
from identity.keys import verify
from ledger.transaction import opaque_transaction
from node.limits import OBSERVE_PATIENCE_MS, OBSERVE_SETTLE_MS
from node.stages.consensus import Effects, SendBlocks
from tests.ledger.world import GENESIS, KEYS, START_NS
from tests.node.stages.world import EPOCH, STRANGER, Cell, made, peer


def _ready(me: int = 0) -> Cell:
    """A cell that observed enough, with members 1 to 3 connected."""
    cell = Cell(me)
    cell.connect(*(member for member in range(4) if member != me))
    cell.observe(*((member, 0) for member in range(4) if member != me))
    return cell


def _dropped(cell: Cell) -> list[tuple[int, type[MyceldError]]]:
    ids = [key.cell_id for key in KEYS]
    return [(ids.index(name), type(error)) for name, error in cell.finish(after_ms=0).drops]


def _ids(effects: Effects) -> list[EventId]:
    return [event.id for event in Cell.events(effects)]


def _observing(cell: Cell) -> bool:
    return cell.stage.is_observing


def _forked(cell: Cell) -> bool:
    return cell.stage.has_forked


def _why_silent(cell: Cell) -> Refusal | None:
    return cell.stage.why_silent


def test_a_forged_event_drops_the_peer_and_leaves_no_trace() -> None:
    cell = _ready()
    good = made(1)
    cell.receive(1, good, made(2, key=STRANGER), made(1, good))
    assert _dropped(cell) == [(1, BadEventSignature)]
    assert len(cell.stage.index) == 1
    cell.receive(1, made(1, good))
    assert len(cell.stage.index) == 1, "nothing is taken from a dropped peer"
    cell.receive(2, made(1, good))
    assert len(cell.stage.index) == 2


def test_an_event_of_no_member_or_on_one_drops_the_peer() -> None:
    for stranger in (made(4, key=STRANGER), made(1, None, [made(4, key=STRANGER)])):
        cell = _ready()
        unpacked = cell.receive_bytes(1, encode_event(made(1)), encode_event(stranger))
        assert unpacked is not None
        assert unpacked.events == []
        assert _dropped(cell) == [(1, UnknownMember)]


@pytest.mark.parametrize("data", [b"", b"junk", encode_event(made(1))[:-1]])
def test_bytes_that_are_no_event_drop_the_peer(data: bytes) -> None:
    cell = _ready()
    cell.receive_bytes(1, data)
    assert len(cell.stage.index) == 0
    assert _dropped(cell) == [(1, MalformedEvent)]


def test_a_vector_of_another_roster_drops_the_peer() -> None:
    cell = _ready()
    cell.tell(1, (0, 0, 0))
    cell.ask(2, (0,) * 5)
    assert _dropped(cell) == [(1, BadFrame), (2, BadFrame)]
    cell.tell(1, (0, 0, 0, 0))
    cell.receive_bytes(1, last=True)
    assert cell.finish().drops == []


def test_what_comes_from_nobody_is_ignored() -> None:
    cell = Cell()
    cell.receive(1, made(1))
    cell.tell(1, (9, 9, 9, 9), yours=9)
    cell.ask(1, (0, 0, 0, 0))
    cell.stage.drained(peer(1))
    cell.stage.disconnected(peer(1))
    effects = cell.finish()
    assert (effects.blocks, effects.sends, effects.drops) == ([], [], [])


@pytest.mark.parametrize("step_ns", [0, -1])
def test_time_that_stands_still_is_refused(step_ns: int) -> None:
    cell = _ready()
    first = made(1)
    cell.receive(1, first, made(1, first, time_ns=first.time_ns + step_ns))
    assert _dropped(cell) == [(1, TimeStandsStill)]
    assert len(cell.stage.index) == 1


def test_an_event_that_contradicts_its_parents_drops_the_peer_also_as_an_orphan() -> None:
    first = made(1)
    for orphaned in (False, True):
        cell = _ready()
        broken = made(1, first, time_ns=first.time_ns)
        items = [broken, first] if orphaned else [first, broken]
        cell.receive(1, *items)
        assert _dropped(cell) == [(1, TimeStandsStill)]
        assert len(cell.stage.index) == 1
        assert len(cell.stage._active.sync._orphans) == 0


def test_nobody_builds_on_a_self_parent_of_another_member() -> None:
    cell = _ready()
    cell.receive(1, made(2), made(1, made(2)))
    assert _ids(cell.finish(after_ms=0)) == [made(2).id], "its self-parent is no event of its own"
    cell.receive(2, made(1))
    assert _ids(cell.finish(after_ms=0)) == [made(1).id], "and another one of its own is not it"


def test_orphans_wait_for_their_parents_and_come_in_order() -> None:
    cell = _ready()
    one = made(1)
    two = made(1, one)
    three = made(2, None, [two])
    cell.receive(2, three, two)
    assert cell.finish(after_ms=0).blocks == []
    assert any(
        isinstance(e, Send) and isinstance(e.frame, Want)
        for e in cell.finish(after_ms=ORPHAN_GRACE_MS).sends
    )
    cell.receive(1, one)
    assert _ids(cell.finish(after_ms=0)) == [one.id, two.id, three.id]


def test_a_member_observes_until_more_than_two_thirds_told_its_height() -> None:
    cell = Cell()
    cell.submit("a")
    cell.connect(1, 2, 3)
    assert cell.observe().blocks == []
    assert cell.observe((1, 0)).blocks == []
    assert cell.finish(after_ms=OBSERVE_SETTLE_MS).blocks == []
    assert _observing(cell)
    assert _why_silent(cell) is Refusal.OBSERVING
    effects = cell.observe((2, 0))
    assert not _observing(cell)
    assert _why_silent(cell) is None
    assert cell.stage.refusals[Refusal.OBSERVING] > 0
    assert len(effects.blocks) == 1
    assert effects.durable


def test_a_restarted_member_waits_a_while_for_all_the_others_and_then_for_enough() -> None:
    cell = Cell()
    cell.submit("a")
    cell.connect(1, 2, 3)
    assert cell.observe((1, 0), (2, 0)).blocks == []
    assert _observing(cell)
    assert cell.finish(after_ms=OBSERVE_SETTLE_MS - 1).blocks == []
    assert len(cell.finish(after_ms=1).blocks) == 1
    assert not _observing(cell)


def test_a_restarted_member_that_all_the_others_told_waits_no_longer() -> None:
    cell = Cell()
    cell.submit("a")
    cell.connect(1, 2, 3)
    assert len(cell.observe((1, 0), (2, 0), (3, 0)).blocks) == 1


def test_what_a_member_has_seen_counts_though_it_does_not_have_it() -> None:
    cell = Cell()
    first = made(0)
    cell.connect(1, 2, 3)
    cell.tell(1, (0, 0, 0, 0), yours=1)  # our event waits there for its parents
    cell.tell(2, (0, 0, 0, 0))
    cell.tell(3, (0, 0, 0, 0))
    cell.finish(after_ms=OBSERVE_SETTLE_MS)
    assert _observing(cell)
    cell.receive(1, first)
    cell.finish(after_ms=0)
    assert not _observing(cell)


def test_a_member_is_told_what_was_seen_of_its_own_events_and_a_stranger_nothing() -> None:
    cell = _ready()
    first = made(1)
    lost = made(2)
    second = made(1, first, [lost])
    cell.receive(2, first, second)
    cell.stage.connected(STRANGER.cell_id, cell.now_ms)
    sends = cell.finish(after_ms=HAVE_INTERVAL_MS).sends
    told = {e.peer: e.frame for e in sends if isinstance(e, Send) and isinstance(e.frame, Have)}
    seen = {name: have.yours for name, have in told.items() if isinstance(have, Have)}
    assert seen == {peer(1): 2, peer(2): 0, peer(3): 0, STRANGER.cell_id: 0}
    assert {have.vector for have in told.values() if isinstance(have, Have)} == {(0, 1, 0, 0)}


def test_who_left_does_not_count_among_those_who_told() -> None:
    cell = Cell()
    cell.connect(1, 2)
    cell.observe((1, 0))
    cell.finish(after_ms=OBSERVE_SETTLE_MS)
    cell.stage.disconnected(peer(1))
    cell.observe((2, 0))
    assert _observing(cell)
    cell.connect(1)
    cell.observe((1, 0))
    assert not _observing(cell)


def test_a_stranger_that_tells_our_height_does_not_count() -> None:
    cell = Cell()
    cell.stage.connected(STRANGER.cell_id, cell.now_ms)
    cell.stage.told(STRANGER.cell_id, Have(EPOCH, (0, 0, 0, 0)), cell.now_ms)
    cell.connect(1)
    cell.observe((1, 0))
    cell.finish(after_ms=OBSERVE_SETTLE_MS)
    assert _observing(cell)


def test_a_cell_with_an_old_copy_makes_no_event_before_its_own_came_back() -> None:
    first = made(0, payload=[opaque_transaction(b"lost and found")])
    second = made(0, first, [made(1)])
    cell = Cell()
    cell.submit("new")
    cell.connect(1, 2)
    assert cell.observe((1, 2), (2, 1)).blocks == []
    assert cell.finish(after_ms=OBSERVE_SETTLE_MS).blocks == []
    cell.receive(1, first)
    assert len(cell.finish(after_ms=0).blocks) == 1
    assert _observing(cell)
    cell.receive(1, made(1), second)
    effects = cell.finish()
    assert not _observing(cell)
    assert _ids(effects) == [made(1).id, second.id]
    assert cell.stage.index.count(MemberIndex(0)) == 2
    cell.receive(2, made(2))
    cell.receive(1, made(1, made(1)))
    assert Cell.events(cell.finish())[-1].sequence == 2


def test_a_claim_that_nobody_backs_does_not_silence_a_cell_for_ever() -> None:
    cell = Cell()
    cell.submit("a")
    cell.connect(1, 2, 3)
    assert cell.observe((1, 10**9), (2, 0), (3, 0)).blocks == []
    assert cell.finish(after_ms=OBSERVE_PATIENCE_MS - 2 * EVENT_PATIENCE_MS).blocks == []
    assert len(cell.finish(after_ms=EVENT_PATIENCE_MS).blocks) == 1


def test_a_cell_without_a_vote_observes_nothing_and_makes_nothing() -> None:
    observer = Cell(None)
    assert not observer.stage.is_observing
    observer.submit("a")
    observer.connect(1, 2, 3)
    observer.receive(1, made(1, payload=[b"x"]))
    assert _ids(observer.finish()) == [made(1, payload=[b"x"]).id]
    assert len(observer.stage.index) == 1


def test_a_cell_whose_key_signs_elsewhere_makes_no_more_events_in_the_epoch() -> None:
    cell = _ready()
    cell.submit("a")
    assert len(cell.finish().blocks) == 1
    assert not _forked(cell)
    cell.receive(1, made(0, payload=[b"another copy of us"]), made(1), made(2))
    cell.submit("b")
    effects = cell.finish(after_ms=EVENT_PATIENCE_MS)
    first, *others = Cell.events(effects)
    assert first.payload == (b"another copy of us",)
    assert [event.id for event in others] == [made(1).id, made(2).id]
    assert _forked(cell)
    assert [(fork.creator, fork.blocks) for fork in effects.forks] == [(0, (0, 1))]
    cell.stage.seal(GENESIS.roster.next(Round(9), START_NS), cell.now_ms)
    assert not _forked(cell), "as long as it has a vote, it has it in every epoch anew"


def test_a_journal_with_an_own_fork_makes_the_cell_silent_from_its_start() -> None:
    blocks = [encode_event(made(0)), encode_event(made(0, payload=[b"x"]))]
    cell = Cell(0, blocks)
    cell.submit("a")
    cell.connect(1, 2, 3)
    effects = cell.observe((1, 1), (2, 1), (3, 1))
    assert (cell.stage.is_observing, effects.blocks) == (False, [])
    assert cell.stage.has_forked


def test_each_fork_is_told_once_with_the_blocks_that_prove_it_also_after_a_restart() -> None:
    cell = _ready()
    one, two, three = made(1), made(1, payload=[b"x"]), made(1, payload=[b"y"])
    cell.receive(2, made(2), one, two)
    effects = cell.finish()
    assert [(fork.creator, fork.blocks) for fork in effects.forks] == [(1, (1, 2))]
    cell.receive(2, three)
    assert cell.finish().forks == []
    blocks = [encode_event(event) for event in (made(2), one, two, three)]
    again = Cell(0, blocks)
    (fork,) = again.finish().forks
    assert (fork.roster, fork.creator, fork.blocks) == (GENESIS.roster, 1, (1, 2))


def test_a_fork_in_the_epoch_before_is_found_again_at_start() -> None:
    blocks = [encode_event(event) for event in (made(2), made(1), made(1, payload=[b"x"]))]
    roster = GENESIS.roster.next(Round(9), START_NS)
    cell = Cell(0, blocks, roster=roster, before=GENESIS.roster)
    (fork,) = cell.finish().forks
    assert (fork.roster, fork.creator, fork.blocks) == (GENESIS.roster, 1, (1, 2))


def test_a_journal_of_another_format_stops_the_cell_at_start_and_says_why() -> None:
    old = encode([encode(["myceld/event/1", bytes(32), 0, 0, 0, b"", [], 5, []]), bytes(64)])
    with pytest.raises(OldEventFormat):
        Cell(0, [old])
    with pytest.raises(UnresolvableEvent):
        Cell(0, [encode_event(made(0, made(0)))])


def test_a_fork_of_another_member_is_kept_and_it_is_no_parent_any_more() -> None:
    cell = _ready()
    one, two = made(1), made(1, payload=[b"x"])
    cell.receive(2, one, two, made(2))
    *theirs, own = Cell.events(cell.finish())
    assert [event.id for event in theirs] == [one.id, two.id, made(2).id]
    assert own.other_places == ((2, 0),)
    vector = cell.stage.index.vector()
    assert vector[1] == tuple(sorted((one.id, two.id)))


def test_who_builds_on_a_member_whose_fork_it_could_see_is_dropped() -> None:
    one, two = made(1), made(1, payload=[b"x"])
    left = made(2, None, [one])
    bad = [
        [made(2, left, [two])],  # its self-parent saw the one, its other-parent is the other
        [made(3, None, [two, left])],  # so has one of its other-parents
        [made(2, left), middle := made(3, None, [two]), made(0, None, [middle, left, two])],
    ]
    for events in bad:
        cell = _ready()
        cell.receive(3, one, two, left, *events[:-1])
        assert _dropped(cell) == [(1, Equivocated)], "not who told of it"
        cell.receive(3, events[-1])
        assert _dropped(cell) == [(3, BuildsOnForker)]
        assert events[-1].id not in cell.stage.index
    # Without having seen both, who knows of one branch only builds on it, and is built upon.
    cell = _ready()
    joined = made(3, made(3, None, [two]), [left])
    cell.receive(3, one, two, left, made(3, None, [two]), joined)
    assert _dropped(cell) == [(1, Equivocated)]
    assert joined.id in cell.stage.index


def test_own_times_grow_even_when_the_wall_clock_goes_back() -> None:
    cell = _ready()
    times = []
    for at, wall_ns in enumerate((START_NS + 100, START_NS + 50, START_NS + 100, START_NS + 500)):
        cell.receive(1, *_next_of(cell, 1))
        cell.receive(2, *_next_of(cell, 2))
        cell.submit(str(at))
        cell.now_ms += EVENT_PATIENCE_MS
        effects = cell.stage.finish(cell.now_ms, wall_ns)
        times += [e.time_ns - START_NS for e in Cell.events(effects) if e.creator == 0]
    assert times == [100, 101, 102, 500]


_CHAINS: dict[tuple[int, int], Event] = {}


def _next_of(cell: Cell, member: int) -> list[Event]:
    """The next event of another member's bare chain."""
    count = cell.stage.index.count(MemberIndex(member))
    if (member, count) not in _CHAINS:
        parent = _next_parent(member, count)
        _CHAINS[member, count] = made(member, parent)
    return [_CHAINS[member, count]]


def _next_parent(member: int, count: int) -> Event | None:
    parent = None
    for sequence in range(count):
        parent = _CHAINS.setdefault((member, sequence), made(member, parent))
    return parent


def test_an_own_event_takes_the_waiting_transactions_and_is_durable_before_it_is_sent() -> None:
    cell = _ready()
    ids = [cell.submit("a"), cell.submit("b")]
    effects = cell.finish()
    (event,) = Cell.events(effects)
    assert effects.durable
    assert effects.stored == ids
    assert event.payload == (opaque_transaction(b"a"), opaque_transaction(b"b"))
    assert verify(KEYS[0].public_key, event.body, event.signature)
    pushed = [e for e in effects.sends if isinstance(e, SendBlocks)]
    assert [(e.peer, e.blocks) for e in pushed] == [(peer(m), (0,)) for m in (1, 2, 3)]
    assert len(cell.mempool) == 0
    assert cell.stage.has_work, "it has no place in the order yet"
    assert cell.stage.waiting_transactions() == list(event.payload)


def test_events_of_others_need_no_fsync() -> None:
    cell = _ready()
    cell.receive(1, made(1))
    effects = cell.finish()
    assert (len(effects.blocks), effects.durable) == (1, False)


def test_without_work_nothing_is_made_and_nothing_is_waited_for() -> None:
    cell = _ready()
    cell.receive(1, made(1))
    cell.finish()
    effects = cell.finish(after_ms=60_000)
    assert effects.blocks == []
    assert cell.stage.wait_ms(cell.now_ms) is None


def test_a_new_peer_is_told_what_is_here_and_gets_what_it_wants() -> None:
    cell = _ready()
    cell.receive(1, made(1))
    cell.finish()
    cell.stage.connected(STRANGER.cell_id, cell.now_ms)
    cell.stage.wanted(STRANGER.cell_id, Want(EPOCH, (0, 0, 0, 0)), cell.now_ms)
    effects = cell.finish(after_ms=0)
    assert effects.sends == [
        Send(STRANGER.cell_id, Have(EPOCH, (0, 1, 0, 0))),
        SendBlocks(STRANGER.cell_id, EPOCH, (0,), last=True),
    ]


def test_a_replayed_journal_gives_the_same_graph_and_decides_the_same_rounds() -> None:
    cells = [Cell(me) for me in range(4)]
    network = _Network(cells)
    network.run(["a", "b", "c"])
    assert network.drops == []
    again = Cell(0, cells[0].blocks)
    assert again.replayed == network.rounds[0]
    assert again.stage.index.vector() == cells[0].stage.index.vector()
    assert again.finish().rounds == []


def test_a_member_that_shows_each_half_another_branch_stops_nobody() -> None:
    """Member 3 forks: cell 0 gets one branch, cells 1 and 2 the other; then it is silent."""
    cells = [Cell(me) for me in range(3)]
    network = _Network(cells)
    network.run(["warm up"])
    for at, cell in enumerate(cells):
        cell.stage.connected(peer(3), cell.now_ms)
        cell.receive(3, made(3, payload=[opaque_transaction(b"left" if at == 0 else b"right")]))
    network.run([str(number) for number in range(12)])
    orders = [network.order(at) for at in range(3)]
    assert orders[0] == orders[1] == orders[2]
    for text in ("warm up", *map(str, range(12)), "left", "right"):
        assert opaque_transaction(text.encode()) in orders[0], text
    for cell in cells:
        assert cell.stage.engine.forked_creators == (3,)
        assert not cell.stage.has_work
    assert {(cell, type(error)) for cell, error in network.drops} == {(peer(3), Equivocated)}
    assert len(network.drops) == len(cells), "each drops the forker, nobody drops who told of it"


class _Network:
    """Stages that hear each other at once, until nothing is left to do."""

    def __init__(self, cells: list[Cell]) -> None:
        self.cells = cells
        self.rounds: list[list[object]] = [[] for _ in cells]
        self.ordered: list[list[bytes]] = [[] for _ in cells]
        self.links: deque[tuple[int, int, object]] = deque()
        self.drops: list[tuple[CellId, MyceldError]] = []
        self.ids = {key.cell_id: at for at, key in enumerate(KEYS)}
        for at, cell in enumerate(cells):
            cell.connect(*(other for other in range(len(cells)) if other != at))

    def order(self, at: int) -> list[bytes]:
        """Return the transactions that a cell ordered."""
        return self.ordered[at]

    def run(self, texts: list[str], steps: int = 400) -> None:
        """Submit one transaction after the other at the cells in turn."""
        for step in range(steps):
            if step % 4 == 0 and step // 4 < len(texts):
                self.cells[step // 4 % len(self.cells)].submit(texts[step // 4])
            for at, cell in enumerate(self.cells):
                self._carry_out(at, cell.finish(after_ms=20))
            while self.links:
                self._deliver(*self.links.popleft())

    def _carry_out(self, at: int, effects: Effects) -> None:
        self.drops += effects.drops
        self.rounds[at] += effects.rounds
        self.ordered[at] += [
            raw
            for decided in effects.rounds
            for ordered in decided.round.ordered
            for raw in ordered.event.payload
        ]
        for effect in effects.sends:
            to = self.ids[effect.peer]
            if to < len(self.cells):
                self.links.append((at, to, effect))

    def _deliver(self, at: int, to: int, effect: object) -> None:
        cell, name = self.cells[to], peer(at)
        match effect:
            case Send(frame=Have() as have):
                cell.stage.told(name, have, cell.now_ms)
            case Send(frame=Want() as want):
                cell.stage.wanted(name, want, cell.now_ms)
            case SendBlocks():
                sender = self.cells[at]
                blocks = [
                    sender.stage.with_hints(effect, sender.blocks[index]) for index in effect.blocks
                ]
                cell.receive_bytes(at, *blocks, last=effect.last, epoch=effect.epoch)
