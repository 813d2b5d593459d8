"""What the command line knows of hyphae: how one is made, and how its status is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from cli import show
from cli.errors import BadInput, BadUsage
from cli.limits import TICKET_SIZE_BYTES_MAX
from cli.options import expand, passphrase_arguments, read_value
from gossip.discovery.ticket import parse_ticket
from identity.passphrase import PassphraseSource

HYPHA: Final = "hypha"
"""The role, and the name of the program that runs it."""

_CONFIG: Final = "hypha.yaml"
_FILES: Final = ("token", "ca")


def role_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add --role."""
    return click.option(
        "--role",
        type=click.Choice([HYPHA]),
        help="hypha: keep only heads, ask gateways, verify proofs. Default: a full copy.",
    )(command)


def is_hypha(home: Path) -> bool:
    """Tell whether a directory is that of a hypha."""
    return (home / _CONFIG).exists()


def hypha_init_arguments(
    gateways: Sequence[str],
    ticket: str | None,
    *,
    home: str,
    genesis: str | None,
    name: str | None,
    gateway_port: int | None,
    passphrase: PassphraseSource,
    as_json: bool,
    **others: object,
) -> list[str]:
    """Return the arguments for the hypha's own program; raises BadUsage for what it can not take.

    `others` are options of a full cell.
    """
    given = [f"--{name}" for name, value in others.items() if value]
    if given:
        raise BadUsage(f"a hypha takes no {given[0]}")
    arguments = ["init", "--home", str(expand(home))]
    arguments += ["--genesis", str(expand(genesis))] if genesis is not None else []
    if ticket is not None:
        if genesis is not None:
            raise BadUsage("--genesis and --ticket say the same: give one of them")
        arguments += ["--network-id", _network_of(ticket)]
    for gateway in gateways:
        arguments += ["--gateway", _with_whole_paths(gateway)]
    arguments += ["--name", name] if name is not None else []
    arguments += ["--gateway-port", str(gateway_port)] if gateway_port is not None else []
    return arguments + passphrase_arguments(passphrase) + (["--json"] if as_json else [])


def show_status(answer: Mapping[str, Any]) -> None:
    """Print the status of a hypha for people."""
    show.pairs(
        [
            ("hypha", f"{show.safe(answer['name'])}  {show.safe(answer['cell_id'])}"),
            ("network", f"{show.safe(answer['network_name'])}  {show.brief(answer['network_id'])}"),
            ("phase", f"{show.safe(answer['phase'])}: {show.safe(answer['summary'])}"),
            ("head", _head(answer)),
            ("header", show.safe(answer["header_hash"])),
            ("state root", show.safe(answer["state_root"])),
            ("transactions", f"{show.number(answer['transactions_ordered'])} ordered"),
            ("members", f"{answer['members_total']}, proven in {answer['roster_steps']} steps"),
            *[("warning", show.safe(text)) for text in answer["warnings"]],
            *[("evidence", show.safe(path)) for path in answer["contradictions"]],
            ("gateway", show.safe(answer["gateway_url"])),
            ("running for", show.duration(answer["uptime_s"])),
            ("version", show.safe(answer["version"])),
        ]
    )
    show.line()
    rows = [_gateway_row(gateway) for gateway in answer["gateways"]]
    show.table(["gateway", "state", "round", "answer", "failed", "lies", "why"], rows)


def _head(answer: Mapping[str, Any]) -> str:
    if answer["head_time_ns"] is None:
        return "none yet"
    where = f"round {show.number(answer['round_certified'])} of epoch {answer['epoch']}"
    return f"{where}, {show.duration(answer['head_age_s'])} old"


def _gateway_row(gateway: dict[str, Any]) -> list[str]:
    return [
        show.safe(gateway["url"]),
        show.safe(gateway["state"]),
        show.number(gateway["round"]),
        f"{gateway['latency_ms']:.1f} ms",
        show.number(gateway["failed"]),
        show.number(gateway["lies"]),
        show.safe(f"{gateway['code']}: {gateway['detail']}" if gateway["code"] else ""),
    ]


def _network_of(ticket: str) -> str:
    """Return the id of a ticket's network; its secret goes no further."""
    data = read_value(ticket)
    if len(data) > TICKET_SIZE_BYTES_MAX:
        raise BadInput(f"{len(data)} bytes are no ticket")
    return parse_ticket(data.decode("utf-8", "replace")).network_id.hex()


def _with_whole_paths(gateway: str) -> str:
    """Return `URL[,token=FILE][,ca=FILE]` with whole paths: the daemon runs elsewhere."""
    url, *options = gateway.split(",")
    parts = [url]
    for option in options:
        name, equals, path = option.partition("=")
        if name not in _FILES or not equals or not path:
            raise BadUsage(f"--gateway: {option!r}: expected token=FILE or ca=FILE")
        parts.append(f"{name}={expand(path)}")
    return ",".join(parts)
