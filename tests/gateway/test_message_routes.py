"""The routes of messages: conversations in pages, one alone, what was said outside of rooms."""

from __future__ import annotations

from gateway.message_views import RoomView
from tests.gateway.fake_cell import FakeCell
from tests.gateway.fake_messages import PEER_ID
from tests.gateway.test_gateway import Wire, serve

ROOM = "ab" * 16


def _fill(cell: FakeCell) -> None:
    cell.known_rooms[ROOM] = RoomView(ROOM, "garden", ["me", PEER_ID], 1, left=False)
    cell.receive("direct")
    cell.receive("in the room", room=ROOM)
    cell.receive("once more", room=ROOM)


def test_conversations_come_in_pages_with_what_is_unread_and_was_said_last() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        _fill(cell)
        page = (await wire.ask("GET", "/api/v1/conversations?limit=1"))[2]
        (one,) = page["items"]
        assert (one["cell"], one["room"], one["name"], one["unread"]) == (None, ROOM, "garden", 2)
        assert one["newest"]["text"] == "once more"
        page = (await wire.ask("GET", f"/api/v1/conversations?limit=2&offset={page['next']}"))[2]
        (one,) = page["items"]
        assert (one["cell"], one["room"], one["name"], one["unread"]) == (PEER_ID, None, None, 1)
        assert page["next"] is None

    serve(talk)


def test_one_conversation_is_asked_for_by_its_cell_or_its_room() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        _fill(cell)
        for query, unread in ((f"room={ROOM}", 2), (f"cell={PEER_ID}", 1)):
            (one,) = (await wire.ask("GET", f"/api/v1/conversations?{query}"))[2]["items"]
            assert one["unread"] == unread
        for wrong in (f"cell={PEER_ID}&room={ROOM}", "room=xy", "cell=", "after=1", "limit=0"):
            assert (await wire.ask("GET", f"/api/v1/conversations?{wrong}"))[0] == 400

    serve(talk)


def test_a_list_of_messages_leaves_out_what_was_said_in_rooms_if_asked() -> None:
    async def talk(wire: Wire, cell: FakeCell) -> None:
        _fill(cell)
        page = (await wire.ask("GET", f"/api/v1/messages?cell={PEER_ID}&direct=1"))[2]
        assert [one["text"] for one in page["messages"]] == ["direct"]
        assert (await wire.ask("GET", "/api/v1/messages?direct=0"))[2]["total"] == 3
        assert (await wire.ask("GET", "/api/v1/messages?direct=yes"))[0] == 400

    serve(talk)
