"""A liar that signs checkpoints of a ledger that nobody has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from core.ids import Hash, Signature
from gossip.wire import SignatureFrame, decode_frame, encode_frame
from ledger.certificate import checkpoint_message, parse_checkpoint_signature
from sim.adversaries.adversary import Adversary
from sim.taps import LENGTH_BYTES, TappedFrame


class FalseCheckpoints(Adversary):
    """Signs another header than the one that its rounds come to, the same with all liars.

    It hopes for a certificate of what is false, or that honest cells stop because they differ.
    """

    def attach(self) -> None:
        """Tap what the daemon sends."""
        self.world.network.tap(self.cell.index, self._tap)

    def _tap(self, frame: TappedFrame) -> Iterable[tuple[float, bytes]]:
        sent = decode_frame(frame.data) if frame.outgoing else None
        if not isinstance(sent, SignatureFrame):
            return [(0.0, frame.data)]
        signed = parse_checkpoint_signature(sent.value)
        false = Hash(sha256(b"false" + signed.header_hash).digest())
        network_id = self.world.genesis.network_id
        message = checkpoint_message(network_id, signed.epoch, signed.round, false)
        signature = Signature(self.cell.key.sign(message))
        other = replace(signed, header_hash=false, signature=signature)
        self.note("false checkpoints")
        return [(0.0, encode_frame(SignatureFrame(other.to_value()))[LENGTH_BYTES:])]
