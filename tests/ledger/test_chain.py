"""Who has the genesis learns who votes now, and nobody can tell it anything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import Epoch, Hash, NetworkId, Round
from identity.keys import verify
from ledger.chain import RosterLink, verify_roster_chain
from ledger.errors import BadRosterChain
from ledger.genesis import Genesis
from ledger.header import RoundHeader
from ledger.limits import EPOCH_ROUNDS_MIN
from ledger.roster import Roster
from tests.ledger.world import GENESIS, KEYS, START_NS, Cell, candidates, certified, put

SHORT = Genesis("short", GENESIS.members, START_NS, epoch_rounds=EPOCH_ROUNDS_MIN)
EVERYBODY = range(len(KEYS))
THREE = (0, 1, 3)


def _links(epochs: int) -> list[RosterLink]:
    """Return the links of a network whose epochs end by the number of their rounds."""
    cell, links = Cell(SHORT), list[RosterLink]()
    while len(links) < epochs:
        applied = cell.apply(candidates([put(cell.ledger.applied_round)]))
        if applied.sealed is not None:
            certificate = certified(applied.header, THREE)
            links.append(RosterLink(applied.header, certificate, applied.sealed))
    return links


LINKS = _links(3)


def _resigned(header: RoundHeader, roster: Roster) -> RosterLink:
    """Return a link that all members stand by, whatever it says."""
    return RosterLink(header, certified(header, EVERYBODY), roster)


@pytest.mark.parametrize("epochs", [0, 1, 2, 3])
def test_a_chain_leads_from_the_genesis_to_the_newest_roster(epochs: int) -> None:
    roster = verify_roster_chain(SHORT, LINKS[:epochs], verify=verify)
    assert roster == (LINKS[epochs - 1].roster if epochs else SHORT.roster)
    assert roster.epoch == epochs


@pytest.mark.parametrize(
    "links",
    [LINKS[1:], [LINKS[0], LINKS[2]], [LINKS[0], LINKS[0]], [LINKS[1], LINKS[0]]],
)
def test_links_are_those_of_all_epochs_in_order(links: list[RosterLink]) -> None:
    with pytest.raises(BadRosterChain, match="the header is of epoch"):
        verify_roster_chain(SHORT, links, verify=verify)


def test_a_chain_is_of_one_network() -> None:
    other = Genesis("other", GENESIS.members, START_NS, epoch_rounds=EPOCH_ROUNDS_MIN)
    with pytest.raises(BadRosterChain, match="another network"):
        verify_roster_chain(other, LINKS, verify=verify)


_FIRST = LINKS[0]
_LATER_TIME = dataclasses.replace(_FIRST.roster, last_time_ns=_FIRST.roster.last_time_ns + 1)
_LATER_ROUND = dataclasses.replace(_FIRST.roster, first_round=Round(18))
_LATER_EPOCH = dataclasses.replace(_FIRST.roster, epoch=Epoch(2))
_OTHER_MEMBERS = dataclasses.replace(_FIRST.roster, members=GENESIS.members[:3])


def _naming(roster: Roster) -> RosterLink:
    return _resigned(dataclasses.replace(_FIRST.header, roster=roster.hash), roster)


def _header(**changes: object) -> RosterLink:
    header: RoundHeader = dataclasses.replace(_FIRST.header, **changes)  # type: ignore[arg-type]  # the fields' types differ
    return _resigned(header, _FIRST.roster)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (dataclasses.replace(_FIRST, certificate=certified(_FIRST.header, (0, 1))), "weight 2"),
        (dataclasses.replace(_FIRST, certificate=certified(_FIRST.header, ())), "weight 0"),
        (dataclasses.replace(_FIRST, certificate=certified(_FIRST.header, range(5))), "signer 4"),
        (
            dataclasses.replace(_FIRST, certificate=certified(_FIRST.header, THREE, epoch=1)),
            "is of epoch 1",
        ),
        (dataclasses.replace(_FIRST, certificate=LINKS[1].certificate), "another header"),
        (dataclasses.replace(_FIRST, header=LINKS[1].header), "of epoch 1"),
        (dataclasses.replace(_FIRST, roster=LINKS[1].roster), "header names"),
        (dataclasses.replace(_FIRST, roster=_OTHER_MEMBERS), "header names"),
        (_header(round=Round(0)), "epoch 0, round 0"),
        (_header(network_id=NetworkId(bytes(32))), "another network"),
        (_header(round=Round(15)), "begin where"),
        (_header(consensus_time_ns=0), "begin where"),
        (_naming(_LATER_TIME), "begin where"),
        (_naming(_LATER_ROUND), "begin where"),
        (_naming(_LATER_EPOCH), "begin where"),
    ],
)
def test_a_link_that_does_not_hold_is_refused(link: RosterLink, words: str) -> None:
    with pytest.raises(BadRosterChain, match=f"end of epoch 0: .*{words}"):
        verify_roster_chain(SHORT, [link, *LINKS[1:]], verify=verify)
    assert BadRosterChain.code == "MYC-LEDGER-022"


def test_members_may_name_other_members() -> None:
    assert verify_roster_chain(SHORT, [_naming(_OTHER_MEMBERS)], verify=verify) == _OTHER_MEMBERS


_TAMPERS: list[Callable[[RosterLink, int], RosterLink]] = [
    lambda link, bit: dataclasses.replace(
        link, header=dataclasses.replace(link.header, state_root=_flip(link.header.state_root, bit))
    ),
    lambda link, bit: dataclasses.replace(
        link,
        certificate=dataclasses.replace(
            link.certificate, header_hash=_flip(link.certificate.header_hash, bit)
        ),
    ),
    lambda link, bit: dataclasses.replace(
        link, header=dataclasses.replace(link.header, roster=_flip(link.header.roster, bit))
    ),
]


def _flip(value: Hash, bit: int) -> Hash:
    number = int.from_bytes(value, "big") ^ 1 << bit
    return Hash(number.to_bytes(len(value), "big"))


@given(st.integers(0, 2), st.sampled_from(_TAMPERS), st.integers(0, 255))
@settings(deadline=None, max_examples=40)
def test_no_bit_of_a_chain_can_be_changed(
    at: int, tamper: Callable[[RosterLink, int], RosterLink], bit: int
) -> None:
    links = list(LINKS)
    links[at] = tamper(links[at], bit)
    with pytest.raises(BadRosterChain, match=f"end of epoch {at}"):
        verify_roster_chain(SHORT, links, verify=verify)
