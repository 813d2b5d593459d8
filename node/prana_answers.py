"""What a running cell answers about amounts: accounts, supply, multi-signature accounts, tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.ids import AccountId, PublicKey, cell_id_of, public_key_of
from gateway.prana_views import (
    AllowanceView,
    MovesView,
    MoveView,
    MultisigView,
    PurseView,
    SpendView,
    SupplyView,
    TokenView,
)
from ledger.accounts import TREASURY, account_key, decode_account
from ledger.allowance import allowances_key, decode_allowances
from ledger.amounts import format_amount
from ledger.errors import NoSuchMultisig, NoSuchToken
from ledger.limits import DECIMALS
from ledger.machine import Ledger
from ledger.market_token import (
    TOKEN_PREFIX,
    Rules,
    Token,
    decode_holding,
    decode_token,
    holder_of,
    holding_key,
    token_key,
)
from ledger.multisig import MULTISIG_PREFIX, Multisig, decode_multisig, multisig_key
from ledger.parameters import ACCOUNT_MINIMUM, FEE_PER_COST, read_parameter
from ledger.succession import current_key
from ledger.supply import SUPPLY_KEY, decode_supply
from node.act_arguments import account_of
from node.journal_answers import JournalAnswers
from node.limits import MULTISIGS_SCANNED_MAX
from node.snapshots import history_of
from node.tables import entries_with_prefix

Entries = Callable[[bytes, int], list[tuple[bytes, bytes]]]
"""Prefix, limit -> (state key, state value)s in the order of keys."""


class Purses:
    """Reads the state after the last applied round."""

    def __init__(self, ledger: Ledger, entries: Entries) -> None:
        self._ledger = ledger
        self._entries = entries

    def purse(self, owner: AccountId) -> PurseView:
        """Return one account."""
        account, read = self._ledger.account(owner), self._ledger.read
        successor = current_key(read, PublicKey(owner)) if account.is_given_up else None
        given = decode_allowances(read(allowances_key(PublicKey(owner))))
        return PurseView(
            account=_shown(owner),
            cell_id=self._cell_id(owner),
            balance=account.balance,
            amount=format_amount(account.balance, DECIMALS),
            is_given_up=account.is_given_up,
            successor="" if successor is None else cell_id_of(successor),
            allowances=[
                AllowanceView(cell_id_of(one.spender), one.amount, one.expires_round)
                for one in given
                if not account.is_given_up
            ],
        )

    def supply(self) -> SupplyView:
        """Return how much PRANA there is."""
        read = self._ledger.read
        supply = decode_supply(read(SUPPLY_KEY))
        return SupplyView(
            issued=supply.issued,
            burned=supply.burned,
            total=supply.total,
            amount=format_amount(supply.total, DECIMALS),
            treasury=self._ledger.account(TREASURY).balance,
            fee_per_cost=read_parameter(read, FEE_PER_COST),
            account_minimum=read_parameter(read, ACCOUNT_MINIMUM),
        )

    def multisig(self, account: AccountId) -> MultisigView:
        """Return a multi-signature account; raises NoSuchMultisig."""
        value = self._ledger.read(multisig_key(account))
        if value is None:
            raise NoSuchMultisig(f"there is no multi-signature account {account.hex()[:16]}…")
        return self._multisig_view(decode_multisig(value))

    def multisigs(self, key: PublicKey, limit: int) -> list[MultisigView]:
        """Return those of which a key, or one that it followed, is a signer."""
        found: list[MultisigView] = []
        for _, value in self._entries(MULTISIG_PREFIX, MULTISIGS_SCANNED_MAX):
            account = decode_multisig(value)
            if key in account.made.keys or key in map(self._present, account.made.keys):
                found.append(self._multisig_view(account))
        return found[:limit]

    def token(self, symbol: str, owner: AccountId) -> TokenView:
        """Return a token, and what an account has of it; raises NoSuchToken."""
        value = self._ledger.read(token_key(symbol)) if symbol.isascii() else None
        if value is None:
            raise NoSuchToken(f"there is no token {symbol[:32]!r}")
        return self._token_view(decode_token(value), owner)

    def tokens(self, owner: AccountId, limit: int) -> list[TokenView]:
        """Return tokens in the order of their symbols."""
        entries = self._entries(TOKEN_PREFIX, limit)
        return [self._token_view(decode_token(value), owner) for _, value in entries]

    def _multisig_view(self, account: Multisig) -> MultisigView:
        now, keys = self._ledger.applied_round, account.made.keys
        spends = [
            SpendView(
                id=one.id.hex(),
                proposer=cell_id_of(keys[one.seat]),
                to=_shown(one.payment.to),
                amount=one.payment.amount,
                symbol=one.payment.symbol,
                memo=one.payment.memo,
                expires_round=one.payment.expires_round,
                approvals=[cell_id_of(keys[seat]) for seat in one.approvals],
            )
            for one in account.spends
            if now < one.payment.expires_round
        ]
        return MultisigView(
            account=account.made.account.hex(),
            name=account.made.name,
            threshold=account.made.threshold,
            keys=[cell_id_of(key) for key in keys],
            balance=self._ledger.account(account.made.account).balance,
            spends=spends,
        )

    def _token_view(self, token: Token, owner: AccountId) -> TokenView:
        read = self._ledger.read
        held = read(holding_key(token.symbol, holder_of(read, owner)))
        return TokenView(
            symbol=token.symbol,
            name=token.name,
            decimals=token.decimals,
            is_mintable=Rules.MINTABLE in token.rules,
            is_burnable=Rules.BURNABLE in token.rules,
            is_fixed=Rules.FIXED in token.rules,
            cap=token.cap,
            supply=token.supply,
            issuer=cell_id_of(self._present(token.issuer)),
            round=token.round,
            held=decode_holding(held),
        )

    def _present(self, key: PublicKey) -> PublicKey:
        return current_key(self._ledger.read, key)

    def _cell_id(self, owner: AccountId) -> str:
        is_key = owner != TREASURY and self._ledger.read(multisig_key(owner)) is None
        return cell_id_of(PublicKey(owner)) if is_key else ""


class PranaAnswers(JournalAnswers):
    """The part of `gateway.cell.Cell` that is about amounts."""

    async def purse(self, account: str) -> PurseView:
        """See `gateway.prana_views.PranaCell.purse`."""
        return self._purses().purse(self._owner_of(account))

    async def moves(self, account: str, before: int, limit: int) -> MovesView:
        """See `gateway.prana_views.PranaCell.moves`."""
        owner = self._owner_of(account)
        rows = history_of(self._parts.store, account_key(owner), before=before, limit=limit + 1)
        return moves_view(owner, [(one.round, one.value) for one in rows], limit)

    async def supply(self) -> SupplyView:
        """See `gateway.prana_views.PranaCell.supply`."""
        return self._purses().supply()

    async def multisig(self, account: str) -> MultisigView:
        """See `gateway.prana_views.PranaCell.multisig`."""
        return self._purses().multisig(self._owner_of(account))

    async def multisigs(self, key: str, limit: int) -> list[MultisigView]:
        """See `gateway.prana_views.PranaCell.multisigs`."""
        return self._purses().multisigs(PublicKey(self._owner_of(key)), limit)

    async def token(self, symbol: str, account: str) -> TokenView:
        """See `gateway.prana_views.PranaCell.token`."""
        return self._purses().token(symbol, self._owner_of(account))

    async def tokens(self, limit: int) -> list[TokenView]:
        """See `gateway.prana_views.PranaCell.tokens`."""
        return self._purses().tokens(self._owner_of(""), limit)

    def _purses(self) -> Purses:
        store = self._parts.store
        return Purses(
            self._parts.execution.ledger,
            lambda prefix, limit: entries_with_prefix(store, prefix, limit),
        )

    def _owner_of(self, text: str) -> AccountId:
        """Return an account that a client named, the cell's own if it did not."""
        return AccountId(account_of(text or self._parts.cell_id, self._key_of))

    def _key_of(self, cell: str) -> PublicKey:
        return public_key_of(self._cell_id(cell))


def moves_view(
    owner: AccountId, found: Sequence[tuple[int, bytes | None]], limit: int
) -> MovesView:
    """Return what rounds made of an account: (round, state value)s, the newest first.

    One more than `limit` of them tells what the last one shown changed.
    """
    balances = [0 if value is None else decode_account(value).balance for _, value in found]
    before = [*balances, None][1:]
    items = [
        MoveView(number, balance, None if old is None else balance - old)
        for (number, _), balance, old in zip(found, balances, before, strict=True)
    ][:limit]
    following = items[-1].round if len(found) > limit else None
    return MovesView(_shown(owner), items, following)


def _shown(owner: AccountId) -> str:
    return owner.decode() if owner == TREASURY else owner.hex()
