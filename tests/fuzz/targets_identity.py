"""Decoders of who a cell is to others: what two cells signed together."""

from __future__ import annotations

from core.ids import NetworkId
from identity.errors import BadInteraction
from identity.trust.interaction import decode_interaction
from tests.fuzz.samples import from_hex, vector
from tests.fuzz.target import Target

_TRUST = vector("trust")
_NETWORK = NetworkId(bytes.fromhex(_TRUST["network_id"]))


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
    )
