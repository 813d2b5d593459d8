"""A cell's configuration as a whole: its sections, in the order in which they are shown.

Another section is a class in a file of `settings.sections` and a field here.
"""

from __future__ import annotations

from dataclasses import dataclass

from settings.celluler import FOREIGN, MOVED, NESTED
from settings.keys import section
from settings.sections.cell import CellConfig
from settings.sections.discovery import DiscoveryConfig
from settings.sections.gateway import GatewayConfig
from settings.sections.logs import LoggingConfig
from settings.sections.state import StateConfig
from settings.sections.storage import StorageConfig
from settings.sections.tracing import TracingConfig
from settings.sections.trust import TrustConfig


@dataclass(frozen=True, slots=True)
class Config:
    """What a cell can be told; every key has a default."""

    cell: CellConfig = section(
        CellConfig(),
        "Who the cell is, and where it listens",
        foreign=FOREIGN,
        nested=NESTED,
        moved=MOVED,
    )
    gateway: GatewayConfig = section(
        GatewayConfig(), "Who may use the cell over HTTP, and from where"
    )
    discovery: DiscoveryConfig = section(
        DiscoveryConfig(),
        "How other cells are found, beside `bootstrap` and what connected cells tell",
    )
    trust: TrustConfig = section(
        TrustConfig(), "What other cells may ask, by the score that this cell gives them"
    )
    state: StateConfig = section(StateConfig(), "How much of the state's past is kept")
    storage: StorageConfig = section(
        StorageConfig(), "How much disk is given to what consensus does not need"
    )
    logging: LoggingConfig = section(
        LoggingConfig(), "How much is logged, in which form, and where it is kept"
    )
    tracing: TracingConfig = section(TracingConfig(), "Traces of transactions, for OpenTelemetry")
