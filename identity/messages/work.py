"""What an EXEC asks for and answers, and what a POST gives to be posted.

    ["run", name, input]                            asks the receiver to run what it calls so
    ["result", number, status, output, is_cut]      answers message `number` of the other direction
    ["post", title, content]                        has the receiver post this

A result is a message of its own, so it is signed, journaled and proven as every other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import as_array, as_bool, as_bytes, as_int, as_text, decode, encode
from core.errors import MyceldError
from identity.messages.errors import BadMessage, BodyTooLong
from identity.messages.limits import (
    BODY_SIZE_BYTES_MAX,
    NUMBER_MAX,
    POST_TITLE_LENGTH_MAX,
    RUN_INPUT_SIZE_BYTES_MAX,
    RUN_NAME_LENGTH_MAX,
    RUN_OUTPUT_SIZE_BYTES_MAX,
)

_RUN: Final = "run"
_RESULT: Final = "result"
_POST: Final = "post"


@dataclass(frozen=True, slots=True)
class Run:
    """Run the command of this name, with this on its standard input."""

    name: str
    input: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the request in message `number`: exit status, output, whether it is cut."""

    number: int
    status: int
    output: bytes
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Posting:
    """Post this content under this title."""

    title: str
    content: bytes


Work: TypeAlias = Run | Result | Posting


def encode_work(work: Work) -> bytes:
    """Return the body; raises BodyTooLong."""
    if isinstance(work, Run):
        if len(work.input) > RUN_INPUT_SIZE_BYTES_MAX:
            raise BodyTooLong(f"an input of {len(work.input)} bytes")
        return encode([_RUN, work.name, work.input])
    if isinstance(work, Posting):
        body = encode([_POST, work.title, work.content])
        if len(body) > BODY_SIZE_BYTES_MAX:
            raise BodyTooLong(f"content of {len(work.content)} bytes is too long for a message")
        return body
    return encode([_RESULT, work.number, work.status, work.output, work.is_cut])


def decode_work(body: bytes) -> Work:
    """Return what a body says; raises BadMessage."""
    try:
        items = as_array(decode(body, size_bytes_max=BODY_SIZE_BYTES_MAX), length_max=5)
        kind = as_text(items[0] if items else None, length_max=8)
        if kind == _RUN and len(items) == 3:
            name = as_text(items[1], length_max=RUN_NAME_LENGTH_MAX)
            return Run(name, as_bytes(items[2], size_max=RUN_INPUT_SIZE_BYTES_MAX))
        if kind == _POST and len(items) == 3:
            title = as_text(items[1], length_max=POST_TITLE_LENGTH_MAX)
            return Posting(title, as_bytes(items[2]))
        if kind == _RESULT and len(items) == 5:
            return Result(
                as_int(items[1], low=1, high=NUMBER_MAX),
                as_int(items[2], low=-255, high=255),
                as_bytes(items[3], size_max=RUN_OUTPUT_SIZE_BYTES_MAX),
                as_bool(items[4]),
            )
    except MyceldError as error:
        raise BadMessage(f"not a request to run something: {error.detail}") from error
    raise BadMessage("neither a request to run or post something nor a result")
