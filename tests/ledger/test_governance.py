"""Members decide by more than 2/3 of their weight; what is decided, and by whom, stays for ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from core.codec import Value, decode, encode
from core.ids import AccountId, Amount, Epoch, Hash, Round, TransactionId
from identity.keys import KeyPair
from ledger.accounts import TREASURY
from ledger.actions import Action, Burn, Issue, PayOut, Resolution, SetParameter, build_actions
from ledger.epoch_rules import Versions
from ledger.errors import (
    AlreadyAMember,
    AlreadyVoted,
    BadAction,
    FeeTooLow,
    InsufficientFunds,
    Malformed,
    NoSuchProposal,
    NotAMember,
    ProposalClosed,
    TooManyProposals,
    TransactionRefused,
    UnknownParameter,
)
from ledger.genesis import Genesis
from ledger.governance import (
    GovPropose,
    GovVote,
    Outcome,
    Proposal,
    Vote,
    decode_proposal,
    proposal_key,
    proposer_key,
    weight_of,
)
from ledger.header import APPLIED
from ledger.limits import (
    PROPOSAL_ACTIONS_MAX,
    PROPOSAL_ROUNDS_MAX,
    PROPOSAL_TITLE_LENGTH_MAX,
    PROPOSALS_OPEN_MAX,
)
from ledger.members import Action as Change
from ledger.members import MemberApprove, MemberPropose
from ledger.parameters import PARAMETERS, parameter_key
from ledger.payment import Transfer
from ledger.roster import Member
from ledger.supply import SUPPLY_KEY, decode_supply
from ledger.transaction import SignedTransaction, parse
from ledger.upgrades import Upgrade
from tests.ledger.world import (
    ALL_KEYS,
    GENESIS,
    KEYS,
    NETWORK,
    NEWCOMERS,
    START_NS,
    Cell,
    candidates,
    put,
    rotation,
    signed,
)

A, B, C, D = KEYS
E, F = NEWCOMERS[:2]
TEXT = Resolution(Hash(bytes(range(32))), "https://example.org/minutes")


def motion(*actions: Action, title: str = "a motion", rounds: int = 100) -> GovPropose:
    return GovPropose(title, actions or (TEXT,), rounds)


def proposed(cell: Cell, pair: KeyPair, propose: GovPropose) -> TransactionId:
    """Apply a round with one proposal; return its id."""
    nonce = cell.ledger.account(pair.public_key).highest + 1
    applied = cell.apply(candidates([signed(pair, nonce, propose)]))
    assert applied.entries[0].receipt.outcome == APPLIED
    return applied.entries[0].receipt.id


def found(cell: Cell, identity: TransactionId) -> Proposal:
    return decode_proposal(cell.state[proposal_key(identity)])


def yes(identity: TransactionId) -> GovVote:
    return GovVote(identity, Vote.YES)


def no(identity: TransactionId) -> GovVote:
    return GovVote(identity, Vote.NO)


def abstain(identity: TransactionId) -> GovVote:
    return GovVote(identity, Vote.ABSTAIN)


def of_weights(*weights: int) -> Cell:
    pairs = zip(ALL_KEYS, weights, strict=False)
    members = tuple(Member(key.public_key, weight, "m") for key, weight in pairs)
    return Cell(Genesis("weighted", members, START_NS))


# -- votes ---------------------------------------------------------------------------------------


def test_proposing_is_voting_yes_and_more_than_two_thirds_accept() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion())
    assert found(cell, identity).votes == ((A.public_key, Vote.YES),)
    assert cell.act((B, yes(identity))) == [APPLIED]
    assert found(cell, identity).outcome is Outcome.OPEN
    assert cell.act((C, yes(identity)), (D, yes(identity))) == [APPLIED, ProposalClosed.code]
    after = found(cell, identity)
    assert (after.outcome, after.closed_round) == (Outcome.ACCEPTED, Round(3))
    assert after.approvals == (A.public_key, B.public_key, C.public_key)


def test_exactly_two_thirds_do_not_accept() -> None:
    cell = of_weights(2, 1)
    identity = proposed(cell, A, motion())
    assert found(cell, identity).outcome is Outcome.OPEN
    cell.act((B, yes(identity)))
    assert found(cell, identity).outcome is Outcome.ACCEPTED


def test_weights_count_not_heads() -> None:
    cell = of_weights(7, 1, 1, 1)
    identity = proposed(cell, B, motion())
    assert cell.act((A, yes(identity))) == [APPLIED]
    after = found(cell, identity)
    assert after.outcome is Outcome.ACCEPTED
    assert weight_of(cell.ledger.roster, after.votes, Vote.YES) == 8


def test_a_member_alone_decides_with_its_proposal() -> None:
    cell = of_weights(3)
    identity = proposed(cell, A, motion())
    assert found(cell, identity).accepted_round == 1
    assert proposer_key(A.public_key) not in cell.state


@pytest.mark.parametrize("against", [no, abstain])
def test_it_is_refused_when_yes_can_not_come_to_more_than_two_thirds_any_more(
    against: Callable[[TransactionId], GovVote],
) -> None:
    cell = Cell()
    identity = proposed(cell, A, motion())
    assert cell.act((B, against(identity))) == [APPLIED]
    assert found(cell, identity).outcome is Outcome.OPEN
    assert cell.act((C, no(identity)), (D, yes(identity))) == [APPLIED, ProposalClosed.code]
    after = found(cell, identity)
    assert (after.outcome, after.closed_round) == (Outcome.REFUSED, Round(3))
    assert [vote for _, vote in after.votes][2] is Vote.NO


def test_a_vote_may_be_changed_until_the_proposal_closes() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion())
    assert cell.act((B, no(identity)), (B, abstain(identity)), (B, yes(identity))) == [APPLIED] * 3
    assert cell.act((A, no(identity)), (A, yes(identity))) == [APPLIED, APPLIED]
    assert cell.act((C, yes(identity)), (C, no(identity))) == [APPLIED, ProposalClosed.code]
    assert found(cell, identity).outcome is Outcome.ACCEPTED


def test_the_same_vote_twice_is_refused() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion())
    assert cell.act((A, yes(identity)), (B, no(identity)), (B, no(identity))) == [
        AlreadyVoted.code,
        APPLIED,
        AlreadyVoted.code,
    ]


def test_only_members_propose_and_vote_and_only_on_what_there_is() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion())
    nothing = TransactionId(bytes(32))
    assert cell.act((E, motion()), (E, yes(identity)), (B, yes(nothing))) == [
        NotAMember.code,
        NotAMember.code,
        NoSuchProposal.code,
    ]


def test_member_approve_is_a_yes_and_member_propose_a_proposal_with_one_action() -> None:
    cell = Cell()
    add = MemberPropose(Change.ADD, E.public_key, 1, "new")
    identity = cell.apply(candidates([signed(A, 0, add)])).entries[0].receipt.id
    assert found(cell, identity).actions == (add,)
    assert (
        cell.act((B, no(identity)), (B, MemberApprove(identity)), (C, yes(identity)))
        == [APPLIED] * 3
    )
    assert cell.ledger.roster.members[-1].public_key == E.public_key


def test_votes_of_who_is_no_member_any_more_do_not_count() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion())
    leaving = proposed(cell, B, motion(MemberPropose(Change.REMOVE, A.public_key)))
    cell.act((C, yes(leaving)), (D, yes(leaving)))
    assert cell.ledger.roster.index_of(A.public_key) is None
    cell.act((B, yes(identity)), (C, yes(identity)))
    assert found(cell, identity).votes == ((B.public_key, Vote.YES), (C.public_key, Vote.YES))
    assert found(cell, identity).outcome is Outcome.OPEN
    cell.act((D, yes(identity)))
    assert found(cell, identity).outcome is Outcome.ACCEPTED


def test_a_rotated_key_votes_as_its_successor_and_never_twice() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion())
    assert cell.act((A, rotation(A, E))) == [APPLIED]
    assert cell.act((E, yes(identity))) == [AlreadyVoted.code]
    assert cell.act((B, yes(identity)), (C, yes(identity))) == [APPLIED, APPLIED]
    after = found(cell, identity)
    assert after.outcome is Outcome.ACCEPTED
    assert after.approvals == (E.public_key, B.public_key, C.public_key)
    assert cell.state[proposer_key(E.public_key)] == encode([])


# -- time and number -----------------------------------------------------------------------------


def test_a_proposal_can_be_voted_on_up_to_its_last_round() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion(rounds=2))
    late = proposed(cell, A, motion(rounds=1))
    assert cell.act((B, yes(identity)), (B, yes(late))) == [APPLIED, APPLIED]
    assert cell.act((C, yes(identity)), (C, yes(late))) == [
        ProposalClosed.code,
        ProposalClosed.code,
    ]
    assert found(cell, identity).outcome is Outcome.OPEN
    assert not found(cell, identity).is_open(Round(4))


def test_open_proposals_of_a_member_are_bounded_and_closed_ones_do_not_count() -> None:
    cell = Cell()
    first = proposed(cell, A, motion())
    for _ in range(PROPOSALS_OPEN_MAX - 1):
        proposed(cell, A, motion(rounds=40))
    assert cell.act((A, motion()), (B, motion())) == [TooManyProposals.code, APPLIED]
    cell.act((B, no(first)), (C, no(first)))
    assert cell.act((A, motion()), (A, motion())) == [APPLIED, TooManyProposals.code]


# -- actions -------------------------------------------------------------------------------------


def test_the_actions_of_a_proposal_take_effect_together() -> None:
    cell = Cell()
    actions = (
        MemberPropose(Change.ADD, E.public_key, 2, "new"),
        MemberPropose(Change.WEIGHT, E.public_key, 5),
        MemberPropose(Change.REMOVE, D.public_key),
        SetParameter("coin_period", 7),
        TEXT,
    )
    identity = proposed(cell, A, motion(*actions))
    cell.act((B, yes(identity)))
    assert parameter_key("coin_period") not in cell.state
    assert cell.ledger.roster.epoch == 0
    cell.act((C, yes(identity)))
    roster = cell.ledger.roster
    assert [(m.public_key, m.weight) for m in roster.members[-2:]] == [
        (C.public_key, 1),
        (E.public_key, 5),
    ]
    assert (roster.epoch, roster.rules.coin_period) == (1, 7)


def test_a_proposal_whose_actions_exclude_each_other_is_refused_whole() -> None:
    cell = Cell()
    add = MemberPropose(Change.ADD, E.public_key, 2, "new")
    assert cell.act((A, motion(SetParameter("coin_period", 7), add, add))) == [AlreadyAMember.code]
    assert not [key for key in cell.state if key.startswith(b"proposal/")]


def test_a_yes_to_what_is_not_possible_any_more_is_refused_and_a_no_is_not() -> None:
    cell = Cell()
    add = MemberPropose(Change.ADD, E.public_key, 2, "new")
    late = proposed(cell, A, motion(add, SetParameter("coin_period", 7)))
    other = proposed(cell, B, motion(add))
    cell.act((A, yes(other)), (C, yes(other)))
    assert cell.act((B, yes(late)), (C, no(late))) == [AlreadyAMember.code, APPLIED]
    assert cell.act((D, MemberPropose(Change.REMOVE, E.public_key))) == [APPLIED]


def test_a_parameter_of_the_order_holds_from_the_next_epoch_on_which_begins_at_once() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion(SetParameter("epoch_rounds", 20)))
    cell.act((B, yes(identity)), (C, yes(identity)), (D, motion()))
    assert cell.headers[-1].round == 2
    roster = cell.ledger.roster
    assert (roster.epoch, roster.first_round, roster.rules.epoch_rounds) == (1, 3, 20)
    for _ in range(20):
        cell.apply([])
    assert (cell.ledger.roster.epoch, cell.ledger.roster.rules) == (2, roster.rules)


def test_setting_a_parameter_to_what_it_is_ends_no_epoch() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion(SetParameter("epoch_rounds", 2048)))
    cell.act((B, yes(identity)), (C, yes(identity)))
    assert found(cell, identity).outcome is Outcome.ACCEPTED
    assert cell.ledger.roster.epoch == 0


def test_a_restarted_cell_goes_on_with_the_rules_of_its_roster() -> None:
    cell = Cell()
    identity = proposed(cell, A, motion(SetParameter("epoch_rounds", 16)))
    cell.act((B, yes(identity)), (C, yes(identity)))
    again = cell.restarted()
    for at in range(16):
        raws = [put(5 + at)]
        assert cell.apply(candidates(raws)).header == again.apply(candidates(raws)).header
    assert again.ledger.roster.epoch == 2


# -- bytes ---------------------------------------------------------------------------------------

_UPGRADE = Upgrade(Epoch(9), Versions(3, 2, 1), "myceld 2")


@pytest.mark.parametrize(
    ("arguments", "kind", "items"),
    [
        (
            motion(SetParameter("coin_period", 7), _UPGRADE, TEXT, Resolution(), rounds=9),
            "gov-propose",
            [
                "a motion",
                [
                    ["set", ["coin_period", 7]],
                    ["upgrade", [9, [3, 2, 1], "myceld 2"]],
                    ["text", [bytes(range(32)), "https://example.org/minutes"]],
                    ["text", [b"", ""]],
                ],
                9,
            ],
        ),
        (
            motion(MemberPropose(Change.ADD, E.public_key, 3, "dora")),
            "gov-propose",
            ["a motion", [["member", ["add", E.public_key, 3, "dora"]]], 100],
        ),
        (no(TransactionId(bytes(32))), "gov-vote", [bytes(32), "no"]),
    ],
)
def test_what_members_sign_has_this_form(
    arguments: GovPropose | GovVote, kind: str, items: list[Value]
) -> None:
    parsed = parse(signed(A, 0, arguments), NETWORK)
    assert isinstance(parsed, SignedTransaction)
    assert (parsed.kind, parsed.arguments) == (kind, arguments)
    body = parsed.body
    assert encode(items) in body


def test_a_proposal_in_the_state_is_read_as_it_was_written() -> None:
    votes = tuple((key.public_key, vote) for key, vote in zip(KEYS, Vote, strict=False))
    open_one = Proposal("title", (TEXT, _UPGRADE), A.public_key, Round(7), Round(9), votes)
    closed = dataclasses.replace(open_one, outcome=Outcome.REFUSED, closed_round=Round(8))
    for proposal in (open_one, closed):
        assert decode_proposal(proposal.encode()) == proposal


def _raw(kind: str, items: Value) -> bytes:
    parsed = parse(signed(A, 0, motion()), NETWORK)
    assert isinstance(parsed, SignedTransaction)

    body = decode(parsed.body)
    assert isinstance(body, list)
    body[-2:] = [kind, items]
    raw = encode(body)
    return encode([raw, A.sign(raw)])


_TEXT: Value = ["text", [b"", ""]]


@pytest.mark.parametrize(
    ("kind", "items", "refusal"),
    [
        ("gov-propose", ["t", [_TEXT]], Malformed),
        ("gov-propose", ["", [_TEXT], 1], BadAction),
        ("gov-propose", ["t" * (PROPOSAL_TITLE_LENGTH_MAX + 1), [_TEXT], 1], BadAction),
        ("gov-propose", ["two\nlines", [_TEXT], 1], BadAction),
        ("gov-propose", ["t", [], 1], BadAction),
        ("gov-propose", ["t", [_TEXT] * (PROPOSAL_ACTIONS_MAX + 1), 1], Malformed),
        ("gov-propose", ["t", [_TEXT], 0], BadAction),
        ("gov-propose", ["t", [_TEXT], PROPOSAL_ROUNDS_MAX + 1], BadAction),
        ("gov-propose", ["t", [["none", []]], 1], BadAction),
        ("gov-propose", ["t", [["text", [b"short", ""]]], 1], BadAction),
        ("gov-propose", ["t", [["text", [b"", "u" * 513]]], 1], BadAction),
        ("gov-propose", ["t", [["set", ["none", 1]]], 1], UnknownParameter),
        ("gov-propose", ["t", [["set", ["coin_period", 2]]], 1], UnknownParameter),
        ("gov-propose", ["t", [["set", ["epoch_rounds", 65_537]]], 1], UnknownParameter),
        ("gov-propose", ["t", [["upgrade", [0, [2, 2, 1], "r"]]], 1], Malformed),
        ("gov-propose", ["t", [["upgrade", [1, [2, 2], "r"]]], 1], Malformed),
        ("gov-propose", ["t", [["upgrade", [1, [0, 2, 1], "r"]]], 1], Malformed),
        ("gov-propose", ["t", [["upgrade", [1, [2, 2, 1], ""]]], 1], BadAction),
        ("gov-vote", [bytes(31), "yes"], BadAction),
        ("gov-vote", [bytes(32), "maybe"], BadAction),
        ("gov-vote", [bytes(32)], Malformed),
    ],
)
def test_what_is_out_of_bounds_is_no_transaction(
    kind: str, items: Value, refusal: type[TransactionRefused]
) -> None:
    with pytest.raises(refusal):
        parse(_raw(kind, items), NETWORK)


def test_a_raw_transaction_that_is_in_bounds_is_taken() -> None:
    items: Value = ["t", build_actions((TEXT,)), 1]
    parsed = parse(_raw("gov-propose", items), NETWORK)
    assert isinstance(parsed, SignedTransaction)
    assert parsed.arguments == motion(TEXT, title="t", rounds=1)


def test_defaults_are_in_bounds_and_those_of_a_genesis_that_says_nothing() -> None:
    assert all(row.low <= row.default <= row.high for row in PARAMETERS)
    values = {row.name: row.default for row in PARAMETERS}
    rules = GENESIS.roster.rules
    assert (values["epoch_rounds"], values["coin_period"]) == (
        rules.epoch_rounds,
        rules.coin_period,
    )


# -- PRANA ---------------------------------------------------------------------------------------


def balance(cell: Cell, owner: bytes) -> int:
    return cell.ledger.account(AccountId(owner)).balance


def test_prana_is_issued_paid_out_and_burned_by_a_decision_only() -> None:
    cell = Cell()
    pay = PayOut(AccountId(E.public_key), Amount(300), "a disk")
    identity = proposed(cell, A, motion(Issue(TREASURY, Amount(1000)), pay))
    cell.act((B, yes(identity)))
    assert (balance(cell, TREASURY), SUPPLY_KEY in cell.state) == (0, False)
    cell.act((C, yes(identity)))
    assert (balance(cell, TREASURY), balance(cell, E.public_key)) == (700, 300)
    burned = proposed(cell, A, motion(Burn(AccountId(E.public_key), Amount(100))))
    cell.act((B, yes(burned)), (C, yes(burned)))
    assert balance(cell, E.public_key) == 200
    supply = decode_supply(cell.state[SUPPLY_KEY])
    assert (supply.issued, supply.burned, supply.total) == (1000, 100, 900)


def test_what_is_not_there_can_not_be_paid_or_burned_and_nothing_of_that_happens() -> None:
    cell = Cell()
    issue = Issue(TREASURY, Amount(10))
    much = motion(issue, PayOut(AccountId(E.public_key), Amount(11)))
    assert cell.act((A, much), (A, motion(Burn(TREASURY, Amount(1))))) == [
        InsufficientFunds.code,
        InsufficientFunds.code,
    ]
    first = proposed(cell, A, motion(issue, PayOut(AccountId(E.public_key), Amount(10))))
    cell.act((B, yes(first)), (C, yes(first)))
    late = proposed(cell, A, motion(Burn(AccountId(E.public_key), Amount(10))))
    cell.act((B, yes(late)), (E, Transfer(AccountId(F.public_key), Amount(1))))
    assert cell.act((C, yes(late))) == [InsufficientFunds.code]
    assert found(cell, late).outcome is Outcome.OPEN
    assert (balance(cell, E.public_key), balance(cell, F.public_key)) == (9, 1)
    cell.act((F, Transfer(AccountId(E.public_key), Amount(1))))
    assert cell.act((C, yes(late))) == [APPLIED]
    assert balance(cell, E.public_key) == 0


def test_what_was_issued_to_a_key_that_was_given_up_reaches_the_one_that_followed() -> None:
    cell = Cell()
    cell.act((E, rotation(E, F)))
    identity = proposed(cell, A, motion(Issue(AccountId(E.public_key), Amount(5))))
    cell.act((B, yes(identity)), (C, yes(identity)))
    assert (balance(cell, E.public_key), balance(cell, F.public_key)) == (0, 5)


def test_a_fee_that_was_decided_holds_from_the_next_round_on_and_votes_stay_free() -> None:
    cell = Cell()
    fee = motion(SetParameter("fee_per_cost", 2), Issue(AccountId(E.public_key), Amount(10_000)))
    identity = proposed(cell, A, fee)
    transfer = Transfer(AccountId(F.public_key), Amount(1))
    assert cell.act((B, yes(identity)), (C, yes(identity)), (E, transfer)) == [APPLIED] * 3
    assert cell.act((E, transfer), (A, motion())) == [FeeTooLow.code, APPLIED]
