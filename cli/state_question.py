"""Asking another cell for a value, by a message, and showing the checked answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from cli import show
from cli.errors import QueryUnanswered
from cli.execute import answer_to
from cli.options import Common
from core.codec import as_array, as_bytes, decode
from core.errors import MyceldError
from ledger.kinds import VALUE_PREFIX, check_key
from ledger.state_proof import (
    NoAnswer,
    StateAnswer,
    StateQuestion,
    decode_message,
    encode_message,
)


def ask_and_show(common: Common, to: str, key: str) -> None:
    """Ask a cell for the value at a key; raises QueryUnanswered."""
    until_s = time.monotonic() + common.timeout_s
    body = encode_message(StateQuestion(VALUE_PREFIX + check_key(key)))
    with common.client() as cell:
        sent = cell.send_message(to=to, type="QUERY", body_hex=body.hex())
        item = answer_to(cell, sent["messages"][0], until_s, _number_in)
    answer = decode_message(bytes.fromhex(item["body_hex"] or ""))
    if not isinstance(answer, StateAnswer):
        raise QueryUnanswered(f"{to} has no proof to give now")
    value = None
    if answer.value is not None:
        value = as_bytes(as_array(decode(answer.value), length=3)[0])
    if common.as_json:
        show.as_json(
            {
                "key": key,
                "value_hex": None if value is None else value.hex(),
                "round": answer.header.round,
                "state_root": answer.header.state_root.hex(),
                "message": item["id"],
            }
        )
    elif value is None:
        show.line(f"no value, proven in round {show.number(answer.header.round)}")
    else:
        show.line(show.safe(value.decode(errors="replace")))


def _number_in(item: Mapping[str, Any]) -> int | None:
    try:
        message = decode_message(bytes.fromhex(item["body_hex"] or ""))
    except MyceldError:
        return None
    return message.number if isinstance(message, StateAnswer | NoAnswer) else None
