"""Own-view scores: what counts how much, and what ends, fades or is taken back."""

from __future__ import annotations

import pytest

from identity.trust import graph as module
from identity.trust.graph import TrustGraph
from identity.trust.limits import (
    DAMPING,
    HALF_LIFE_PERIODS,
    INDIRECT_MAX,
    INTERACTION_WEIGHT_MAX,
    LIFE_PERIODS_MAX,
    PERIOD_S,
    SHARES_MIN,
)
from tests.identity.trust.world import EXACT, ME, cell, view

ONE_STEP = DAMPING / SHARES_MIN
HALF_LIFE_S = HALF_LIFE_PERIODS * PERIOD_S


def test_a_cell_that_nobody_speaks_of_has_no_score() -> None:
    graph = view(("me", "ada", 1.0))
    assert graph.score(cell("stranger")) == 0.0
    assert graph.score(ME) == 1.0


def test_the_own_word_is_the_score_whatever_others_say() -> None:
    others = [(f"friend-{at}", "ada", 1.0) for at in range(20)]
    friends = [("me", f"friend-{at}", 1.0) for at in range(20)]
    graph = view(("me", "ada", 0.3), *friends, *others)
    assert graph.score(cell("ada")) == pytest.approx(0.3)


def test_a_friend_of_a_friend_counts_less_and_a_friend_of_theirs_still_less() -> None:
    graph = view(("me", "ada", 1.0), ("ada", "bob", 1.0), ("bob", "eve", 1.0))
    assert graph.score(cell("bob")) == pytest.approx(ONE_STEP)
    assert graph.score(cell("eve")) == pytest.approx(ONE_STEP**2)


def test_what_many_friends_say_adds_up_to_less_than_the_own_word_can() -> None:
    friends = [(("me", str(at), 1.0), (str(at), "bob", 1.0)) for at in range(4)]
    graph = view(*(pair for both in friends for pair in both))
    assert graph.score(cell("bob")) == pytest.approx(4 * ONE_STEP)
    for at in range(4, 40):
        graph.attest(ME, cell(at), score=1.0, made_s=0)
        graph.attest(cell(at), cell("bob"), score=1.0, made_s=0)
    graph.settle()
    assert graph.score(cell("bob")) == pytest.approx(INDIRECT_MAX)


def test_who_attests_many_gives_each_a_smaller_share() -> None:
    graph = view(("me", "ada", 1.0), *(("ada", str(at), 1.0) for at in range(20)))
    assert graph.score(cell(3)) == pytest.approx(DAMPING / 20)


def test_what_those_say_whom_i_do_not_know_is_worth_nothing() -> None:
    graph = view(("eve", "mallory", 1.0), ("mallory", "eve", 1.0), ("eve", "me", 1.0))
    assert [score for _, score in graph.scores()] == [0.0, 0.0]


def test_an_attestation_replaces_the_one_before() -> None:
    graph = view(("me", "ada", 1.0), ("me", "ada", 0.4))
    assert graph.score(cell("ada")) == pytest.approx(0.4)


def test_what_is_revoked_counts_no_more_and_leaves_nothing_behind() -> None:
    graph = view(("me", "ada", 1.0), ("ada", "bob", 1.0))
    graph.revoke(cell("ada"), cell("bob"))
    graph.settle()
    assert graph.score(cell("bob")) == pytest.approx(0.0, abs=1e-15)
    graph.revoke(ME, cell("ada"))
    graph.settle()
    assert graph.score(cell("ada")) == 0.0
    assert graph.edges == 0


def test_revoking_what_nobody_said_changes_nothing() -> None:
    graph = view(("me", "ada", 1.0))
    for issuer, subject, scope in (("x", "ada", "general"), ("ada", "me", "general")):
        graph.revoke(cell(issuer), cell(subject), scope)
    graph.revoke(ME, cell("ada"), "chat")
    graph.settle()
    assert graph.score(cell("ada")) == pytest.approx(1.0)


def test_an_attestation_ends_after_its_last_round() -> None:
    graph = TrustGraph(ME, tolerance=EXACT)
    graph.attest(ME, cell("ada"), score=1.0, made_s=0, expires_round=10)
    graph.attest(cell("ada"), cell("bob"), score=1.0, made_s=0, expires_round=5)
    seen = []
    for number in (5, 6, 10, 11):
        graph.advance(time_s=0, round_number=number)
        graph.settle()
        seen.append((graph.score(cell("ada")), graph.score(cell("bob"))))
    expected = [(1.0, ONE_STEP), (1.0, 0.0), (1.0, 0.0), (0.0, 0.0)]
    assert seen == [pytest.approx(pair, abs=1e-12) for pair in expected]


def test_words_lose_half_their_weight_in_half_a_year() -> None:
    graph = view(("me", "ada", 1.0), ("ada", "bob", 1.0))
    graph.attest(ME, cell("ada"), score=1.0, made_s=HALF_LIFE_S)
    graph.advance(time_s=HALF_LIFE_S, round_number=1)
    graph.settle()
    assert graph.score(cell("ada")) == pytest.approx(1.0)
    assert graph.score(cell("bob")) == pytest.approx(ONE_STEP / 2)


def test_as_the_own_word_fades_those_of_others_take_its_place() -> None:
    graph = TrustGraph(ME, tolerance=EXACT)
    graph.attest(ME, cell("ada"), score=0.0, made_s=0)
    graph.attest(ME, cell("bob"), score=1.0, made_s=HALF_LIFE_S)
    graph.attest(cell("bob"), cell("ada"), score=1.0, made_s=HALF_LIFE_S)
    graph.settle()
    assert graph.score(cell("ada")) == 0.0
    graph.advance(time_s=HALF_LIFE_S, round_number=1)
    graph.settle()
    assert graph.score(cell("ada")) == pytest.approx(ONE_STEP / 2)


def test_after_ten_half_lives_nothing_is_left() -> None:
    graph = view(("me", "ada", 1.0))
    graph.advance(time_s=LIFE_PERIODS_MAX * PERIOD_S, round_number=1)
    graph.settle()
    assert graph.score(cell("ada")) == 0.0


def test_time_does_not_go_back() -> None:
    graph = view(("me", "ada", 1.0))
    graph.advance(time_s=HALF_LIFE_S, round_number=9)
    graph.advance(time_s=0, round_number=1)
    graph.settle()
    assert graph.score(cell("ada")) == pytest.approx(0.5)


def test_a_scope_has_its_own_words_and_the_general_ones_where_it_has_none() -> None:
    graph = TrustGraph(ME, "chat", tolerance=EXACT)
    for subject, scope, score in (
        ("ada", "general", 0.8),
        ("ada", "chat", 0.2),
        ("bob", "general", 0.8),
        ("eve", "exec", 0.8),
    ):
        graph.attest(ME, cell(subject), score=score, made_s=0, scope=scope)
    graph.settle()
    scores = [graph.score(cell(name)) for name in ("ada", "bob", "eve")]
    assert scores == [pytest.approx(0.2), pytest.approx(0.8), 0.0]
    graph.revoke(ME, cell("ada"), "chat")
    graph.settle()
    assert graph.score(cell("ada")) == pytest.approx(0.8)


def test_nobody_speaks_for_itself() -> None:
    graph = TrustGraph(ME)
    assert not graph.attest(cell("ada"), cell("ada"), score=1.0, made_s=0)
    assert not graph.interact(ME, ME, time_s=0, identity=b"x")
    assert len(graph) == 1


def test_interactions_count_a_little_and_each_only_once() -> None:
    graph = TrustGraph(ME, tolerance=EXACT)
    seen = []
    for identity in (b"1", b"1", b"2", *(bytes([at]) for at in range(40))):
        assert graph.interact(ME, cell("ada"), time_s=0, identity=identity)
        graph.settle()
        seen.append(graph.score(cell("ada")))
    assert seen[:3] == pytest.approx([INTERACTION_WEIGHT_MAX * left for left in (0.5, 0.5, 0.75)])
    assert seen[-1] == pytest.approx(INTERACTION_WEIGHT_MAX, rel=0.01)
    assert max(seen) < INTERACTION_WEIGHT_MAX


def test_interactions_of_others_hand_on_trust_both_ways() -> None:
    graph = view(("me", "ada", 1.0))
    graph.interact(cell("bob"), cell("ada"), time_s=0, identity=b"1")
    graph.settle()
    assert graph.score(cell("bob")) == pytest.approx(ONE_STEP * INTERACTION_WEIGHT_MAX / 2)


def test_a_thousand_interactions_do_not_drown_an_attestation() -> None:
    graph = view(("me", "ada", 1.0), ("ada", "bob", 1.0))
    for at in range(1000):
        for number in range(3):
            graph.interact(cell("ada"), cell(at), time_s=0, identity=bytes([number]))
    graph.settle()
    assert graph.score(cell("bob")) == pytest.approx(ONE_STEP)
    assert graph.score(cell(1)) < 0.001


def test_beyond_its_bounds_a_graph_takes_no_new_cells_or_edges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CELLS_MAX", 3)
    monkeypatch.setattr(module, "EDGES_MAX", 2)
    graph = TrustGraph(ME)
    taken = [
        graph.attest(cell(issuer), cell(subject), score=1.0, made_s=0)
        for issuer, subject in (
            ("me", "ada"),
            ("ada", "bob"),
            ("bob", "eve"),
            ("bob", "ada"),
            ("ada", "bob"),
        )
    ]
    assert taken == [True, True, False, False, True]
    assert (len(graph), graph.edges) == (3, 2)


def test_what_is_computed_in_slices_is_what_is_computed_at_once() -> None:
    said = [(str(at % 50), str(at * 7 % 50), 0.5 + at % 3 / 5) for at in range(300)]
    whole = view(("me", "1", 1.0), *said)
    sliced = TrustGraph(ME, tolerance=EXACT)
    for issuer, subject, score in (("me", "1", 1.0), *said):
        sliced.attest(cell(issuer), cell(subject), score=score, made_s=0)
    calls = 0
    while not sliced.settle(5):
        calls += 1
        assert not sliced.is_settled
    assert calls > 10
    assert dict(sliced.scores()) == pytest.approx(dict(whole.scores()))


def test_ends_of_replaced_attestations_do_not_pile_up() -> None:
    graph = TrustGraph(ME)
    for number in range(5000):
        graph.attest(ME, cell("ada"), score=1.0, made_s=0, expires_round=10_000 + number)
    assert len(graph._ends) <= module._ENDS_FREE + 5
    graph.advance(time_s=0, round_number=14_999)
    graph.settle()
    assert graph.score(cell("ada")) == 1.0
    graph.advance(time_s=0, round_number=15_000)
    graph.settle()
    assert graph.score(cell("ada")) == 0.0
