"""Epochs: the seal, the next epoch from it, roster changes, and transactions over the border."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import pytest

from core.ids import Epoch as EpochNumber
from core.ids import EventId, MemberIndex, Round
from hashgraph import DecidedRound, Engine, Event, Seal
from hashgraph.errors import EpochSealed, UnfitRules
from hashgraph.vector import shuffled
from tests.hashgraph.hashgraph_cases import bare_event

COIN_PERIOD = 4
ROUNDS = 7  # of an epoch without a roster change


@dataclass
class Cell:
    """What a cell of the model makes of the order: a roster, and every transaction once."""

    roster: dict[str, int]
    seal: Seal | None = None
    applied: list[bytes] = field(default_factory=list)
    log: list[tuple[Round, EventId, int]] = field(default_factory=list)

    def start(self) -> Engine:
        weights = list(self.roster.values())
        if self.seal is None:
            return Engine(weights, coin_period=COIN_PERIOD, epoch_rounds=ROUNDS)
        return Engine.start(self.seal, weights, coin_period=COIN_PERIOD, epoch_rounds=ROUNDS)

    def take(self, engine: Engine) -> bool:
        """Apply what is decided; return whether the epoch is over."""
        while (decided := engine.next_round()) is not None:
            if self._apply(decided):
                engine.seal()
        if engine.sealed is None:
            return False
        self.seal = engine.sealed
        return True

    def _apply(self, decided: DecidedRound) -> bool:
        changed = False
        for item in decided.ordered:
            self.log.append((decided.round, item.event.id, item.consensus_time_ns))
            for transaction in item.event.payload:
                if transaction not in self.applied:
                    self.applied.append(transaction)
                    changed |= self._change_roster(transaction.decode().split())
        return changed

    def _change_roster(self, words: list[str]) -> bool:
        if words[0] == "weight":
            self.roster = {**self.roster, words[1]: int(words[2])}
        elif words[0] == "leave":
            self.roster = {name: w for name, w in self.roster.items() if name != words[1]}
        return words[0] in ("weight", "leave")


@dataclass
class Epoch:
    """One epoch of the model: the cell before it, all its events, and the cell after it."""

    before: Cell
    events: tuple[Event, ...]
    after: Cell
    dropped: int


def copy_of(cell: Cell) -> Cell:
    return replace(cell, applied=list(cell.applied), log=list(cell.log))


def run_epochs(seed: int, count: int = 5) -> tuple[list[Epoch], list[bytes]]:
    """Let members gossip through some epochs; return them and all transactions that were put."""
    rng = Random(seed)  # noqa: S311 - a test that repeats, no secret
    cell = Cell({name: rng.randint(1, 4) for name in "abcd"[: rng.randint(3, 4)]})
    waiting: list[bytes] = []
    put: list[bytes] = []
    epochs = []
    for number in range(count):
        before = copy_of(cell)
        change = [b"weight e 2", b"weight a 3", b"leave e", b"weight b 1", b"weight f 1"][
            number % 5
        ]
        engine, members, events = cell.start(), len(cell.roster), []
        tips: list[Event | None] = [None] * members
        step = 0
        while not cell.take(engine):
            creator = rng.randrange(members)
            others = [tip for m, tip in enumerate(tips) if tip is not None and m != creator]
            picked = rng.sample(others, rng.randint(min(1, len(others)), len(others)))
            own = tips[creator]
            fresh = [b"put %d/%d" % (number, step)] if rng.random() < 0.5 else []
            fresh += [change] if step == 20 and number % 2 == 0 else []
            put += fresh
            event = replace(
                bare_event(creator, own, picked, time_ns=100 * step, salt=f"{seed}/{number}"),
                payload=(*waiting, *fresh),
            )
            waiting = []
            tips[creator] = event
            events.append(event)
            engine.insert(event)
            step += 1
        left = [e for m in range(members) for e in engine.unordered(MemberIndex(m))]
        # Their creators put them again, also those that another event has brought in meanwhile.
        waiting = [transaction for event in left for transaction in event.payload]
        epochs.append(Epoch(before, tuple(events), copy_of(cell), len(left)))
    return epochs, put


@pytest.mark.parametrize("seed", range(20))
def test_every_cell_seals_alike_in_every_sequence_and_from_every_checkpoint(seed: int) -> None:
    epochs, _ = run_epochs(seed)
    rng = Random(seed)  # noqa: S311 - a test that repeats, no secret
    for first in range(len(epochs)):
        # A cell that has only the checkpoint before this epoch: the seal, the roster, the state.
        cell = copy_of(epochs[first].before)
        for epoch in epochs[first:]:
            engine = cell.start()
            for event in shuffled(epoch.events, str(rng.random())):
                engine.insert(event)
                # It applies what is decided now or later.
                if rng.random() < 0.3 and cell.take(engine):
                    break
            assert cell.take(engine)
            assert cell == epoch.after
    assert all(epoch.dropped for epoch in epochs)


def test_epochs_of_the_model_end_for_both_reasons_and_change_rosters() -> None:
    sizes: Counter[int] = Counter()
    lengths: Counter[int] = Counter()
    for seed in range(20):
        epochs, _ = run_epochs(seed)
        first = 0
        for epoch in epochs:
            assert epoch.after.seal is not None
            lengths[epoch.after.seal.last_round - first] += 1
            first = epoch.after.seal.last_round
            sizes[len(epoch.after.roster)] += 1
    assert len(sizes) >= 3
    assert lengths[ROUNDS] > 20
    assert sum(count for length, count in lengths.items() if length < ROUNDS) > 20


@pytest.mark.parametrize("seed", range(20))
def test_transactions_are_applied_exactly_once_over_the_border(seed: int) -> None:
    epochs, put = run_epochs(seed)
    applied = epochs[-1].after.applied
    assert len(applied) == len(set(applied))
    last = {transaction for event in epochs[-1].events for transaction in event.payload}
    assert set(put) - set(applied) <= last  # only the last epoch's are still under way
    again = Counter(t for epoch in epochs for event in epoch.events for t in event.payload)
    assert any(count > 1 for count in again.values())


@pytest.mark.parametrize("seed", range(5))
def test_rounds_and_times_go_on_over_the_border(seed: int) -> None:
    epochs, _ = run_epochs(seed)
    log = epochs[-1].after.log
    rounds = [entry[0] for entry in log]
    times = [entry[2] for entry in log]
    assert rounds == sorted(rounds)
    assert all(a < b for a, b in pairwise(times))
    for earlier, later in pairwise(epochs):
        seal = earlier.after.seal
        assert seal is not None
        engine = later.before.start()
        assert engine.last_decided_round == seal.last_round
        engine.insert(later.events[0])
        assert engine.round_of(later.events[0].id) == seal.last_round + 1


def gossip(engine: Engine, steps: int) -> list[Event]:
    tips = [bare_event(member, None, ()) for member in range(4)]
    events = list(tips)
    for step in range(1, steps):
        tips = [
            bare_event(m, tips[m], [tips[o] for o in range(4) if o != m], time_ns=step)
            for m in range(4)
        ]
        events += tips
    for event in events:
        engine.insert(event)
    return events


def test_nothing_beyond_the_seal_is_handed_out_or_taken_in() -> None:
    engine = Engine([1, 1, 1, 1])
    events = gossip(engine, 24)
    assert engine.decided_rounds == tuple(range(1, 11))
    handed_out = [engine.next_round() for _ in range(3)]
    assert [item.round for item in handed_out if item is not None] == [1, 2, 3]
    seal = engine.seal()
    times = [o.consensus_time_ns for item in handed_out if item is not None for o in item.ordered]
    assert seal == Seal(seal.epoch, Round(3), times[-1])
    assert engine.next_round() is None
    assert engine.seal() == engine.sealed == seal
    with pytest.raises(EpochSealed):
        engine.add(bare_event(0, events[-4], (), time_ns=99))
    ordered = {item.event.id for d in handed_out if d is not None for item in d.ordered}
    dropped = [e for member in range(4) for e in engine.unordered(MemberIndex(member))]
    assert {event.id for event in dropped} == {event.id for event in events} - ordered
    assert [e.sequence for e in engine.unordered(MemberIndex(1))] == list(range(4, 24))


def test_an_epoch_of_a_fixed_length_seals_itself() -> None:
    engine = Engine([1, 1, 1, 1], first_round=5, epoch_rounds=2, epoch=8, last_time_ns=10)
    gossip(engine, 24)
    rounds = []
    while (decided := engine.next_round()) is not None:
        rounds.append(decided.round)
    assert rounds == [5, 6]
    assert engine.sealed is not None
    assert (engine.sealed.epoch, engine.sealed.last_round) == (8, 6)
    following = Engine.start(engine.sealed, [2, 1], epoch_rounds=1)
    assert following.last_decided_round == 6
    assert following.seal() == replace(engine.sealed, epoch=EpochNumber(9))


def test_an_epoch_without_rounds_is_refused() -> None:
    with pytest.raises(UnfitRules):
        Engine([1], epoch_rounds=0)


def test_a_closed_engine_holds_nothing_and_is_sealed() -> None:
    engine = Engine([1, 1, 1, 1])
    events = gossip(engine, 24)
    taken = engine.next_round()
    engine.close()
    assert taken is not None
    assert engine.sealed is not None
    assert len(engine) == 0
    assert events[0].id not in engine
    assert engine.next_round() is None
