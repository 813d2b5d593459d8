"""What all liars have: a machine, its key, chance of their own, and accomplices.

A liar does what it likes with its own key and its own connections. It can sign for nobody else, and
breaks no signature. What others say to each other it neither hears nor holds up, but where the
docstring of an adversary says that it has the network on its side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from core.ids import CellId
from ledger.genesis import Genesis
from ledger.roster import Roster
from node.stages import consensus
from node.stages.active_epoch import ActiveEpoch, Identity
from node.stages.mempool import Mempool
from sim.adversaries.stage import LyingEpoch

if TYPE_CHECKING:
    from sim.cell import SimCell
    from sim.world import World

EpochKind: TypeAlias = "type[LyingEpoch] | None"


class Adversary:
    """One liar. `epoch_kind` is what it runs in place of the daemon's own stage, if anything."""

    epoch_kind: EpochKind = None

    def __init__(self, world: World, cell: SimCell) -> None:
        self.world = world
        self.cell = cell
        self.chance = world.chance("liar", cell.index)
        self.secret: dict[bytes, frozenset[CellId]] = {}
        """Own events that not everybody is shown, with those who are."""
        self.memory: dict[str, int] = {}
        """What outlives the process: what it noted under a name."""

    def attach(self) -> None:
        """Prepare, before any cell starts."""

    @property
    def cells(self) -> tuple[SimCell, ...]:
        """Its machines."""
        return (self.cell,)

    def healed(self) -> None:
        """The core healed: from now on the network is not on anybody's side."""

    def note(self, what: str, count: int = 1) -> None:
        """Note in the verdict what it did."""
        lies = self.world.verdict.lies
        lies[what] = lies.get(what, 0) + count

    def cell_ids(self, machines: tuple[int, ...]) -> frozenset[CellId]:
        """Return the cell ids of machines."""
        return frozenset(self.world.cells[at].key.cell_id for at in machines)

    def halves(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the honest members in two parts; all liars of a run draw the same ones."""
        members = range(self.world.scenario.members)
        honest = [at for at in members if self.world.cells[at].is_honest]
        self.world.chance("halves of the liars").shuffle(honest)
        middle = len(honest) // 2
        return tuple(sorted(honest[:middle])), tuple(sorted(honest[middle:]))

    def make_epoch(
        self,
        genesis: Genesis,
        roster: Roster,
        identity: Identity,
        mempool: Mempool,
        *,
        restarted: bool,
    ) -> ActiveEpoch:
        """Return the stage of an epoch for the liar's daemon."""
        if self.epoch_kind is None:
            return ActiveEpoch(genesis, roster, identity, mempool, restarted=restarted)
        epoch = self.epoch_kind(genesis, roster, identity, mempool, restarted=restarted)
        epoch.begin(self)
        return epoch


def install(adversaries: Sequence[Adversary]) -> None:
    """Let the daemons of the liars run their own stage, for the rest of this process's life."""
    by_key = {adversary.cell.key.public_key: adversary for adversary in adversaries}

    def make(
        genesis: Genesis,
        roster: Roster,
        identity: Identity,
        mempool: Mempool,
        *,
        restarted: bool,
    ) -> ActiveEpoch:
        liar = by_key.get(identity.public_key)
        of: Callable[..., ActiveEpoch] = ActiveEpoch if liar is None else liar.make_epoch
        return of(genesis, roster, identity, mempool, restarted=restarted)

    if adversaries:
        vars(consensus)["ActiveEpoch"] = make
