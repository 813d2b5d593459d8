"""The first look at heads: it turns away who goes on beyond a limit, and nobody else."""

from __future__ import annotations

import pytest

from gateway.callers import Callers
from gateway.door import DoorRules
from gateway.glance import Glance, Refused
from gateway.limits import (
    LANE_REQUESTS_MAX,
    RATE_OVER_AT_ONCE,
    RATE_PAUSE_S,
    RATE_PAUSE_S_MAX,
    RATE_REFUSALS_PER_S,
)
from gateway.places import Places
from gateway.rates import Rates
from gateway.room import Room

ADDRESS, PROXY, OWNER_TOKEN, LIGHT_TOKEN = "10.0.0.1", "10.0.0.9", "owner", "light"
LIMIT = 5
LANE = f"address:{ADDRESS}"
WITH_PAGES = DoorRules(Places(origins=("https://a.example",), proxies=(PROXY,)), rate_open=LIMIT)
RULES = DoorRules(Places(proxies=(PROXY,)), rate_open=LIMIT)


class World:
    """A look, and what it shares with the door."""

    def __init__(self, rules: DoorRules = RULES) -> None:
        self.rates, self.room, self.rules, self.now_ms = Rates(), Room(), rules, 1_000_000
        callers = Callers(OWNER_TOKEN, LIGHT_TOKEN, now_ms=lambda: self.now_ms)
        self.look = Glance(
            callers,
            self.rates,
            self.room,
            lambda: self.rules,
            headers=((b"x-frame-options", b"DENY"),),
            now_ms=lambda: self.now_ms,
        )

    def ask_too_often(self, address: str = ADDRESS) -> None:
        """Count what the door would have answered."""
        for _ in range(LIMIT + RATE_OVER_AT_ONCE + 1):
            self.rates.count(f"address:{address}", LIMIT, self.now_ms / 1000)

    def ask(self, *headers: str, path: str = "/api/v1/status", to: str = ADDRESS) -> Refused | None:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        return self.look("\r\n".join(lines).encode(), to)


def test_only_who_goes_on_far_beyond_a_limit_is_turned_away() -> None:
    world = World()
    for _ in range(LIMIT + RATE_OVER_AT_ONCE):
        world.rates.count(LANE, LIMIT, 1000)
        assert world.ask() is None
    world.rates.count(LANE, LIMIT, 1000)
    refused = world.ask()
    assert refused is not None
    head, _, body = refused.answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    for line in (b"retry-after: 60", b"ratelimit-limit: 5", b"x-frame-options: DENY"):
        assert line in head
    assert f"content-length: {len(body)}".encode() in head
    assert b"MYC-GATEWAY-043" in body
    assert world.rates.over(LANE, LIMIT, 1000) == RATE_OVER_AT_ONCE + 2  # it was counted
    world.now_ms += 60_000
    assert world.ask() is None


def test_the_rules_of_now_count() -> None:
    world = World()
    world.ask_too_often()
    assert world.ask() is not None
    world.rules = DoorRules(rate_open=0)
    assert world.ask() is None


@pytest.mark.parametrize(
    ("headers", "path", "address"),
    [
        ((), "/explorer/", ADDRESS),
        ((), "/api/v1/status", PROXY),
        ((), "/api/v1/status", "10.0.0.2"),
        (("Authorization: Bearer owner",), "/api/v1/status", ADDRESS),
        (("Authorization: Bearer light",), "/api/light/head", ADDRESS),
        (("Authorization: Myceld-1 a.b.c",), "/api/v1/status", ADDRESS),
        (("Authorization: Bearer a", "Authorization: Bearer b"), "/api/v1/status", ADDRESS),
        (("Sec-WebSocket-Protocol: bearer.owner",), "/api/v1/stream", ADDRESS),
        (("Origin: https://a.example",), "/api/v1/status", ADDRESS),
    ],
)
def test_what_it_can_not_tell_is_left_to_the_door(
    headers: tuple[str, ...], path: str, address: str
) -> None:
    world = World(WITH_PAGES)
    world.ask_too_often()
    world.ask_too_often(PROXY)
    assert world.ask() is not None
    assert world.ask(*headers, path=path, to=address) is None


@pytest.mark.parametrize(
    "headers",
    [
        ("Authorization: Bearer wrong",),
        ("Origin: https://b.example",),
        ("Sec-WebSocket-Protocol: bearer.owner",),
    ],
)
def test_a_wrong_token_or_a_foreign_page_is_no_way_around(headers: tuple[str, ...]) -> None:
    world = World()
    world.ask_too_often()
    assert world.ask(*headers) is not None


def test_what_a_body_says_is_nobodys_credential() -> None:
    world = World()
    world.ask_too_often()
    head = b"POST /api/v1/transactions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
    assert world.look(head + b"Authorization: Bearer owner\r\n", ADDRESS) is not None


def test_who_has_no_room_is_told_at_once_and_counted() -> None:
    world = World()
    for _ in range(LANE_REQUESTS_MAX):
        world.room.enter(LANE)
    refused = world.ask()
    assert refused is not None
    assert refused.pause_s == 0
    assert refused.answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 1\r\n" in refused.answer.lower()
    assert world.rates.count(LANE, LIMIT, 1000).remaining == LIMIT - 2
    assert world.ask(path="/api/v1/stream") is None
    assert world.ask(to="10.0.0.2") is None


def test_one_that_asks_gets_so_many_refusals_a_second_and_others_do_not_wait_for_it() -> None:
    world = World()
    world.ask_too_often()
    world.ask_too_often("10.0.0.2")
    pauses = [refused.pause_s for _ in range(200) if (refused := world.ask()) is not None]
    assert pauses[0] == pytest.approx(RATE_PAUSE_S)
    assert pauses[1] - pauses[0] == pytest.approx(1 / RATE_REFUSALS_PER_S)
    assert pauses[-1] == pytest.approx(RATE_PAUSE_S_MAX)
    other = world.ask(to="10.0.0.2")
    assert other is not None
    assert other.pause_s == pytest.approx(RATE_PAUSE_S)


def test_greedy_lines_leave_room_for_who_has_none() -> None:
    room, lines = Room(224), ["a", "b", "c"]
    taken = dict.fromkeys(lines, 0)
    while not all(room.is_full(line) for line in lines):
        for line in lines:
            if not room.is_full(line):
                room.enter(line)
                taken[line] += 1
    assert all(taken[line] >= 50 for line in lines)
    assert not room.is_full("d")
    for _ in range(taken["a"]):
        room.leave("a")
    assert not room.is_full("a")


def test_the_owner_has_room_when_all_others_have_none() -> None:
    room = Room(64)
    for number in range(48):
        room.enter(f"line-{number}")
    assert room.is_full("somebody")
    for _ in range(16):
        assert not room.is_full("token", is_owner=True)
        room.enter("token")
    assert room.is_full("token", is_owner=True)
