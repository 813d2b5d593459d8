"""One row of the journals `nucleus` and `identity`: what happened in a cell's life, and when.

["myceld/record/1", time in ms, event, subject, detail]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.codec import Value, as_array, as_int, as_text, decode, encode
from core.errors import MyceldError
from identity.errors import BadRecord
from identity.service_limits import (
    EVENT_LENGTH_MAX,
    REASON_LENGTH_MAX,
    RECORD_SIZE_BYTES_MAX,
    SUBJECT_LENGTH_MAX,
)

NUCLEUS_JOURNAL: Final = "nucleus"
IDENTITY_JOURNAL: Final = "identity"
_DOMAIN: Final = "myceld/record/1"


@dataclass(frozen=True, slots=True)
class Record:
    """One event, such as `nucleus.started`."""

    time_ms: int
    event: str
    subject: str = ""
    detail: str = ""

    def encode(self) -> bytes:
        """Return the journal's block; texts that are too long are cut."""
        subject, detail = self.subject[:SUBJECT_LENGTH_MAX], self.detail[:REASON_LENGTH_MAX]
        return encode([_DOMAIN, self.time_ms, self.event, subject, detail])


def decode_record(data: bytes) -> Record:
    """Return the record in a block; raises BadRecord."""
    try:
        items = as_array(decode(data, size_bytes_max=RECORD_SIZE_BYTES_MAX), length=5)
        return Record(
            _time(items),
            as_text(items[2], length_max=EVENT_LENGTH_MAX),
            as_text(items[3], length_max=SUBJECT_LENGTH_MAX),
            as_text(items[4], length_max=REASON_LENGTH_MAX),
        )
    except BadRecord:
        raise
    except MyceldError as error:
        raise BadRecord(f"not a row of a journal of events: {error.detail}") from error


def _time(items: Sequence[Value]) -> int:
    if as_text(items[0], length_max=len(_DOMAIN)) != _DOMAIN:
        raise BadRecord("not a row of a journal of events")
    return as_int(items[1])
