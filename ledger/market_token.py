"""Tokens of markets: whoever creates one says how it is minted, burned and passed on, for ever.

    token-create    [symbol, name, decimals, rules, cap, amount]    the creator gets the amount
    token-mint      [symbol, to, amount]
    token-burn      [symbol, amount]
    token-send      [symbol, to, amount, memo]
    state           "token/" ‖ symbol -> [symbol, name, decimals, rules, cap, supply, issuer, round]
                    "holding/" ‖ symbol ‖ "/" ‖ holder -> [amount]
                    "token-issuer/" ‖ issuer -> [number of tokens]

Rules are the sum of MINTABLE (the issuer can mint more), BURNABLE (holders can burn their own) and
FIXED (only the issuer passes it on: a voucher, a share). Cap 0 is none. Holder and issuer stand for
a person, not a key: they are the first key of the line (`ledger.succession`), so a rotation moves
nothing. What all holders have is the supply, after every round. Who has nothing has no record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from typing import Final

from core.codec import Value, WrongShape, as_array, as_bytes, as_int, as_text, decode, encode
from core.ids import AccountId, Amount, PublicKey, Round
from core.limits import INT_MAX, PUBLIC_KEY_SIZE_BYTES
from ledger.accounts import TREASURY
from ledger.context import Context
from ledger.cost import cost_of, text_size_bytes
from ledger.errors import (
    AgainstTokenRules,
    BadToken,
    CapExceeded,
    InsufficientTokens,
    NoSuchToken,
    SelfTransfer,
    SupplyExceeded,
    SymbolTaken,
    TooManyTokens,
)
from ledger.limits import (
    NAME_LENGTH_MAX,
    SUPPLY_MAX,
    TOKEN_DECIMALS_MAX,
    TOKEN_SYMBOL_LENGTH_MAX,
    TOKENS_OF_OWNER_MAX,
)
from ledger.names import is_name
from ledger.payment import account_id, memo_line, positive_amount
from ledger.succession import origin_of

TOKEN_PREFIX: Final = b"token/"
"""State keys of tokens: this prefix, then the symbol."""

HOLDING_PREFIX: Final = b"holding/"
"""State keys of what somebody has of a token: this prefix, the symbol, "/", the holder."""

TOKEN_ISSUER_PREFIX: Final = b"token-issuer/"
"""State keys of how many tokens somebody created: this prefix, then the issuer."""

_SYMBOL: Final = re.compile(rf"[A-Z][A-Z0-9]{{0,{TOKEN_SYMBOL_LENGTH_MAX - 1}}}")

Read = Callable[[bytes], bytes | None]
"""State key -> its value, None for none."""
Changes = list[tuple[bytes, bytes | None]]
"""(state key, state value) pairs, None for a record that ends."""


class Rules(IntFlag):
    """What a token's creator lets happen to it."""

    NONE = 0
    MINTABLE = 1
    BURNABLE = 2
    FIXED = 4


_RULES_MAX: Final = int(Rules.MINTABLE | Rules.BURNABLE | Rules.FIXED)


@dataclass(frozen=True, slots=True)
class TokenCreate:
    """Claim a symbol and say what its token is."""

    symbol: str
    name: str
    decimals: int
    rules: Rules
    cap: int
    """The supply is never more, 0 for no cap."""
    amount: Amount
    """Minted for the creator at once, may be 0."""


@dataclass(frozen=True, slots=True)
class TokenMint:
    """Make more of a token."""

    symbol: str
    to: AccountId
    amount: Amount


@dataclass(frozen=True, slots=True)
class TokenBurn:
    """Destroy some of the sender's own."""

    symbol: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class TokenSend:
    """Pass some of the sender's own on."""

    symbol: str
    to: AccountId
    amount: Amount
    memo: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """What the state keeps of a token."""

    symbol: str
    name: str
    decimals: int
    rules: Rules
    cap: int
    supply: int
    issuer: PublicKey
    round: Round
    """In which it was created."""

    def encode(self) -> bytes:
        """Return the state value."""
        return encode(
            [
                self.symbol,
                self.name,
                self.decimals,
                int(self.rules),
                self.cap,
                self.supply,
                self.issuer,
                self.round,
            ]
        )


def token_key(symbol: str) -> bytes:
    """Return the state key of a token."""
    return TOKEN_PREFIX + symbol.encode("ascii")


def holding_key(symbol: str, holder: AccountId) -> bytes:
    """Return the state key of what a holder has of a token."""
    return HOLDING_PREFIX + symbol.encode("ascii") + b"/" + holder


def symbol_of_holding(key: bytes) -> str:
    """Return the symbol in a state key that `holding_key` made."""
    return key[len(HOLDING_PREFIX) :].split(b"/", 1)[0].decode("ascii")


def holder_of(read: Read, owner: AccountId) -> AccountId:
    """Return who holds what is paid to an account: the first key of its line."""
    origin = origin_of(read, PublicKey(owner))
    return owner if origin is None else AccountId(origin.first)


def decode_token(value: bytes) -> Token:
    """Return the token in a state value; raises NotCanonical, WrongShape or BadToken."""
    symbol, name, decimals, rules, cap, supply, issuer, made = as_array(decode(value), length=8)
    created = parse_create([symbol, name, decimals, rules, cap, 0])
    token = Token(
        created.symbol,
        created.name,
        created.decimals,
        created.rules,
        created.cap,
        as_int(supply, high=SUPPLY_MAX),
        PublicKey(as_bytes(issuer, size=PUBLIC_KEY_SIZE_BYTES)),
        Round(as_int(made)),
    )
    if token.cap and token.supply > token.cap:
        raise WrongShape("expected a supply within the cap")
    return token


def decode_holding(value: bytes | None) -> int:
    """Return the amount in a state value; raises NotCanonical or WrongShape."""
    if value is None:
        return 0
    (amount,) = as_array(decode(value), length=1)
    return as_int(amount, high=SUPPLY_MAX)


def parse_create(items: list[Value]) -> TokenCreate:
    """Return the checked arguments of `token-create`; raises BadToken or WrongShape."""
    symbol, name, decimals, rules, cap, amount = as_array(items, length=6)
    bits = as_int(rules, low=-INT_MAX - 1)
    if not 0 <= bits <= _RULES_MAX:
        raise BadToken(f"{bits} is no sum of rules")
    create = TokenCreate(
        _symbol(symbol),
        as_text(name, length_max=INT_MAX),
        as_int(decimals, low=-INT_MAX - 1),
        Rules(bits),
        as_int(cap, high=SUPPLY_MAX),
        Amount(as_int(amount, high=SUPPLY_MAX)),
    )
    if not is_name(create.name):
        raise BadToken(f"a name has 1 to {NAME_LENGTH_MAX} characters and no controls")
    if not 0 <= create.decimals <= TOKEN_DECIMALS_MAX:
        raise BadToken(f"{create.decimals} decimals, 0 to {TOKEN_DECIMALS_MAX} are taken")
    if create.cap and create.amount > create.cap:
        raise BadToken(f"{create.amount} at first are more than the cap {create.cap}")
    return create


def build_create(create: TokenCreate) -> Sequence[Value]:
    """Return the encodable arguments of `token-create`."""
    return (
        create.symbol,
        create.name,
        create.decimals,
        int(create.rules),
        create.cap,
        create.amount,
    )


def create_cost(create: TokenCreate) -> int:
    """Return what `token-create` costs: a symbol is claimed for ever."""
    return cost_of(writes=20, size_bytes=text_size_bytes(create.name))


def create_changes(create: TokenCreate, context: Context) -> Changes:
    """Return what a new token writes; raises SymbolTaken or TooManyTokens."""
    if context.read(token_key(create.symbol)) is not None:
        raise SymbolTaken(f"there is a token {create.symbol}")
    issuer = _sender(context)
    count_key = TOKEN_ISSUER_PREFIX + issuer
    count = decode_holding(context.read(count_key))
    if count >= TOKENS_OF_OWNER_MAX:
        raise TooManyTokens(f"the sender created {count} tokens")
    token = Token(
        create.symbol,
        create.name,
        create.decimals,
        create.rules,
        create.cap,
        create.amount,
        PublicKey(issuer),
        context.round,
    )
    changes: Changes = [(token_key(token.symbol), token.encode()), (count_key, encode([count + 1]))]
    if create.amount:
        changes.append((holding_key(token.symbol, issuer), encode([create.amount])))
    return changes


def parse_mint(items: list[Value]) -> TokenMint:
    """Return the checked arguments; raises BadToken, BadTransfer, ZeroAmount or WrongShape."""
    symbol, to, amount = as_array(items, length=3)
    return TokenMint(_symbol(symbol), account_id(to), positive_amount(amount))


def build_mint(mint: TokenMint) -> Sequence[Value]:
    """Return the encodable arguments of `token-mint`."""
    return mint.symbol, mint.to, mint.amount


def mint_cost(_: TokenMint) -> int:
    """Return what `token-mint` costs."""
    return cost_of(writes=3)


def mint_changes(mint: TokenMint, context: Context) -> Changes:
    """Return what minting writes.

    Raises NoSuchToken, AgainstTokenRules, CapExceeded or SupplyExceeded.
    """
    token = _token(mint.symbol, context)
    if Rules.MINTABLE not in token.rules or token.issuer != PublicKey(_sender(context)):
        raise AgainstTokenRules(f"the sender can not mint {token.symbol}")
    supply = token.supply + mint.amount
    if token.cap and supply > token.cap:
        raise CapExceeded(f"{token.cap - token.supply} are left up to the cap of {token.symbol}")
    if supply > SUPPLY_MAX:
        raise SupplyExceeded(f"{SUPPLY_MAX - token.supply} of {token.symbol} can still be minted")
    key = holding_key(token.symbol, _payee(mint.to, context))
    held = decode_holding(context.read(key))
    return [
        (token_key(token.symbol), replace(token, supply=supply).encode()),
        (key, encode([held + mint.amount])),
    ]


def parse_burn(items: list[Value]) -> TokenBurn:
    """Return the checked arguments of `token-burn`; raises BadToken, ZeroAmount or WrongShape."""
    symbol, amount = as_array(items, length=2)
    return TokenBurn(_symbol(symbol), positive_amount(amount))


def build_burn(burn: TokenBurn) -> Sequence[Value]:
    """Return the encodable arguments of `token-burn`."""
    return burn.symbol, burn.amount


def burn_cost(_: TokenBurn) -> int:
    """Return what `token-burn` costs."""
    return cost_of(writes=3)


def burn_changes(burn: TokenBurn, context: Context) -> Changes:
    """Return what burning writes; raises NoSuchToken, AgainstTokenRules or InsufficientTokens."""
    token = _token(burn.symbol, context)
    if Rules.BURNABLE not in token.rules:
        raise AgainstTokenRules(f"{token.symbol} can not be burned")
    key, held = _held(token, _sender(context), burn.amount, context)
    return [
        (token_key(token.symbol), replace(token, supply=token.supply - burn.amount).encode()),
        (key, _holding(held - burn.amount)),
    ]


def parse_send(items: list[Value]) -> TokenSend:
    """Return the checked arguments; raises BadToken, BadTransfer, ZeroAmount or WrongShape."""
    symbol, to, amount, memo = as_array(items, length=4)
    return TokenSend(_symbol(symbol), account_id(to), positive_amount(amount), memo_line(memo))


def build_send(send: TokenSend) -> Sequence[Value]:
    """Return the encodable arguments of `token-send`."""
    return send.symbol, send.to, send.amount, send.memo


def send_cost(send: TokenSend) -> int:
    """Return what `token-send` costs."""
    return cost_of(writes=3, size_bytes=text_size_bytes(send.memo))


def send_changes(send: TokenSend, context: Context) -> Changes:
    """Return what passing on writes; raises what `passed_on` raises."""
    return passed_on(send.symbol, _sender(context), send.to, send.amount, context)


def passed_on(
    symbol: str, holder: AccountId, to: AccountId, amount: Amount, context: Context
) -> Changes:
    """Return what it writes to pass some of a holder's tokens on.

    Raises NoSuchToken, AgainstTokenRules, InsufficientTokens or SelfTransfer.
    """
    token = _token(symbol, context)
    if Rules.FIXED in token.rules and PublicKey(holder) != token.issuer:
        raise AgainstTokenRules(f"only its issuer passes {token.symbol} on")
    payee = _payee(to, context)
    source, held = _held(token, holder, amount, context)
    if payee == holder:
        raise SelfTransfer("payer and payee are the same")
    target = holding_key(token.symbol, payee)
    paid = decode_holding(context.read(target))
    return [(source, _holding(held - amount)), (target, encode([paid + amount]))]


def symbol_or_prana(value: Value) -> str:
    """Return the symbol of what is to be paid, "" for PRANA; raises BadToken or WrongShape."""
    return "" if value == "" else _symbol(value)


def _payee(to: AccountId, context: Context) -> AccountId:
    if to == TREASURY:
        raise AgainstTokenRules("the treasury holds PRANA only: nobody could pass tokens on")
    return holder_of(context.read, to)


def _sender(context: Context) -> AccountId:
    return holder_of(context.read, AccountId(context.sender))


def _token(symbol: str, context: Context) -> Token:
    value = context.read(token_key(symbol))
    if value is None:
        raise NoSuchToken(f"there is no token {symbol}")
    return decode_token(value)


def _held(token: Token, holder: AccountId, amount: int, context: Context) -> tuple[bytes, int]:
    """Return where a holding is and what it is; raises InsufficientTokens."""
    key = holding_key(token.symbol, holder)
    held = decode_holding(context.read(key))
    if held < amount:
        raise InsufficientTokens(f"the holder has {held} of {token.symbol}, not {amount}")
    return key, held


def _holding(amount: int) -> bytes | None:
    return encode([amount]) if amount else None


def _symbol(value: Value) -> str:
    symbol = as_text(value, length_max=INT_MAX)
    if _SYMBOL.fullmatch(symbol) is None:
        raise BadToken(f"{symbol[:32]!r} is no symbol")
    return symbol
