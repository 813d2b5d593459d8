"""Decoders of what moves amounts: kinds of transactions, their values in the state, amounts."""

from __future__ import annotations

from core import codec
from core.codec import NotCanonical, WrongShape
from core.ids import AccountId, Amount, PublicKey, Round, TransactionId
from ledger import errors
from ledger.allowance import Allow, Allowance, TransferFrom, decode_allowances, encode_allowances
from ledger.amounts import NotAnAmount, format_amount, parse_amount
from ledger.batch import Batch
from ledger.kinds import Arguments, Put, parse_arguments
from ledger.limits import DECIMALS
from ledger.market_token import (
    Rules,
    Token,
    TokenBurn,
    TokenCreate,
    TokenMint,
    TokenSend,
    decode_holding,
    decode_token,
)
from ledger.multisig import (
    Multisig,
    MultisigApprove,
    MultisigCancel,
    MultisigCreate,
    MultisigPropose,
    Spend,
    decode_multisig,
)
from ledger.parameters import decode_parameter, encode_parameter
from ledger.payment import Transfer
from ledger.supply import Supply, decode_supply
from ledger.transaction import parse
from tests.fuzz.mutations import Form
from tests.fuzz.samples import DIGEST
from tests.fuzz.target import Target
from tests.ledger.world import GENESIS, KEYS, signed

_NEITHER = (NotCanonical, WrongShape)
_KEY, _OTHER = (key.public_key for key in KEYS[:2])
_TO = AccountId(DIGEST)
_MADE = MultisigCreate(2, tuple(sorted(key.public_key for key in KEYS[:3])), "savings")
_PROPOSE = MultisigPropose(_MADE.account, _TO, Amount(7), "", "bill", Round(900))
_ACTS: tuple[Arguments, ...] = (
    Transfer(_TO, Amount(1_500_000_000), "rent of May"),
    Allow(_OTHER, Amount(300), Round(77)),
    TransferFrom(_OTHER, _TO, Amount(3), "é"),
    _MADE,
    _PROPOSE,
    MultisigApprove(_MADE.account, TransactionId(DIGEST)),
    MultisigCancel(_MADE.account, TransactionId(DIGEST)),
    TokenCreate("GOLD", "Gold of a market", 2, Rules.MINTABLE | Rules.BURNABLE, 500, Amount(9)),
    TokenMint("GOLD", _TO, Amount(2)),
    TokenBurn("GOLD", Amount(2)),
    TokenSend("GOLD", _TO, Amount(2), "for you"),
    Batch((Transfer(_TO, Amount(1)), Put("k", b"v"), TokenBurn("X", Amount(1)))),
)
MONEY_KIND_SAMPLES: tuple[tuple[str, list[codec.Value]], ...] = (
    ("transfer", [DIGEST, 1, ""]),
    ("transfer", [b"treasury", 2**62, "thanks"]),
    ("allow", [DIGEST, 0, 0]),
    ("transfer-from", [DIGEST, DIGEST, 1, ""]),
    ("multisig-create", [1, [DIGEST], "n"]),
    ("multisig-propose", [DIGEST, DIGEST, 1, "", "", 9]),
    ("multisig-approve", [DIGEST, DIGEST]),
    ("multisig-cancel", [DIGEST, DIGEST]),
    ("token-create", ["A1", "name", 18, 7, 0, 0]),
    ("token-mint", ["A1", DIGEST, 1]),
    ("token-burn", ["A1", 1]),
    ("token-send", ["A1", DIGEST, 1, ""]),
    ("batch", [["put", ["k", b"v"]], ["transfer", [DIGEST, 1, ""]]]),
)
"""Of each kind of amounts, arguments that are taken; at the end those that are worth most."""
_REFUSALS = (
    errors.Malformed,
    errors.Oversize,
    errors.UnknownKind,
    errors.BadAttestation,
    errors.BadBatch,
    errors.BadTransfer,
    errors.ZeroAmount,
    errors.BadAllowance,
    errors.BadMultisig,
    errors.BadToken,
    errors.WrongNetwork,
)
_PARSERS = {
    "allowance": ("parse_allow", "parse_transfer_from"),
    "batch": ("parse_batch",),
    "kinds": ("_parse_item",),
    "market_token": ("parse_create", "parse_mint", "parse_burn", "parse_send"),
    "multisig": ("parse_create", "parse_propose", "parse_approve", "parse_cancel"),
    "payment": ("parse_transfer",),
}


def targets() -> tuple[Target, ...]:
    """Return the rows of this part of the table."""
    return (*_transactions(), *_values(), *_amounts())


def _transactions() -> tuple[Target, ...]:
    return (
        Target(
            name="transaction, amounts",
            decode=lambda data: parse(data, GENESIS.network_id),
            samples=tuple(signed(KEYS[0], at, act) for at, act in enumerate(_ACTS)),
            errors=_REFUSALS,
        ),
        Target(
            name="transaction arguments, amounts",
            decode=_arguments,
            samples=tuple(codec.encode(value) for value in MONEY_KIND_SAMPLES),
            errors=(*_REFUSALS, *_NEITHER),
            covers=tuple(
                f"ledger/{module}.py:{name}" for module, names in _PARSERS.items() for name in names
            ),
        ),
    )


def _values() -> tuple[Target, ...]:
    spends = (
        Spend(TransactionId(DIGEST), 1, _PROPOSE, (0, 1)),
        Spend(TransactionId(bytes(32)), 0, _PROPOSE, ()),
    )
    token = Token("GOLD", "Gold", 2, Rules.FIXED, 500, 9, PublicKey(DIGEST), Round(3))
    allowances = (
        Allowance(PublicKey(bytes(32)), Amount(3), Round(0)),
        Allowance(PublicKey(DIGEST), Amount(2**62), Round(9)),
    )
    return (
        Target(
            name="state: allowances",
            decode=decode_allowances,
            encode=encode_allowances,
            samples=(encode_allowances(allowances), encode_allowances(())),
            errors=_NEITHER,
            covers=("ledger/allowance.py:decode_allowances",),
        ),
        Target(
            name="state: multi-signature account",
            decode=decode_multisig,
            encode=Multisig.encode,
            samples=(Multisig(_MADE, spends).encode(), Multisig(_MADE).encode()),
            errors=(
                *_NEITHER,
                errors.BadMultisig,
                errors.BadTransfer,
                errors.BadToken,
                errors.ZeroAmount,
            ),
            covers=("ledger/multisig.py:decode_multisig",),
        ),
        Target(
            name="state: token",
            decode=decode_token,
            encode=Token.encode,
            samples=(token.encode(),),
            errors=(*_NEITHER, errors.BadToken),
            covers=("ledger/market_token.py:decode_token",),
        ),
        Target(
            name="state: holding",
            decode=decode_holding,
            encode=lambda amount: codec.encode([amount]),
            samples=(codec.encode([0]), codec.encode([2**62])),
            errors=_NEITHER,
            covers=("ledger/market_token.py:decode_holding",),
        ),
        Target(
            name="state: supply",
            decode=decode_supply,
            encode=Supply.encode,
            samples=(Supply().encode(), Supply(2**62, 5).encode()),
            errors=_NEITHER,
            covers=("ledger/supply.py:decode_supply",),
        ),
        Target(
            name="state: parameter",
            decode=decode_parameter,
            encode=encode_parameter,
            samples=(encode_parameter(0), encode_parameter(10**6)),
            errors=_NEITHER,
            covers=("ledger/parameters.py:decode_parameter",),
        ),
    )


def _amounts() -> tuple[Target, ...]:
    return (
        Target(
            name="amount",
            decode=lambda data: parse_amount(data.decode("utf-8", "replace"), DECIMALS),
            samples=tuple(format_amount(units, DECIMALS).encode() for units in (1, 15 * 10**8)),
            errors=(NotAnAmount,),
            form=Form.TEXT,
            covers=("ledger/amounts.py:parse_amount",),
        ),
    )


def _arguments(data: bytes) -> object:
    kind, items = codec.as_array(codec.decode(data), length=2)
    return parse_arguments(codec.as_text(kind, length_max=32), codec.as_array(items))
