"""Decided rounds become headers that members sign, and only true signatures certify them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from core.codec import Value, WrongShape, decode, encode
from core.errors import RemoteViolation
from core.ids import Epoch, Hash, MemberIndex, Round
from hashgraph.outcome import DecidedRound, OrderedEvent
from identity.keys import verify_all
from ledger.certificate import Certificate, CheckpointSignature, checkpoint_message
from ledger.errors import BadCertificate, Diverged, Malformed, UnknownKind, WrongSignature
from ledger.header import APPLIED, RoundHeader
from ledger.machine import Applied
from ledger.namespaces import NamespaceRelease
from ledger.transaction import parse, transaction_id
from node.stages import execution as execution_module
from node.stages.consensus import Identity
from node.stages.execution import Executed, Execution, Unverified
from tests.ledger.pages import PageDisk
from tests.ledger.world import GENESIS, KEYS, NETWORK, START_NS, opaque, put, signed, write_state
from tests.node.stages.world import EPOCH, STRANGER, made


def _stage(me: int | None = 0, disk: Disk | None = None) -> Execution:
    key = STRANGER if me is None else KEYS[me]
    identity = Identity(key.public_key, key.sign)
    if disk is None:
        return Execution(GENESIS, identity, _nothing)
    return Execution(GENESIS, identity, disk.state.get, disk.pages.read)


class Disk:
    """What a stage's owner keeps."""

    def __init__(self) -> None:
        self.state: dict[bytes, bytes] = {}
        self.pages = PageDisk()

    def write(self, applied: Applied) -> None:
        """Make a round durable."""
        write_state(self.state, applied.changes)
        self.pages.write(applied.pages)


def _nothing(_: bytes) -> bytes | None:
    return None


def _decided(number: int, *payloads: Sequence[bytes]) -> DecidedRound:
    ordered = tuple(
        OrderedEvent(made(at, payload=payload), START_NS + 10 * number + at)
        for at, payload in enumerate(payloads)
    )
    return DecidedRound(Round(number), (), ordered)


_ROUND_1 = (Round(1), Hash(bytes(32)))


def _valid(item: Unverified) -> bool:
    return all(verify_all(item.signature_checks))


def _apply(stage: Execution, *payloads: Sequence[bytes]) -> Executed:
    decided = _decided(stage.ledger.applied_round + 1, *payloads)
    return stage.apply(decided, stage.candidates(decided), _valid, ())


def _signatures(header: RoundHeader, *members: int) -> list[CheckpointSignature]:
    message = checkpoint_message(NETWORK, EPOCH, header.round, header.hash)
    return [
        CheckpointSignature(EPOCH, header.round, header.hash, MemberIndex(m), KEYS[m].sign(message))
        for m in members
    ]


def _certificate(header: RoundHeader, *members: int) -> Certificate:
    pairs = tuple((s.member, s.signature) for s in _signatures(header, *members))
    return Certificate(EPOCH, header.round, header.hash, pairs)


def _forged(raw: bytes) -> bytes:
    body, _ = decode(raw)  # type: ignore[misc]  # a signed transaction is a pair
    return encode([body, bytes(64)])


def test_transactions_are_applied_in_order_with_their_events_and_times() -> None:
    executed = _apply(_stage(), [put(0), opaque("a")], [], [opaque("b"), b"junk"])
    entries = executed.applied.entries
    expected = [put(0), opaque("a"), opaque("b"), b"junk"]
    assert [entry.receipt.id for entry in entries] == [transaction_id(raw) for raw in expected]
    assert [entry.candidate.creator for entry in entries] == [0, 0, 2, 2]
    assert [entry.receipt.consensus_time_ns - START_NS for entry in entries] == [10, 10, 12, 12]
    assert [entry.receipt.outcome for entry in entries] == [APPLIED] * 3 + [Malformed.code]
    assert executed.applied.header.consensus_time_ns == START_NS + 12


def test_a_wrong_signature_is_refused_and_uses_no_nonce() -> None:
    stage = _stage()
    applied = _apply(stage, [_forged(put(0)), put(0)]).applied
    assert [e.receipt.outcome for e in applied.entries] == [WrongSignature.code, APPLIED]


def test_what_an_earlier_round_listed_is_skipped() -> None:
    stage = _stage()
    first = _apply(stage, [opaque("a")])
    decided = _decided(2, [opaque("a"), opaque("b")])
    before = {entry.receipt.id for entry in first.applied.entries}
    again = stage.apply(decided, stage.candidates(decided), _valid, before)
    assert [e.receipt.id for e in again.applied.entries] == [transaction_id(opaque("b"))]


def test_a_member_signs_every_header_that_added_transactions_and_an_observer_none() -> None:
    stage = _stage()
    executed = _apply(stage, [opaque("a")])
    assert executed.signature == _signatures(executed.applied.header, 0)[0]
    assert _apply(stage, []).signature is None
    assert _apply(_stage(None), [opaque("a")]).signature is None


def test_a_header_is_signed_that_changed_the_state_without_a_transaction() -> None:
    """The first event of a member is noted in the state: a quiet network can prove that one too."""
    stage = _stage()
    _apply(stage, [opaque("a")])
    executed = _apply(stage, [], [])
    assert executed.applied.changes
    assert executed.signature == _signatures(executed.applied.header, 0)[0]
    assert _apply(stage, [], []).signature is None


def test_signatures_of_more_than_two_thirds_certify_the_round() -> None:
    stage = _stage()
    header = _apply(stage, [opaque("a")]).applied.header
    certificates = [stage.add_signature(s) for s in _signatures(header, 0, 1, 2)]
    assert certificates[:2] == [None, None]
    assert certificates[2] == _certificate(header, 0, 1, 2)
    assert stage.certified_round == 1


def test_a_peers_signature_is_checked() -> None:
    stage = _stage()
    header = _apply(stage, [opaque("a")]).applied.header
    (good,) = _signatures(header, 2)
    assert stage.signature_from(good.to_value()) == good
    bad: list[Value] = [
        [EPOCH, good.round, good.header_hash, 1, good.signature],
        [EPOCH, good.round, good.header_hash, 4, good.signature],
        [EPOCH, good.round + 1, good.header_hash, 2, good.signature],
        [EPOCH, good.round, bytes(32), 2, good.signature],
        [EPOCH, good.round, good.header_hash, 2, bytes(64)],
    ]
    for value in bad:
        with pytest.raises(BadCertificate):
            stage.signature_from(value)
    with pytest.raises(WrongShape):
        stage.signature_from([1, 2, 3])
    with pytest.raises(WrongShape):
        stage.signature_from([good.round, good.header_hash, 2, good.signature])


def test_a_peers_certificate_is_adopted_when_it_is_newer_and_true() -> None:
    stage, other = _stage(), _stage(1)
    headers = [_apply(other, [opaque(str(at))]).applied.header for at in range(3)]
    newer = _certificate(headers[1], 0, 1, 2)
    assert stage.certificate_from(newer.to_value()) == newer
    assert (stage.certificates(), stage.certified_round) == ([newer], 0)
    assert stage.certificate_from(newer.to_value()) is None
    assert stage.certificate_from(_certificate(headers[0], 0, 1, 2).to_value()) is None
    for false in (
        _certificate(headers[2], 0, 1),
        Certificate(EPOCH, Round(9), Hash(bytes(32)), ()),
    ):
        with pytest.raises(RemoteViolation):
            stage.certificate_from(false.to_value())
    assert stage.certificates() == [newer]
    _apply(stage, [opaque("0")])
    assert stage.certified_round == 1


def test_a_certificate_of_another_state_stops_the_cell_whichever_comes_first() -> None:
    stage, other = _stage(), _stage(1)
    _apply(stage, [opaque("mine")])
    header = _apply(other, [opaque("theirs")]).applied.header
    with pytest.raises(Diverged):
        stage.certificate_from(_certificate(header, 1, 2, 3).to_value())
    late = _stage()
    late.certificate_from(_certificate(header, 1, 2, 3).to_value())
    late.check_agreed()
    executed = _apply(late, [opaque("mine")])
    assert executed.signature is None
    assert late.certified_round == 0
    with pytest.raises(Diverged):
        late.check_agreed()
    signed = _stage()
    _apply(signed, [opaque("mine")])
    for signature in _signatures(header, 1, 2):
        assert signed.add_signature(signature) is None
    with pytest.raises(Diverged):
        signed.add_signature(_signatures(header, 3)[0])


def test_a_restored_stage_goes_on_as_if_it_had_never_stopped() -> None:
    disk = Disk()
    stage = _stage(disk=disk)
    headers = []
    for number in range(4):
        applied = _apply(stage, [put(number, value=bytes([number]))]).applied
        disk.write(applied)
        headers.append(applied.header)
    certificate = _certificate(headers[2], 0, 1, 3)
    again = _stage(disk=disk)
    again.restore([GENESIS.roster], disk.pages.heads(), headers, [certificate])
    assert again.certified_round == 3
    one, other = _apply(stage, [put(9)]), _apply(again, [put(9)])
    assert one.applied == other.applied
    assert one.signature == other.signature


def test_a_restored_certificate_that_contradicts_our_headers_stops_the_cell() -> None:
    stage, other = _stage(), _stage(1)
    applied = _apply(stage, [opaque("mine")]).applied
    disk = Disk()
    disk.write(applied)
    theirs = _apply(other, [opaque("theirs")]).applied.header
    certificate = _certificate(theirs, 1, 2, 3)
    with pytest.raises(Diverged):
        _stage(disk=disk).restore(
            [GENESIS.roster], disk.pages.heads(), [applied.header], [certificate]
        )


def test_a_signature_of_an_epoch_that_is_not_here_is_left_alone() -> None:
    stage = _stage()
    header = _apply(_stage(), [opaque("a")]).applied.header
    (good,) = _signatures(header, 1)
    ahead = dataclasses.replace(good, epoch=Epoch(1))
    assert stage.signature_from(ahead.to_value()) is None
    assert stage.certificate_from(Certificate(Epoch(1), *_ROUND_1, ()).to_value()) is None
    assert stage.signature_from(good.to_value()) == good


def test_a_signature_says_which_epoch_it_is_of() -> None:
    header = _apply(_stage(), [opaque("a")]).applied.header
    (good,) = _signatures(header, 1)
    message = checkpoint_message(NETWORK, Epoch(1), header.round, header.hash)
    other = dataclasses.replace(good, signature=KEYS[1].sign(message))
    with pytest.raises(BadCertificate):
        _stage().signature_from(other.to_value())


def test_the_hashes_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_module, "HEADERS_CACHED_MAX", 3)
    stage = _stage()
    for _ in range(6):
        _apply(stage, [])
    assert list(stage._hashes) == [4, 5, 6]


def test_what_was_taken_in_an_epoch_of_a_later_version_is_unknown_in_this_one() -> None:
    """As to cells that never took it: another order by nonce would be another header."""
    late = signed(KEYS[0], 1, NamespaceRelease("club"))
    raws = [put(2), late, put(3)]
    taken = {transaction_id(late): parse(late, NETWORK)}
    headers = []
    for known in (taken, {}):
        stage = _stage()
        decided = _decided(1, raws)
        applied = stage.apply(decided, stage.candidates(decided, known.get), _valid, ()).applied
        outcomes = [entry.receipt.outcome for entry in applied.entries]
        assert outcomes == [APPLIED, UnknownKind.code, APPLIED]
        assert [entry.receipt.id for entry in applied.entries] == [*map(transaction_id, raws)]
        headers.append(applied.header)
    assert headers[0] == headers[1]
