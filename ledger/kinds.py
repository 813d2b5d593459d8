"""The table of transaction kinds: name, arguments, schema, cost and effect, one entry each.

A new kind is one dataclass of arguments and one row of `_ROWS`; a family of kinds has a module of
its own (`ledger.members`). `parse` turns the canonical array of arguments into the dataclass and
checks every bound that needs no state; `changes` says what the kind writes. Both are pure and must
give the same answer at every cell for ever: a change of meaning is a new kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from core.codec import Value
from core.ids import NetworkId, PublicKey
from hashgraph.limits import EVIDENCE_SIZE_BYTES_MAX
from ledger import (
    allowance,
    governance,
    market_token,
    members,
    multisig,
    namespaces,
    payment,
    schema,
    trust,
    upgrades,
    values,
)
from ledger.batch import Batch, batch_changes, build_batch, parse_batch
from ledger.content import (
    Post,
    PostWithdraw,
    build_post,
    build_withdraw,
    parse_post,
    parse_withdraw,
    post_changes,
    withdraw_changes,
)
from ledger.context import Context
from ledger.cost import cost_of, text_size_bytes
from ledger.epoch_rules import TRANSACTION_VERSIONS
from ledger.errors import BadBatch, UnknownKind
from ledger.forks import (
    ForkProof,
    build_proof,
    parse_proof,
    proof_changes,
)
from ledger.limits import (
    ALLOWANCES_OF_OWNER_MAX,
    BATCH_ITEMS_MAX,
    BATCH_ITEMS_MIN,
    CONTENT_SIZE_BYTES_MAX,
    CONTENT_TITLE_SIZE_BYTES_MAX,
    KEY_SIZE_BYTES_MAX,
    MULTISIG_KEYS_MAX,
    NAMESPACE_NAME_SIZE_BYTES_MAX,
    NAMESPACE_OWNERS_MAX,
    NAMESPACE_WRITERS_MAX,
    PROPOSAL_ACTIONS_MAX,
    PROPOSAL_ROUNDS_MAX,
    PROPOSAL_TITLE_LENGTH_MAX,
    RELEASE_LENGTH_MAX,
    SCORE_MILLIONTHS_MAX,
    SUPPLY_MAX,
    TOKEN_DECIMALS_MAX,
    TOKEN_SYMBOL_LENGTH_MAX,
    VALUE_SIZE_BYTES_MAX,
    VERSIONS_SUPPORTED_MAX,
    WEIGHT_MAX,
)
from ledger.rotation import (
    KeyRotate,
    build_rotate,
    parse_rotate,
    rotate_changes,
    rotate_proofs,
)
from ledger.schema import Field, Schema, Type
from ledger.succession import SignatureCheck
from ledger.values import VALUE_PREFIX, Put, check_key

__all__ = [
    "NEWEST",
    "VALUE_PREFIX",
    "Arguments",
    "Kind",
    "Put",
    "build_arguments",
    "changes_of",
    "check_key",
    "cost_of_arguments",
    "kind_of",
    "kinds",
    "parse_arguments",
    "since_of",
]

Arguments: TypeAlias = (
    Put
    | members.MemberPropose
    | members.MemberApprove
    | members.MemberLeave
    | ForkProof
    | trust.TrustAttest
    | trust.TrustRevoke
    | KeyRotate
    | Post
    | PostWithdraw
    | values.PutIf
    | values.Delete
    | namespaces.NamespaceClaim
    | namespaces.NamespaceSet
    | namespaces.NamespaceRelease
    | payment.Transfer
    | allowance.Allow
    | allowance.TransferFrom
    | multisig.MultisigCreate
    | multisig.MultisigPropose
    | multisig.MultisigApprove
    | multisig.MultisigCancel
    | market_token.TokenCreate
    | market_token.TokenMint
    | market_token.TokenBurn
    | market_token.TokenSend
    | governance.GovPropose
    | governance.GovVote
    | upgrades.Announce
    | Batch
)
"""All argument types, one per kind."""

NEWEST: Final = TRANSACTION_VERSIONS[-1]
"""The version that has all kinds."""

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
    cost: Callable[[_A], int]
    """Units, whose price is the network's `fee_per_cost`."""
    schema: Schema
    what: str
    """One line for people."""
    proofs: Callable[[_A, NetworkId, PublicKey], tuple[SignatureCheck, ...]] = _no_proofs
    """Signatures inside of the arguments."""
    in_batch: bool = True
    """Whether it can be an item of a batch."""
    free_for_members: bool = False
    """Whether members pay no fee for it: what the network itself needs of them."""
    since: int = 1
    """The first transaction version that has it."""


def kinds() -> tuple[Kind[Any], ...]:
    """Return the table."""
    return _ROWS


def kind_of(arguments: Arguments) -> Kind[Any]:
    """Return the row of a kind's arguments."""
    return _BY_ARGUMENTS[type(arguments)]


def parse_arguments(kind: str, items: list[Value], version: int = NEWEST) -> Arguments:
    """Return the checked arguments of a kind, in an epoch of a transaction version.

    Raises UnknownKind, WrongShape, or the TransactionRefused of the kind's family. What a version
    does not have is refused before anything of it is looked at: as by builds that do not know it.
    """
    row = _KINDS.get(kind)
    if row is None or row.since > version:
        raise UnknownKind(f"{kind!r} is not a kind of transaction")
    if row.arguments is Batch:
        return parse_batch(items, lambda name, inner: _parse_item(name, inner, version))
    arguments: Arguments = row.parse(items)
    return arguments


def since_of(arguments: Arguments) -> int:
    """Return the first transaction version that has a kind, and all the items of a batch."""
    if isinstance(arguments, Batch):
        return max(since_of(item) for item in arguments.items)
    return _BY_ARGUMENTS[type(arguments)].since


def build_arguments(arguments: Arguments) -> tuple[str, Sequence[Value]]:
    """Return the kind's name and the encodable arguments, after the checks of `parse_arguments`."""
    row = _BY_ARGUMENTS[type(arguments)]
    items: Sequence[Value] = row.build(arguments)
    row.parse(list(items))
    return row.name, items


def cost_of_arguments(arguments: Arguments) -> int:
    """Return what a transaction with these arguments costs."""
    cost: int = _BY_ARGUMENTS[type(arguments)].cost(arguments)
    return cost


def changes_of(arguments: Arguments, context: Context) -> Sequence[tuple[bytes, bytes | None]]:
    """Return the (state key, state value) pairs that the transaction writes, None to leave one out.

    What it moves between accounts it has set in `context.accounts` already. Raises a
    TransactionRefused when the state does not allow it: then all that it wrote is to be undone.
    """
    return _BY_ARGUMENTS[type(arguments)].changes(arguments, context)


def _parse_item(kind: str, items: list[Value], version: int = NEWEST) -> Arguments:
    row = _KINDS.get(kind)
    if row is not None and row.since <= version and not row.in_batch:
        raise BadBatch(f"{kind} is no item of a batch")
    return parse_arguments(kind, items, version)


def _build_item(arguments: Arguments) -> tuple[str, Sequence[Value]]:
    row = kind_of(arguments)
    return row.name, row.build(arguments)


def _batch_cost(batch: Batch) -> int:
    return sum(cost_of_arguments(item) for item in batch.items)


def _versions(name: str, what: str) -> Field:
    return Field(name, Type.LIST, 1, VERSIONS_SUPPORTED_MAX, what, Type.INTEGER)


_KEY: Final = schema.text("key", "Under which it is found.", low=1, high=KEY_SIZE_BYTES_MAX)
_VALUE: Final = schema.data("value", "Any bytes.", high=VALUE_SIZE_BYTES_MAX)
_CONDITION: Final = Field(
    "condition",
    Type.LIST,
    0,
    2,
    "None, [`absent`], [`round`, number] or [`hash`, SHA-256]: what the key's value has to be.",
)
_NAMESPACE: Final = (
    schema.text("name", "Its keys begin so.", low=1, high=NAMESPACE_NAME_SIZE_BYTES_MAX),
    Field("owners", Type.LIST, 1, NAMESPACE_OWNERS_MAX, "Public keys.", Type.BYTES),
    schema.name_of("access", "`owners`, `writers`, `members` or `anyone`.", low=6, high=7),
    Field("writers", Type.LIST, 0, NAMESPACE_WRITERS_MAX, "Public keys.", Type.BYTES),
)
_EXPIRES: Final = schema.integer("expires_round", "The last round in which it holds, 0 for no end.")
_SUBJECT: Final = schema.public_key("subject", "Who is spoken of.")
_SCOPE: Final = schema.name_of("scope", "In what respect.")
_SYMBOL: Final = schema.name_of(
    "symbol", "A letter, then letters and digits: A to Z, 0 to 9.", high=TOKEN_SYMBOL_LENGTH_MAX
)
_ACCOUNT: Final = schema.digest("account", "Id of the multi-signature account.")
_SPEND: Final = schema.digest("spend", "Id of the transaction that proposed it.")

_ROWS: Final[tuple[Kind[Any], ...]] = (
    Kind(
        "put",
        Put,
        values.parse_put,
        values.build_put,
        values.put_changes,
        values.put_cost,
        (_KEY, _VALUE),
        "Set a key to a value, whoever set it before.",
    ),
    Kind(
        "put-if",
        values.PutIf,
        values.parse_put_if,
        values.build_put_if,
        values.put_if_changes,
        values.put_cost,
        (_KEY, _VALUE, _CONDITION),
        "Set a key to a value if a condition holds.",
    ),
    Kind(
        "delete",
        values.Delete,
        values.parse_delete,
        values.build_delete,
        values.delete_changes,
        values.delete_cost,
        (_KEY, _CONDITION),
        "Take the value of a key away if a condition holds.",
    ),
    Kind(
        "namespace-claim",
        namespaces.NamespaceClaim,
        namespaces.parse_claim,
        namespaces.build_namespace,
        namespaces.claim_changes,
        namespaces.claim_cost,
        _NAMESPACE,
        "Take all keys below a name that nobody has, and say who may write them.",
    ),
    Kind(
        "namespace-set",
        namespaces.NamespaceSet,
        namespaces.parse_set,
        namespaces.build_namespace,
        namespaces.set_changes,
        namespaces.set_cost,
        _NAMESPACE,
        "Give a namespace of the sender's other rules, or other owners.",
    ),
    Kind(
        "namespace-release",
        namespaces.NamespaceRelease,
        namespaces.parse_release,
        namespaces.build_release,
        namespaces.release_changes,
        namespaces.release_cost,
        _NAMESPACE[:1],
        "Give a namespace of the sender's up: what lies there stays, and anybody may claim it.",
        since=3,
    ),
    Kind(
        "member-propose",
        members.MemberPropose,
        members.parse_propose,
        members.build_propose,
        governance.propose_changes,
        lambda _: cost_of(writes=3),
        (
            schema.name_of("action", "`add`, `remove` or `weight`.", low=3, high=6),
            schema.public_key("public_key", "Whom it is about."),
            schema.integer("weight", "For `add` and `weight`; else 0.", high=WEIGHT_MAX),
            schema.name_of("name", "For `add`; else empty.", low=0),
        ),
        "Propose a change of one member, and vote yes.",
        in_batch=False,
        free_for_members=True,
    ),
    Kind(
        "member-approve",
        members.MemberApprove,
        members.parse_approve,
        members.build_approve,
        governance.approve_changes,
        lambda _: cost_of(writes=3),
        (schema.digest("proposal", "Id of the transaction that proposed it."),),
        "Vote yes on a proposal.",
        in_batch=False,
        free_for_members=True,
    ),
    Kind(
        "member-leave",
        members.MemberLeave,
        members.parse_leave,
        members.build_leave,
        members.leave_changes,
        lambda _: cost_of(writes=1),
        (),
        "Leave the members.",
        in_batch=False,
        free_for_members=True,
    ),
    Kind(
        "fork-evidence",
        ForkProof,
        parse_proof,
        build_proof,
        proof_changes,
        lambda proof: cost_of(writes=3, size_bytes=len(proof.evidence), checks=2),
        (
            schema.integer("epoch", "In which it happened."),
            schema.data("evidence", "Both signed events.", high=EVIDENCE_SIZE_BYTES_MAX),
        ),
        "Prove that a member signed two different events as one.",
        in_batch=False,
        free_for_members=True,
    ),
    Kind(
        "trust-attest",
        trust.TrustAttest,
        trust.parse_attest,
        trust.build_attest,
        trust.attest_changes,
        lambda _: cost_of(writes=3),
        (
            _SUBJECT,
            _SCOPE,
            schema.integer("score_millionths", "How far.", high=SCORE_MILLIONTHS_MAX),
            _EXPIRES,
        ),
        "Say how far somebody is to be trusted, in place of what the sender said before.",
    ),
    Kind(
        "trust-revoke",
        trust.TrustRevoke,
        trust.parse_revoke,
        trust.build_revoke,
        trust.revoke_changes,
        lambda _: cost_of(writes=3),
        (_SUBJECT, _SCOPE),
        "Take back what the sender said of somebody.",
    ),
    Kind(
        "key-rotate",
        KeyRotate,
        parse_rotate,
        build_rotate,
        rotate_changes,
        lambda _: cost_of(writes=8, checks=2),
        (
            schema.public_key("successor", "The key that follows."),
            schema.signature("consent", "By the sender's key, over both keys."),
            schema.signature("possession", "By the successor, over the same."),
        ),
        "Give the sender's key up for another one; what it has goes along.",
        rotate_proofs,
        in_batch=False,
        free_for_members=True,
    ),
    Kind(
        "post",
        Post,
        parse_post,
        build_post,
        post_changes,
        lambda post: cost_of(writes=2, size_bytes=text_size_bytes(post.title)),
        (
            schema.digest("hash", "SHA-256 of the content."),
            schema.integer("size_bytes", "Of the content.", low=1, high=CONTENT_SIZE_BYTES_MAX),
            schema.text("title", "One line.", low=1, high=CONTENT_TITLE_SIZE_BYTES_MAX),
            _EXPIRES,
        ),
        "Put content into the global data set; members only.",
    ),
    Kind(
        "post-withdraw",
        PostWithdraw,
        parse_withdraw,
        build_withdraw,
        withdraw_changes,
        lambda _: cost_of(writes=2),
        (schema.digest("hash", "SHA-256 of the content."),),
        "Take back content that the sender posted: nobody fetches or serves it any more.",
    ),
    Kind(
        "transfer",
        payment.Transfer,
        payment.parse_transfer,
        payment.build_transfer,
        payment.transfer_changes,
        payment.transfer_cost,
        (schema.ACCOUNT_TO, schema.amount("Base units of PRANA."), schema.MEMO),
        "Pay PRANA from the sender's account.",
    ),
    Kind(
        "allow",
        allowance.Allow,
        allowance.parse_allow,
        allowance.build_allow,
        allowance.allow_changes,
        allowance.allow_cost,
        (
            schema.public_key("spender", "Who may pay."),
            schema.amount("Base units in all, 0 to take the allowance back.", low=0),
            _EXPIRES,
        ),
        "Let somebody pay from the sender's account, in place of what was allowed before; an "
        f"account gives at most {ALLOWANCES_OF_OWNER_MAX} allowances.",
    ),
    Kind(
        "transfer-from",
        allowance.TransferFrom,
        allowance.parse_transfer_from,
        allowance.build_transfer_from,
        allowance.transfer_from_changes,
        allowance.transfer_from_cost,
        (
            schema.public_key("owner", "Whose account pays."),
            schema.ACCOUNT_TO,
            schema.amount("Base units of PRANA."),
            schema.MEMO,
        ),
        "Pay from the account of somebody who allowed the sender to.",
    ),
    Kind(
        "multisig-create",
        multisig.MultisigCreate,
        multisig.parse_create,
        multisig.build_create,
        multisig.create_changes,
        multisig.create_cost,
        (
            schema.integer(
                "threshold", "How many of the keys pay together.", low=1, high=MULTISIG_KEYS_MAX
            ),
            Field(
                "keys",
                Type.LIST,
                1,
                MULTISIG_KEYS_MAX,
                "Public keys, different, in ascending order.",
                Type.BYTES,
            ),
            schema.name_of("name", "Tells accounts of the same keys apart."),
        ),
        "Make an account from which several keys pay together.",
    ),
    Kind(
        "multisig-propose",
        multisig.MultisigPropose,
        multisig.parse_propose,
        multisig.build_propose,
        multisig.propose_changes,
        multisig.propose_cost,
        (
            _ACCOUNT,
            schema.ACCOUNT_TO,
            schema.amount("Base units."),
            schema.name_of(
                "symbol", "Of the token, empty for PRANA.", low=0, high=TOKEN_SYMBOL_LENGTH_MAX
            ),
            schema.MEMO,
            schema.integer("expires_round", "The last round in which it can be approved."),
        ),
        "Propose a payment from a multi-signature account, and approve it.",
    ),
    Kind(
        "multisig-approve",
        multisig.MultisigApprove,
        multisig.parse_approve,
        multisig.build_approve,
        multisig.approve_changes,
        multisig.approve_cost,
        (_ACCOUNT, _SPEND),
        "Approve a payment; the last approval that it takes pays.",
    ),
    Kind(
        "multisig-cancel",
        multisig.MultisigCancel,
        multisig.parse_cancel,
        multisig.build_cancel,
        multisig.cancel_changes,
        multisig.cancel_cost,
        (_ACCOUNT, _SPEND),
        "Take back a payment that the sender proposed.",
    ),
    Kind(
        "token-create",
        market_token.TokenCreate,
        market_token.parse_create,
        market_token.build_create,
        market_token.create_changes,
        market_token.create_cost,
        (
            _SYMBOL,
            schema.name_of("name", "For people."),
            schema.integer(
                "decimals",
                "Places behind the point, where amounts are shown.",
                high=TOKEN_DECIMALS_MAX,
            ),
            schema.integer(
                "rules",
                "Sum of 1 (the issuer mints more), 2 (holders burn), 4 (only the issuer sends).",
                high=7,
            ),
            schema.integer("cap", "The supply is never more; 0 for no cap.", high=SUPPLY_MAX),
            schema.amount("Minted for the sender at once.", low=0),
        ),
        "Claim a symbol for a token of the sender's.",
    ),
    Kind(
        "token-mint",
        market_token.TokenMint,
        market_token.parse_mint,
        market_token.build_mint,
        market_token.mint_changes,
        market_token.mint_cost,
        (_SYMBOL, schema.ACCOUNT_TO, schema.amount("Base units of the token.")),
        "Make more of a token, by its rules.",
    ),
    Kind(
        "token-burn",
        market_token.TokenBurn,
        market_token.parse_burn,
        market_token.build_burn,
        market_token.burn_changes,
        market_token.burn_cost,
        (_SYMBOL, schema.amount("Base units of the token.")),
        "Destroy some of the sender's own, by the token's rules.",
    ),
    Kind(
        "token-send",
        market_token.TokenSend,
        market_token.parse_send,
        market_token.build_send,
        market_token.send_changes,
        market_token.send_cost,
        (_SYMBOL, schema.ACCOUNT_TO, schema.amount("Base units of the token."), schema.MEMO),
        "Pass some of the sender's own on, by the token's rules.",
    ),
    Kind(
        "gov-propose",
        governance.GovPropose,
        governance.parse_gov_propose,
        governance.build_gov_propose,
        governance.gov_propose_changes,
        governance.propose_cost,
        (
            schema.name_of("title", "What it is called.", high=PROPOSAL_TITLE_LENGTH_MAX),
            Field(
                "actions",
                Type.LIST,
                1,
                PROPOSAL_ACTIONS_MAX,
                "What it does, each [action, [arguments]]: docs/governance.md has them.",
                Type.LIST,
            ),
            schema.integer(
                "rounds",
                "For how many it can be voted on.",
                low=1,
                high=PROPOSAL_ROUNDS_MAX,
            ),
        ),
        "Propose actions that take effect together, and vote yes.",
        in_batch=False,
        free_for_members=True,
    ),
    Kind(
        "gov-vote",
        governance.GovVote,
        governance.parse_gov_vote,
        governance.build_gov_vote,
        governance.gov_vote_changes,
        lambda _: cost_of(writes=3),
        (
            schema.digest("proposal", "Id of the transaction that proposed it."),
            schema.name_of("vote", "`yes`, `no` or `abstain`.", low=2, high=7),
        ),
        "Vote on a proposal, or change the vote.",
        in_batch=False,
        free_for_members=True,
    ),
    Kind(
        "gov-announce",
        upgrades.Announce,
        upgrades.parse_announce,
        upgrades.build_announce,
        upgrades.announce_changes,
        lambda _: cost_of(writes=1),
        (
            _versions("rule_sets", "Rule sets that the sender's build knows, in rising order."),
            _versions("wire_versions", "Wire versions, the same."),
            _versions("transaction_versions", "Versions of transactions, the same."),
            schema.name_of("release", "What the build is called.", high=RELEASE_LENGTH_MAX),
        ),
        "Say what the sender's build knows, in place of what it said before.",
        in_batch=False,
        free_for_members=True,
    ),
    Kind(
        "batch",
        Batch,
        lambda items: parse_batch(items, _parse_item),
        lambda batch: build_batch(batch, _build_item),
        lambda batch, context: batch_changes(
            batch, context, changes_of, lambda item: kind_of(item).name
        ),
        _batch_cost,
        (
            Field(
                "items",
                Type.LIST,
                BATCH_ITEMS_MIN,
                BATCH_ITEMS_MAX,
                "The items themselves, each [kind, [arguments]].",
                Type.LIST,
            ),
        ),
        "Transactions of one sender that apply in this order, all or none.",
        in_batch=False,
    ),
)
_KINDS: Final = {row.name: row for row in _ROWS}
_BY_ARGUMENTS: Final = {row.arguments: row for row in _ROWS}
