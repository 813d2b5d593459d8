"""A client hears at once of what would be refused later, as far as one cell can know."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import PublicKey
from ledger.accounts import Account
from ledger.errors import CannotPayFee, KeyRotated, Malformed, NonceUsed, WrongNetwork
from ledger.transaction import SignedTransaction, Transaction, transaction_id
from node.errors import KeyBeingRotated
from node.stages.intake import Intake
from tests.ledger.world import KEYS, NETWORK, NEWCOMERS, opaque, put, rotation, signed


class Accounts:
    """An intake over accounts set by hand."""

    def __init__(self) -> None:
        self.used: dict[PublicKey, Account] = {}
        self.intake = Intake(NETWORK, lambda sender: self.used.get(sender, Account()))

    def parsed(self, raw: bytes) -> Transaction:
        return self.intake.parse(raw)

    def take(self, *raws: bytes) -> None:
        """Check and admit transactions of one batch."""
        parsed = [self.parsed(raw) for raw in raws]
        self.intake.check_nonces(parsed)
        for transaction in parsed:
            self.intake.admit(transaction)

    def next(self, sender: int = 0) -> int:
        return self.intake.next_nonce(KEYS[sender].public_key)


@pytest.fixture(name="cell")
def _cell() -> Accounts:
    return Accounts()


def test_what_is_no_transaction_of_this_network_is_refused(cell: Accounts) -> None:
    with pytest.raises(Malformed):
        cell.parsed(b"junk")
    with pytest.raises(WrongNetwork):
        Intake(type(NETWORK)(bytes(32)), lambda _: Account()).parse(put(0))


def test_a_nonce_that_the_ledger_knows_is_refused(cell: Accounts) -> None:
    cell.used[KEYS[0].public_key] = Account().with_used(4)
    with pytest.raises(NonceUsed, match="nonce 4 was used"):
        cell.take(put(4))
    cell.take(put(3), put(5), put(4, sender=1))
    assert (cell.next(), cell.next(1), cell.next(2)) == (6, 5, 0)


def test_a_nonce_on_its_way_is_refused_to_another_transaction(cell: Accounts) -> None:
    cell.take(put(4, "a"))
    with pytest.raises(NonceUsed, match="on its way"):
        cell.take(put(4, "b"))
    cell.take(put(4, "b", sender=1))
    cell.take(put(4, "a"))
    assert cell.next() == 5


def test_a_batch_may_not_use_a_nonce_twice_but_may_repeat_a_transaction(cell: Accounts) -> None:
    with pytest.raises(NonceUsed):
        cell.take(put(0, "a"), put(0, "b"))
    assert cell.next() == 0, "nothing of it is taken"
    cell.take(put(0, "a"), put(0, "a"), opaque("o"), opaque("o"))
    assert cell.next() == 1


def test_what_was_settled_is_the_ledgers_to_know(cell: Accounts) -> None:
    cell.take(put(0), put(7), opaque("o"))
    cell.intake.settle([transaction_id(raw) for raw in (put(7), opaque("o"), b"unknown")])
    assert cell.next() == 1
    cell.intake.settle([transaction_id(put(0))])
    assert cell.next() == 0
    assert cell.intake._pending == {}
    assert cell.intake._taken == {}


def test_nonces_in_stored_events_are_known_after_a_restart(cell: Accounts) -> None:
    cell.intake.note_stored([put(0), b"junk", opaque("o"), put(3)])
    assert cell.next() == 4
    with pytest.raises(NonceUsed):
        cell.take(put(3, "other"))


def test_two_stored_transactions_with_one_nonce_are_settled_in_any_order(cell: Accounts) -> None:
    raws = [put(0, "a"), put(0, "b"), put(0, "c")]
    cell.intake.note_stored(raws)
    for raw in raws:
        cell.intake.settle([transaction_id(raw)])
    assert cell.intake._pending == {}
    cell.intake.note_stored(raws)
    for raw in reversed(raws):
        cell.intake.settle([transaction_id(raw)])
    assert cell.intake._pending == {}


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab")), max_size=8))
@settings(deadline=None)
def test_the_next_nonce_is_above_all_that_are_used_or_pending(
    items: list[tuple[int, str]],
) -> None:
    cell = Accounts()
    cell.used[KEYS[0].public_key] = Account().with_used(1)
    taken = {1: ""}
    for nonce, key in items:
        if nonce == 1 or taken.get(nonce, key) != key:
            with pytest.raises(NonceUsed):
                cell.take(put(nonce, key))
        else:
            cell.take(put(nonce, key))
            taken[nonce] = key
    assert cell.next() == max(taken) + 1


def test_nothing_more_is_taken_of_a_key_whose_rotation_is_on_its_way(cell: Accounts) -> None:
    """It would be ordered behind the rotation, and refused there after it was acknowledged."""
    leaves = signed(KEYS[0], 1, rotation(KEYS[0], NEWCOMERS[0]))
    again = signed(KEYS[0], 2, rotation(KEYS[0], NEWCOMERS[1]))
    with pytest.raises(KeyBeingRotated):
        cell.take(leaves, put(2))
    cell.take(put(0), leaves)
    cell.take(leaves)
    for late in (put(2), again):
        with pytest.raises(KeyBeingRotated):
            cell.take(late)
    cell.take(put(0, sender=1))
    cell.intake.settle([transaction_id(leaves)])  # as when the ledger refused it
    cell.take(put(2))


def test_that_is_so_after_a_restart_too(cell: Accounts) -> None:
    cell.intake.note_stored([signed(KEYS[0], 1, rotation(KEYS[0], NEWCOMERS[0]))])
    with pytest.raises(KeyBeingRotated):
        cell.take(put(2))


def test_nothing_new_is_taken_of_a_key_that_is_about_to_rotate(cell: Accounts) -> None:
    cell.take(put(0))
    key = KEYS[0].public_key
    with cell.intake.nothing_new_of(key):
        with pytest.raises(KeyBeingRotated):
            cell.take(put(1))
        assert cell.intake.pending(key) == [transaction_id(put(0))]
    cell.take(put(1))


def test_what_the_door_knows_of_a_sender_is_asked_with_its_account() -> None:
    asked: list[Account] = []
    poor, given_up = Account(highest=0, used=1, balance=5), Account(is_given_up=True)
    accounts = {KEYS[0].public_key: poor, KEYS[1].public_key: given_up}

    def check_funds(_: SignedTransaction, account: Account) -> None:
        asked.append(account)
        raise CannotPayFee("it costs 6")

    intake = Intake(NETWORK, lambda sender: accounts[sender], check_funds)
    with pytest.raises(CannotPayFee):
        intake.check_nonces([intake.parse(put(1))])
    with pytest.raises(NonceUsed):
        intake.check_nonces([intake.parse(put(0))])
    with pytest.raises(KeyRotated):
        intake.check_nonces([intake.parse(put(0, sender=1))])
    assert asked == [poor]
