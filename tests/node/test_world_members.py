"""Members join, leave and change their weight: on virtual time, with faults drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.ids import PublicKey, TransactionId
from hashgraph.event import decode_any_event
from ledger.governance import decode_proposal, proposal_key
from ledger.kinds import Arguments
from ledger.members import Action, MemberApprove, MemberLeave, MemberPropose
from ledger.roster import Roster
from tests.node.world import SimCell, World


class Town(World):
    """A world whose members act."""

    def __init__(self, seed: int, *, cells: int = 5, epoch_rounds: int = 64) -> None:
        super().__init__(seed, cells=cells, members=4, epoch_rounds=epoch_rounds)
        self.start()

    def act(self, cell: int, arguments: Arguments) -> TransactionId:
        """Submit a signed transaction of a cell at itself."""
        return self.cells[cell].act(arguments)

    def load(self, count: int, *, every_ms: int = 8) -> set[TransactionId]:
        """Submit transactions at members that are up."""
        sent = set()
        for number in range(count):
            cell = self.random.choice(self.members())
            sent.add(self.submit(cell, f"{cell}/{number}/{self.now_ms}"))
            self.run(every_ms)
        return sent

    def members(self) -> list[int]:
        """The cells that are up and know that they have a vote."""
        return [cell.index for cell in self.cells if cell.up and cell.consensus.me is not None]

    def key(self, cell: int) -> PublicKey:
        return self.cells[cell].key.public_key

    def until(self, condition: Callable[[], bool], *, within_ms: int = 60_000) -> None:
        """Let time pass until something holds."""
        end = self.now_ms + within_ms
        while not condition():
            assert self.now_ms < end, "in vain"
            self.run(50)

    def decide(self, change: MemberPropose, by: int) -> None:
        """Let `by` propose a change and all other members approve it, until all cells know."""
        proposal = self.act(by, change)
        self.until(lambda: all(proposal_key(proposal) in c.state for c in self.cells if c.up))
        for member in self.members():
            if member != by:
                self.act(member, MemberApprove(proposal))
        self.until(lambda: all(_accepted(c, proposal) for c in self.cells if c.up))
        self.together()

    def together(self) -> None:
        """Wait until all cells that are up are in one epoch."""
        self.until(lambda: len({c.consensus.epoch for c in self.cells if c.up}) == 1)

    def roster_now(self) -> Roster:
        (roster,) = {cell.consensus.roster for cell in self.cells if cell.up}
        return roster

    def made(self, cell: int, *, since: int = 0) -> int:
        """How many events of a cell are in the epoch that another cell is in."""
        other = self.cells[0 if cell != 0 else 1]
        roster = other.consensus.roster
        events = (decode_any_event(b, self.genesis.network_id) for b in other.disk.blocks[since:])
        me = roster.index_of(self.key(cell))
        return sum(epoch == roster.epoch and event.creator == me for event, epoch in events)


def _accepted(cell: SimCell, proposal: TransactionId) -> bool:
    value = cell.state.get(proposal_key(proposal))
    return value is not None and decode_proposal(value).accepted_round > 0


def _stored(town: Town) -> set[TransactionId]:
    return set().union(*(cell.stored for cell in town.cells))


def _add(town: Town, cell: int, *, weight: int = 1) -> MemberPropose:
    return MemberPropose(Action.ADD, town.key(cell), weight, f"cell-{cell + 1}")


@pytest.mark.parametrize("seed", range(2))
def test_a_follower_that_is_voted_in_makes_events_from_the_next_epoch_on(seed: int) -> None:
    town = Town(seed)
    sent = town.load(40)
    town.run(2_000)
    assert len(town.cells[4].order) == 40, "it follows"
    town.decide(_add(town, 4), by=1)
    assert town.cells[4].consensus.me == 4
    assert town.roster_now().epoch == 1
    assert not any(epoch == 0 for epoch, _ in town.cells[4].signed)
    sent |= town.load(60)
    town.run(3_000)
    town.check_settled(sent)
    assert town.made(4) > 0
    (newest,) = {cell.headers[-1].roster for cell in town.cells}
    assert newest == town.roster_now().hash


@pytest.mark.parametrize("seed", range(2))
def test_the_vote_of_a_newcomer_counts(seed: int) -> None:
    """With a fifth member 3 of 5 are not enough any more, and the fifth makes 4 of them."""
    town = Town(10 + seed)
    town.decide(_add(town, 4), by=0)
    town.load(20)
    for down in (0, 1):
        town.cells[down].crash(power=False)
    town.run(2_000)
    before = len(town.cells[4].order)
    town.load(10)
    town.run(10_000)
    assert len(town.cells[4].order) == before, "no quorum of 4 in 5"
    town.cells[0].start()
    town.connect_all()
    town.run(10_000)
    assert len(town.cells[4].order) > before
    town.cells[1].start()
    town.connect_all()
    town.run(10_000)
    town.check_settled(_stored(town))


@pytest.mark.parametrize("seed", range(2))
def test_a_member_that_leaves_follows_on_and_what_waits_there_is_not_lost(seed: int) -> None:
    town = Town(20 + seed)
    sent = town.load(20)
    sent.add(town.act(2, MemberLeave()))
    while town.cells[2].consensus.me is not None:
        sent.add(town.submit(2, f"from the leaver {town.now_ms}"))
        town.run(4)
    town.together()
    assert [m.public_key for m in town.roster_now().members] == [town.key(i) for i in (0, 1, 3)]
    sent |= town.load(30)
    town.run(8_000)
    town.check_settled(sent)
    last = max(epoch for epoch, _ in town.cells[2].signed)
    assert last == town.roster_now().epoch - 1
    assert len(town.cells[2].mempool) == 0


@pytest.mark.parametrize("seed", range(2))
def test_what_a_leaver_promised_survives_its_own_crash_and_that_of_whom_it_asked(seed: int) -> None:
    town = Town(30 + seed)
    town.load(10)
    town.act(0, MemberLeave())
    while town.cells[0].consensus.me is not None:
        town.submit(0, f"from the leaver {town.now_ms}")
        town.run(3)
    for victim in (0, 1):
        town.cells[victim].crash(power=True)
        town.cells[victim].start()
        town.connect_all()
        town.run(town.random.randint(0, 50))
    town.run(20_000)
    town.check_settled(_stored(town))


@pytest.mark.parametrize("seed", range(2))
def test_a_new_weight_counts_from_the_next_epoch_on(seed: int) -> None:
    town = Town(40 + seed)
    sent = town.load(20)
    town.decide(MemberPropose(Action.WEIGHT, town.key(0), 7), by=3)
    assert town.roster_now().weights == (7, 1, 1, 1)
    for silent in (1, 2, 3):
        town.cells[silent].crash(power=False)
    sent.add(town.submit(0, "alone"))
    town.run(5_000)
    assert town.cells[0].order[len(town.cells[0].order) - 1][0] in sent, (
        "7 of 10 are a supermajority"
    )
    ordered = len(town.cells[0].order)
    for back in (1, 2, 3):
        town.cells[back].start()
    town.connect_all()
    sent |= town.load(20)
    town.run(8_000)
    town.check_settled(sent)
    assert len(town.cells[1].order) > ordered


@pytest.mark.parametrize("seed", range(2))
def test_a_member_is_voted_out_without_its_consent(seed: int) -> None:
    town = Town(50 + seed)
    town.load(20)
    town.decide(MemberPropose(Action.REMOVE, town.key(3)), by=0)
    assert town.members() == [0, 1, 2]
    assert town.cells[3].consensus.me is None
    town.load(30)
    town.run(8_000)
    town.check_settled(_stored(town))


@pytest.mark.parametrize("seed", range(2))
def test_ten_joins_and_leaves_in_a_row_under_load_with_crashes(seed: int) -> None:
    town = Town(60 + seed, cells=6, epoch_rounds=256)
    random = town.random
    for _ in range(10):
        town.load(random.randint(0, 15))
        inside = town.members()
        outside = [cell for cell in range(6) if cell not in inside]
        before = town.roster_now().epoch
        if len(inside) == 4 or (outside and random.random() < 0.5):
            town.decide(_add(town, random.choice(outside)), by=random.choice(inside))
        else:
            town.act(random.choice(inside), MemberLeave())
            town.until(lambda before=before: _last(town) > before)  # type: ignore[misc]  # bound
        victim = town.cells[random.randrange(6)]
        victim.crash(power=random.random() < 0.5)
        town.load(random.randint(0, 5))
        victim.start()
        town.connect_all()
        town.together()
    town.load(20)
    town.run(15_000)
    town.check_settled(_stored(town))
    assert town.roster_now().epoch >= 10


def _last(town: Town) -> int:
    return min(cell.consensus.epoch for cell in town.cells if cell.up)
