"""Trust as one cell sees it: scores and their reasons, interactions, policies. Pure."""

from __future__ import annotations

from identity.trust.evidence import GENERAL_SCOPE
from identity.trust.graph import TrustGraph
from identity.trust.interaction import (
    INTERACTIONS_JOURNAL,
    Interaction,
    InteractionProof,
    decode_interaction,
    decode_offer,
    decode_signed,
    encode_offer,
    encode_signed,
    exchange_digest,
    interaction,
    proof_of,
)
from identity.trust.paths import Explanation, Path, why
from identity.trust.policy import Decision, Level, Policy, better_score, policy_of

__all__ = [
    "GENERAL_SCOPE",
    "INTERACTIONS_JOURNAL",
    "Decision",
    "Explanation",
    "Interaction",
    "InteractionProof",
    "Level",
    "Path",
    "Policy",
    "TrustGraph",
    "better_score",
    "decode_interaction",
    "decode_offer",
    "decode_signed",
    "encode_offer",
    "encode_signed",
    "exchange_digest",
    "interaction",
    "policy_of",
    "proof_of",
    "why",
]
