"""The messages of libp2p's identify protocol (specs/identify). Trio side.

Pure: bytes in, bytes out. A received message is a stranger's claim: it is cut to bounds, and
refused as a whole when it names another key than the connection was secured with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from libp2p.identity.identify.pb.identify_pb2 import Identify
from multiaddr import Multiaddr

from core.ids import CellId, public_key_of
from gossip.host.introduction import PROTOCOL_VERSION, Introduction
from gossip.host.limits import IDENTIFY_ITEMS_MAX, IDENTIFY_TEXT_MAX

# Protobuf of libp2p's public key: field 1 is the key type (1: Ed25519), field 2 has 32 bytes.
_KEY_PREFIX = bytes.fromhex("08011220")


class BadIdentify(ValueError):
    """A message that is no identify answer of this peer; never leaves the host."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """What we tell everybody."""

    cell_id: CellId
    agent_version: str
    protocols: tuple[str, ...]
    listen_addresses: tuple[str, ...]


def encode_identify(ourselves: Ourselves, observed_address: str | None) -> bytes:
    """Return the message that answers identify; addresses are multiaddrs without /p2p."""
    message = Identify(
        protocol_version=PROTOCOL_VERSION,
        agent_version=ourselves.agent_version,
        public_key=_key_of(ourselves.cell_id),
        listen_addrs=[Multiaddr(text).to_bytes() for text in ourselves.listen_addresses],
        protocols=ourselves.protocols,
    )
    if observed_address is not None:
        message.observed_addr = Multiaddr(observed_address).to_bytes()
    encoded: bytes = message.SerializeToString()
    return encoded


def decode_identify(data: bytes, cell_id: CellId) -> Introduction:
    """Return what `cell_id` says of itself, without RTT; raises BadIdentify."""
    try:
        message = Identify.FromString(data)
    except DecodeError as error:
        raise BadIdentify(str(error)) from error
    if message.public_key and message.public_key != _key_of(cell_id):
        raise BadIdentify("names another key than the connection's")
    observed = _addresses([message.observed_addr])
    return Introduction(
        protocol_version=_text(message.protocol_version),
        agent_version=_text(message.agent_version),
        protocols=tuple(map(_text, message.protocols[:IDENTIFY_ITEMS_MAX])),
        listen_addresses=_addresses(message.listen_addrs[:IDENTIFY_ITEMS_MAX]),
        observed_address=observed[0] if observed else None,
        rtt_ms=None,
    )


def _key_of(cell_id: CellId) -> bytes:
    return _KEY_PREFIX + public_key_of(cell_id)


def _text(text: str | bytes) -> str:
    cut = text[:IDENTIFY_TEXT_MAX]
    if isinstance(cut, bytes):  # what protobuf gives for a text that is no UTF-8
        cut = cut.decode(errors="replace")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in cut)


def _addresses(items: Iterable[bytes]) -> tuple[str, ...]:
    """Return those that are multiaddrs; other implementations know kinds that ours does not."""
    texts = []
    for item in items:
        try:
            text = str(Multiaddr(item))
        except Exception:  # noqa: BLE001, S112 - multiaddr raises what it likes on a stranger's bytes
            continue
        if 1 < len(text) <= IDENTIFY_TEXT_MAX:
            texts.append(_text(text))
    return tuple(texts)
