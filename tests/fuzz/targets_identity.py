"""Decoders of who a cell is to others: what two cells signed together."""

from __future__ import annotations

from core.ids import NetworkId
from identity.errors import BadInteraction
from identity.keys import KeyPair
from identity.trust.interaction import decode_interaction, decode_offer, encode_offer
from tests.fuzz.samples import from_hex, vector
from tests.fuzz.target import Target

_TRUST = vector("trust")
_NETWORK = NetworkId(bytes.fromhex(_TRUST["network_id"]))
_ONE, _OTHER = (KeyPair(bytes.fromhex(seed)) for seed in _TRUST["key_seeds"])
_FOUND = decode_interaction(bytes.fromhex(_TRUST["interaction"]["encoded"]), _NETWORK).interaction


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (
        Target(
            name="interaction",
            decode=lambda data: decode_interaction(data, _NETWORK),
            encode=lambda proof: proof.encode(),
            samples=from_hex(_TRUST["interaction"]["encoded"]),
            errors=(BadInteraction,),
            covers=(
                "identity/trust/interaction.py:decode_interaction",
                "identity/trust/interaction.py:_parse",
            ),
        ),
        Target(
            name="interaction that is offered",
            decode=lambda data: decode_offer(
                data, _NETWORK, by=_ONE.public_key, to=_OTHER.public_key
            ),
            encode=lambda offer: encode_offer(*offer),
            samples=(encode_offer(_FOUND, _ONE.sign(_FOUND.body)),),
            errors=(BadInteraction,),
            covers=("identity/trust/interaction.py:decode_offer",),
        ),
    )
