"""`--as-curl`: the HTTP calls that a command makes, as commands for a shell.

Calls that only read are made as well, since what follows may depend on their answers; the first
that would change something, or wait for something new, is shown and not made. The token is read
from its file when the command runs: it is on no screen and in no history.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

import click

from myceld.client import Client
from myceld.home import TOKEN_FILE
from myceld.question import Question, given

T = TypeVar("T")


class CurlClient(Client):
    """A client that shows its calls."""

    def ask(self, question: Question[T]) -> T:
        """Show a call, and make it if it only reads."""
        method, target = question.method, question.target
        self._show(target, method, question.body)
        if method != "GET" or question.deadline_s is not None:  # which says that it waits
            raise click.exceptions.Exit(0)
        return super().ask(question)

    def subscribe(self, what: str, **wish: Any) -> NoReturn:  # noqa: ANN401 - as the client takes them
        """Show how to subscribe by server-sent events: curl knows no WebSockets."""
        from myceld.subscription import Subscription  # noqa: PLC0415 - other calls need no streams

        asked = Subscription(given(subscribe=what, **wish))
        extra = [] if asked.cursor is None else ["-H", f"Last-Event-ID: {asked.cursor}"]
        self._show(asked.events(), "GET", None, ["-N", *map(shlex.quote, extra)])
        raise click.exceptions.Exit(0)

    def twin(self) -> Self:
        """Return the client itself: what is shown has one order."""
        return self

    def _show(
        self, target: str, method: str, body: bytes | None, extra: Sequence[str] = ()
    ) -> None:
        access = self._access
        text = curl_command(
            self.url + target, method, body, home=access.home, ca=access.certificate, extra=extra
        )
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def curl_command(
    url: str,
    method: str,
    body: bytes | None,
    *,
    home: Path | None,
    ca: Path | str = "",
    extra: Sequence[str] = (),
) -> str:
    """Return the curl that makes a call, quoted for a shell; `extra` words are quoted already."""
    words = ["curl", "-sS", *extra]
    if method != "GET":
        words += ["-X", method]
    if body is not None:
        text = shlex.quote(body.decode())
        words += ["-H", "'Content-Type: application/json'", "--data-raw", text]
    if home is not None:
        token = shlex.quote(str(home / TOKEN_FILE))
        words += ["-H", f'"Authorization: Bearer $(cat {token})"']
    if ca:
        words += ["--cacert", shlex.quote(str(ca))]
    return " ".join([*words, shlex.quote(url)])
