"""Who spends the same twice, at two cells at once, has spent it once: the same one everywhere."""

from __future__ import annotations

import os
from typing import Final

import pytest

from core.ids import AccountId, Amount, PublicKey, TransactionId
from identity.keys import KeyPair
from ledger.accounts import account_key, decode_account
from ledger.errors import InsufficientFunds, NonceUsed
from ledger.header import APPLIED
from ledger.payment import Transfer
from ledger.transaction import sign_transaction, transaction_id
from tests.node.world import SimCell, World

PAIRS: Final = int(os.environ.get("MYCELD_DOUBLE_SPENDS", "120"))
"""Of transfers that exclude each other, in each run."""
WHOLE: Final = 5_000
CELLS: Final = 4
_AT_ONCE: Final = 10


def _wallet(number: int) -> KeyPair:
    return KeyPair(b"wallet" + number.to_bytes(26, "big"))


def _payee(number: int, side: int) -> PublicKey:
    return PublicKey(b"payee" + bytes([side]) + number.to_bytes(26, "big"))


def _spend(world: World, number: int, side: int, nonce: int) -> bytes:
    """Return a transfer of all that a wallet has, to one of two payees."""
    wallet = _wallet(number)
    return sign_transaction(
        network_id=world.genesis.network_id,
        sender=wallet.public_key,
        nonce=nonce,
        arguments=Transfer(AccountId(_payee(number, side)), Amount(WHOLE)),
        sign=wallet.sign,
    )


def _outcomes(cell: SimCell) -> dict[TransactionId, str]:
    return {one.id: one.outcome for receipts in cell.receipts.values() for one in receipts}


def _balance(cell: SimCell, key: PublicKey) -> int:
    value = cell.state.get(account_key(key))
    return 0 if value is None else decode_account(value).balance


@pytest.mark.parametrize("same_nonce", [True, False], ids=["one nonce", "two nonces"])
def test_of_two_spends_at_two_cells_at_once_exactly_one_applies_the_same_everywhere(
    same_nonce: bool,  # noqa: FBT001 - a case
) -> None:
    keys = sorted(_wallet(number).public_key for number in range(PAIRS))
    world = World(31 + same_nonce, CELLS, prana=tuple((key, WHOLE) for key in keys))
    world.start()
    pairs: list[tuple[TransactionId, TransactionId]] = []
    for number in range(PAIRS):
        raws = [_spend(world, number, side, 0 if same_nonce else side) for side in (0, 1)]
        for at, raw in zip(world.random.sample(range(CELLS), 2), raws, strict=True):
            world.cells[at].submit(raw)
        pairs.append((transaction_id(raws[0]), transaction_id(raws[1])))
        if number % _AT_ONCE == 0:
            world.run(world.random.randint(1, 60))
    world.run(8_000)
    world.check_settled({identity for pair in pairs for identity in pair})
    first, *others = (_outcomes(cell) for cell in world.cells)
    assert all(one == first for one in others)
    reason = NonceUsed.code if same_nonce else InsufficientFunds.code
    sides = [0, 0]
    for number, pair in enumerate(pairs):
        assert sorted(first[identity] for identity in pair) == sorted([APPLIED, reason])
        side = 0 if first[pair[0]] == APPLIED else 1
        sides[side] += 1
        for cell in world.cells:
            paid = [_balance(cell, _payee(number, one)) for one in (0, 1)]
            assert paid[side] == WHOLE
            assert sum(paid) == WHOLE
            assert _balance(cell, _wallet(number).public_key) == 0
    if same_nonce:
        assert min(sides) > 0, "chance decides, not the payee"
