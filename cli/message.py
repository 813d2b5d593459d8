"""Messages on the command line: `send`, `inbox`, `message` and `room`. `chat` is in `cli.chat`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from cli import show
from cli.errors import BadInput, BadUsage, MessageFailed
from cli.limits import FOLLOW_STEP_S
from cli.options import LIMIT, START, Common, common_options, read_value
from myceld.client import Client

_WAIT: Final = click.Choice(["sent", "delivered", "read"])
_STATUS: Final = click.Choice(["queued", "sent", "delivered", "read", "failed"])
_ID: Final = click.IntRange(min=0, max=2**63 - 1)
_ROOM_ID: Final = re.compile(r"[0-9a-f]{32}")
_EXPIRES_S_MAX: Final = 30 * 86_400
_MULTILINE: Final = re.compile(r"\r?\n")


@click.command()
@click.argument("to", metavar="CELL|ROOM")
@click.argument("text", required=False)
@click.option("--file", "path", metavar="FILE", help="Send the text in FILE (- is standard input).")
@click.option("--wait", type=_WAIT, help="Wait until it has come so far.")
@click.option(
    "--expires",
    "expires_s",
    type=click.IntRange(1, _EXPIRES_S_MAX),
    metavar="S",
    help="Give up after so many seconds.  [default: a week]",
)
@common_options
def send(
    common: Common,
    to: str,
    text: str | None,
    path: str | None,
    wait: str | None,
    expires_s: int | None,
) -> None:
    """Send TEXT to a cell (its id, or a member's name) or to a room.

    It is encrypted for the receiver alone, and delivered once, in order, also if the receiver is
    away for days. TEXT may be @FILE, or - for standard input.

    \b
    Examples:
      myceld send grace 'the meeting is at nine'
      myceld send garden --file notes.txt --wait delivered
    """
    if (text is None) == (path is None):
        raise BadUsage("give either TEXT or --file")
    given = text if path is None else path if path == "-" else f"@{path}"
    fields: dict[str, Any] = {"text": _text(read_value(given or ""))}
    if expires_s is not None:
        fields["expires_s"] = expires_s
    with common.client() as cell:
        fields |= destination(cell, to)
        answer = cell.send_message(wait=wait, timeout_s=common.timeout_s, **fields)
    if common.as_json:
        show.as_json(answer)
    else:
        for item in answer["messages"]:
            show.line(f"message {item['id']} to {show.safe(item['cell'])}: {_status(item)}")
    check_sent(answer["messages"])


@click.command()
@click.option("--follow", is_flag=True, help="Show what comes, too, until Ctrl-C.")
@click.option("--keep-unread", is_flag=True, help="Don't tell senders that they were read.")
@click.option("--unread", is_flag=True, help="Only what was not read before.")
@click.option("--limit", type=LIMIT, default=20, show_default=True, help="Most to show at first.")
@common_options
def inbox(common: Common, *, follow: bool, keep_unread: bool, unread: bool, limit: int) -> None:
    """Show the newest messages that came, the newest last, and note that they were read.

    \b
    Example:
      myceld inbox --follow --json
    """
    query: dict[str, Any] = {"status": "delivered"} if unread else {}
    with common.client() as cell:
        names = member_names(cell)
        page = cell.message_list(limit=limit, way="received", **query)
        newest = cell.message_list(limit=1)["messages"]
        items = page["messages"][::-1]
        if common.as_json and not follow:
            show.as_json(page)
        else:
            _show_all(common, items, names)
        if not keep_unread:
            mark_read(cell, items)
        after = newest[0]["id"] if newest else -1
        while follow:
            news = cell.next_messages(after=after, timeout_s=FOLLOW_STEP_S, way="received")
            items = news["messages"]
            _show_all(common, items, names)
            if not keep_unread:
                mark_read(cell, items)
            after = max([after, *(item["id"] for item in items)])


@click.group()
def message() -> None:
    """Show sent and received messages, and how far each has come."""


@message.command(name="list")
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Most to show.")
@click.option("--offset", type=START, default=0, show_default=True, help="Leave out the newest.")
@click.option("--way", type=click.Choice(["sent", "received"]), help="Only one way.")
@click.option("--with", "cell_id", metavar="CELL", help="Only with this cell.")
@click.option("--room", metavar="ROOM", help="Only of this room.")
@click.option("--status", type=_STATUS, help="Only those that stand so.")
@common_options
def list_messages(
    common: Common, limit: int, offset: int, cell_id: str | None, room: str | None, **query: object
) -> None:
    """List messages, the newest first.

    \b
    Example:
      myceld message list --status queued
    """
    with common.client() as cell:
        chosen = {name: value for name, value in query.items() if value is not None}
        if cell_id is not None:
            chosen["cell"] = cell_id
        if room is not None:
            chosen["room"] = room_id(cell, room)
        page = cell.message_list(offset=offset, limit=limit, **chosen)
        names = member_names(cell)
    if common.as_json:
        show.as_json(page)
        return
    rows = [
        [str(item["id"]), item["way"], _other(item, names), _status(item), _first(item)]
        for item in page["messages"]
    ]
    show.table(["id", "way", "cell", "status", "text"], rows, empty="no messages")
    show.line(f"{len(rows)} of {show.number(page['total'])}")


@message.command()
@click.argument("message_id", metavar="ID", type=_ID)
@click.option("--wait", type=_WAIT, help="Wait until it has come so far.")
@common_options
def status(common: Common, message_id: int, wait: str | None) -> None:
    """Show the message ID, and how far it has come.

    \b
    Example:
      myceld message status 7 --wait read
    """
    with common.client() as cell:
        item = cell.message(message_id, wait=wait, timeout_s=common.timeout_s)
    if common.as_json:
        show.as_json(item)
    else:
        show.pairs(
            [
                ("message", str(item["id"])),
                ("from" if item["way"] == "received" else "to", show.safe(item["cell"])),
                ("first id", show.safe(item.get("first_cell") or "")),
                ("room", show.safe(item["room"]) if item["room"] else ""),
                ("type", item["type"]),
                ("status", _status(item)),
                ("written", show.moment(item["timestamp_ms"] * 1_000_000)),
                ("text", show.safe(item["text"]) if item["text"] else ""),
            ]
        )
    check_sent([item] if wait else [])


@message.command()
@click.argument("message_id", metavar="ID", type=_ID)
@common_options
def read(common: Common, message_id: int) -> None:
    """Note that the message ID was read, with all before it of its sender."""
    _answer(common, lambda cell: cell.mark_message_read(message_id), _status)


@click.group()
def room() -> None:
    """Rooms: a text to a room goes to each of its members, encrypted for each by itself."""


@room.command(name="list")
@common_options
def list_rooms(common: Common) -> None:
    """List the rooms that this cell knows."""
    with common.client() as cell:
        answer = cell.rooms()
        names = member_names(cell)
    if common.as_json:
        show.as_json(answer)
        return
    rows = [
        [
            item["id"],
            show.safe(item["name"]) + (" (left)" if item["left"] else ""),
            ", ".join(_name(member, names) for member in item["members"]),
        ]
        for item in answer["items"]
    ]
    show.table(["room", "name", "members"], rows, empty="no rooms yet")


@room.command()
@click.argument("name")
@click.argument("cells", metavar="CELL…", nargs=-1, required=True)
@common_options
def create(common: Common, name: str, cells: tuple[str, ...]) -> None:
    """Make the room NAME with this cell and others in it.

    \b
    Example:
      myceld room create garden grace alan
    """
    _answer(common, lambda cell: cell.create_room(name, cells), _room_line)


@room.command()
@click.argument("room", metavar="ROOM")
@click.argument("cells", metavar="CELL…", nargs=-1, required=True)
@common_options
def add(common: Common, room: str, cells: tuple[str, ...]) -> None:
    """Take cells into ROOM (its name, or id); they see what is said from now on."""
    _answer(common, lambda cell: cell.add_to_room(room_id(cell, room), cells), _room_line)


@room.command()
@click.argument("room", metavar="ROOM")
@common_options
def leave(common: Common, room: str) -> None:
    """Leave ROOM (its name, or id)."""
    _answer(common, lambda cell: cell.leave_room(room_id(cell, room)), _room_line)


def destination(cell: Client, to: str) -> Mapping[str, Any]:
    """Return where a message goes: the room of this name or id, or else a cell."""
    rooms = [item for item in cell.rooms()["items"] if not item["left"]]
    found = [item["id"] for item in rooms if to in (item["id"], item["name"])]
    if len(found) > 1:
        raise BadInput(f"{len(found)} rooms are called {to}; give the id of one")
    return {"room": found[0]} if found else {"to": to}


def room_id(cell: Client, room: str) -> str:
    """Return the id of a room given by its name or id."""
    found = str(destination(cell, room).get("room", room))
    if not _ROOM_ID.fullmatch(found):
        raise BadInput(f"this cell is in no room called {room}")
    return found


def member_names(cell: Client) -> dict[str, str]:
    """Return the names of the members by their cell ids."""
    return {item["cell_id"]: item["name"] for item in cell.members()["members"]}


def mark_read(cell: Client, items: Sequence[Mapping[str, Any]]) -> None:
    """Note that messages were read; the last of each sender covers those before it."""
    last = {item["cell"]: item for item in items}
    for item in last.values():
        if item["status"] != "read":
            cell.mark_message_read(item["id"])


def check_sent(items: Sequence[Mapping[str, Any]]) -> None:
    """Raise MessageFailed if a message can not be delivered."""
    failed = [item for item in items if item["status"] == "failed"]
    if failed:
        raise MessageFailed(f"message {failed[0]['id']} was not delivered: {failed[0]['why']}")


def shown(item: Mapping[str, Any], names: dict[str, str]) -> str:
    """Return a message as one line of a conversation, safe for a terminal."""
    at = show.moment(item["timestamp_ms"] * 1_000_000)[:16]
    where = f" in {item['room'][:8]}" if item["room"] else ""
    content = _first(item, length_max=1 << 20)
    return f"{at}  {_other(item, names)}{where}: {content}"


def _show_all(common: Common, items: Sequence[Mapping[str, Any]], names: dict[str, str]) -> None:
    for item in items:
        if common.as_json:
            show.as_json(item)
        elif item["text"] != "":  # which only tells of a room
            show.line(shown(item, names))
    show.flush()


def _answer(
    common: Common,
    ask: Callable[[Client], Mapping[str, Any]],
    words: Callable[[Mapping[str, Any]], str],
) -> None:
    with common.client() as cell:
        answer = ask(cell)
    if common.as_json:
        show.as_json(answer)
    else:
        show.line(words(answer))


def _room_line(item: Mapping[str, Any]) -> str:
    state = "left" if item["left"] else f"{len(item['members'])} members"
    return f"room {show.safe(item['name'])} ({item['id']}): {state}"


def _status(item: Mapping[str, Any]) -> str:
    state = str(item["status"])
    return f"failed ({show.safe(item['why'])})" if state == "failed" else state


def _other(item: Mapping[str, Any], names: dict[str, str]) -> str:
    """Return who is at the other end, and under which id first, if it took another key since."""
    first = item.get("first_cell")
    return _name(item["cell"], names) + (
        "" if first is None else f" (first {show.safe(first[-8:])})"
    )


def _name(cell_id: str, names: dict[str, str]) -> str:
    return show.safe(names.get(cell_id) or cell_id[-8:])


def _first(item: Mapping[str, Any], length_max: int = 60) -> str:
    if item["text"] is None:
        return f"<{item['type']}, {len(item['body_hex']) // 2} bytes>"
    text = " / ".join(_MULTILINE.split(item["text"].strip()))
    return show.safe(text if len(text) <= length_max else text[: length_max - 1] + "…")


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput("the text is not UTF-8") from error
    if not text:
        raise BadInput("the text is empty")
    return text
