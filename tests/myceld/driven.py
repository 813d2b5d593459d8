"""A client of either kind, driven the same way, so that one test says what both must do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from itertools import islice
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import pytest

from myceld import AsyncClient, Client

Kind: TypeAlias = type[Client] | type[AsyncClient]

KINDS: Final = pytest.mark.parametrize("kind", [Client, AsyncClient])


class Driven:
    """A client of either kind, whose calls are run to their end."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client: Any = client
        self.runner = asyncio.Runner() if isinstance(client, AsyncClient) else None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def called(*args: object, **kwargs: object) -> Any:  # noqa: ANN401 - any answer
            result = getattr(self.client, name)(*args, **kwargs)
            return result if self.runner is None else self.runner.run(_awaited(result))

        return called

    def first(self, count: int, name: str, *args: object, **kwargs: object) -> list[Any]:
        """Return the first items of a stream."""
        stream = getattr(self.client, name)(*args, **kwargs)
        if self.runner is None:
            with contextlib.closing(stream):
                return list(islice(stream, count))
        return self.runner.run(_first(count, stream))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if self.runner is not None:
            self.runner.close()


async def _awaited(result: Any) -> Any:  # noqa: ANN401 - any answer
    return await result


async def _first(count: int, stream: Any) -> list[Any]:  # noqa: ANN401 - either kind of stream
    found = []
    close = stream.close if hasattr(stream, "close") else stream.aclose
    try:
        async for item in stream:
            found.append(item)
            if len(found) == count:
                break
    finally:
        await close()
    return found
