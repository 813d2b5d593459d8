"""Who may open a session: members always but when they themselves misbehave."""

from __future__ import annotations

import pytest

from core.ids import CellId
from gossip.errors import BadEventSignature, BadFrame, Equivocated, FrameTooLong
from gossip.host import StreamLost
from gossip.score import Misbehaviour
from node.errors import NoHello, PeerLeft, PeerMisbehaved, PeerReplaced, PeerTooSlow
from node.limits import SESSIONS_BURST, STRANGERS_BURST
from node.standing import Standings, host_of

MEMBER, OTHER, STRANGER = CellId("member"), CellId("other member"), CellId("stranger")
HOME, AWAY = "192.0.2.1", "192.0.2.2"


def _standings() -> Standings:
    return Standings(lambda cell_id: cell_id in (MEMBER, OTHER))


@pytest.mark.parametrize("error", [BadFrame, FrameTooLong, BadEventSignature, Equivocated])
def test_what_no_honest_peer_does_bans_at_once(error: type[Exception]) -> None:
    standings = _standings()
    standings.note_end(STRANGER, HOME, error("x"), 0)
    standings.note_end(MEMBER, HOME, error("x"), 0)
    assert standings.banned_cells(0) == {STRANGER, MEMBER}
    assert standings.refusal(MEMBER, HOME, 0) is not None
    assert 0 < standings.banned_ms(MEMBER, 0) < standings.banned_ms(STRANGER, 0)
    assert standings.refusal(MEMBER, HOME, standings.banned_ms(MEMBER, 0)) is None


@pytest.mark.parametrize("error", [PeerLeft, PeerReplaced, StreamLost, PeerMisbehaved])
def test_how_sessions_end_honestly_costs_nothing_and_nothing_is_counted_twice(
    error: type[Exception],
) -> None:
    standings = _standings()
    standings.note_end(MEMBER, HOME, error("x"), 0)
    assert standings.points(MEMBER, 0) == 0


def test_the_address_of_a_banned_stranger_keeps_other_strangers_out_and_no_member() -> None:
    standings = _standings()
    standings.note_end(STRANGER, HOME, BadFrame("x"), 0)
    assert standings.refusal(CellId("new id"), HOME, 0) is not None
    assert standings.refusal(CellId("new id"), AWAY, 0) is None
    assert standings.refusal(MEMBER, HOME, 0) is None
    assert standings.refusal(CellId("new id"), HOME, 60_000) is None


def test_no_stranger_can_make_a_member_throttled() -> None:
    standings = _standings()
    for number in range(200):
        standings.note_end(CellId(f"stranger {number}"), HOME, BadFrame("x"), number)
    assert not standings.is_throttled(MEMBER, 200)
    assert standings.refusal(MEMBER, HOME, 200) is None
    assert standings.refusal(OTHER, HOME, 200) is None


def test_new_ids_from_one_address_are_held_up_and_members_at_it_are_not() -> None:
    standings = _standings()
    refusals = [standings.refusal(CellId(f"id {n}"), HOME, 0) for n in range(STRANGERS_BURST + 5)]
    assert [reason is None for reason in refusals] == [True] * STRANGERS_BURST + [False] * 5
    assert standings.refusal(MEMBER, HOME, 0) is None
    assert standings.refusal(CellId("elsewhere"), AWAY, 0) is None


def test_who_connects_again_and_again_is_refused_and_banned_when_it_goes_on() -> None:
    standings = _standings()
    attempts = 0
    while standings.banned_ms(STRANGER, 0) == 0:
        standings.refusal(STRANGER, None, 0)
        attempts += 1
    assert SESSIONS_BURST < attempts < SESSIONS_BURST + 100


def test_a_member_whose_link_flaps_once_a_second_is_always_let_in() -> None:
    standings = _standings()
    for now_ms in range(0, 300_000, 1_100):
        assert standings.refusal(MEMBER, HOME, now_ms) is None
        standings.note_end(MEMBER, HOME, StreamLost("x"), now_ms + 500)


def test_a_stranger_that_reads_slowly_gets_one_more_chance_a_member_some_more() -> None:
    standings = _standings()
    for cell in (STRANGER, MEMBER):
        standings.note_end(cell, HOME, PeerTooSlow("x"), 0)
        assert standings.banned_ms(cell, 0) == 0
        standings.note_end(cell, HOME, PeerTooSlow("x"), 7_000)
    assert standings.banned_ms(STRANGER, 7_000) > 0
    assert standings.banned_ms(MEMBER, 7_000) == 0


def test_silence_at_the_start_is_forgiven_a_few_times() -> None:
    standings = _standings()
    for now_ms in range(0, 60_000, 5_000):
        standings.note_end(STRANGER, None, NoHello("x"), now_ms)
    assert standings.banned_ms(STRANGER, 60_000) == 0
    assert standings.points(STRANGER, 60_000) > 0


def test_every_misbehaviour_can_be_noted() -> None:
    standings = _standings()
    for what in Misbehaviour:
        standings.note(STRANGER, HOME, what, 0)


def test_the_address_in_a_multiaddr_is_its_ip() -> None:
    assert host_of("/ip4/127.0.0.1/tcp/4710") == "127.0.0.1"
    assert host_of("/ip6/2001:db8::7/tcp/1") == "2001:db8::/64"
    assert host_of(None) is None
