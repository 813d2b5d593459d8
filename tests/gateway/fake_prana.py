"""Amounts as a fake cell has them: a real ledger of one member, in which each act is a round."""

from __future__ import annotations

from core.errors import MyceldError
from core.ids import AccountId, PublicKey, public_key_of
from gateway.errors import NoSuchCell
from gateway.prana_views import (
    ActWish,
    MovesView,
    MultisigView,
    PurseView,
    SupplyView,
    TokenView,
)
from gateway.views import ReceiptView, RefusalView, Stage
from ledger.accounts import account_key
from ledger.genesis import Genesis
from ledger.roster import Member
from node.act_arguments import account_of, wished_arguments
from node.prana_answers import Purses, moves_view
from tests.ledger.world import KEYS, START_NS, Cell, candidates, signed

ME, GRACE = KEYS[0], KEYS[1]


class FakePrana:
    """The part of FakeCell that is about amounts. The cell has 1,000 PRANA; grace has none."""

    def __init__(self) -> None:
        member = Member(ME.public_key, 1, "ada")
        given = ((ME.public_key, 1_000 * 10**9),)
        self.bank = Cell(Genesis("fake", (member,), START_NS, prana=given))
        self.wishes: list[tuple[ActWish, Stage]] = []
        self.history: list[tuple[int, bytes, bytes | None]] = []
        """(round, state key, value) of what was written."""

    async def act(self, wish: ActWish, *, wait: Stage, timeout_s: float) -> ReceiptView:  # noqa: ARG002 - the cell's
        self.wishes.append((wish, wait))
        arguments = wished_arguments(wish.kind, wish.arguments, self._key_of)
        network, nonce = self.bank.genesis.network_id, len(self.wishes) - 1
        raw = signed(ME, nonce, arguments, network_id=network)
        applied = self.bank.apply(candidates([raw], network_id=network))
        (entry,) = applied.entries
        self.history += [(applied.header.round, key, value) for key, value in applied.changes]
        refusal = None
        if entry.refusal is not None:
            refusal = RefusalView(entry.receipt.outcome, entry.refusal.detail)
        return ReceiptView(
            id=entry.receipt.id.hex(),
            stage="certified",
            stages_ns={},
            outcome="applied" if refusal is None else "refused",
            refusal=refusal,
            kind=wish.kind,
            sender=ME.public_key.hex(),
            nonce=nonce,
            round=self.bank.headers[-1].round,
            position=entry.receipt.position,
            consensus_time_ns=START_NS,
            event=None,
        )

    async def purse(self, account: str) -> PurseView:
        return self._purses().purse(self._account(account))

    async def moves(self, account: str, before: int, limit: int) -> MovesView:
        owner = self._account(account)
        found = [
            (number, value)
            for number, key, value in reversed(self.history)
            if number < before and key == account_key(owner)
        ]
        return moves_view(owner, found[: limit + 1], limit)

    async def supply(self) -> SupplyView:
        return self._purses().supply()

    async def multisig(self, account: str) -> MultisigView:
        return self._purses().multisig(self._account(account))

    async def multisigs(self, key: str, limit: int) -> list[MultisigView]:
        return self._purses().multisigs(PublicKey(self._account(key)), limit)

    async def token(self, symbol: str, account: str) -> TokenView:
        return self._purses().token(symbol, self._account(account))

    async def tokens(self, limit: int) -> list[TokenView]:
        return self._purses().tokens(self._account(""), limit)

    def _purses(self) -> Purses:
        return Purses(self.bank.ledger, self._entries)

    def _entries(self, prefix: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        found = sorted(item for item in self.bank.state.items() if item[0].startswith(prefix))
        return found[:limit]

    def _account(self, text: str) -> AccountId:
        return AccountId(account_of(text or "ada", self._key_of))

    def _key_of(self, cell: str) -> PublicKey:
        named = {"ada": ME.public_key, "grace": GRACE.public_key}
        if cell in named:
            return named[cell]
        try:
            return public_key_of(cell)
        except MyceldError as error:
            raise NoSuchCell(f"no member is called {cell!r}") from error
