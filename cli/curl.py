"""`--as-curl`: the HTTP calls that a command makes, as commands for a shell.

Calls that only read are made as well, since what follows may depend on their answers; the first
that would change something is shown and not made. The token is read from its file when the command
runs: it is on no screen and in no history.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Self, TypeVar

import click

from myceld.client import Client
from myceld.home import TOKEN_FILE
from myceld.question import Question

T = TypeVar("T")


class CurlClient(Client):
    """A client that shows its calls."""

    def ask(self, question: Question[T]) -> T:
        """Show a call, and make it if it only reads."""
        method, access = question.method, self._access
        text = curl_command(
            self.url + question.target,
            method,
            question.body,
            home=access.home,
            ca=access.certificate,
        )
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        if method != "GET":
            raise click.exceptions.Exit(0)
        return super().ask(question)

    def twin(self) -> Self:
        """Return the client itself: what is shown has one order."""
        return self


def curl_command(
    url: str, method: str, body: bytes | None, *, home: Path | None, ca: Path | str = ""
) -> str:
    """Return the curl that makes a call, quoted for a shell."""
    words = ["curl", "-sS"]
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
