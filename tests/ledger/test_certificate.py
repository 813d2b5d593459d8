"""A certificate is worth more than 2/3 of the weight, for one header of one network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.codec import NotCanonical, Value, WrongShape, decode, encode
from core.ids import Epoch, Hash, MemberIndex, NetworkId, Round, Signature
from identity.keys import KeyPair, verify
from ledger.certificate import (
    Certificate,
    Certifier,
    CheckpointSignature,
    check_own,
    checkpoint_message,
    parse_certificate,
    parse_checkpoint_signature,
    verify_certificate,
)
from ledger.errors import BadCertificate, Diverged
from ledger.genesis import Genesis
from ledger.limits import CERTIFICATE_ROUNDS_PENDING_MAX
from ledger.roster import Member, Roster
from tests.ledger.world import GENESIS, KEYS, NETWORK, START_NS

ROSTER = GENESIS.roster
NEXT_ROSTER = ROSTER.next(Round(6), START_NS)
HEADER = Hash(b"h" * 32)
OTHER_HEADER = Hash(b"o" * 32)


def _sign(
    member: int,
    round_number: int = 5,
    header: Hash = HEADER,
    *,
    network: NetworkId = NETWORK,
    epoch: int = 0,
) -> tuple[MemberIndex, Signature]:
    message = checkpoint_message(network, Epoch(epoch), Round(round_number), header)
    return MemberIndex(member), KEYS[member].sign(message)


def _certificate(members: Iterable[int]) -> Certificate:
    return Certificate(Epoch(0), Round(5), HEADER, tuple(_sign(member) for member in members))


def _checkpoint(member: int, round_number: int, header: Hash = HEADER) -> CheckpointSignature:
    return CheckpointSignature(
        Epoch(0), Round(round_number), header, *_sign(member, round_number, header)
    )


@given(st.sets(st.integers(0, 3)), st.lists(st.integers(1, 10), min_size=4, max_size=4))
@settings(deadline=None)
def test_only_more_than_two_thirds_of_the_weight_certify(
    signers: set[int], weights: list[int]
) -> None:
    members = tuple(Member(k.public_key, w, "m") for k, w in zip(KEYS, weights, strict=True))
    genesis = Genesis("weighted", members, START_NS)
    message = checkpoint_message(genesis.network_id, Epoch(0), Round(5), HEADER)
    certificate = Certificate(
        Epoch(0),
        Round(5),
        HEADER,
        tuple((MemberIndex(m), KEYS[m].sign(message)) for m in sorted(signers)),
    )
    if 3 * sum(weights[m] for m in signers) > 2 * sum(weights):
        verify_certificate(certificate, genesis.network_id, genesis.roster, verify=verify)
    else:
        with pytest.raises(BadCertificate, match="not more than 2/3"):
            verify_certificate(certificate, genesis.network_id, genesis.roster, verify=verify)


def test_a_member_counts_once() -> None:
    with pytest.raises(BadCertificate, match="twice"):
        verify_certificate(_certificate([0, 1, 1]), NETWORK, ROSTER, verify=verify)


@pytest.mark.parametrize("stranger", [4, 127, 128])
def test_a_stranger_does_not_count(stranger: int) -> None:
    signatures = (*_certificate([0, 1, 2]).signatures, (MemberIndex(stranger), _sign(3)[1]))
    with pytest.raises(BadCertificate, match="not a member"):
        verify_certificate(
            Certificate(Epoch(0), Round(5), HEADER, signatures), NETWORK, ROSTER, verify=verify
        )


@pytest.mark.parametrize(
    "third",
    [
        _sign(2, 6),
        _sign(2, 5, OTHER_HEADER),
        _sign(2, network=NetworkId(bytes(32))),
        _sign(2, epoch=1),
        (MemberIndex(2), _sign(3)[1]),
        (MemberIndex(2), Signature(bytes(64))),
    ],
)
def test_a_signature_of_anything_else_is_refused(third: tuple[MemberIndex, Signature]) -> None:
    certificate = Certificate(Epoch(0), Round(5), HEADER, (_sign(0), _sign(1), third, _sign(3)))
    with pytest.raises(BadCertificate, match="member 2"):
        verify_certificate(certificate, NETWORK, ROSTER, verify=verify)


def test_a_certificate_is_of_one_epoch_and_network() -> None:
    certificate = _certificate([0, 1, 2])
    verify_certificate(certificate, NETWORK, ROSTER, verify=verify)
    with pytest.raises(BadCertificate, match="of epoch 0, the roster of 1"):
        verify_certificate(certificate, NETWORK, NEXT_ROSTER, verify=verify)
    renamed = dataclasses.replace(certificate, epoch=Epoch(1))
    with pytest.raises(BadCertificate, match="signature of member 0"):
        verify_certificate(renamed, NETWORK, NEXT_ROSTER, verify=verify)
    other = Genesis("other", GENESIS.members, START_NS)
    with pytest.raises(BadCertificate, match="signature of member 0"):
        verify_certificate(certificate, other.network_id, other.roster, verify=verify)


@given(st.data())
@settings(deadline=None)
def test_no_bit_of_a_certificate_can_be_changed(data: st.DataObject) -> None:
    raw = bytearray(encode(_certificate([0, 2, 3]).to_value()))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        changed = parse_certificate(decode(bytes(raw)))
    except (NotCanonical, WrongShape):
        return
    with pytest.raises(BadCertificate):
        verify_certificate(changed, NETWORK, ROSTER, verify=verify)


@given(st.lists(st.integers(0, 3), max_size=6))
@settings(deadline=None)
def test_certificates_and_signatures_read_back(members: list[int]) -> None:
    certificate = _certificate(members)
    assert parse_certificate(decode(encode(certificate.to_value()))) == certificate
    signature = _checkpoint(1, 7)
    assert parse_checkpoint_signature(decode(encode(signature.to_value()))) == signature


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [5, HEADER, []],
        [-1, 5, HEADER, []],
        [b"", 5, HEADER, []],
        [0, -1, HEADER, []],
        [0, 5, b"h", []],
        [0, 5, HEADER, None],
        [0, 5, HEADER, [[0]]],
        [0, 5, HEADER, [[0, bytes(63)]]],
        [0, 5, HEADER, [[129, bytes(64)]]],
        [0, 5, HEADER, [[True, bytes(64)]]],
        [0, 5, HEADER, [[0, bytes(64)]] * 129],
    ],
)
def test_other_shapes_are_refused(value: Value) -> None:
    with pytest.raises(WrongShape):
        parse_certificate(value)
    with pytest.raises(WrongShape):
        parse_checkpoint_signature(value)


def test_the_certifier_completes_a_certificate_that_verifies() -> None:
    certifier = Certifier(ROSTER)
    assert (certifier.newest, certifier.certified_round) == (None, 0)
    assert certifier.add(_checkpoint(3, 5)) is None
    assert certifier.add(_checkpoint(0, 5)) is None
    certificate = certifier.add(_checkpoint(2, 5))
    assert certificate is not None
    assert [member for member, _ in certificate.signatures] == [0, 2, 3]
    verify_certificate(certificate, NETWORK, ROSTER, verify=verify)
    assert (certifier.newest, certifier.certified_round) == (certificate, 5)
    assert certifier.add(_checkpoint(1, 5)) is None
    assert certifier._pending == {}


def test_a_member_has_one_signature_a_round_whatever_it_signs() -> None:
    certifier = Certifier(ROSTER)
    for header in (OTHER_HEADER, HEADER, HEADER):
        assert certifier.add(_checkpoint(0, 5, header)) is None
    assert certifier.add(_checkpoint(1, 5)) is None
    assert certifier.add(_checkpoint(2, 5)) is None
    assert certifier.add(_checkpoint(3, 5)) is not None


def test_signatures_of_different_headers_do_not_add_up() -> None:
    certifier = Certifier(ROSTER)
    for member, header in ((0, HEADER), (1, HEADER), (2, OTHER_HEADER), (3, OTHER_HEADER)):
        assert certifier.add(_checkpoint(member, 5, header)) is None


@pytest.mark.parametrize("round_number", [0, CERTIFICATE_ROUNDS_PENDING_MAX + 1])
def test_rounds_out_of_reach_are_not_kept(round_number: int) -> None:
    certifier = Certifier(ROSTER)
    assert certifier.add(_checkpoint(0, round_number)) is None
    assert certifier._pending == {}


def test_what_is_pending_is_bounded_and_goes_with_a_newer_certificate() -> None:
    certifier = Certifier(ROSTER)
    signature = _sign(0)[1]
    for number in range(1, 2 * CERTIFICATE_ROUNDS_PENDING_MAX):
        certifier.add(
            CheckpointSignature(Epoch(0), Round(number), HEADER, MemberIndex(0), signature)
        )
        certifier.add(
            CheckpointSignature(Epoch(0), Round(number), HEADER, MemberIndex(4), signature)
        )
    assert len(certifier._pending) == CERTIFICATE_ROUNDS_PENDING_MAX
    assert certifier.adopt(Certificate(Epoch(0), Round(1000), HEADER, ()))
    assert min(certifier._pending) == 1001
    assert not certifier.adopt(Certificate(Epoch(0), Round(1000), HEADER, ()))
    assert certifier.add(_checkpoint(1, 1000)) is None


def test_a_certificate_of_another_header_than_ours_stops_the_cell() -> None:
    check_own(_certificate([0, 1, 2]), HEADER)
    with pytest.raises(Diverged, match="round 5"):
        check_own(_certificate([0, 1, 2]), OTHER_HEADER)


def test_one_heavy_member_certifies_alone() -> None:
    key, other = KeyPair(bytes([9]) * 32), KEYS[0]
    members = (Member(key.public_key, 3, "heavy"), Member(other.public_key, 1, "light"))
    certifier = Certifier(Roster(Epoch(0), Round(1), 0, members))
    message = checkpoint_message(NETWORK, Epoch(0), Round(1), HEADER)
    signature = CheckpointSignature(Epoch(0), Round(1), HEADER, MemberIndex(0), key.sign(message))
    assert certifier.add(signature) is not None
