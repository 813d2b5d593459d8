"""What the calls of both clients are made of: each is described once, as a question to a cell.

    @call
    def receipt(self, transaction_id: str) -> Question[ReceiptView]: ...

`Client.receipt` then returns a ReceiptView, `AsyncClient.receipt` an awaitable one: both have the
same calls, and differ in how they ask. Nothing here knows a socket.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeAlias, TypeVar, overload
from urllib.parse import quote, urlencode

from myceld.limits import WAIT_GRACE_S, WAIT_S_MAX

T = TypeVar("T")
P = ParamSpec("P")

JsonObject: TypeAlias = dict[str, Any]
"""An object that is sent, as documented in docs/api.md."""


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """One request, and how its answer is read."""

    method: str
    target: str
    """Path and query, as they stand in the request line."""
    body: bytes | None = None
    deadline_s: float | None = None
    """Of the whole exchange; None: what the client allows."""
    read: Callable[[Any], Any] | None = None
    """Makes the result of the answer, which is a JSON object; None: it is the answer."""
    is_text: bool = False
    """Whether the answer is text, and no JSON."""

    def then(self, read: Callable[[Any], T]) -> Question[T]:
        """Return the same question, from whose answer something is made."""
        return Question(
            self.method, self.target, self.body, self.deadline_s, read, is_text=self.is_text
        )


class Asks(ABC):
    """A client that waits for answers."""

    @abstractmethod
    def ask(self, question: Question[T]) -> T:
        """Return the answer; raises what the client's class says."""


class AsksAsync(ABC):
    """A client whose answers are awaited."""

    @abstractmethod
    async def ask(self, question: Question[T]) -> T:
        """Return the answer; raises what the client's class says."""


class Call(Generic[P, T]):
    """A method of both clients: its description is asked as a question."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Question[T]]) -> None:
        self.describe = describe
        update_wrapper(self, describe)

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...

    @overload
    def __get__(self, client: Asks, owner: type) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: AsksAsync, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, client: object, owner: type) -> object:
        return self if client is None else MethodType(self, client)

    def __call__(self, client: Any, *args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - see __get__
        """Ask, by what the client is."""
        return client.ask(self.describe(client, *args, **kwargs))


def call(describe: Callable[Concatenate[Any, P], Question[T]]) -> Call[P, T]:
    """Make a method of both clients of what describes its question."""
    return Call(describe)


def at(template: str, **parts: object) -> str:
    """Return a path with its parts filled in."""
    return template.format_map({name: quote(str(part), safe="") for name, part in parts.items()})


def get(
    path: str, query: Mapping[str, object] | None = None, *, deadline_s: float | None = None
) -> Question[Any]:
    """Ask for something."""
    target = f"{path}?{urlencode(query)}" if query else path
    return Question("GET", target, deadline_s=deadline_s)


def get_text(path: str) -> Question[str]:
    """Ask for something that is no JSON."""
    return Question("GET", path, is_text=True)


def get_at(path: str, wait: str | None, timeout_s: float) -> Question[Any]:
    """Ask for something once it has come as far as `wait`, if that is given."""
    if wait is None:
        return get(path)
    asked_s = min(timeout_s, WAIT_S_MAX)
    query = {"wait": wait, "timeout_s": asked_s}
    return get(path, query, deadline_s=asked_s + WAIT_GRACE_S)


def send(path: str, fields: Mapping[str, object] | None = None) -> Question[Any]:
    """Have something done."""
    return Question("POST", path, json.dumps(fields or {}).encode())


def submit(path: str, fields: Mapping[str, object], wait: str, timeout_s: float) -> Question[Any]:
    """Have something done, and wait until it has come as far as `wait`."""
    asked_s = min(timeout_s, WAIT_S_MAX)
    body = json.dumps({**fields, "wait": wait, "timeout_s": asked_s}).encode()
    return Question("POST", path, body, asked_s + WAIT_GRACE_S)


def given(**fields: object) -> JsonObject:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}
