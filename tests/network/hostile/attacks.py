"""Ten ways to hurt a cell. Each attack runs in one session until the target ends it.

An attack takes a session after its HELLO and returns or raises when the session is over. Those
that need no session, or many, are in `ATTACKS_BELOW`: they say themselves when they were dropped.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from core.ids import EventId
from gossip.limits import EVENTS_FRAME_COUNT_MAX
from gossip.wire import Events, Ping, Want
from hashgraph.event import decode_event
from tests.network.hostile.peer import Forger, Talk

Attack: TypeAlias = Callable[[Talk, Forger], Awaitable[None]]

_KNOWN_MAX = 2_000
_SMALL_SIZE_BYTES = 1_000
_UNREAD_PING_S = 1.0


async def bad_signatures(talk: Talk, forger: Forger) -> None:
    """Events that look right but for their signature, a full frame at a time."""
    made = [_spoilt(data) for data in forger.chain_after(0, None, 64)]
    async with talk.reading():
        while True:
            await talk.send(Events(talk.target.epoch, tuple(made), last=False))


async def repeats(talk: Talk, forger: Forger) -> None:
    """Known events again and again, small ones, so that a frame holds as many as it may."""
    del forger
    fetched = await talk.fetch(_KNOWN_MAX)
    known = [data for data in fetched if len(data) <= _SMALL_SIZE_BYTES]
    async with talk.reading():
        while True:
            for at in range(0, len(known), EVENTS_FRAME_COUNT_MAX):
                part = tuple(known[at : at + EVENTS_FRAME_COUNT_MAX])
                await talk.send(Events(talk.target.epoch, part, last=False))


async def wants_everything(talk: Talk, forger: Forger) -> None:
    """Asks for all events from zero on, thousands of times, and reads them all."""
    del forger
    want = Want(talk.target.epoch, (0,) * len(talk.target.genesis.members))
    async with talk.reading():
        while True:
            await talk.send(*[want] * 100)


async def wants_again(talk: Talk, forger: Forger) -> None:
    """Asks for all events from zero on each time that it got them, as slowly as is polite."""
    del forger
    while True:
        await talk.fetch(10**9)
        await asyncio.sleep(0.1)


async def reads_slowly(talk: Talk, forger: Forger) -> None:
    """Asks for everything and reads nothing of it, but goes on pinging."""
    del forger
    want = Want(talk.target.epoch, (0,) * len(talk.target.genesis.members))
    number = 0
    while not talk.stream.closed:
        await talk.send(want, Ping(number))
        number += 1
        await asyncio.sleep(_UNREAD_PING_S)


async def giant_frames(talk: Talk, forger: Forger) -> None:
    """Announces a frame of two gigabytes, and sends on."""
    del forger
    await talk.send_bytes((2**31).to_bytes(4, "big"))
    async with talk.reading():
        while True:
            await talk.send_bytes(bytes(1 << 18))


async def garbage(talk: Talk, forger: Forger) -> None:
    """Random bytes with a right length in front."""
    del forger
    async with talk.reading():
        while True:
            await talk.send_bytes((4096).to_bytes(4, "big") + os.urandom(4096))


async def missing_parents(talk: Talk, forger: Forger) -> None:
    """Signed events of a member on parents that do not exist; says to have answered every WANT."""
    await asyncio.gather(_answer_nothing(talk), _orphans(talk, forger))


async def missing_parents_in_silence(talk: Talk, forger: Forger) -> None:
    """The same without any answer."""
    async with talk.reading():
        await _orphans(talk, forger)


async def equivocates(talk: Talk, forger: Forger) -> None:
    """Two events of a member with one sequence number, then two more on each of them."""
    sequence, newest = forger.newest(await talk.fetch(10**9))
    async with talk.reading():
        while True:
            pair = [forger.event(sequence, newest, os.urandom(8)) for _ in range(2)]
            await talk.send(Events(talk.target.epoch, tuple(pair), last=False))
            sequence, newest = sequence + 1, _id(talk, pair[0])


ATTACKS: Final[dict[str, Attack]] = {
    "bad-signatures": bad_signatures,
    "repeats": repeats,
    "wants-everything": wants_everything,
    "wants-again": wants_again,
    "reads-slowly": reads_slowly,
    "giant-frames": giant_frames,
    "garbage": garbage,
    "missing-parents": missing_parents,
    "missing-parents-in-silence": missing_parents_in_silence,
    "equivocates": equivocates,
}


async def _orphans(talk: Talk, forger: Forger) -> None:
    sequence = 1_000_000
    while True:
        made = forger.chain_after(sequence, EventId(os.urandom(32)), 16)
        await talk.send(Events(talk.target.epoch, tuple(made), last=False))
        sequence += 32
        await asyncio.sleep(0.01)


async def _answer_nothing(talk: Talk) -> None:
    while True:
        for frame in await talk.read():
            if isinstance(frame, Want):
                await talk.send(Events(frame.epoch, (), last=True))


def _spoilt(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _id(talk: Talk, data: bytes) -> EventId:
    target = talk.target
    return decode_event(data, network_id=target.genesis.network_id, epoch=target.epoch).id
