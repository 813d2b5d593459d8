"""Decoders of who a cell is to others, and of what it writes down about that and itself."""

from __future__ import annotations

from core.ids import NetworkId
from identity.audit import decode_act
from identity.challenge import decode_challenge
from identity.description import decode_description
from identity.errors import BadChallenge, BadInteraction, BadRecord
from identity.exchange import decode_ask, decode_reply, encode_reply
from identity.keys import KeyPair
from identity.record import decode_record
from identity.service_limits import (
    ASK_SIZE_BYTES_MAX,
    AUDIT_SIZE_BYTES_MAX,
    CHALLENGE_SIZE_BYTES_MAX,
    DESCRIPTION_SIZE_BYTES_MAX,
    RECORD_SIZE_BYTES_MAX,
    REPLY_SIZE_BYTES_MAX,
)
from identity.trust.interaction import (
    decode_interaction,
    decode_offer,
    decode_signed,
    encode_offer,
    encode_signed,
)
from identity.trust.limits import (
    INTERACTION_SIZE_BYTES_MAX,
    INTERACTIONS_ASK_SIZE_BYTES_MAX,
    INTERACTIONS_PAGE_SIZE_BYTES_MAX,
)
from identity.trust.shown import (
    Asked,
    Included,
    decode_asked,
    decode_page,
    page_of,
    refusal,
)
from tests.fuzz.samples import from_hex, vector
from tests.fuzz.target import Target

_TRUST = vector("trust")
_SERVICES = vector("services")["values"]
_NETWORK = NetworkId(bytes.fromhex(_TRUST["network_id"]))
_ONE, _OTHER = (KeyPair(bytes.fromhex(seed)) for seed in _TRUST["key_seeds"])
_FOUND = decode_interaction(bytes.fromhex(_TRUST["interaction"]["encoded"]), _NETWORK).interaction


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (
        *_rows(),
        *_challenges(),
        *_shown(),
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


def _shown() -> tuple[Target, ...]:
    block = bytes.fromhex(_TRUST["interaction"]["encoded"])
    page = page_of("a head", [Included(3, block, (bytes(32), b"h" * 32))])
    return (
        Target(
            name="question for interactions",
            decode=decode_asked,
            encode=lambda asked: asked.encode(),
            samples=(Asked(_ONE.public_key, 7).encode(),),
            errors=(BadInteraction,),
            covers=(
                "identity/trust/shown.py:decode_asked",
                "identity/trust/shown.py:_parse_asked",
            ),
            size_bytes_max=INTERACTIONS_ASK_SIZE_BYTES_MAX,
        ),
        Target(
            name="interactions that are shown",
            decode=decode_page,
            encode=lambda found: found.encode(),
            samples=(page.encode(), refusal("MYC-NODE-401").encode()),
            errors=(BadInteraction,),
            covers=(
                "identity/trust/shown.py:decode_page",
                "identity/trust/shown.py:_parse_page",
            ),
            size_bytes_max=INTERACTIONS_PAGE_SIZE_BYTES_MAX,
        ),
    )


def _rows() -> tuple[Target, ...]:
    return (
        Target(
            name="answer to an offer",
            decode=decode_signed,
            encode=lambda answer: encode_signed(*answer),
            samples=(
                encode_signed(bytes.fromhex(_TRUST["interaction"]["encoded"]), ""),
                encode_signed(b"", "MYC-NODE-401"),
            ),
            errors=(BadInteraction,),
            covers=("identity/trust/interaction.py:decode_signed",),
            size_bytes_max=INTERACTION_SIZE_BYTES_MAX,
        ),
        Target(
            name="row of the audit journal",
            decode=decode_act,
            encode=lambda act: act.encode(),
            samples=from_hex(_SERVICES["act"]),
            errors=(BadRecord,),
            covers=("identity/audit.py:decode_act",),
            size_bytes_max=AUDIT_SIZE_BYTES_MAX,
        ),
        Target(
            name="row of a service's journal",
            decode=decode_record,
            encode=lambda record: record.encode(),
            samples=from_hex(_SERVICES["record"]),
            errors=(BadRecord,),
            covers=("identity/record.py:decode_record",),
            size_bytes_max=RECORD_SIZE_BYTES_MAX,
        ),
    )


def _challenges() -> tuple[Target, ...]:
    return (
        Target(
            name="challenge",
            decode=decode_challenge,
            encode=lambda challenge: challenge.encode(),
            samples=from_hex(_SERVICES["challenge"]),
            errors=(BadChallenge,),
            covers=("identity/challenge.py:decode_challenge",),
            size_bytes_max=CHALLENGE_SIZE_BYTES_MAX,
        ),
        Target(
            name="reply to a challenge",
            decode=decode_reply,
            encode=lambda reply: encode_reply(*reply),
            samples=from_hex(_SERVICES["reply"], _SERVICES["refusal"]),
            errors=(BadChallenge,),
            covers=("identity/exchange.py:decode_reply",),
            size_bytes_max=REPLY_SIZE_BYTES_MAX,
        ),
        Target(
            name="question of a cell",
            decode=decode_ask,
            encode=lambda ask: ask.encode(),
            samples=from_hex(_SERVICES["ask"], _SERVICES["ask to be challenged"]),
            errors=(BadChallenge,),
            covers=("identity/exchange.py:decode_ask",),
            size_bytes_max=ASK_SIZE_BYTES_MAX,
        ),
        Target(
            name="description of a cell",
            decode=decode_description,
            encode=lambda description: description.encode(),
            samples=from_hex(_SERVICES["description"]),
            errors=(BadRecord,),
            covers=("identity/description.py:decode_description",),
            size_bytes_max=DESCRIPTION_SIZE_BYTES_MAX,
        ),
    )
