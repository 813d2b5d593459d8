"""The table of transaction kinds: name, arguments, bounds and effect, one entry each.

A new kind is one dataclass of arguments and one row of `_KINDS`; a family of kinds has a module
of its own (`ledger.members`). `parse` turns the canonical
array of arguments into the dataclass and checks every bound that needs no state; `changes` says
what the kind writes. Both are pure and must give the same answer at every cell for ever: a change
of meaning is a new kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from core.codec import Value, as_array, as_bytes, as_text, encode
from core.ids import NetworkId, PublicKey
from core.limits import INT_MAX
from ledger.content import Post, build_post, parse_post, post_changes
from ledger.context import Context
from ledger.errors import Malformed, Oversize, UnknownKind
from ledger.forks import ForkProof, build_proof, parse_proof, proof_changes
from ledger.limits import KEY_SIZE_BYTES_MAX, VALUE_SIZE_BYTES_MAX
from ledger.members import (
    MemberApprove,
    MemberLeave,
    MemberPropose,
    approve_changes,
    build_approve,
    build_leave,
    build_propose,
    leave_changes,
    parse_approve,
    parse_leave,
    parse_propose,
    propose_changes,
)
from ledger.names import controls_display
from ledger.rotation import (
    KeyRotate,
    build_rotate,
    parse_rotate,
    rotate_changes,
    rotate_proofs,
)
from ledger.succession import SignatureCheck
from ledger.trust import (
    TrustAttest,
    TrustRevoke,
    attest_changes,
    build_attest,
    build_revoke,
    parse_attest,
    parse_revoke,
    revoke_changes,
)

VALUE_PREFIX: Final = b"value/"
"""State keys of user values: this prefix, then the key in UTF-8."""


@dataclass(frozen=True, slots=True)
class Put:
    """Set `key` to `value`, whoever set it before."""

    key: str
    value: bytes


Arguments: TypeAlias = (
    Put
    | MemberPropose
    | MemberApprove
    | MemberLeave
    | ForkProof
    | TrustAttest
    | TrustRevoke
    | KeyRotate
    | Post
)
"""All argument types, one per kind."""

_A = TypeVar("_A", bound=Arguments)


def _no_proofs(_: object, __: NetworkId, ___: PublicKey) -> tuple[SignatureCheck, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Kind(Generic[_A]):
    """One row of the table."""

    name: str
    arguments: type[_A]
    parse: Callable[[list[Value]], _A]
    build: Callable[[_A], Sequence[Value]]
    changes: Callable[[_A, Context], Sequence[tuple[bytes, bytes | None]]]
    proofs: Callable[[_A, NetworkId, PublicKey], tuple[SignatureCheck, ...]] = _no_proofs
    """Signatures inside of the arguments."""


def parse_arguments(kind: str, items: list[Value]) -> Arguments:
    """Return the checked arguments of a kind.

    Raises UnknownKind, Malformed, Oversize, BadProposal, BadRotation or WrongShape.
    """
    row = _KINDS.get(kind)
    if row is None:
        raise UnknownKind(f"{kind!r} is not a kind of transaction")
    arguments: Arguments = row.parse(items)
    return arguments


def build_arguments(arguments: Arguments) -> tuple[str, Sequence[Value]]:
    """Return the kind's name and the encodable arguments, after the checks of `parse_arguments`."""
    row = _BY_ARGUMENTS[type(arguments)]
    items: Sequence[Value] = row.build(arguments)
    row.parse(list(items))
    return row.name, items


def proofs_of(
    arguments: Arguments, network_id: NetworkId, sender: PublicKey
) -> tuple[SignatureCheck, ...]:
    """Return the signatures inside of the arguments, to be checked with the transaction's own."""
    return _BY_ARGUMENTS[type(arguments)].proofs(arguments, network_id, sender)


def changes_of(arguments: Arguments, context: Context) -> Sequence[tuple[bytes, bytes | None]]:
    """Return the (state key, state value) pairs that the transaction writes, None to leave one out.

    Raises a TransactionRefused when the state does not allow it.
    """
    return _BY_ARGUMENTS[type(arguments)].changes(arguments, context)


def check_key(key: str) -> bytes:
    """Return the UTF-8 bytes of a state key; raises Malformed or Oversize."""
    try:
        raw = key.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("a key must be valid Unicode text") from error
    if not raw or controls_display(key):
        raise Malformed("a key must have at least one character, and none that control the display")
    if len(raw) > KEY_SIZE_BYTES_MAX:
        raise Oversize(f"the key has {len(raw)} bytes, at most {KEY_SIZE_BYTES_MAX} are taken")
    return raw


def _parse_put(items: list[Value]) -> Put:
    key, value = as_array(items, length=2)
    put = Put(as_text(key, length_max=INT_MAX), as_bytes(value))
    check_key(put.key)  # its length too
    if len(put.value) > VALUE_SIZE_BYTES_MAX:
        raise Oversize(
            f"the value has {len(put.value)} bytes, at most {VALUE_SIZE_BYTES_MAX} are taken"
        )
    return put


def _build_put(put: Put) -> Sequence[Value]:
    return put.key, put.value


def _put_changes(put: Put, context: Context) -> list[tuple[bytes, bytes]]:
    state_value = encode([put.value, context.round, context.sender])
    return [(VALUE_PREFIX + check_key(put.key), state_value)]


_ROWS: Final[tuple[Kind[Any], ...]] = (
    Kind("put", Put, _parse_put, _build_put, _put_changes),
    Kind("member-propose", MemberPropose, parse_propose, build_propose, propose_changes),
    Kind("member-approve", MemberApprove, parse_approve, build_approve, approve_changes),
    Kind("member-leave", MemberLeave, parse_leave, build_leave, leave_changes),
    Kind("fork-evidence", ForkProof, parse_proof, build_proof, proof_changes),
    Kind("trust-attest", TrustAttest, parse_attest, build_attest, attest_changes),
    Kind("trust-revoke", TrustRevoke, parse_revoke, build_revoke, revoke_changes),
    Kind("key-rotate", KeyRotate, parse_rotate, build_rotate, rotate_changes, rotate_proofs),
    Kind("post", Post, parse_post, build_post, post_changes),
)
_KINDS: Final = {row.name: row for row in _ROWS}
_BY_ARGUMENTS: Final = {row.arguments: row for row in _ROWS}
