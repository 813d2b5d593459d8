"""Levels by score, needs by kind of request, and decisions that say why."""

from __future__ import annotations

import pytest

from identity.errors import BadPolicy
from identity.trust.limits import POLICY_SCOPES_MAX
from identity.trust.policy import FRESH, NEEDS, SCORES, Level, Policy, policy_of


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (1.0, Level.FULL),
        (0.9, Level.FULL),
        (0.8999999, Level.STANDARD),
        (0.7, Level.STANDARD),
        (0.5, Level.LIMITED),
        (0.3, Level.READ_ONLY),
        (0.2999999, Level.NONE),
        (0.0, Level.NONE),
    ],
)
def test_a_score_gives_the_highest_level_that_it_reaches(score: float, level: Level) -> None:
    assert Policy().level(score) is level


@pytest.mark.parametrize("request_kind", NEEDS)
def test_each_request_is_let_through_at_its_level_and_refused_just_below(
    request_kind: str,
) -> None:
    needed = NEEDS[request_kind]
    least = SCORES.get(needed, 0.0)
    assert Policy().decide(request_kind, least, is_proven=True).allowed
    unproven = Policy().decide(request_kind, least)
    assert (unproven.allowed, unproven.needs_proof) == (
        request_kind not in FRESH,
        request_kind in FRESH,
    )
    if needed is not Level.NONE:
        refused = Policy().decide(request_kind, least - 1e-9, is_proven=True)
        assert not refused.allowed
        assert not refused.needs_proof, "a proof would not help"
        assert refused.level < refused.needed == needed


def test_a_refusal_says_what_is_missing_and_never_shows_a_score_that_would_do() -> None:
    refused = Policy().decide("exec", 0.89999999)
    assert refused.reason == "exec needs full access (score 0.9); score 0.8999 gives standard"
    allowed = Policy().decide("query", 0.5)
    assert allowed.reason == "query needs read-only access; score 0.5 gives limited"


def test_a_configuration_says_which_requests_need_a_fresh_proof() -> None:
    policy = policy_of(proofs={"exec": "none", "chat": "fresh"})
    assert policy.decide("exec", 0.9).allowed
    assert policy.decide("chat", 0.5).needs_proof
    assert policy.decide("journal-read-private", 0.9).needs_proof
    for wrong in ({"chat": "old"}, {"reboot": "fresh"}, {"tx-forward": "fresh"}):
        with pytest.raises(BadPolicy):
            policy_of(proofs=wrong)


def test_a_configuration_says_in_which_scope_a_score_counts() -> None:
    policy = policy_of(scopes={"exec": "operations", "post": "writing"})
    assert (policy.scope("exec"), policy.scope("chat")) == ("operations", "general")
    refused = policy.decide("post", 0.1)
    assert refused.reason.endswith("score 0.1 gives none in writing")
    many = dict(zip(NEEDS, map(str, range(POLICY_SCOPES_MAX + 1)), strict=False))
    for wrong in ({"reboot": "x"}, {"chat": ""}, {"chat": "x" * 65}, {"chat": "a\nb"}, many):
        with pytest.raises(BadPolicy):
            policy_of(scopes=wrong)


def test_a_request_that_nobody_thought_of_needs_full_access() -> None:
    assert not Policy().decide("reboot", 0.89).allowed
    assert Policy().decide("reboot", 0.9).allowed


def test_a_configuration_changes_rows_and_leaves_the_others() -> None:
    policy = policy_of({"full": 0.95, "read-only": 0.1}, {"chat": "none", "exec": "standard"})
    assert policy.level(0.9) is Level.STANDARD
    assert policy.level(0.1) is Level.READ_ONLY
    assert policy.decide("chat", 0.0).allowed
    assert policy.decide("exec", 0.7, is_proven=True).allowed
    assert policy.needs["post"] is NEEDS["post"]


@pytest.mark.parametrize(
    ("scores", "needs"),
    [
        ({"fuller": 0.95}, {}),
        ({}, {"chat": "some"}),
        ({}, {"dance": "none"}),
        ({"limited": 0.8}, {}),
        ({"limited": 0.7}, {}),
        ({"full": 1.1}, {}),
        ({"read-only": 0.0}, {}),
        ({"read-only": -1.0}, {}),
        ({"full": float("nan")}, {}),
        ({"none": 0.1}, {}),
    ],
)
def test_a_table_that_can_not_be_applied_is_refused(
    scores: dict[str, float], needs: dict[str, str]
) -> None:
    with pytest.raises(BadPolicy):
        policy_of(scores, needs)


def test_a_policy_has_all_levels() -> None:
    with pytest.raises(BadPolicy):
        Policy({Level.FULL: 0.9})
