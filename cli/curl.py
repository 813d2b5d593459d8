"""`--as-curl`: the HTTP calls that a command makes, as commands for a shell.

Calls that only read are made as well, since what follows may depend on their answers; the first
that would change something is shown and not made. The token is read from its file when the command
runs: it is on no screen and in no history.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Self

import click

from myceld.calls import JsonObject
from myceld.client import Client
from myceld.home import TOKEN_FILE


class CurlClient(Client):
    """A client that shows its calls."""

    def _call(self, method: str, target: str, body: bytes | None, timeout_s: float) -> JsonObject:
        text = curl_command(self.url + target, method, body, home=self._home, ca=self._certificate)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        if method != "GET":
            raise click.exceptions.Exit(0)
        return super()._call(method, target, body, timeout_s)

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
