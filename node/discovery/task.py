"""The owner of discovery: announces this cell, tells and takes spores, searches while cells miss.

A starting cell looks, in this order: in its address book, at the configured cells, at the seeds, on
the LAN, in the DHT, at cells that only peers told of. Whatever is found is an address to dial: the
cell there proves its key and its network, or nothing comes of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from core.errors import MyceldError, RemoteViolation
from core.ids import CellId, short
from gossip.discovery.address import Reach, is_peer_address, only_loopback, reach_of
from gossip.discovery.announcement import Announcement, announce, decode_announcement
from gossip.discovery.book import AddressBook
from gossip.discovery.errors import (
    BadSpore,
    SporeForged,
    SporeTimeImpossible,
)
from gossip.discovery.limits import ANNOUNCED_MAX, SPORE_NODES_MAX, TRUST_AT_FIRST
from gossip.discovery.ranking import Nodes, merge, nodes_of, rank
from gossip.discovery.spore import (
    Node,
    Spore,
    Variant,
    check_verdicts,
    decode_spore,
    make_spore,
)
from gossip.wire import Announced, Frame, SporeFrame, encode_frame
from identity.keys import KeyPair, verify_all
from ledger.genesis import Genesis
from ledger.roster import Roster
from ledger.spore_authority import network_identity, proven_roster
from node.clock import wall_ns
from node.discovery.budget import PeerStates
from node.discovery.dht import Dht, DhtFinder
from node.discovery.finders import SEED, Finder, Findings
from node.discovery.interfaces import dialable, machine_hosts
from node.discovery.limits import (
    INTERFACES_INTERVAL_S,
    NEWS_MAX,
    SEEK_AFTER_S,
    SEEK_INTERVAL_S_MAX,
    SEEK_INTERVAL_S_MIN,
    SOUGHT_MAX,
    SPORE_FRESH_S,
    TICK_MS,
)
from node.discovery.roster_proofs import RosterProofs
from node.peers import Peers
from node.verifier import Verifier

_LOG = structlog.get_logger("discovery")


@dataclass(frozen=True, slots=True)
class DiscoverySources:
    """What discovery reads: who we are, who votes, and where else to look."""

    key: KeyPair
    genesis: Genesis
    roster: Callable[[], Roster]
    """Of the epoch that this cell is in."""
    proofs: RosterProofs
    finders: Sequence[Finder]


@dataclass(slots=True)
class _Search:
    """When to look for cells that are missing."""

    since_s: float | None = None
    due_s: float = 0.0
    interval_s: float = SEEK_INTERVAL_S_MIN
    task: asyncio.Task[None] | None = None


class Discovery:
    """Implements `node.peers.Introducer`; `run` does the rest."""

    def __init__(self, sources: DiscoverySources, book: AddressBook, verifier: Verifier) -> None:
        self._sources = sources
        self._network = network_identity(sources.genesis)
        self.book = book
        self._verifier = verifier
        self._peers = PeerStates()
        self._own: list[Announcement] = []
        self._own_seen_ns = 0
        self._listening: tuple[str, ...] = ()
        self._proof: tuple[bytes, Roster] | None = None
        self._latest: Roster = sources.roster()
        self._best: Spore | None = None
        self._made: dict[tuple[Reach, Variant], tuple[float, Spore]] = {}
        self._news: dict[tuple[CellId, Reach], tuple[Announcement, CellId]] = {}
        self._search = _Search()
        self._finders = list(sources.finders)
        self._failing: set[str] = set()
        self._connected: frozenset[CellId] = frozenset()

    def use_dht(self, dht: Dht | None) -> None:
        """Search the DHT of the started host too, if it has one."""
        if dht is not None:
            self._finders.append(DhtFinder(dht, self._network.network_id))

    def use_seeds(self, seeds: Sequence[Finder]) -> None:
        """Search these seeds from now on, before all else, instead of those until now."""
        others = [finder for finder in self._finders if finder.name != SEED]
        self._finders = [*seeds, *others]
        self._search.due_s = 0.0
        self._search.interval_s = SEEK_INTERVAL_S_MIN

    def introduce(self, cell_id: CellId, remote_address: str | None) -> Iterable[Frame]:
        """See `node.peers.Introducer`: our spore, and the best primary one if ours is none."""
        reach = Reach.WORLD if remote_address is None else reach_of(remote_address)
        self._peers.connected(cell_id, reach)
        own = self._spore(reach, Variant.PRIMARY if self._may_speak() else Variant.LATENT)
        yield SporeFrame(own.encoded)
        best = self._best
        if own.variant is not Variant.PRIMARY and best is not None and best.reach >= reach:
            yield SporeFrame(best.encoded)

    async def take(self, cell_id: CellId, frame: SporeFrame | Announced) -> None:
        """See `node.peers.Introducer`."""
        try:
            if isinstance(frame, SporeFrame):
                await self._take_spore(cell_id, frame.data)
            else:
                await self._take_announced(cell_id, frame.announcements)
        except RemoteViolation:
            self.book.misbehaved(cell_id)
            raise

    async def export(self) -> Spore:
        """Return a seed: what this cell would tell others of its site, in a file."""
        await self._renew_proof()
        return self._spore(self._site(), Variant.SEED)

    async def handed_out(self) -> Spore:
        """Return the spore that a peer gets which connects now."""
        await self._renew_proof()
        variant = Variant.PRIMARY if self._may_speak() else Variant.LATENT
        return self._spore(self._site(), variant)

    async def run(self, peers: Peers) -> None:
        """Serve until cancelled."""
        looked_s = proven_s = float("-inf")
        telling: asyncio.Task[None] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    now_s = time.monotonic()
                    if now_s - looked_s >= INTERFACES_INTERVAL_S:
                        looked_s = now_s
                        self._announce_self(peers.host.addresses)
                        if telling is None or telling.done():
                            telling = group.create_task(self._tell_finders(), name="announce")
                    if now_s - proven_s >= SPORE_FRESH_S:
                        proven_s = now_s
                        await self._renew_proof()
                    self._connected = frozenset(peers.connected())
                    self._pass_on(peers)
                    self._seek(peers, group, now_s)
                    await asyncio.sleep(TICK_MS / 1000)
        finally:
            await asyncio.gather(*(finder.close() for finder in self._finders))

    async def _renew_proof(self) -> None:
        proof = await self._sources.proofs.proof()
        if proof != self._proof:
            self._proof = proof
            self._made.clear()

    def _site(self) -> Reach:
        return Reach.LOOPBACK if only_loopback(self._listening) else Reach.SITE

    def _may_speak(self) -> bool:
        """Return whether we can prove that we are a member."""
        return (
            self._proof is not None
            and self._proof[1].index_of(self._sources.key.public_key) is not None
        )

    def _spore(self, reach: Reach, variant: Variant) -> Spore:
        """Return a spore for peers this far away; a fresh one is used again."""
        now_s, made = time.monotonic(), self._made.get((reach, variant))
        if made is not None and now_s - made[0] < SPORE_FRESH_S:
            return made[1]
        now_ns, key = wall_ns(), self._sources.key
        own = tuple(item for item in self._own if item.reach >= reach)
        nodes = [Node(own, now_ns, TRUST_AT_FIRST)] if own else []
        for node in self.book.nodes(reach)[: SPORE_NODES_MAX - len(nodes)]:
            present = node.cell_id in self._connected
            nodes.append(
                replace(node, last_seen_ns=now_ns if present else min(node.last_seen_ns, now_ns))
            )
        earliest_ns = self._network.genesis_time_ns
        proof = b"" if self._proof is None or variant is Variant.LATENT else self._proof[0]
        spore = make_spore(
            variant,
            self._network,
            [replace(node, last_seen_ns=max(node.last_seen_ns, earliest_ns)) for node in nodes],
            updated_ns=max(now_ns, earliest_ns),
            issuer=key.public_key,
            sign=key.sign,
            proof=proof if variant is Variant.PRIMARY or self._may_speak() else b"",
        )
        self._made[reach, variant] = (now_s, spore)
        return spore

    async def _take_spore(self, peer: CellId, data: bytes) -> None:
        state = self._peers.of(peer)
        if not state.spores.spend(1, time.monotonic()):
            _LOG.debug("spore ignored, the peer tells too many", peer=short(peer))
            return
        spore = decode_spore(data, self._network)
        if spore.variant is Variant.SEED or (
            spore.variant is Variant.LATENT and spore.issuer_id != peer
        ):
            raise BadSpore(f"a {spore.variant.word} spore of {spore.issuer_id} is not {peer}'s")
        try:
            await self._check(spore)
        except SporeTimeImpossible as error:
            _LOG.warning("spore dropped", peer=short(peer), reason=str(error))
        else:
            self._take_nodes(nodes_of(spore), peer, state.reach)

    async def _check(self, spore: Spore) -> None:
        """Check a spore that is well formed; note who votes, if it proves that.

        Raises SporeTimeImpossible, SporeForged, SporeNotPrimary.
        """
        spore.check_times(wall_ns())
        checks = spore.signature_checks(self._is_known)
        check_verdicts(spore, await self._verifier.verify(checks))
        await self._check_proof(spore)
        if spore.variant is Variant.PRIMARY and (
            self._best is None or rank(spore) > rank(self._best)
        ):
            self._best = spore

    def _take_nodes(self, nodes: Nodes, teller: str, reach: Reach) -> bool:
        """Take what checked spores say; return whether any of it was news."""
        items = [item for known in nodes.values() for item in known.announcements]
        news = self._learn(items, teller, reach)
        now_ns = wall_ns()
        for cell_id, known in nodes.items():
            self.book.seen(cell_id, min(known.sighting.last_seen_ns, now_ns))
        return news

    def _is_known(self, announcement: Announcement) -> bool:
        return self.book.holds(announcement) or announcement in self._own

    async def _check_proof(self, spore: Spore) -> None:
        """Raise SporeNotPrimary unless the issuer is a member by its proof; note who votes."""
        roster = await asyncio.to_thread(
            proven_roster,
            spore,
            self._sources.genesis,
            verify_all=verify_all,
            trusted=self._sources.roster(),
        )
        if roster is not None and roster.epoch > self._latest.epoch:
            self._latest = roster

    async def _take_announced(self, peer: CellId, encoded: Sequence[bytes]) -> None:
        state, now_ns = self._peers.of(peer), wall_ns()
        items: list[Announcement] = []
        for data in encoded:
            item = decode_announcement(data, self._network.network_id)
            try:
                item.check_time(self._network.genesis_time_ns, now_ns)
            except SporeTimeImpossible as error:
                _LOG.info("announcement dropped", peer=short(peer), reason=str(error))
                continue
            if not self._is_known(item):
                items.append(item)
        if not state.told.spend(len(items), time.monotonic()):
            _LOG.debug("announcements ignored, the peer tells too many", peer=short(peer))
            return
        if not all(await self._verifier.verify([item.signature_check for item in items])):
            raise SporeForged(f"{peer} passed on an announcement that its cell did not sign")
        self._learn(items, peer, state.reach)

    def _learn(self, items: Iterable[Announcement], teller: str, reach: Reach) -> bool:
        """Take verified announcements that make sense from this far away; pass on the news."""
        sensible = [item for item in items if item.reach >= reach]
        own = self._sources.key.cell_id
        for item in sensible:
            if item.cell_id == own:
                self._own_seen_ns = max(self._own_seen_ns, item.issued_ns)
        news = self.book.learn(sensible, teller)
        if news:
            self._made.clear()  # who connects from now on is told at once
        for item in news:
            if len(self._news) < NEWS_MAX or (item.cell_id, item.reach) in self._news:
                self._news[item.cell_id, item.reach] = (item, CellId(teller))
        return bool(news)

    def _announce_self(self, listening: Iterable[str]) -> None:
        """Sign anew where we listen, if that changed or others know of a later word of ours."""
        key = self._sources.key
        self._listening = tuple(listening)
        known = {text for item in self._own for text in item.addresses}
        issued_ns = max((item.issued_ns for item in self._own), default=0)
        role = self._role()
        made = announce(
            network_id=self._network.network_id,
            public_key=key.public_key,
            node_type=role,
            issued_ns=max(wall_ns(), self._own_seen_ns + 1, issued_ns + 1),
            addresses=filter(is_peer_address, dialable(self._listening, machine_hosts)),
            sign=key.sign,
        )
        same = known == {text for item in made for text in item.addresses}
        if same and self._own_seen_ns <= issued_ns and all(i.node_type == role for i in self._own):
            return
        self._own = made
        self._made.clear()
        for item in made:
            self._news[item.cell_id, item.reach] = (item, key.cell_id)

    def _role(self) -> str:
        member = self._sources.roster().index_of(self._sources.key.public_key) is not None
        return "sclerotium" if member else "rhizomorph"

    async def _tell_finders(self) -> None:
        """Have every finder make us findable; one that fails is told of once."""
        addresses = sorted({text for item in self._own for text in item.addresses})
        for finder in self._finders if addresses else ():
            try:
                await finder.announce(addresses)
            except MyceldError as error:
                log = _LOG.debug if finder.name in self._failing else _LOG.warning
                log("not announced", by=finder.name, reason=str(error))
                self._failing.add(finder.name)
            else:
                self._failing.discard(finder.name)

    def _pass_on(self, peers: Peers) -> None:
        """Tell every peer the news that make sense to it, but not to who told us."""
        news, self._news = self._news, {}
        for peer in sorted(self._connected) if news else ():
            reach = self._peers.of(peer).reach
            told = [
                item.encoded
                for item, teller in news.values()
                if item.reach >= reach and peer not in (teller, item.cell_id)
            ]
            for at in range(0, len(told), ANNOUNCED_MAX):
                frame = Announced(tuple(told[at : at + ANNOUNCED_MAX]))
                peers.send(peer, encode_frame(frame))

    def _seek(self, peers: Peers, group: asyncio.TaskGroup, now_s: float) -> None:
        """Have members looked for that are not connected, and others while nobody is."""
        own = self._sources.key.cell_id
        roster = self._sources.roster()
        voters = {member.cell_id for member in roster.members}
        if self._latest.epoch > roster.epoch:
            voters |= {member.cell_id for member in self._latest.members}
        missing = voters - self._connected - {own}
        search = self._search
        if not missing:
            self._search = _Search(task=search.task)
            peers.seek(voters)
            return
        if search.since_s is None:
            search.since_s = now_s
        alone = not self._connected and now_s - search.since_s >= SEEK_AFTER_S
        peers.seek(voters | set(self._candidates() if alone else ()))
        busy = search.task is not None and not search.task.done()
        if not busy and now_s - search.since_s >= SEEK_AFTER_S and now_s >= search.due_s:
            search.task = group.create_task(self._find(search), name="discovery-find")

    def _candidates(self) -> list[CellId]:
        """Return the cells to try while nobody is connected: those that were reached, first."""
        ranked = []
        for cell_id in self.book.cells():
            entry = self.book.entry(cell_id)
            if entry is not None and self.book.addresses(cell_id):
                ranked.append((-entry.reached_ns, -entry.trust, cell_id))
        return [cell_id for *_, cell_id in sorted(ranked)[:SOUGHT_MAX]]

    async def _find(self, search: _Search) -> None:
        """Ask every finder once; ask again sooner if that brought something new."""
        found = False
        for finder in self._finders:
            try:
                found |= await self._take_findings(finder.name, await finder.find())
            except MyceldError as error:
                _LOG.info("nothing found", by=finder.name, reason=str(error))
        if found:
            search.interval_s = SEEK_INTERVAL_S_MIN
        search.due_s = time.monotonic() + search.interval_s
        search.interval_s = min(2 * search.interval_s, SEEK_INTERVAL_S_MAX)

    async def _take_findings(self, name: str, findings: Findings) -> bool:
        good: list[Nodes] = []
        for spore in sorted(findings.spores, key=rank, reverse=True):
            try:
                await self._check(spore)
            except MyceldError as error:
                _LOG.warning("spore dropped", by=name, reason=str(error))
            else:
                good.append(nodes_of(spore))
        found = self._take_nodes(merge(good), name, self._site())
        for cell_id, addresses in findings.hints:
            sensible = [text for text in addresses if reach_of(text) >= self._site()]
            found |= self.book.hint(cell_id, sensible, name)
        return found
