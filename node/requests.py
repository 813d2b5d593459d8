"""Everything that another cell can ask of this one, and who may.

Each row is one question of one protocol. It names the row of the policy that it is held against
(`identity.trust.policy`), or says why it is open to all. What only answers a question of ours is no
request and is said so. Tests hold this table against the protocols that a cell registers and the
frames that they have, so nothing new comes in without a row, and drive each row that asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_ANSWER: Final = "an answer: it counts only for what this cell asked"
_SELF_PROVING: Final = "proven by itself, bounded by budgets, and consensus lives by it"
_FOLLOWS: Final = "within a stream that was let in by its first question"


@dataclass(frozen=True, slots=True)
class Request:
    """One question. One of `row` and `open_because` is empty."""

    protocol: str
    """The last but one part of its libp2p name, as `gossip` in `/myceld/<network id>/gossip/1`, or
    the whole name of one that all networks share."""
    ask: str
    """The frame, or what it is about where the protocol has only one question."""
    row: str = ""
    open_because: str = ""
    outsiders_only: bool = False
    """Members are not asked about: consensus must not depend on what anybody thinks of them."""


REQUESTS: Final = (
    # The sync protocol. A session of a cell that is no member is let in by `gossip`.
    Request("gossip", "Hello", "gossip", outsiders_only=True),
    Request("gossip", "Refuse", open_because=_ANSWER),
    Request("gossip", "Have", open_because=_FOLLOWS),
    Request("gossip", "Want", open_because=_FOLLOWS),
    Request("gossip", "Events", open_because=_SELF_PROVING),
    Request("gossip", "SignatureFrame", open_because=_SELF_PROVING),
    Request("gossip", "CertificateFrame", open_because=_SELF_PROVING),
    Request("gossip", "Ping", open_because="keeps a session that was let in alive"),
    Request("gossip", "Pong", open_because=_ANSWER),
    Request("gossip", "Forward", "tx-forward"),
    Request("gossip", "Denied", open_because=_ANSWER),
    Request("gossip", "SporeFrame", open_because="signed; without it nobody finds the network"),
    Request("gossip", "Announced", open_because="signed; without it nobody is found"),
    # Catching up from a checkpoint.
    Request("transfer", "AskLinks", "checkpoint-read", outsiders_only=True),
    Request("transfer", "AskHeaders", "checkpoint-read", outsiders_only=True),
    Request("transfer", "AskReceipts", "checkpoint-read", outsiders_only=True),
    Request("transfer", "AskPiece", "checkpoint-read", outsiders_only=True),
    # What a cell asks whose state differs from what the network certified.
    Request("diagnosis", "AskHeader", "checkpoint-read", outsiders_only=True),
    Request("diagnosis", "AskReceipts", "checkpoint-read", outsiders_only=True),
    Request("diagnosis", "AskValue", "checkpoint-read", outsiders_only=True),
    # Copies of journals.
    Request("journal", "Follow", "journal-read"),
    Request("journal", "Follow (what the cell itself did)", "journal-read-private"),
    Request("journal", "Want", open_because=_FOLLOWS),
    Request("journal", "WantTile", open_because=_FOLLOWS),
    Request("journal", "Ping", open_because=_FOLLOWS),
    Request("journal", "Dispute", open_because="a head that we signed ourselves: it must be heard"),
    Request("journal", "Head", open_because=_ANSWER),
    Request("journal", "Blocks", open_because=_ANSWER),
    Request("journal", "Tile", open_because=_ANSWER),
    Request("journal", "Tail", open_because=_ANSWER),
    Request("journal", "Pong", open_because=_ANSWER),
    Request("journal", "Refuse", open_because=_ANSWER),
    # Messages, by what they ask.
    Request("message", "EnvelopeFrame: chat", "chat"),
    Request("message", "EnvelopeFrame: chat of a new room", "room-join"),
    Request("message", "EnvelopeFrame: auth", "auth"),
    Request("message", "EnvelopeFrame: tx", "tx-forward"),
    Request("message", "EnvelopeFrame: post", "post"),
    Request("message", "EnvelopeFrame: query", "query"),
    Request("message", "EnvelopeFrame: exec", "exec"),
    Request("message", "Keep", "message-relay"),
    Request("message", "StatementFrame", open_because="signed, and only about its own messages"),
    Request("message", "Collect", open_because="gives a cell only what others wrote to it"),
    Request("message", "Kept", open_because=_ANSWER),
    Request("message", "Full", open_because=_ANSWER),
    Request("message", "Prove", open_because="asks for a proof of our key, which others may have"),
    # The others have one question a stream.
    Request("content", "content by its hash", "blob-fetch"),
    Request("interaction", "an offer to sign", "interaction"),
    Request("interactions", "interactions with a cell", "interaction-read"),
    Request("identity", "challenge", "identity-challenge"),
    Request("identity", "prove", "identity-challenge"),
    Request("identity", "describe", "cell-info"),
    Request("/myceld/genesis/1", "the genesis", "genesis-read"),
    Request(
        "/myceld/invite/1",
        "a ticket",
        open_because="its secret lets in, and nobody knows a newcomer; tries are bounded",
    ),
    Request(
        "/myceld/kad/1.0.0",
        "the DHT",
        open_because="a public index of addresses of all networks; off unless configured",
    ),
    Request(
        "/ipfs/id/1.0.0",
        "identify",
        open_because="libp2p's greeting: version, protocols and addresses, which the DHT tells too",
    ),
    Request(
        "/ipfs/ping/1.0.0",
        "ping",
        open_because="libp2p's: 32 bytes there and back, ten times a second at most",
    ),
)


def short_name(protocol: str) -> str:
    """Return what the table calls a libp2p protocol."""
    parts = protocol.split("/")
    of_a_network = len(parts) == 5 and parts[1] == "myceld" and len(parts[2]) == 64
    return parts[3] if of_a_network else protocol
