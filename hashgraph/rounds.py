"""Round created and witnesses (Baird 2016, section 5: divideRounds; section 4: strongly seeing).

Instead of asking "does x strongly see w" by walking the graph, every node carries the answer's
ingredients, its matrix (see `matrix.py`): for the witnesses of its own round and of the round
before, the members through whose events it has them as ancestors. Nodes of lower rounds have no
such ancestor, so two rounds per node are enough.

Forks are taken out when a matrix is read: members whose fork is in the node's ancestry count
neither as witnesses nor as intermediaries (rule set 1: x must *see* both).

An ordered node's matrix is let go of. Should an event still name it as parent, late or in bad
faith, the matrix is made again from vectors, the same but for rows and columns nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress

from core.errors import check
from core.ids import Round
from hashgraph.graph import Graph, Node
from hashgraph.matrix import Matrices
from hashgraph.outcome import Effects
from hashgraph.quorum import Quorum


class RoundState:
    """One round: its witnesses, their fame, and the votes on them.

    Row m < n is the first witness known of member m; a forker's further ones have the rows from n
    on. Sets of rows are *ballots*, integers with one lane per row (see `fame.py`).
    """

    __slots__ = (
        "decided",
        "guides",
        "is_famous",
        "is_not_famous",
        "number",
        "present",
        "quiet",
        "rows",
        "several",
        "strong",
        "votes",
    )

    def __init__(self, number: Round, members: int) -> None:
        self.number = number
        self.rows: list[Node | None] = [None] * members
        self.strong: dict[Node, bytes] = {}
        """By witness: which members' witnesses of the round before it strongly sees.

        Kept as long as a vote can depend on it."""
        self.guides: dict[Node, Node] = {}
        """By weak witness: whose votes it copies (rule set 2). Kept as long as `strong`."""
        self.several: dict[int, list[int]] = {}
        """The rows of each member that has more than one."""
        self.present = 0
        self.is_famous = 0
        self.is_not_famous = 0
        self.decided = False
        self.votes: dict[Node, int] = {}
        self.quiet = Effects(number, witness=False, decided=(), fork=None)
        """Shared by all events of this round that brought nothing about."""

    @property
    def witnesses(self) -> list[Node]:
        """All witnesses known, by row."""
        return [witness for witness in self.rows if witness is not None]

    def close(self) -> None:
        """Let go of the votes: the round is decided."""
        self.decided = True
        self.votes = {}

    def row_of(self, node: Node) -> int:
        """Return the row of a node of this round, −1 if it is no witness."""
        creator = node.branch.creator
        if self.rows[creator] is node:
            return creator
        for row in self.several.get(creator, ()):
            if self.rows[row] is node:
                return row
        return -1

    def add(self, witness: Node) -> int:
        """Give a new witness its row and return it."""
        creator = witness.branch.creator
        if self.rows[creator] is None:
            self.rows[creator] = witness
            return creator
        row = len(self.rows)
        self.rows.append(witness)
        self.several.setdefault(creator, [creator]).append(row)
        return row

    def let_guide(self, weak: Node) -> None:
        """Give a weak witness its guide: of the strong ones it has, that with the smallest id."""
        strong = (w for w in self.witnesses if w not in self.guides and weak.has(w))
        self.guides[weak] = min(strong, key=lambda witness: witness.id)

    def row_seen_by(self, voter: Node, creator: int) -> int:
        """Return the row of the one witness of a member that a voter has, −1 for none."""
        for row in self.several[creator]:
            witness = self.rows[row]
            if witness is not None and voter.has(witness):
                return row
        return -1


class Rounds:
    """All rounds of an epoch, and the rule that puts a node into one."""

    def __init__(
        self, quorum: Quorum, graph: Graph, first_round: Round, *, weak_copy: bool = False
    ) -> None:
        self.first = first_round
        self.matrices = Matrices(quorum)
        self._quorum = quorum
        self._graph = graph
        self._weak_copy = weak_copy
        self._states: list[RoundState] = []

    @property
    def last(self) -> Round:
        """The highest round with an event, or the one before the first."""
        return Round(self.first + len(self._states) - 1)

    def __getitem__(self, number: int) -> RoundState:
        return self._states[number - self.first]

    def __iter__(self) -> Iterator[RoundState]:
        return iter(self._states)

    def clear(self) -> None:
        """Let go of all rounds."""
        self._states.clear()

    def place(self, node: Node, parents: list[Node]) -> RoundState | None:
        """Give a new node its round and its matrix; return its round if it is a witness there."""
        if not parents:
            return self._enter(node, self.first, 0, below=0)
        layout = self.matrices
        number, matrix = self._inherit(parents)
        creator = node.branch.creator
        matrix |= (matrix & layout.known) >> layout.known_shift[creator]
        own = matrix >> layout.half_bits
        if own.bit_count() >= layout.bits_min:
            rows = layout.strong_rows(own, node.forked)
            if layout.is_super(rows):
                return self._enter(node, Round(number + 1), own, below=rows)
        if node.sequence:
            before = parents[0].round
            if before == number:
                node.round = number
                node.matrix = matrix
                return None
            check(before < number, "a round shrinks along ancestry")
        below = layout.strong_rows(matrix & layout.below_mask, node.forked)
        entered = self._enter(node, number, matrix, below=below)
        # Whoever knows of no fork strongly sees what the one it has its round from strongly saw.
        if self._weak_copy and node.forked and not layout.is_super(below):
            entered.let_guide(node)
        return entered

    def seen_below(self, node: Node) -> bytes:
        """Return by member, 0 or 1, whose witness of the round before the node sees."""
        return self.matrices.known_below(self._matrix_of(node), node.forked)

    def forget_electors(self, number: int) -> None:
        """Let go of who strongly sees whom in a round: all below it is decided, nobody votes."""
        self[number].strong = {}
        self[number].guides = {}

    def strong_below(self, node: Node) -> list[Node]:
        """Return the witnesses of the round before that a witness strongly sees, by member.

        Only for a witness that can still vote.
        """
        flags = self[node.round].strong[node]
        if node.round == self.first:
            return []
        state = self[node.round - 1]
        if not state.several:
            return [witness for witness in compress(state.rows, flags) if witness is not None]
        found = []
        for member, flag in enumerate(flags):
            if flag:
                row = state.row_seen_by(node, member) if member in state.several else member
                witness = state.rows[row]
                if witness is not None:
                    found.append(witness)
        return found

    def _inherit(self, parents: list[Node]) -> tuple[Round, int]:
        """Return the highest round of the parents, and the OR of what they know of it."""
        half_bits = self.matrices.half_bits
        number, matrix = parents[0].round, parents[0].matrix
        for parent in parents[1:]:
            ahead = parent.round - number
            if ahead == 0:
                matrix |= parent.matrix
            elif ahead == -1:
                matrix |= parent.matrix >> half_bits
            elif ahead > 0:
                number = parent.round
                matrix = parent.matrix | (matrix >> half_bits if ahead == 1 else 0)
        if matrix < 0:
            # One of those that count was let go of.
            matrix = 0
            for parent in parents:
                if parent.round >= number - 1:
                    matrix |= self._matrix_of(parent) >> half_bits * (number - parent.round)
        return number, matrix

    def _matrix_of(self, node: Node) -> int:
        return node.matrix if node.matrix >= 0 else self._made_again(node)

    def _made_again(self, node: Node) -> int:
        """Return a node's matrix, made from vectors alone.

        A member's column holds what its last event in the node's ancestry has as ancestors.
        """
        members = [m for m in range(self._quorum.members) if not node.forked >> m & 1]
        tips = [(m, self._graph.tip_below(node, m)) for m in members]
        halves: list[dict[int, int]] = []
        for number in (node.round, node.round - 1):
            half: dict[int, int] = {}
            for witness in self[number].witnesses if number >= self.first else ():
                if witness.creator in members and node.has(witness):
                    through = sum(1 << m for m, tip in tips if tip and tip.has(witness))
                    half[witness.creator] = through
            halves.append(half)
        return self.matrices.from_columns(*halves)

    def _enter(self, node: Node, number: Round, inherited: int, *, below: int) -> RoundState:
        """Make a node a witness of a round."""
        node.round = number
        node.matrix = inherited | self.matrices.entry[node.branch.creator]
        if number > self.last:
            check(number == self.last + 1, "a round was skipped")
            self._states.append(RoundState(number, self._quorum.members))
        state = self[number]
        state.strong[node] = self.matrices.flags(below)
        return state
