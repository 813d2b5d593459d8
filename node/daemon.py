"""One cell from start to stop: opens its parts, joins them by bounded queues, supervises, closes.

Start: lock, key, configuration, genesis, store; replay of the consensus journal; then network and
gateway. Stop: gateway first (nothing new comes in), then the network, then what is under way is
finished, then the store is closed. A part that fails stops the cell with its coded error: a cell
never limps on without one of its parts.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from core.errors import MyceldError
from core.failpoint import hit
from core.ids import CellId, Epoch, NetworkId, TransactionId
from gateway.server import Gateway
from gossip.discovery.book import AddressBook, read_entries
from gossip.discovery.invitation import INVITE_PROTOCOL
from gossip.discovery.limits import BOOK_CELLS_MAX
from gossip.host import HostConfig, NotAMultiaddr
from gossip.host.addresses import parse_dial_address
from gossip.wire import Forward
from identity import keystore
from identity.keys import KeyPair
from journal import Store
from journal.replication import Copies
from ledger.certificate import CheckpointSignature
from ledger.genesis import Genesis
from ledger.roster import Roster
from ledger.spore_authority import network_identity
from ledger.transaction import transaction_id
from myceld import VERSION
from node.accuse_task import AccuseTask
from node.audits import Audits
from node.cell import RunningCell
from node.clock import wall_ns
from node.config import Config
from node.consensus_task import ConsensusTask
from node.discovery.roster_proofs import RosterProofs
from node.discovery.setup import make_finders
from node.discovery.task import Discovery, DiscoverySources
from node.errors import NotStoredYet
from node.execution_task import ExecutionTask
from node.faults import faults_of
from node.follows import Follows
from node.founding import read_genesis
from node.genesis_service import GENESIS_PROTOCOL, serve_genesis
from node.headers import Headers
from node.home import Home
from node.inbox import ConsensusInbox, ExecutionInbox
from node.installation import install
from node.invite_tables import INVITE_SCHEMA
from node.invite_views import Standing
from node.invites import Invites
from node.limits import (
    EXECUTION_QUEUE_MAX,
    HEADERS_CACHED_MAX,
    STOP_TIMEOUT_MS,
    THREAD_SWITCH_S,
)
from node.parts import Parts
from node.peers import Peers, PeersConfig, PeersLinks
from node.progress import ProgressTeller
from node.receipts import Receipts
from node.session import now_ms
from node.snapshots import sealed_states
from node.stages.consensus import Consensus, Identity
from node.stages.execution import Execution
from node.stages.intake import Intake
from node.stages.mempool import Mempool
from node.tables import (
    EVENTS_JOURNAL,
    SCHEMA,
    check_layout,
    known_cells,
    known_cells_statements,
    known_ids,
    newest_certificates,
    newest_epochs,
    state_value,
    unplaced,
    unplaced_statements,
)
from node.transfer_fetching import TransferFetching
from node.transfer_serving import StoreSource, TransferServing, transfer_protocol
from node.verifier import Verifier

_LOG = structlog.get_logger("daemon")


@dataclass(slots=True)
class _Tasks:
    consensus: ConsensusTask
    execution: ExecutionTask


def gossip_protocol(network_id: NetworkId) -> str:
    """Return the libp2p protocol of a network: cells of two networks have none in common."""
    return f"/myceld/{network_id.hex()}/gossip/1"


class Daemon:
    """One cell. `run` returns after `stop` was called and everything is closed."""

    def __init__(self, home: Home, config: Config, tell: Callable[[str], None]) -> None:
        """`tell` gets the lines for the person who started the cell."""
        self._home = home
        self._config = config
        self._tell = tell
        self._stopping = asyncio.Event()
        self._gateway: Gateway | None = None
        self._gateway_url = ""
        self._started_ns = time.monotonic_ns()

    def stop(self) -> None:
        """Ask the cell to stop cleanly."""
        self._stopping.set()

    async def run(self) -> None:
        """Run the cell. Raises MyceldError when it can not start or has to stop by itself."""
        sys.setswitchinterval(THREAD_SWITCH_S)
        with self._home.locked():
            key = keystore.load(self._home.key)
            genesis = read_genesis(self._home.genesis)
            store = await Store.open(
                self._home.database, signer=key.sign, cell_id=key.cell_id, durability="power"
            )
            verifier = Verifier()
            try:
                await store.create_tables(SCHEMA + INVITE_SCHEMA)
                await check_layout(store)
                while await self._run_with(key, genesis, store, verifier):
                    _LOG.info("checkpoint in place")
            finally:
                await self._stop_showing()  # when what follows a jump failed
                verifier.close()
                await store.close()

    async def _run_with(
        self, key: KeyPair, genesis: Genesis, store: Store, verifier: Verifier
    ) -> bool:
        """Run the cell's parts until it stops; return whether it jumped, and is to run again."""
        parts, tasks = await self._assemble(key, genesis, store, verifier)
        jumped = False
        try:
            await parts.peers.start()
            parts.discovery.use_dht(parts.peers.host.dht)
            await self._show(parts, key)
            accuse = AccuseTask(store, genesis, key.public_key)
            await self._supervise(parts, tasks, accuse)
            checkpoint = None if self._stopping.is_set() else parts.fetching.checkpoint
            jumped = checkpoint is not None
        finally:
            parts.receipts.fail_all(NotStoredYet("the cell was stopped"))
            try:
                if not jumped:
                    await self._stop_showing()
            finally:
                async with asyncio.timeout(STOP_TIMEOUT_MS / 1000):
                    await parts.peers.stop()
        if checkpoint is None:
            return False
        if checkpoint.link.header.round > parts.execution.ledger.applied_round:
            await install(store, checkpoint, parts.consensus.owed())
        return True

    async def _show(self, parts: Parts, key: KeyPair) -> None:
        """Let clients in; those who are in already see the new parts from now on."""
        if self._gateway is None:
            self._cell = RunningCell(parts, key)
            self._gateway = Gateway(
                self._cell,
                host=self._config.gateway_host,
                port=self._config.gateway_port,
                token=self._home.read_or_make_token(),
            )
            self._gateway_url = await self._gateway.start()
        else:
            self._cell.take_over(parts)
        parts.gateway_url = self._gateway_url
        self._announce(parts)

    async def _stop_showing(self) -> None:
        """Let nobody in any more; safe to repeat."""
        self._home.run_file.unlink(missing_ok=True)
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            async with asyncio.timeout(STOP_TIMEOUT_MS / 1000):
                await gateway.stop()

    async def _assemble(
        self, key: KeyPair, genesis: Genesis, store: Store, verifier: Verifier
    ) -> tuple[Parts, _Tasks]:
        identity, mempool, receipts = Identity(key.public_key, key.sign), Mempool(), Receipts()
        epochs = [(genesis.roster, 0), *newest_epochs(store, 3)][-3:]
        rosters, first_block = [roster for roster, _ in epochs], epochs[-2:][0][1]
        consensus = _make_consensus(genesis, rosters, identity, mempool, first_block)
        execution = Execution(genesis, identity, lambda state_key: state_value(store, state_key))
        intake = Intake(genesis.network_id, execution.ledger.account)
        consensus_inbox = ConsensusInbox()
        execution_inbox: ExecutionInbox = asyncio.Queue(EXECUTION_QUEUE_MAX)
        execution_task = ExecutionTask(
            execution,
            store,
            verifier,
            await store.journal(EVENTS_JOURNAL),
            inbox=execution_inbox,
            receipts=receipts,
            intake=intake,
        )
        headers = await Headers.open(store)
        await execution_task.resume(await _restore(execution, store, headers, rosters))
        again = await _replay(consensus, execution_task, store, first_block)
        intake.note_stored([*again, *consensus.waiting_transactions()])
        consensus_task = ConsensusTask(
            consensus,
            store,
            verifier,
            genesis,
            inbox=consensus_inbox,
            execution=execution_inbox,
            receipts=receipts,
            intake=intake,
            applied_round=lambda: execution.ledger.applied_round,
        )
        discovery = self._make_discovery(key, genesis, consensus, store, verifier)
        links = PeersLinks(
            consensus_inbox,
            execution_inbox,
            greeting=execution_task.greeting,
            save_cells=_cell_saver(store),
            forwarded=self._take_forwarded,
            introducer=discovery,
        )
        peers = self._make_peers(key, genesis, consensus.roster, discovery.book, links)
        parts = Parts(
            cell_id=key.cell_id,
            name=self._name(key, consensus.roster),
            genesis=genesis,
            store=store,
            verifier=verifier,
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
            follows=await _make_follows(store, key, genesis, peers),
            discovery=discovery,
            audits=Audits(store),
            invites=_make_invites(store, genesis, peers, execution),
            headers=headers,
            fetching=_make_fetching(store, genesis, consensus, execution, peers, headers),
            started_ns=self._started_ns,
        )
        return parts, _Tasks(consensus_task, execution_task)

    def _make_discovery(
        self,
        key: KeyPair,
        genesis: Genesis,
        consensus: Consensus,
        store: Store,
        verifier: Verifier,
    ) -> Discovery:
        known = read_entries(known_cells(store, BOOK_CELLS_MAX), genesis.network_id)
        bootstrap = [str(parse_dial_address(address)) for address in self._config.bootstrap]
        sources = DiscoverySources(
            key,
            genesis,
            lambda: consensus.roster,
            RosterProofs(store, genesis),
            make_finders(self._config, network_identity(genesis), key.cell_id, self._home.path),
        )
        book = AddressBook(key.cell_id, bootstrap, known, can_dial=_can_dial)
        return Discovery(sources, book, verifier)

    def _make_peers(
        self,
        key: KeyPair,
        genesis: Genesis,
        roster: Roster,
        book: AddressBook,
        links: PeersLinks,
    ) -> Peers:
        config = PeersConfig(
            host=HostConfig(
                seed=key.seed,
                listen_addresses=self._config.listen,
                protocol=gossip_protocol(genesis.network_id),
                dht=self._config.discovery.dht,
                dht_bootstrap=self._config.bootstrap if self._config.discovery.dht else (),
                agent_version=f"myceld/{VERSION}",
            ),
            network_id=genesis.network_id,
            rule_set=genesis.rule_set,
            roster=roster,
            faults=faults_of(self._home.path, os.environ),
        )
        peers = Peers(config, links, book)
        peers.host.set_handler(GENESIS_PROTOCOL, peers.guarded(serve_genesis(genesis)))
        return peers

    async def _take_forwarded(self, peer: CellId, forward: Forward) -> None:
        await self._cell.take_forwarded(peer, forward)

    async def _accuse(self, parts: Parts, task: AccuseTask) -> None:
        await task.run(
            epoch=lambda: parts.execution.ledger.roster.epoch,
            is_under_way=lambda transaction: parts.intake.checked(transaction) is not None,
            submit=self._cell.accuse,
        )

    async def _supervise(self, parts: Parts, tasks: _Tasks, accuse: AccuseTask) -> None:
        """Run the owner tasks until `stop` is called; raise the error of the first that fails."""

        def sealed(roster: Roster) -> None:
            tasks.consensus.sealed(roster)
            accuse.epoch_began()

        try:
            async with asyncio.TaskGroup() as group:
                running = [
                    group.create_task(
                        tasks.consensus.run(parts.peers, accuse.seen), name="consensus"
                    ),
                    group.create_task(tasks.execution.run(parts.peers, sealed), name="execution"),
                    group.create_task(self._accuse(parts, accuse), name="accuse"),
                    group.create_task(parts.peers.run(), name="peers"),
                    group.create_task(parts.discovery.run(parts.peers), name="discovery"),
                    group.create_task(parts.follows.run(), name="follows"),
                    group.create_task(parts.audits.run(), name="audits"),
                    group.create_task(parts.invites.run(self._cell.change_members), name="invites"),
                    group.create_task(parts.fetching.run(), name="fetching"),
                ]
                await _first_of(self._stopping, parts.fetching.ready)
                self._tell("stopping" if self._stopping.is_set() else "going on from a checkpoint")
                parts.peers.close()
                for task in reversed(running):
                    task.cancel()
        except* MyceldError as failures:
            raise _first(failures) from failures

    def _announce(self, parts: Parts) -> None:
        addresses = list(parts.peers.host.addresses)
        self._home.write_run_file(
            {
                "pid": os.getpid(),
                "url": parts.gateway_url,
                "cell_id": parts.cell_id,
                "addresses": addresses,
                "started_ns": wall_ns(),
            }
        )
        self._tell(f"myceld {VERSION}")
        self._tell(f"cell      {parts.cell_id}")
        self._tell(f"network   {parts.genesis.name} {parts.genesis.network_id.hex()}")
        for address in addresses:
            self._tell(f"address   {address}")
        self._tell(f"gateway   {parts.gateway_url}")
        self._tell("ready")

    def _name(self, key: KeyPair, roster: Roster) -> str:
        """The roster's name for a member, the configured one for others."""
        me = roster.index_of(key.public_key)
        return self._config.name if me is None else roster.members[me].name


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


def _make_fetching(
    store: Store,
    genesis: Genesis,
    consensus: Consensus,
    execution: Execution,
    peers: Peers,
    headers: Headers,
) -> TransferFetching:
    """Return what fetches checkpoints; others are served from the start of the host on."""
    source = StoreSource(store, genesis, execution.ledger, headers)
    serve = peers.guarded(TransferServing(source).serve)
    peers.host.set_handler(transfer_protocol(genesis.network_id), serve)
    tell = ProgressTeller(sys.stderr).tell
    return TransferFetching(store, genesis, consensus, execution, peers, source, tell)


async def _make_follows(store: Store, key: KeyPair, genesis: Genesis, peers: Peers) -> Follows:
    """Return the journals that are followed, which answers other cells too."""
    follows = Follows(store, await Copies.open(store), key.cell_id, peers)
    follows.listen(genesis.network_id)
    return follows


def _make_invites(store: Store, genesis: Genesis, peers: Peers, execution: Execution) -> Invites:
    """Return the tickets' service, which answers newcomers from the start of the host on."""

    def standing() -> Standing:
        return Standing(execution.ledger.roster, execution.ledger.applied_round)

    invites = Invites(store, genesis, peers, standing)
    peers.host.set_handler(INVITE_PROTOCOL, peers.guarded(invites.serve))
    return invites


async def _restore(
    execution: Execution, store: Store, headers: Headers, rosters: Sequence[Roster]
) -> list[CheckpointSignature]:
    """Load the last applied state; sign anew the last header to be certified of each epoch.

    `rosters` are those of the newest three epochs, the present one last.
    """
    if headers.length == 0:
        return []
    recent = [header async for header in headers.newest(HEADERS_CACHED_MAX)]
    sealed, state = await sealed_states(store, headers, rosters)
    newest = rosters[-2:]
    execution.restore(newest, state, recent, newest_certificates(store, newest), sealed)
    signed: dict[Epoch, CheckpointSignature] = {}
    for header in reversed(recent):
        signature = None if header.epoch in signed else execution.sign(header)
        if signature is not None:
            signed[header.epoch] = signature
    return list(signed.values())


async def _replay(
    consensus: Consensus, execution: ExecutionTask, store: Store, first_block: int
) -> list[bytes]:
    """Feed the consensus journal to the hashgraph, and apply what was decided but not applied.

    Returns the stored transactions that are to be put again.
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
        consensus.seal(sealed, now_ms())
    events = journal.length - first_block
    _LOG.info("replayed", events=events, seconds=round(time.monotonic() - started, 3))
    return list(lost.values())


async def _first_of(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _first(failures: BaseExceptionGroup[MyceldError]) -> MyceldError:
    """Return the first error inside a group."""
    inner: BaseException = failures
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    assert isinstance(inner, MyceldError)  # noqa: S101 - for the type checker: `except*` chose it
    return inner
