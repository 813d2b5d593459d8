"""What a hypha believes: only what is proven, only forwards, never two histories."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.ids import Round
from hypha.errors import AnswerBesides
from hypha.heads import Anchor, Head, Heads, compact
from identity.keys import verify
from ledger.errors import NotProven, ProofOfOtherNetwork
from ledger.limits import ROSTER_STEPS_MAX
from ledger.members import Action
from ledger.proof import HeaderClaim, Proof, steps_of
from ledger.roster_proof import shortest
from ledger.verify import verify_proof
from tests.hypha.fake_gateway import begun, story, tail
from tests.ledger.proof_world import VALUE_KEY, Network, network, sample_proofs
from tests.ledger.test_roster_proof import SHORT
from tests.ledger.world import KEYS, NEWCOMERS


def _head_of(made: Network, epoch: int = 0) -> Proof:
    return tail(made, HeaderClaim(), epoch)


def _believe(heads: Heads, proof: Proof) -> Head:
    taken = heads.consider(proof)
    assert taken.news is not None
    assert heads.adopt(taken.news)
    return taken.news


def test_a_newer_head_is_believed_and_an_older_one_never_again() -> None:
    heads = Heads(SHORT)
    early, late = story(2), story(5)
    _believe(heads, _head_of(early))
    _believe(heads, _head_of(late))
    taken = heads.consider(_head_of(early))
    assert taken.news is None
    assert taken.contradicts is None
    assert heads.round == late.headers[-1].round


def test_considering_changes_nothing() -> None:
    heads = Heads(SHORT)
    heads.consider(_head_of(story(2)))
    assert heads.newest is None


def test_adopting_late_does_not_go_back() -> None:
    heads = Heads(SHORT)
    early, late = heads.consider(_head_of(story(2))), heads.consider(_head_of(story(5)))
    assert early.news is not None
    assert late.news is not None
    assert heads.adopt(late.news)
    assert not heads.adopt(early.news)
    assert heads.newest == late.news


def test_what_is_not_proven_is_not_believed() -> None:
    heads = Heads(SHORT)
    proof = _head_of(story(2))
    with pytest.raises(NotProven):
        heads.consider(replace(proof, signers=proof.signers[:2]))
    other = replace(SHORT, name="another")
    with pytest.raises(ProofOfOtherNetwork):
        Heads(other).consider(proof)


def test_a_proof_may_begin_with_the_roster_that_is_known() -> None:
    """And then leads on from there, whatever members changed before."""
    made = network()
    heads = Heads(SHORT)
    first = sample_proofs()["header"]
    _believe(heads, first)
    epoch = heads.anchor.epoch
    assert epoch > 0
    claim = made.value_claim(VALUE_KEY)
    short = tail(made, claim, epoch)
    assert short.steps == ()
    whole = heads.whole(short, epoch, heads.anchor)
    taken = heads.consider(whole)
    assert verify_proof(taken.proof, SHORT.network_id) == taken.verified
    with pytest.raises(NotProven):
        heads.consider(heads.whole(short, 0, heads.anchor))


def test_a_proof_that_begins_elsewhere_is_refused() -> None:
    heads = Heads(SHORT)
    with pytest.raises(AnswerBesides):
        heads.whole(_head_of(story(2)), 3, heads.anchor)


def test_another_header_of_a_believed_round_is_a_contradiction() -> None:
    heads = Heads(SHORT)
    ours = _believe(heads, _head_of(story(4)))
    taken = heads.consider(_head_of(story(4, other_from=2)))
    assert taken.contradicts == ours
    assert taken.news is None
    assert heads.newest == ours


@pytest.mark.parametrize("rounds", [3, 5])
def test_a_header_that_does_not_link_to_a_believed_one_is_a_contradiction(rounds: int) -> None:
    """One round later or earlier: the hash of the one before says it."""
    heads = Heads(SHORT)
    ours = _believe(heads, _head_of(story(4)))
    taken = heads.consider(_head_of(story(rounds, other_from=1)))
    assert taken.contradicts == ours


def test_headers_that_lead_past_a_believed_one_must_go_through_it() -> None:
    heads = Heads(SHORT)
    ours = _believe(heads, _head_of(story(4)))
    other = story(9, other_from=1)
    path = tuple(other.headers[1:])
    proof = Proof(SHORT, (), path, other.signers(path[-1]), HeaderClaim())
    assert heads.consider(proof).contradicts == ours
    same = story(9)
    path = tuple(same.headers[1:])
    proof = Proof(SHORT, (), path, same.signers(path[-1]), HeaderClaim())
    assert heads.consider(proof).contradicts is None


def test_another_roster_of_a_believed_epoch_is_a_contradiction() -> None:
    def changed(added: int) -> Network:
        made = begun()
        made.change(Action.ADD, NEWCOMERS[added])
        made.put(("key", b"value"))
        made.put(("key", b"values"))
        made.put(("key", bytes([added])))
        return made

    heads = Heads(SHORT)
    _believe(heads, _head_of(changed(0)))
    assert heads.consider(_head_of(changed(1))).contradicts == heads.newest


def test_a_later_round_of_an_earlier_epoch_is_a_contradiction() -> None:
    made = story(3)
    heads = Heads(SHORT)
    sealed = story(0, epochs=1)
    sealed.put(("key", b"value"))
    ours = _believe(heads, _head_of(sealed))
    late = replace(made.headers[-1], round=Round(sealed.headers[-1].round + 5))
    proof = Proof(SHORT, (), (late,), made.signers(late), HeaderClaim())
    assert heads.consider(proof).contradicts == ours


def test_the_way_to_the_roster_stays_as_short_as_a_cells_own() -> None:
    """Whoever follows step by step ends with no more steps than one who comes at the end."""
    made = begun()
    heads = Heads(SHORT)
    for key in NEWCOMERS:
        made.change(Action.ADD, key)
        made.put(("key", key.public_key))
        made.put(("key", b""))
        proof = heads.whole(
            tail(made, HeaderClaim(), heads.anchor.epoch), heads.anchor.epoch, heads.anchor
        )
        _believe(heads, proof)
        for _ in range(3):
            made.seal()
        made.put(("key", b"sealed"))
    best = shortest(SHORT.roster, made.steps)
    assert len(heads.anchor.steps) <= len(best) + 1
    assert len(heads.anchor.steps) < ROSTER_STEPS_MAX
    newest = heads.newest
    assert newest is not None
    assert verify_proof(newest.proof(SHORT), SHORT.network_id).certified == newest.header


def test_compacting_spares_steps_and_breaks_no_proof() -> None:
    made = network()
    every = steps_of(SHORT.roster, made.steps)
    fewer = compact(SHORT.roster, every)
    assert len(fewer) < len(every)
    assert fewer[-1].roster == every[-1].roster
    claim, header = HeaderClaim(), made.headers[-1]
    proof = Proof(SHORT, fewer, (header,), made.signers(header), claim)
    assert verify_proof(proof, SHORT.network_id).certified == header


def test_epochs_without_changes_add_no_steps() -> None:
    heads = Heads(SHORT)
    for epochs in range(1, 6):
        made = story(2, epochs=epochs)
        epoch = heads.anchor.epoch
        _believe(heads, heads.whole(tail(made, HeaderClaim(), epoch), epoch, heads.anchor))
        assert len(heads.anchor.steps) == 1


def test_signatures_that_were_right_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def counting(*items: bytes) -> bool:
        nonlocal count
        count += 1
        return verify(*items)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr("hypha.heads.verify", counting)
    heads = Heads(SHORT)
    proof = _head_of(story(2))
    heads.consider(proof)
    first = count
    assert first == len(KEYS)
    heads.consider(proof)
    assert count == first
    wrong = tuple((number, bytes(64)) for number, _ in proof.signers)
    for _ in range(2):
        with pytest.raises(NotProven):
            heads.consider(replace(proof, signers=wrong))  # type: ignore[arg-type]  # bytes will do
    assert count == first + 2


def test_before_the_first_head_the_genesis_is_the_anchor() -> None:
    assert Heads(SHORT).anchor == Anchor((), SHORT.roster)
    assert Heads(SHORT).round == 0
