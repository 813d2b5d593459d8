"""Announcements: where a cell says that it listens, signed by itself.

    [body, signature]
    body  ["myceld/announcement/1", network id, key, node type, time ns, [address, …]]

Nobody else can say it: hearsay can repeat an announcement, not make one, and a newer one always
replaces an older one. What a cell says at one time may come in up to three versions, told apart
by their reach: with only loopback addresses, with private ones too, and with public ones only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from core.codec import (
    NotCanonical,
    Value,
    WrongShape,
    as_array,
    as_bytes,
    as_int,
    as_text,
    decode,
    encode,
)
from core.ids import CellId, NetworkId, PublicKey, Signature, cell_id_of
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from gossip.discovery.address import Reach, parse_peer_address
from gossip.discovery.errors import (
    BadAddress,
    BadAnnouncement,
    SporeOfOtherNetwork,
    SporeTimeImpossible,
)
from gossip.discovery.limits import (
    ANNOUNCEMENT_SIZE_BYTES_MAX,
    CELL_ADDRESS_LENGTH_MAX,
    CELL_ADDRESSES_MAX,
    CLOCK_TOLERANCE_NS,
)

_DOMAIN: Final = "myceld/announcement/1"
NODE_TYPES: Final = ("sclerotium", "rhizomorph")
"""With a vote, and a full copy without one."""


@dataclass(frozen=True)
class Announcement:
    """What one cell says of itself. Made by `announce` or `decode_announcement` only."""

    network_id: NetworkId
    public_key: PublicKey
    node_type: str
    issued_ns: int
    """By the cell's own clock; of two, the later one counts."""
    addresses: tuple[str, ...]
    reach: Reach
    signature: Signature

    @cached_property
    def cell_id(self) -> CellId:
        """Of the cell that speaks."""
        return cell_id_of(self.public_key)

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes."""
        return encode([_body(self), self.signature])

    @property
    def signature_check(self) -> tuple[PublicKey, bytes, bytes]:
        """What `identity.keys.verify_all` is to check: key, message, signature."""
        return (self.public_key, encode(_body(self)), self.signature)

    def check_time(self, genesis_time_ns: int, now_ns: int) -> None:
        """Raise SporeTimeImpossible if it was made in the future, or before its network."""
        low, high = genesis_time_ns - CLOCK_TOLERANCE_NS, now_ns + CLOCK_TOLERANCE_NS
        if not low <= self.issued_ns <= high:
            raise SporeTimeImpossible(f"{self.cell_id} announced itself at {self.issued_ns} ns")


def announce(
    *,
    network_id: NetworkId,
    public_key: PublicKey,
    node_type: str,
    issued_ns: int,
    addresses: Iterable[str],
    sign: Callable[[bytes], Signature],
) -> list[Announcement]:
    """Return the versions of one statement: one for each reach that the addresses have.

    A cell with other than loopback addresses does not tell its loopback ones: the others work on
    its machine too. Raises BadAddress.
    """
    by_reach: dict[Reach, list[str]] = {reach: [] for reach in Reach}
    for address in sorted(set(addresses)):
        by_reach[parse_peer_address(address).reach].append(address)
    versions: list[list[str]] = []
    if by_reach[Reach.SITE]:
        # The farther ones first: they must not fall to the bound.
        versions.append(by_reach[Reach.WORLD] + by_reach[Reach.SITE])
    if by_reach[Reach.WORLD]:
        versions.append(by_reach[Reach.WORLD])
    if not versions and by_reach[Reach.LOOPBACK]:
        versions.append(by_reach[Reach.LOOPBACK])
    made = []
    for version in versions:
        kept = tuple(sorted(version[:CELL_ADDRESSES_MAX]))
        reach = min(parse_peer_address(address).reach for address in kept)
        unsigned = Announcement(
            network_id, public_key, node_type, issued_ns, kept, reach, Signature(b"")
        )
        signature = sign(encode(_body(unsigned)))
        made.append(
            Announcement(network_id, public_key, node_type, issued_ns, kept, reach, signature)
        )
    return made


def decode_announcement(data: bytes, network_id: NetworkId) -> Announcement:
    """Return the announcement in `data`, with everything checked but its signature and time.

    Accepted only if: it is of this network; 1 to 16 addresses in order, none twice, each ends in
    the cell's own id and can be dialled from elsewhere; all of them are loopback ones, or none.
    Raises BadAnnouncement or SporeOfOtherNetwork.
    """
    try:
        return _decode(data, network_id)
    except (NotCanonical, WrongShape, BadAddress) as error:
        raise BadAnnouncement(error.detail) from error


def join(one: Sequence[Announcement], other: Sequence[Announcement]) -> tuple[Announcement, ...]:
    """Return what is to be kept of two sets of announcements of one cell, in order of reach.

    The later statement, and of one statement every version: associative, commutative, idempotent.
    """
    newest = max((item.issued_ns for item in (*one, *other)), default=0)
    versions: dict[Reach, Announcement] = {}
    for item in (*one, *other):
        if item.issued_ns == newest:
            known = versions.get(item.reach)
            if known is None or item.encoded > known.encoded:
                versions[item.reach] = item
    return tuple(versions[reach] for reach in sorted(versions))


def _decode(data: bytes, network_id: NetworkId) -> Announcement:
    body, signature = as_array(decode(data, size_bytes_max=ANNOUNCEMENT_SIZE_BYTES_MAX), length=2)
    domain, network, key, node_type, issued_ns, addresses = as_array(body, length=6)
    if domain != _DOMAIN:
        raise WrongShape("not an announcement of this version")
    if as_bytes(network, size=HASH_SIZE_BYTES) != network_id:
        raise SporeOfOtherNetwork("the announcement is of another network")
    items = as_array(addresses, length_max=CELL_ADDRESSES_MAX)
    texts = tuple(as_text(item, length_max=CELL_ADDRESS_LENGTH_MAX) for item in items)
    public_key = PublicKey(as_bytes(key, size=PUBLIC_KEY_SIZE_BYTES))
    return Announcement(
        network_id,
        public_key,
        _node_type(node_type),
        as_int(issued_ns),
        texts,
        _reach(texts, cell_id_of(public_key)),
        Signature(as_bytes(signature, size=SIGNATURE_SIZE_BYTES)),
    )


def _body(item: Announcement) -> Value:
    return [
        _DOMAIN,
        item.network_id,
        item.public_key,
        item.node_type,
        item.issued_ns,
        list(item.addresses),
    ]


def _node_type(value: Value) -> str:
    text = as_text(value, length_max=16)
    if text not in NODE_TYPES:
        raise WrongShape(f"a node is one of {', '.join(NODE_TYPES)}")
    return text


def _reach(addresses: tuple[str, ...], cell_id: CellId) -> Reach:
    """Return the reach of a set of addresses that one cell may announce."""
    parsed = [parse_peer_address(address) for address in addresses]
    if not parsed or list(addresses) != sorted(set(addresses)):
        raise WrongShape("no addresses, or not in order")
    if any(address.cell_id != cell_id for address in parsed):
        raise WrongShape("an address names another cell")
    reaches = {address.reach for address in parsed}
    if Reach.LOOPBACK in reaches and len(reaches) > 1:
        raise WrongShape("loopback addresses beside others")
    return min(reaches)
