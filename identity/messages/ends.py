"""The two ends of a message, by key and by cell id."""

from __future__ import annotations

from core.ids import CellId, PublicKey, cell_id_of


class Ends:
    """What has a sender and a receiver: fields of the dataclass that it is part of."""

    __slots__ = ()
    sender: PublicKey
    receiver: PublicKey

    @property
    def sender_id(self) -> CellId:
        """Return the sender's cell id."""
        return cell_id_of(self.sender)

    @property
    def receiver_id(self) -> CellId:
        """Return the receiver's cell id."""
        return cell_id_of(self.receiver)
