"""The chain of rosters: from the genesis to the members of today, one certificate an epoch.

The header of the round that seals an epoch names the next roster by its hash; the members of the
sealed epoch certify that header. So whoever trusts the genesis needs nothing else to learn who
votes now, and then can check any certificate of the newest epoch. Fetches and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.ids import NetworkId
from ledger.certificate import Certificate, Verifier, verify_certificate
from ledger.errors import BadCertificate, BadRosterChain
from ledger.genesis import Genesis
from ledger.header import RoundHeader
from ledger.roster import Roster


@dataclass(frozen=True, slots=True)
class RosterLink:
    """One step of the chain: how an epoch ended, and who votes in the next one."""

    header: RoundHeader
    """Of the round that sealed the epoch."""
    certificate: Certificate
    """Of that header, by the roster of the sealed epoch."""
    roster: Roster
    """Of the epoch that follows."""


def verify_roster_chain(
    genesis: Genesis, links: Iterable[RosterLink], *, verify: Verifier
) -> Roster:
    """Return the roster after the last link, the genesis's own without any.

    `links` are those of all epochs from the first one on, in order, without a gap. Accepted only
    if for each link, with the roster so far: (1) the header is of this network, of the roster's
    epoch, and of a round in it; (2) the certificate is of that header, and more than 2/3 of the
    roster's weight signed it; (3) the header names the next roster by its hash; (4) the next
    roster continues epoch, round and time where the header ends.
    Raises BadRosterChain, which says which epoch's link is wrong.
    """
    roster = genesis.roster
    for link in links:
        try:
            check_link(genesis.network_id, roster, link, verify)
        except (BadCertificate, BadRosterChain) as error:
            raise BadRosterChain(f"the end of epoch {roster.epoch}: {error.detail}") from error
        roster = link.roster
    return roster


def check_link(network_id: NetworkId, roster: Roster, link: RosterLink, verify: Verifier) -> None:
    """Return when `link` leads on from `roster` by the rules of `verify_roster_chain`.

    Raises BadCertificate or BadRosterChain.
    """
    header, certificate, following = link.header, link.certificate, link.roster
    if header.network_id != network_id:
        raise BadRosterChain("the header is of another network")
    if header.epoch != roster.epoch or header.round < roster.first_round:
        raise BadRosterChain(f"the header is of epoch {header.epoch}, round {header.round}")
    if (certificate.round, certificate.header_hash) != (header.round, header.hash):
        raise BadRosterChain("the certificate is of another header")
    verify_certificate(certificate, network_id, roster, verify=verify)
    if header.roster != following.hash:
        raise BadRosterChain("the next roster is not the one that the header names")
    continued = roster.next(following.first_round, header.consensus_time_ns, following.members)
    if following != continued or following.first_round != header.round + 1:
        raise BadRosterChain("the next roster does not begin where the header ends")
