"""The multiaddrs we accept, parsed once: IP or DNS name, TCP port, `ws`, and a cell id to dial.

Pure text work, so that the asyncio side never imports the multiaddr library. Other transports
are refused on purpose, with an error of their own: the host speaks TCP, and WebSocket over it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from core.ids import CellId, NotACellId, public_key_of
from gossip.host.errors import NotAMultiaddr, TransportNotSpoken

_LENGTH_MAX: Final = 512
_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_NAME_KINDS: Final = frozenset({"dns", "dns4", "dns6"})
_NOT_SPOKEN: Final = frozenset(
    {"udp", "quic", "quic-v1", "webtransport", "webrtc", "webrtc-direct", "wss", "tls"}
    | {"p2p-circuit", "unix", "onion3", "dnsaddr"}
)
"""Names in multiaddrs of other libp2p implementations that we know, and do not speak."""


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """`/kind/host/tcp/port`, or the same with `/ws`; kind is ip4, ip6, dns, dns4 or dns6."""

    kind: str
    host: str
    port: int
    websocket: bool = False

    def __str__(self) -> str:
        return f"/{self.kind}/{self.host}/tcp/{self.port}{'/ws' if self.websocket else ''}"


@dataclass(frozen=True, slots=True)
class DialAddress:
    """Where to dial and who must answer there."""

    at: TcpAddress
    cell_id: CellId

    def __str__(self) -> str:
        return f"{self.at}/p2p/{self.cell_id}"


def parse_listen_address(text: str) -> TcpAddress:
    """Return an address to listen on; port 0 lets the system choose.

    Raises NotAMultiaddr, TransportNotSpoken.
    """
    parts = _split(text)
    if len(parts) != 4 and parts[4:] != ["ws"]:
        raise NotAMultiaddr(f"{text[:_LENGTH_MAX]!r} is not /ip4/ADDRESS/tcp/PORT or that with /ws")
    address = _parse_tcp(parts, text, port_min=0)
    if address.kind in _NAME_KINDS:
        raise NotAMultiaddr(f"{text!r}: listen on an IP address, not on a name")
    return address


def parse_dial_address(text: str) -> DialAddress:
    """Return an address to dial, with the cell id that must answer.

    Raises NotAMultiaddr, TransportNotSpoken.
    """
    *parts, last, cell_id = _split(text)
    if last != "p2p" or (len(parts) != 4 and parts[4:] != ["ws"]):
        raise NotAMultiaddr(f"{text[:_LENGTH_MAX]!r} is not /ip4/ADDRESS/tcp/PORT/p2p/CELL-ID")
    try:
        public_key_of(cell_id)
    except NotACellId as error:
        raise NotAMultiaddr(f"{text!r}: {error.detail}") from error
    return DialAddress(_parse_tcp(parts, text, port_min=1), CellId(cell_id))


def tcp_address_of(host: str, port: int, *, websocket: bool = False) -> TcpAddress:
    """Return the address of a socket name."""
    return TcpAddress("ip6" if ":" in host else "ip4", host, port, websocket)


def address_key(host: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 one.

    Every home has a /64 of IPv6; IPv4 in IPv6 counts as IPv4.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))


def _split(text: str) -> list[str]:
    if len(text) > _LENGTH_MAX or not text.startswith("/"):
        raise NotAMultiaddr(f"{text[:_LENGTH_MAX]!r} does not begin with / or is too long")
    parts = text[1:].split("/")
    foreign = _NOT_SPOKEN.intersection(parts[:1] + parts[2:])  # parts[1] may be a host's name
    if foreign:
        raise TransportNotSpoken(f"{text!r} needs {min(foreign)}")
    return [*parts, ""] if len(parts) == 1 else parts


def _parse_tcp(parts: list[str], text: str, *, port_min: int) -> TcpAddress:
    kind, host, transport, port_text = parts[:4]
    if transport != "tcp" or not port_text.isascii() or not port_text.isdigit():
        raise NotAMultiaddr(f"{text!r} has no TCP port")
    port, websocket = int(port_text[:6]), len(parts) == 5
    if not port_min <= port <= 65535:
        raise NotAMultiaddr(f"{text!r}: port {port_text[:6]} is not in {port_min}..65535")
    if kind in _NAME_KINDS:
        if not _NAME.fullmatch(host):
            raise NotAMultiaddr(f"{text!r}: {host!r} is not a host name")
        return TcpAddress(kind, host, port, websocket)
    try:
        host = str(
            ipaddress.IPv4Address(host) if kind == "ip4" else ipaddress.IPv6Address(host),
        )
    except ValueError as error:
        raise NotAMultiaddr(f"{text!r}: {host!r} is not an {kind} address") from error
    if kind not in {"ip4", "ip6"}:
        raise NotAMultiaddr(f"{text!r}: {kind!r} is not ip4, ip6, dns, dns4 or dns6")
    return TcpAddress(kind, host, port, websocket)
