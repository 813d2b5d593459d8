"""The clients' calls whose answers are proven: checked against a network that the caller trusts.

    cell = Client.from_home(home)            # trusts HOME/genesis.json
    cell = Client(url, token, genesis="genesis.json")
    cell.verified_value("hello").value

The cell, or the hypha, that answers need not be trusted: it can not make a proof of what is not so.
It can leave out what is newer, unless `min_round` says how old an answer may be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from myceld.errors import NoNetworkTrusted, ProofOfOther, ProofTooOld
from myceld.limits import GENESIS_SIZE_BYTES_MAX, NETWORK_ID_SIZE_BYTES
from myceld.proof_calls import ProofCalls
from myceld.question import Question, call

if TYPE_CHECKING:
    from ledger.header import RoundHeader
    from ledger.verify import Verified

T = TypeVar("T")

Trusted: TypeAlias = Path | str | bytes
"""A network: the path of its genesis file, the bytes of that, or the network's id (32 bytes, or
64 hex digits)."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A member that signed."""

    cell_id: str
    name: str
    weight: int


@dataclass(frozen=True, slots=True)
class Proven:
    """What every proven answer has."""

    round: int
    """After which it is so."""
    certified_round: int
    """The round that was signed: the same, or a later one that leads back to it."""
    time_ns: int
    """Consensus time of `round`."""
    signers: tuple[Signer, ...]
    weight: int
    """Of those who signed."""
    weight_total: int
    """Of all who could."""
    proof: str
    """The text of the proof file, for who shall check it too."""


@dataclass(frozen=True, slots=True)
class ProvenValue(Proven):
    """The value of a key, or that it has none."""

    key: str
    value: bytes | None
    updated_round: int | None
    """In which it was set."""
    sender: str | None
    """Public key in hex of who set it."""


@dataclass(frozen=True, slots=True)
class ProvenValues(Proven):
    """The keys that begin with a prefix, and their values."""

    values: tuple[tuple[str, bytes], ...]
    is_complete: bool
    """Whether these are all; else those up to the last one given."""


@dataclass(frozen=True, slots=True)
class ProvenReceipt(Proven):
    """A transaction's place and outcome."""

    transaction_id: str
    position: int
    outcome: str
    """`applied`, or the code with which it was refused."""
    transaction: bytes | None
    """The signed transaction, if the cell had it."""


@dataclass(frozen=True, slots=True)
class ProvenRound(Proven):
    """The header of a round."""

    header: RoundHeader


class VerifiedCalls:
    """The part of both clients whose answers are proven.

    Raises NoNetworkTrusted if the client knows no genesis, what `ledger.verify` raises of a proof
    that proves nothing (MYC-LEDGER-…), ProofOfOther and ProofTooOld.
    """

    _trusted: Trusted | None

    @call
    def verified_value(self, key: str, *, min_round: int = 0) -> Question[ProvenValue]:
        """Return the value of a key, or that it has none, at `min_round` or later."""
        from ledger.values import decode_stored, value_key  # noqa: PLC0415 - see _verified

        wanted = value_key(key)

        def read(verified: Verified, proven: dict[str, Any]) -> ProvenValue:
            from ledger.proof import StateClaim  # noqa: PLC0415 - see _verified

            claim = verified.claim
            if not isinstance(claim, StateClaim) or claim.key != wanted:
                raise ProofOfOther(f"the proof is not about the key {key!r}")
            if claim.value is None:
                return ProvenValue(**proven, key=key, value=None, updated_round=None, sender=None)
            stored = decode_stored(claim.value)
            return ProvenValue(
                **proven,
                key=key,
                value=stored.value,
                updated_round=stored.round,
                sender=stored.sender.hex(),
            )

        return self._verified(ProofCalls.state_proof.describe(self, key), read, min_round)

    @call
    def verified_values(
        self, prefix: str, *, limit: int = 100, min_round: int = 0
    ) -> Question[ProvenValues]:
        """Return the keys that begin with a prefix; what is missing among them is not there."""

        def read(verified: Verified, proven: dict[str, Any]) -> ProvenValues:
            from ledger.proof import RangeClaim  # noqa: PLC0415 - see _verified
            from ledger.values import VALUE_PREFIX, decode_stored  # noqa: PLC0415 - see _verified

            claim, start = verified.claim, VALUE_PREFIX + prefix.encode()
            if (
                not isinstance(claim, RangeClaim)
                or claim.start != start
                or (claim.end is not None and claim.end < _behind(start))
            ):
                raise ProofOfOther(f"the proof is not about the keys that begin with {prefix!r}")
            shown = claim.shown
            values = tuple(
                (name.removeprefix(VALUE_PREFIX).decode(), decode_stored(stored).value)
                for name, stored in shown.entries
                if name.startswith(start)
            )
            return ProvenValues(**proven, values=values, is_complete=shown.is_complete)

        asked = ProofCalls.range_proof.describe(self, prefix, limit=limit)
        return self._verified(asked, read, min_round)

    @call
    def verified_receipt(self, transaction_id: str) -> Question[ProvenReceipt]:
        """Return place and outcome of a transaction (its id in hex) that is certified."""

        def read(verified: Verified, proven: dict[str, Any]) -> ProvenReceipt:
            from ledger.proof import ReceiptClaim  # noqa: PLC0415 - see _verified

            claim = verified.claim
            if not isinstance(claim, ReceiptClaim) or claim.receipt.id.hex() != transaction_id:
                raise ProofOfOther(f"the proof is not about the transaction {transaction_id}")
            receipt = claim.receipt
            return ProvenReceipt(
                **proven,
                transaction_id=transaction_id,
                position=receipt.position,
                outcome=receipt.outcome,
                transaction=claim.transaction,
            )

        return self._verified(ProofCalls.receipt_proof.describe(self, transaction_id), read, 0)

    @call
    def verified_round(
        self, round_number: int | None = None, *, min_round: int = 0
    ) -> Question[ProvenRound]:
        """Return the header of a round, or of the newest that is certified."""

        def read(verified: Verified, proven: dict[str, Any]) -> ProvenRound:
            if round_number not in (None, verified.header.round):
                raise ProofOfOther(f"the proof is not about round {round_number}")
            return ProvenRound(**proven, header=verified.header)

        asked = ProofCalls.round_proof.describe(self, round_number)
        return self._verified(asked, read, min_round)

    def _verified(
        self,
        question: Question[Any],
        read: Callable[[Verified, dict[str, Any]], T],
        min_round: int,
    ) -> Question[T]:
        """Return the question whose answer is a proof, of which `read` makes what it proves.

        What checks proofs is loaded when first needed: most programs, the command line among
        them, begin without it.
        """
        network_id = network_id_of(self._trusted)

        def check(answer: Any) -> T:  # noqa: ANN401 - a ProofFileView, from whoever answers
            from ledger.verify import verify_text  # noqa: PLC0415 - see above

            text = str(answer.get("proof", ""))
            verified = verify_text(text, network_id)
            if verified.header.round < min_round:
                raise ProofTooOld(f"it is of round {verified.header.round}, before {min_round}")
            return read(verified, _common(verified, text))

        return question.then(check)


def network_id_of(trusted: Trusted | None) -> bytes:
    """Return the id of a trusted network; raises NoNetworkTrusted, BadGenesis."""
    from ledger.genesis import from_json  # noqa: PLC0415 - for those who verify

    if trusted is None:
        raise NoNetworkTrusted("the client was given no genesis")
    if isinstance(trusted, str) and len(trusted) == 2 * NETWORK_ID_SIZE_BYTES:
        try:
            return bytes.fromhex(trusted)
        except ValueError:
            pass  # a path, after all
    if isinstance(trusted, bytes):
        return trusted if len(trusted) == NETWORK_ID_SIZE_BYTES else from_json(trusted).network_id
    try:
        with Path(trusted).open("rb") as file:
            return from_json(file.read(GENESIS_SIZE_BYTES_MAX)).network_id
    except OSError as error:
        raise NoNetworkTrusted(f"{trusted}: {error.strerror}") from error


def _common(verified: Verified, text: str) -> dict[str, Any]:
    return {
        "round": verified.header.round,
        "certified_round": verified.certified.round,
        "time_ns": verified.header.consensus_time_ns,
        "signers": tuple(Signer(one.cell_id, one.name, one.weight) for one in verified.signers),
        "weight": verified.weight,
        "weight_total": verified.weight_total,
        "proof": text,
    }


def _behind(start: bytes) -> bytes:
    """Return what lies behind all keys that begin so: as they are UTF-8, none has this byte."""
    return start + b"\xff"
