"""Decoders of what members decide, and of what the state service keeps."""

from __future__ import annotations

from core import codec
from core.codec import NotCanonical, WrongShape
from core.ids import (
    AccountId,
    Amount,
    Epoch,
    Hash,
    PublicKey,
    Round,
    TransactionId,
)
from ledger import errors as ledger_errors
from ledger.accounts import TREASURY
from ledger.actions import Burn, Issue, PayOut, Resolution, SetParameter
from ledger.epoch_rules import Versions, supported
from ledger.governance import Outcome, Proposal, Vote, decode_proposal
from ledger.members import Action, MemberPropose
from ledger.namespaces import Access, Namespace, Rules, decode_namespace
from ledger.upgrades import Planned, Upgrade, decode_planned, decode_support
from ledger.values import Stored, decode_stored
from tests.fuzz.samples import DIGEST
from tests.fuzz.target import Target
from tests.ledger.world import KEYS, NEWCOMERS

_NEITHER = (NotCanonical, WrongShape)
_UPGRADE = Upgrade(Epoch(7), Versions(3, 2, 1), "myceld 2")
ACTIONS = (
    SetParameter("epoch_rounds", 64),
    Issue(TREASURY, Amount(10**9)),
    Burn(AccountId(DIGEST), Amount(1)),
    PayOut(AccountId(DIGEST), Amount(2**63 - 1), "a disk"),
    _UPGRADE,
    Resolution(Hash(DIGEST), "https://example.org/minutes"),
    Resolution(),
)


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (_proposal(), *_others())


def _proposal() -> Target:
    change = MemberPropose(Action.ADD, NEWCOMERS[0].public_key, 1, "dora")
    votes = tuple((key.public_key, vote) for key, vote in zip(KEYS, Vote, strict=False))
    actions = (change, *ACTIONS)
    proposal = Proposal(
        "all", actions, KEYS[0].public_key, Round(9), Round(99), votes, Outcome.ACCEPTED, Round(11)
    )
    return Target(
        name="state: proposal",
        decode=decode_proposal,
        encode=lambda found: found.encode(),
        samples=(proposal.encode(),),
        errors=(
            *_NEITHER,
            ledger_errors.BadAction,
            ledger_errors.BadProposal,
            ledger_errors.UnknownParameter,
            ledger_errors.BadTransfer,
            ledger_errors.ZeroAmount,
        ),
        covers=(
            "ledger/governance.py:decode_proposal",
            "ledger/actions.py:parse_actions",
            "ledger/actions.py:_parse",
            "ledger/actions.py:_parse_parameter",
            "ledger/actions.py:_parse_issue",
            "ledger/actions.py:_parse_burn",
            "ledger/actions.py:_parse_pay_out",
            "ledger/actions.py:_parse_resolution",
            "ledger/upgrades.py:parse_upgrade",
        ),
    )


def _others() -> tuple[Target, ...]:
    return (
        Target(
            name="state: what a build knows",
            decode=decode_support,
            encode=lambda found: codec.encode(found.to_value()),
            samples=(codec.encode(supported("myceld 1").to_value()),),
            errors=_NEITHER,
            covers=("ledger/upgrades.py:decode_support",),
        ),
        Target(
            name="state: upgrade",
            decode=decode_planned,
            encode=lambda found: found.encode(),
            samples=(Planned(_UPGRADE, TransactionId(DIGEST), Epoch(8)).encode(),),
            errors=(*_NEITHER, ledger_errors.BadAction),
            covers=("ledger/upgrades.py:decode_planned",),
        ),
        *_values(),
    )


def _values() -> tuple[Target, ...]:
    """What the state service keeps."""
    return (
        Target(
            name="state: value",
            decode=decode_stored,
            encode=lambda found: found.encode(),
            samples=(Stored(b"value", Round(7), PublicKey(DIGEST)).encode(),),
            errors=_NEITHER,
            covers=("ledger/values.py:decode_stored",),
        ),
        Target(
            name="state: namespace",
            decode=decode_namespace,
            encode=lambda found: found.encode(),
            samples=(
                Namespace(Rules((PublicKey(DIGEST),)), Round(7)).encode(),
                Namespace(
                    Rules((PublicKey(DIGEST),), Access.WRITERS, (PublicKey(bytes(32)),)), Round(7)
                ).encode(),
            ),
            errors=(*_NEITHER, ledger_errors.BadNamespace),
            covers=("ledger/namespaces.py:decode_namespace",),
        ),
    )
