"""What a cell stands on: the network below it, and the faults that tests put into it.

The daemon takes the operating system's; a simulation gives each cell others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gossip.host import Host, HostFactory
from ledger.epoch_rules import Support, supported
from ledger.limits import PATCHES_SIZE_BYTES_MAX
from myceld import VERSION
from node.faults import Faults
from node.progress import ProgressTeller
from node.transfer_fetching import CatchingUp


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the parts of one cell come from."""

    directory: Path
    """Where files that the configuration names by relative paths are."""
    make_host: HostFactory = Host
    faults: Faults | None = None
    tell_progress: Callable[[CatchingUp], None] = field(
        default_factory=lambda: ProgressTeller(sys.stderr).tell
    )
    """Is told how far a checkpoint transfer has come, now and then."""
    support: Support = field(default_factory=lambda: supported(f"myceld {VERSION}"))
    """Which versions of the rules this build knows."""
    patches_bytes_max: int = PATCHES_SIZE_BYTES_MAX
    """How much is logged of the pages of the state until they are written whole."""
