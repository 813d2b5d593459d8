"""Members change their roster by more than 2/3 of its weight, for the epoch that follows."""

from __future__ import annotations

import dataclasses

import pytest

from core.codec import Value, encode
from core.ids import PublicKey, Round, TransactionId
from core.limits import INT_MAX
from identity.keys import KeyPair
from ledger.errors import (
    AlreadyAMember,
    AlreadyVoted,
    BadProposal,
    LastMember,
    Malformed,
    NoSuchMember,
    NoSuchProposal,
    NotAMember,
    ProposalClosed,
    RosterFull,
    TooManyProposals,
    TransactionRefused,
)
from ledger.genesis import Genesis
from ledger.governance import Outcome, Proposal, Vote, decode_proposal, proposal_key, proposer_key
from ledger.header import APPLIED
from ledger.kinds import Arguments
from ledger.limits import (
    MEMBERS_MAX,
    NAME_LENGTH_MAX,
    PROPOSAL_ROUNDS_MAX,
    PROPOSALS_OPEN_MAX,
    WEIGHT_MAX,
)
from ledger.members import Action, MemberApprove, MemberLeave, MemberPropose
from ledger.roster import NEXT_MEMBERS_KEY, Member, encode_members
from ledger.transaction import SignedTransaction, parse
from tests.ledger.world import (
    ALL_KEYS,
    GENESIS,
    KEYS,
    NETWORK,
    NEWCOMERS,
    START_NS,
    Cell,
    candidates,
    signed,
)

A, B, C, D = KEYS
E, F = NEWCOMERS[:2]
LEAVE = MemberLeave()


def add(pair: KeyPair, weight: int = 1, name: str = "new") -> MemberPropose:
    return MemberPropose(Action.ADD, pair.public_key, weight, name)


def remove(pair: KeyPair) -> MemberPropose:
    return MemberPropose(Action.REMOVE, pair.public_key)


def weigh(pair: KeyPair, weight: int) -> MemberPropose:
    return MemberPropose(Action.WEIGHT, pair.public_key, weight)


def of_weights(*weights: int) -> Cell:
    """Return a cell of a network whose first members have these weights."""
    pairs = zip(ALL_KEYS, weights, strict=False)
    members = tuple(Member(key.public_key, weight, "m") for key, weight in pairs)
    return Cell(Genesis("weighted", members, START_NS))


def proposed(cell: Cell, pair: KeyPair, propose: MemberPropose) -> MemberApprove:
    """Apply a round with one proposal; return what approves it."""
    nonce = cell.ledger.account(pair.public_key).highest + 1
    applied = cell.apply(candidates([signed(pair, nonce, propose)]))
    assert [entry.receipt.outcome for entry in applied.entries] == [APPLIED]
    return MemberApprove(applied.entries[0].receipt.id)


def proposal_of(cell: Cell, approve: MemberApprove) -> Proposal:
    return decode_proposal(cell.state[proposal_key(approve.proposal)])


def weights_of(cell: Cell) -> dict[PublicKey, int]:
    return {member.public_key: member.weight for member in cell.ledger.roster.members}


def test_more_than_two_thirds_add_a_member_at_the_end() -> None:
    cell = Cell()
    approve = proposed(cell, A, add(E, 7, "eve"))
    assert cell.act((B, approve)) == [APPLIED]
    assert cell.ledger.roster == GENESIS.roster
    assert cell.act((C, approve)) == [APPLIED]
    newcomer = Member(E.public_key, 7, "eve")
    assert cell.ledger.roster.members == (*GENESIS.members, newcomer)
    header = cell.headers[-1]
    assert (header.epoch, header.roster) == (0, cell.ledger.roster.hash)
    assert (cell.ledger.roster.epoch, cell.ledger.roster.first_round) == (1, 4)
    assert cell.state[NEXT_MEMBERS_KEY] == encode_members(cell.ledger.roster.members)
    assert cell.apply([]).sealed is None


def test_exactly_two_thirds_are_not_enough() -> None:
    cell = of_weights(1, 1, 1)
    approve = proposed(cell, A, weigh(C, 5))
    cell.act((B, approve))
    assert not proposal_of(cell, approve).accepted_round
    assert cell.ledger.roster.epoch == 0
    cell.act((C, approve))
    assert proposal_of(cell, approve).accepted_round == 3
    assert weights_of(cell)[C.public_key] == 5


def test_removal_keeps_the_order_of_the_others() -> None:
    cell = Cell()
    approve = proposed(cell, D, remove(B))
    cell.act((B, approve), (A, approve))
    assert cell.ledger.roster.members == (GENESIS.members[0], *GENESIS.members[2:])


def test_a_new_weight_keeps_place_and_name() -> None:
    cell = Cell()
    approve = proposed(cell, A, weigh(B, WEIGHT_MAX))
    cell.act((C, approve), (D, approve))
    expected = dataclasses.replace(GENESIS.members[1], weight=WEIGHT_MAX)
    assert cell.ledger.roster.members == (GENESIS.members[0], expected, *GENESIS.members[2:])


def test_a_member_of_great_weight_decides_alone_and_at_once() -> None:
    cell = of_weights(7, 1, 1, 1)
    approve = proposed(cell, A, add(E))
    assert proposal_of(cell, approve).accepted_round == 1
    assert proposer_key(A.public_key) not in cell.state
    assert len(cell.ledger.roster.members) == 5


def test_changes_of_one_round_build_on_each_other() -> None:
    cell = of_weights(9, 1, 1)
    outcomes = cell.act(
        (A, add(E, 2)), (A, add(F, 3)), (A, weigh(E, 4)), (A, remove(B)), (C, LEAVE)
    )
    assert outcomes == [APPLIED] * 5
    assert list(weights_of(cell).items()) == [
        (A.public_key, 9),
        (E.public_key, 4),
        (F.public_key, 3),
    ]
    assert cell.ledger.roster.epoch == 1
    assert (cell.headers[-1].epoch, cell.headers[-1].round) == (0, 1)


def test_who_joins_votes_from_the_next_round_on() -> None:
    cell = of_weights(9, 1)
    assert cell.act((A, add(E)), (E, add(F)), (E, LEAVE)) == [APPLIED, *[NotAMember.code] * 2]
    assert cell.act((E, add(F))) == [APPLIED]


def test_who_is_removed_votes_to_the_end_of_the_round() -> None:
    cell = Cell()
    approve = proposed(cell, A, remove(B))
    other = proposed(cell, A, add(E))
    outcomes = cell.act((C, approve), (D, approve), (B, other), (C, other), (B, LEAVE))
    assert outcomes == [*[APPLIED] * 4, NoSuchMember.code]
    assert [m.public_key for m in cell.ledger.roster.members] == [
        pair.public_key for pair in (A, C, D, E)
    ]
    assert cell.act((B, add(F))) == [NotAMember.code]


def test_changes_that_undo_each_other_do_not_end_the_epoch() -> None:
    cell = of_weights(9, 1)
    assert cell.act((A, weigh(B, 2)), (A, weigh(B, 1))) == [APPLIED] * 2
    assert cell.ledger.roster.epoch == 0
    assert cell.act((A, weigh(B, 1))) == [APPLIED]
    assert cell.ledger.roster.epoch == 0


def test_a_change_that_became_impossible_takes_no_approvals() -> None:
    cell = Cell()
    first, second = proposed(cell, A, add(E, 1)), proposed(cell, B, add(E, 2))
    drop = proposed(cell, A, remove(D))
    assert cell.act((C, first), (D, first), (C, second)) == [APPLIED] * 2 + [AlreadyAMember.code]
    assert cell.act((D, second)) == [AlreadyAMember.code]
    assert proposal_of(cell, second).approvals == (B.public_key,)
    assert cell.act((D, LEAVE)) == [APPLIED]
    assert cell.act((B, drop)) == [NoSuchMember.code]


def test_only_approvals_of_members_of_now_count_with_their_weights_of_now() -> None:
    cell = of_weights(2, 2, 1, 1, 1)
    approve = proposed(cell, A, add(F))
    assert cell.act((B, approve)) == [APPLIED]
    assert cell.act((A, LEAVE)) == [APPLIED]
    # B's 2 of now 5, then C's and D's: 4 of 5.
    assert cell.act((C, approve)) == [APPLIED]
    assert proposal_of(cell, approve).approvals == (B.public_key, C.public_key)
    assert not proposal_of(cell, approve).accepted_round
    assert cell.act((D, approve)) == [APPLIED]
    assert proposal_of(cell, approve).accepted_round == 5
    assert proposal_of(cell, approve).proposer == A.public_key


def test_approvals_are_in_roster_order_and_closed_with_the_proposal() -> None:
    cell = Cell()
    approve = proposed(cell, D, add(E))
    assert cell.act((B, approve), (A, approve), (C, approve)) == [
        APPLIED,
        APPLIED,
        ProposalClosed.code,
    ]
    assert proposal_of(cell, approve) == Proposal(
        "",
        (add(E),),
        D.public_key,
        Round(1),
        Round(1 + PROPOSAL_ROUNDS_MAX),
        ((A.public_key, Vote.YES), (B.public_key, Vote.YES), (D.public_key, Vote.YES)),
        Outcome.ACCEPTED,
        Round(2),
    )


def test_who_approved_or_proposed_can_not_approve_again() -> None:
    cell = Cell()
    approve = proposed(cell, A, add(E))
    outcomes = cell.act((A, approve), (B, approve), (B, approve))
    assert outcomes == [AlreadyVoted.code, APPLIED, AlreadyVoted.code]
    assert cell.act((B, approve)) == [AlreadyVoted.code]


def test_only_members_propose_approve_and_leave() -> None:
    cell = Cell()
    approve = proposed(cell, A, add(E))
    acts: list[Arguments] = [add(F), approve, LEAVE]
    assert cell.act(*((E, act) for act in acts)) == [NotAMember.code] * 3


def test_a_refused_change_leaves_nothing_but_its_nonce() -> None:
    cell = Cell()
    before = dict(cell.state)
    assert cell.act((A, add(B)), (A, remove(E)), (A, weigh(E, 2))) == [
        AlreadyAMember.code,
        NoSuchMember.code,
        NoSuchMember.code,
    ]
    assert set(cell.state) - set(before) == {b"account/" + A.public_key}
    unknown = MemberApprove(TransactionId(bytes(32)))
    assert cell.act((A, unknown)) == [NoSuchProposal.code]
    assert cell.ledger.account(A.public_key).highest == 3


def test_a_transaction_that_is_no_proposal_can_not_be_approved() -> None:
    cell = Cell()
    approve = proposed(cell, A, add(E))
    cell.act((B, approve))
    approval = cell.apply(candidates([signed(C, 0, LEAVE)])).entries[0].receipt.id
    assert cell.act((A, MemberApprove(approval))) == [NoSuchProposal.code]


def test_the_last_member_stays() -> None:
    cell = of_weights(9, 1)
    assert cell.act((B, LEAVE), (A, remove(A)), (A, LEAVE)) == [APPLIED, *[LastMember.code] * 2]
    assert cell.act((A, LEAVE), (A, remove(A))) == [LastMember.code] * 2
    assert [m.public_key for m in cell.ledger.roster.members] == [A.public_key]
    assert cell.act((A, weigh(A, 3))) == [APPLIED]
    assert cell.ledger.roster.weights == (3,)


def test_a_full_roster_takes_no_more() -> None:
    strangers = [PublicKey(number.to_bytes(32, "big")) for number in range(MEMBERS_MAX - 2)]
    members = (Member(A.public_key, WEIGHT_MAX, "a"), *(Member(k, 1, "m") for k in strangers))
    cell = Cell(Genesis("full", members, START_NS))
    assert cell.act((A, add(E)), (A, add(F))) == [APPLIED, RosterFull.code]
    assert len(cell.ledger.roster.members) == MEMBERS_MAX
    assert cell.act((A, add(F))) == [RosterFull.code]
    assert cell.act((A, remove(E)), (A, add(F))) == [APPLIED] * 2


def test_a_member_has_a_bounded_number_of_open_proposals() -> None:
    cell = Cell()
    approve = proposed(cell, A, weigh(B, 100))
    changes = [(A, weigh(C, at)) for at in range(2, PROPOSALS_OPEN_MAX + 2)]
    assert cell.act(*changes) == [APPLIED] * (PROPOSALS_OPEN_MAX - 1) + [TooManyProposals.code]
    assert cell.act((B, weigh(C, 9))) == [APPLIED]
    assert cell.act((B, approve), (C, approve)) == [APPLIED] * 2
    assert cell.act((A, remove(C)), (A, remove(D))) == [APPLIED, TooManyProposals.code]


def test_proposals_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.governance.PROPOSAL_ROUNDS_MAX", 3)
    cell = Cell()
    approve = proposed(cell, A, add(E))
    cell.act(*[(A, weigh(B, at + 2)) for at in range(PROPOSALS_OPEN_MAX - 1)])
    cell.apply([])
    assert cell.act((B, approve), (A, add(F))) == [APPLIED, TooManyProposals.code]
    assert cell.act((C, approve), (A, add(F))) == [ProposalClosed.code, APPLIED]
    assert not proposal_of(cell, approve).is_open(Round(5))
    assert proposal_of(cell, approve).is_open(Round(4))
    assert cell.state[proposer_key(A.public_key)].count(b"\xc4\x20") == PROPOSALS_OPEN_MAX


_CASES: list[tuple[MemberPropose, list[Value]]] = [
    (add(E, 1, "x"), ["add", E.public_key, 1, "x"]),
    (add(E, WEIGHT_MAX, "é" * NAME_LENGTH_MAX), ["add", E.public_key, WEIGHT_MAX, "é" * 64]),
    (remove(E), ["remove", E.public_key, 0, ""]),
    (weigh(E, WEIGHT_MAX), ["weight", E.public_key, WEIGHT_MAX, ""]),
]


def _raw(kind: str, arguments: list[Value]) -> bytes:
    body = encode(["myceld/transaction/2", NETWORK, A.public_key, 0, 0, 0, kind, arguments])
    return encode([body, A.sign(body)])


@pytest.mark.parametrize(("propose", "items"), _CASES)
def test_a_proposal_arrives_as_it_was_signed(propose: MemberPropose, items: list[Value]) -> None:
    raw = signed(A, 0, propose)
    assert raw == _raw("member-propose", items)
    parsed = parse(raw, NETWORK)
    assert isinstance(parsed, SignedTransaction)
    assert (parsed.kind, parsed.arguments) == ("member-propose", propose)
    votes = ((A.public_key, Vote.YES), (B.public_key, Vote.NO))
    state = Proposal("", (propose,), A.public_key, Round(7), Round(9), votes)
    assert decode_proposal(state.encode()) == state


@pytest.mark.parametrize(
    ("items", "refusal"),
    [
        ([], Malformed),
        (["add", E.public_key, 1], Malformed),
        (["add", E.public_key, 1, "x", 0], Malformed),
        ([b"add", E.public_key, 1, "x"], Malformed),
        (["add", "E", 1, "x"], Malformed),
        (["add", E.public_key, True, "x"], Malformed),
        (["add", E.public_key, 1, b"x"], Malformed),
        (["Add", E.public_key, 1, "x"], BadProposal),
        (["", E.public_key, 1, "x"], BadProposal),
        (["add", E.public_key[1:], 1, "x"], BadProposal),
        (["add", E.public_key, 0, "x"], BadProposal),
        (["add", E.public_key, -1, "x"], BadProposal),
        (["add", E.public_key, WEIGHT_MAX + 1, "x"], BadProposal),
        (["add", E.public_key, INT_MAX, "x"], BadProposal),
        (["add", E.public_key, 1, ""], BadProposal),
        (["add", E.public_key, 1, "x" * (NAME_LENGTH_MAX + 1)], BadProposal),
        (["add", E.public_key, 1, "a\u202eb"], BadProposal),
        (["remove", E.public_key, 1, ""], BadProposal),
        (["remove", E.public_key, 0, "x"], BadProposal),
        (["weight", E.public_key, 0, ""], BadProposal),
        (["weight", E.public_key, 1, "x"], BadProposal),
    ],
)
def test_a_proposal_out_of_bounds_is_refused(
    items: list[Value], refusal: type[TransactionRefused]
) -> None:
    with pytest.raises(refusal):
        parse(_raw("member-propose", items), NETWORK)


@pytest.mark.parametrize(
    ("kind", "items", "refusal"),
    [
        ("member-approve", [], Malformed),
        ("member-approve", ["00"], Malformed),
        ("member-approve", [bytes(32), 0], Malformed),
        ("member-approve", [bytes(31)], BadProposal),
        ("member-leave", [0], Malformed),
    ],
)
def test_other_arguments_are_refused(
    kind: str, items: list[Value], refusal: type[TransactionRefused]
) -> None:
    with pytest.raises(refusal):
        parse(_raw(kind, items), NETWORK)


@pytest.mark.parametrize(
    "arguments",
    [
        add(E, 0),
        add(E, 1, "\ud800"),
        add(E, -(2**63)),
        MemberPropose(Action.REMOVE, PublicKey(b"short")),
        MemberApprove(TransactionId(b"short")),
    ],
)
def test_nothing_is_signed_that_would_be_refused(arguments: Arguments) -> None:
    with pytest.raises(BadProposal):
        signed(A, 0, arguments)


@pytest.mark.parametrize(
    ("arguments", "items"),
    [(LEAVE, []), (MemberApprove(TransactionId(b"i" * 32)), [b"i" * 32])],
)
def test_approvals_and_leaves_arrive_as_they_were_signed(
    arguments: Arguments, items: list[Value]
) -> None:
    kind = "member-leave" if arguments == LEAVE else "member-approve"
    raw = signed(A, 0, arguments)
    assert raw == _raw(kind, items)
    parsed = parse(raw, NETWORK)
    assert isinstance(parsed, SignedTransaction)
    assert (parsed.kind, parsed.arguments) == (kind, arguments)


def test_the_codes_of_membership_are_these() -> None:
    errors = [
        BadProposal,
        NotAMember,
        AlreadyAMember,
        NoSuchMember,
        LastMember,
        RosterFull,
        TooManyProposals,
        NoSuchProposal,
        ProposalClosed,
        AlreadyVoted,
    ]
    assert [error.code for error in errors] == [f"MYC-LEDGER-{n:03}" for n in range(30, 40)]
    assert all(issubclass(error, TransactionRefused) for error in errors)
