"""The parts of a running daemon, for those who answer questions about all of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from core.ids import CellId
from gateway.comings import Comings
from journal import Store
from ledger.genesis import Genesis
from node.access import Access
from node.audits import Audits
from node.discovery.task import Discovery
from node.divergence import DivergenceSearch
from node.follows import Follows
from node.headers import Headers
from node.home import Home
from node.inbox import ConsensusInbox, ExecutionInbox
from node.interactions import Interactions
from node.invites import Invites
from node.lines import Lines
from node.metrics import ConsensusMetrics
from node.peers import Peers
from node.proofs import Proofs
from node.receipts import Receipts
from node.services.audit import AuditTrail
from node.services.content import Contents
from node.services.health_watch import HealthWatch
from node.services.identity import IdentityService
from node.services.message import Messages
from node.services.message_work import MessageWork
from node.services.nucleus import Nucleus
from node.shown_interactions import ShownInteractions
from node.stages.consensus import Consensus
from node.stages.execution import Execution
from node.stages.intake import Intake
from node.stages.mempool import Mempool
from node.state_news import StateNews
from node.transfer_fetching import TransferFetching
from node.trust_scopes import TrustScopes
from node.upgrades import Upgrades
from node.verifier import Verifier


@dataclass(slots=True)
class Parts:
    """Each part has one owner task; everybody else only asks."""

    directory: Path = field(init=False)
    """Of the cell."""
    cell_id: CellId
    name: str
    genesis: Genesis
    store: Store
    verifier: Verifier
    receipts: Receipts
    intake: Intake
    mempool: Mempool
    consensus: Consensus
    consensus_inbox: ConsensusInbox
    execution_inbox: ExecutionInbox
    metrics: ConsensusMetrics
    observed: asyncio.Event
    """Set once the cell knows all its own events."""
    execution: Execution
    peers: Peers
    discovery: Discovery
    follows: Follows
    audits: Audits
    invites: Invites
    lines: Lines
    trust: TrustScopes
    access: Access
    messages: Messages
    nucleus: Nucleus
    identity: IdentityService
    health: HealthWatch = field(init=False)
    interactions: Interactions
    shown: ShownInteractions
    work: MessageWork
    contents: Contents
    headers: Headers
    fetching: TransferFetching
    upgrades: Upgrades
    news: StateNews
    proofs: Proofs
    divergence: DivergenceSearch
    started_ns: int
    gateway_url: str = ""
    comings: Comings = field(default_factory=Comings)
    """To the gateway."""

    @property
    def database(self) -> Path:
        """Return the file of the store."""
        return Home(self.directory).database

    @property
    def audit(self) -> AuditTrail:
        """Return the cell's audit journal."""
        return self.nucleus.audit
