"""The graph: events, branches of creators, and who is an ancestor of whom.

A creator's events form one *branch* as long as it does not fork. An event whose self-parent already
has a child opens another branch, which owns the events from there on. Branch numbers 0 to n − 1 are
the first branches of the members; further ones are numbered as they turn up, so they are local.

Every node has a *vector*: per branch, the highest sequence number in its ancestry (itself
included), −1 for none. A branch's own events form a chain, so ancestry is one comparison. A vector
may be shorter than the number of branches; what is missing is −1.

Nothing here knows rounds. Nothing is changed before every check on an event has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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

Vector = tuple[int, ...]
"""Highest sequence number by branch number."""


@dataclass(slots=True, eq=False)
class Node:
    """What the engine keeps of an event.

    Masks over *rows* have one bit per witness of a round, in the order they were added. A *matrix*
    has one row of n bits per witness: the members through whose events this node has it as
    ancestor. `own` is about witnesses of the node's round, `below` about the round before.
    """

    id: EventId
    event: Event | None  # None once it is ordered: the owner keeps the bytes
    creator: MemberIndex
    branch: int
    sequence: int
    self_parent: Node | None
    vector: Vector
    forked: int  # members whose fork is in the ancestry, one bit each
    round: Round = Round(-1)
    row: int = -1  # place among the witnesses of its round, −1 for no witness
    own_rows: int = 0
    own_matrix: int = 0
    below_rows: int = 0
    below_matrix: int = 0
    strong: int = 0  # witnesses only: rows of the round before that it strongly sees
    received: Round | None = None

    def held_event(self) -> Event:
        """Return the event, which must not have been let go of yet."""
        check(self.event is not None, "an event was forgotten before its turn")
        assert self.event is not None  # noqa: S101 - for the type checker; the line above decides
        return self.event

    def has(self, other: Node) -> bool:
        """Return whether `other` is this node or an ancestor of it."""
        return other.branch < len(self.vector) and self.vector[other.branch] >= other.sequence


@dataclass(slots=True, eq=False)
class Branch:
    """The own events of one branch, a chain that starts at `first_sequence`."""

    number: int
    creator: MemberIndex
    first_sequence: int
    nodes: list[Node] = field(default_factory=list)
    received_count: int = 0  # this many of `nodes`, from the first, are ordered


class Graph:
    """All events of an epoch, added parents first."""

    def __init__(self, members: int) -> None:
        self.members = members
        self.nodes: dict[EventId, Node] = {}
        self.branches = [Branch(c, MemberIndex(c), 0) for c in range(members)]
        self.branches_of: list[list[Branch]] = [[branch] for branch in self.branches]
        self.forkers: list[MemberIndex] = []

    def node(self, event_id: EventId) -> Node:
        """Return the node of an event; raises UnknownEvent."""
        try:
            return self.nodes[event_id]
        except KeyError:
            raise UnknownEvent(f"event {event_id.hex()[:16]} was never added") from None

    def parents(self, event: Event) -> list[Node]:
        """Check an event against the graph and return its parents, the self-parent first.

        Raises DuplicateEvent, UnknownMember, UnknownParent or BrokenChain.
        """
        if event.id in self.nodes:
            raise DuplicateEvent(f"event {event.id.hex()[:16]} was added before")
        if not 0 <= event.creator < self.members:
            raise UnknownMember(f"creator {event.creator} of {self.members} members")
        ids = event.other_parents
        if event.self_parent is not None:
            ids = (event.self_parent, *ids)
        try:
            parents = [self.nodes[parent] for parent in ids]
        except KeyError as error:
            raise UnknownParent(f"parent {error.args[0].hex()[:16]} was never added") from None
        if event.self_parent is None:
            if event.sequence != 0:
                raise BrokenChain(f"sequence {event.sequence} without a self-parent")
        elif parents[0].creator != event.creator:
            raise BrokenChain(f"the self-parent is by member {parents[0].creator}")
        elif parents[0].sequence + 1 != event.sequence:
            raise BrokenChain(f"sequence {event.sequence} after {parents[0].sequence}")
        return parents

    def insert(self, event: Event, parents: list[Node]) -> tuple[Node, Fork | None]:
        """Add an event that `parents` has checked; return its node and the fork it makes."""
        self_parent = parents[0] if event.self_parent is not None else None
        branch, fork = self._branch_for(event, self_parent)
        vector, forked = _joined(parents)
        vector = _with(vector, branch.number, event.sequence)
        for creator in self.forkers:
            if not forked >> creator & 1 and self._is_forked_in(creator, vector):
                forked |= 1 << creator
        node = Node(
            id=event.id,
            event=event,
            creator=event.creator,
            branch=branch.number,
            sequence=event.sequence,
            self_parent=self_parent,
            vector=vector,
            forked=forked,
        )
        check(
            event.sequence == branch.first_sequence + len(branch.nodes),
            "a branch has a gap in its sequence numbers",
        )
        branch.nodes.append(node)
        self.nodes[event.id] = node
        return node, fork

    def _branch_for(self, event: Event, self_parent: Node | None) -> tuple[Branch, Fork | None]:
        """Return the branch that the event continues or opens."""
        if self_parent is None:
            branch = self.branches[event.creator]
            if not branch.nodes:
                return branch, None
        else:
            branch = self.branches[self_parent.branch]
            if branch.nodes[-1] is self_parent:
                return branch, None
        twin = branch.nodes[event.sequence - branch.first_sequence]
        fork = Fork(event.creator, event.sequence, twin.id, event.id)
        opened = Branch(len(self.branches), event.creator, event.sequence)
        self.branches.append(opened)
        self.branches_of[event.creator].append(opened)
        if event.creator not in self.forkers:
            self.forkers.append(event.creator)
        return opened, fork

    def _is_forked_in(self, creator: MemberIndex, vector: Vector) -> bool:
        """Return whether the creator's events below `vector` are no chain.

        A chain that ends at sequence s has s + 1 events; any side branch adds to the count.
        """
        count = 0
        top = -1
        for branch in self.branches_of[creator]:
            if branch.number < len(vector):
                highest = vector[branch.number]
                if highest >= branch.first_sequence:
                    count += highest - branch.first_sequence + 1
                    top = max(top, highest)
        return count != top + 1


def _joined(parents: list[Node]) -> tuple[Vector, int]:
    """Return the element-wise maximum of the parents' vectors, and the forkers they know."""
    if not parents:
        return (), 0
    vector = parents[0].vector
    forked = parents[0].forked
    for parent in parents[1:]:
        if parent.branch < len(vector) and vector[parent.branch] >= parent.sequence:
            continue  # already an ancestor: it adds nothing
        other = parent.vector
        if len(vector) < len(other):
            vector += (-1,) * (len(other) - len(vector))
        elif len(other) < len(vector):
            other += (-1,) * (len(vector) - len(other))
        vector = tuple(map(max, vector, other))
        forked |= parent.forked
    return vector, forked


def _with(vector: Vector, branch: int, sequence: int) -> Vector:
    if branch >= len(vector):
        vector += (-1,) * (branch - len(vector) + 1)
    return (*vector[:branch], sequence, *vector[branch + 1 :])
