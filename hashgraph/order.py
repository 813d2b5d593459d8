"""Round received, consensus time and order (Baird 2016, section 5: findOrder).

Every event is received in the first decided round all of whose judges have it as ancestor. On one
branch those are the events up to the lowest of the judges' highest sequence numbers, so a round
takes a slice of every branch. A received node has only received ancestors: walks end there.
"""

from __future__ import annotations

from core.errors import check
from core.ids import Round
from hashgraph.graph import Graph, Node
from hashgraph.outcome import OrderedEvent
from hashgraph.rounds import RoundState


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
        slices = [nodes for nodes in self._slices(judges) if nodes]
        received = [node for nodes in slices for node in nodes]
        times = _times(slices, judges)
        whitening = 0
        for judge in judges:
            whitening ^= int.from_bytes(judge.held_event().signature, "big")
        keyed = []
        for node in received:
            seen_at = sorted(times[node])
            whitened = int.from_bytes(node.held_event().signature, "big") ^ whitening
            keyed.append((seen_at[len(seen_at) // 2], whitened, node.id, node))
        keyed.sort(key=lambda entry: entry[:3])
        ordered = []
        for median_ns, _, _, node in keyed:
            ordered.append(OrderedEvent(node.held_event(), self._next_time(median_ns)))
            check(node.received is None, "an event is ordered twice")
            node.received = number
            node.event = None
        self.count += len(ordered)
        return tuple(ordered)

    def _next_time(self, median_ns: int) -> int:
        time_ns = max(median_ns, self.last_time_ns + 1)
        check(time_ns > self.last_time_ns, "consensus time does not increase")
        self.last_time_ns = time_ns
        return time_ns

    def _slices(self, judges: list[Node]) -> list[list[Node]]:
        """Return, by branch, the nodes that all judges have and that no round received yet."""
        slices = []
        known = min([len(judge.vector) for judge in judges])
        for branch in self._graph.branches[:known]:
            highest = min([judge.vector[branch.number] for judge in judges])
            count = max(branch.received_count, highest - branch.first_sequence + 1)
            slices.append(branch.nodes[branch.received_count : count])
            branch.received_count = count
        return slices


def judges_of(state: RoundState) -> list[Node]:
    """Return the famous witnesses of a decided round by creator, the smallest id of each."""
    judges: dict[int, Node] = {}
    for witness, famous in zip(state.witnesses, state.famous, strict=True):
        if famous:
            other = judges.get(witness.creator)
            if other is None or witness.id < other.id:
                judges[witness.creator] = witness
    return [judges[creator] for creator in sorted(judges)]


def _times(slices: list[list[Node]], judges: list[Node]) -> dict[Node, list[int]]:
    """Return, for every node, the times at which the judges' creators first had it."""
    times: dict[Node, list[int]] = {node: [] for nodes in slices for node in nodes}
    for judge in judges:
        chain = []
        step: Node | None = judge
        while step is not None and step.received is None:
            chain.append((step.vector, step.held_event().time_ns))
            step = step.self_parent
        chain.reverse()
        for nodes in slices:
            branch = nodes[0].branch
            low, position, count = nodes[0].sequence, 0, len(nodes)
            for vector, time_ns in chain:
                reached = vector[branch] - low if branch < len(vector) else -1
                while position <= reached and position < count:
                    times[nodes[position]].append(time_ns)
                    position += 1
            check(position == count, "a judge lacks an event of its round")
    return times
