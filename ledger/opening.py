"""The state before the first round: what a genesis gives to accounts, and its parameters.

The first round writes it, whatever else is in it; until then it is read from the genesis.
"""

from __future__ import annotations

from core.ids import AccountId
from ledger.accounts import ACCOUNT_PREFIX, Account
from ledger.genesis import Genesis
from ledger.overlay import Overlay
from ledger.parameters import encode_parameter, parameter_key
from ledger.supply import SUPPLY_KEY, Supply


def opening_state(genesis: Genesis) -> dict[bytes, bytes]:
    """Return the state keys and values that a network begins with."""
    state = _records(genesis)
    for key, account in _accounts(genesis).items():
        state[ACCOUNT_PREFIX + key] = account.encode()
    return state


def open_state(genesis: Genesis, overlay: Overlay) -> None:
    """Write what a network begins with."""
    for owner, account in _accounts(genesis).items():
        overlay.account(owner)
        overlay.set_account(owner, account)
    overlay.write(_records(genesis).items())


def _accounts(genesis: Genesis) -> dict[AccountId, Account]:
    return {AccountId(key): Account().with_balance(amount) for key, amount in genesis.prana}


def _records(genesis: Genesis) -> dict[bytes, bytes]:
    state = {parameter_key(name): encode_parameter(value) for name, value in genesis.parameters}
    issued = sum(amount for _, amount in genesis.prana)
    if issued:
        state[SUPPLY_KEY] = Supply(issued).encode()
    return state
