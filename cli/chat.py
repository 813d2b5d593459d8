"""`myceld chat`: a conversation at a terminal, or from a pipe.

What comes is printed by a thread with a client of its own, while the main thread waits for lines.
Lines of a pipe are sent one after the other; at its end it is waited until all have arrived.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

import click

from cli import show
from cli.message import check_sent, destination, mark_read, member_names, shown
from cli.options import Common, common_options
from core.errors import MyceldError
from myceld.client import Client

_HISTORY: Final = 10
_STEP_S: Final = 1.0
"""How long the thread may go on after the last line."""


@click.command()
@click.argument("to", metavar="CELL|ROOM")
@common_options
def chat(common: Common, to: str) -> None:
    """Talk with a cell (its id, or a member's name) or in a room; ends with Ctrl-D.

    Each line that is typed is a message. From a pipe, every line is sent, and it ends when all have
    been delivered; --timeout is for that.

    \b
    Examples:
      myceld chat grace
      printf 'one\\ntwo\\n' | myceld chat garden --timeout 60
    """
    is_terminal = sys.stdin.isatty()
    with common.client() as cell:
        where = destination(cell, to)
        listener = _Listener(common, cell, where, member_names(cell))
        if is_terminal:
            listener.show_history(cell)
        if not common.as_curl:
            listener.start()
        sent: list[int] = []
        try:
            while (line := _read_line(is_terminal)) is not None:
                if line:
                    sent += _say(common, cell, where, line)
            if not is_terminal:
                wait_s = common.timeout_s
                ends = [cell.message(one, wait="delivered", timeout_s=wait_s) for one in sent]
                check_sent(ends)
        finally:
            if not common.as_curl:
                listener.stop()


class _Listener:
    """Prints what comes of one conversation, from a thread."""

    def __init__(
        self, common: Common, cell: Client, where: Mapping[str, Any], names: dict[str, str]
    ) -> None:
        self._as_json = common.as_json
        self._names = names
        self._cell = cell.twin()
        self._query: dict[str, Any] = {"way": "received", **_query_of(where)}
        newest = cell.message_list(limit=1)["messages"]
        self._after = newest[0]["id"] if newest else -1
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def start(self) -> None:
        """Begin to print."""
        self._thread.start()

    def stop(self) -> None:
        """Print no more; what came until now is there."""
        self._over.set()
        self._thread.join(timeout=10 * _STEP_S)

    def show_history(self, cell: Client) -> None:
        """Print the end of the conversation."""
        query = {name: value for name, value in self._query.items() if name != "way"}
        items = cell.message_list(limit=_HISTORY, **query)["messages"][::-1]
        for item in items:
            self._show(item)
        mark_read(cell, [item for item in items if item["way"] == "received"])

    def _listen(self) -> None:
        try:
            while not self._over.is_set():
                page = self._cell.next_messages(after=self._after, timeout_s=_STEP_S, **self._query)
                for item in page["messages"]:
                    self._after = item["id"]
                    self._show(item)
                mark_read(self._cell, page["messages"])
        except MyceldError as error:
            sys.stderr.write(f"no more messages are shown: {show.safe(error)}\n")
        finally:
            self._cell.close()

    def _show(self, item: Mapping[str, Any]) -> None:
        if self._as_json:
            show.as_json(item)
        elif item["text"] != "":
            mine = {item["cell"]: "me"} if item["way"] == "sent" else self._names
            show.line(shown(item, mine))
            show.flush()


def _say(common: Common, cell: Client, where: Mapping[str, Any], text: str) -> list[int]:
    answer = cell.send_message(text=text, **where)
    if common.as_json:
        show.as_json(answer)
    return [item["id"] for item in answer["messages"]]


def _read_line(is_terminal: bool) -> str | None:  # noqa: FBT001 - of standard input
    """Return the next line, None at the end."""
    if is_terminal:
        try:
            return input("> ")
        except EOFError:
            return None
    line = sys.stdin.readline()
    return line.rstrip("\r\n") if line else None


def _query_of(where: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"room": where["room"]} if "room" in where else {"cell": where["to"], "direct": 1}
