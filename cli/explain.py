"""`myceld explain CODE`: what a code means, why it happens, and what to do."""

from __future__ import annotations

from dataclasses import asdict

import click

from cli import show
from cli.completing import complete_codes
from cli.error_table import meanings, nearest, normal_code
from cli.errors import NoSuchCode
from cli.options import json_option


@click.command()
@click.argument("code", shell_complete=complete_codes)
@json_option
def explain(code: str, *, as_json: bool) -> None:
    """Say what a code such as MYC-NODE-002 means, why it happens, and what to do.

    Needs no cell. MYC- and leading zeros may be left out.

    \b
    Examples:
      myceld explain MYC-NODE-002
      myceld explain doctor-10
    """
    one = meanings().get(normal_code(code))
    if one is None:
        near = nearest(normal_code(code))
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise NoSuchCode(f"there is no code {show.safe(code)}{hint}")
    if as_json:
        show.as_json(asdict(one))
        return
    title = f"{one.code}  {one.name}".rstrip()
    show.line(f"{title} ({one.severity})" if one.severity else title)
    show.pairs(
        [
            ("means", one.meaning),
            ("because of", one.fault),
            ("what to do", one.remedy),
            ("again", "the same may work later without a change" if one.retryable else ""),
            ("declared in", one.source),
        ]
    )
