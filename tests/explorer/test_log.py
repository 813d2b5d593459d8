"""The page of the cell's log: sifted, followed, never moving under who reads; levels change."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, Route, expect

from tests.explorer.conftest import OpenWindow
from tests.explorer.window import PHONE
from tests.network.devnet import Devnet

HELD = 2000
"""Lines that a cell has in memory."""
SHOWN = 200
"""Lines that are in the page before more are asked for."""


class FakeLog:
    """Answers as a cell that logged so many lines; it holds the newest."""

    def __init__(self, page: Page, count: int) -> None:
        self.count = count
        page.route("**/api/v1/logs?*", self._answer)

    def _answer(self, route: Route) -> None:
        after = int(re.findall(r"after=(\d+)", route.request.url)[0])
        first = max(after, self.count - HELD)
        numbers = range(first, min(self.count, first + 1000))
        items = [
            {
                "number": number,
                "level": "warning" if number % 100 == 0 else "info",
                "component": "peers",
                "text": json.dumps({"timestamp": "2026-01-02T03:04:05Z", "event": f"No {number}."}),
            }
            for number in numbers
        ]
        following = numbers.stop if numbers else self.count
        answer = {"items": items, "next": following, "dropped": 0}
        route.fulfill(body=json.dumps(answer), content_type="application/json")


def test_the_log_is_sifted_and_followed_and_its_levels_change(
    open_window: OpenWindow, net: Devnet
) -> None:
    page = open_window().open("#/logs?part=peers")
    lines = page.get_by_role("list", name="Lines of the log").get_by_role("listitem")
    expect(lines.filter(has_text="peer connected").first).to_be_visible()
    page.get_by_label("Part", exact=True).select_option("")
    net.client(1).reload_config()
    expect(lines.filter(has_text="configuration read again").first).to_be_visible()
    page.get_by_label("Part", exact=True).select_option("assembly")
    expect(lines.filter(has_text="peer connected")).to_have_count(0)
    expect(lines.filter(has_text="replayed")).to_have_count(1)
    page.get_by_label("Level").select_option("error")
    expect(page.get_by_text("No line in memory is like that.")).to_be_visible()
    assert page.url.endswith("#/logs?level=error&part=assembly")
    page.get_by_label("Of part").select_option("mdns")
    page.get_by_label("Log from").select_option("error")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_text("mdns from error on")).to_be_visible()
    assert net.client(1).log_levels()["levels"]["mdns"] == "error"


def test_a_full_log_is_read_in_parts_and_does_not_move_under_who_reads(
    open_window: OpenWindow,
) -> None:
    window = open_window(PHONE)
    page = window.page
    log = FakeLog(page, 5000)
    window.open("#/logs")
    lines = page.get_by_role("list", name="Lines of the log").get_by_role("listitem")
    expect(lines).to_have_count(SHOWN)
    expect(lines.first).to_contain_text("No 4999.")
    lines.nth(50).scroll_into_view_if_needed()
    log.count += 3
    page.get_by_role("button", name="Show 3 new lines").click()
    expect(lines.first).to_contain_text("No 5002.")
    expect(lines.first).to_be_in_viewport()
    expect(lines).to_have_count(SHOWN)
    page.get_by_role("button", name="Show 200 earlier").click()
    expect(lines).to_have_count(2 * SHOWN)
    page.get_by_label("With the words").fill("no 31")
    expect(lines).to_have_count(100)  # from 3100 on, as far as it is held
    page.get_by_label("With the words").fill("")
    page.get_by_label("Level").select_option("warning")
    expect(lines).to_have_count(HELD // 100)
    assert window.overflow_px() == 0
    page.get_by_label("Level").select_option("debug")
    page.get_by_role("button", name="Follow").click()
    log.count = 1  # the cell was started again, and counts anew
    page.get_by_role("button", name="Show 1 new line", exact=True).click()
    expect(lines.first).to_contain_text("No 0.")
