"""Which addresses a cell tells others: a wildcard becomes the addresses of this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import psutil

_WILDCARDS: Final = {"0.0.0.0": "ip4", "::": "ip6"}  # noqa: S104 - recognised, not bound


class InterfaceAddress(Protocol):
    """One address of a network interface, as psutil tells it."""

    @property
    def address(self) -> str:
        """An IP address, maybe with a scope, or something else (MAC)."""


def told_addresses(
    listening: Iterable[str], interfaces: Mapping[str, Sequence[InterfaceAddress]] | None = None
) -> tuple[str, ...]:
    """Return where this machine can be dialled, the likeliest first, without /p2p/….

    `listening` are the host's real addresses. A wildcard stands for all addresses of all
    interfaces (psutil's unless given), or for loopback if this machine has no other.
    """
    told: list[str] = []
    for address in listening:
        bare = address.partition("/p2p/")[0]
        kind, _, rest = bare[1:].partition("/")
        port = rest.partition("/")[2]
        if not is_wildcard(bare):
            told.append(bare)
            continue
        known = psutil.net_if_addrs() if interfaces is None else interfaces
        own = sorted(_own(kind, known), key=_remoteness)
        told += [f"/{kind}/{one}/{port}" for one in own if not one.is_loopback] or [
            f"/{kind}/{one}/{port}" for one in own
        ]
    return tuple(dict.fromkeys(told))


def is_wildcard(address: str) -> bool:
    """Return whether a multiaddr names no machine: what a cell listens on, of no use to others."""
    kind, _, rest = address[1:].partition("/")
    return _WILDCARDS.get(rest.partition("/")[0]) == kind


def _own(
    kind: str, interfaces: Mapping[str, Sequence[InterfaceAddress]]
) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Yield this machine's addresses of a kind; link-local ones are of no use without a scope."""
    for addresses in interfaces.values():
        for item in addresses:
            try:
                one = ipaddress.ip_address(item.address.partition("%")[0])
            except ValueError:
                continue
            if f"ip{one.version}" == kind and not one.is_link_local:
                yield one


def _remoteness(one: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[bool, bool]:
    """Addresses that are reachable from everywhere come first."""
    return (one.is_loopback, not one.is_global)
