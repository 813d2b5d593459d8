"""Checks of the addresses: free to listen on, reachable from where others are, and alive."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import MyceldError
from core.findings import Finding, find
from gossip.host.addresses import parse_dial_address
from ledger.genesis import Genesis
from node.doctor.limits import BOOTSTRAP_TIMEOUT_S, BOOTSTRAPS_TRIED_MAX
from node.doctor.patient import Patient
from settings import Config

_FAMILIES = {"ip4": socket.AF_INET, "ip6": socket.AF_INET6}
_NAMES = frozenset({"dns", "dns4", "dns6", "dnsaddr"})


@dataclass(frozen=True, slots=True)
class Place:
    """Host and TCP port of a multiaddr."""

    host: str
    port: int
    family: socket.AddressFamily

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def place_of(address: str) -> Place | None:
    """Return where a multiaddr over TCP leads to; None for another kind."""
    parts = address.split("/")
    if len(parts) < 5 or parts[0] or parts[3] != "tcp" or not parts[4].isdecimal():
        return None
    if parts[1] not in _FAMILIES and parts[1] not in _NAMES:
        return None
    family = _FAMILIES.get(parts[1], socket.AF_UNSPEC)
    return Place(parts[2], int(parts[4]), family)


def check_listening(patient: Patient, config: Config) -> Iterator[Finding]:
    """Yield which addresses to listen on can not be had. Only for a cell that does not run."""
    home = patient.home.path
    for address in config.cell.listen:
        place = place_of(address)
        if place is None or place.port == 0:
            continue
        reason = _can_not_bind(place)
        if reason == errno.EADDRINUSE:
            other = address.replace(f"/tcp/{place.port}", f"/tcp/{_free_port(place)}", 1)
            yield find("MYC-DOCTOR-061", f"{address} is in use", home=home, address=other)
        elif reason is not None:
            other = f"/ip4/0.0.0.0/tcp/{place.port}"
            what = f"{address}: {errno.errorcode.get(reason, reason)}"
            yield find("MYC-DOCTOR-062", what, home=home, address=other)
    gateway = Place(config.cell.gateway_host, config.cell.gateway_port, socket.AF_UNSPEC)
    if gateway.port and _can_not_bind(gateway) == errno.EADDRINUSE:
        yield find(
            "MYC-DOCTOR-060", f"port {gateway.port} on {gateway.host} is in use",
            home=home, port=_free_port(gateway),
        )  # fmt: skip


def check_reachable(patient: Patient, config: Config) -> Iterator[Finding]:
    """Yield whether others can reach the cell, and the cell the network, by its configuration."""
    home = patient.home.path
    places = [place for address in config.cell.listen if (place := place_of(address)) is not None]
    remote = [
        place
        for address in config.cell.bootstrap
        if (place := place_of(address)) is not None and not place.is_loopback
    ]
    is_local = bool(places) and all(place.is_loopback for place in places)
    if is_local and remote:
        address = f"/ip4/0.0.0.0/tcp/{places[0].port}"
        what = f"it listens on {', '.join(config.cell.listen)} and calls {remote[0].host}"
        yield find("MYC-DOCTOR-063", what, home=home, address=address)
    others = _others(patient)
    by_lan = config.discovery.mdns and not is_local
    has_way = bool(config.cell.bootstrap or config.discovery.seeds or by_lan)
    if others and not has_way and not patient.home.database.exists():
        yield find("MYC-DOCTOR-066", f"{others} other members, and no address", home=home)


def check_bootstrap(patient: Patient, config: Config) -> Iterator[Finding]:
    """Try the addresses to find the network by, and yield which lead nowhere."""
    for address in config.cell.bootstrap[:BOOTSTRAPS_TRIED_MAX]:
        try:
            parse_dial_address(address)
        except MyceldError as error:
            yield find("MYC-DOCTOR-065", error.detail)
            continue
        if address.rpartition("/p2p/")[2] == patient.cell_id:
            yield find("MYC-DOCTOR-067", f"{address} is this cell")
            continue
        place = place_of(address)
        if place is not None and (reason := _can_not_connect(place)):
            yield find("MYC-DOCTOR-064", f"{address}: {reason}")


def _others(patient: Patient) -> int:
    genesis, own = patient.genesis, patient.public_key
    if not isinstance(genesis, Genesis) or own is None:
        return 0
    return sum(member.public_key != own for member in genesis.members)


def _can_not_bind(place: Place) -> int | None:
    """Return the number of the error with which the system refuses to listen there."""
    for family, kind, number, _, where in _resolved(place):
        try:
            with socket.socket(family, kind, number) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
                probe.listen(1)
        except OSError as error:
            return error.errno
    return None


def _can_not_connect(place: Place) -> str:
    """Return why nobody takes a connection there; empty if somebody does."""
    reason = "its name is not known"
    for family, kind, number, _, where in _resolved(place):
        try:
            with socket.socket(family, kind, number) as probe:
                probe.settimeout(BOOTSTRAP_TIMEOUT_S)
                probe.connect(where)
                return ""
        except OSError as error:
            reason = error.strerror or str(error)
    return reason


def _resolved(
    place: Place,
) -> Sequence[tuple[socket.AddressFamily, int, int, str, tuple[Any, ...]]]:
    try:
        found = socket.getaddrinfo(place.host, place.port, place.family, socket.SOCK_STREAM)
    except OSError:
        return ()
    return [(family, kind, number, name, where) for family, kind, number, name, where in found][:2]


def _free_port(place: Place) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("" if not place.is_loopback else "127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
