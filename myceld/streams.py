"""Subscriptions of a client: an iterator over what comes, across lost connections.

    for frame in cell.subscribe("state:club/", after_round=120):
        print(frame["round"], frame["item"]["key"], frame["cursor"])

A connection that is lost, or that the cell closes because it stops or we were too slow, is made
again and goes on behind the last cursor: nothing is missed and nothing comes twice. That holds
across programs, too: begin with `after` and the cursor that was kept. Peers have no history; their
subscription begins with all of them each time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final, Self

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from core.errors import MyceldError
from core.json_text import NotJson, parse_json
from myceld.calls import JsonObject
from myceld.errors import CellAnswerUnreadable, CellRefused, CellUnreachable
from myceld.limits import (
    FRAME_SIZE_BYTES_MAX,
    STREAM_PATIENCE_S_DEFAULT,
    STREAM_RETRY_S_MAX,
    STREAM_RETRY_S_MIN,
    TIMEOUT_S_DEFAULT,
)

_PATH: Final = "/api/v1/stream"
_NAME: Final = "items"
_TOKEN_ENDED: Final = (1008, 4401)
_TRY_AGAIN: Final = 503


class ItemStream:
    """What a subscription brings. For one thread; `close` ends it, from another one too.

    Iterating raises CellRefused when the cell refuses the subscription or the token has ended,
    CellUnreachable when there was no connection for `patience_s` (at once, for the first one), and
    CellAnswerUnreadable.
    """

    def __init__(
        self,
        where: Callable[[], tuple[str, str]],
        wish: JsonObject,
        *,
        patience_s: float = STREAM_PATIENCE_S_DEFAULT,
    ) -> None:
        """`where` gives URL and token, again for each connection. `wish` as in docs/api.md."""
        self._where = where
        self._wish = {**wish, "subscription": _NAME}
        self._patience_s = patience_s
        self._wire: ClientConnection | None = None
        self._is_closed = False
        self.cursor: str | None = wish.get("after")
        """Behind the last item that was handed out, or where the subscription began."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the subscription; safe to repeat."""
        self._is_closed = True
        if self._wire is not None:
            self._wire.close()

    def __iter__(self) -> Iterator[JsonObject]:
        """Yield frames: subscription, kind, round, cursor, item."""
        while not self._is_closed:
            with ExitStack() as stack:
                self._wire = wire = self._connected(stack)
                try:
                    for text in wire:
                        frame = self._parsed(text)
                        if frame is not None:
                            yield frame
                except ConnectionClosed:
                    pass  # its close code says why, as that of a clean end does
                self._look_at_end(wire)

    def _connected(self, stack: ExitStack) -> ClientConnection:
        """Return a connection on which the subscription was asked for."""
        begun_s, pause_s = time.monotonic(), STREAM_RETRY_S_MIN
        while True:
            try:
                return self._connect(stack)
            except CellUnreachable:
                is_first = self._wire is None
                if is_first or time.monotonic() + pause_s > begun_s + self._patience_s:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, STREAM_RETRY_S_MAX)

    def _connect(self, stack: ExitStack) -> ClientConnection:
        url, token = self._where()
        try:
            opening = connect(
                "ws" + url.removeprefix("http") + _PATH,
                additional_headers={"Authorization": f"Bearer {token}"},
                compression=None,
                proxy=None,
                max_size=FRAME_SIZE_BYTES_MAX,
                open_timeout=TIMEOUT_S_DEFAULT,
            )
            wire = stack.enter_context(opening)
            wish = dict(self._wish)
            if self.cursor is not None and wish["subscribe"] != "peers":
                wish.pop("after_round", None)
                wish["after"] = self.cursor
            wire.send(json.dumps(wish))
        except InvalidStatus as error:
            raise _refusal(error.response.status_code, error.response.body) from error
        except (OSError, WebSocketException) as error:
            raise CellUnreachable(f"no cell answers at {url} ({error})") from error
        return wire

    def _parsed(self, text: str | bytes) -> JsonObject | None:
        """Return a frame with an item, None for one that only says where the subscription began."""
        try:
            frame: Any = parse_json(text)
            if "error" in frame:
                raise _refused(frame["error"], 0)
            if "subscribed" in frame:
                self.cursor = frame["cursor"] if frame["subscribed"] != "peers" else None
                return None
            self.cursor = frame["cursor"]
        except (NotJson, KeyError, TypeError) as error:
            raise CellAnswerUnreadable("the cell sent no frame of a subscription") from error
        return dict(frame)

    def _look_at_end(self, wire: ClientConnection) -> None:
        """Raise CellRefused unless it makes sense to connect again."""
        if not self._is_closed and wire.close_code in _TOKEN_ENDED:
            reason = wire.close_reason or "the token has ended"
            code, _, detail = reason.partition(": ")
            raise CellRefused(
                detail or reason,
                code=code,
                remedy="Connect again with a token that is good.",
                retryable=False,
                kind="local_misuse",
                status=401,
            )


def _refusal(status: int, body: bytes | bytearray | None) -> MyceldError:
    """Return why the cell did not take the connection; CellUnreachable if it may later."""
    try:
        answer: Any = parse_json(bytes(body or b""))
        refused = _refused(answer["error"], status)
    except (NotJson, KeyError, TypeError):
        return CellAnswerUnreadable(f"HTTP {status} instead of a WebSocket")
    if status == _TRY_AGAIN:
        return CellUnreachable(f"the cell takes no more subscribers ({refused})")
    return refused


def _refused(error: Any, status: int) -> CellRefused:  # noqa: ANN401 - parsed JSON
    """Return what the cell says; raises KeyError or TypeError."""
    if not isinstance(error, dict):
        raise TypeError("an error is an object")
    resume = error.get("resume")
    detail = str(error["message"])
    return CellRefused(
        detail if resume is None else f"{detail}; history goes on after the cursor {resume}",
        code=str(error["code"]),
        remedy=str(error["remedy"]),
        retryable=error["retryable"] is True,
        kind=str(error["type"]),
        status=status,
    )
