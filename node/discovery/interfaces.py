"""The addresses by which others can reach this cell: 0.0.0.0 becomes what the machine has."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from typing import Final

import psutil

_WILDCARDS: Final = {"ip4": "0.0.0.0", "ip6": "::"}  # noqa: S104 - compared with, not bound to


def dialable(listening: Iterable[str], hosts: Callable[[], Iterable[tuple[str, str]]]) -> list[str]:
    """Return the addresses in `listening`, each wildcard replaced by the machine's addresses.

    `hosts` returns (kind, host) of the interfaces that are up; it is only called when needed.
    """
    found: dict[str, None] = {}
    machine: list[tuple[str, str]] | None = None
    for address in listening:
        _, kind, host, *rest = address.split("/")
        if host != _WILDCARDS.get(kind):
            found[address] = None
            continue
        if machine is None:
            machine = list(hosts())
        for other_kind, other in machine:
            if other_kind == kind:
                found["/".join(["", kind, other, *rest])] = None
    return list(found)


def machine_hosts() -> list[tuple[str, str]]:
    """Return (kind, host) of every address of an interface that is up, loopback ones too.

    Link-local ones are left out: they mean nothing without the name of the interface.
    """
    kinds = {socket.AF_INET: "ip4", socket.AF_INET6: "ip6"}
    states = psutil.net_if_stats()
    return [
        (kinds[item.family], item.address)
        for name, items in sorted(psutil.net_if_addrs().items())
        if name in states and states[name].isup
        for item in items
        if item.family in kinds and not item.address.startswith("fe80:")
    ]
