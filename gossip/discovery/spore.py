"""Spores: signed records from which a cell finds the others of its network.

    [body, signature]
    body     ["myceld/spore/1", kind, variant, network, [node, …], [service, …],
              last updated ns, issuer's key, proof]
    network  [network id, name, genesis time ns, [genesis cell's key, …], compatibility version]
    node     [[announcement, …], last seen ns, trust in millionths]

Kind `master`: a network's cells; kind `service` is kept free, and no services are told yet.
Variant `primary`: made by a member, with a proof from the genesis on that it is one; `seed`: from a
file or URL; `latent`: told between peers. Where a node listens is only ever the node's own signed
word; the issuer vouches for when it saw the node, and how far it trusts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
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
from core.errors import check
from core.ids import CellId, NetworkId, PublicKey, Signature, cell_id_of
from core.limits import HASH_SIZE_BYTES, PUBLIC_KEY_SIZE_BYTES, SIGNATURE_SIZE_BYTES
from gossip.discovery.address import Reach
from gossip.discovery.announcement import Announcement, decode_announcement
from gossip.discovery.errors import (
    BadSpore,
    SporeForged,
    SporeOfOtherNetwork,
    SporeTimeImpossible,
)
from gossip.discovery.limits import (
    ANNOUNCEMENT_SIZE_BYTES_MAX,
    CLOCK_TOLERANCE_NS,
    SPORE_NODES_MAX,
    SPORE_NODES_SIZE_BYTES_MAX,
    SPORE_PROOF_SIZE_BYTES_MAX,
    SPORE_SIZE_BYTES_MAX,
    TRUST_MAX,
)

_DOMAIN: Final = "myceld/spore/1"
_MASTER: Final = "master"
_NAME_LENGTH_MAX: Final = 64
_MEMBERS_MAX: Final = 128
_NODE_EXTRA_BYTES: Final = 32
"""Of a node beside its announcements: two numbers, and the lengths of all parts."""
COMPATIBILITY_VERSION: Final = "1"
"""Cells of one network understand each other as long as this is equal."""

Check = tuple[PublicKey, bytes, bytes]
"""Public key, message, signature."""


class Variant(IntEnum):
    """Where a spore comes from; the greater one has more authority."""

    LATENT = 1
    SEED = 2
    PRIMARY = 3

    @property
    def word(self) -> str:
        """The lower-case name in formats and on the command line."""
        return self.name.lower()


_VARIANTS: Final = {variant.word: variant for variant in Variant}


@dataclass(frozen=True, slots=True)
class NetworkIdentity:
    """Which network a spore is of, for people too; all of it follows from the genesis."""

    network_id: NetworkId
    network_name: str
    genesis_time_ns: int
    genesis_nodes: tuple[PublicKey, ...]
    compatibility_version: str = COMPATIBILITY_VERSION


@dataclass(frozen=True, slots=True)
class Node:
    """One cell as the issuer of a spore knows it."""

    announcements: tuple[Announcement, ...]
    """One to three versions of its newest statement, in order of reach."""
    last_seen_ns: int
    trust: int
    """In millionths, 0 to TRUST_MAX."""

    @property
    def cell_id(self) -> CellId:
        """Of the cell."""
        return self.announcements[0].cell_id

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them, each once, in order."""
        return tuple(sorted({text for item in self.announcements for text in item.addresses}))

    @property
    def node_type(self) -> str:
        """What the cell says that it is."""
        return self.announcements[-1].node_type


@dataclass(frozen=True)
class Spore:
    """A spore. Made by `make_spore` or `decode_spore` only."""

    variant: Variant
    network: NetworkIdentity
    nodes: tuple[Node, ...]
    """In order of their cell ids, each once."""
    updated_ns: int
    issuer: PublicKey
    proof: bytes
    """That the issuer is a member: encoded by `ledger.roster_proof`. Empty in latent spores."""
    signature: Signature

    @cached_property
    def encoded(self) -> bytes:
        """The canonical bytes."""
        return encode([_body(self), self.signature])

    @property
    def issuer_id(self) -> CellId:
        """Cell id of who made it."""
        return cell_id_of(self.issuer)

    @property
    def reach(self) -> Reach:
        """How far away a peer may be that is told this: no farther than the nearest address."""
        reaches = [item.reach for node in self.nodes for item in node.announcements]
        return min(reaches, default=Reach.WORLD)

    def signature_checks(self, known: Callable[[Announcement], bool]) -> list[Check]:
        """Return what is to be verified: the spore, and announcements that are not `known`."""
        checks: list[Check] = [(self.issuer, encode(_body(self)), self.signature)]
        for node in self.nodes:
            checks += [item.signature_check for item in node.announcements if not known(item)]
        return checks

    def check_times(self, now_ns: int) -> None:
        """Raise SporeTimeImpossible unless every time can be.

        Not after now, and not before the network was made, by more than CLOCK_TOLERANCE_NS.
        """
        genesis_ns = self.network.genesis_time_ns
        low, high = genesis_ns - CLOCK_TOLERANCE_NS, now_ns + CLOCK_TOLERANCE_NS
        if not low <= self.updated_ns <= high:
            raise SporeTimeImpossible(f"the spore was last updated at {self.updated_ns} ns")
        for node in self.nodes:
            if node.last_seen_ns < low:
                raise SporeTimeImpossible(f"{node.cell_id} was seen at {node.last_seen_ns} ns")
            for item in node.announcements:
                item.check_time(genesis_ns, now_ns)


def make_spore(
    variant: Variant,
    network: NetworkIdentity,
    nodes: Iterable[Node],
    *,
    updated_ns: int,
    issuer: PublicKey,
    sign: Callable[[bytes], Signature],
    proof: bytes = b"",
) -> Spore:
    """Return a signed spore of as many of these nodes as it can hold, the first ones.

    `proof` has at most SPORE_PROOF_SIZE_BYTES_MAX.
    """
    kept = sorted(_fitting(nodes), key=lambda node: node.cell_id)
    unsigned = Spore(variant, network, tuple(kept), updated_ns, issuer, proof, Signature(b""))
    made = replace(unsigned, signature=sign(encode(_body(unsigned))))
    check(all(node.last_seen_ns <= updated_ns for node in kept), "nodes were seen before now")
    check((variant is Variant.LATENT) <= (not proof), "latent spores prove nothing")
    return made


def decode_spore(data: bytes, network: NetworkIdentity) -> Spore:
    """Return the spore in `data`, with everything checked that needs no clock and no signatures.

    Accepted only if: (1) it is canonical, of this version, within its bounds; (2) its network is
    exactly ours; (3) its nodes are in order, none twice, each with one to three versions of one
    announcement of its own; (4) nobody was seen after the last update, trust is 0 to 1; (5) a
    primary has a proof, a latent one none. Then check `check_times`, `verify` and the proof.
    Raises BadSpore, BadAnnouncement or SporeOfOtherNetwork.
    """
    try:
        spore = _decode(data, network)
    except (NotCanonical, WrongShape) as error:
        raise BadSpore(error.detail) from error
    _check_consistent(spore)
    return spore


def verify(spore: Spore, verify_all: Callable[[list[Check]], list[bool]]) -> None:
    """Raise SporeForged unless the issuer signed the spore, and each node its announcements."""
    check_verdicts(spore, verify_all(spore.signature_checks(lambda _: False)))


def check_verdicts(spore: Spore, verdicts: list[bool]) -> None:
    """Raise SporeForged unless all of `signature_checks` were right."""
    if not all(verdicts):
        raise SporeForged(f"a signature in a spore of {spore.issuer_id} is wrong")


def _fitting(nodes: Iterable[Node]) -> list[Node]:
    """Return the first nodes that fit: whoever announces much must not make ours too long."""
    kept: list[Node] = []
    left_bytes = SPORE_NODES_SIZE_BYTES_MAX
    for node in nodes:
        left_bytes -= sum(len(item.encoded) for item in node.announcements) + _NODE_EXTRA_BYTES
        if left_bytes < 0 or len(kept) == SPORE_NODES_MAX:
            break
        kept.append(node)
    return kept


def _decode(data: bytes, network: NetworkIdentity) -> Spore:
    body, signature = as_array(decode(data, size_bytes_max=SPORE_SIZE_BYTES_MAX), length=2)
    domain, kind, variant, identity, nodes, services, updated, issuer, proof = as_array(
        body, length=9
    )
    if domain != _DOMAIN or kind != _MASTER:
        raise WrongShape("not a master spore of this version")
    _check_network(identity, network)
    as_array(services, length=0)
    items = as_array(nodes, length_max=SPORE_NODES_MAX)
    return Spore(
        _variant(variant),
        network,
        tuple(_node(item, network.network_id) for item in items),
        as_int(updated),
        PublicKey(as_bytes(issuer, size=PUBLIC_KEY_SIZE_BYTES)),
        as_bytes(proof, size_max=SPORE_PROOF_SIZE_BYTES_MAX),
        Signature(as_bytes(signature, size=SIGNATURE_SIZE_BYTES)),
    )


def _body(spore: Spore) -> Value:
    nodes: list[Value] = [
        [[item.encoded for item in node.announcements], node.last_seen_ns, node.trust]
        for node in spore.nodes
    ]
    return [
        _DOMAIN,
        _MASTER,
        spore.variant.word,
        _network_value(spore.network),
        nodes,
        [],
        spore.updated_ns,
        spore.issuer,
        spore.proof,
    ]


def _network_value(network: NetworkIdentity) -> list[Value]:
    return [
        network.network_id,
        network.network_name,
        network.genesis_time_ns,
        list(network.genesis_nodes),
        network.compatibility_version,
    ]


def _check_network(value: Value, network: NetworkIdentity) -> None:
    items = as_array(value, length=5)
    if as_bytes(items[0], size=HASH_SIZE_BYTES) != network.network_id:
        raise SporeOfOtherNetwork("the spore is of another network")
    as_text(items[1], length_max=_NAME_LENGTH_MAX)
    as_array(items[3], length_max=_MEMBERS_MAX)
    if items != _network_value(network):
        raise BadSpore("its network's name, birth, first cells or version are not the network's")


def _variant(value: Value) -> Variant:
    word = as_text(value, length_max=16)
    if word not in _VARIANTS:
        raise WrongShape(f"a spore is one of {', '.join(_VARIANTS)}")
    return _VARIANTS[word]


def _node(value: Value, network_id: NetworkId) -> Node:
    announcements, last_seen_ns, trust = as_array(value, length=3)
    items = as_array(announcements, length_max=len(Reach))
    return Node(
        tuple(
            decode_announcement(as_bytes(item, size_max=ANNOUNCEMENT_SIZE_BYTES_MAX), network_id)
            for item in items
        ),
        as_int(last_seen_ns),
        as_int(trust, high=TRUST_MAX),
    )


def _check_consistent(spore: Spore) -> None:
    for node in spore.nodes:
        items = node.announcements
        reaches = [item.reach for item in items]
        if not items or reaches != sorted(set(reaches)):
            raise BadSpore("a node without announcements, or they are not in order")
        if len({(item.public_key, item.issued_ns) for item in items}) != 1:
            raise BadSpore(f"{node.cell_id}: announcements of several cells or times")
        if node.last_seen_ns > spore.updated_ns:
            raise BadSpore(f"{node.cell_id} was seen after the spore was last updated")
    ids = [node.cell_id for node in spore.nodes]
    if ids != sorted(set(ids)):
        raise BadSpore("the nodes are not in order, or one is there twice")
    if (
        bool(spore.proof) != (spore.variant is Variant.PRIMARY)
        and spore.variant is not Variant.SEED
    ):
        raise BadSpore("a primary spore without a proof, or a latent one with one")
