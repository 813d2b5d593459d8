"""The routes of transactions, their receipts and order, and of the rounds that hold them."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.asks import HashPath, MayWaitAsk, PageAsk, PublicKeyPath
from gateway.cell import Cell
from gateway.errors import NoSuchReceipt, NotReachedInTime
from gateway.operations import INTAKE, Operation, Page, get, post
from gateway.order_asks import PutAsk, SubmitAsk
from gateway.views import AccountView, EpochView, ReceiptView, RoundView, TransactionView
from gateway.waiting import Waiting


class OrderRoutes:
    """Everything that a client can ask about transactions."""

    tag = "transactions"

    def __init__(self, cell: Cell, waits: Waiting) -> None:
        self._cell = cell
        self._waits = waits

    def operations(self) -> Sequence[Operation]:
        """See Family."""
        return [
            post("/api/v1/transactions", self.submit, *INTAKE),
            get("/api/v1/transactions", self.transactions),
            post("/api/v1/state/put", self.put, *INTAKE),
            get("/api/v1/receipts/{id}", self.receipt, NoSuchReceipt, NotReachedInTime),
            get("/api/v1/rounds", self.rounds),
            get("/api/v1/epochs", self.epochs),
            get("/api/v1/accounts/{public_key}", self.account),
        ]

    async def submit(self, body: SubmitAsk) -> Page[ReceiptView]:
        """Submit transactions that are signed already.

        All of them are taken or none. The answer comes when all have reached the wanted stage.
        """
        work = self._cell.submit(body.transactions, wait=body.wait, timeout_s=body.timeout_s)
        return Page(await self._waits.reached(work, body.wait, body.timeout_s))

    async def transactions(self, query: PageAsk) -> Page[TransactionView]:
        """List the agreed order of transactions."""
        work = self._cell.transactions(start=query.start, limit=query.limit)
        items = await self._waits.read(work)
        following = items[-1].position + 1 if items else 0
        # A page ends at a gap in the history too: asking for what follows says where it goes on.
        ends_early = bool(items) and following < self._cell.status().transactions_ordered
        return Page(items, following if len(items) >= query.limit or ends_early else None)

    async def put(self, body: PutAsk) -> ReceiptView:
        """Have this cell sign a put of a value, and submit it."""
        work = self._cell.put(
            body.key,
            body.value_bytes(),
            nonce=body.nonce,
            wait=body.wait,
            timeout_s=body.timeout_s,
        )
        return await self._waits.reached(work, body.wait, body.timeout_s)

    async def receipt(self, path: HashPath, query: MayWaitAsk) -> ReceiptView:
        """Return a transaction's receipt, once it has reached the wanted stage."""
        work = self._cell.receipt(path.id, wait=query.wait, timeout_s=query.timeout_s)
        if query.wait is None:
            return await self._waits.read(work)
        return await self._waits.reached(work, query.wait, query.timeout_s)

    async def rounds(self, query: PageAsk) -> Page[RoundView]:
        """List the decided rounds, and the state after each."""
        items = await self._waits.read(self._cell.rounds(start=query.start, limit=query.limit))
        following = items[-1].round + 1 if items else 0
        ends_early = bool(items) and following <= self._cell.status().round_applied
        return Page(items, following if len(items) >= query.limit or ends_early else None)

    async def epochs(self, query: PageAsk) -> Page[EpochView]:
        """List the epochs, and the members and rules of each."""
        items = await self._waits.read(self._cell.epochs(start=query.start, limit=query.limit))
        return Page(items, items[-1].epoch + 1 if len(items) >= query.limit else None)

    async def account(self, path: PublicKeyPath) -> AccountView:
        """Return the next nonce of an account."""
        return await self._waits.read(self._cell.account(path.public_key))
