"""What each family of the client's calls asks of the client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""One object of the API, as documented in docs/api.md."""


class Calls(ABC):
    """A part of `Client`, which brings these."""

    @abstractmethod
    def _get(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> JsonObject: ...

    @abstractmethod
    def _post(self, path: str, fields: JsonObject, wait: str, timeout_s: float) -> JsonObject: ...

    @abstractmethod
    def _send(self, path: str, fields: JsonObject) -> JsonObject: ...
