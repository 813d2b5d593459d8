"""Decoders of who asks at the gateway, of subscriptions, and of the log of the state's pages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from gateway import grants, stream_asks
from gateway.errors import BadRequest, GrantsUnusable
from gateway.limits import GRANTS_FILE_SIZE_BYTES_MAX, STREAM_COMMAND_SIZE_BYTES_MAX
from gateway.policy import GRANTABLE
from identity.errors import BadRecord
from identity.request_signature import Asked, SignedRequest, sign_request
from ledger.errors import PageLogLost
from ledger.page import PATCHED_BYTES
from ledger.patches import decode_log, encode_log
from myceld.errors import CellAnswerUnreadable, CellRefused
from myceld.limits import FRAME_SIZE_BYTES_MAX
from myceld.streams import ItemStream
from tests.fuzz.mutations import Form
from tests.fuzz.samples import DIGEST
from tests.fuzz.target import REFUSED, Target
from tests.ledger.world import KEYS, NETWORK

_HEADERS_SIZE_BYTES_MAX: Final = 64 << 10
_CELL: Final = KEYS[0].cell_id


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (*_callers(), *_subscriptions(), _page_log())


def _callers() -> tuple[Target, ...]:
    asked = Asked(NETWORK, _CELL, "GET", "/api/v1/status")
    signed = sign_request(KEYS[1], asked, b"", time_ms=1_700_000_000_000, nonce=bytes(16))
    return (
        Target(
            name="tokens and keys of a cell",
            decode=lambda data: grants._parsed(data, Path("grants.json")),
            samples=(_grants(), grants._shown("abcdefgh", ()).encode()),
            errors=(GrantsUnusable,),
            form=Form.JSON,
            covers=("gateway/grants.py:_parsed",),
            size_bytes_max=GRANTS_FILE_SIZE_BYTES_MAX + 1,
        ),
        Target(
            name="signature of a request",
            decode=lambda data: SignedRequest.parse(data.decode("latin-1")),
            encode=lambda found: found.header().partition(" ")[2].encode(),
            samples=(signed.header().partition(" ")[2].encode(),),
            errors=(BadRecord,),
            form=Form.TEXT,
            covers=("identity/request_signature.py:SignedRequest.parse",),
            size_bytes_max=_HEADERS_SIZE_BYTES_MAX,
        ),
        Target(
            name="text of a token",
            decode=grants.mark_of,
            samples=(grants.token_text("abcdefgh", DIGEST).encode(),),
            errors=(),
            form=Form.TEXT,
            size_bytes_max=_HEADERS_SIZE_BYTES_MAX,
        ),
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
            covers=("myceld/streams.py:ItemStream._parsed",),
            size_bytes_max=FRAME_SIZE_BYTES_MAX,
        ),
    )


def _page_log() -> Target:
    patch = bytes(range(PATCHED_BYTES))
    log = encode_log({7: patch, 2**40: 3 * patch})
    return Target(
        name="log of the state's pages",
        decode=_log,
        samples=(log, encode_log({1: patch})),
        errors=(),
        form=Form.BINARY,
        covers=("ledger/patches.py:decode_log",),
        wrap=_checked,
    )


def _grants() -> bytes:
    """Return the file of a cell with a token and a key."""
    scopes = GRANTABLE[:2]
    token = grants.Grant("", "deploy", scopes, 1_700_000_000_000, 0, 60, token_hash=DIGEST)
    key = grants.Grant("", "ci", scopes, 1, 2, 0, public_key=KEYS[1].public_key, revoked_ms=3)
    named = [replace(one, id=(one.token_hash or one.public_key).hex()[:16]) for one in (token, key)]
    return grants._shown("abcdefgh", named).encode()


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
    stream = ItemStream(lambda: ("", ""), {"subscribe": "rounds"})
    try:
        return stream._parsed(data.decode("utf-8", "replace")), stream.cursor
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
