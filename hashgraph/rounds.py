"""Round created and witnesses (Baird 2016, section 5: divideRounds; section 4: strongly seeing).

Instead of asking "does x strongly see w" by walking the graph, every node carries the answer's
ingredients: for each witness w of its own round and of the round before, the members through whose
events it has w as ancestor. A node's matrix is the OR of its parents' matrices plus its own column.
Nodes of lower rounds have no such ancestor, so two rounds per node are enough.

Forks are taken out when a matrix is read: members whose fork is in the node's ancestry count
neither as witnesses nor as intermediaries (rule set 1: x must *see* both).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from core.errors import check
from core.ids import Round
from hashgraph.graph import Node
from hashgraph.quorum import Quorum, bits


@dataclass(slots=True, eq=False)
class RoundState:
    """One round: its witnesses in the order they were added (their *rows*), and their fame."""

    number: Round
    witnesses: list[Node] = field(default_factory=list)
    famous: list[bool | None] = field(default_factory=list)
    decided: bool = False
    votes: dict[Node, int] = field(default_factory=dict)  # by voter: the rows it votes yes on


class Rounds:
    """All rounds of an epoch, and the rule that puts a node into one."""

    def __init__(self, quorum: Quorum, first_round: Round) -> None:
        self.first = first_round
        self._quorum = quorum
        self._states: list[RoundState] = []

    @property
    def last(self) -> Round:
        """The highest round with an event, or the one before the first."""
        return Round(self.first + len(self._states) - 1)

    def __getitem__(self, number: int) -> RoundState:
        return self._states[number - self.first]

    def __iter__(self) -> Iterator[RoundState]:
        return iter(self._states)

    def place(self, node: Node, parents: list[Node]) -> None:
        """Give a new node its round, its matrices and, if it is a witness, its row."""
        if not parents:
            self._enter(node, self.first, witness=True)
            return
        number = max([parent.round for parent in parents])
        _inherit(node, parents, number)
        quorum = self._quorum
        node.own_matrix |= quorum.spread(node.own_rows) << node.creator
        strong = self._strong_rows(node.own_matrix, self[number], node.forked)
        if self._is_super_rows(strong, self[number]):
            node.below_rows, node.below_matrix = node.own_rows, node.own_matrix
            node.own_rows = node.own_matrix = 0
            node.strong = strong
            self._enter(node, Round(number + 1), witness=True)
        else:
            node.below_matrix |= quorum.spread(node.below_rows) << node.creator
            witness = node.self_parent is None or node.self_parent.round < number
            if witness and number > self.first:
                below = self[number - 1]
                node.strong = self._strong_rows(node.below_matrix, below, node.forked)
            self._enter(node, number, witness=witness)
        check(
            node.self_parent is None or node.round >= node.self_parent.round,
            "a round shrinks along ancestry",
        )

    def seen_rows_below(self, node: Node) -> int:
        """Return the rows of the round before that the node sees (Baird 2016: see)."""
        rows = node.below_rows
        if node.forked:
            witnesses = self[node.round - 1].witnesses
            for row in bits(rows):
                if node.forked >> witnesses[row].creator & 1:
                    rows ^= 1 << row
        return rows

    def _enter(self, node: Node, number: Round, *, witness: bool) -> None:
        node.round = number
        if number > self.last:
            check(number == self.last + 1, "a round was skipped")
            self._states.append(RoundState(number))
        if witness:
            state = self[number]
            node.row = len(state.witnesses)
            node.own_rows |= 1 << node.row
            node.own_matrix |= 1 << node.row * self._quorum.members + node.creator
            state.witnesses.append(node)
            state.famous.append(None)

    def _strong_rows(self, matrix: int, state: RoundState, forked: int) -> int:
        """Return the rows that a node with this matrix and these known forkers strongly sees."""
        quorum = self._quorum
        members, honest = quorum.members, quorum.everyone & ~forked
        strong = 0
        bit = 1
        for witness in state.witnesses:
            through = matrix & honest
            if through and honest >> witness.creator & 1 and quorum.is_super_mask(through):
                strong |= bit
            matrix >>= members
            bit <<= 1
        return strong

    def _is_super_rows(self, rows: int, state: RoundState) -> bool:
        """Return whether the creators of these witnesses hold a supermajority."""
        creators = 0
        for row in bits(rows):
            creators |= 1 << state.witnesses[row].creator
        return self._quorum.is_super_mask(creators)


def _inherit(node: Node, parents: list[Node], number: Round) -> None:
    """OR the parents' matrices of round `number` and of the round before into the node's."""
    own_rows = own_matrix = below_rows = below_matrix = 0
    for parent in parents:
        if parent.round == number:
            own_rows |= parent.own_rows
            own_matrix |= parent.own_matrix
            below_rows |= parent.below_rows
            below_matrix |= parent.below_matrix
        elif parent.round == number - 1:
            below_rows |= parent.own_rows
            below_matrix |= parent.own_matrix
    node.own_rows, node.own_matrix = own_rows, own_matrix
    node.below_rows, node.below_matrix = below_rows, below_matrix
