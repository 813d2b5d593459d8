"""What a cell says of itself: kept by its nucleus, shown to clients and cells it trusts. Pure.

    ["myceld/cell/1", name, version, role, started ms, stopped ms, [service, …], [[key, value], …]]

`stopped` is the end of the last life that ended as asked, 0 if there was none. The pairs are the
free metadata of the configuration, in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import Value, as_array, as_int, as_text, decode, encode
from core.errors import MyceldError
from identity.errors import BadRecord
from identity.service_limits import (
    DESCRIBED_SERVICES_MAX,
    DESCRIBED_WORD_LENGTH_MAX,
    DESCRIPTION_SIZE_BYTES_MAX,
    METADATA_KEY_LENGTH_MAX,
    METADATA_PAIRS_MAX,
    METADATA_VALUE_LENGTH_MAX,
)

_DOMAIN: Final = "myceld/cell/1"


@dataclass(frozen=True, slots=True)
class Description:
    """One cell, at the time it was asked."""

    name: str
    version: str
    role: str
    """`sclerotium` (a member with a vote) or `rhizomorph`."""
    started_ms: int
    stopped_ms: int
    services: tuple[str, ...]
    metadata: tuple[tuple[str, str], ...]

    def encode(self) -> bytes:
        """Return the bytes that another cell is told."""
        pairs: list[Value] = [[key, value] for key, value in self.metadata]
        return encode(
            [
                *(_DOMAIN, self.name, self.version, self.role, self.started_ms, self.stopped_ms),
                *(list(self.services), pairs),
            ]
        )


def decode_description(data: bytes) -> Description:
    """Return what a cell says of itself, every text printable; raises BadRecord."""
    try:
        items = as_array(decode(data, size_bytes_max=DESCRIPTION_SIZE_BYTES_MAX), length=8)
        _check_domain(items[0])
        services = as_array(items[6], length_max=DESCRIBED_SERVICES_MAX)
        return Description(
            _word(items[1]),
            _word(items[2]),
            _word(items[3]),
            as_int(items[4]),
            as_int(items[5]),
            tuple(_word(one) for one in services),
            _metadata(as_array(items[7], length_max=METADATA_PAIRS_MAX)),
        )
    except BadRecord:
        raise
    except MyceldError as error:
        raise BadRecord(f"no description of a cell: {error.detail}") from error


def check_metadata(pairs: Sequence[tuple[str, str]]) -> None:
    """Raise BadRecord for what is no metadata of a cell."""
    if len(pairs) > METADATA_PAIRS_MAX:
        raise BadRecord(f"{len(pairs)} pairs of metadata, at most {METADATA_PAIRS_MAX}")
    keys = [key for key, _ in pairs]
    if keys != sorted(set(keys)):
        raise BadRecord("keys of metadata are there once, in order")
    for key, value in pairs:
        if not 0 < len(key) <= METADATA_KEY_LENGTH_MAX or len(value) > METADATA_VALUE_LENGTH_MAX:
            raise BadRecord(
                f"a key has 1 to {METADATA_KEY_LENGTH_MAX} letters, a value at most "
                f"{METADATA_VALUE_LENGTH_MAX}"
            )
        if not (key + value).isprintable():
            raise BadRecord("metadata is printable")


def _metadata(items: Sequence[Value]) -> tuple[tuple[str, str], ...]:
    halves = [as_array(item, length=2) for item in items]
    pairs = tuple(
        (
            as_text(key, length_max=METADATA_KEY_LENGTH_MAX),
            as_text(value, length_max=METADATA_VALUE_LENGTH_MAX),
        )
        for key, value in halves
    )
    check_metadata(pairs)
    return pairs


def _check_domain(item: Value) -> None:
    if as_text(item, length_max=len(_DOMAIN)) != _DOMAIN:
        raise BadRecord("no description of a cell")


def _word(item: Value) -> str:
    word = as_text(item, length_max=DESCRIBED_WORD_LENGTH_MAX)
    if not word.isprintable():
        raise BadRecord("a description is printable")
    return word
