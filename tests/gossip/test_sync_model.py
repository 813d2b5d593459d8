"""Honest cells come to have the same events, whatever links and hostile members do meanwhile.

Three honest cells and a member of the roster that forks, lies and floods; links come and go, and
frames of different peers overtake each other. All bounds are made small, so that they are met.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.errors import RemoteViolation
from core.ids import CellId, EventId, MemberIndex
from core.ids import Sequence as SequenceNumber
from gossip import orphans as orphans_module
from gossip import sync as sync_module
from gossip.index import NamedParent
from gossip.limits import BRANCHES_MAX
from gossip.wire import Have, Want
from hashgraph.event import Event
from tests.gossip.world import EPOCH, Node, connect, disconnect, event, nodes, unresolved

FORKER = 3
ORPHANS_MAX = 12
SIZE_BYTES_MAX = 6_000

_CELLS = st.integers(0, 2)
_SEEDS = st.integers(0, 2**32)


class Honest(RuleBasedStateMachine):
    """Drives the three cells."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(orphans_module, "ORPHANS_PER_PEER_MAX", ORPHANS_MAX)
        self.patch.setattr(orphans_module, "ORPHANS_SIZE_BYTES_MAX", SIZE_BYTES_MAX)
        self.patch.setattr(sync_module, "ORPHANS_AHEAD_MAX", ORPHANS_MAX)
        self.cells = nodes("a", "b", "c")
        self.hostile = nodes("hostile")[0]
        self.forged: list[Event] = []
        self.now_ms = 0

    @initialize()
    def begin(self) -> None:
        for at, one in enumerate(self.cells):
            connect(self.hostile, one)
            for other in self.cells[:at]:
                connect(one, other)

    # -- what honest cells and their links do --------------------------------------------------

    @rule(cell=_CELLS, seed=_SEEDS)
    def grow(self, cell: int, seed: int) -> None:
        """Make an event: on a forker only as long as no fork of it is known."""
        node, random = self.cells[cell], Random(seed)  # noqa: S311 - chance of a test
        own = [e for e in node.events if e.creator == cell]
        tips = {e.creator: e for e in node.events if e.creator != cell}
        for forker in node.index.forkers:
            tips.pop(forker, None)
        picked = [tip for tip in tips.values() if random.random() < 0.8]
        salt = random.randbytes(random.choice([4, 200]))
        node.add(event(cell, own[-1] if own else None, picked, salt=salt), own=True)

    @rule(cell=_CELLS, seed=_SEEDS, pass_ms=st.sampled_from([0, 20, 60, 500, 3000]))
    def work(self, cell: int, seed: int, pass_ms: int) -> None:
        """Handle what came, the frames of each peer in their order, and let time pass."""
        node, random = self.cells[cell], Random(seed)  # noqa: S311 - chance of a test
        by_peer: dict[CellId, deque[tuple[CellId, object]]] = {}
        for item in node.inbox:
            by_peer.setdefault(item[0], deque()).append(item)
        node.inbox.clear()
        while by_peer:
            peer = random.choice(sorted(by_peer))
            node.inbox.append(by_peer[peer].popleft())  # type: ignore[arg-type]  # as it was
            if not by_peer[peer]:
                del by_peer[peer]
            self.guarded(node)
        self.now_ms += pass_ms
        node.carry_out(node.sync.tick(self.now_ms), self.now_ms)

    @rule(one=_CELLS, other=_CELLS)
    def toggle(self, one: int, other: int) -> None:
        """Cut a link, with what is on it, or make it again."""
        left, right = self.cells[one], self.cells[other]
        if one == other:
            return
        if right.name in left.nodes:
            disconnect(left, right)
        else:
            connect(left, right, self.now_ms)

    # -- what the hostile one does -------------------------------------------------------------

    @rule(cell=_CELLS, seed=_SEEDS)
    def fork(self, cell: int, seed: int) -> None:
        """Send a few twins, and children of twins."""
        random = Random(seed)  # noqa: S311 - chance of a test
        for _ in range(random.randint(1, 12)):
            roots = [None, *self.forged]
            self.forged.append(event(FORKER, random.choice(roots), salt=random.randbytes(8)))
        self.send(cell, *random.sample(self.forged, min(len(self.forged), 20)))

    @rule(cell=_CELLS, seed=_SEEDS, hints=st.booleans())
    def lie(self, cell: int, seed: int, hints: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        """Send events on parents that do not exist, at places that may."""
        random = Random(seed)  # noqa: S311 - chance of a test
        others = [
            NamedParent(
                EventId(random.randbytes(32)),
                MemberIndex(creator),
                SequenceNumber(random.choice([0, 1, 5, 2**31 - 2])),
            )
            for creator in random.sample(range(3), random.randint(1, 3))
        ]
        self.send(cell, event(FORKER, None, others, salt=random.randbytes(8)), hints=hints)

    @rule(cell=_CELLS, seed=_SEEDS)
    def replay(self, cell: int, seed: int) -> None:
        """Send events of others out of order, and again."""
        random = Random(seed)  # noqa: S311 - chance of a test
        known = [e for node in self.cells for e in node.events]
        self.send(cell, *random.sample(known, min(len(known), 10)))

    @rule(cell=_CELLS, counts=st.lists(st.integers(0, 2**40), min_size=3, max_size=5))
    def claim(self, cell: int, counts: list[int]) -> None:
        """Tell of events that do not exist, or a vector that is none."""
        self.cells[cell].inbox.append((self.hostile.name, Have(EPOCH, tuple(counts))))

    @rule(cell=_CELLS, times=st.integers(1, 5))
    def flood(self, cell: int, times: int) -> None:
        """Want everything again and again."""
        for _ in range(times):
            self.cells[cell].inbox.append((self.hostile.name, Want(EPOCH, (0, (), 0, ()))))

    @rule(cell=_CELLS)
    def answer_nothing(self, cell: int) -> None:
        """End an answer without having given one."""
        self.cells[cell].inbox.append((self.hostile.name, ([], True)))

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def bounds_are_kept(self) -> None:
        for node in self.cells:
            orphans = node.sync._orphans
            assert orphans.size_bytes <= SIZE_BYTES_MAX
            for peer in {orphan.peer for orphan in orphans}:
                assert len(orphans.of(peer)) <= ORPHANS_MAX
            assert node.index.branches(MemberIndex(FORKER)) <= BRANCHES_MAX + len(self.cells)

    def teardown(self) -> None:
        """Let all honest cells be connected at last, with the hostile one still there."""
        try:
            for at, one in enumerate(self.cells):
                for other in self.cells[:at]:
                    if other.name not in one.nodes:
                        connect(one, other, self.now_ms)
            self.run_ms(15_000)
            self.check_equal()
            for node in self.cells:
                node.sync.disconnected(self.hostile.name)
                node.nodes.pop(self.hostile.name, None)
            self.run_ms(12_000)
            # Whose room is full of held branches asks for the rest now and then.
            rooms = [node.sync._orphans for node in self.cells]
            full = any(len(room.of(n.name)) >= ORPHANS_MAX for room in rooms for n in self.cells)
            waits = [node.sync.wait_ms(self.now_ms) for node in self.cells]
            assert full or waits == [None] * 3
        finally:
            self.patch.undo()

    def check_equal(self) -> None:
        made = [{e.id for e in node.events if e.creator != FORKER} for node in self.cells]
        assert made[0] == made[1] == made[2]
        for node in self.cells:
            assert all(p in node.known for e in node.events for p in e.other_parents)

    # -- inside --------------------------------------------------------------------------------

    def send(self, cell: int, *events: Event, hints: bool = False) -> None:
        encoded = [unresolved(item, hints=hints).encoded for item in events]
        self.cells[cell].inbox.append((self.hostile.name, (encoded, False)))

    def guarded(self, node: Node) -> None:
        """Read one frame; who breaks the protocol is disconnected, and comes again."""
        peer = node.inbox[0][0]
        self.try_to(node, peer, lambda: node.read(self.now_ms))

    def try_to(self, node: Node, peer: CellId, action: Callable[[], None]) -> None:
        try:
            action()
        except RemoteViolation:
            assert peer == self.hostile.name
            node.sync.disconnected(peer)
            node.inbox = deque(item for item in node.inbox if item[0] != peer)
            node.sync.connected(peer, self.now_ms)

    def run_ms(self, duration_ms: int) -> None:
        for _ in range(0, duration_ms, 20):
            self.now_ms += 20
            for node in self.cells:
                while node.inbox:
                    frames = node.inbox
                    node.inbox = deque([frames.popleft()])
                    self.guarded(node)
                    frames.extend(node.inbox)
                    node.inbox = frames
                node.work(self.now_ms)


TestHonest = Honest.TestCase
TestHonest.settings = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    # To make a failing run of so many steps smaller takes minutes; it is printed as it is.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
