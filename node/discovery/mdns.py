"""Cells on the same LAN, by mDNS (RFC 6762) and DNS-SD (RFC 6763): `_myceld._udp.local`.

    instance  <first 8 hex digits of SHA-256("myceld/mdns/1" ‖ network id)>-<cell id>
    TXT       a0=/ip4/…/tcp/…, a1=…: where it listens, without /p2p/…

Records of other networks are told by their name alone and not even resolved. What is found is a
hint: the cell proves its key when it is dialled. The tag says nothing of the network to who does
not know it. zeroconf is imported when the first finder starts: cells without it do not pay for it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import structlog

from core.errors import MyceldError
from core.ids import CellId, NetworkId, NotACellId, public_key_of, short
from gossip.discovery.address import Reach, parse_peer_address
from gossip.discovery.limits import CELL_ADDRESSES_MAX
from node.discovery.finders import Findings
from node.discovery.limits import (
    MDNS_CELLS_MAX,
    MDNS_RESOLVING_MAX,
    MDNS_TIMEOUT_S,
    MDNS_TTL_S,
)
from node.errors import MdnsUnavailable

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

_LOG = structlog.get_logger("mdns")
SERVICE: Final = "_myceld._udp.local."
_DOMAIN: Final = b"myceld/mdns/1"
_TAG_LENGTH: Final = 8
_TXT_VALUE_BYTES_MAX: Final = 250


def instance_name(network_id: NetworkId, cell_id: CellId) -> str:
    """Return the name of a cell's record, within the 63 bytes of a DNS label."""
    tag = hashlib.sha256(_DOMAIN + network_id).hexdigest()[:_TAG_LENGTH]
    return f"{tag}-{cell_id}.{SERVICE}"


def cell_of(network_id: NetworkId, name: str) -> CellId | None:
    """Return whose record has this name, None if it is of another network or none of ours."""
    cell_id = name.removesuffix("." + SERVICE)[_TAG_LENGTH + 1 :]
    try:
        public_key_of(cell_id)
    except NotACellId:
        return None
    return CellId(cell_id) if name == instance_name(network_id, CellId(cell_id)) else None


def txt_of(addresses: Sequence[str]) -> dict[str, str]:
    """Return the TXT record that tells these addresses: none of loopback, at most 16."""
    parsed = [parse_peer_address(address) for address in addresses[:CELL_ADDRESSES_MAX]]
    texts = [
        address.text.removesuffix(f"/p2p/{address.cell_id}")
        for address in parsed
        if address.reach is not Reach.LOOPBACK
    ]
    fitting = [text for text in texts if len(text) <= _TXT_VALUE_BYTES_MAX]
    return {f"a{at}": text for at, text in enumerate(fitting)}


def addresses_in(cell_id: CellId, properties: dict[bytes, bytes | None]) -> tuple[str, ...]:
    """Return the addresses of a cell in a TXT record that came from anybody at all."""
    found = []
    for at in range(CELL_ADDRESSES_MAX):
        value = properties.get(b"a%d" % at)
        if value is None or len(value) > _TXT_VALUE_BYTES_MAX:
            continue
        try:
            text = f"{value.decode('ascii')}/p2p/{cell_id}"
            parse_peer_address(text)
        except (UnicodeDecodeError, MyceldError):
            continue
        found.append(text)
    return tuple(found)


class MdnsFinder:
    """Announces this cell on the LAN, and notes the others of its network."""

    name = "mdns"

    def __init__(
        self, network_id: NetworkId, cell_id: CellId, *, interfaces: Sequence[str] = ()
    ) -> None:
        """`interfaces`: local addresses to use; none: all of the machine."""
        self._network_id = network_id
        self._cell_id = cell_id
        self._interfaces = list(interfaces)
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._own: AsyncServiceInfo | None = None
        self._told: dict[str, str] = {}
        self._found: dict[CellId, tuple[str, ...]] = {}
        self._resolving: dict[CellId, asyncio.Task[None]] = {}

    async def find(self) -> Findings:
        """Return the cells that are on the LAN now."""
        return Findings(hints=sorted(self._found.items()))

    async def announce(self, addresses: Sequence[str]) -> None:
        """Tell the LAN where we listen; raises MdnsUnavailable."""
        from zeroconf import Error  # noqa: PLC0415 - see the module's docstring

        try:
            async with asyncio.timeout(MDNS_TIMEOUT_S):
                zeroconf = self._start()
                await self._register(zeroconf, addresses)
        except (OSError, Error, TimeoutError) as error:
            raise MdnsUnavailable(f"mDNS does not work here: {error!r}") from error

    async def close(self) -> None:
        """Say good-bye and stop."""
        for task in self._resolving.values():
            task.cancel()
        if self._zeroconf is None:
            return
        try:
            async with asyncio.timeout(MDNS_TIMEOUT_S):
                if self._browser is not None:
                    await self._browser.async_cancel()
                await self._zeroconf.async_unregister_all_services()
                await self._zeroconf.async_close()
        except (OSError, TimeoutError) as error:
            _LOG.info("mDNS did not stop cleanly", reason=repr(error))

    def on_change(
        self,
        zeroconf: Zeroconf,
        service_type: str,
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        """Take what a browser noticed (called by zeroconf, in the loop)."""
        from zeroconf import ServiceStateChange as Change  # noqa: PLC0415 - see the docstring

        cell_id = cell_of(self._network_id, name)
        if service_type != SERVICE or cell_id is None or cell_id == self._cell_id:
            return
        if state_change is Change.Removed:
            self._found.pop(cell_id, None)
            return
        room = cell_id in self._found or len(self._found) < MDNS_CELLS_MAX
        if room and cell_id not in self._resolving and len(self._resolving) < MDNS_RESOLVING_MAX:
            task = asyncio.create_task(self._resolve(zeroconf, cell_id, name), name="mdns-resolve")
            self._resolving[cell_id] = task
            task.add_done_callback(lambda _: self._resolving.pop(cell_id, None))

    def note(self, cell_id: CellId, properties: dict[bytes, bytes | None]) -> None:
        """Take a resolved record."""
        addresses = addresses_in(cell_id, properties)
        if addresses and self._found.get(cell_id) != addresses:
            _LOG.info("cell on this LAN", cell=short(cell_id), addresses=len(addresses))
            self._found[cell_id] = addresses

    async def _resolve(self, zeroconf: Zeroconf, cell_id: CellId, name: str) -> None:
        from zeroconf.asyncio import AsyncServiceInfo  # noqa: PLC0415 - see the docstring

        info = AsyncServiceInfo(SERVICE, name)
        if await info.async_request(zeroconf, MDNS_TIMEOUT_S * 1000):
            self.note(cell_id, info.properties)

    def _start(self) -> AsyncZeroconf:
        from zeroconf import InterfaceChoice  # noqa: PLC0415 - see the docstring
        from zeroconf.asyncio import (  # noqa: PLC0415 - see the docstring
            AsyncServiceBrowser,
            AsyncZeroconf,
        )

        if self._zeroconf is None:
            interfaces: Any = self._interfaces or InterfaceChoice.All
            self._zeroconf = AsyncZeroconf(interfaces=interfaces)
            self._browser = AsyncServiceBrowser(
                self._zeroconf.zeroconf, SERVICE, handlers=[self.on_change]
            )
        return self._zeroconf

    async def _register(self, zeroconf: AsyncZeroconf, addresses: Sequence[str]) -> None:
        from zeroconf.asyncio import AsyncServiceInfo  # noqa: PLC0415 - see the docstring

        properties = txt_of(addresses)
        if not properties or properties == self._told:
            return
        info = AsyncServiceInfo(
            SERVICE,
            instance_name(self._network_id, self._cell_id),
            port=_port(properties["a0"]),
            properties=properties,
            server=f"{instance_name(self._network_id, self._cell_id).split('.')[0]}.local.",
            parsed_addresses=_hosts(properties.values()),
            host_ttl=MDNS_TTL_S,
            other_ttl=MDNS_TTL_S,
        )
        broadcast = (
            zeroconf.async_register_service(info)
            if self._own is None
            else zeroconf.async_update_service(info)
        )
        self._own, self._told = info, properties
        await (await broadcast)


def _hosts(addresses: Iterable[str]) -> list[str]:
    """Return the IP addresses in multiaddrs, for those who only read A and AAAA records."""
    parts = [address.split("/") for address in addresses]
    return sorted({part[2] for part in parts if part[1] in {"ip4", "ip6"}})


def _port(address: str) -> int:
    return int(address.split("/")[4])
