"""A member that signs two histories leaves at the same round everywhere: on virtual time."""

from __future__ import annotations

import pytest

from core.ids import Epoch, PublicKey, TransactionId
from gossip.wire import Events, encode_frame
from hashgraph.event import UnresolvedEvent, decode_any_event, encode_event, make_event
from ledger.forks import decode_proven, fork_key
from ledger.members import Action, MemberApprove, MemberPropose
from ledger.transaction import opaque_transaction
from tests.node.world import World


class Twins(World):
    """A world in which another process signs with the key of the last member."""

    def __init__(self, seed: int, members: int, *, epoch_rounds: int = 64) -> None:
        super().__init__(seed, cells=members, epoch_rounds=epoch_rounds)
        self.forker = members - 1
        self.honest = range(members - 1)
        self.forkers.add(self.forker)
        self.start()

    @property
    def forker_key(self) -> PublicKey:
        return self.cells[self.forker].key.public_key

    def load(self, count: int, cells: range | None = None) -> set[TransactionId]:
        """Submit transactions at those of some cells, else of the honest ones, that have a vote."""
        sent = set()
        for number in range(count):
            voters = [at for at in cells or self.honest if self.cells[at].consensus.me is not None]
            cell = self.random.choice(voters)
            sent.add(self.submit(cell, f"{cell}/{number}/{self.now_ms}"))
            self.run(8)
        return sent

    def fork(self, *receivers: int) -> None:
        """Show some cells a second event with the sequence of the forker's newest."""
        cell = self.cells[self.forker]
        own = [event for event in _events(self, self.forker) if event.creator == self._place()]
        index = cell.consensus.index
        newest = index.resolve_stored(own[-1])
        twin = make_event(
            network_id=self.genesis.network_id,
            epoch=cell.consensus.epoch,
            creator=newest.creator,
            sequence=newest.sequence,
            self_parent=newest.self_parent,
            other_parents=[index.parent(parent) for parent in newest.other_parents],
            time_ns=newest.time_ns,
            payload=[opaque_transaction(b"the other history")],
            sign=cell.key.sign,
        )
        frame = encode_frame(Events(cell.consensus.epoch, (encode_event(twin),), last=False))
        for receiver in receivers:
            if self.forker in self.cells[receiver].peers:
                self.cells[receiver].receive(self.forker, frame)

    def forked_in(self, cell: int, epoch: int) -> bool:
        """Whether two events of the forker with one sequence are in a cell's journal."""
        place = self.roster(Epoch(epoch)).index_of(self.forker_key)
        blocks = self.cells[cell].disk.blocks
        pairs = (decode_any_event(block, self.genesis.network_id) for block in blocks)
        own = [e.sequence for e, of in pairs if of == epoch and e.creator == place]
        return len(set(own)) < len(own)

    def _place(self) -> int:
        place = self.cells[self.forker].consensus.me
        assert place is not None
        return place

    def check_gone(self, epoch: int) -> None:
        """All honest cells noted the same proof, and the next epoch has no forker."""
        key = fork_key(Epoch(epoch), self.forker_key)
        found = {self.cells[at].state.get(key) for at in self.honest}
        (value,) = found
        assert value is not None
        proven = decode_proven(value)
        for at in self.honest:
            cell = self.cells[at]
            assert cell.headers[proven.round - 1].epoch in (epoch, epoch + 1)
            assert cell.consensus.roster.index_of(self.forker_key) is None
        sealing = self.cells[0].headers[proven.round - 1]
        after = self.roster(Epoch(sealing.epoch + 1))
        assert sealing.roster == after.hash, "the round of the proof seals its epoch"
        assert after.first_round == proven.round + 1


def _events(world: World, cell: int) -> list[UnresolvedEvent]:
    """The events of the cell's present epoch in its journal."""
    stage = world.cells[cell].consensus
    pairs = (decode_any_event(b, world.genesis.network_id) for b in world.cells[cell].disk.blocks)
    return [event for event, epoch in pairs if epoch == stage.epoch]


@pytest.mark.parametrize("members", [4, 7])
@pytest.mark.parametrize("seed", range(2))
def test_the_forker_leaves_at_one_round_and_nothing_honest_is_lost(seed: int, members: int) -> None:
    world = Twins(seed, members)
    sent = world.load(30)
    epoch = world.cells[0].consensus.epoch
    world.fork(0, 1)
    sent |= world.load(40)
    world.run(5_000)
    world.check_gone(epoch)
    world.check_settled(sent)
    assert {len(cell.consensus.roster.members) for cell in world.cells} == {members - 1}
    assert world.cells[world.forker].consensus.me is None
    sent |= world.load(40)
    world.run(3_000)
    world.check_settled(sent)


@pytest.mark.parametrize("members", [4, 7])
@pytest.mark.parametrize("seed", range(2))
def test_what_the_forked_cells_own_clients_were_promised_is_not_lost_either(
    seed: int, members: int
) -> None:
    """Its owner did nothing wrong: somebody started an old copy of it."""
    world = Twins(100 + seed, members)
    world.load(20)
    epoch = world.cells[0].consensus.epoch
    world.fork(0)
    sent = world.load(30, range(members))
    world.run(12_000)
    world.check_gone(epoch)
    world.check_settled(sent)


@pytest.mark.parametrize("seed", range(2))
def test_a_fork_behind_a_partition_is_proven_once_a_quorum_is_connected(seed: int) -> None:
    world = Twins(200 + seed, 4)
    sent = world.load(20)
    epoch = world.cells[0].consensus.epoch
    world.partition({0, 1}, {2, 3})
    sent |= world.load(10)
    world.fork(2)
    sent |= world.load(10)
    world.run(2_000)
    key = fork_key(Epoch(epoch), world.forker_key)
    assert not any(key in cell.state for cell in world.cells), "nothing is decided"
    world.connect_all()
    sent |= world.load(10)
    world.run(8_000)
    world.check_gone(epoch)
    world.check_settled(sent)


@pytest.mark.parametrize("seed", range(2))
def test_a_fork_at_the_end_of_an_epoch_is_proven_in_the_next(seed: int) -> None:
    world = Twins(300 + seed, 4, epoch_rounds=16)
    sent: set[TransactionId] = set()
    while world.cells[0].consensus.engine.last_decided_round < 12 + seed % 4:
        sent |= world.load(1)
    epoch = world.cells[world.forker].consensus.epoch
    world.fork(world.random.randrange(3))
    sent |= world.load(60)
    world.run(8_000)
    seen = [at for at in world.honest if world.forked_in(at, epoch)]
    assert bool(seen) == (fork_key(Epoch(epoch), world.forker_key) in world.cells[0].state)
    if seen:  # else it came when all had sealed the epoch: it is part of nobody's history
        world.check_gone(epoch)
    world.check_settled(sent)


@pytest.mark.parametrize("seed", range(2))
def test_evidence_survives_power_cuts_of_all_cells_that_saw_the_fork(seed: int) -> None:
    world = Twins(400 + seed, 4)
    sent = world.load(20)
    epoch = world.cells[0].consensus.epoch
    world.fork(0, 1, 2)
    world.run(world.random.randint(0, 30))
    for cell in world.cells:
        cell.crash(power=True)
    for cell in world.cells:
        cell.start()
    world.connect_all()
    world.run(3_000)
    key = fork_key(Epoch(epoch), world.forker_key)
    if not any(key in cell.state for cell in world.cells):
        world.fork(0)  # the cuts took both branches from everybody: it is as if it never was
    sent = {tx for at in world.honest for tx in world.cells[at].stored}
    world.run(8_000)
    world.check_gone(epoch)
    world.check_settled(sent)


def test_one_proof_is_enough_most_of_the_time() -> None:
    world = Twins(500, 7)
    world.load(20)
    world.fork(*world.honest)
    world.load(60)
    world.run(5_000)
    made = [cell.nonces for cell in world.cells]
    assert 1 <= sum(made) <= 3, made


def test_the_members_can_vote_the_forker_in_again() -> None:
    world = Twins(600, 4)
    world.load(20)
    world.fork(0)
    world.load(30)
    world.run(3_000)
    world.check_gone(0)
    change = MemberPropose(Action.ADD, world.forker_key, 1, "again")
    proposal = world.cells[0].act(change)
    world.run(2_000)
    for voter in (1, 2):
        world.cells[voter].act(MemberApprove(proposal))
    world.run(3_000)
    assert world.cells[world.forker].consensus.me == 3
    sent = world.load(30, range(4))
    world.run(3_000)
    world.check_settled(sent)
