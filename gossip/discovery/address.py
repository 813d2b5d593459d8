"""What an address says by itself: whose it is, and from how far away it can be reached.

Pure text work for every transport, also for those that this cell can not dial itself: its own host
decides that. Addresses that mean nothing elsewhere (0.0.0.0, port 0, link-local) are refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from core.ids import CellId, NotACellId, public_key_of
from gossip.discovery.errors import BadAddress
from gossip.discovery.limits import (
    ADDRESS_PARTS_MAX,
    BOOK_CELLS_MAX,
    CELL_ADDRESS_LENGTH_MAX,
)

_COMPONENT: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", re.IGNORECASE)
_NAME_KINDS: Final = frozenset({"dns", "dns4", "dns6"})
_PORT_MAX: Final = 65535


class Reach(IntEnum):
    """From where an address can be dialled, and how far away a peer is."""

    LOOPBACK = 0
    """From the same machine."""
    SITE = 1
    """From the same private network."""
    WORLD = 2
    """From anywhere."""


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """An address of a cell, with /p2p/CELL_ID at its end."""

    text: str
    cell_id: CellId
    reach: Reach


def parse_peer_address(text: str) -> PeerAddress:
    """Return what an address says; raises BadAddress."""
    parts = _split(text)
    if len(parts) < 6 or parts[-2] != "p2p":
        raise BadAddress(f"{_shown(text)} is not /ip4/HOST/tcp/PORT/p2p/CELL_ID")
    if not _is_cell_id(parts[-1]):
        raise BadAddress(f"{_shown(text)} does not end in a cell id")
    transport, port, *rest = parts[2:-2]
    if transport not in {"tcp", "udp"} or not _is_port(port):
        raise BadAddress(f"{_shown(text)} has no port")
    if not all(_COMPONENT.fullmatch(part) for part in rest):
        raise BadAddress(f"{_shown(text)} has a component that is none")
    return PeerAddress(text, CellId(parts[-1]), _reach(parts[0], parts[1], text))


def reach_of(address: str) -> Reach:
    """Return how far away an address is, with or without /p2p/CELL_ID; WORLD if that is unclear."""
    try:
        parts = _split(address)
        return _reach(parts[0], parts[1] if len(parts) > 1 else "", address)
    except BadAddress:
        return Reach.WORLD


def is_peer_address(text: str) -> bool:
    """Return whether `parse_peer_address` takes this."""
    try:
        parse_peer_address(text)
    except BadAddress:
        return False
    return True


def only_loopback(addresses: Iterable[str]) -> bool:
    """Return whether nobody but this machine can reach any of these addresses."""
    return all(reach_of(address) is Reach.LOOPBACK for address in addresses)


@lru_cache(BOOK_CELLS_MAX)
def _is_cell_id(text: str) -> bool:
    """Remembered: a cell's addresses all end in the same id, and base58 is slow to decode."""
    try:
        public_key_of(text)
    except NotACellId:
        return False
    return True


def _split(text: str) -> list[str]:
    if not text.startswith("/") or len(text) > CELL_ADDRESS_LENGTH_MAX or not text.isascii():
        raise BadAddress(f"{_shown(text)} does not begin with / or is too long")
    parts = text[1:].split("/")
    if len(parts) > ADDRESS_PARTS_MAX:
        raise BadAddress(f"{_shown(text)} has too many components")
    return parts


def _reach(kind: str, host: str, text: str) -> Reach:
    if kind in _NAME_KINDS:
        if not _NAME.fullmatch(host):
            raise BadAddress(f"{_shown(text)}: no host name")
        name = host.lower()
        if name == "localhost" or name.endswith(".localhost"):
            return Reach.LOOPBACK
        return Reach.SITE if "." not in name or name.endswith(".local") else Reach.WORLD
    try:
        if kind == "ip4":
            found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.IPv4Address(host)
        elif kind == "ip6":
            found = ipaddress.IPv6Address(host)
        else:
            raise BadAddress(f"{_shown(text)} does not begin with ip4, ip6 or a dns name")
    except ValueError as error:
        raise BadAddress(f"{_shown(text)}: no {kind} address") from error
    # One address has one text: so no two texts of one address fill a cell's bound.
    if str(found) != host or found.is_unspecified or found.is_multicast or found.is_link_local:
        raise BadAddress(f"{_shown(text)}: {host} can not be dialled from elsewhere")
    if found.is_loopback:
        return Reach.LOOPBACK
    return Reach.WORLD if found.is_global else Reach.SITE


def _is_port(text: str) -> bool:
    return (
        text.isascii()
        and text.isdecimal()
        and len(text) <= 5
        and str(int(text)) == text
        and 1 <= int(text) <= _PORT_MAX
    )


def _shown(text: str) -> str:
    return repr(text[:80])
