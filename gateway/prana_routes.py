"""The routes of amounts: accounts, supply, multi-signature accounts, tokens, and what pays."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.asks import LimitAsk
from gateway.errors import NoSuchCell
from gateway.operations import INTAKE, Operation, Page, get, post
from gateway.prana_asks import AccountAsk, ActAsk, MovesAsk, MultisigsAsk, TokenAsk
from gateway.prana_views import (
    ActWish,
    MovesView,
    MultisigView,
    PranaCell,
    PurseView,
    SupplyView,
    TokenView,
)
from gateway.views import ReceiptView
from gateway.waiting import Waiting
from ledger.errors import NoSuchMultisig, NoSuchToken


class PranaRoutes:
    """Everything that a client can ask about amounts."""

    tag = "amounts"

    def __init__(self, cell: PranaCell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            post("/api/v1/act", self.act, NoSuchCell, *INTAKE),
            get("/api/v1/prana/account", self.account, NoSuchCell),
            get("/api/v1/prana/history", self.history, NoSuchCell),
            get("/api/v1/prana/supply", self.supply),
            get("/api/v1/prana/multisig", self.multisig, NoSuchMultisig, NoSuchCell),
            get("/api/v1/prana/multisigs", self.multisigs, NoSuchCell),
            get("/api/v1/prana/token", self.token, NoSuchToken, NoSuchCell),
            get("/api/v1/prana/tokens", self.tokens),
        ]

    async def act(self, body: ActAsk) -> ReceiptView:
        """Sign a transaction of any kind with the cell's key, and submit it."""
        wish = ActWish(body.kind, body.arguments)
        work = self._cell.act(wish, wait=body.wait, timeout_s=body.timeout_s)
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def account(self, query: AccountAsk) -> PurseView:
        """Return an account and what it has."""
        return await self._waits.read(self._cell.purse(query.account))

    async def history(self, query: MovesAsk) -> MovesView:
        """List what rounds made of an account, the newest first."""
        work = self._cell.moves(query.account, query.before, query.limit)
        return await self._waits.read(work)

    async def supply(self) -> SupplyView:
        """Return how much PRANA there is."""
        return await self._waits.read(self._cell.supply())

    async def multisig(self, query: AccountAsk) -> MultisigView:
        """Return a multi-signature account, and the payments that wait for approvals."""
        return await self._waits.read(self._cell.multisig(query.account))

    async def multisigs(self, query: MultisigsAsk) -> Page[MultisigView]:
        """List the multi-signature accounts of which a key is one."""
        return Page(await self._waits.read(self._cell.multisigs(query.account, query.limit)))

    async def token(self, query: TokenAsk) -> TokenView:
        """Return a token, and what an account has of it."""
        return await self._waits.read(self._cell.token(query.symbol, query.account))

    async def tokens(self, query: LimitAsk) -> Page[TokenView]:
        """List the tokens."""
        return Page(await self._waits.read(self._cell.tokens(query.limit)))
