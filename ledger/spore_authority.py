"""What gives a spore its authority: the genesis, and a proof of the roster that follows from it.

A primary spore is made by a member, and says so to anybody with the genesis: it carries the steps
from the genesis to the newest certified roster (`ledger.roster_proof`), and its issuer is in that
roster. A seed may carry the same.
"""

from __future__ import annotations

from gossip.discovery.errors import SporeNotPrimary
from gossip.discovery.spore import NetworkIdentity, Spore, verify
from ledger.errors import BadRosterChain
from ledger.genesis import Genesis
from ledger.roster import Roster
from ledger.roster_proof import VerifyAll, decode_proof, verify_proof


def network_identity(genesis: Genesis) -> NetworkIdentity:
    """Return what every spore of a network says of it."""
    return NetworkIdentity(
        genesis.network_id,
        genesis.name,
        genesis.time_ns,
        tuple(member.public_key for member in genesis.members),
    )


def proven_roster(
    spore: Spore, genesis: Genesis, *, verify_all: VerifyAll, trusted: Roster | None = None
) -> Roster | None:
    """Return the roster that a spore proves and whose member made it; None if it proves nothing.

    `trusted`: a roster that we know by ourselves. Raises SporeNotPrimary.
    """
    if not spore.proof:
        return None
    try:
        steps = decode_proof(spore.proof)
        roster = verify_proof(genesis, steps, verify_all=verify_all, trusted=trusted)
    except BadRosterChain as error:
        raise SporeNotPrimary(f"a spore of {spore.issuer_id}: {error.detail}") from error
    if roster.index_of(spore.issuer) is None:
        raise SporeNotPrimary(f"{spore.issuer_id} is no member of epoch {roster.epoch}")
    return roster


def check_spore(
    spore: Spore, genesis: Genesis, *, now_ns: int, verify_all: VerifyAll
) -> Roster | None:
    """Check all of a decoded spore by itself, and return what `proven_roster` does.

    Raises SporeTimeImpossible, SporeForged, SporeNotPrimary.
    """
    spore.check_times(now_ns)
    verify(spore, verify_all)
    return proven_roster(spore, genesis, verify_all=verify_all)
