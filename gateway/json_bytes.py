"""The JSON of the gateway: compact UTF-8, with views as objects of their fields."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass

from gateway.errors import Unexpected


def json_bytes(content: object) -> bytes:
    """Return plain values and views as JSON."""
    return json.dumps(
        content, default=_fields_of, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def _fields_of(value: object) -> dict[str, object]:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise Unexpected(f"a {type(value).__name__} can not be shown as JSON")
