"""Decoders of tokens, of hellos, of subscriptions, and of the log of the state's pages."""

from __future__ import annotations

import json
from typing import Any, Final
from zlib import crc32

from core.limits import HASH_SIZE_BYTES
from gateway import grants, stream_asks
from gateway.errors import BadRequest
from gateway.hello import NotHello, groups_of
from gateway.limits import HELLO_SIZE_BYTES_MAX, STREAM_COMMAND_SIZE_BYTES_MAX
from ledger.errors import PageLogLost
from ledger.page import PATCHED_BYTES
from ledger.patches import decode_log, encode_log
from myceld.errors import CellAnswerUnreadable, CellRefused
from myceld.limits import FRAME_SIZE_BYTES_MAX
from myceld.subscription import Subscription
from tests.fuzz.mutations import Form
from tests.fuzz.samples import DIGEST
from tests.fuzz.target import REFUSED, Target

_HEADERS_SIZE_BYTES_MAX: Final = 64 << 10


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (_token(), _hello(), *_subscriptions(), _page_log())


def _token() -> Target:
    return Target(
        name="text of a token",
        decode=lambda data: _or_refused(grants.mark_of(data)),
        samples=(grants.token_text("abcdefgh", DIGEST).encode(),),
        errors=(),
        form=Form.TEXT,
        size_bytes_max=_HEADERS_SIZE_BYTES_MAX,
    )


def _hello() -> Target:
    groups = bytes.fromhex("000a 0008 0006 001d 0017 0104")
    head = b"\x03\x03" + DIGEST + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    content = head + len(groups).to_bytes(2, "big") + groups
    message = b"\x01" + len(content).to_bytes(3, "big") + content
    halves = message[:20], message[20:]
    return Target(
        name="hello of TLS",
        decode=_groups,
        samples=(_record(message), b"".join(map(_record, halves))),
        errors=(),
        form=Form.BINARY,
        size_bytes_max=HELLO_SIZE_BYTES_MAX,
    )


def _subscriptions() -> tuple[Target, ...]:
    commands: tuple[dict[str, Any], ...] = (
        {"subscribe": "transactions", "sender": "0a" * 32, "kind": "write", "after": "12"},
        {"subscribe": "state:club/", "subscription": "mine", "after": "12:club/a"},
        {"subscribe": "rounds", "after_round": 7},
        {"unsubscribe": "mine"},
    )
    refusal = {"code": "MYC-X-1", "message": "no", "remedy": "ask", "retryable": True, "type": "x"}
    frames: tuple[dict[str, Any], ...] = (
        {"subscription": "items", "kind": "rounds", "round": 7, "cursor": "7", "item": {}},
        {"subscribed": "rounds", "subscription": "items", "cursor": "7"},
        {"error": {**refusal, "resume": "7"}, "subscription": "items"},
    )
    return (
        Target(
            name="command of a subscriber",
            decode=_command,
            samples=tuple(map(_json, commands)),
            errors=(BadRequest,),
            form=Form.JSON,
            size_bytes_max=STREAM_COMMAND_SIZE_BYTES_MAX,
        ),
        Target(
            name="query for events",
            decode=_events,
            samples=(
                b"subscribe=transactions&sender=" + b"0a" * 32 + b"&kind=write\n",
                b"subscribe=rounds&subscribe=state:club/&after_round=3\n12,7%3Aclub%2Fa",
                b"subscribe=rounds\n9",
            ),
            errors=(BadRequest,),
            form=Form.TEXT,
            free_bytes=1 << 20,  # what 8 KiB of nothing but escapes take in urllib
            size_bytes_max=_HEADERS_SIZE_BYTES_MAX,
        ),
        Target(
            name="client: frame of a subscription",
            decode=_frame,
            samples=tuple(map(_json, frames)),
            errors=(CellAnswerUnreadable,),
            own=True,
            form=Form.JSON,
            size_bytes_max=FRAME_SIZE_BYTES_MAX,
        ),
    )


def _page_log() -> Target:
    leaf = bytes(range(PATCHED_BYTES))
    patch = bytes(HASH_SIZE_BYTES) + leaf
    log = encode_log({7: patch, 2**40: patch + 2 * leaf})
    return Target(
        name="log of the state's pages",
        decode=_log,
        samples=(log, encode_log({1: patch})),
        errors=(),
        form=Form.BINARY,
        covers=("ledger/patches.py:decode_log",),
        wrap=_checked,
    )


def _record(part: bytes) -> bytes:
    return b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part


def _groups(data: bytes) -> object:
    """Read a hello; one that is not whole is refused here."""
    try:
        found = groups_of(data)
    except NotHello:
        return REFUSED
    return REFUSED if found is None else sorted(found)


def _or_refused(found: object) -> object:
    return REFUSED if found is None else found


def _command(data: bytes) -> object:
    """Read a command; of one that is refused, at least the name is looked for."""
    text = data.decode("utf-8", "replace")
    try:
        return stream_asks.command(text)
    except BadRequest:
        stream_asks.name_in(text)
        raise


def _events(data: bytes) -> object:
    """Read a query and, in the second line, the header that says where to go on."""
    query, _, last_event_id = data.decode("latin-1").partition("\n")
    wishes = stream_asks.events(query, last_event_id or None)
    return [stream_asks.event_place(wish.after) for wish in wishes if wish.after is not None]


def _frame(data: bytes) -> object:
    """Read a frame; what the cell refuses is told as an error, and was read."""
    subscription = Subscription({"subscribe": "rounds"})
    try:
        return subscription.take(data.decode("utf-8", "replace")), subscription.asking()
    except CellRefused as refused:
        return str(refused)


def _log(data: bytes) -> object:
    """Read a row of the log; damage of the own disk is no error of the input."""
    try:
        return list(decode_log(data))
    except PageLogLost:
        return REFUSED


def _checked(log: bytes) -> bytes:
    """Put the right checksum behind a log that was changed."""
    return log[:-4] + crc32(log[:-4]).to_bytes(4, "big")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
