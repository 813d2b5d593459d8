"""Amounts byte for byte: transactions that move them, and what the state keeps of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.ids import AccountId, Amount, Round, TransactionId
from identity.keys import KeyPair
from ledger.accounts import TREASURY, Account, account_key, decode_account
from ledger.allowance import (
    Allow,
    Allowance,
    TransferFrom,
    allowances_key,
    decode_allowances,
    encode_allowances,
)
from ledger.batch import Batch, item_id
from ledger.genesis import Genesis, from_json
from ledger.kinds import Arguments, Put
from ledger.market_token import (
    Rules,
    Token,
    TokenBurn,
    TokenCreate,
    TokenMint,
    TokenSend,
    decode_token,
    holding_key,
    token_key,
)
from ledger.multisig import (
    Multisig,
    MultisigApprove,
    MultisigCancel,
    MultisigCreate,
    MultisigPropose,
    Spend,
    decode_multisig,
    multisig_key,
)
from ledger.payment import Transfer
from ledger.roster import Member
from ledger.supply import SUPPLY_KEY, Supply, decode_supply
from ledger.transaction import SignedTransaction, parse, sign_transaction

FILE = Path(__file__).resolve().parents[1] / "vectors" / "prana.json"
KEY, OTHER = KeyPair(bytes([1]) * 32), KeyPair(bytes([2]) * 32)
TO = AccountId(OTHER.public_key)
SPEND = TransactionId(bytes(range(32)))
MADE = MultisigCreate(2, tuple(sorted((KEY.public_key, OTHER.public_key))), "savings")
BILL = MultisigPropose(MADE.account, TO, Amount(7), "", "bill", Round(900))
GENESIS = Genesis(
    "prana",
    (Member(KEY.public_key, 1, "ada"),),
    1_700_000_000_000_000_000,
    prana=((KEY.public_key, 1_500_000_000),),
    parameters=(("account_minimum", 5), ("fee_per_cost", 3)),
)
ACTS: dict[str, Arguments] = {
    "transfer": Transfer(TO, Amount(1_500_000_000), "rent of May"),
    "transfer to the treasury": Transfer(TREASURY, Amount(1)),
    "allow": Allow(OTHER.public_key, Amount(300), Round(77)),
    "transfer-from": TransferFrom(OTHER.public_key, TO, Amount(3), "é"),
    "multisig-create": MADE,
    "multisig-propose": BILL,
    "multisig-approve": MultisigApprove(MADE.account, SPEND),
    "multisig-cancel": MultisigCancel(MADE.account, SPEND),
    "token-create": TokenCreate("GOLD", "Gold", 2, Rules.MINTABLE | Rules.FIXED, 500, Amount(9)),
    "token-mint": TokenMint("GOLD", TO, Amount(2)),
    "token-burn": TokenBurn("GOLD", Amount(2)),
    "token-send": TokenSend("GOLD", TO, Amount(2), "for you"),
    "batch": Batch((Put("k", b"v"), Transfer(TO, Amount(1)))),
}
ALLOWANCES = (Allowance(OTHER.public_key, Amount(300), Round(77)),)
TOKEN = Token("GOLD", "Gold", 2, Rules.BURNABLE, 500, 9, KEY.public_key, Round(3))
SPENDS = Multisig(MADE, (Spend(SPEND, 1, BILL, (1,)),))
STATE: dict[str, tuple[bytes, bytes]] = {
    "account": (account_key(KEY.public_key), Account(5, 0b100101, 1_500_000_000).encode()),
    "given-up account": (account_key(TO), Account(0, 1, 0, is_given_up=True).encode()),
    "treasury": (account_key(TREASURY), Account(balance=12).encode()),
    "supply": (SUPPLY_KEY, Supply(100, 30).encode()),
    "allowances": (allowances_key(KEY.public_key), encode_allowances(ALLOWANCES)),
    "multi-signature account": (multisig_key(MADE.account), SPENDS.encode()),
    "token": (token_key("GOLD"), TOKEN.encode()),
    "holding": (holding_key("GOLD", TO), b"\x91\x09"),
}


def made() -> dict[str, Any]:
    """Return the content of the file, as this version makes it."""
    return {
        "schema": "prana-vector/1",
        "note": "Key of seed 01*32 pays the key of seed 02*32; nonce 7, expires round 9, fee 1000.",
        "genesis": {"network_id": GENESIS.network_id.hex()},
        "multisig_account": MADE.account.hex(),
        "item_id": item_id(SPEND, 3).hex(),
        "transactions": {name: _signed(act).hex() for name, act in ACTS.items()},
        "state": {name: [key.hex(), value.hex()] for name, (key, value) in STATE.items()},
    }


def _signed(act: Arguments) -> bytes:
    return sign_transaction(
        network_id=GENESIS.network_id,
        sender=KEY.public_key,
        nonce=7,
        arguments=act,
        sign=KEY.sign,
        expires_round=Round(9),
        fee=1_000,
    )


VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))


def test_the_bytes_stay_what_they_are() -> None:
    assert made() == VECTORS


@pytest.mark.parametrize("name", ACTS)
def test_a_transaction_parses_to_what_was_signed(name: str) -> None:
    parsed = parse(bytes.fromhex(VECTORS["transactions"][name]), GENESIS.network_id)
    assert isinstance(parsed, SignedTransaction)
    assert (parsed.arguments, parsed.fee) == (ACTS[name], 1_000)


def test_the_values_of_the_state_are_read_back() -> None:
    values = {name: bytes.fromhex(value) for name, (_, value) in VECTORS["state"].items()}
    assert decode_account(values["account"]) == Account(5, 0b100101, 1_500_000_000)
    assert decode_account(values["given-up account"]).is_given_up
    assert decode_supply(values["supply"]) == Supply(100, 30)
    assert decode_allowances(values["allowances"]) == list(ALLOWANCES)
    assert decode_multisig(values["multi-signature account"]) == SPENDS
    assert decode_token(values["token"]) == TOKEN


def test_the_genesis_is_that_of_its_file() -> None:
    text = json.dumps(
        {
            "format": "myceld-genesis/1",
            "network_id": VECTORS["genesis"]["network_id"],
            "name": "prana",
            "rule_set": 2,
            "coin_period": 10,
            "epoch_rounds": 2048,
            "time_ns": 1_700_000_000_000_000_000,
            "members": [{"cell_id": KEY.cell_id, "name": "ada", "weight": 1}],
            "prana": [{"cell_id": KEY.cell_id, "amount": "1.5"}],
            "parameters": {"fee_per_cost": 3, "account_minimum": 5},
        }
    )
    assert from_json(text) == GENESIS
