"""Decoders of what peers send: gossip, replication, discovery, tickets, and libp2p's own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from hashlib import sha256
from typing import Any, TypeVar

from core import codec
from core.codec import NotCanonical, WrongShape
from core.errors import check
from core.ids import cell_id_of
from gossip.discovery import errors as discovery_errors
from gossip.discovery import ticket as tickets
from gossip.discovery.address import is_peer_address, only_loopback, parse_peer_address, reach_of
from gossip.discovery.announcement import decode_announcement
from gossip.discovery.book import (
    AddressRecord,
    Entry,
    Source,
    decode_entry,
    encode_entry,
    read_entries,
)
from gossip.discovery.invitation import (
    LENGTH_SIZE_BYTES,
    Newcomer,
    _parse_welcome,
    body_size,
    parse_ask,
    parse_proof,
)
from gossip.discovery.spore import Variant, decode_spore
from gossip.discovery.spore_file import from_json, to_json
from gossip.errors import BadFrame, FrameTooLong
from gossip.host.addresses import parse_dial_address, parse_listen_address
from gossip.host.errors import DhtViolated, NotAMultiaddr, TransportNotSpoken
from gossip.host.loading import load_libp2p
from gossip.wire import WIRE_VERSION, Frame, FrameReader, Hello, decode_frame, encode_frame
from journal.replication import wire
from journal.replication.errors import FrameRefused, PeerGone
from journal.replication.framing import FrameStream
from node.discovery.mdns import addresses_in, cell_of, instance_name
from tests.fuzz.mutations import Form
from tests.fuzz.samples import bodies, from_hex, vector
from tests.fuzz.target import REFUSED, Target
from tests.fuzz.targets_ledger import pieces
from tests.gossip.discovery.spore_world import NETWORK_IDENTITY, announced, at, many, node, spore
from tests.gossip.discovery.test_invitation import NEWCOMER, TICKET, WELCOME, Inviter, _newcomer
from tests.ledger.world import ALL_KEYS, KEYS, NETWORK

_T = TypeVar("_T")
_CELL = KEYS[0].cell_id
_GOSSIP = vector("wire")["frames"]
_REPLICATION = vector("replication")["frames"]
_ANNOUNCED = (discovery_errors.BadAnnouncement, discovery_errors.SporeOfOtherNetwork)
_REFUSALS = (
    discovery_errors.TicketUnknown,
    discovery_errors.TicketOfOtherNetwork,
    discovery_errors.ProofWrong,
    discovery_errors.TicketExpired,
    discovery_errors.TicketRevoked,
    discovery_errors.TicketUsed,
    discovery_errors.InviterBusy,
    discovery_errors.InviteBroken,
)
_ADDRESSES = (
    f"/ip4/192.0.2.7/tcp/4710/p2p/{_CELL}",
    f"/ip6/2001:db8::7/tcp/4710/ws/p2p/{_CELL}",
    f"/dns4/cell.example.org/tcp/443/ws/p2p/{_CELL}",
    f"/dns/localhost/tcp/1/p2p/{_CELL}",
)


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (
        *_gossip(),
        *_replication(),
        *_spores(),
        *_tickets(),
        *_invitations(),
        *_addresses(),
        *_mdns(),
        *_libp2p(),
    )


def _gossip() -> tuple[Target, ...]:
    return (
        Target(
            name="gossip frame",
            decode=decode_frame,
            encode=_frame_again,
            samples=bodies(_GOSSIP),
            errors=(BadFrame,),
            covers=("gossip/wire.py:decode_frame", "gossip/wire.py:_from_fields"),
        ),
        Target(
            name="gossip stream",
            decode=_gossip_stream,
            samples=from_hex(*_GOSSIP.values(), "".join(_GOSSIP.values())),
            errors=(BadFrame, FrameTooLong),
            covers=("gossip/wire.py:FrameReader.feed",),
        ),
    )


def _replication() -> tuple[Target, ...]:
    return (
        Target(
            name="replication frame",
            decode=wire.decode_frame,
            encode=lambda frame: wire.encode_frame(frame)[4:],
            samples=bodies(_REPLICATION),
            errors=(FrameRefused,),
            covers=(
                "journal/replication/wire.py:decode_frame",
                "journal/replication/wire.py:_parse",
                "journal/replication/wire.py:_parse_numbers",
            ),
            size_bytes_max=4 << 20,
        ),
        Target(
            name="replication stream",
            decode=_replication_stream,
            samples=from_hex(*_REPLICATION.values(), "".join(_REPLICATION.values())),
            errors=(FrameRefused,),
            covers=("journal/replication/wire.py:length_of",),
            size_bytes_max=4 << 20,
        ),
    )


def _spores() -> tuple[Target, ...]:
    key = ALL_KEYS[2]
    addresses = [at(key.cell_id, host=host) for host in ("192.168.1.7", "8.8.4.4", "8.8.8.8")]
    statements = tuple(item.encoded for item in (*announced(key, *addresses), *announced(key)))
    spores = (
        spore(),
        spore(variant=Variant.PRIMARY, proof=b"\x90"),
        spore([node(one, at(one.cell_id, host="8.8.4.4")) for one in many(12)]),
        spore([node(key, *addresses)], variant=Variant.SEED),
    )
    entry = Entry(
        _CELL,
        tuple(announced(key, *addresses)),
        {text: AddressRecord(Source.ANNOUNCED, 5, 7, 2) for text in addresses},
        9,
        8,
    )
    wrong = (*_ANNOUNCED, discovery_errors.BadSpore)
    return (
        Target(
            name="announcement",
            decode=lambda data: decode_announcement(data, NETWORK),
            encode=lambda item: item.encoded,
            samples=statements,
            errors=_ANNOUNCED,
            covers=(
                "gossip/discovery/announcement.py:decode_announcement",
                "gossip/discovery/announcement.py:_decode",
            ),
            size_bytes_max=8192,
        ),
        Target(
            name="spore",
            decode=lambda data: decode_spore(data, NETWORK_IDENTITY),
            encode=lambda item: item.encoded,
            samples=tuple(item.encoded for item in spores),
            errors=wrong,
            covers=("gossip/discovery/spore.py:decode_spore", "gossip/discovery/spore.py:_decode"),
            size_bytes_max=384 << 10,
        ),
        Target(
            name="spore file",
            decode=lambda data: from_json(data, NETWORK_IDENTITY),
            samples=tuple(to_json(item).encode() for item in spores),
            errors=(*wrong, discovery_errors.BadSporeFile),
            form=Form.JSON,
            covers=("gossip/discovery/spore_file.py:from_json",),
            size_bytes_max=3 << 20,
        ),
        Target(
            name="row of the address book",
            decode=_entry,
            samples=(encode_entry(entry), encode_entry(Entry("seed"))),
            errors=(*_ANNOUNCED, NotCanonical, WrongShape),
            covers=(
                "gossip/discovery/book.py:decode_entry",
                "gossip/discovery/book.py:read_entries",
            ),
        ),
    )


def _tickets() -> tuple[Target, ...]:
    cases = vector("ticket")["cases"]
    lines = tuple(case["ticket"].encode() for case in cases)
    secrets = (discovery_errors.NotATicket, discovery_errors.TicketOfOtherVersion)
    covered = "gossip/discovery/ticket.py:"
    return (
        Target(
            name="ticket",
            decode=lambda data: tickets.parse_ticket(_text(data)),
            samples=lines,
            errors=secrets,
            form=Form.TEXT,
            covers=(f"{covered}parse_ticket", f"{covered}_from_base32"),
            size_bytes_max=8192,
        ),
        Target(
            name="ticket, its checksum right",
            decode=lambda data: tickets.parse_ticket(_text(data)),
            samples=tuple(tickets._from_base32(_text(line)[7:])[:-6] for line in lines),
            wrap=_as_ticket,
            errors=secrets,
            covers=(f"{covered}_parse_body",),
            size_bytes_max=2048,
        ),
    )


def _invitations() -> tuple[Target, ...]:
    inviter, newcomer = Inviter(), _newcomer()
    ask = newcomer.ask()
    commit = codec.encode([2, tickets.commitment_of(b"\x07" * 16)])
    proof = newcomer.answer_commit(commit)
    welcome = inviter.welcome(ask, proof)
    return (
        Target(
            name="invitation: ask",
            decode=parse_ask,
            encode=lambda found: found.encode()[4:],
            samples=(ask[4:],),
            errors=_REFUSALS,
            covers=(
                "gossip/discovery/invitation.py:parse_ask",
                "gossip/discovery/invitation.py:_parse",
            ),
            size_bytes_max=80 << 10,
        ),
        Target(
            name="invitation: proof",
            decode=parse_proof,
            samples=(proof[4:],),
            errors=_REFUSALS,
            covers=("gossip/discovery/invitation.py:parse_proof",),
            size_bytes_max=80 << 10,
        ),
        Target(
            name="invitation: commitment",
            decode=lambda data: _newcomer().answer_commit(data),
            samples=(commit,),
            errors=_REFUSALS,
            size_bytes_max=80 << 10,
        ),
        Target(
            name="invitation: welcome",
            decode=lambda data: _entered(data, commit),
            samples=(welcome[4:],),
            errors=(*_REFUSALS, discovery_errors.InviterNotProven),
            size_bytes_max=80 << 10,
        ),
        Target(
            name="invitation: content of a welcome",
            decode=_parse_welcome,
            encode=lambda found: found.encode(),
            samples=(WELCOME.encode(),),
            errors=(discovery_errors.InviteBroken,),
            covers=("gossip/discovery/invitation.py:_parse_welcome",),
            size_bytes_max=80 << 10,
        ),
        Target(
            name="invitation: length",
            decode=lambda data: body_size(data[:LENGTH_SIZE_BYTES]),
            samples=(b"\0\0\0\1", b"\0\0\1\0"),
            errors=(discovery_errors.InviteBroken,),
            form=Form.BINARY,
            size_bytes_max=8,
        ),
    )


def _addresses() -> tuple[Target, ...]:
    texts = tuple(text.encode() for text in _ADDRESSES)
    bare = tuple(text.partition("/p2p/")[0].encode() for text in _ADDRESSES)
    not_one = (NotAMultiaddr, TransportNotSpoken)
    return (
        Target(
            name="address of a cell",
            decode=lambda data: parse_peer_address(_text(data)),
            encode=lambda found: found.text.encode(),
            samples=texts,
            errors=(discovery_errors.BadAddress,),
            form=Form.TEXT,
            covers=(
                "gossip/discovery/address.py:parse_peer_address",
                "gossip/discovery/address.py:_split",
            ),
            size_bytes_max=4096,
        ),
        Target(
            name="reach of an address",
            decode=lambda data: (
                reach_of(_text(data)),
                is_peer_address(_text(data)),
                only_loopback([_text(data)]),
            ),
            samples=(*texts, *bare),
            errors=(),
            form=Form.TEXT,
            size_bytes_max=4096,
        ),
        Target(
            name="multiaddr to dial",
            decode=lambda data: parse_dial_address(_text(data)),
            samples=texts,
            errors=not_one,
            form=Form.TEXT,
            covers=(
                "gossip/host/addresses.py:parse_dial_address",
                "gossip/host/addresses.py:_split",
                "gossip/host/addresses.py:_parse_tcp",
            ),
            size_bytes_max=4096,
        ),
        Target(
            name="multiaddr to listen on",
            decode=lambda data: parse_listen_address(_text(data)),
            samples=bare[:2],
            errors=not_one,
            form=Form.TEXT,
            covers=("gossip/host/addresses.py:parse_listen_address",),
            size_bytes_max=4096,
        ),
    )


def _mdns() -> tuple[Target, ...]:
    bare = tuple(text.partition("/p2p/")[0].encode() for text in _ADDRESSES)
    return (
        Target(
            name="mDNS name",
            decode=lambda data: cell_of(NETWORK, _text(data)) or REFUSED,
            encode=lambda cell: instance_name(NETWORK, cell).encode(),
            samples=(instance_name(NETWORK, _CELL).encode(),),
            errors=(),
            form=Form.TEXT,
            covers=("node/discovery/mdns.py:cell_of",),
            size_bytes_max=4096,
        ),
        Target(
            name="mDNS record",
            decode=_txt,
            samples=(b"a0=" + bare[0] + b"\na1=" + bare[1] + b"\na15=" + bare[2],),
            errors=(),
            form=Form.TEXT,
            covers=("node/discovery/mdns.py:addresses_in",),
            size_bytes_max=9000,
        ),
    )


def _libp2p() -> tuple[Target, ...]:
    load_libp2p()
    from gossip.host.dht import _Reader
    from gossip.host.identify import BadIdentify, Ourselves, decode_identify, encode_identify
    from gossip.host.kad_wire import KadMessage, Kind, decode_kad, encode_kad
    from gossip.host.kademlia import Contact
    from gossip.host.limits import DHT_REQUESTS_PER_STREAM_MAX
    from gossip.host.varint import encode_varint

    def identified(data: bytes) -> object:
        try:
            return decode_identify(data, _CELL)
        except BadIdentify:
            return REFUSED

    def messages(data: bytes) -> list[bytes]:
        async def read_all() -> list[bytes]:
            reader, found = _Reader(_PeerPieces(data)), []  # type: ignore[arg-type]  # only `read`
            for _ in range(DHT_REQUESTS_PER_STREAM_MAX):
                message = await reader.message()
                if message is None:
                    break
                found.append(message)
            return found

        return _run(read_all())

    addresses = tuple(text.partition("/p2p/")[0] for text in _ADDRESSES[:2])
    ourselves = Ourselves(_CELL, "myceld/0.1", ("/myceld/1", "/ipfs/ping/1.0.0"), addresses)
    contacts = tuple(Contact(key.cell_id, (at(key.cell_id),)) for key in KEYS)
    requests = (
        encode_kad(KadMessage(Kind.GET_PROVIDERS, b"k" * 32)),
        encode_kad(KadMessage(Kind.FIND_NODE, b"k" * 32, contacts)),
        encode_kad(KadMessage(Kind.ADD_PROVIDER, b"k" * 32, (), contacts[:1])),
    )
    return (
        Target(
            name="identify",
            decode=identified,
            samples=(
                encode_identify(ourselves, None),
                encode_identify(ourselves, "/ip4/8.8.8.8/tcp/9"),
            ),
            errors=(),
            form=Form.PROTOBUF,
            covers=("gossip/host/identify.py:decode_identify",),
            size_bytes_max=8 << 10,
        ),
        Target(
            name="DHT message",
            decode=decode_kad,
            samples=requests,
            errors=(DhtViolated,),
            form=Form.PROTOBUF,
            covers=("gossip/host/kad_wire.py:decode_kad",),
            size_bytes_max=48 << 10,
        ),
        Target(
            name="DHT stream",
            decode=messages,
            samples=(
                b"".join(encode_varint(len(made)) + made for made in requests),
                encode_varint(len(requests[1])) + requests[1],
            ),
            errors=(DhtViolated,),
            form=Form.PROTOBUF,
            size_bytes_max=64 << 10,
        ),
    )


class _Pieces:
    """A byte stream that gives what has arrived, in the pieces in which it came."""

    def __init__(self, data: bytes) -> None:
        self._pieces = pieces(data)

    async def read(self, size_max: int, *, timeout_s: float | None) -> bytes:  # noqa: ARG002 - the protocol's
        """Return the next piece; none is longer than what is asked for."""
        return next(self._pieces, b"")

    async def write(self, data: bytes, *, timeout_s: float) -> None:
        """Take nothing."""


class _PeerPieces(_Pieces):
    """The same, as the host's streams are read."""

    async def read(self, size_max: int = 1, *, timeout_s: float | None) -> bytes:
        """Return the next piece."""
        return await super().read(size_max, timeout_s=timeout_s)


def _replication_stream(data: bytes) -> list[wire.Frame]:
    async def read_all() -> list[wire.Frame]:
        stream, frames = FrameStream(_Pieces(data)), []
        try:
            while True:
                frames.append(await stream.read(timeout_s=1))
        except PeerGone:
            return frames

    return _run(read_all())


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine that never waits, without the cost of a loop."""
    try:
        work.send(None)
    except StopIteration as done:
        value: _T = done.value
        return value
    raise asyncio.InvalidStateError


def _gossip_stream(data: bytes) -> list[Frame]:
    reader = FrameReader()
    return [frame for piece in pieces(data) for frame in reader.feed(piece)]


def _frame_again(frame: Frame) -> bytes | None:
    """Return the frame's bytes; of another version's HELLO nothing but the version was read."""
    if isinstance(frame, Hello) and frame.version != WIRE_VERSION:
        return None
    return encode_frame(frame)[4:]


def _entry(data: bytes) -> Entry:
    entry = decode_entry(data, NETWORK)
    check(read_entries([(_CELL, data)], NETWORK) == {_CELL: entry}, "rows are read as entries")
    return entry


def _entered(data: bytes, commit: bytes) -> object:
    newcomer = Newcomer(TICKET, cell_id_of(NEWCOMER), "eve", b"\x08" * 16)
    newcomer.answer_commit(commit)
    return newcomer.enter(data)


def _as_ticket(body: bytes) -> bytes:
    checksum = sha256(tickets._DOMAIN + body).digest()[:6]
    return b"myceld1" + tickets._to_base32(body + checksum).encode()


def _txt(data: bytes) -> object:
    properties: dict[bytes, bytes | None] = {}
    for line in data.split(b"\n")[:64]:
        name, equals, value = line.partition(b"=")
        properties[name] = value if equals else None
    return addresses_in(_CELL, properties)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1") if len(data) > 4096 else data.decode(errors="surrogateescape")
