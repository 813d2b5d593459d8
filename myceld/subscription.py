"""A subscription as both clients see it: what is asked for, where it stands, what frames say.

Nothing here knows a socket. A connection that is lost, or that the cell closes because it stops or
we were too slow, is made again and goes on behind the last cursor: nothing is missed and nothing
comes twice. Peers have no history; their subscription begins with all of them each time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypedDict
from urllib.parse import urlencode

from core.errors import MyceldError
from core.json_text import NotJson, parse_json
from myceld.access import Access
from myceld.answers import refused
from myceld.basis import STREAM_PATH
from myceld.errors import CellAnswerUnreadable, CellRefused, CellUnreachable
from myceld.limits import (
    FRAME_SIZE_BYTES_MAX,
    FRAMES_QUEUED_MAX,
    STREAM_GOODBYE_S_MAX,
    TIMEOUT_S_DEFAULT,
)
from myceld.question import JsonObject

_NAME: Final = "items"
_TOKEN_ENDED: Final = (1008, 4401)
_TRY_AGAIN: Final = 503


class Frame(TypedDict):
    """One item of a subscription."""

    subscription: str
    kind: str
    """What it is: `transaction`, `round`, `message`, `peer`, `state`."""
    round: int | None
    cursor: str
    """Behind it: where a subscription goes on that begins with `after`."""
    item: dict[str, Any]
    """The view, as the call for it answers."""


_NOT_FOR_EVENTS: Final = ("after", "subscription")
"""The cursor is in the header `Last-Event-ID` there."""


class Subscription:
    """One subscription, across its connections."""

    def __init__(self, wish: Mapping[str, object]) -> None:
        """`wish` as in docs/api.md."""
        self._wish = {**wish, "subscription": _NAME}
        after = wish.get("after")
        self.cursor = after if isinstance(after, str) else None
        """Behind the last item that was handed out, or where the subscription began."""

    def events(self) -> str:
        """Return the target at which server-sent events tell the same, but for its cursor."""
        own = {name: text for name, text in self._wish.items() if name not in _NOT_FOR_EVENTS}
        return f"/api/v1/events?{urlencode(own)}"

    def asking(self) -> str:
        """Return the frame that asks for it, from where it stands."""
        wish = dict(self._wish)
        if self.cursor is not None and wish["subscribe"] != "peers":
            wish.pop("after_round", None)
            wish["after"] = self.cursor
        return json.dumps(wish)

    def take(self, text: str | bytes) -> Frame | None:
        """Return a frame with an item, None for one that only says where it began.

        Raises CellRefused, CellAnswerUnreadable.
        """
        try:
            frame: Any = parse_json(text)
            if "error" in frame:
                raise refused(frame["error"], 0)
            if "subscribed" in frame:
                self.cursor = frame["cursor"] if frame["subscribed"] != "peers" else None
                return None
            self.cursor = frame["cursor"]
            return Frame(
                subscription=frame["subscription"],
                kind=frame["kind"],
                round=frame["round"],
                cursor=frame["cursor"],
                item=frame["item"],
            )
        except (NotJson, KeyError, TypeError) as error:
            raise CellAnswerUnreadable("the cell sent no frame of a subscription") from error


def options_of(access: Access, headers: Mapping[str, str]) -> JsonObject:
    """Return how websockets connects, asynchronously or not."""
    return {
        "uri": "ws" + access.url.removeprefix("http") + STREAM_PATH,
        "additional_headers": dict(headers),
        "ssl": access.tls(),
        "compression": None,
        "proxy": None,
        "max_size": FRAME_SIZE_BYTES_MAX,
        "max_queue": FRAMES_QUEUED_MAX,
        "open_timeout": TIMEOUT_S_DEFAULT,
        "close_timeout": STREAM_GOODBYE_S_MAX,
    }


def refusal_of(status: int, body: bytes | bytearray | None) -> MyceldError:
    """Return why the cell did not take the connection; CellUnreachable if it may later."""
    try:
        answer: Any = parse_json(bytes(body or b""))
        error = refused(answer["error"], status)
    except (NotJson, KeyError, TypeError):
        return CellAnswerUnreadable(f"HTTP {status} instead of a WebSocket")
    if status == _TRY_AGAIN:
        return CellUnreachable(f"the cell takes no more subscribers ({error})")
    return error


def check_end(code: int | None, why: str | None) -> None:
    """Raise CellRefused unless it makes sense to connect again after a connection ended so."""
    if code in _TOKEN_ENDED:
        reason = why or "the token has ended"
        error_code, _, detail = reason.partition(": ")
        raise CellRefused(
            detail or reason,
            code=error_code,
            remedy="Connect again with a token that is good.",
            retryable=False,
            kind="local_misuse",
            status=401,
        )
