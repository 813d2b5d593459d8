"""Pages that draw themselves anew leave the reader, and the keyboard, where they were."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from tests.explorer.conftest import OpenWindow
from tests.explorer.window import PHONE, WAIT_S
from tests.network.devnet import Devnet

FOCUSED = "document.activeElement.getAttribute('href') ?? document.activeElement.textContent"
ASKED = "**/api/v1/services*"


def links(page: Page) -> list[str]:
    found: list[str] = page.locator("main tbody a").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    return found


def test_the_focus_stays_on_a_transaction_when_new_ones_come(
    open_window: OpenWindow, net: Devnet
) -> None:
    window = open_window()
    page = window.open("#/transactions")
    first = page.locator("main tbody a").first
    expect(first).to_be_visible()
    before = links(page)[0]
    first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    receipt = net.client(2).put("redrawing/news", b"new", wait="applied", timeout_s=WAIT_S)
    expect(page.get_by_role("link", name=receipt["id"])).to_be_visible()
    assert links(page)[0] != before
    assert page.evaluate(FOCUSED) == before


def test_what_is_as_it_was_is_not_touched(open_window: OpenWindow) -> None:
    window = open_window()
    page = window.page
    answers: list[bytes] = []

    def always_the_same(route: Route) -> None:
        if not answers:
            answers.append(route.fetch().body())
        route.fulfill(body=answers[0], content_type="application/json")

    page.route(ASKED, always_the_same)
    window.open("#/services")
    table = page.get_by_role("table").filter(has_text="consensus").first
    expect(table).to_be_visible()
    table.evaluate("element => { element.seen = true; }")
    for _ in range(2):  # when the second is asked for, the first is drawn
        with page.expect_response(ASKED):
            pass
    assert table.evaluate("element => element.seen === true")


def test_the_focus_goes_to_what_is_around_a_button_that_has_done_its_work(
    open_window: OpenWindow, net: Devnet
) -> None:
    reader, writer = net.client(4).status(), net.client(1)
    writer.send_message(to=reader["name"], text="Still here?", wait="delivered", timeout_s=WAIT_S)
    window = open_window(PHONE, cell=4)
    page = window.open(f"#/messages/cell/{writer.status()['cell_id']}")
    button = page.get_by_role("button", name="as read")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_count(0)
    assert page.evaluate("document.activeElement.className") == "stack"
    page.keyboard.press("Tab")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()


def test_names_of_members_are_offered_where_a_cell_is_asked_for(open_window: OpenWindow) -> None:
    window = open_window()
    for route in ("#/messages", "#/trust", "#/accounts"):
        page = window.open(route)
        field = page.locator("main input[list]")
        expect(field).to_be_visible()
        names = page.locator(f"datalist#{field.get_attribute('list')} option")
        assert names.evaluate_all("all => all.map(one => one.value)") == [
            f"cell-{at}" for at in range(1, 5)
        ]
    page.locator("main input[list]").fill("cell-3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Account", exact=True)).to_be_visible()
