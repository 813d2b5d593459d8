"""Messages of the DHT: libp2p's Kademlia protobuf, checked on the way in.

Import only after `load_libp2p`, and only where a DHT is wanted: libp2p's package costs 2 MB.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

import base58
from google.protobuf.message import DecodeError
from libp2p.kad_dht.pb.kademlia_pb2 import Message
from multiaddr import Multiaddr

from core.errors import MyceldError
from core.ids import CellId, public_key_of
from gossip.host.addresses import parse_dial_address
from gossip.host.errors import DhtViolated
from gossip.host.kademlia import Contact, id_bytes_of
from gossip.host.limits import (
    DHT_ADDRESSES_MAX,
    DHT_BUCKET_MAX,
    DHT_KEY_BYTES_MAX,
    DHT_PROVIDERS_PER_KEY_MAX,
)
from gossip.host.loading import Libp2pObject


class Kind(enum.IntEnum):
    """Numbers of the protocol. Values (0 and 1) are not spoken: nothing here stores any."""

    ADD_PROVIDER = 2
    GET_PROVIDERS = 3
    FIND_NODE = 4
    PING = 5


@dataclass(frozen=True, slots=True)
class KadMessage:
    """A request or an answer; contacts without a usable address are left out."""

    kind: Kind
    key: bytes = b""
    closer: tuple[Contact, ...] = ()
    providers: tuple[Contact, ...] = ()


def encode_kad(message: KadMessage) -> bytes:
    """Return the bytes of a message, without its length."""
    made = Message(type=message.kind.name, key=message.key)
    for field, contacts in (
        (made.closerPeers, message.closer),
        (made.providerPeers, message.providers),
    ):
        for contact in contacts:
            peer = field.add()
            peer.id = id_bytes_of(contact.cell_id)
            peer.addrs.extend(
                Multiaddr(text.partition("/p2p/")[0]).to_bytes() for text in contact.addresses
            )
    encoded: bytes = made.SerializeToString()
    return encoded


def decode_kad(data: bytes) -> KadMessage:
    """Return the message in `data`; raises DhtViolated."""
    try:
        message = Message.FromString(data)
        kind = Kind(message.type)
    except (DecodeError, ValueError) as error:
        raise DhtViolated(f"no message of the DHT: {error}") from error
    if len(message.key) > DHT_KEY_BYTES_MAX:
        raise DhtViolated(f"a key of {len(message.key)} bytes")
    return KadMessage(
        kind=kind,
        key=message.key,
        closer=_contacts(message.closerPeers[:DHT_BUCKET_MAX]),
        providers=_contacts(message.providerPeers[:DHT_PROVIDERS_PER_KEY_MAX]),
    )


def _contacts(peers: Iterable[Libp2pObject]) -> tuple[Contact, ...]:
    """Return the peers that are cells with an address we can dial; strangers may send anything."""
    contacts: dict[CellId, Contact] = {}
    for peer in peers:
        cell_id = CellId(base58.b58encode(bytes(peer.id[:64])).decode("ascii"))
        addresses: list[str] = []
        try:
            public_key_of(cell_id)
        except MyceldError:
            continue
        for data in peer.addrs[: 4 * DHT_ADDRESSES_MAX]:
            if len(addresses) == DHT_ADDRESSES_MAX:
                break
            try:
                text = f"{Multiaddr(data)}/p2p/{cell_id}"
                addresses.append(str(parse_dial_address(text)))
            except MyceldError:
                continue
            except Exception:  # noqa: BLE001, S112 - multiaddr raises what it likes on a stranger's bytes
                continue
        if addresses:
            contacts[cell_id] = Contact(cell_id, tuple(addresses))
    return tuple(contacts.values())
