"""One member proves a fork at a time, again until it is proven, and nobody accuses itself."""

from __future__ import annotations

from core.ids import Epoch, MemberIndex, PublicKey, TransactionId
from ledger.forks import ForkProof
from node.limits import ACCUSE_CHECK_MS, ACCUSE_TURN_MS
from node.stages.accuser import Accuser, ForkSeen
from tests.ledger.world import GENESIS, KEYS, NEWCOMERS

SEEN = ForkSeen(GENESIS.roster, MemberIndex(2), (5, 9))
FORKER = KEYS[2].public_key
TX = TransactionId(bytes(32))


class Owner:
    """An accuser, and what the ledger says."""

    def __init__(self, public_key: PublicKey) -> None:
        self.accuser = Accuser(public_key)
        self.proven: set[tuple[Epoch, PublicKey]] = set()
        self.under_way: set[TransactionId] = set()

    def due(self, now_ms: int, epoch: int = 0) -> list[ForkProof]:
        found = list(
            self.accuser.due(
                now_ms,
                Epoch(epoch),
                is_proven=lambda at, member: (at, member) in self.proven,
                is_under_way=self.under_way.__contains__,
            )
        )
        for accusation in found:
            self.accuser.made(accusation, TX)
        return [accusation.proof for accusation in found]


def test_the_members_after_the_forker_have_their_turns_one_after_the_other() -> None:
    begins: dict[int, int] = {}
    for number, pair in enumerate((*KEYS, NEWCOMERS[0])):
        owner = Owner(pair.public_key)
        owner.accuser.note(SEEN, b"evidence", 1_000)
        wait_ms = owner.accuser.wait_ms(1_000)
        if wait_ms is None:
            continue
        begins[number] = wait_ms
        assert owner.due(1_000 + wait_ms) == [ForkProof(Epoch(0), b"evidence")]
        assert not wait_ms or owner.accuser.wait_ms(1_000 + wait_ms) == ACCUSE_CHECK_MS
    assert begins == {
        3: 0,
        0: ACCUSE_TURN_MS,
        1: 2 * ACCUSE_TURN_MS,
        4: 4 * ACCUSE_TURN_MS,
    }, "the forker (2) never accuses itself, a cell without a vote comes last"


def test_who_waits_is_silent_once_the_fork_is_proven() -> None:
    owner = Owner(KEYS[0].public_key)
    owner.accuser.note(SEEN, b"evidence", 0)
    assert owner.due(ACCUSE_TURN_MS - 1) == []
    owner.proven.add((Epoch(0), FORKER))
    assert owner.due(ACCUSE_TURN_MS) == []
    assert owner.accuser.wait_ms(ACCUSE_TURN_MS) is None


def test_a_proof_without_an_outcome_is_not_made_twice_and_one_that_failed_is_made_again() -> None:
    owner = Owner(KEYS[3].public_key)
    owner.accuser.note(SEEN, b"evidence", 0)
    assert len(owner.due(0)) == 1
    owner.under_way.add(TX)
    assert owner.due(ACCUSE_CHECK_MS) == []
    owner.under_way.clear()
    assert owner.due(2 * ACCUSE_CHECK_MS - 1) == []
    assert len(owner.due(2 * ACCUSE_CHECK_MS)) == 1


def test_evidence_of_the_epoch_before_is_still_brought_and_older_is_forgotten() -> None:
    owner = Owner(KEYS[1].public_key)
    owner.accuser.note(SEEN, b"evidence", 0)
    assert owner.due(0) == [], "not its turn yet"
    assert len(owner.due(0, epoch=1)) == 1, "but now it is the last chance"
    assert owner.due(1, epoch=1) == []
    assert owner.due(ACCUSE_CHECK_MS, epoch=2) == []
    assert owner.accuser.wait_ms(ACCUSE_CHECK_MS) is None
