"""One browser and one devnet of real cells for all tests of the explorer.

    def test_what_must_hold(open_window: OpenWindow, net: Devnet) -> None:
        window = open_window()                       # or open_window(PHONE), open_window(DARK)
        page = window.open("#/rounds")
        expect(page.get_by_role("heading", name="Rounds")).to_be_visible()
        assert window.breaches() == []
        window.shoot("rounds")

A window that had a problem (see `window.Window`) fails its test. Cells are shared: a test adds to
what they hold and stops none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest
from playwright.sync_api import Browser, sync_playwright

from myceld.home import read_token
from tests.explorer.window import (
    DESKTOP,
    FLAGS,
    WAIT_MS,
    WAIT_S,
    Screen,
    Window,
    browser_path,
)
from tests.network.devnet import Devnet

SEEDED = 12
"""Transactions that are in the order before the first test."""


class OpenWindow(Protocol):
    """Opens a window on a cell, signed in unless `signed_in` is False."""

    def __call__(
        self, screen: Screen = DESKTOP, *, cell: int = 1, signed_in: bool = True
    ) -> Window: ...


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests last, whatever the order of the others.

    The browser's driver keeps its event loop in the main thread until the browser is closed, and
    tests with a loop of their own can not run meanwhile.
    """
    items.sort(key=lambda item: "tests/explorer/" in item.path.as_posix())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium is installed: scripts/setup dev says how")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS), timeout=WAIT_MS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """Four running cells with some transactions in their order, the last one certified."""
    devnet = Devnet(tmp_path_factory.mktemp("explorer") / "net")
    try:
        devnet.up()
        for number in range(SEEDED):
            cell = devnet.client(1 + number % devnet.count)
            wait = "certified" if number == SEEDED - 1 else "stored"
            value = f"value {number}".encode()
            cell.put(f"garden/bed-{number % 5}", value, wait=wait, timeout_s=WAIT_S)
        yield devnet
    finally:
        devnet.down()


@pytest.fixture
def open_window(browser: Browser, net: Devnet) -> Iterator[OpenWindow]:
    """Windows on the devnet's cells; in the end none of them may have had a problem."""
    windows: list[Window] = []

    def opened(screen: Screen = DESKTOP, *, cell: int = 1, signed_in: bool = True) -> Window:
        token = read_token(net.home(cell)) if signed_in else None
        windows.append(Window(browser, net.client(cell).url, token, screen))
        return windows[-1]

    yield opened
    problems = [problem for window in windows for problem in window.problems]
    for window in windows:
        window.close()
    assert problems == []
