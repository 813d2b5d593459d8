"""PRANA: what is paid, by whom, for what; what a refusal costs; that nothing is made or lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import AccountId, Amount, PublicKey, Round
from identity.keys import KeyPair
from ledger import errors
from ledger.accounts import TREASURY, Account, account_key
from ledger.actions import SetParameter
from ledger.allowance import Allow, TransferFrom, allowances_key
from ledger.amounts import NotAnAmount, format_amount, parse_amount
from ledger.batch import Batch
from ledger.conservation import check_conserved
from ledger.genesis import Genesis, from_json, to_json
from ledger.governance import GovPropose
from ledger.header import APPLIED
from ledger.kinds import Arguments, Put, cost_of_arguments
from ledger.limits import ALLOWANCES_OF_OWNER_MAX, COST_BASE, MULTISIG_SPENDS_MAX, SUPPLY_MAX
from ledger.market_token import (
    Rules,
    TokenBurn,
    TokenCreate,
    TokenMint,
    TokenSend,
    decode_holding,
    holding_key,
)
from ledger.members import Action, MemberPropose
from ledger.multisig import (
    MultisigApprove,
    MultisigCancel,
    MultisigCreate,
    MultisigPropose,
    decode_multisig,
    multisig_key,
)
from ledger.overlay import Overlay, account_in
from ledger.payment import Transfer
from ledger.roster import Member
from ledger.supply import SUPPLY_KEY, Supply, burn_changes, issue_changes
from ledger.transaction import SignedTransaction, parse
from tests.ledger.world import ALL_KEYS, START_NS, Cell, candidates, rotation, signed

A, B, C, D, E, F = ALL_KEYS[:6]


def genesis(*, fee: int = 0, minimum: int = 0) -> Genesis:
    """Return a network of one member, A, in which A, B and C begin with 10,000."""
    given = sorted((pair.public_key, 10_000) for pair in (A, B, C))
    parameters = {"account_minimum": minimum, "fee_per_cost": fee}
    return Genesis(
        "prana",
        (Member(A.public_key, 1, "a"),),
        START_NS,
        prana=tuple(given),
        parameters=tuple((name, value) for name, value in parameters.items() if value),
    )


class Bank(Cell):
    """A ledger with some PRANA; each call is a round."""

    def __init__(self, place: Genesis | None = None) -> None:
        super().__init__(genesis() if place is None else place)

    def pay(self, pair: KeyPair, act: Arguments, *, fee: int = 0, expires: int = 0) -> str:
        """Apply one transaction; return its outcome."""
        raw = self.made(pair, act, fee=fee, expires=expires)
        (entry,) = self.apply([*candidates([raw], network_id=self.genesis.network_id)]).entries
        return entry.receipt.outcome

    def made(self, pair: KeyPair, act: Arguments, *, fee: int = 0, expires: int = 0) -> bytes:
        nonce = self.ledger.account(pair.public_key).highest + 1
        return signed(
            pair, nonce, act, expires=expires, network_id=self.genesis.network_id, fee=fee
        )

    def has(self, owner: KeyPair | AccountId) -> int:
        key = owner.public_key if isinstance(owner, KeyPair) else owner
        return self.ledger.account(key).balance


def to(pair: KeyPair, amount: int, memo: str = "") -> Transfer:
    return Transfer(AccountId(pair.public_key), Amount(amount), memo)


def test_a_payment_changes_two_accounts_and_nothing_else() -> None:
    bank = Bank()
    bank.apply([])
    raw = bank.made(A, to(D, 300, "rent of May"))
    applied = bank.apply(candidates([raw], network_id=bank.genesis.network_id))
    assert [key for key, _ in applied.changes] == [
        account_key(A.public_key),
        account_key(D.public_key),
    ]
    assert (bank.has(A), bank.has(D)) == (9_700, 300)
    assert bank.ledger.account(A.public_key) == Account(0, 1, 9_700)


def test_what_the_genesis_gives_is_there_before_the_first_round_and_after_a_restart() -> None:
    bank = Bank()
    assert bank.has(A) == 10_000
    parsed = parse(bank.made(A, to(B, 10_001)), bank.genesis.network_id)
    assert isinstance(parsed, SignedTransaction)
    with pytest.raises(errors.InsufficientFunds):
        bank.ledger.check_funds(parsed, bank.ledger.account(parsed.sender))
    assert bank.pay(A, to(B, 10_000)) == APPLIED
    again = bank.restarted()
    assert again.ledger.account(B.public_key).balance == 20_000
    assert again.state[SUPPLY_KEY] == Supply(30_000).encode()


@pytest.mark.parametrize(
    ("act", "refusal"),
    [
        (to(B, 10_001), errors.InsufficientFunds),
        (to(A, 5), errors.SelfTransfer),
        (TransferFrom(B.public_key, AccountId(C.public_key), Amount(1)), errors.NotAllowed),
        (Allow(A.public_key, Amount(5)), errors.BadAllowance),
        (Allow(B.public_key, Amount(0)), errors.NotAllowed),
        (MultisigApprove(AccountId(bytes(32)), bytes(32)), errors.NoSuchMultisig),  # type: ignore[arg-type]  # an id
    ],
)
def test_what_can_not_be_paid_changes_nothing_but_the_nonce(
    act: Arguments, refusal: type[errors.TransactionRefused]
) -> None:
    bank = Bank()
    assert bank.pay(A, act) == refusal.code
    assert [bank.has(pair) for pair in (A, B, C)] == [10_000] * 3
    assert bank.ledger.account(A.public_key).highest == 0


@pytest.mark.parametrize(
    ("act", "refusal"),
    [
        (to(B, 0), errors.ZeroAmount),
        (to(B, -1), errors.ZeroAmount),
        (to(B, 1, "two\nlines"), errors.BadTransfer),
        (to(B, 1, "\u202e"), errors.BadTransfer),
        (to(B, 1, "é" * 129), errors.BadTransfer),
        (Transfer(AccountId(b"treasure"), Amount(1)), errors.BadTransfer),
        (Batch((Put("k", b"v"),)), errors.BadBatch),
        (Batch((Put("k", b"v"), Batch((Put("k", b"v"),) * 2))), errors.BadBatch),
        (Batch((Put("k", b"v"), MemberPropose(Action.REMOVE, A.public_key))), errors.BadBatch),
        (Batch((Put("k", b"v"),) * 65), errors.BadBatch),
    ],
)
def test_what_is_out_of_bounds_is_refused_before_it_is_signed(
    act: Arguments, refusal: type[errors.TransactionRefused]
) -> None:
    with pytest.raises(refusal):
        signed(A, 0, act)


# -- fees ------------------------------------------------------------------------------------------


def test_a_fee_is_the_cost_at_its_price_however_much_is_offered_and_goes_to_the_treasury() -> None:
    bank = Bank(genesis(fee=2))
    act = to(B, 100, "memo")
    cost = cost_of_arguments(act)
    assert cost == 100 + 2 * 50 + 4
    assert bank.pay(A, act, fee=5_000) == APPLIED
    assert (bank.has(A), bank.has(TREASURY)) == (10_000 - 100 - 2 * cost, 2 * cost)
    assert bank.pay(A, act, fee=2 * cost) == APPLIED


@pytest.mark.parametrize(
    ("fee", "act", "refusal", "taken"),
    [
        (399, to(B, 1), errors.FeeTooLow, 200),
        (50, to(B, 1), errors.FeeTooLow, 50),
        (0, to(B, 1), errors.FeeTooLow, 0),
        (5_000, to(B, 9_601), errors.InsufficientFunds, 200),
        (20_000, Put("k", bytes(6_000)), errors.CannotPayFee, 200),
    ],
)
def test_what_is_refused_pays_the_least_fee_or_what_it_offered(
    fee: int, act: Arguments, refusal: type[errors.TransactionRefused], taken: int
) -> None:
    bank = Bank(genesis(fee=2))
    assert bank.pay(C, act, fee=fee) == refusal.code
    assert (10_000 - bank.has(C), bank.has(TREASURY)) == (taken, taken)


def test_an_expired_one_pays_too_and_an_empty_account_what_it_has() -> None:
    bank = Bank(genesis(fee=1))
    bank.apply([])
    assert bank.pay(A, to(B, 1), fee=500, expires=1) == errors.Expired.code
    assert bank.has(TREASURY) == COST_BASE
    assert bank.pay(A, to(D, 30), fee=500) == APPLIED
    treasury = bank.has(TREASURY)
    assert bank.pay(D, to(B, 30), fee=500) == errors.CannotPayFee.code
    assert (bank.has(D), bank.has(TREASURY)) == (0, treasury + 30)


def test_members_pay_nothing_for_what_the_network_needs_of_them() -> None:
    bank = Bank(genesis(fee=1))
    propose = MemberPropose(Action.ADD, D.public_key, 1, "d")
    assert bank.pay(A, propose) == APPLIED
    assert bank.pay(B, propose) == errors.FeeTooLow.code
    assert bank.has(TREASURY) == 0
    assert bank.ledger.fee_of(propose, A.public_key) == 0
    assert bank.ledger.fee_of(to(B, 1), A.public_key) == 200


def test_the_door_refuses_what_would_surely_fail_with_the_same_codes() -> None:
    bank = Bank(genesis(fee=1))
    for pair, fee, amount, refusal in (
        (A, 199, 1, errors.FeeTooLow),
        (D, 200, 1, errors.CannotPayFee),
        (A, 200, 9_801, errors.InsufficientFunds),
    ):
        parsed = parse(bank.made(pair, to(B, amount), fee=fee), bank.genesis.network_id)
        assert isinstance(parsed, SignedTransaction)
        with pytest.raises(refusal):
            bank.ledger.check_funds(parsed, bank.ledger.account(parsed.sender))
    parsed = parse(bank.made(A, to(B, 9_800), fee=200), bank.genesis.network_id)
    assert isinstance(parsed, SignedTransaction)
    bank.ledger.check_funds(parsed, bank.ledger.account(parsed.sender))


def test_a_new_account_takes_at_least_the_minimum() -> None:
    bank = Bank(genesis(minimum=50))
    assert bank.pay(A, to(D, 49)) == errors.BelowAccountMinimum.code
    assert bank.pay(A, to(D, 50)) == APPLIED
    assert bank.pay(A, to(D, 1)) == APPLIED


# -- batches ---------------------------------------------------------------------------------------


def test_each_item_of_a_batch_sees_those_before_it() -> None:
    bank = Bank()
    batch = Batch((Allow(B.public_key, Amount(5)), Allow(B.public_key, Amount(0)), to(D, 10_000)))
    assert bank.pay(A, batch) == APPLIED
    assert allowances_key(A.public_key) not in bank.state
    assert bank.has(D) == 10_000


def test_a_batch_that_fails_in_the_middle_leaves_nothing_and_names_the_item() -> None:
    bank = Bank()
    bank.apply([])
    before = dict(bank.state)
    batch = Batch((to(D, 10), Put("k", b"v"), to(A, 1), to(D, 20)))
    assert bank.pay(A, batch) == errors.SelfTransfer.code + "#2"
    changed = {key for key in bank.state if bank.state[key] != before.get(key)}
    assert changed == {account_key(A.public_key)}
    assert bank.ledger.account(A.public_key) == Account(0, 1, 10_000)


def test_an_item_of_a_batch_costs_as_much_as_alone() -> None:
    bank = Bank(genesis(fee=1))
    assert bank.pay(A, Batch((to(B, 1), to(C, 1))), fee=399) == errors.FeeTooLow.code
    assert bank.pay(A, Batch((to(B, 1), to(C, 1))), fee=400) == APPLIED
    assert bank.has(TREASURY) == COST_BASE + 400


# -- keys ------------------------------------------------------------------------------------------


def test_a_rotation_takes_amounts_and_allowances_along_and_payments_to_the_old_key_follow() -> None:
    bank = Bank()
    assert bank.pay(B, Allow(C.public_key, Amount(70))) == APPLIED
    assert bank.pay(A, to(E, 5)) == APPLIED, "being paid makes no key old"
    assert bank.pay(B, rotation(B, E, bank.genesis.network_id)) == APPLIED
    assert (bank.has(B), bank.has(E)) == (0, 10_005)
    assert bank.pay(A, to(B, 100)) == APPLIED
    assert (bank.has(B), bank.has(E)) == (0, 10_105)
    take = TransferFrom(B.public_key, AccountId(D.public_key), Amount(70))
    assert bank.pay(C, rotation(C, F, bank.genesis.network_id)) == APPLIED
    assert bank.pay(F, take) == APPLIED, "spender and owner both have new keys"
    assert bank.pay(F, take) == errors.NotAllowed.code
    assert bank.pay(E, to(B, 1)) == errors.SelfTransfer.code


# -- allowances ------------------------------------------------------------------------------------


def test_an_allowance_is_used_up_and_ends() -> None:
    bank = Bank()
    take = TransferFrom(A.public_key, AccountId(D.public_key), Amount(60))
    assert bank.pay(A, Allow(B.public_key, Amount(100), Round(4))) == APPLIED
    assert bank.pay(B, take) == APPLIED
    assert bank.pay(B, take) == errors.NotAllowed.code, "40 are left"
    assert bank.pay(B, TransferFrom(A.public_key, AccountId(D.public_key), Amount(1))) == APPLIED
    late = TransferFrom(A.public_key, AccountId(D.public_key), Amount(1))
    assert bank.pay(B, late) == errors.NotAllowed.code, "round 5"
    assert bank.has(D) == 61


def test_an_account_gives_so_many_allowances_and_those_that_ended_make_room() -> None:
    bank = Bank()
    for number in range(ALLOWANCES_OF_OWNER_MAX):
        ends = Round(20) if number == 3 else Round(0)
        allow = Allow(PublicKey(bytes([number]) * 32), Amount(1), ends)
        assert bank.pay(A, allow) == APPLIED
    more = Allow(PublicKey(bytes([99]) * 32), Amount(1))
    assert bank.pay(A, more) == errors.TooManyAllowances.code
    assert bank.pay(A, Allow(PublicKey(bytes(32)), Amount(7))) == APPLIED, "in place of another"
    while bank.ledger.applied_round < 20:
        bank.apply([])
    assert bank.pay(A, more) == APPLIED


# -- multi-signature accounts ----------------------------------------------------------------------


def savings(threshold: int = 2) -> MultisigCreate:
    keys = tuple(sorted(pair.public_key for pair in (A, B, C)))
    return MultisigCreate(threshold, keys, "savings")


def bill(
    amount: int, *, expires: int = 100, threshold: int = 2, symbol: str = ""
) -> MultisigPropose:
    to_d = AccountId(D.public_key)
    account = savings(threshold).account
    return MultisigPropose(account, to_d, Amount(amount), symbol, "bill", Round(expires))


def propose(bank: Bank, pair: KeyPair, spend: MultisigPropose) -> MultisigApprove:
    """Propose a spend; return what approves it."""
    raw = bank.made(pair, spend)
    parsed = parse(raw, bank.genesis.network_id)
    (entry,) = bank.apply(candidates([raw], network_id=bank.genesis.network_id)).entries
    assert entry.receipt.outcome == APPLIED
    return MultisigApprove(spend.account, parsed.id)


def open_spends(bank: Bank) -> int:
    return len(decode_multisig(bank.state[multisig_key(savings().account)]).spends)


def test_the_mth_approval_pays_and_the_spend_is_gone() -> None:
    bank = Bank()
    account = savings().account
    assert bank.pay(D, savings()) == APPLIED, "anybody pays for making it"
    assert bank.pay(D, savings()) == errors.MultisigExists.code
    assert bank.pay(A, Transfer(account, Amount(500))) == APPLIED
    approve = propose(bank, A, bill(200))
    assert bank.pay(A, approve) == errors.SpendApproved.code
    assert bank.pay(D, approve) == errors.NotASigner.code
    assert bank.has(account) == 500
    assert bank.pay(C, approve) == APPLIED
    assert (bank.has(account), bank.has(D)) == (300, 200)
    assert bank.pay(B, approve) == errors.NoSuchSpend.code
    assert open_spends(bank) == 0


def test_the_keys_of_an_account_pass_its_tokens_on_together_and_none_is_left_behind() -> None:
    bank = Bank()
    account = savings().account
    assert bank.pay(A, savings()) == APPLIED
    assert bank.pay(A, TokenCreate("GOLD", "Gold", 0, Rules.NONE, 0, Amount(9))) == APPLIED
    assert bank.pay(A, TokenSend("GOLD", account, Amount(9))) == APPLIED
    assert holding_key("GOLD", AccountId(A.public_key)) not in bank.state, "nothing is no record"
    approve = propose(bank, A, bill(4, symbol="GOLD"))
    assert bank.pay(B, approve) == APPLIED
    much = propose(bank, A, bill(6, symbol="GOLD"))
    assert bank.pay(B, much) == errors.InsufficientTokens.code
    assert bank.pay(B, propose(bank, C, bill(5, symbol="GOLD"))) == APPLIED
    assert holding_key("GOLD", account) not in bank.state
    held = bank.state[holding_key("GOLD", AccountId(D.public_key))]
    assert decode_holding(held) == 9
    assert bank.has(account) == 0, "no PRANA moved"


def test_nobody_can_give_tokens_to_the_treasury_which_could_not_pass_them_on() -> None:
    bank = Bank()
    assert bank.pay(A, TokenCreate("GOLD", "Gold", 0, Rules.MINTABLE, 0, Amount(9))) == APPLIED
    for act in (TokenSend("GOLD", TREASURY, Amount(1)), TokenMint("GOLD", TREASURY, Amount(1))):
        assert bank.pay(A, act) == errors.AgainstTokenRules.code


def test_an_approval_that_can_not_be_paid_does_not_count() -> None:
    bank = Bank()
    assert bank.pay(A, savings()) == APPLIED
    approve = propose(bank, A, bill(200))
    assert bank.pay(B, approve) == errors.InsufficientFunds.code
    assert bank.pay(A, Transfer(savings().account, Amount(200))) == APPLIED
    assert bank.pay(B, approve) == APPLIED
    assert bank.has(D) == 200


def test_only_who_proposed_cancels_and_an_expired_spend_is_as_if_it_were_not_there() -> None:
    bank = Bank()
    assert bank.pay(A, savings()) == APPLIED
    approve = propose(bank, A, bill(1))
    cancel = MultisigCancel(approve.account, approve.spend)
    assert bank.pay(B, cancel) == errors.NotTheProposer.code
    assert bank.pay(A, cancel) == APPLIED
    assert bank.pay(B, approve) == errors.NoSuchSpend.code
    last = bank.ledger.applied_round + 2
    short = propose(bank, A, bill(1, expires=last))
    bank.apply([])
    assert bank.pay(B, short) == errors.NoSuchSpend.code
    assert bank.pay(A, bill(1, expires=1)) == errors.BadMultisig.code
    assert bank.pay(A, bill(1, expires=2**23)) == errors.BadMultisig.code


def test_an_account_has_so_many_open_spends() -> None:
    bank = Bank()
    assert bank.pay(A, savings()) == APPLIED
    for _ in range(MULTISIG_SPENDS_MAX):
        propose(bank, A, bill(1))
    assert bank.pay(B, bill(1)) == errors.TooManySpends.code


def test_a_signer_with_a_new_key_keeps_the_seat() -> None:
    bank = Bank()
    assert bank.pay(A, savings()) == APPLIED
    assert bank.pay(A, Transfer(savings().account, Amount(200))) == APPLIED
    approve = propose(bank, B, bill(200))
    assert bank.pay(B, rotation(B, E, bank.genesis.network_id)) == APPLIED
    assert bank.pay(E, approve) == errors.SpendApproved.code
    assert bank.pay(C, rotation(C, F, bank.genesis.network_id)) == APPLIED
    assert bank.pay(F, approve) == APPLIED
    assert bank.has(D) == 200


# -- tokens ----------------------------------------------------------------------------------------


def gold(rules: Rules = Rules.NONE, cap: int = 0, amount: int = 90) -> TokenCreate:
    return TokenCreate("GOLD", "Gold", 2, rules, cap, Amount(amount))


def held(bank: Bank, pair: KeyPair) -> int:
    return decode_holding(bank.state.get(holding_key("GOLD", AccountId(pair.public_key))))


@pytest.mark.parametrize(
    ("rules", "pair", "act", "outcome"),
    [
        (Rules.NONE, A, TokenMint("GOLD", AccountId(B.public_key), Amount(1)), "343"),
        (Rules.MINTABLE, B, TokenMint("GOLD", AccountId(B.public_key), Amount(1)), "343"),
        (Rules.MINTABLE, A, TokenMint("GOLD", AccountId(B.public_key), Amount(11)), "344"),
        (Rules.MINTABLE, A, TokenMint("GOLD", AccountId(B.public_key), Amount(10)), APPLIED),
        (Rules.NONE, A, TokenBurn("GOLD", Amount(1)), "343"),
        (Rules.BURNABLE, A, TokenBurn("GOLD", Amount(91)), "345"),
        (Rules.BURNABLE, A, TokenBurn("GOLD", Amount(90)), APPLIED),
        (Rules.FIXED, A, TokenSend("GOLD", AccountId(B.public_key), Amount(1)), APPLIED),
        (Rules.FIXED, B, TokenSend("GOLD", AccountId(A.public_key), Amount(1)), "343"),
        (Rules.NONE, B, TokenSend("GOLD", AccountId(A.public_key), Amount(1)), "345"),
        (Rules.NONE, A, TokenSend("GOLD", AccountId(A.public_key), Amount(1)), "313"),
        (Rules.NONE, A, TokenSend("SILVER", AccountId(B.public_key), Amount(1)), "342"),
        (Rules.NONE, B, gold(), "341"),
    ],
)
def test_a_token_goes_by_its_own_rules(
    rules: Rules, pair: KeyPair, act: Arguments, outcome: str
) -> None:
    bank = Bank()
    assert bank.pay(A, gold(rules, cap=100)) == APPLIED
    expected = outcome if outcome == APPLIED else f"MYC-LEDGER-{outcome}"
    assert bank.pay(pair, act) == expected


def test_tokens_stay_with_the_person_over_a_rotation() -> None:
    bank = Bank()
    assert bank.pay(B, gold(Rules.MINTABLE)) == APPLIED
    assert bank.pay(B, rotation(B, E, bank.genesis.network_id)) == APPLIED
    assert bank.pay(E, TokenMint("GOLD", AccountId(E.public_key), Amount(5))) == APPLIED
    assert bank.pay(A, TokenSend("GOLD", AccountId(B.public_key), Amount(1))) != APPLIED
    assert bank.pay(E, TokenSend("GOLD", AccountId(A.public_key), Amount(95))) == APPLIED
    assert (held(bank, A), held(bank, B)) == (95, 0)


# -- conservation, issue and burn ------------------------------------------------------------------


def _overlay(state: dict[bytes, bytes]) -> Overlay:
    return Overlay(state.get, lambda owner: account_in(state.get, owner))


def test_issue_and_burn_move_the_supply_with_the_balance() -> None:
    overlay = _overlay({})
    key = AccountId(A.public_key)
    overlay.write(issue_changes(key, 500, overlay, overlay.read))
    overlay.write(burn_changes(key, 200, overlay, overlay.read))
    with pytest.raises(errors.InsufficientFunds):
        burn_changes(key, 301, overlay, overlay.read)
    with pytest.raises(errors.SupplyExceeded):
        issue_changes(key, SUPPLY_MAX - 499, overlay, overlay.read)
    changes = overlay.close()
    assert changes[SUPPLY_KEY] == Supply(500, 200).encode()
    assert changes[account_key(key)] == Account(balance=300).encode()


def test_an_amount_from_nowhere_stops_the_round() -> None:
    overlay = _overlay({})
    overlay.account(AccountId(A.public_key))
    overlay.set_account(AccountId(A.public_key), Account(balance=1))
    with pytest.raises(errors.NotConserved):
        overlay.close()
    with pytest.raises(errors.NotConserved):
        check_conserved(
            0, {holding_key("GOLD", AccountId(bytes(32))): b"\x91\x01"}, dict[bytes, bytes]().get
        )


def test_the_ledger_itself_stops_when_a_rule_makes_an_amount(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bank = Bank()
    monkeypatch.setattr(
        Account, "with_balance", lambda self, _: Account(self.highest, self.used, 7)
    )
    with pytest.raises(errors.NotConserved):
        bank.pay(A, to(B, 1))


# -- genesis and amounts ---------------------------------------------------------------------------


def test_a_genesis_with_prana_reads_back_and_is_another_network() -> None:
    one, other = genesis(), genesis(fee=1)
    plain = Genesis(one.name, one.members, one.time_ns)
    assert len({one.network_id, other.network_id, plain.network_id}) == 3
    assert from_json(to_json(one)) == one
    assert from_json(to_json(other)) == other
    assert '"amount": "0.00001"' in to_json(one)
    with pytest.raises(errors.BadGenesis):
        from_json(to_json(one).replace("0.00001", "0.00002", 1))


@pytest.mark.parametrize(
    "fields",
    [
        {"prana": ((A.public_key, 0),)},
        {"prana": ((A.public_key, 1), (A.public_key, 1))},
        {"prana": tuple(sorted(((A.public_key, SUPPLY_MAX), (B.public_key, 1))))},
        {"parameters": (("fee", 1),)},
        {"parameters": (("fee_per_cost", -1),)},
        {"parameters": (("fee_per_cost", 1), ("account_minimum", 1))},
    ],
)
def test_a_genesis_gives_only_what_there_can_be(fields: dict[str, tuple[object, ...]]) -> None:
    one = genesis()
    with pytest.raises(errors.BadGenesis):
        Genesis("x", one.members, 1, **fields)  # type: ignore[arg-type]  # wrong on purpose


def test_a_price_that_members_decided_on_is_that_of_the_next_round() -> None:
    bank = Bank()
    assert bank.ledger.fee_of(to(B, 1), A.public_key) == 0
    assert bank.pay(A, GovPropose("a price", (SetParameter("fee_per_cost", 3),))) == APPLIED
    assert bank.ledger.fee_of(to(B, 1), A.public_key) == 600
    assert bank.restarted().ledger.fee_of(to(B, 1), A.public_key) == 600


@given(st.integers(0, SUPPLY_MAX), st.integers(0, 18))
def test_amounts_are_read_as_they_are_written(units: int, decimals: int) -> None:
    assert parse_amount(format_amount(units, decimals), decimals) == units


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "1e9",
        "1.",
        ".5",
        "1,5",
        " 1",
        "1_0",
        "٣",
        "0.0000000001",
        "9223372037",
        "nan",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(NotAnAmount):
        parse_amount(text, 9)
