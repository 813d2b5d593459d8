"""The graph: events, branches of creators, and who is an ancestor of whom.

A creator's events form one *branch* as long as it does not fork. An event whose self-parent already
has a child opens another branch, which owns the events from there on. Branch numbers 0 to n − 1 are
the first branches of the members; further ones are numbered as they turn up, so they are local.

Every node has a *vector*: per branch, how far its ancestry (itself included) reaches, as sequence
number + 1, 0 for nothing. A vector is one integer of 32-bit lanes, of which the top bit stays free,
so that the maximum of two vectors is a handful of operations on all lanes at once. A branch's own
events form a chain, so ancestry is one comparison.

Nothing here knows rounds. Nothing is changed before every check on an event has passed.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from core.errors import check
from core.ids import EventId, MemberIndex, Round
from hashgraph.errors import (
    BrokenChain,
    DuplicateEvent,
    UnknownEvent,
    UnknownMember,
    UnknownParent,
)
from hashgraph.event import Event
from hashgraph.outcome import Fork

LANE_BITS: Final = 32
"""Of one branch in a vector. An epoch that fills 31 bits fills the memory of any machine first."""

_LANE_MASK: Final = (1 << LANE_BITS) - 1
_NONE_SEEN: Final[list[int]] = []
"""Shared by all branches that have seen nothing unordered of another; never changed."""

NO_MATRIX: Final = -1
"""Stands for a matrix that was let go of: its bits are all 1, so ORs of it stay negative."""


@dataclass(slots=True, eq=False)
class Node:
    """What the engine keeps of an event."""

    id: EventId
    event: Event | None  # None once it is ordered: the owner keeps the bytes
    branch: Branch
    sequence: int
    vector: int
    forked: int  # members whose fork is in the ancestry, one bit each
    round: Round = Round(-1)
    matrix: int = NO_MATRIX  # see hashgraph/matrix.py
    received: Round | None = None

    @property
    def creator(self) -> MemberIndex:
        """The member that made the event."""
        return self.branch.creator

    def held_event(self) -> Event:
        """Return the event, which must not have been let go of yet."""
        check(self.event is not None, "an event was forgotten before its turn")
        assert self.event is not None  # noqa: S101 - for the type checker; the line above decides
        return self.event

    def has(self, other: Node) -> bool:
        """Return whether `other` is this node or an ancestor of it."""
        return self.vector >> other.branch.shift & _LANE_MASK > other.sequence


@dataclass(slots=True, eq=False)
class Branch:
    """The own events of one branch, a chain that starts at `first_sequence`.

    A member's first branch notes what it first saw when. By branch: how far its chain reaches, or
    what is ordered if that is more; and the times of the chain's events that first had each of the
    branch's events, from the first one that is not ordered. Branches that a fork opens note
    nothing, so that a flood of them costs little: `Graph.first_seen` walks the few that matter.
    """

    number: int
    creator: MemberIndex
    first_sequence: int
    shift: int
    nodes: list[Node] = field(default_factory=list)
    opened_from: Node | None = None  # the self-parent of the first event
    ordered: int = 0  # this many of `nodes`, from the first, are ordered
    seen: list[int] = field(default_factory=list)
    seen_times_ns: list[list[int]] = field(default_factory=list)


class Graph:
    """All events of an epoch, added parents first."""

    def __init__(self, members: int) -> None:
        self.members = members
        self.nodes: dict[EventId, Node] = {}
        self.branches: list[Branch] = []
        self.branches_of: list[list[Branch]] = [[] for _ in range(members)]
        self.forkers: list[MemberIndex] = []
        self._guards = 0
        for creator in range(members):
            self._open_branch(MemberIndex(creator), 0)

    def node(self, event_id: EventId) -> Node:
        """Return the node of an event; raises UnknownEvent."""
        try:
            return self.nodes[event_id]
        except KeyError:
            raise UnknownEvent(f"event {event_id.hex()[:16]} was never added") from None

    def lanes(self, vector: int) -> tuple[int, ...]:
        """Return a vector's lanes, one for each branch: sequence number + 1, or 0."""
        return self._unpack(vector.to_bytes(self._vector_bytes, "little"))

    def parents(self, event: Event) -> list[Node]:
        """Check an event against the graph and return its parents, the self-parent first.

        Raises DuplicateEvent, UnknownMember, UnknownParent or BrokenChain.
        """
        nodes = self.nodes
        if event.id in nodes:
            raise DuplicateEvent(f"event {event.id.hex()[:16]} was added before")
        if not 0 <= event.creator < self.members:
            raise UnknownMember(f"creator {event.creator} of {self.members} members")
        own = event.self_parent
        try:
            if own is None:
                parents = [nodes[other] for other in event.other_parents]
            else:
                parents = [nodes[own], *[nodes[other] for other in event.other_parents]]
        except KeyError as error:
            raise UnknownParent(f"parent {error.args[0].hex()[:16]} was never added") from None
        if own is None:
            if event.sequence != 0:
                raise BrokenChain(f"sequence {event.sequence} without a self-parent")
        else:
            self_parent = parents[0]
            if self_parent.branch.creator != event.creator:
                raise BrokenChain(f"the self-parent is by member {self_parent.creator}")
            if self_parent.sequence + 1 != event.sequence:
                raise BrokenChain(f"sequence {event.sequence} after {self_parent.sequence}")
        return parents

    def insert(self, event: Event, parents: list[Node]) -> tuple[Node, Fork | None]:
        """Add an event that `parents` has checked; return its node and the fork it makes."""
        sequence = event.sequence
        fork = None
        forked = 0
        vector = self._joined(parents)
        if event.self_parent is not None and parents[0].branch.nodes[-1] is parents[0]:
            branch = parents[0].branch
            vector += 1 << branch.shift
        else:
            branch, fork = self._branch_for(event, parents)
            vector += sequence + 1 << branch.shift
        if self.forkers:
            forked = self._forkers_in(vector, parents)
        node = Node(event.id, event, branch, sequence, vector, forked)
        check(
            sequence == branch.first_sequence + len(branch.nodes),
            "a branch has a gap in its sequence numbers",
        )
        branch.nodes.append(node)
        self.nodes[event.id] = node
        if branch.seen:
            self._note_first_seen(branch.seen, branch.seen_times_ns, vector, event.time_ns)
        return node, fork

    def forkers_below(self, parents: list[Node]) -> tuple[MemberIndex, ...]:
        """Return the members whose fork is in the ancestry of these events."""
        if not self.forkers:
            return ()
        forked = self._forkers_in(self._joined(parents), parents)
        return tuple(creator for creator in sorted(self.forkers) if forked >> creator & 1)

    def receive(self, number: int, count: int) -> None:
        """Note that the first `count` events of a branch that were not ordered are ordered now."""
        branch = self.branches[number]
        branch.ordered += count
        reached = branch.first_sequence + branch.ordered
        for other in self.branches[: self.members]:
            if other.seen[number] < reached:
                other.seen[number] = reached
                other.seen_times_ns[number] = _NONE_SEEN
            else:
                other.seen_times_ns[number] = other.seen_times_ns[number][count:]

    def clear(self) -> None:
        """Let go of all events."""
        self.nodes.clear()
        for branch in self.branches:
            branch.nodes.clear()
            branch.ordered = 0
            branch.seen_times_ns.clear()

    def tip_below(self, node: Node, creator: int) -> Node | None:
        """Return the last event of a member in a node's ancestry; any of them if it forked."""
        tip = None
        for branch in self.branches_of[creator]:
            reached = node.vector >> branch.shift & _LANE_MASK
            if reached and (tip is None or reached > tip.sequence + 1):
                tip = branch.nodes[reached - 1 - branch.first_sequence]
        return tip

    def first_with(self, node: Node, other: Node) -> Node:
        """Return the earliest event of a node's chain that has another one, as the node has."""
        branch, last = node.branch, node.sequence - node.branch.first_sequence
        while branch.opened_from is not None and branch.opened_from.has(other):
            node = branch.opened_from
            branch, last = node.branch, node.sequence - node.branch.first_sequence
        # Along a chain, what one event has all later ones have.
        return branch.nodes[bisect_left(branch.nodes, 1, hi=last, key=lambda n: n.has(other))]

    def first_seen(self, judge: Node) -> list[list[int]]:
        """Return when a judge's chain first had the events that are not ordered, by branch.

        What is listed starts with the branch's first event that is not ordered. It may go on beyond
        what the judge has.
        """
        if judge.branch.seen:
            return judge.branch.seen_times_ns
        chain: list[Node] = []
        step: Node | None = judge
        while step is not None and step.received is None:
            chain.append(step)
            place = step.sequence - step.branch.first_sequence
            step = step.branch.nodes[place - 1] if place else step.branch.opened_from
        seen = [branch.first_sequence + branch.ordered for branch in self.branches]
        times = [_NONE_SEEN for _ in self.branches]
        for node in reversed(chain):
            self._note_first_seen(seen, times, node.vector, node.held_event().time_ns)
        return times

    def _joined(self, parents: list[Node]) -> int:
        """Return the vector of what all these events have below them, themselves included."""
        if not parents:
            return 0
        vector = parents[0].vector
        for parent in parents[1:]:
            # Lane by lane the maximum: where the guard bit of a lane of `vector` survives the
            # subtraction, that lane is not the smaller one, and the difference is added.
            other = parent.vector
            difference = (vector | self._guards) - other
            guards = difference & self._guards
            vector = other + (difference & guards - (guards >> LANE_BITS - 1))
        return vector

    def _note_first_seen(
        self, seen: list[int], times: list[list[int]], vector: int, time_ns: int
    ) -> None:
        """Note for every event that a chain has now and had not before, when it first had it."""
        lanes = self._unpack(vector.to_bytes(self._vector_bytes, "little"))
        for number, (reached, had) in enumerate(zip(lanes, seen, strict=True)):
            if reached > had:
                seen[number] = reached
                known = times[number]
                if not known:
                    times[number] = [time_ns] * (reached - had)
                elif reached - had == 1:
                    known.append(time_ns)
                else:
                    known += [time_ns] * (reached - had)

    def _branch_for(self, event: Event, parents: list[Node]) -> tuple[Branch, Fork | None]:
        """Return the branch that opens with an event: the member's first, or one more by a fork."""
        if event.self_parent is None:
            branch = self.branches[event.creator]
            if not branch.nodes:
                return branch, None
        else:
            branch = parents[0].branch
        twin = branch.nodes[event.sequence - branch.first_sequence]
        fork = Fork(event.creator, event.sequence, twin.id, event.id)
        if event.creator not in self.forkers:
            self.forkers.append(event.creator)
        opened = self._open_branch(event.creator, event.sequence)
        opened.opened_from = parents[0] if event.self_parent is not None else None
        return opened, fork

    def _open_branch(self, creator: MemberIndex, first_sequence: int) -> Branch:
        number = len(self.branches)
        opened = Branch(number, creator, first_sequence, number * LANE_BITS)
        self.branches.append(opened)
        self.branches_of[creator].append(opened)
        for branch in self.branches[: self.members]:
            branch.seen += [0] * (number - len(branch.seen)) + [first_sequence]
            branch.seen_times_ns += [_NONE_SEEN] * (number + 1 - len(branch.seen_times_ns))
        self._guards |= 1 << opened.shift + LANE_BITS - 1
        self._vector_bytes = (number + 1) * LANE_BITS // 8
        self._unpack = Struct(f"<{number + 1}I").unpack
        return opened

    def _forkers_in(self, vector: int, parents: list[Node]) -> int:
        """Return the members of whose forks the parents, or only all of them together, know."""
        forked = 0
        for parent in parents:
            forked |= parent.forked
        for creator in self.forkers:
            if not forked >> creator & 1 and self._is_forked_in(creator, vector):
                forked |= 1 << creator
        return forked

    def _is_forked_in(self, creator: MemberIndex, vector: int) -> bool:
        """Return whether the creator's events below `vector` are no chain.

        A chain that reaches to sequence s has s + 1 events; any side branch adds to the count.
        """
        count = 0
        top = 0
        for branch in self.branches_of[creator]:
            reached = vector >> branch.shift & _LANE_MASK
            if reached:
                count += reached - branch.first_sequence
                top = max(top, reached)
        return count != top
