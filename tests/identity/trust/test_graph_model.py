"""Whatever happens in whatever order: scores are those of the definition, and nothing gets lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.ids import PublicKey
from identity.trust.graph import TrustGraph
from identity.trust.limits import DAMPING, PERIOD_S
from tests.identity.trust.world import EXACT, ME, Definition, cell

NAMES = ("me", "ada", "bob", "eve", "dan", "fay")
CELLS = st.sampled_from(NAMES).map(cell)
SCORES = st.integers(0, 10).map(lambda tenths: tenths / 10)
PERIODS = st.integers(0, 30)


class Views(RuleBasedStateMachine):
    """One graph that is kept up, beside the definition."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = TrustGraph(ME, tolerance=EXACT)
        self.plain = Definition(ME)

    @rule(issuer=CELLS, subject=CELLS, score=SCORES, made=PERIODS, ends=st.integers(0, 20))
    def attest(
        self, issuer: PublicKey, subject: PublicKey, score: float, made: int, ends: int
    ) -> None:
        """Somebody attests somebody."""
        taken = self.graph.attest(
            issuer, subject, score=score, made_s=made * PERIOD_S, expires_round=ends
        )
        assert taken == (issuer != subject)
        if taken:
            self.plain.said[issuer, subject] = (score, made * PERIOD_S, ends)

    @rule(issuer=CELLS, subject=CELLS)
    def revoke(self, issuer: PublicKey, subject: PublicKey) -> None:
        """Somebody takes it back."""
        self.graph.revoke(issuer, subject)
        self.plain.said.pop((issuer, subject), None)

    @rule(one=CELLS, other=CELLS, made=PERIODS, identity=st.binary(min_size=1, max_size=1))
    def interact(self, one: PublicKey, other: PublicKey, made: int, identity: bytes) -> None:
        """Two of them deal with each other."""
        if one != other:
            self.graph.interact(one, other, time_s=made * PERIOD_S, identity=identity)
            self.plain.met.setdefault(frozenset((one, other)), set()).add((made, identity))

    @rule(periods=st.integers(0, 60), rounds=st.integers(0, 5))
    def pass_time(self, periods: int, rounds: int) -> None:
        """Words fade and end."""
        self.plain.time_s += periods * PERIOD_S
        self.plain.round += rounds
        self.graph.advance(time_s=self.plain.time_s, round_number=self.plain.round)

    @precondition(lambda self: not self.graph.is_settled)
    @rule(steps=st.integers(1, 10))
    def settle_a_little(self, steps: int) -> None:
        """Pass some of the changes on."""
        self.graph.settle(steps)

    @rule()
    def settle(self) -> None:
        """Scores are those of the definition."""
        self.graph.settle()
        expected = self.plain.scores()
        for key, score in self.graph.scores():
            assert score == pytest.approx(expected.get(key, 0.0), abs=1e-9)

    @invariant()
    def nothing_is_lost_on_the_way(self) -> None:
        """Inflow and residual of each cell are what its issuers hand on, settled or not."""
        graph = self.graph
        for number in range(1, len(graph)):
            due = sum(
                flows.get(number, 0.0) * graph._score(issuer)
                for issuer, flows in enumerate(graph._flows)
                if issuer
            )
            has = graph._inflow[number] + graph._residual[number]
            assert has == pytest.approx(due, abs=1e-12)

    @invariant()
    def scores_and_shares_have_their_bounds(self) -> None:
        """No score is beyond 0 to 1, and nobody hands on more than DAMPING of its own."""
        assert all(-1e-12 <= score <= 1.0 + 1e-12 for _, score in self.graph.scores())
        assert all(sum(flows.values()) <= DAMPING + 1e-12 for flows in self.graph._flows)


TestViews = Views.TestCase
TestViews.settings = settings(deadline=None, max_examples=80, stateful_step_count=40)

STATEMENTS = st.dictionaries(
    st.tuples(CELLS, CELLS).filter(lambda pair: pair[0] != pair[1]),
    st.tuples(SCORES, PERIODS),
    max_size=25,
)


@given(said=STATEMENTS, data=st.data())
def test_the_order_of_arrival_does_not_matter(
    said: dict[tuple[PublicKey, PublicKey], tuple[float, int]], data: st.DataObject
) -> None:
    views = []
    for shuffled in (list(said), data.draw(st.permutations(list(said)))):
        graph = TrustGraph(ME, tolerance=EXACT)
        for issuer, subject in shuffled:
            score, made = said[issuer, subject]
            graph.attest(issuer, subject, score=score, made_s=made * PERIOD_S)
            if data.draw(st.booleans()):
                graph.settle(3)
        graph.advance(time_s=40 * PERIOD_S, round_number=1)
        graph.settle()
        views.append(dict(graph.scores()))
    assert views[0] == pytest.approx(views[1], abs=1e-9)


@given(said=STATEMENTS)
def test_what_is_said_and_taken_back_is_as_if_it_had_never_been_said(
    said: dict[tuple[PublicKey, PublicKey], tuple[float, int]],
) -> None:
    graph = TrustGraph(ME, tolerance=EXACT)
    for (issuer, subject), (score, _) in said.items():
        graph.attest(issuer, subject, score=score, made_s=0)
    graph.settle()
    for issuer, subject in said:
        graph.revoke(issuer, subject)
    graph.settle()
    assert all(score == pytest.approx(0.0, abs=1e-12) for _, score in graph.scores())
    assert graph.edges == 0
