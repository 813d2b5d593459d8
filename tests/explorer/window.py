"""A window of a browser on the explorer: what tests do with it, and what a page must never do.

Whatever a page writes as an error, throws, or asks of another origin is a *problem*. A test that
provokes one on purpose says so with `expects`; any other fails the test in the end.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

SCREENSHOTS: Final = Path(__file__).parents[2] / "build" / "screenshots"
"""Of the last run that was to keep some, by MYCELD_SCREENSHOTS=1 as in .ci/run; not in git."""
FLAGS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""A browser that talks to nobody by itself, and runs as root in a container."""
WAIT_S: Final = 240
"""Ends a test that hangs: cells and browser may share two cores with much else."""
WAIT_MS: Final = 1000 * WAIT_S
_LOOK_MS: Final = 50
TOKEN_KEY: Final = "myceld-token"  # noqa: S105 - its name in the browser's session storage
expect.set_options(timeout=WAIT_MS)
_LOCAL: Final = frozenset({"data", "blob", "about"})
_AXE: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Screen:
    """What a page is shown on."""

    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"
    is_phone: bool = False


DESKTOP: Final = Screen(1280, 860)
DARK: Final = Screen(1280, 860, scheme="dark")
PHONE: Final = Screen(390, 844, is_phone=True)


def browser_path() -> str | None:
    """Return the Chromium of this machine; None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    return next((found for name in (*names, mac) if (found := shutil.which(name))), None)


class Window:
    """One page in a context of its own: nothing of another test is remembered in it."""

    def __init__(
        self, browser: Browser, url: str, token: str | None = None, screen: Screen = DESKTOP
    ) -> None:
        """`url` is that of a cell's gateway; a token is there as if it had been typed in."""
        self.url = url
        self.problems: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self._context = browser.new_context(
            viewport={"width": screen.width, "height": screen.height},
            color_scheme=screen.scheme,
            device_scale_factor=2 if screen.is_phone else 1,
            has_touch=screen.is_phone,
            is_mobile=screen.is_phone,
            reduced_motion="no-preference",
        )
        self._context.set_default_timeout(WAIT_MS)
        if token is not None:
            self._context.add_init_script(
                f"if (location.origin === '{url}') sessionStorage.setItem('{TOKEN_KEY}', '{token}')"
            )
        self.page: Page = self._context.new_page()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self._note(f"thrown: {error}"))
        self._context.on("request", self._on_request)

    def open(self, route: str = "#/") -> Page:
        """Go to a page of the explorer by its hash, such as `#/rounds`."""
        self.page.goto(f"{self.url}/explorer/{route}")
        return self.page

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Let the page go on until something holds."""
        until_s = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < until_s, what
            self.page.wait_for_timeout(_LOOK_MS)

    @contextmanager
    def expects(self, pattern: str) -> Iterator[None]:
        """Let problems pass that match a regular expression, as long as the block lasts."""
        self._expected.append(re.compile(pattern))
        try:
            yield
        finally:
            self._expected.pop()

    def shoot(self, name: str, *, whole: bool = False) -> None:
        """Keep a picture of what is shown, or of the whole page, if pictures are wanted."""
        if os.environ.get("MYCELD_SCREENSHOTS") != "1":
            return
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole, scale="css")

    def breaches(self) -> list[str]:
        """Return what axe finds against the page: missing labels, poor contrast, wrong roles."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(_AXE)
        found: list[dict[str, Any]] = self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations'], preload: false})"
            ".then(results => results.violations)"
        )
        return [
            f"{rule['id']}: {rule['help']}: {node['html'][:300]} {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"]
        ]

    def overflow_px(self) -> int:
        """Return by how much the page is wider than the screen: 0 unless it scrolls sideways."""
        wider: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wider

    def close(self) -> None:
        """Close the page and forget what it kept."""
        self._context.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            place = message.location
            self._note(f"console: {message.text} ({place.get('url', '')})")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        own = urlsplit(self.url)
        if parts.scheme not in _LOCAL and (parts.scheme, parts.netloc) != (own.scheme, own.netloc):
            self._note(f"outside request: {request.url}")

    def _note(self, problem: str) -> None:
        if not any(pattern.search(problem) for pattern in self._expected):
            self.problems.append(problem)
