"""One decoder, as the fuzzer sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from core.errors import MyceldError
from tests.fuzz.mutations import Form


class Refused(Enum):
    """The answer of decoders that refuse without an error."""

    REFUSED = 0


REFUSED: Final = Refused.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A row of the table."""

    name: str
    decode: Callable[[bytes], Any]
    """Gives the decoded object, or REFUSED where the decoder says None or False for bad input."""
    samples: tuple[bytes, ...]
    """Valid inputs, with which the changes begin."""
    errors: tuple[type[MyceldError], ...]
    """Exactly those that may come out."""
    form: Form = Form.MSGPACK
    covers: tuple[str, ...] = ()
    """The functions that this fuzzes, as `folder/file.py:Class.function`."""
    encode: Callable[[Any], bytes | None] | None = None
    """The inverse, where the format is canonical; None for an object without one."""
    wrap: Callable[[bytes], bytes] | None = None
    """Puts what was changed into a valid envelope, for most inputs: else a checksum hides all."""
    own: bool = False
    """Whether the user's own programs write it, to be read by one that ends: then only the errors
    are judged, not time and memory."""
    free_bytes: int = 64 * 1024
    """Memory that does not count: what the interpreter takes for a few bytes, and 32 KiB that the
    codec leaves to small messages."""
    size_bytes_max: int = 1 << 20
    """The longest input that can come here: what reads it from a stream or file is bounded."""
