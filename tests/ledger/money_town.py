"""People who pay each other, allow, vote on spends, make tokens and put it all into batches.

Draws what they do from a `Random`, so that hypothesis, a seed or another process can say what
happens. Most of it is allowed; much of the rest fails for one of the rules' reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from core.ids import AccountId, Amount, PublicKey, Round, TransactionId
from identity.keys import KeyPair
from ledger.accounts import TREASURY
from ledger.allowance import Allow, TransferFrom
from ledger.batch import Batch, item_id
from ledger.genesis import Genesis
from ledger.kinds import Arguments, Put, cost_of_arguments
from ledger.market_token import Rules, TokenBurn, TokenCreate, TokenMint, TokenSend
from ledger.multisig import (
    MultisigApprove,
    MultisigCancel,
    MultisigCreate,
    MultisigPropose,
)
from ledger.payment import Transfer
from ledger.roster import Member
from ledger.transaction import sign_transaction, transaction_id
from ledger.trust import TrustAttest
from tests.ledger.world import KEYS, START_NS, rotation

PEOPLE = tuple(KeyPair(bytes([number]) * 32) for number in range(20, 26))
SPARE = tuple(KeyPair(bytes([number]) * 32) for number in range(40, 80))
"""For rotations."""
SYMBOLS = ("GOLD", "VOUCHER", "X1")
PRANA = 100_000


def genesis(*, fee: int = 0, minimum: int = 0, epoch_rounds: int = 2048) -> Genesis:
    """Return a network in which everybody but the last person begins with some PRANA."""
    parameters = {"account_minimum": minimum, "fee_per_cost": fee}
    given = sorted((pair.public_key, PRANA * (1 + 999 * fee)) for pair in PEOPLE[:-1])
    return Genesis(
        "money",
        tuple(Member(pair.public_key, 1, "m") for pair in KEYS),
        START_NS,
        epoch_rounds=epoch_rounds,
        prana=tuple(given),
        parameters=tuple((name, value) for name, value in parameters.items() if value),
    )


class Town:
    """What people do next. `is_timeless` leaves out what depends on the round."""

    def __init__(self, place: Genesis, chance: Random, *, is_timeless: bool = False) -> None:
        self.genesis = place
        self.is_timeless = is_timeless
        self._chance = chance
        self._price = dict(place.parameters).get("fee_per_cost", 0)
        self._people = list(PEOPLE)
        self._former: list[KeyPair] = []
        self._spare = list(SPARE)
        self._nonces: dict[PublicKey, int] = {}
        keys = tuple(sorted(pair.public_key for pair in PEOPLE[:3]))
        self.multisigs = [MultisigCreate(2, keys, "savings"), MultisigCreate(1, keys[:1], "alone")]
        self._spends: list[tuple[AccountId, TransactionId]] = []
        self.round = 1

    def opening(self) -> list[bytes]:
        """Return what makes the accounts and one token, to begin with."""
        acts: list[Arguments] = [*self.multisigs]
        acts.append(
            TokenCreate("GOLD", "Gold", 2, Rules.MINTABLE | Rules.BURNABLE, 500, Amount(90))
        )
        acts.append(TokenCreate("VOUCHER", "Voucher", 0, Rules.FIXED, 0, Amount(50)))
        return [self._signed(self._people[0], act) for act in acts]

    def step(self) -> bytes:
        """Return a signed transaction."""
        pair = self._chance.choice(self._people)
        if self._chance.random() < 0.03 and self._former:
            pair = self._chance.choice(self._former)
        is_first = pair in PEOPLE  # one that came by a rotation can not go at once
        if is_first and self._chance.random() < 0.02 and not self.is_timeless:
            return self._rotate(pair)
        if self._chance.random() < 0.15:
            items = [self._act(pair) for _ in range(self._chance.randint(2, 5))]
            raw = self._signed(pair, Batch(tuple(items)))
            for number, item in enumerate(items):
                if isinstance(item, MultisigPropose):
                    self._spends.append((item.account, item_id(transaction_id(raw), number)))
            return raw
        act = self._act(pair)
        raw = self._signed(pair, act)
        if isinstance(act, MultisigPropose):
            self._spends.append((act.account, transaction_id(raw)))
        return raw

    def _rotate(self, pair: KeyPair) -> bytes:
        new = self._spare.pop()
        raw = self._signed(pair, rotation(pair, new, self.genesis.network_id), is_sound=True)
        if pair in self._people:
            self._people[self._people.index(pair)] = new
            self._former.append(pair)
        return raw

    def _act(self, pair: KeyPair) -> Arguments:
        chance = self._chance
        way = chance.randrange(18)
        amount = Amount(chance.choice((1, 7, 50, 300, 2_000, 200_000)))
        someone = chance.choice([*self._people, *self._former]).public_key
        if way < 6:
            return Transfer(self._payee(), amount, chance.choice(("", "rent", "é" * 128)))
        if way < 8:
            sum_allowed = Amount(chance.choice((0, 5, 500, 5_000)))
            return Allow(someone, sum_allowed, self._ends())
        if way < 10:
            return TransferFrom(someone, self._payee(), amount)
        if way < 13:
            return self._multisig_act(amount)
        if way < 16:
            return self._token_act(Amount(chance.choice((1, 20, 400))))
        if way == 16 and not self.is_timeless:
            return Put(chance.choice("abc"), chance.randbytes(4))
        if way == 17 and not self.is_timeless and someone != pair.public_key:
            return TrustAttest(someone, "general", chance.randrange(1_000_000))
        return Transfer(self._payee(), amount)

    def _multisig_act(self, amount: Amount) -> Arguments:
        chance = self._chance
        account = chance.choice(self.multisigs)
        way = chance.randrange(6)
        if way == 0:
            return account
        if way <= 2 or not self._spends:
            ends = Round(2**22 if self.is_timeless else max(0, self.round + chance.randint(-1, 6)))
            symbol = chance.choice(("", "", "", *SYMBOLS))
            return MultisigPropose(account.account, self._payee(), amount, symbol, "bill", ends)
        spend = chance.choice(self._spends[-6:])
        return MultisigCancel(*spend) if way == 3 else MultisigApprove(*spend)

    def _token_act(self, amount: Amount) -> Arguments:
        chance = self._chance
        symbol = chance.choice(SYMBOLS)
        way = chance.randrange(8)
        if way == 0 and not self.is_timeless:
            return TokenCreate(symbol, "Other", 3, Rules(chance.randrange(8)), 0, amount)
        if way == 1:
            return TokenMint(symbol, self._payee(), amount)
        if way == 2:
            return TokenBurn(symbol, amount)
        return TokenSend(symbol, self._payee(), amount, "for you")

    def _payee(self) -> AccountId:
        accounts = [one.account for one in self.multisigs]
        keys = [AccountId(pair.public_key) for pair in (*self._people, *self._former)]
        fresh = AccountId(self._chance.choice(SPARE).public_key)
        return self._chance.choice([*(6 * keys), *(3 * accounts), TREASURY, fresh])

    def _ends(self) -> Round:
        if self.is_timeless:
            return Round(0)
        return Round(max(0, self._chance.choice((0, self.round + self._chance.randint(-2, 9)))))

    def _signed(self, pair: KeyPair, act: Arguments, *, is_sound: bool = False) -> bytes:
        key = pair.public_key
        nonce = self._nonces.get(key, 0)
        if is_sound or self.is_timeless or self._chance.random() < 0.97:
            self._nonces[key] = nonce + 1
        fee = self._price * cost_of_arguments(act)
        if not is_sound and fee and self._chance.random() < 0.2:
            fee = self._chance.choice((fee - 1, 2 * fee))
        ends = 0
        if not (is_sound or self.is_timeless) and self._chance.random() < 0.05:
            ends = max(0, self.round + self._chance.randint(-1, 2))
        return sign_transaction(
            network_id=self.genesis.network_id,
            sender=key,
            nonce=nonce,
            arguments=act,
            sign=pair.sign,
            expires_round=Round(ends),
            fee=fee,
        )


def rounds_of(raws: Sequence[bytes], sizes: Sequence[int]) -> list[list[bytes]]:
    """Return transactions split into rounds of these sizes, over and over."""
    rounds, at, number = [], 0, 0
    while at < len(raws):
        size = max(1, sizes[number % len(sizes)])
        rounds.append(list(raws[at : at + size]))
        at, number = at + size, number + 1
    return rounds
