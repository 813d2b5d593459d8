"""What a running cell takes from peers and finders, what it refuses, and whom it looks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from core.codec import encode
from core.errors import RemoteViolation
from core.ids import CellId, NetworkId
from gossip.discovery.address import Reach
from gossip.discovery.announcement import Announcement, announce, decode_announcement
from gossip.discovery.book import AddressBook
from gossip.discovery.errors import (
    BadAnnouncement,
    BadSpore,
    SporeForged,
    SporeNotPrimary,
    SporeOfOtherNetwork,
)
from gossip.discovery.limits import ANNOUNCED_MAX, CLOCK_TOLERANCE_NS, TRUST_AT_FIRST
from gossip.discovery.spore import Node, Spore, Variant, decode_spore, make_spore
from gossip.wire import Announced, Frame, FrameReader, SporeFrame
from identity.keys import KeyPair
from ledger.genesis import Genesis
from ledger.members import Action
from ledger.roster_proof import RosterStep, encode_proof
from ledger.spore_authority import network_identity
from node.discovery import task as module
from node.discovery.finders import Findings
from node.discovery.limits import SPORES_BURST_MAX
from node.discovery.roster_proofs import RosterProofs
from node.discovery.task import Discovery, DiscoverySources
from node.peers import Peers
from node.verifier import Verifier
from sim.clock import installed
from sim.loop import SimLoop
from tests.gossip.discovery.spore_world import at, many
from tests.ledger.test_roster_proof import SHORT, History
from tests.ledger.world import ALL_KEYS, NEWCOMERS

NETWORK = network_identity(SHORT)
OWN, PEER, OTHER = ALL_KEYS[0], ALL_KEYS[1], ALL_KEYS[2]
NEAR, FAR = "/ip4/127.0.0.1/tcp/5", "/ip4/8.8.8.8/tcp/5"


class Proofs:
    """A network in which nothing is certified yet."""

    async def proof(self) -> tuple[bytes, object]:
        return encode([]), SHORT.roster


class FakePeers:
    """Notes what it is told."""

    class host:  # noqa: N801 - stands for an attribute
        addresses = (f"/ip4/127.0.0.1/tcp/4710/p2p/{OWN.cell_id}",)

    def __init__(self) -> None:
        self.cells: list[CellId] = []
        self.sought: list[set[CellId]] = []
        self.sent: list[tuple[CellId, Frame]] = []

    def connected(self) -> list[CellId]:
        return self.cells

    def seek(self, cells: set[CellId]) -> None:
        self.sought.append(set(cells))

    def send(self, cell_id: CellId, data: bytes) -> None:
        self.sent += [(cell_id, frame) for frame in FrameReader().feed(data)]


class FakeFinder:
    name = "fake"

    def __init__(self, findings: Findings = Findings()) -> None:  # noqa: B008 - it is frozen
        self.findings = findings
        self.searches = 0
        self.told: list[list[str]] = []
        self.closed = False

    async def find(self) -> Findings:
        self.searches += 1
        return self.findings

    async def announce(self, addresses: Sequence[str]) -> None:
        self.told.append(list(addresses))

    async def close(self) -> None:
        self.closed = True


class World:
    """A Discovery with fakes around it."""

    def __init__(self, *finders: FakeFinder, genesis: Genesis = SHORT) -> None:
        self.book = AddressBook(OWN.cell_id)
        self.verifier = Verifier()
        sources = DiscoverySources(
            OWN, genesis, lambda: genesis.roster, cast("RosterProofs", Proofs()), finders
        )
        self.discovery = Discovery(sources, self.book, self.verifier)
        self.peers = FakePeers()

    def meet(self, key: KeyPair, remote: str = NEAR) -> list[Frame]:
        self.peers.cells = sorted({*self.peers.cells, key.cell_id})
        return list(self.discovery.introduce(key.cell_id, remote))

    async def take(self, key: KeyPair, spore: Spore) -> None:
        await self.discovery.take(key.cell_id, SporeFrame(spore.encoded))

    async def tell(self, key: KeyPair, *items: Announcement) -> None:
        await self.discovery.take(key.cell_id, Announced(tuple(item.encoded for item in items)))

    async def run(self, seconds: float) -> None:
        task = asyncio.create_task(self.discovery.run(cast("Peers", self.peers)))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def go(main: Coroutine[Any, Any, None]) -> None:
    """Run it on virtual time, where no stall of the machine is seen."""
    loop = SimLoop()
    with installed(loop, 1):
        loop.run_until_complete(main)


def said(key: KeyPair, host: str = "127.0.0.1", **changes: object) -> list[Announcement]:
    fields: dict[str, Any] = {
        "network_id": SHORT.network_id,
        "public_key": key.public_key,
        "node_type": "rhizomorph",
        "issued_ns": time.time_ns(),
        "addresses": [at(key.cell_id, 1, host)],
        "sign": key.sign,
        **changes,
    }
    return announce(**fields)


def made(issuer: KeyPair, *keys: KeyPair, **changes: object) -> Spore:
    now_ns = time.time_ns()
    fields: dict[str, Any] = {
        "updated_ns": now_ns,
        "issuer": issuer.public_key,
        "sign": issuer.sign,
        **changes,
    }
    nodes = [Node(tuple(said(key)), now_ns, TRUST_AT_FIRST) for key in keys]
    variant = fields.pop("variant", Variant.LATENT)
    return make_spore(variant, NETWORK, nodes, **fields)


def test_a_peer_is_told_all_that_makes_sense_to_it_and_a_member_proves_it_is_one() -> None:
    async def main() -> None:
        world = World()
        await world.run(0.1)
        world.book.learn(said(OTHER), "x")
        world.book.learn(said(NEWCOMERS[0], "8.8.4.4"), "x")
        for remote, known in ((NEAR, 3), (FAR, 1), (None, 1)):
            (frame,) = world.discovery.introduce(PEER.cell_id, remote)
            assert isinstance(frame, SporeFrame)
            spore = decode_spore(frame.data, NETWORK)
            assert spore.variant is Variant.PRIMARY
            assert len(spore.nodes) == known
            spore.check_times(time.time_ns())

    go(main())


def test_a_spore_of_a_peer_is_taken_and_its_news_are_passed_on_to_the_others() -> None:
    async def main() -> None:
        world = World()
        world.meet(PEER)
        world.meet(OTHER)
        await world.take(PEER, made(PEER, PEER, NEWCOMERS[0]))
        assert world.book.cells() == sorted([PEER.cell_id, NEWCOMERS[0].cell_id])
        await world.run(0.1)
        told: dict[CellId, set[CellId]] = {}
        for cell, frame in world.peers.sent:
            assert isinstance(frame, Announced)
            for data in frame.announcements:
                item = decode_announcement(data, SHORT.network_id)
                told.setdefault(cell, set()).add(item.cell_id)
        assert told[OTHER.cell_id] == {PEER.cell_id, NEWCOMERS[0].cell_id, OWN.cell_id}
        assert told[PEER.cell_id] == {OWN.cell_id}

    go(main())


def test_tampered_spores_and_those_in_anothers_name_are_the_fault_of_who_sent_them() -> None:
    async def main() -> None:
        good = made(PEER, PEER, NEWCOMERS[0])
        forged = replace(good, updated_ns=good.updated_ns + 1)
        stranger = NEWCOMERS[1]
        proof = encode([])
        for wrong, error in (
            (forged, SporeForged),
            (made(OTHER, OTHER), BadSpore),
            (made(PEER, PEER, variant=Variant.SEED), BadSpore),
            (made(stranger, PEER, variant=Variant.PRIMARY, proof=proof), SporeNotPrimary),
            (made(PEER, PEER, variant=Variant.PRIMARY, proof=b"rubbish"), SporeNotPrimary),
        ):
            world = World()
            world.meet(PEER)
            world.book.worked(PEER.cell_id, None, 1)
            with pytest.raises(error) as refusal:
                await world.take(PEER, wrong)
            assert isinstance(refusal.value, RemoteViolation)
            assert world.book.addresses(PEER.cell_id) == ()
            assert world.book.cells() == [PEER.cell_id]
            entry = world.book.entry(PEER.cell_id)
            assert entry is not None
            assert entry.trust < TRUST_AT_FIRST

    go(main())


def test_spores_and_announcements_of_another_network_are_refused() -> None:
    async def main() -> None:
        other = replace(NETWORK, network_id=NetworkId(bytes(32)))
        foreign = make_spore(
            Variant.LATENT, other, [], updated_ns=time.time_ns(), issuer=PEER.public_key,
            sign=PEER.sign,
        )  # fmt: skip
        world = World()
        world.meet(PEER)
        with pytest.raises(SporeOfOtherNetwork):
            await world.take(PEER, foreign)
        with pytest.raises(SporeOfOtherNetwork):
            await world.tell(PEER, *said(PEER, network_id=NetworkId(bytes(32))))
        with pytest.raises(BadAnnouncement):
            await world.discovery.take(PEER.cell_id, Announced((b"rubbish",)))
        forged = replace(said(OTHER)[0], issued_ns=1 + said(OTHER)[0].issued_ns)
        with pytest.raises(SporeForged):
            await world.tell(PEER, forged)
        assert world.book.addresses(OTHER.cell_id) == ()

    go(main())


def test_a_clock_that_is_wrong_costs_the_spore_and_not_the_connection() -> None:
    async def main() -> None:
        world = World()
        world.meet(PEER)
        future_ns = time.time_ns() + 2 * CLOCK_TOLERANCE_NS
        await world.take(PEER, made(PEER, PEER, updated_ns=future_ns))
        await world.tell(PEER, *said(OTHER, issued_ns=future_ns), *said(NEWCOMERS[0]))
        assert world.book.cells() == [NEWCOMERS[0].cell_id]

    go(main())


def test_a_peer_far_away_can_not_tell_of_private_addresses() -> None:
    async def main() -> None:
        world = World()
        world.meet(PEER, FAR)
        await world.tell(PEER, *said(OTHER), *said(NEWCOMERS[0], "10.0.0.1"))
        await world.tell(PEER, *said(NEWCOMERS[1], "8.8.4.4"))
        assert world.book.cells() == [NEWCOMERS[1].cell_id]

    go(main())


def test_what_one_peer_may_tell_is_bounded_over_reconnections() -> None:
    async def main() -> None:
        world = World()
        for number in range(3 * SPORES_BURST_MAX):
            world.meet(PEER)
            await world.take(PEER, made(PEER, many(40)[number]))
        assert len(world.book.cells()) == SPORES_BURST_MAX
        invented = many(1000, first=100)
        for start in range(0, len(invented), ANNOUNCED_MAX):
            part = [item for key in invented[start : start + ANNOUNCED_MAX] for item in said(key)]
            await world.tell(PEER, *part)
        assert len(world.book.cells()) < 200

    go(main())


def test_a_later_word_of_ours_that_others_know_is_outdone() -> None:
    async def main() -> None:
        world = World()
        world.meet(PEER)
        ahead_ns = time.time_ns() + CLOCK_TOLERANCE_NS // 2
        await world.tell(PEER, *said(OWN, issued_ns=ahead_ns))
        await world.run(0.1)
        (frame, *_) = world.discovery.introduce(OTHER.cell_id, NEAR)
        assert isinstance(frame, SporeFrame)
        (own,) = decode_spore(frame.data, NETWORK).nodes
        assert own.announcements[0].issued_ns > ahead_ns
        assert own.addresses == (at(OWN.cell_id),)

    go(main())


def test_members_that_a_proof_names_are_looked_for_before_the_cell_got_there() -> None:
    async def main() -> None:
        history = History()
        for key in NEWCOMERS[:2]:
            history.change(Action.ADD, key)
        steps: list[RosterStep] = history.steps
        world = World()
        world.meet(PEER)
        issuer = NEWCOMERS[0]
        proof = encode_proof(steps)
        await world.take(PEER, made(issuer, issuer, variant=Variant.PRIMARY, proof=proof))
        await world.run(0.1)
        wanted = {member.cell_id for member in history.rosters[-1].members}
        assert world.peers.sought[-1] == wanted
        # We are a member of the genesis, so what we tell is our own word and not that spore.
        assert len(world.meet(OTHER)) == 1

    go(main())


def test_while_members_are_missing_finders_are_asked_and_their_spores_are_merged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SEEK_AFTER_S", 0.0)
    monkeypatch.setattr(module, "TICK_MS", 20)

    async def main() -> None:
        good = made(PEER, PEER, variant=Variant.SEED)
        other = made(OTHER, OTHER, PEER, variant=Variant.SEED)
        signed = made(OTHER, NEWCOMERS[0], variant=Variant.SEED)
        forged = replace(signed, updated_ns=signed.updated_ns + 1)
        hint = (NEWCOMERS[1].cell_id, (at(NEWCOMERS[1].cell_id),))
        finder = FakeFinder(Findings([forged, other, good], [hint]))
        world = World(finder)
        await world.run(0.3)
        assert set(world.book.cells()) == {PEER.cell_id, OTHER.cell_id, NEWCOMERS[1].cell_id}
        assert finder.searches == 1  # what follows waits longer
        assert finder.told[0] == [at(OWN.cell_id)]
        assert finder.closed
        # Nobody is connected, so cells without a vote are tried as well.
        members = {member.cell_id for member in SHORT.roster.members}
        assert world.peers.sought[-1] == members | {NEWCOMERS[1].cell_id}

    go(main())


def test_finders_are_left_alone_while_all_members_are_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SEEK_AFTER_S", 0.0)
    monkeypatch.setattr(module, "TICK_MS", 20)

    async def main() -> None:
        finder = FakeFinder()
        world = World(finder)
        for key in ALL_KEYS[1:4]:
            world.meet(key)
        await world.run(0.2)
        assert finder.searches == 0
        world.peers.cells = world.peers.cells[1:]
        await world.run(0.2)
        assert finder.searches == 1

    go(main())


def test_the_reach_of_a_seed_is_that_of_the_cell() -> None:
    async def main() -> None:
        world = World()
        await world.run(0.1)
        world.book.learn(said(OTHER), "x")
        exported = await world.discovery.export()
        assert exported.variant is Variant.SEED
        assert exported.reach is Reach.LOOPBACK
        assert {node.cell_id for node in exported.nodes} == {OWN.cell_id, OTHER.cell_id}

    go(main())
