"""How a hypha sees its gateways: failures pass, lies last, and neither harms the others."""

from __future__ import annotations

from core.ids import Round
from hypha.errors import AnswerBesides, AnswerOld, GatewaySilent, HistoriesContradict
from hypha.limits import (
    CONFIRMED_S,
    DETAIL_LENGTH_MAX,
    FAILURE_PAUSE_S_MAX,
    LIE_PAUSE_S,
    LIE_PAUSE_S_MAX,
    POLL_S,
)
from hypha.standing import Standing

SILENT = GatewaySilent("no answer")
LIE = AnswerBesides("another key")


def test_failures_are_asked_more_seldom_up_to_a_bound_and_forgotten_by_an_answer() -> None:
    one = Standing("u")
    pauses = []
    for _ in range(12):
        one.fails(SILENT, 100.0, refuses=False)
        pauses.append(one.next_s - 100.0)
    assert pauses[:3] == [POLL_S, 2 * POLL_S, 4 * POLL_S]
    assert pauses[-1] == FAILURE_PAUSE_S_MAX
    assert one.may_be_asked(100.0)
    assert one.state == "silent"
    one.answers(Round(5), Round(5), 0.01, 100.0)
    assert (one.state, one.failures, one.next_s) == ("good", 0, 100.0 + POLL_S)


def test_a_liar_is_left_alone_longer_each_time() -> None:
    one = Standing("u")
    one.lied(LIE, 0.0)
    assert not one.may_be_asked(LIE_PAUSE_S - 1)
    assert one.may_be_asked(LIE_PAUSE_S)
    one.lied(LIE, 0.0)
    assert not one.may_be_asked(LIE_PAUSE_S)
    for _ in range(40):
        one.lied(LIE, 0.0)
    assert one.next_s == LIE_PAUSE_S_MAX
    assert (one.state, one.code, one.lies) == ("lies", LIE.code, 42)


def test_who_shows_another_history_is_told_apart_from_who_only_lies() -> None:
    one = Standing("u")
    one.lied(HistoriesContradict("two headers"), 0.0)
    assert one.state == "contradicts"


def test_who_is_old_is_behind_and_asked_on() -> None:
    one = Standing("u")
    one.answers(Round(3), Round(5), 0.01, 0.0)
    assert (one.state, one.code) == ("behind", AnswerOld.code)
    assert not one.confirms(Round(5), 0.0)
    assert one.next_s == POLL_S


def test_only_a_late_answer_about_the_newest_head_confirms_it() -> None:
    one = Standing("u")
    one.answers(Round(5), Round(5), 0.01, 0.0)
    assert one.confirms(Round(5), CONFIRMED_S)
    assert not one.confirms(Round(6), 0.0)
    assert not one.confirms(Round(5), CONFIRMED_S + 1)
    one.fails(SILENT, 1.0, refuses=False)
    assert not one.confirms(Round(5), 1.0)


def test_the_quick_and_honest_are_asked_first() -> None:
    quick, slow, liar, gone, old = (Standing(name) for name in ("q", "s", "l", "g", "o"))
    for one, latency_s in ((quick, 0.01), (slow, 0.5), (liar, 0.001), (gone, 0.001)):
        one.answers(Round(5), Round(5), latency_s, 0.0)
    old.answers(Round(4), Round(5), 0.001, 0.0)
    liar.lied(LIE, 0.0)
    gone.fails(SILENT, 0.0, refuses=False)
    ranked = sorted((gone, liar, slow, old, quick), key=lambda one: one.rank)
    assert [one.url for one in ranked] == ["q", "s", "o", "l", "g"]


def test_what_a_gateway_says_is_shown_in_one_bounded_line() -> None:
    one = Standing("u")
    one.fails(GatewaySilent("\x1b[31m\n" + "a" * 1000), 0.0, refuses=True)
    assert len(one.detail) == DETAIL_LENGTH_MAX
    assert one.detail.isprintable()
