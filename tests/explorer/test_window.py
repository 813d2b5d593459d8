"""What the tests of pages rest on: a window notices what no page may do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.explorer.window import PHONE, Window

URL = "http://127.0.0.1:9"
"""Nothing listens there: the tests answer themselves."""
HEAD = "<title>t</title><meta name=viewport content='width=device-width'>"


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    opened = Window(browser, URL, "a token", PHONE)
    yield opened
    opened.close()


def show(window: Window, body: str) -> None:
    window.page.route(
        "**/*",
        lambda route: route.fulfill(
            body=f"<!doctype html><html lang=en>{HEAD}<main><h1>t</h1>{body}</main>",
            content_type="text/html",
        ),
    )
    window.open()


def test_a_page_that_does_nothing_wrong_has_no_problem(window: Window) -> None:
    show(
        window, "<label>name <input></label><script>token = sessionStorage['myceld-token']</script>"
    )
    assert window.page.evaluate("token") == "a token"
    assert window.problems == []
    assert window.breaches() == []
    assert window.overflow_px() == 0


def test_errors_and_requests_to_elsewhere_are_noticed(window: Window) -> None:
    show(window, "<script>console.error('broken')</script><script>null.x</script>")
    window.page.evaluate("fetch('http://127.0.0.2:9/', {mode: 'no-cors'})")
    told, thrown, outside = window.problems
    assert told.startswith("console: broken")
    assert thrown.startswith("thrown: ")
    assert outside == "outside request: http://127.0.0.2:9/"
    with window.expects("again$|again "):
        window.page.evaluate("console.error('again')")
    assert len(window.problems) == 3


def test_missing_labels_and_overflow_are_noticed(window: Window) -> None:
    show(window, "<input><div style='width: 500px'>wide</div>")
    assert [breach.partition(":")[0] for breach in window.breaches()] == ["label"]
    assert window.overflow_px() > 100
