"""A round seals the epoch: the old roster certifies it, and the new one goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from core.ids import Epoch, MemberIndex, Round
from hashgraph.outcome import DecidedRound, OrderedEvent
from ledger.certificate import Certificate, CheckpointSignature, checkpoint_message
from ledger.errors import BadCertificate, Diverged
from ledger.header import RoundHeader
from ledger.members import MemberLeave
from ledger.roster import Roster
from node.stages.consensus import Identity
from node.stages.execution import Executed, Execution
from tests.ledger.pages import PageDisk
from tests.ledger.world import GENESIS as LONG
from tests.ledger.world import KEYS, START_NS, opaque, signed, write_state
from tests.node.stages.world import made

GENESIS = dataclasses.replace(LONG, epoch_rounds=16)
ZERO, ONE = Epoch(0), Epoch(1)


class Stage:
    """The execution stage of a member, with its disk."""

    def __init__(self, me: int = 0) -> None:
        self.state: dict[bytes, bytes] = {}
        identity = Identity(KEYS[me].public_key, KEYS[me].sign)
        self.pages = PageDisk()
        self.stage = Execution(GENESIS, identity, self.state.get, self.pages.read)
        self.headers: list[RoundHeader] = []
        self.rosters: list[Roster] = [GENESIS.roster]

    def apply(self, *payload: bytes) -> Executed:
        number = Round(self.stage.ledger.applied_round + 1)
        ordered = (OrderedEvent(made(0, payload=payload), START_NS + number),) if payload else ()
        decided = DecidedRound(number, (), ordered)
        executed = self.stage.apply(decided, self.stage.candidates(decided), lambda _: True, ())
        write_state(self.state, executed.applied.changes)
        self.pages.write(executed.applied.pages)
        self.headers.append(executed.applied.header)
        if executed.applied.sealed is not None:
            self.rosters.append(executed.applied.sealed)
        return executed

    def seal(self) -> Executed:
        """Apply rounds up to the one that seals the epoch."""
        while True:
            executed = self.apply()
            if executed.applied.sealed is not None:
                return executed


def _signatures(
    header: RoundHeader, *keys: int, members: Sequence[int] = range(4)
) -> list[CheckpointSignature]:
    """`members` are the numbers of the roster's keys."""
    message = checkpoint_message(GENESIS.network_id, header.epoch, header.round, header.hash)
    return [
        CheckpointSignature(
            header.epoch,
            header.round,
            header.hash,
            MemberIndex(list(members).index(key)),
            KEYS[key].sign(message),
        )
        for key in keys
    ]


def _certificate(header: RoundHeader, *keys: int) -> Certificate:
    pairs = tuple((s.member, s.signature) for s in _signatures(header, *keys))
    return Certificate(header.epoch, header.round, header.hash, pairs)


def test_the_sealing_round_is_signed_though_it_added_no_transactions() -> None:
    one = Stage()
    executed = one.seal()
    header = executed.applied.header
    assert (header.round, header.transactions) == (16, 0)
    assert executed.signature == _signatures(header, 0)[0]
    assert one.apply().signature is None


def test_the_old_roster_certifies_the_sealing_round_after_the_switch() -> None:
    one = Stage()
    header = one.seal().applied.header
    one.apply(opaque("a"))
    for signature in _signatures(header, 0, 1):
        taken = one.stage.signature_from(signature.to_value())
        assert taken is not None
        assert one.stage.add_signature(taken) is None
    (last,) = _signatures(header, 2)
    assert one.stage.add_signature(last) == _certificate(header, 0, 1, 2)
    assert one.stage.certified_round == 16
    assert [certificate.epoch for certificate in one.stage.certificates()] == [ZERO]


def test_each_epoch_has_a_newest_certificate_and_the_higher_counts() -> None:
    one = Stage()
    sealing = one.seal().applied.header
    newer = one.apply(opaque("a")).applied.header
    for header in (newer, sealing):
        certificate = _certificate(header, 0, 1, 2)
        assert one.stage.certificate_from(certificate.to_value()) == certificate
        assert one.stage.certified_round == newer.round
    assert [c.round for c in one.stage.certificates()] == [sealing.round, newer.round]


def test_a_signature_of_one_epoch_is_none_of_another() -> None:
    one = Stage()
    sealing = one.seal().applied.header
    (good,) = _signatures(sealing, 1)
    relabelled = dataclasses.replace(good, epoch=ONE, round=Round(17))
    with pytest.raises(BadCertificate):
        one.stage.signature_from(relabelled.to_value())


def test_who_left_signs_the_round_that_let_it_go_and_no_later_one() -> None:
    one = Stage(1)
    leave = signed(KEYS[1], 0, MemberLeave(), network_id=GENESIS.network_id)
    executed = one.apply(leave)
    sealed = executed.applied.sealed
    assert sealed is not None
    assert len(sealed.members) == 3
    assert executed.signature == _signatures(executed.applied.header, 1)[0]
    assert one.apply(opaque("a")).signature is None


def test_the_new_roster_numbers_its_signers_anew() -> None:
    one = Stage(0)
    one.apply(signed(KEYS[1], 0, MemberLeave(), network_id=GENESIS.network_id))
    header = one.apply(opaque("a")).applied.header
    members = (0, 2, 3)
    certificates = [
        one.stage.add_signature(signature)
        for signature in _signatures(header, 0, 2, 3, members=members)
    ]
    assert [certificate is None for certificate in certificates] == [True, True, False]
    (old,) = _signatures(header, 3, members=(0, 1, 2, 3))
    with pytest.raises(BadCertificate):
        one.stage.signature_from(dataclasses.replace(old, round=Round(header.round + 1)).to_value())


def test_of_two_epochs_ago_nothing_is_kept() -> None:
    one = Stage()
    first = one.seal().applied.header
    one.seal()
    assert sorted(one.stage._certifiers) == [1, 2]
    assert one.stage.signature_from(_signatures(first, 1)[0].to_value()) is None
    assert one.stage.certificate_from(_certificate(first, 0, 1, 2).to_value()) is None


def test_a_restored_stage_certifies_the_end_of_the_epoch_before() -> None:
    one = Stage()
    one.apply(opaque("a"))
    sealing = one.seal().applied.header
    one.apply(opaque("b"))
    again = Stage()
    certificate = _certificate(one.headers[0], 0, 1, 2)
    again.state.update(one.state)
    again.pages.write_all(one.pages)
    again.stage.restore(one.rosters, one.pages.heads(), one.headers, [certificate])
    assert (again.stage.ledger.roster, again.stage.certified_round) == (one.rosters[-1], 1)
    for signature in _signatures(sealing, 1, 2, 3):
        again.stage.add_signature(signature)
    assert again.stage.certified_round == sealing.round
    assert again.stage.sign(sealing) == _signatures(sealing, 0)[0]
    payload = opaque("c")
    assert again.apply(payload).applied == one.apply(payload).applied


def test_a_certificate_of_another_sealing_round_stops_the_cell() -> None:
    one, other = Stage(), Stage(1)
    one.apply(opaque("mine"))
    other.apply(opaque("theirs"))
    one.seal()
    theirs = other.seal().applied.header
    with pytest.raises(Diverged):
        one.stage.certificate_from(_certificate(theirs, 1, 2, 3).to_value())
