"""Small things that readers stumble over: bytes that are no text, ends of lists, wrong ids."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.explorer.conftest import OpenWindow
from tests.explorer.window import PHONE, WAIT_S
from tests.network.devnet import Devnet


def test_a_value_with_control_characters_is_shown_as_bytes(
    open_window: OpenWindow, net: Devnet
) -> None:
    cell = net.client(1)
    cell.put("details/bytes", bytes(range(4)), wait="stored")
    cell.put("details/lines", b"one\n\ttwo", wait="applied", timeout_s=WAIT_S)
    window = open_window()
    page = window.open("#/state?prefix=details/")
    expect(page.get_by_role("row").filter(has_text="bytes")).to_contain_text("0x00010203")
    expect(page.get_by_role("row").filter(has_text="lines")).to_contain_text("one")
    page = window.open("#/state/details%2Fbytes")
    expect(page.get_by_role("region", name="Value as Hex")).to_have_text("00 01 02 03")
    expect(page.get_by_role("button", name="Text")).to_have_count(0)
    page = window.open("#/state/details%2Flines")
    expect(page.get_by_role("region", name="Value as Text")).to_contain_text("two")


def test_the_last_block_has_no_later_one(open_window: OpenWindow, net: Devnet) -> None:
    lengths = {one["name"]: one["length"] for one in net.client(1).journals()["items"]}
    window = open_window()
    page = window.open(f"#/journals/nucleus/{lengths['nucleus'] - 1}")
    expect(page.get_by_text("Later block")).to_have_attribute("aria-disabled", "true")
    page = window.open("#/journals/nucleus/0")
    expect(page.get_by_role("link", name="Later block")).to_be_visible()


def test_what_is_no_id_of_a_transaction_is_said_in_words(open_window: OpenWindow) -> None:
    page = open_window(PHONE).open("#/transactions/abc")
    expect(page.get_by_role("alert")).to_contain_text("64 hex digits")


def test_two_thirds_of_the_weight_are_a_thin_line_wherever_the_reader_was_before(
    open_window: OpenWindow, net: Devnet
) -> None:
    action = {"action": "text", "hash": "cd" * 32, "url": "https://example.org/"}
    proposal = net.client(1).propose("Oil the gate", [action], wait="applied", timeout_s=WAIT_S)
    window = open_window()
    page = window.open("#/hashgraph")  # its styles stay
    expect(page.locator("canvas")).to_be_visible()
    page = window.open(f"#/governance/{proposal['id']}")
    expect(page.locator(".tally .threshold")).to_be_visible()
    width_px: float = page.locator(".tally .threshold").evaluate(
        "element => element.getBoundingClientRect().width"
    )
    assert 1 <= width_px < 6


def test_a_room_says_who_is_in_it_and_one_that_was_left_takes_no_answer(
    open_window: OpenWindow, net: Devnet
) -> None:
    cell = net.client(1)
    names = [net.client(at).status()["name"] for at in (3, 2)]
    room = cell.create_room("kitchen", names)
    window = open_window(PHONE)
    page = window.open(f"#/messages/room/{room['id']}")
    expect(page.get_by_text("You and cell-2, cell-3.")).to_be_visible()
    expect(page.get_by_label("Message", exact=True)).to_be_visible()
    cell.leave_room(room["id"])
    page.reload()
    expect(page.get_by_text("This cell has left the room.")).to_be_visible()
    expect(page.get_by_label("Message", exact=True)).to_have_count(0)


def test_escape_closes_the_menu_and_leads_back_to_its_button(open_window: OpenWindow) -> None:
    page = open_window(PHONE).open("#/rounds")
    expect(page.get_by_role("heading", name="Rounds")).to_be_visible()
    menu = page.get_by_role("button", name="Menu")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Overview")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(menu).to_have_attribute("aria-expanded", "false")
