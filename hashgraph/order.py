"""Round received, consensus time and order (Baird 2016, section 5: findOrder).

Every event is received in the first decided round all of whose judges have it as ancestor. On one
branch those are the events up to the lowest of the judges' highest sequence numbers, so a round
takes a slice of every branch. When a judge's creator first had each of them was noted when it did
(see `graph.Branch`), so nothing is walked.
"""

from __future__ import annotations

from core.errors import check
from core.ids import Round
from hashgraph.graph import NO_MATRIX, Graph, Node
from hashgraph.outcome import OrderedEvent


class Order:
    """The one order: receives events round by round and gives them times that strictly increase."""

    def __init__(self, graph: Graph, *, last_time_ns: int) -> None:
        self.last_time_ns = last_time_ns
        self.count = 0
        self._graph = graph

    def receive(self, number: Round, judges: list[Node]) -> tuple[OrderedEvent, ...]:
        """Order what a decided round receives, and let go of those events.

        A round without judges receives nothing: "all of no judges" would be every event known,
        and cells do not know the same events.
        """
        if not judges:
            return ()
        whitening = 0
        for judge in judges:
            whitening ^= int.from_bytes(judge.held_event().signature, "big")
        keyed = []
        for node, median_ns in self._received(judges):
            event = node.held_event()
            check(node.received is None, "an event is ordered twice")
            node.received = number
            node.event = None
            node.matrix = NO_MATRIX
            whitened = int.from_bytes(event.signature, "big") ^ whitening
            keyed.append((median_ns, whitened, event.id, event))
        keyed.sort()
        ordered = []
        last_ns = self.last_time_ns
        for median_ns, _, _, event in keyed:
            time_ns = median_ns if median_ns > last_ns else last_ns + 1
            ordered.append(OrderedEvent(event, time_ns))
            last_ns = time_ns
        times = [item.consensus_time_ns for item in ordered]
        check(
            all(a < b for a, b in zip([self.last_time_ns, *times], times, strict=False)),
            "consensus time does not increase",
        )
        self.last_time_ns = last_ns
        self.count += len(ordered)
        return tuple(ordered)

    def _received(self, judges: list[Node]) -> list[tuple[Node, int]]:
        """Return what all judges have and no round received yet, with the median times."""
        graph = self._graph
        reached = list(graph.lanes(judges[0].vector))
        for judge in judges[1:]:
            reached = list(map(min, reached, graph.lanes(judge.vector)))
        seen_times = [graph.first_seen(judge) for judge in judges]
        middle = len(judges) // 2
        received: list[tuple[Node, int]] = []
        for branch, common in zip(graph.branches, reached, strict=True):
            count = common - branch.first_sequence - branch.ordered
            if count <= 0:
                continue
            columns = [times[branch.number][:count] for times in seen_times]
            check(min(map(len, columns)) == count, "a judge lacks an event of its round")
            medians = [sorted(times)[middle] for times in zip(*columns, strict=True)]
            nodes = branch.nodes[branch.ordered : branch.ordered + count]
            received += zip(nodes, medians, strict=True)
            graph.receive(branch.number, count)
        return received
