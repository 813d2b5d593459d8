"""People with keys of their own, who use them at several machines, and do what the rules refuse.

A wallet submits signed transactions, now here, now there: the next nonce, one beyond a gap, one
inside the gap, two with one nonce at two machines at once, one that is old or about to expire. It
puts values, attests cells and takes that back, pays, does several things in a batch, posts content
and withdraws it (in vain: it is no member), and gives its key up for another one, but goes on with
the old one now and then. What each has to come to is in `sim.law`.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from core.errors import MyceldError
from core.ids import AccountId, Amount, Hash, PublicKey, Round
from gateway.views import Stage
from identity.keys import KeyPair
from ledger import namespaces
from ledger.allowance import Allow, TransferFrom
from ledger.batch import Batch
from ledger.content import Post, PostWithdraw
from ledger.kinds import Arguments, Put, cost_of_arguments
from ledger.market_token import Rules, TokenBurn, TokenCreate, TokenMint, TokenSend
from ledger.multisig import MultisigCreate, MultisigPropose
from ledger.namespaces import Access, NamespaceClaim, NamespaceRelease, NamespaceSet
from ledger.parameters import FEE_PER_COST
from ledger.payment import Transfer
from ledger.rotation import KeyRotate
from ledger.succession import succession_message
from ledger.transaction import SignedTransaction, parse, sign_transaction
from ledger.trust import TrustAttest, TrustRevoke
from ledger.values import Delete, IfAbsent, IfRound, PutIf

if TYPE_CHECKING:
    from sim.cell import SimCell
    from sim.world import World

_PATIENCE_S: Final = 3.0
_KEYS: Final = 8
_GAP_MAX: Final = 5
_ROUNDS_MAX: Final = 12
_SCOPES: Final = ("general", "chat")
_ATTESTS: Final = 80
"""Of 256 transactions, this many attest a cell (or, in vain, the wallet itself)."""
_REVOKES: Final = 40
_POSTS: Final = 16
_ROTATES: Final = 24
_PAYS: Final = 56
"""As many move amounts, or try to."""
_BATCHES: Final = 24
WALLET_PRANA: Final = 100_000
"""Base units that a wallet begins with: some transactions find it empty."""
_SAID_AGAIN: Final = 3
"""What is revoked is one of the newest so many attestations, or something else."""
_WITH_A_FORMER_KEY: Final = 0.25
_TO_A_FORMER_KEY: Final = 0.2
_WAYS: Final = ("next", "next", "beyond", "inside", "two", "two", "again", "spent")


@dataclass(slots=True)
class _Account:
    """One key, and the nonces that were used with it."""

    key: KeyPair
    next: int = 0
    left_out: list[int] = field(default_factory=list)


class Wallet:
    """One person: the key of today, and those before."""

    def __init__(self, world: World, key: KeyPair, chance: Random, *, pause_s: float) -> None:
        """`pause_s`: in the mean, between two requests."""
        self._world = world
        self._chance = chance
        self._pause_s = pause_s
        self._price = dict(world.genesis.parameters).get(FEE_PER_COST, 0)
        self._account = _Account(key)
        self._former: list[_Account] = []
        self._made: list[bytes] = []
        self._said: list[tuple[PublicKey, str]] = []

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(self._chance.expovariate(1.0) * self._pause_s)
            raws = self._make()
            cells = self._chance.sample(self._world.cells, len(raws))
            await asyncio.gather(
                *(self._submit(cell, raw) for cell, raw in zip(cells, raws, strict=True))
            )

    def _make(self) -> list[bytes]:
        """Return what to submit at once, each at another machine."""
        way = self._chance.choice(_WAYS)
        account = self._account
        if way == "again" and self._made:
            return [self._chance.choice(self._made)] * 2
        if self._former and self._chance.random() < _WITH_A_FORMER_KEY:
            account = self._former[-1]
        if way == "inside" and account.left_out:
            at = self._chance.randrange(len(account.left_out))
            nonce = account.left_out.pop(at)
        elif way == "spent" and account.next:
            nonce = self._chance.randrange(account.next)
        else:
            if way == "beyond":
                gap = self._chance.randint(1, _GAP_MAX)
                account.left_out += range(account.next, account.next + gap)
                account.next += gap
            nonce, account.next = account.next, account.next + 1
        made = [self._sign(account.key, nonce) for _ in range(2 if way in ("two", "inside") else 1)]
        self._made += made
        return made

    def _sign(self, key: KeyPair, nonce: int) -> bytes:
        expires = 0
        if self._chance.random() < 0.3:
            expires = self._world.referee.newest + self._chance.randint(1, _ROUNDS_MAX)
        place, drawn = self._chance.randrange(_KEYS), self._chance.randbytes(8)
        arguments = self._arguments(key, place, drawn)
        fee = self._price * cost_of_arguments(arguments)
        if fee and self._chance.random() < 0.1:
            fee -= 1
        return sign_transaction(
            network_id=self._world.genesis.network_id,
            sender=key.public_key,
            nonce=nonce,
            arguments=arguments,
            sign=key.sign,
            expires_round=Round(expires),
            fee=fee,
        )

    def _arguments(self, key: KeyPair, place: int, drawn: bytes) -> Arguments:
        """Return any of what wallets do, as drawn."""
        if drawn[0] >= 256 - _BATCHES:
            parts = [self._chance.randbytes(8) for _ in range(2 + drawn[1] % 3)]
            items = [
                self._payment(key, part) if part[7] % 3 else Put("sim/b", part) for part in parts
            ]
            return Batch(tuple(items))
        if drawn[0] >= 256 - _BATCHES - _PAYS:
            return self._payment(key, drawn)
        keys = [key.public_key, *(cell.key.public_key for cell in self._world.cells)]
        subject, scope = keys[drawn[1] % len(keys)], _SCOPES[drawn[2] % len(_SCOPES)]
        if drawn[0] < _ATTESTS:
            ends = self._world.referee.newest + drawn[3] % _ROUNDS_MAX if drawn[4] % 2 else 0
            score = int.from_bytes(drawn[5:7], "big")
            self._said.append((subject, scope))
            return TrustAttest(subject, scope, score, Round(ends))
        if drawn[0] < _ATTESTS + _REVOKES:
            said = [*self._said[-_SAID_AGAIN:], (subject, scope)]
            return TrustRevoke(*said[drawn[3] % len(said)])
        if drawn[0] < _ATTESTS + _REVOKES + _POSTS:
            content = Hash(hashlib.sha256(drawn[:1]).digest())
            if drawn[2] % 2:
                return PostWithdraw(content)
            return Post(content, 1 + drawn[1], "minutes", Round(drawn[3] % _ROUNDS_MAX))
        if drawn[0] < _ATTESTS + _REVOKES + _POSTS + _ROTATES:
            return self._rotation(key)
        return self._write(key, f"sim/{place}", drawn)

    def _write(self, pair: KeyPair, key: str, drawn: bytes) -> Arguments:
        """Return something that writes to the state, or says who may."""
        own = namespaces.Rules((pair.public_key,), list(Access)[drawn[3] % 4 // 2 * 3])
        match drawn[1] % 12:
            case 0:
                return PutIf(key, drawn, IfAbsent())
            case 1:
                return PutIf(key, drawn, IfRound(Round(max(1, self._newest - drawn[2] % 4))))
            case 2:
                return Delete(key)
            case 3:
                return NamespaceClaim("own/part" if drawn[2] % 2 else "own", own)
            case 4:
                return NamespaceSet("own", own)
            case 5:
                return Put(f"own/part/{key}", drawn)
            case 6 | 7 | 8:
                return NamespaceRelease("own/part" if drawn[2] % 2 else "own")
        return Put(key, drawn)

    @property
    def _newest(self) -> int:
        """The newest round that anybody knows."""
        return self._world.referee.newest

    def _rotation(self, old: KeyPair) -> KeyRotate:
        """Give a key up for a new one, or, in vain, for one that was used before."""
        if self._former and self._chance.random() < _TO_A_FORMER_KEY:
            new = self._former[0].key
        else:
            new = KeyPair(self._chance.randbytes(32))
            self._former.append(self._account)
            self._account = _Account(new)
        message = succession_message(self._world.genesis.network_id, old.public_key, new.public_key)
        return KeyRotate(new.public_key, old.sign(message), new.sign(message))

    def _payment(self, key: KeyPair, drawn: bytes) -> Arguments:
        """Return something that moves amounts, or lets others do it."""
        cell = self._world.cells[drawn[1] % len(self._world.cells)].key.public_key
        payee, own = AccountId(cell), key.public_key
        amount = Amount(1 + int.from_bytes(drawn[2:4], "big"))
        purse = MultisigCreate(1, (own,), "purse")
        match drawn[4] % 12:
            case 0:
                return Allow(cell, Amount(amount - 1))
            case 1:
                return TransferFrom(cell, AccountId(own), amount)
            case 2:
                return purse
            case 3:
                return Transfer(purse.account, amount, "put by")
            case 4:
                ends = Round(self._world.referee.newest + drawn[5] % _ROUNDS_MAX)
                symbol = ("", "", "SIM0", "SIM1")[drawn[6] % 4]
                return MultisigPropose(purse.account, payee, amount, symbol, "", ends)
            case 5 | 6 | 7:
                return self._token_act(drawn, payee, amount)
        return Transfer(AccountId(own) if drawn[5] < 12 else payee, amount, "for you")

    def _token_act(self, drawn: bytes, payee: AccountId, amount: Amount) -> Arguments:
        symbol = f"SIM{drawn[5] % 2}"
        match drawn[6] % 5:
            case 0:
                return TokenMint(symbol, payee, amount)
            case 1:
                return TokenBurn(symbol, amount)
            case 2:
                return TokenSend(symbol, payee, amount)
        return TokenCreate(symbol, "Simulated", 2, Rules(drawn[7] % 8), 0, amount)

    async def _submit(self, cell: SimCell, raw: bytes) -> None:
        if not cell.is_honest:
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await cell.ask(
                    lambda running: running.submit([raw], wait=Stage.STORED, timeout_s=_PATIENCE_S)
                )
        except (MyceldError, TimeoutError):
            return  # refused as it should be, or not told: then nothing was promised
        transaction = parse(raw, self._world.genesis.network_id)
        assert isinstance(transaction, SignedTransaction)  # noqa: S101 - for the type checker
        nonce = (transaction.sender, transaction.nonce)
        self._world.referee.told(transaction.id, cell.index, Stage.STORED, nonce)
