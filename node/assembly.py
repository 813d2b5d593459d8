"""Opens the parts of one cell on its store, and joins them by bounded queues.

The order is that of a start: the stages at the newest epochs, the ledger's last applied state, the
replay of the consensus journal (what was decided but not applied is applied), then the network's
parts. Nothing runs yet: that is for `node.supervisor`. The store is not closed here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from core.failpoint import hit
from core.ids import CellId, Epoch, NetworkId, Round, TransactionId, public_key_of
from gossip.discovery.book import AddressBook, read_entries
from gossip.discovery.invitation import INVITE_PROTOCOL
from gossip.discovery.limits import BOOK_CELLS_MAX
from gossip.host import HostConfig, NotAMultiaddr
from gossip.host.addresses import parse_dial_address
from gossip.wire import Forward, Frame
from identity.challenge import Verifier as ProofVerifier
from identity.description import Description
from identity.keys import KeyPair
from identity.messages.limits import FORMER_KEY_MS
from identity.trust import INTERACTIONS_JOURNAL
from journal import Store
from journal.replication import Copies
from ledger.certificate import CheckpointSignature
from ledger.errors import Diverged
from ledger.genesis import Genesis
from ledger.machine import Applied
from ledger.roster import Roster
from ledger.spore_authority import network_identity
from ledger.transaction import transaction_id
from myceld import VERSION
from myceld.version import AGENT
from node.access import Access, MessageAccess
from node.audits import Audits
from node.consensus_task import ConsensusTask
from node.diagnosis import DiagnosisServing, diagnosis_protocol
from node.discovery.roster_proofs import RosterProofs
from node.discovery.setup import make_finders
from node.discovery.task import Discovery, DiscoverySources
from node.divergence import DivergenceSearch
from node.execution_task import ExecutionTask
from node.follows import Follows
from node.genesis_service import GENESIS_PROTOCOL, serve_genesis
from node.headers import Headers
from node.inbox import ConsensusInbox, ExecutionInbox
from node.interactions import Interactions
from node.invite_views import Standing
from node.invites import Invites
from node.keyring import KeyRing, reader_of
from node.limits import EXECUTION_QUEUE_MAX, HEADERS_CACHED_MAX
from node.lines import Lines
from node.parts import Parts
from node.peers import Peers, PeersConfig, PeersLinks
from node.proofs import Proofs
from node.receipts import Receipts
from node.services.audit import AuditTrail
from node.services.content import Contents
from node.services.health import health_of
from node.services.health_watch import HealthWatch
from node.services.identity import IdentityService
from node.services.message import Messages
from node.services.message_desk import Former, Owner
from node.services.message_state import States
from node.services.message_work import MessageWork
from node.services.nucleus import Nucleus, wall_ms
from node.services.table import start_order
from node.session import now_ms
from node.shown_interactions import ShownInteractions
from node.snapshots import sealed_headers
from node.stages.consensus import Consensus, Identity
from node.stages.execution import Execution
from node.stages.intake import Intake
from node.stages.mempool import Mempool
from node.state_news import StateNews
from node.state_tables import page_heads, page_reader
from node.status import role_of
from node.successors import keep_reachable, with_present_key
from node.surroundings import Surroundings
from node.tables import (
    EVENTS_JOURNAL,
    known_cells,
    known_cells_statements,
    known_ids,
    newest_certificates,
    newest_rosters,
    unplaced,
    unplaced_statements,
)
from node.transfer_fetching import TransferFetching
from node.transfer_serving import StoreSource, TransferServing, transfer_protocol
from node.trust_scopes import TrustScopes
from node.upgrades import Upgrades, check_epoch
from node.verifier import Verifier
from settings import Config, commands_of

_LOG = structlog.get_logger("assembly")


@dataclass(frozen=True, slots=True)
class Setup:
    """Who a cell is, and what it is told."""

    key: KeyPair
    genesis: Genesis
    told: Callable[[], Config]
    """Returns the configuration that is in force: some of it may change while the cell runs."""
    earlier: tuple[KeyPair, ...] = ()
    """Keys that the cell gave up."""
    ring: KeyRing | None = None
    """The key file; without it the cell can not rotate."""

    @property
    def config(self) -> Config:
        """Return what the cell is told now."""
        return self.told()

    @property
    def identity(self) -> Identity:
        """Return whose events the cell makes, and made."""
        earlier = tuple(Identity(one.public_key, one.sign) for one in self.earlier)
        return Identity(self.key.public_key, self.key.sign, earlier)


@dataclass(slots=True)
class Tasks:
    """The owners of the two stages."""

    consensus: ConsensusTask
    execution: ExecutionTask


def gossip_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of a network: cells of two networks have none in common."""
    return f"/myceld/{network_id.hex()}/gossip/1"


class Assembly:
    """Makes the parts of a cell, again after each jump to a checkpoint."""

    def __init__(
        self,
        setup: Setup,
        store: Store,
        verifier: Verifier,
        surroundings: Surroundings,
        take_forwarded: Callable[[CellId, Forward], Awaitable[None]],
        nucleus: Nucleus,
    ) -> None:
        """`take_forwarded` is given the transactions that another cell asks us to put."""
        self._setup = setup
        self._store = store
        self._verifier = verifier
        self._surroundings = surroundings
        self._take_forwarded = take_forwarded
        self._nucleus, self._audit = nucleus, nucleus.audit
        self._started_ns = time.monotonic_ns()

    async def assemble(self) -> tuple[Parts, Tasks]:
        """Return the parts and the owners of the stages, at what the store holds."""
        key, genesis, store = self._setup.key, self._setup.genesis, self._store
        identity, mempool, receipts = self._setup.identity, Mempool(), Receipts()
        rosters, first_block = newest_rosters(store, genesis)
        check_epoch(rosters[-1], self._surroundings.support, reader_of(store))
        consensus = _make_consensus(genesis, rosters, identity, mempool, first_block)
        execution = self._make_execution(identity)
        intake = _make_intake(genesis, execution)
        lines = Lines(reader_of(store), execution.ledger.is_rotated)
        upgrades, news = self._make_upgrades(execution), StateNews()
        trust, consensus_inbox = self._make_trust(execution, lines), ConsensusInbox()
        proven = ProofVerifier(genesis.network_id, key.public_key)
        access = self._make_access(execution, trust, proven)
        execution_inbox: ExecutionInbox = asyncio.Queue(EXECUTION_QUEUE_MAX)
        watchers = (lines.applied, trust.applied, upgrades.applied, news.applied)
        execution_task = await self._make_execution_task(
            execution, receipts, intake, execution_inbox, watchers
        )
        headers = await Headers.open(store)
        await _resume(execution_task, execution, store, headers, rosters)
        await _replay(consensus, execution_task, store, first_block, upgrades.check)
        # Also what the replay found to be void: its nonces are taken, though it is in no event.
        intake.note_stored([*consensus.queued_transactions(), *consensus.waiting_transactions()])
        inboxes = (consensus_inbox, execution_inbox)
        consensus_task = self._make_consensus_task(consensus, execution, inboxes, receipts, intake)
        discovery, peers = self._make_network(consensus, execution_task, headers, inboxes, access)
        interactions = await self._make_interactions(peers, trust, execution, access)
        messages = await self._make_messages(peers, access, lines, headers)
        proofs = self._make_proofs(consensus, execution, headers, peers, access)
        parts = Parts(
            cell_id=key.cell_id,
            name=self._name(consensus.roster),
            genesis=genesis,
            store=store,
            verifier=self._verifier,
            receipts=receipts,
            intake=intake,
            mempool=mempool,
            consensus=consensus,
            consensus_inbox=consensus_inbox,
            execution_inbox=execution_inbox,
            metrics=consensus_task.metrics,
            observed=consensus_task.observed,
            execution=execution,
            peers=peers,
            follows=await _make_follows(store, self._setup, peers, access),
            discovery=discovery,
            audits=Audits(store),
            invites=_make_invites(store, genesis, peers, execution, self._audit, lines),
            lines=lines,
            trust=trust,
            access=access,
            nucleus=self._nucleus,
            identity=self._make_identity(peers, access, proven, consensus),
            interactions=interactions,
            shown=ShownInteractions(store, genesis.network_id, peers, interactions, access.check),
            messages=messages,
            contents=self._make_contents(peers, execution, execution_task, lines, access),
            work=self._make_work(messages, intake, proofs.states),
            headers=headers,
            fetching=self._make_fetching(consensus, execution, peers, headers, access=access),
            upgrades=upgrades,
            news=news,
            proofs=proofs,
            divergence=DivergenceSearch(store, genesis.network_id, headers, proofs, peers),
            started_ns=self._started_ns,
        )
        self._connect(parts)
        return parts, Tasks(consensus_task, execution_task)

    async def _make_execution_task(
        self,
        execution: Execution,
        receipts: Receipts,
        intake: Intake,
        inbox: ExecutionInbox,
        watchers: Sequence[Callable[[Applied], None]],
    ) -> ExecutionTask:
        task = ExecutionTask(
            execution,
            self._nucleus.grant("state"),
            self._verifier,
            await self._store.journal(EVENTS_JOURNAL),
            inbox=inbox,
            receipts=receipts,
            intake=intake,
            watchers=watchers,
            can_rotate=self._has_successor,
        )
        task.misjudges, execution.miscounts = self._misjudges, self._miscounts
        task.history_rounds = lambda: self._setup.config.state.rounds_kept
        return task

    def _connect(self, parts: Parts) -> None:
        """Give those parts what they need of others that were made after them."""
        parts.directory = self._surroundings.directory
        parts.health = HealthWatch(self._nucleus, lambda: health_of(parts))
        parts.follows.prove_by(parts.identity.prove)
        parts.messages.prove_by(parts.identity.prove)

    def _make_network(
        self,
        consensus: Consensus,
        execution_task: ExecutionTask,
        headers: Headers,
        inboxes: tuple[ConsensusInbox, ExecutionInbox],
        access: Access,
    ) -> tuple[Discovery, Peers]:
        discovery = self._make_discovery(consensus, headers)
        links = self._make_links(inboxes, execution_task.greeting, discovery, access)
        peers = self._make_peers(consensus.roster, discovery.book, links)
        serve = serve_genesis(self._setup.genesis, partial(access.check, "genesis-read"))
        peers.host.set_handler(GENESIS_PROTOCOL, peers.guarded(serve))
        return discovery, peers

    def _make_access(
        self, execution: Execution, trust: TrustScopes, proven: ProofVerifier
    ) -> Access:
        def is_proven(cell: CellId, channel: bytes) -> bool:
            return proven.session(public_key_of(cell), channel, wall_ms()) is not None

        return Access(self._store, trust, lambda: execution.ledger.roster, self._audit, is_proven)

    def _make_identity(
        self, peers: Peers, access: Access, proven: ProofVerifier, consensus: Consensus
    ) -> IdentityService:
        def description() -> Description:
            life = self._nucleus.life
            return Description(
                self._name(consensus.roster),
                VERSION,
                role_of(consensus),
                life.started_ms,
                life.stopped_ms,
                tuple(service.name for service in start_order()),
                life.metadata,
            )

        return IdentityService(
            self._setup.key,
            peers,
            access,
            verifier=proven,
            nucleus=self._nucleus,
            network_id=self._setup.genesis.network_id,
            description=description,
        )

    def _make_states(self, headers: Headers, execution: Execution) -> States:
        return States(
            self._store,
            self._setup.genesis,
            headers,
            execution.ledger,
            lambda: execution.certified_round,
        )

    def _make_proofs(
        self,
        consensus: Consensus,
        execution: Execution,
        headers: Headers,
        peers: Peers,
        access: Access,
    ) -> Proofs:
        """Return what makes proofs; others whose state differs are answered with them."""
        proofs = Proofs(
            self._store,
            self._setup.genesis,
            headers,
            self._make_states(headers, execution),
            execution.ledger,
            certified_round=lambda: execution.certified_round,
            block_of=consensus.block_of,
        )
        check = partial(access.check_outsider, "checkpoint-read")
        serve = peers.guarded(DiagnosisServing(self._store, headers, proofs, check).serve)
        peers.host.set_handler(diagnosis_protocol(self._setup.genesis.network_id), serve)
        return proofs

    def _make_execution(self, identity: Identity) -> Execution:
        """Return the stage before its state is restored."""
        store = self._store
        execution = Execution(self._setup.genesis, identity, reader_of(store), page_reader(store))
        execution.ledger.limit_patches(self._surroundings.patches_bytes_max)
        return execution

    def _make_contents(
        self,
        peers: Peers,
        execution: Execution,
        task: ExecutionTask,
        lines: Lines,
        access: Access,
    ) -> Contents:
        """Return the contents, which are served to other cells from the start of the host on."""
        contents = Contents(
            self._store,
            self._setup.genesis.network_id,
            peers,
            lambda: execution.ledger.applied_round,
            partial(access.check, "blob-fetch"),
            lines,
        )
        task.watch(lambda applied: contents.changed(key for key, _ in applied.changes))
        return contents

    def _make_work(self, messages: Messages, intake: Intake, states: States) -> MessageWork:
        commands = commands_of(self._setup.config.cell.commands)
        return MessageWork(messages, intake.parse, states, commands, self._audit.done)

    def _make_consensus_task(
        self,
        consensus: Consensus,
        execution: Execution,
        inboxes: tuple[ConsensusInbox, ExecutionInbox],
        receipts: Receipts,
        intake: Intake,
    ) -> ConsensusTask:
        return ConsensusTask(
            consensus,
            self._nucleus.grant("consensus"),
            self._verifier,
            self._setup.genesis,
            inbox=inboxes[0],
            execution=inboxes[1],
            receipts=receipts,
            intake=intake,
            applied_round=lambda: execution.ledger.applied_round,
        )

    def _misjudges(self) -> bool:
        faults = self._surroundings.faults
        return faults is not None and faults.misjudges

    def _miscounts(self) -> bool:
        faults = self._surroundings.faults
        return faults is not None and faults.miscounts

    def _has_successor(self) -> bool:
        """Return whether our key was given up for another one that we have."""
        ring, key = self._setup.ring, self._setup.key.public_key
        return ring is not None and ring.successor(key, reader_of(self._store)) is not None

    def _make_discovery(self, consensus: Consensus, headers: Headers) -> Discovery:
        key, genesis, config = self._setup.key, self._setup.genesis, self._setup.config
        store = self._store
        known = read_entries(known_cells(store, BOOK_CELLS_MAX), genesis.network_id)
        configured = [str(parse_dial_address(address)) for address in config.cell.bootstrap]
        bootstrap = [with_present_key(address, reader_of(store)) for address in configured]
        sources = DiscoverySources(
            key,
            genesis,
            lambda: consensus.roster,
            RosterProofs(store, headers, genesis),
            make_finders(
                config, network_identity(genesis), key.cell_id, self._surroundings.directory
            ),
        )
        book = AddressBook(key.cell_id, bootstrap, known, can_dial=_can_dial)
        keep_reachable(book, consensus.roster, reader_of(store))
        return Discovery(sources, book, self._verifier)

    def _make_links(
        self,
        inboxes: tuple[ConsensusInbox, ExecutionInbox],
        greeting: Callable[[], Iterable[Frame]],
        discovery: Discovery,
        access: Access,
    ) -> PeersLinks:
        return PeersLinks(
            *inboxes,
            greeting=greeting,
            save_cells=_cell_saver(self._store),
            forwarded=self._take_forwarded,
            introducer=discovery,
            admit=partial(access.check_outsider, "gossip"),
        )

    def _make_peers(self, roster: Roster, book: AddressBook, links: PeersLinks) -> Peers:
        genesis, config = self._setup.genesis, self._setup.config
        peers_config = PeersConfig(
            host=HostConfig(
                seed=self._setup.key.seed,
                listen_addresses=config.cell.listen,
                protocol=gossip_protocol(genesis.network_id),
                dht=config.discovery.dht,
                dht_bootstrap=config.cell.bootstrap if config.discovery.dht else (),
                agent_version=AGENT,
            ),
            network_id=genesis.network_id,
            rule_set=genesis.rule_set,
            roster=roster,
            faults=self._surroundings.faults,
        )
        return Peers(peers_config, links, book, self._surroundings.make_host)

    def _make_upgrades(self, execution: Execution) -> Upgrades:
        own, support = self._setup.key.public_key, self._surroundings.support
        return Upgrades(self._store, support, own, lambda: execution.ledger.roster)

    def _make_trust(self, execution: Execution, lines: Lines) -> TrustScopes:
        own, policy = self._setup.key.public_key, self._setup.config.trust.policy()
        return TrustScopes(
            self._store, own, lambda: execution.ledger.applied_round, policy, lines=lines
        )

    async def _make_messages(
        self, peers: Peers, access: Access, lines: Lines, headers: Headers
    ) -> Messages:
        """Return the message service, which answers other cells from the start of the host on."""
        setup = self._setup

        def is_member(cell_id: CellId) -> bool:
            return lines.is_member(cell_id, peers.roster)

        former = await _former(setup.earlier, lines, headers)
        network_id, policy = setup.genesis.network_id, MessageAccess(access)
        owner = Owner(setup.key, network_id, policy, lines, is_member, former)
        return await Messages.open(self._store, owner, peers, self._nucleus.grant("message"))

    async def _make_interactions(
        self, peers: Peers, trust: TrustScopes, execution: Execution, access: Access
    ) -> Interactions:
        key, network_id = self._setup.key, self._setup.genesis.network_id
        made = Interactions(
            self._store,
            key,
            network_id,
            peers,
            trust,
            execution,
            pen=self._nucleus.grant("identity", INTERACTIONS_JOURNAL),
            check=access.check,
        )
        await made.load()
        return made

    def _make_fetching(
        self,
        consensus: Consensus,
        execution: Execution,
        peers: Peers,
        headers: Headers,
        *,
        access: Access,
    ) -> TransferFetching:
        """Return what fetches checkpoints; others are served from the start of the host on."""
        store, genesis = self._store, self._setup.genesis
        source = StoreSource(store, genesis, execution.ledger, headers)
        check = partial(access.check_outsider, "checkpoint-read")
        serve = peers.guarded(TransferServing(source, check).serve)
        peers.host.set_handler(transfer_protocol(genesis.network_id), serve)
        return TransferFetching(
            store,
            genesis,
            consensus,
            execution,
            peers,
            source,
            self._surroundings.tell_progress,
        )

    def _name(self, roster: Roster) -> str:
        """The roster's name for a member, the configured one for others."""
        me = roster.index_of(self._setup.key.public_key)
        return self._setup.config.cell.name if me is None else roster.members[me].name


def _can_dial(address: str) -> bool:
    """Return whether the host speaks the transports of an address."""
    try:
        parse_dial_address(address)
    except NotAMultiaddr:
        return False
    return True


def _cell_saver(store: Store) -> Callable[[Mapping[CellId, bytes | None]], Awaitable[None]]:
    async def save(changes: Mapping[CellId, bytes | None]) -> None:
        await store.transaction({}, known_cells_statements(changes), durable=False)

    return save


def _make_consensus(
    genesis: Genesis,
    rosters: Sequence[Roster],
    identity: Identity,
    mempool: Mempool,
    first_block: int,
) -> Consensus:
    """Return the stage in the epoch of the last roster, before its journal is replayed."""
    before = rosters[-2] if len(rosters) > 1 else None
    return Consensus(
        genesis, rosters[-1], identity, mempool, first_block=first_block, before=before
    )


async def _make_follows(store: Store, setup: Setup, peers: Peers, access: Access) -> Follows:
    """Return the journals that are followed, which answers other cells too."""
    follows = Follows(store, await Copies.open(store), setup.key.cell_id, peers, access)
    follows.listen(setup.genesis.network_id)
    return follows


def _make_invites(
    store: Store,
    genesis: Genesis,
    peers: Peers,
    execution: Execution,
    audit: AuditTrail,
    lines: Lines,
) -> Invites:
    """Return the tickets' service, which answers newcomers from the start of the host on."""

    def standing() -> Standing:
        return Standing(execution.ledger.roster, execution.ledger.applied_round, lines.present)

    invites = Invites(store, genesis, peers, standing, audit=audit)
    peers.host.set_handler(INVITE_PROTOCOL, peers.guarded(invites.serve))
    return invites


async def _former(earlier: Sequence[KeyPair], lines: Lines, headers: Headers) -> Former | None:
    """Return the key before and until when it opens messages, by the time of its rotation.

    None if the header of that round is not here, as after a jump: then all is to be sealed anew.
    """
    found: tuple[Round, KeyPair] | None = None
    for pair in earlier:
        given_up = lines.round_given_up(pair.public_key)
        if given_up is not None and (found is None or given_up > found[0]):
            found = given_up, pair
    if found is None or not headers.has(found[0]):
        return None
    header = await headers.get(found[0])
    return Former(found[1], header.consensus_time_ns // 1_000_000 + FORMER_KEY_MS)


def _make_intake(genesis: Genesis, execution: Execution) -> Intake:
    ledger = execution.ledger
    return Intake(
        genesis.network_id,
        ledger.account,
        ledger.check_funds,
        lambda: ledger.transaction_version,
    )


async def _resume(
    task: ExecutionTask,
    execution: Execution,
    store: Store,
    headers: Headers,
    rosters: Sequence[Roster],
) -> None:
    """Go on from the last applied state, unless it is known not to be the network's."""
    try:
        await task.resume(await _restore(execution, store, headers, rosters))
    except Diverged as error:
        await task.halt(error)


async def _restore(
    execution: Execution, store: Store, headers: Headers, rosters: Sequence[Roster]
) -> list[CheckpointSignature]:
    """Load the last applied state; sign anew the last header to be certified of each epoch.

    `rosters` are those of the newest three epochs, the present one last.
    """
    if headers.last_round == 0:
        return []
    recent = [header async for header in headers.newest(HEADERS_CACHED_MAX)]
    sealed = await sealed_headers(headers, rosters)
    newest = rosters[-2:]
    certificates = newest_certificates(store, newest)
    execution.restore(newest, page_heads(store), recent, certificates, sealed)
    signed: dict[Epoch, CheckpointSignature] = {}
    for header in reversed(recent):
        signature = None if header.epoch in signed else execution.sign(header)
        if signature is not None:
            signed[header.epoch] = signature
    return list(signed.values())


async def _replay(
    consensus: Consensus,
    execution: ExecutionTask,
    store: Store,
    first_block: int,
    check_next: Callable[[Roster], None],
) -> None:
    """Feed the consensus journal to the hashgraph, and apply what was decided but not applied.

    Stored transactions that have no place in the order are queued to be put again. `check_next`
    raises if an epoch can not begin here.
    """
    journal = await store.journal(EVENTS_JOURNAL)
    started = time.monotonic()
    lost: dict[TransactionId, bytes] = {}
    sealed: Roster | None = None
    async for block in journal.read(first_block):
        for decided in consensus.replay(block):
            sealed = await execution.execute(decided, None) or sealed
        own = {transaction_id(raw): raw for raw in consensus.take_own_before()}
        if own:
            for known in known_ids(store, list(own)):
                del own[TransactionId(known)]
        if own:
            # Before a round of the replay can seal the epoch: the next start begins later then.
            hit("replay.unplaced.before")
            await store.transaction({}, unplaced_statements(own.values()), durable=False)
            hit("replay.unplaced.after")
            lost |= own
    consensus.replayed()
    lost = {transaction_id(raw): raw for raw in unplaced(store)} | lost
    consensus.put_again(list(lost.values()))
    if sealed is not None:
        check_next(sealed)
        consensus.seal(sealed, now_ms())
    events = journal.length - first_block
    _LOG.info("replayed", events=events, seconds=round(time.monotonic() - started, 3))
