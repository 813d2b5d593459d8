"""Who may send what: the one question that is asked before a message is taken or kept.

`AllowMembers` is what holds unless something stricter is put in its place: members may do
everything, other cells that are known may talk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from core.ids import CellId
from identity.messages.envelope import MessageType


class Kind(StrEnum):
    """What a peer wants of this cell."""

    CHAT = "chat"
    AUTH = "auth"
    TX = "tx"
    POST = "post"
    QUERY = "query"
    EXEC = "exec"
    RELAY = "relay"
    """To keep its messages for somebody else."""
    ROOM = "room"
    """To take this cell into a room."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it may, and if not, why."""

    allowed: bool
    why: str = ""
    needs_proof: bool = False
    """Whether it may as soon as it has proven its key over a direct connection."""


class Policy(Protocol):
    """Who may do what."""

    def may(self, peer: CellId, kind: Kind, channel: bytes) -> Decision:
        """Return whether a peer may do this now.

        `channel` is the key of the process it came from, empty if it came through another cell.
        """
        ...

    def unproven(self, peer: CellId, kind: Kind) -> None:
        """Note that a peer was refused this in the end, as no proof came."""
        ...


class AllowMembers:
    """Members may do everything, others only talk."""

    def __init__(self, is_member: Callable[[CellId], bool]) -> None:
        self._is_member = is_member

    def unproven(self, peer: CellId, kind: Kind) -> None:
        """See `Policy.unproven`: no proof is asked for here."""

    def may(self, peer: CellId, kind: Kind, channel: bytes) -> Decision:  # noqa: ARG002 - the protocol's
        """See `Policy.may`."""
        if kind in (Kind.CHAT, Kind.AUTH, Kind.ROOM) or self._is_member(peer):
            return Decision(allowed=True)
        return Decision(allowed=False, why=f"{kind.value} is for members")


def kind_of(message_type: MessageType) -> Kind:
    """Return what a message of this type asks for."""
    return Kind(message_type.name.lower())
