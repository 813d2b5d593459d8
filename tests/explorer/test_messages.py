"""The explorer's messages: what is unread is counted right, whatever there is of it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.explorer.conftest import OpenWindow
from tests.explorer.window import PHONE, WAIT_S
from tests.network.devnet import Devnet

READER, WRITER, OTHER = 3, 4, 2
MANY = 230
"""More than an answer of the cell has unless it is asked for more."""


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def unread(page: Page, name: str) -> Locator:
    return row(page, name).get_by_role("cell").nth(2)


def test_all_that_is_unread_is_counted_and_marked_by_conversation(
    open_window: OpenWindow, net: Devnet
) -> None:
    reader, writer, other = (net.client(at).status() for at in (READER, WRITER, OTHER))
    told, asked = net.client(WRITER), net.client(OTHER)
    sent = [told.send_message(to=reader["name"], text=f"Row {at}") for at in range(MANY)]
    room = told.create_room("greenhouse", [reader["name"], other["name"]])
    said = told.send_message(room=room["id"], text="It is warm here.")
    for talk in (sent[-1], said):
        for message in talk["messages"]:
            told.message(message["id"], wait="delivered", timeout_s=WAIT_S)
    answer = asked.send_message(room=room["id"], text="Is it?", wait="delivered", timeout_s=WAIT_S)
    assert len(answer["messages"]) == 2

    page = open_window(cell=READER).open("#/messages")
    expect(unread(page, writer["name"])).to_have_text(str(MANY))
    expect(unread(page, "room greenhouse")).to_have_text("3")  # the first says who is in it
    expect(row(page, "room greenhouse")).to_contain_text("Is it?")

    page.get_by_role("link", name="room greenhouse").click()
    talk_of_room = page.get_by_role("list", name="Messages, the oldest first")
    expect(talk_of_room.get_by_text("It is warm here.")).to_be_visible()
    page.get_by_role("button", name="Mark 3 messages as read").click()
    expect(page.get_by_role("button", name="as read")).to_have_count(0)
    told.send_message(to=reader["name"], text="Goodbye.", wait="delivered", timeout_s=WAIT_S)

    # What a sender said before it in another place was read, too.
    page.get_by_role("link", name="All messages").click()
    expect(unread(page, writer["name"])).to_have_text("1")
    expect(unread(page, "room greenhouse")).to_have_text("–")
    page.get_by_role("link", name=writer["name"], exact=True).click()
    expect(page.get_by_text("Goodbye.")).to_be_visible()
    expect(page.get_by_text("It is warm here.")).to_have_count(0)
    page.get_by_role("button", name="Mark one message as read").click()
    expect(page.get_by_role("button", name="as read")).to_have_count(0)
    assert net.client(READER).conversations(cell=writer["name"])["items"][0]["unread"] == 0


def test_what_is_said_to_a_room_is_shown_once_with_how_far_it_came(
    open_window: OpenWindow, net: Devnet
) -> None:
    cell = net.client(OTHER)
    names = [net.client(at).status()["name"] for at in (1, READER, WRITER)]
    room = cell.create_room("shed", names)
    asked = {"room": room["id"], "text": "Who has the spade?"}
    for _ in range(2):
        cell.send_message(**asked, wait="delivered", timeout_s=WAIT_S)
    window = open_window(PHONE, cell=OTHER)
    page = window.open(f"#/messages/room/{room['id']}")
    expect(page.get_by_role("heading", name="Room shed")).to_be_visible()
    said = page.get_by_role("listitem").filter(has_text="Who has the spade?")
    expect(said).to_have_count(2)
    expect(said.first).to_contain_text("delivered 3 of 3")
    assert window.overflow_px() == 0
    window.shoot("room")
