"""A distributed hash table among cells: become a provider of a key, find the providers of a key.

Import after `load_libp2p`. The state is `kademlia`'s, the messages are libp2p's, the protocol's
name is ours: cells form a DHT of their own. Each question is a dial of its own with a deadline, so
all bounds of the host hold. What is found are claims of strangers: ids and addresses that parse,
nothing more. An address is told to, and taken from, a node only where it means something: no
loopback address beyond the machine, no private one beyond the site.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from core.errors import MyceldError
from core.ids import CellId
from gossip.discovery.address import Reach, reach_of
from gossip.host.addresses import TcpAddress, parse_dial_address, parse_listen_address
from gossip.host.errors import DhtAlone, DhtViolated
from gossip.host.introduction import Introduction
from gossip.host.kad_wire import KadMessage, Kind, decode_kad, encode_kad
from gossip.host.kademlia import Contact, Lookup, ProviderRecords, RoutingTable, position
from gossip.host.limits import (
    DHT_ADDRESSES_MAX,
    DHT_BUCKET_MAX,
    DHT_FOUND_MAX,
    DHT_LOOKUP_PARALLEL,
    DHT_LOOKUP_TIMEOUT_S,
    DHT_MESSAGE_BYTES_MAX,
    DHT_OBSERVED_MAX,
    DHT_QUERY_TIMEOUT_S,
    DHT_REQUESTS_PER_STREAM_MAX,
)
from gossip.host.stream import PeerStream
from gossip.host.varint import encode_varint

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DhtLinks:
    """What the DHT needs of its host."""

    cell_id: CellId
    protocol: str
    addresses: Callable[[], tuple[str, ...]]
    dial: Callable[[str], Awaitable[PeerStream]]
    """Opens a stream of `protocol` within DHT_QUERY_TIMEOUT_S; raises the host's errors."""


class Dht:
    """One node of the DHT; bound to the loop of its host."""

    def __init__(self, links: DhtLinks, bootstrap: Iterable[str]) -> None:
        """Start with addresses to dial; raises NotAMultiaddr for a bad one."""
        self._links = links
        self._table = RoutingTable(links.cell_id)
        self._records = ProviderRecords()
        self._bootstrap = tuple(
            Contact(parse_dial_address(text).cell_id, (text,)) for text in bootstrap
        )
        self._observed: dict[str, None] = {}

    async def advertise(self, key: bytes) -> None:
        """Become a provider of `key` at the nodes nearest to it, for a day.

        Raises DhtAlone when no node took it. Takes at most 2 × DHT_LOOKUP_TIMEOUT_S.
        """
        ourselves = Contact(self._links.cell_id, self._own_addresses())
        if not ourselves.addresses:
            raise DhtAlone("this cell knows no address of its own that others could dial")
        self._records.add(key, ourselves, time.monotonic())
        lookup = Lookup(self._links.cell_id, position(key), self._start(key))
        await self._run(lookup, Kind.FIND_NODE, key, lambda _: False)
        nearest, took = iter(lookup.closest), 0

        async def announce() -> None:
            nonlocal took
            for contact in nearest:
                request = KadMessage(
                    Kind.ADD_PROVIDER, key, providers=_within((ourselves,), _reach(contact))
                )
                with contextlib.suppress(MyceldError):
                    if request.providers:
                        await self._ask(contact, request)
                        took += 1

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DHT_LOOKUP_TIMEOUT_S), asyncio.TaskGroup() as group:
                for _ in range(DHT_LOOKUP_PARALLEL):
                    group.create_task(announce())
        if not took:
            raise DhtAlone("no node of the DHT took the record")

    async def find(self, key: bytes) -> tuple[tuple[CellId, tuple[str, ...]], ...]:
        """Return the providers of `key` with addresses to dial, ourselves left out; unverified.

        Raises DhtAlone when no node is known or answered. Takes at most DHT_LOOKUP_TIMEOUT_S.
        """
        found = {c.cell_id: c for c in self._records.get(key, time.monotonic())}
        lookup = Lookup(self._links.cell_id, position(key), self._start(key))

        def enough(answer: KadMessage) -> bool:
            for contact in answer.providers:
                found.setdefault(contact.cell_id, contact)
            return len(found) > DHT_FOUND_MAX

        await self._run(lookup, Kind.GET_PROVIDERS, key, enough)
        found.pop(self._links.cell_id, None)
        if not lookup.closest and not found:
            raise DhtAlone("no node of the DHT answered")
        return tuple((c.cell_id, c.addresses) for c in list(found.values())[:DHT_FOUND_MAX])

    def learn(self, cell_id: CellId, introduction: Introduction) -> None:
        """Take what a connected peer said of itself; nodes of the DHT become hints."""
        if introduction.observed_address is not None:
            with contextlib.suppress(MyceldError):
                observed = parse_listen_address(introduction.observed_address.removesuffix("/ws"))
                self._observed.setdefault(observed.host)
                while len(self._observed) > DHT_OBSERVED_MAX:
                    del self._observed[next(iter(self._observed))]
        if self._links.protocol in introduction.protocols:
            addresses = _dialable(cell_id, introduction.listen_addresses)
            reach = reach_of(introduction.observed_address or "")
            for contact in _within((Contact(cell_id, addresses),), reach):
                self._table.hint(contact)

    async def handle(self, stream: PeerStream) -> None:
        """Answer the requests on one inbound stream."""
        reader = _Reader(stream)
        for _ in range(DHT_REQUESTS_PER_STREAM_MAX):
            data = await reader.message()
            if data is None:
                return
            await _send(stream, self._answer(decode_kad(data), stream))

    def _answer(self, request: KadMessage, stream: PeerStream) -> KadMessage:
        peer, reach = stream.cell_id, reach_of(stream.remote_address or "")
        kind, key = request.kind, request.key
        if kind is Kind.PING:
            return KadMessage(kind)
        if not key:
            raise DhtViolated(f"{kind.name} without a key")
        if kind is Kind.ADD_PROVIDER:
            for provider in _within(request.providers, reach):
                # Only for itself: the connection has proven who speaks.
                if provider.cell_id == peer:
                    self._records.add(key, provider, time.monotonic())
                    self._table.hint(provider)
            return KadMessage(kind, key)
        nearest = self._table.closest(position(key), DHT_BUCKET_MAX)
        closer = _within((contact for contact in nearest if contact.cell_id != peer), reach)
        if kind is Kind.GET_PROVIDERS:
            providers = _within(self._records.get(key, time.monotonic()), reach)
            return KadMessage(kind, key, closer, providers)
        return KadMessage(kind, key, closer)

    def _start(self, key: bytes) -> list[Contact]:
        nearest = self._table.closest(position(key), DHT_BUCKET_MAX)
        known = {contact.cell_id for contact in nearest}
        return nearest + [contact for contact in self._bootstrap if contact.cell_id not in known]

    async def _run(
        self, lookup: Lookup, kind: Kind, key: bytes, enough: Callable[[KadMessage], bool]
    ) -> None:
        """Ask until the lookup is done, `enough` says so, or time is up."""
        request, changed, satisfied = KadMessage(kind, key), asyncio.Condition(), False

        async def take() -> Contact | None:
            async with changed:
                while not (lookup.done or satisfied):
                    contact = lookup.next()
                    if contact is not None:
                        return contact
                    await changed.wait()
            return None

        async def work() -> None:
            nonlocal satisfied
            while (contact := await take()) is not None:
                try:
                    answer = await self._ask(contact, request)
                    lookup.answered(contact, answer.closer)
                    satisfied = enough(answer) or satisfied
                except MyceldError as error:
                    _LOG.debug("%s did not answer: %s", contact.cell_id, error)
                    lookup.failed(contact)
                async with changed:
                    changed.notify_all()

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DHT_LOOKUP_TIMEOUT_S), asyncio.TaskGroup() as group:
                for _ in range(DHT_LOOKUP_PARALLEL):
                    group.create_task(work())

    async def _ask(self, contact: Contact, request: KadMessage) -> KadMessage:
        """Return a node's answer; raises why there is none, always a MyceldError."""
        try:
            async with asyncio.timeout(DHT_QUERY_TIMEOUT_S):
                answer = await self._exchange(contact, request)
        except TimeoutError as error:
            self._table.failed(contact.cell_id)
            raise DhtAlone(f"{contact.cell_id} took too long") from error
        except MyceldError:
            self._table.failed(contact.cell_id)
            raise
        self._table.answered(contact)
        return answer

    async def _exchange(self, contact: Contact, request: KadMessage) -> KadMessage:
        failure: MyceldError = DhtAlone("no address")
        for address in contact.addresses:
            try:
                stream = await self._links.dial(address)
            except MyceldError as error:
                failure = error
                continue
            async with stream:
                await _send(stream, request)
                data = await _Reader(stream).message()
            if data is None:
                raise DhtViolated("the node closed the stream without an answer")
            answer = decode_kad(data)
            if (answer.kind, answer.key) != (request.kind, request.key):
                raise DhtViolated("the answer is to another question")
            reach = reach_of(address)
            return replace(
                answer,
                closer=_within(answer.closer, reach),
                providers=_within(answer.providers, reach),
            )
        raise failure

    def _own_addresses(self) -> tuple[str, ...]:
        """Return where others can dial us: what we listen on, or the address that peers see."""
        own: dict[str, None] = {}
        for text in self._links.addresses():
            target = parse_dial_address(text)
            at = target.at
            if ip_address(at.host).is_unspecified:
                kind = at.kind
                for host in self._observed:
                    if (":" in host) == (kind == "ip6"):
                        seen = TcpAddress(kind, host, at.port, at.websocket)
                        own[f"{seen}/p2p/{target.cell_id}"] = None
            else:
                own[text] = None
        return tuple(own)[:DHT_ADDRESSES_MAX]


class _Reader:
    """Messages of a stream, each after its varint length."""

    def __init__(self, stream: PeerStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def message(self) -> bytes | None:
        """Return the next message, None at a clean end; raises DhtViolated, and the stream's."""
        size = shift = 0
        while True:
            if not await self._fill(1):
                return None
            byte = self._buffer.pop(0)
            size |= (byte & 0x7F) << shift
            shift += 7
            if size > DHT_MESSAGE_BYTES_MAX or shift > 28:
                raise DhtViolated(f"a message of {size} bytes or more")
            if byte < 0x80:
                break
        if not await self._fill(size):
            raise DhtViolated("the stream ended within a message")
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _fill(self, size: int) -> bool:
        while len(self._buffer) < size:
            data = await self._stream.read(timeout_s=DHT_QUERY_TIMEOUT_S)
            if not data:
                return False
            self._buffer += data
        return True


async def _send(stream: PeerStream, message: KadMessage) -> None:
    data = encode_kad(message)
    await stream.write(encode_varint(len(data)) + data, timeout_s=DHT_QUERY_TIMEOUT_S)


def _dialable(cell_id: CellId, addresses: Iterable[str]) -> tuple[str, ...]:
    dialable = []
    for text in addresses:
        with contextlib.suppress(MyceldError):
            target = parse_dial_address(f"{text}/p2p/{cell_id}")
            if not _is_unspecified(target.at):
                dialable.append(str(target))
    return tuple(dialable[:DHT_ADDRESSES_MAX])


def _reach(contact: Contact) -> Reach:
    return reach_of(contact.addresses[0])


def _within(contacts: Iterable[Contact], reach: Reach) -> tuple[Contact, ...]:
    """Return the contacts with those addresses that mean something to a node this far away."""
    kept = []
    for contact in contacts:
        addresses = tuple(text for text in contact.addresses if reach_of(text) >= reach)
        if addresses:
            kept.append(Contact(contact.cell_id, addresses))
    return tuple(kept)


def _is_unspecified(address: TcpAddress) -> bool:
    return address.kind in {"ip4", "ip6"} and ip_address(address.host).is_unspecified
