"""What one cell asks another on a stream of the identity protocol, and what is replied. Pure.

    ask    ["challenge", challenge]    prove your key: the reply is an answer
           ["prove", b""]              let me prove mine: the reply is a challenge, which the
                                       asking cell answers by a reply of its own; then `TAKEN`
           ["describe", b""]           the reply is a description of the cell
    reply  [body, code]                one of them is empty

`identity.challenge` has the bytes of challenges and answers, `identity.description` the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.codec import as_array, as_bytes, as_text, decode, encode
from core.errors import MyceldError
from identity.errors import BadChallenge
from identity.service_limits import (
    ASK_SIZE_BYTES_MAX,
    CHALLENGE_SIZE_BYTES_MAX,
    CODE_LENGTH_MAX,
    REPLY_SIZE_BYTES_MAX,
)

TAKEN: Final = b"taken"
"""The body of the last reply to a cell that proved its key by itself."""


class AskKind(StrEnum):
    """What is asked."""

    CHALLENGE = "challenge"
    PROVE = "prove"
    DESCRIBE = "describe"


@dataclass(frozen=True, slots=True)
class Ask:
    """The first message on a stream. `body` is the challenge, else empty."""

    kind: AskKind
    body: bytes = b""

    def encode(self) -> bytes:
        """Return the bytes that are sent."""
        return encode([self.kind.value, self.body])


def decode_ask(data: bytes) -> Ask:
    """Return what a cell asks; raises BadChallenge."""
    try:
        items = as_array(decode(data, size_bytes_max=ASK_SIZE_BYTES_MAX), length=2)
        word = as_text(items[0], length_max=16)
        body = as_bytes(items[1], size_max=CHALLENGE_SIZE_BYTES_MAX)
    except MyceldError as error:
        raise BadChallenge(f"not a question: {error.detail}") from error
    kind = next((kind for kind in AskKind if kind.value == word), None)
    if kind is None or bool(body) is not (kind is AskKind.CHALLENGE):
        raise BadChallenge(f"a question {word!r} with {len(body)} bytes")
    return Ask(kind, body)


def encode_reply(body: bytes, code: str) -> bytes:
    """Return what is sent back: what was asked for, or nothing and the code that says why."""
    return encode([body, code])


def decode_reply(data: bytes) -> tuple[bytes, str]:
    """Return body and code of a reply, one of them empty; raises BadChallenge."""
    try:
        items = as_array(decode(data, size_bytes_max=REPLY_SIZE_BYTES_MAX), length=2)
        body = as_bytes(items[0], size_max=REPLY_SIZE_BYTES_MAX)
        code = as_text(items[1], length_max=CODE_LENGTH_MAX)
    except MyceldError as error:
        raise BadChallenge(f"not a reply: {error.detail}") from error
    if bool(body) == bool(code):
        raise BadChallenge("a reply has what was asked for, or a code that says why not")
    return body, code
