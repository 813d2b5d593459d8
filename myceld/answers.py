"""What a cell's answer means, for both clients: an object, a refusal, or no cell's at all."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from myceld.errors import CellAnswerUnreadable, CellRefused, CellUnreachable
from myceld.question import JsonObject, Question

T = TypeVar("T")


def answer_to(question: Question[T], status: int, data: bytes) -> T:
    """Return what was asked for; raises CellRefused, CellUnreachable, CellAnswerUnreadable."""
    answer: Any
    if question.is_text and status < 300:
        answer = data.decode(errors="replace")
    else:
        answer = _object_of(status, data)
    result: T = answer if question.read is None else question.read(answer)
    return result


def refused(error: Any, status: int) -> CellRefused:  # noqa: ANN401 - parsed JSON
    """Return what an error object says; raises KeyError or TypeError if it is none."""
    if not isinstance(error, dict):
        raise TypeError("an error is an object")
    resume = error.get("resume")
    detail = str(error["message"])
    return CellRefused(
        detail if resume is None else f"{detail}; history goes on after the cursor {resume}",
        code=str(error["code"]),
        remedy=str(error.get("remedy", CellRefused.remedy)),
        retryable=error.get("retryable") is True,
        kind=str(error.get("type", "")),
        status=status,
    )


def _object_of(status: int, data: bytes) -> JsonObject:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) and status == 503:
        raise CellUnreachable("the cell takes no more connections", remedy="Close other clients.")
    if not isinstance(answer, dict):
        text = data[:80].decode(errors="replace").strip()
        raise CellAnswerUnreadable(f"HTTP {status} without a JSON object: {text!r}")
    if status < 300:
        return answer
    error = answer.get("error")
    if not isinstance(error, dict):
        raise CellAnswerUnreadable(f"HTTP {status} without an error object")
    raise refused({"message": f"HTTP {status}", "code": CellRefused.code, **error}, status)
