"""What is looked at when a run has settled: all that the machines of the core hold on their disks.

Their tables have to be equal, and order, outcomes, rosters and state have to be what the rules say,
read by models that share no code with the cells (`sim.law`, `sim.rulebook`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from core.codec import decode
from core.ids import Round
from hashgraph.event import decode_any_event
from identity.keys import verify
from ledger.certificate import Certificate, checkpoint_message, parse_certificate
from ledger.errors import NonceUsed
from ledger.header import APPLIED
from ledger.transaction import transaction_id
from node.tables import EVENTS_JOURNAL
from sim.errors import CellDown
from sim.law import Law
from sim.limits import CERTIFICATES_CHECKED_MAX
from sim.rulebook import contradictions

if TYPE_CHECKING:
    from sim.cell import SimCell
    from sim.world import World


@dataclass(frozen=True, slots=True)
class Held:
    """What one machine holds."""

    cell: SimCell
    applied: Round
    events: list[bytes]
    state: dict[bytes, bytes]
    ordered: dict[int, tuple[bytes, int, bytes, int, str]]
    """By position: id, round, event, time and outcome."""
    certificates: list[Certificate]
    """The newest ones."""


class Closing:
    """The last checks of a run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._referee = world.referee

    def run(self, all_held: list[Held]) -> None:
        """Check what the machines of the core hold, of which there is one at least."""
        for held in all_held:
            self._check_order(held)
            self._check_certificates(held)
        for one, other in pairwise(all_held):
            if one.applied == other.applied and one.state != other.state:
                detail = f"cells {one.cell.index} and {other.cell.index} differ"
                self._referee.find("one state", detail)
        self._check_own_nonces()
        self._check_law(all_held)
        witness = self._world.chance("witness").choice(all_held)
        for what in contradictions(self._world.genesis, self._referee.rosters, witness.events):
            self._referee.find("order by the voting rules", what)

    def _check_order(self, held: Held) -> None:
        """Each line of a cell's order is the agreed one."""
        for position, line in held.ordered.items():
            agreed = self._referee.order.get(position)
            if agreed is None:
                continue
            whole = (agreed.id, agreed.round, agreed.event, agreed.time_ns, agreed.outcome)
            if whole != line:
                self._referee.find("one order", f"line {position} differs", held.cell.index)
                return

    def _check_certificates(self, held: Held) -> None:
        """Each certificate has signatures of more than 2/3 of the weight, for the agreed header."""
        network = self._world.genesis.network_id
        for one in held.certificates:
            roster, header = (
                self._referee.rosters.get(one.epoch),
                self._referee.headers.get(one.round),
            )
            if roster is None or header is None:
                continue
            message = checkpoint_message(network, one.epoch, one.round, header.hash)
            signers = {
                member
                for member, signature in one.signatures
                if verify(roster.members[member].public_key, message, signature)
            }
            weight = sum(roster.members[member].weight for member in signers)
            if 3 * weight <= 2 * sum(member.weight for member in roster.members):
                detail = f"round {one.round}: {weight} of {sum(roster.weights)} signed"
                self._referee.find("certified is proven", detail, held.cell.index)

    def _check_own_nonces(self) -> None:
        """No cell gives a nonce of its own key to two transactions."""
        order = self._referee.order.values()
        applied = {row.id for row in order if row.outcome == APPLIED}
        keys = {cell.key.public_key for cell in self._world.cells if cell.is_honest}
        for row in order:
            if row.outcome == NonceUsed.code and row.sender in keys and row.id not in applied:
                detail = f"position {row.position} was refused for its nonce {row.nonce}"
                self._referee.find("own nonces are used once", detail)

    def _check_law(self, all_held: list[Held]) -> None:
        """Outcomes, rosters and the state are those of the rules."""
        raw: dict[bytes, bytes] = {}
        network = self._world.genesis.network_id
        for block in dict.fromkeys(block for held in all_held for block in held.events):
            event, _ = decode_any_event(block, network)
            raw.update((transaction_id(one), one) for one in event.payload)
        law = Law(self._world.genesis, raw.get)
        header, position = None, 0
        for number in range(1, self._referee.newest + 1):
            header = self._referee.headers.get(Round(number))
            if header is None:
                break  # only cells that died with it have seen this round
            end = position + header.transactions
            rows = [
                self._referee.order[at] for at in range(position, end) if at in self._referee.order
            ]
            law.apply(header, rows)
            position = end
            if law.problems:
                break
        if header is not None and not law.problems:
            law.check_root(header)
        for problem in law.problems:
            self._referee.find("outcomes by the rules", problem)


async def read_all(cell: SimCell) -> Held:
    """Return what a running machine holds; raises CellDown."""
    parts = cell.parts
    if parts is None:
        raise CellDown(f"machine {cell.index}")
    store = parts.store
    rows = store.query(
        "SELECT value FROM certificate ORDER BY round DESC LIMIT ?", (CERTIFICATES_CHECKED_MAX,)
    )
    lines = store.query("SELECT position, id, round, event, time_ns, outcome FROM ordered")
    return Held(
        cell=cell,
        applied=parts.execution.ledger.applied_round,
        events=await cell.blocks(EVENTS_JOURNAL),
        state=dict(store.query("SELECT key, value FROM state")),
        ordered={position: tuple(line) for position, *line in lines},  # type: ignore[misc]  # five columns
        certificates=[parse_certificate(decode(value)) for (value,) in rows],
    )
