"""What a hypha asks gateways, and what counts as an answer; a new kind of proof is a class here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from core.ids import PublicKey, Round, TransactionId
from hypha.errors import AnswerBesides
from ledger.accounts import NO_ACCOUNT, Account, account_key, decode_account
from ledger.parameters import parameter_key, read_parameter
from ledger.proof import HeaderClaim, RangeClaim, ReceiptClaim, StateClaim
from ledger.values import VALUE_PREFIX, Stored, decode_stored, value_key
from ledger.verify import Verified


class Question(ABC):
    """Something to be proven."""

    is_of_now: bool = False
    """Whether only the newest head, or a newer one, will do."""

    @property
    @abstractmethod
    def path(self) -> str:
        """The route of a gateway."""

    @property
    def query(self) -> dict[str, object]:
        """Its parameters, without the epoch."""
        return {}

    @abstractmethod
    def check(self, verified: Verified) -> None:
        """Raise AnswerBesides unless what was verified is what was asked."""


@dataclass(frozen=True, slots=True)
class StateQuestion(Question):
    """The value of a state key, or that there is none."""

    key: bytes
    is_of_now = True

    @property
    def path(self) -> str:
        """See `Question.path`."""
        return "/api/light/state"

    @property
    def query(self) -> dict[str, object]:
        """See `Question.query`."""
        return {"key": self.key.hex()}

    def check(self, verified: Verified) -> None:
        """See `Question.check`."""
        if not isinstance(verified.claim, StateClaim) or verified.claim.key != self.key:
            raise AnswerBesides("the proof is not about the key that was asked for")


@dataclass(frozen=True, slots=True)
class RangeQuestion(Question):
    """What the state has from a key on up to another one, the first entries if they are many."""

    start: bytes
    end: bytes
    limit: int
    is_of_now = True

    @property
    def path(self) -> str:
        """See `Question.path`."""
        return "/api/light/range"

    @property
    def query(self) -> dict[str, object]:
        """See `Question.query`."""
        return {"start": self.start.hex(), "end": self.end.hex(), "limit": self.limit}

    def check(self, verified: Verified) -> None:
        """See `Question.check`."""
        claim = verified.claim
        if not isinstance(claim, RangeClaim) or (claim.start, claim.end) != (self.start, self.end):
            raise AnswerBesides("the proof is not about the keys that were asked for")


@dataclass(frozen=True, slots=True)
class ReceiptQuestion(Question):
    """Place and outcome of a transaction."""

    id: TransactionId

    @property
    def path(self) -> str:
        """See `Question.path`."""
        return f"/api/light/receipts/{self.id.hex()}"

    def check(self, verified: Verified) -> None:
        """See `Question.check`."""
        claim = verified.claim
        if not isinstance(claim, ReceiptClaim) or claim.receipt.id != self.id:
            raise AnswerBesides("the proof is not about the transaction that was asked for")


@dataclass(frozen=True, slots=True)
class RoundQuestion(Question):
    """The header of a round."""

    round: Round

    @property
    def path(self) -> str:
        """See `Question.path`."""
        return "/api/light/round"

    @property
    def query(self) -> dict[str, object]:
        """See `Question.query`."""
        return {"round": self.round}

    def check(self, verified: Verified) -> None:
        """See `Question.check`."""
        if not isinstance(verified.claim, HeaderClaim) or verified.header.round != self.round:
            raise AnswerBesides("the proof is not about the round that was asked for")


@dataclass(frozen=True, slots=True)
class UserValues:
    """Users' keys and their values in order, and behind which key there may be more."""

    items: tuple[tuple[str, Stored], ...]
    next: str | None


def of_value(key: str) -> StateQuestion:
    """Return the question for a user's key; raises Malformed or Oversize."""
    return StateQuestion(value_key(key))


def user_value(verified: Verified) -> Stored | None:
    """Return what the answer to `of_value` says."""
    found = _found(verified)
    return None if found is None else decode_stored(found)


def of_values(prefix: str, after: str, limit: int) -> RangeQuestion:
    """Return the question which users' keys begin with a prefix and come after another key.

    Raises Oversize for what no key is as long as.
    """
    first = value_key(prefix) if prefix else VALUE_PREFIX
    # No key has this byte, as keys are UTF-8: all with the prefix come before it.
    end = first + b"\xff"
    start = min(max(first, value_key(after) + b"\x00"), end) if after else first
    return RangeQuestion(start, end, limit)


def user_values(verified: Verified, limit: int) -> UserValues:
    """Return what the answer to `of_values` says, of at most so many keys."""
    if not isinstance(verified.claim, RangeClaim):
        return UserValues((), None)
    shown = verified.claim.shown
    found = tuple(
        (key[len(VALUE_PREFIX) :].decode(), decode_stored(value))
        for key, value in shown.entries[:limit]
    )
    is_whole = shown.is_complete and len(found) == len(shown.entries)
    return UserValues(found, None if is_whole else found[-1][0])


def of_account(public_key: PublicKey) -> StateQuestion:
    """Return the question what an account is: which nonces are used, and what it has."""
    return StateQuestion(account_key(public_key))


def account_of(verified: Verified) -> Account:
    """Return what the answer to `of_account` says."""
    found = _found(verified)
    return NO_ACCOUNT if found is None else decode_account(found)


def of_parameter(name: str) -> StateQuestion:
    """Return the question what a parameter of the network is."""
    return StateQuestion(parameter_key(name))


def parameter_of(verified: Verified, name: str) -> int:
    """Return what the answer to `of_parameter` says."""
    return read_parameter(lambda _: _found(verified), name)


def _found(verified: Verified) -> bytes | None:
    return verified.claim.value if isinstance(verified.claim, StateClaim) else None
