"""Honest cells under bad luck: restarts, catch-up, partitions that heal. Nobody is ever banned."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import CellId
from gossip.score import Misbehaviour, Scores, Standing, Subject
from tests.gossip.world import Node, chain, connect, disconnect, event, nodes

STEP_MS = 20
STEPS = 1_500


class Network:
    """Four honest nodes on virtual time, each keeping the scores of the others."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - a test's own chance
        self.nodes = nodes("a", "b", "c", "d")
        self.scores = {node.name: Scores() for node in self.nodes}
        self.linked: set[tuple[int, int]] = set()
        self.blames: list[tuple[CellId, Misbehaviour]] = []

    def link(self, one: int, other: int, now_ms: int) -> None:
        if (one, other) not in self.linked:
            self.linked.add((one, other))
            connect(self.nodes[one], self.nodes[other], now_ms)

    def cut(self, one: int, other: int) -> None:
        if (one, other) in self.linked:
            self.linked.remove((one, other))
            disconnect(self.nodes[one], self.nodes[other])

    def make_event(self, at: int) -> None:
        node = self.nodes[at]
        own = [item for item in node.events if item.creator == at]
        tips = {item.creator: item for item in node.events if item.creator != at}
        node.add(event(at, own[-1] if own else None, list(tips.values())), own=True)

    def step(self, now_ms: int) -> None:
        for node in self.nodes:
            node.work(now_ms)
            for peer, what in node.sync.take_blamed():
                self.blames.append((peer, what))
                standing = self.scores[node.name].note(peer, Subject.MEMBER, what, now_ms)
                assert standing is not Standing.BANNED, (now_ms, peer, what)


PAIRS = [(one, other) for one in range(4) for other in range(one + 1, 4)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_links_that_come_and_go_get_nobody_banned(seed: int) -> None:
    network = Network(seed)
    for number in range(STEPS):
        now_ms = number * STEP_MS
        for pair in PAIRS:
            if network.random.random() < 0.02:
                network.cut(*pair)
            elif network.random.random() < 0.1:
                network.link(*pair, now_ms)
        if number % 10 == 0:
            network.make_event(network.random.randrange(4))
        network.step(now_ms)
    for pair in PAIRS:
        network.link(*pair, STEPS * STEP_MS)
    for number in range(STEPS, STEPS + 200):
        network.step(number * STEP_MS)
    assert len({frozenset(node.known) for node in network.nodes}) == 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(100, 2_000))
def test_a_cell_that_catches_up_while_others_go_on_gets_nobody_banned(
    seed: int, behind: int
) -> None:
    network = Network(seed)
    for item in chain(1, behind):
        for node in network.nodes[1:]:
            node.add(item)
    for pair in PAIRS:
        network.link(*pair, 0)
    for number in range(300):
        if number % 3 == 0:
            network.make_event(2 + number % 2)
        network.step(number * STEP_MS)
    assert _all_alike(network.nodes)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_both_sides_of_a_partition_that_heals_get_nobody_banned(seed: int, halves: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    network = Network(seed)
    near = (0, 1) if halves else (0,)
    for pair in PAIRS:
        network.link(*pair, 0)
    for number in range(1_200):
        now_ms = number * STEP_MS
        for one, other in PAIRS:
            if (one in near) != (other in near):
                if number % 400 == 100:
                    network.cut(one, other)
                elif number % 400 == 300:
                    network.link(one, other, now_ms)
        if number % 5 == 0:
            network.make_event(network.random.randrange(4))
        network.step(now_ms)
    for number in range(1_200, 1_400):
        network.step(number * STEP_MS)
    assert _all_alike(network.nodes)


def _all_alike(parts: list[Node]) -> bool:
    return len({frozenset(node.known) for node in parts}) == 1
