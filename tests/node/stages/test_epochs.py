"""From one epoch to the next: what is kept, served, put again, and what is left alone."""

from __future__ import annotations

from itertools import pairwise

import pytest

from core.errors import InvariantBroken
from core.ids import Epoch, MemberIndex, Round
from gossip.errors import BadFrame
from gossip.limits import HAVE_INTERVAL_MS
from gossip.sync import Send
from gossip.wire import Events, Frame, Have, Want
from hashgraph.errors import WrongEpoch
from hashgraph.event import Event, UnresolvedEvent, decode_any_event, encode_event
from ledger.roster import Roster
from ledger.transaction import opaque_transaction
from node.limits import HOMELESS_INTERVAL_MS, OBSERVE_SETTLE_MS
from node.stages import homeless as homeless_module
from node.stages.consensus import Effects, SendBlocks
from tests.ledger.world import GENESIS, KEYS, START_NS
from tests.node.stages.world import STRANGER, Cell, made, peer

FIRST = GENESIS.roster
SECOND = FIRST.next(Round(17), START_NS + 10**9)
THIRD = SECOND.next(Round(33), START_NS + 2 * 10**9)
WITHOUT_US = FIRST.next(Round(17), START_NS + 10**9, FIRST.members[1:])
NOBODY_ELSE = Roster(Epoch(0), Round(1), START_NS, FIRST.members[:1])


def _ready(me: int = 0) -> Cell:
    cell = Cell(me)
    others = [member for member in range(4) if member != me]
    cell.connect(*others)
    cell.observe(*((member, 0) for member in others))
    return cell


def _seal(cell: Cell, roster: Roster = SECOND) -> Effects:
    cell.stage.seal(roster, cell.now_ms)
    return cell.finish(after_ms=0)


def _frames(effects: Effects, to: int) -> list[Frame]:
    return [e.frame for e in effects.sends if isinstance(e, Send) and e.peer == peer(to)]


def _blocks(effects: Effects, to: int) -> list[SendBlocks]:
    return [e for e in effects.sends if isinstance(e, SendBlocks) and e.peer == peer(to)]


def _waiting(cell: Cell) -> list[bytes]:
    return [raw for _, raw in cell.mempool.take_all()]


def _raws(*texts: str) -> list[bytes]:
    return [opaque_transaction(text.encode()) for text in texts]


# -- peers ahead -------------------------------------------------------------------------------


def test_a_have_of_the_next_epoch_is_kept_and_used_after_the_seal() -> None:
    cell = _ready()
    cell.tell(1, (0, 3, 0, 0), epoch=Epoch(1))
    before = cell.finish()
    assert (before.drops, _frames(before, 1)) == ([], [])
    assert cell.stage.epoch_ahead == 1
    frames = _frames(_seal(cell), 1)
    assert frames[-1] == Want(Epoch(1), (0, 0, 0, 0))
    assert cell.stage.epoch_ahead is None


def test_a_have_of_a_later_epoch_waits_until_the_cell_is_there() -> None:
    cell = _ready()
    cell.tell(1, (0, 3, 0, 0), epoch=Epoch(2))
    assert Want(Epoch(1), (0, 0, 0, 0)) not in _frames(_seal(cell), 1)
    assert cell.stage.epoch_ahead == 2
    assert Want(Epoch(2), (0, 0, 0, 0)) in _frames(_seal(cell, THIRD), 1)


def test_of_a_peer_ahead_only_the_newest_have_is_kept_and_none_when_it_goes() -> None:
    cell = _ready()
    for number in range(100):
        cell.tell(1, (0, number, 0, 0), epoch=Epoch(1))
    cell.tell(2, (0, 0, 7, 0), epoch=Epoch(1))
    assert len(cell.stage._early) == 2
    cell.stage.disconnected(peer(1))
    cell.stage.disconnected(peer(2))
    assert cell.stage._early == {}
    effects = _seal(cell)
    assert [frame for to in (1, 2) for frame in _frames(effects, to)] == []


def test_a_kept_have_of_another_roster_drops_its_peer_at_the_seal() -> None:
    cell = _ready()
    cell.tell(1, (0, 3, 0), epoch=Epoch(1))
    assert [(name, type(error)) for name, error in _seal(cell).drops] == [(peer(1), BadFrame)]
    assert cell.finish().drops == []


def test_a_kept_have_counts_for_observing() -> None:
    cell = _ready()
    for member in (1, 2, 3):
        cell.tell(member, (0, 0, 0, 0), epoch=Epoch(1))
    cell.submit("a")
    _seal(cell)
    cell.finish()
    assert not cell.stage.is_observing
    assert cell.stage.index.count(MemberIndex(0)) == 1


# -- peers behind ------------------------------------------------------------------------------


def _sealed_with_events() -> tuple[Cell, list[Event]]:
    """A cell in epoch 1, and the events that it has of epoch 0."""
    cell = _ready()
    first = made(1)
    events = [first, made(2, None, [first]), made(1, first)]
    cell.receive(1, *events)
    cell.finish(after_ms=HAVE_INTERVAL_MS)
    _seal(cell)
    return cell, events


def test_at_the_seal_every_peer_is_told_what_the_epoch_came_to() -> None:
    """One that is behind may have got all there was to push, and would never ask."""
    cell = _ready()
    cell.receive(1, made(1))
    effects = _seal(cell)
    for member in (1, 2, 3):
        last, first = _frames(effects, member)[:2]
        assert last == Have(Epoch(0), (0, 1, 0, 0), sealed=True)
        assert first == Have(Epoch(1), (0, 0, 0, 0))


def test_a_peer_in_the_epoch_before_is_told_and_sent_what_it_lacks() -> None:
    cell, events = _sealed_with_events()
    cell.tell(1, (0, 1, 0, 0), epoch=Epoch(0))
    assert _frames(cell.finish(after_ms=0), 1) == [Have(Epoch(0), (0, 2, 1, 0), sealed=True)]
    cell.ask(1, (0, 1, 0, 0), epoch=Epoch(0))
    (sent,) = _blocks(cell.finish(after_ms=0), 1)
    assert (sent.epoch, sent.last) == (Epoch(0), True)
    assert [cell.blocks[at] for at in sent.blocks] == [encode_event(e) for e in events[1:]]


def test_a_peer_that_connects_after_the_seal_is_served_as_well() -> None:
    cell, events = _sealed_with_events()
    cell.stage.disconnected(peer(3))
    cell.connect(3)
    cell.ask(3, (0, 0, 0, 0), epoch=Epoch(0))
    (sent,) = _blocks(cell.finish(after_ms=0), 3)
    assert len(sent.blocks) == len(events)


def test_events_of_the_new_epoch_are_named_by_their_blocks() -> None:
    cell, events = _sealed_with_events()
    new = made(1, epoch=Epoch(1))
    cell.receive(1, new)
    cell.finish()
    cell.ask(2, (0, 0, 0, 0))
    (sent,) = _blocks(cell.finish(after_ms=0), 2)
    assert (sent.epoch, sent.blocks) == (Epoch(1), (len(events),))
    assert cell.blocks[len(events)] == encode_event(new)


def test_the_epoch_before_never_changes() -> None:
    cell, events = _sealed_with_events()
    late = made(3)
    assert cell.receive_bytes(3, encode_event(late), epoch=Epoch(0)) is None
    cell.tell(3, (0, 2, 1, 1), epoch=Epoch(0))
    effects = cell.finish()
    assert (effects.blocks, effects.drops) == ([], [])
    assert _frames(effects, 3) == [Have(Epoch(0), (0, 2, 1, 0), sealed=True)]
    cell.ask(1, (0, 0, 0, 0), epoch=Epoch(0))
    (sent,) = _blocks(cell.finish(after_ms=0), 1)
    assert len(sent.blocks) == len(events)


def test_what_was_on_its_way_through_the_signature_check_at_the_seal_is_dropped() -> None:
    cell = _ready()
    frame = Events(Epoch(0), (encode_event(made(1)),), last=True)
    unpacked = cell.stage.unpack(peer(1), frame)
    assert unpacked is not None
    _seal(cell)
    cell.stage.received(peer(1), unpacked, [True], cell.now_ms, last=True)
    effects = cell.finish()
    assert (effects.blocks, effects.drops) == ([], [])


def test_a_want_of_the_epoch_before_with_another_roster_drops_the_peer() -> None:
    cell, _ = _sealed_with_events()
    cell.ask(1, (0, 0, 0), epoch=Epoch(0))
    assert [(name, type(error)) for name, error in cell.finish().drops] == [(peer(1), BadFrame)]
    cell.ask(1, (0, 0, 0, 0), epoch=Epoch(0))
    assert _blocks(cell.finish(), 1) == []


def test_of_two_epochs_ago_nothing_is_served_and_nobody_is_dropped() -> None:
    cell, _ = _sealed_with_events()
    _seal(cell, THIRD)
    cell.tell(1, (0, 0, 0, 0), epoch=Epoch(0))
    cell.ask(1, (0, 0, 0, 0), epoch=Epoch(0))
    effects = cell.finish(after_ms=0)
    assert (effects.sends, effects.drops) == ([], [])


# -- sealed HAVEs ------------------------------------------------------------------------------


def test_a_sealed_have_is_never_answered() -> None:
    cell, _ = _sealed_with_events()
    for vector in ((0, 0, 0, 0), (0, 2, 1, 0), (9, 9, 9, 9)):
        cell.tell(1, vector, sealed=True, epoch=Epoch(0))
    assert cell.finish(after_ms=0).sends == []


def test_two_cells_that_sealed_with_different_events_come_to_rest() -> None:
    one, other = _ready(0), _ready(1)
    one.receive(2, made(2))
    other.receive(3, made(3))
    _seal(one)
    _seal(other)
    one.tell(1, (0, 0, 0, 1), epoch=Epoch(0))  # what the other had told before it sealed
    (answer,) = _frames(one.finish(after_ms=0), 1)
    assert isinstance(answer, Have)
    other.stage.told(peer(0), answer, other.now_ms)
    assert other.finish(after_ms=0).sends == []


def test_a_sealed_have_shows_what_is_lacking_but_does_not_count_for_observing() -> None:
    cell = Cell()
    cell.submit("a")
    cell.connect(1, 2, 3)
    for member in (1, 2, 3):
        cell.tell(member, (0, 4, 0, 0), sealed=True)
    effects = cell.finish()
    assert [f for to in (1, 2, 3) for f in _frames(effects, to) if isinstance(f, Want)]
    assert cell.finish(after_ms=2 * OBSERVE_SETTLE_MS).blocks == []
    assert cell.stage.is_observing
    for member in (1, 2, 3):
        cell.tell(member, (0, 0, 0, 0))
    cell.finish(after_ms=0)
    assert not cell.stage.is_observing


# -- frames of other epochs --------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [1, 2, 10**9])
def test_events_of_another_epoch_are_ignored_unread(epoch: int) -> None:
    cell = _ready()
    assert cell.receive_bytes(1, b"junk", epoch=Epoch(epoch)) is None
    effects = cell.finish(after_ms=0)
    assert (effects.blocks, effects.drops) == ([], [])
    cell.ask(1, (0, 0, 0, 0), epoch=Epoch(epoch))
    assert cell.finish(after_ms=0).sends == []


def test_an_event_of_another_epoch_in_a_frame_of_ours_drops_the_peer() -> None:
    cell = _ready()
    cell.receive(1, made(1, epoch=Epoch(1)))
    assert [type(error) for _, error in cell.finish().drops] == [WrongEpoch]


def test_epochs_follow_each_other() -> None:
    cell = _ready()
    with pytest.raises(InvariantBroken):
        cell.stage.seal(THIRD, cell.now_ms)


# -- transactions ------------------------------------------------------------------------------


def test_what_was_not_received_in_time_is_put_again_in_front_and_in_order() -> None:
    cell = _ready()
    own: list[UnresolvedEvent] = []
    for texts in (("a", "b"), ("c",)):
        for text in texts:
            cell.submit(text)
        cell.receive(1, made(1, _tip(cell, 1)))
        cell.receive(2, made(2, _tip(cell, 2)))
        own += [event for event in Cell.events(cell.finish()) if event.creator == 0]
    assert [event.payload for event in own] == [tuple(_raws("a", "b")), tuple(_raws("c"))]
    cell.submit("d")
    effects = _seal(cell)
    assert effects.homeless == []
    assert _waiting(cell) == _raws("a", "b", "c", "d")


def _tip(cell: Cell, member: int) -> UnresolvedEvent | None:
    """Return the newest event of a member, if there is one."""
    events = [event for event in map(_decoded, cell.blocks) if event.creator == member]
    return events[-1] if events else None


def _decoded(block: bytes) -> UnresolvedEvent:
    return decode_any_event(block, GENESIS.network_id)[0]


def _alone(*texts: str) -> tuple[Cell, dict[str, Round]]:
    """A network of one cell that ordered some transactions, and the round of each."""
    cell = Cell(0, roster=NOBODY_ELSE)
    rounds: dict[bytes, Round] = {}
    for text in texts:
        cell.submit(text)
        for _ in range(30):
            for decided in cell.finish().rounds:
                for ordered in decided.round.ordered:
                    rounds.update(dict.fromkeys(ordered.event.payload, decided.round.round))
    return cell, {text: rounds[raw] for text in texts for raw in _raws(text)}


def test_only_what_rounds_after_the_seal_received_is_put_again() -> None:
    texts = ("a", "b", "c", "d")
    _, rounds = _alone(*texts)
    assert all(rounds[one] < rounds[other] for one, other in pairwise(texts))
    for last in (0, rounds["a"], rounds["c"] - 1, rounds["d"]):
        cell, _ = _alone(*texts)
        cell.stage.seal(NOBODY_ELSE.next(Round(last + 1), START_NS + 10**12), cell.now_ms)
        assert _waiting(cell) == _raws(*(text for text in texts if rounds[text] > last))


def test_what_rounds_received_is_forgotten_once_they_are_applied() -> None:
    texts = ("a", "b", "c", "d")
    cell, rounds = _alone(*texts)
    cell.stage.applied(rounds["b"])
    kept = {raw for _, event in cell.stage._active._own_recent for raw in event.payload}
    assert kept == set(_raws("c", "d"))


def test_a_cell_that_loses_its_vote_hands_out_all_that_waits() -> None:
    cell = _ready()
    cell.submit("a")
    cell.finish()
    cell.submit("b")
    effects = _seal(cell, WITHOUT_US)
    assert effects.homeless == _raws("a", "b")
    assert len(cell.mempool) == 0
    assert (cell.stage.me, cell.stage.is_observing) == (None, False)


def test_what_is_homeless_is_handed_out_again_until_it_is_ordered() -> None:
    cell = _ready()
    cell.submit("a")
    cell.submit("b")
    cell.finish()
    one = Roster(Epoch(1), Round(17), START_NS + 10**9, FIRST.members[1:2])
    assert _seal(cell, one).homeless == _raws("a", "b")
    wait_ms = cell.stage.wait_ms(cell.now_ms)
    assert wait_ms is not None
    assert wait_ms <= HOMELESS_INTERVAL_MS
    assert cell.finish(after_ms=HOMELESS_INTERVAL_MS - 1).homeless == []
    assert cell.finish(after_ms=1).homeless == _raws("a", "b")
    tip = made(0, epoch=Epoch(1), key=KEYS[1], payload=_raws("a"))
    cell.receive(1, tip)
    for _ in range(12):
        tip = made(0, tip, epoch=Epoch(1), key=KEYS[1])
        cell.receive(1, tip)
    assert cell.finish(after_ms=HOMELESS_INTERVAL_MS).homeless == _raws("b")
    tip = made(0, tip, epoch=Epoch(1), key=KEYS[1], payload=_raws("b"))
    cell.receive(1, tip)
    for _ in range(12):
        tip = made(0, tip, epoch=Epoch(1), key=KEYS[1])
        cell.receive(1, tip)
    assert cell.finish(after_ms=HOMELESS_INTERVAL_MS).homeless == []
    assert cell.finish(after_ms=HOMELESS_INTERVAL_MS).homeless == []


def test_what_is_homeless_is_handed_out_in_parts_the_oldest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raws = _raws("a", "b", "c")
    monkeypatch.setattr(homeless_module, "HOMELESS_SIZE_BYTES_MAX", 2 * len(raws[0]))
    cell = _ready()
    for text in ("a", "b", "c"):
        cell.submit(text)
    assert _seal(cell, WITHOUT_US).homeless == raws[:2]
    assert cell.finish(after_ms=HOMELESS_INTERVAL_MS).homeless == raws[:2]


def test_what_is_homeless_is_put_by_the_cell_itself_when_it_has_a_vote_again() -> None:
    cell = _ready()
    cell.submit("a")
    cell.finish()
    _seal(cell, WITHOUT_US)
    effects = _seal(cell, WITHOUT_US.next(Round(33), START_NS + 2 * 10**9, FIRST.members))
    assert effects.homeless == []
    assert _waiting(cell) == _raws("a")
    assert cell.finish(after_ms=2 * HOMELESS_INTERVAL_MS).homeless == []


def test_a_cell_that_gets_a_vote_observes_before_it_makes_an_event() -> None:
    roster = WITHOUT_US
    cell = Cell(0, roster=roster.next(Round(33), START_NS + 2 * 10**9))
    assert cell.stage.me is None
    cell.connect(1, 2, 3)
    cell.stage.seal(Roster(Epoch(3), Round(40), START_NS + 3 * 10**9, FIRST.members), cell.now_ms)
    cell.submit("a")
    assert cell.finish().blocks == []
    assert len(cell.observe((1, 0), (2, 0), (3, 0)).blocks) == 1


# -- restarts ----------------------------------------------------------------------------------


def _three_epochs() -> list[bytes]:
    """A journal with two events of ours and one of member 1 in each of the epochs 0, 1 and 2."""
    blocks = []
    for epoch in map(Epoch, range(3)):
        own = made(0, epoch=epoch, payload=_raws(f"first of {epoch}"))
        theirs = made(1, None, [own], epoch=epoch)
        next_own = made(0, own, [theirs], epoch=epoch, payload=_raws(f"second of {epoch}"))
        blocks += [encode_event(event) for event in (own, theirs, next_own)]
    return blocks


@pytest.mark.parametrize("first_block", [0, 2, 3])
def test_a_replay_over_the_ends_of_epochs_takes_the_last_two(first_block: int) -> None:
    blocks = _three_epochs()
    cell = Cell(0, blocks, roster=THIRD, before=SECOND, first_block=first_block)
    assert cell.stage.epoch == 2
    assert cell.stage.index.vector() == (2, 1, 0, 0)
    assert cell.stage.blocks == len(blocks)
    assert cell.own_before == _raws("first of 1", "second of 1")
    assert sorted(cell.stage.waiting_transactions()) == sorted(_raws("first of 2", "second of 2"))
    cell.connect(1)
    cell.ask(1, (1, 0, 0, 0), epoch=Epoch(1))
    cell.ask(1, (2, 0, 0, 0))
    before, active = _blocks(cell.finish(after_ms=0), 1)
    assert (before.epoch, before.blocks) == (1, (4, 5))
    assert (active.epoch, active.blocks) == (2, (7,))


def test_a_replay_of_an_epoch_without_events_yet_names_the_next_block_as_its_first() -> None:
    blocks = _three_epochs()[:6]
    cell = Cell(0, blocks, roster=THIRD, before=SECOND, first_block=3)
    assert len(cell.stage.index) == 0
    cell.connect(1)
    cell.receive(1, made(1, epoch=Epoch(2)))
    cell.finish()
    cell.ask(1, (0, 0, 0, 0))
    (sent,) = _blocks(cell.finish(after_ms=0), 1)
    assert (sent.epoch, sent.blocks) == (2, (6,))


def test_own_transactions_of_the_epoch_before_are_put_again_after_a_restart() -> None:
    blocks = _three_epochs()[:6]
    cell = Cell(0, blocks, roster=THIRD, before=SECOND, first_block=3)
    cell.submit("new")
    cell.stage.put_again(cell.own_before)
    assert _waiting(cell) == _raws("first of 1", "second of 1", "new")


def test_a_seal_found_in_the_replay_leads_into_the_next_epoch_and_observing() -> None:
    cell = Cell(0, _three_epochs()[:3])
    effects = _seal(cell)
    assert cell.stage.epoch == 1
    assert cell.stage.is_observing
    assert effects.homeless == []
    assert _waiting(cell) == _raws("first of 0", "second of 0")
    cell.connect(1, 2, 3)
    cell.submit("a")
    assert cell.observe((1, 0), (2, 0)).blocks == [], "a restarted cell waits for all of them"
    assert len(cell.finish(after_ms=OBSERVE_SETTLE_MS).blocks) == 1


def test_a_cell_that_observed_needs_no_more_than_enough_members_in_the_next_epoch() -> None:
    cell = _ready()
    _seal(cell)
    cell.submit("a")
    assert len(cell.observe((1, 0), (2, 0)).blocks) == 1


def test_strangers_are_told_of_the_epochs_like_anybody() -> None:
    cell = _ready()
    cell.stage.connected(STRANGER.cell_id, cell.now_ms)
    cell.finish()
    sends = _seal(cell).sends
    told = [e.frame for e in sends if isinstance(e, Send) and e.peer == STRANGER.cell_id]
    assert told == [Have(Epoch(0), (0, 0, 0, 0), sealed=True), Have(Epoch(1), (0, 0, 0, 0))]
