"""Who votes now, proven to whoever has the genesis, in as few steps as the members changed.

    proof  [[header, certificate, [signer, …], roster or nil], …]

A step is a certified header, and the roster that it names: the next one if the round sealed its
epoch, else the present one. From the members trusted so far, a step counts when those among them
who signed it have more than 2/3 of *their* weight. So epochs that changed nothing, or little, are
skipped. That assumes no more than the whole chain (`ledger.chain`) does: in both, more than 2/3 of
the members of an old epoch could name another future.

`signers` are the keys that the certificate's numbers stand for. They need no proof of their own:
only the signatures of members that are trusted already count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from core.codec import NotCanonical, Value, WrongShape, as_array, as_bytes, decode, encode
from core.ids import NetworkId, PublicKey, Signature
from core.limits import PUBLIC_KEY_SIZE_BYTES
from ledger.certificate import Certificate, checkpoint_message, parse_certificate
from ledger.errors import BadRoster, BadRosterChain
from ledger.genesis import Genesis
from ledger.header import RoundHeader, decode_header
from ledger.limits import MEMBERS_MAX, ROSTER_STEPS_MAX
from ledger.roster import Roster, decode_roster

Check: TypeAlias = tuple[PublicKey, bytes, bytes]
"""Public key, message, signature."""
VerifyAll: TypeAlias = Callable[[list[Check]], list[bool]]

_STEP_ITEMS: Final = 4


@dataclass(frozen=True, slots=True)
class RosterStep:
    """A certified header, who signed it, and the roster that votes after it."""

    header: RoundHeader
    certificate: Certificate
    signers: tuple[PublicKey, ...]
    """By their number in the certificate: the roster of the header's epoch."""
    roster: Roster


def encode_proof(steps: Sequence[RosterStep]) -> bytes:
    """Return the canonical bytes of a proof."""
    items: list[Value] = [
        [
            step.header.encode(),
            step.certificate.to_value(),
            list(step.signers),
            step.roster.encode(),
        ]
        for step in steps
    ]
    return encode(items)


def decode_proof(data: bytes) -> list[RosterStep]:
    """Return the steps in `data`; raises BadRosterChain. Checks no signatures."""
    try:
        return [_step(item) for item in as_array(decode(data), length_max=ROSTER_STEPS_MAX)]
    except (NotCanonical, WrongShape, BadRoster) as error:
        raise BadRosterChain(error.detail) from error


def shortest(trusted: Roster, steps: Sequence[RosterStep]) -> list[RosterStep]:
    """Return as few of these steps as lead from a trusted roster to the last one, if any do.

    `steps` are in order of their rounds, and hold the newest one last. Empty if no way leads to
    it. Trusts the signatures: they are this cell's own records.
    """
    way: list[RosterStep] = []
    at = 0
    while at < len(steps) and len(way) < ROSTER_STEPS_MAX:
        reachable = (
            later for later in range(len(steps) - 1, at - 1, -1) if _suffices(trusted, steps[later])
        )
        following = next(reachable, None)
        if following is None:
            return []
        way.append(steps[following])
        trusted, at = steps[following].roster, following + 1
    return way if at == len(steps) else []


def verify_proof(
    genesis: Genesis,
    steps: Sequence[RosterStep],
    *,
    verify_all: VerifyAll,
    trusted: Roster | None = None,
) -> Roster:
    """Return the roster after the last step, the genesis's own without any.

    Accepted only if for each step, with the roster so far: (1) the header is of this network, and
    later than the step before; (2) the certificate is of that header, no signer is there twice,
    and every signature of a trusted member is right; (3) these members have more than 2/3 of the
    trusted weight; (4) the header names the step's roster by its hash. A roster that we `trusted`
    before needs no signatures. Raises BadRosterChain.
    """
    roster, last_round = genesis.roster, 0
    for step in steps:
        _check_form(genesis.network_id, step, last_round)
        if trusted is None or step.roster != trusted:
            checks = _signature_checks(genesis.network_id, roster, step)
            if not _suffices(roster, step) or not all(verify_all(checks)):
                raise BadRosterChain(
                    f"round {step.header.round} is not signed by more than 2/3 of the weight of "
                    f"epoch {roster.epoch}"
                )
        roster, last_round = step.roster, step.header.round
    return roster


def _check_form(network_id: NetworkId, step: RosterStep, last_round: int) -> None:
    header, certificate = step.header, step.certificate
    if header.network_id != network_id or header.round <= last_round:
        raise BadRosterChain(f"round {header.round} is of another network, or not a later one")
    named = (certificate.epoch, certificate.round, certificate.header_hash)
    if named != (header.epoch, header.round, header.hash):
        raise BadRosterChain(f"the certificate of round {header.round} is of another header")
    if header.roster != step.roster.hash:
        raise BadRosterChain(f"round {header.round} names another roster")
    numbers = [number for number, _ in certificate.signatures]
    if len(set(numbers)) != len(numbers) or any(at >= len(step.signers) for at in numbers):
        raise BadRosterChain(f"the signers of round {header.round} are not who they can be")
    if len(set(step.signers)) != len(step.signers):
        raise BadRosterChain(f"a signer of round {header.round} is there twice")


def _suffices(trusted: Roster, step: RosterStep) -> bool:
    weights = {member.public_key: member.weight for member in trusted.members}
    signed = {step.signers[number] for number, _ in step.certificate.signatures}
    return trusted.is_supermajority(sum(weights.get(key, 0) for key in signed))


def _signature_checks(network_id: NetworkId, trusted: Roster, step: RosterStep) -> list[Check]:
    keys = {member.public_key for member in trusted.members}
    certificate = step.certificate
    message = checkpoint_message(
        network_id, certificate.epoch, certificate.round, certificate.header_hash
    )
    signed: list[tuple[PublicKey, Signature]] = [
        (step.signers[number], signature) for number, signature in certificate.signatures
    ]
    return [(key, message, signature) for key, signature in signed if key in keys]


def _step(value: Value) -> RosterStep:
    header, certificate, signers, roster = as_array(value, length=_STEP_ITEMS)
    keys = as_array(signers, length_max=MEMBERS_MAX)
    return RosterStep(
        decode_header(as_bytes(header)),
        parse_certificate(certificate),
        tuple(PublicKey(as_bytes(key, size=PUBLIC_KEY_SIZE_BYTES)) for key in keys),
        decode_roster(as_bytes(roster)),
    )
