"""What is looked at when a run has settled: all that the machines of the core hold on their disks.

Their tables have to be equal and lead to the certified roots, one machine's journal has to lead to
its headers again (`sim.replay`), and order, outcomes and rosters have to be what the rules say,
read by models that share no code with the cells (`sim.law`, `sim.rulebook`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from core.codec import decode
from core.ids import Round
from identity.keys import verify
from ledger.certificate import Certificate, checkpoint_message, parse_certificate
from ledger.transaction import transaction_id
from node.tables import EVENTS_JOURNAL, HEADERS_JOURNAL
from sim.errors import CellDown
from sim.law import Law
from sim.limits import CERTIFICATES_CHECKED_MAX, CLOSING_MS_MAX, SETTLE_STEP_MS
from sim.once import decoded_event
from sim.presence import creators_by_round
from sim.replay import Replay
from sim.rulebook import contradictions

if TYPE_CHECKING:
    from journal import Store
    from sim.cell import SimCell
    from sim.world import World


@dataclass(frozen=True, slots=True)
class Held:
    """What one machine holds."""

    cell: SimCell
    applied: Round
    events: list[bytes]
    headers: list[bytes]
    state: dict[bytes, bytes]
    ordered: dict[int, tuple[bytes, int, bytes, int, str]]
    """By position: id, round, event, time and outcome."""
    certificates: list[Certificate]
    """The newest ones."""
    has_jumped: bool


class Closing:
    """The last checks of a run."""

    def __init__(self, world: World, core: Sequence[SimCell]) -> None:
        self._world = world
        self._referee = world.referee
        self._core = core

    def run(self, *, settled: bool) -> None:
        """Check; `settled` says that all of the core have come to the same round."""
        all_held = self._read_all()
        if not all_held:
            return
        for held in all_held:
            self._check_order(held)
            self._check_certificates(held)
        if settled:
            for one, other in pairwise(all_held):
                if one.applied == other.applied and one.state != other.state:
                    detail = f"cells {one.cell.index} and {other.cell.index} differ"
                    self._referee.find("one state", detail)
        self._check_own_nonces()
        self._check_law(all_held)
        witness = self._world.chance("witness").choice(all_held)
        for what in contradictions(self._world.genesis, self._referee.rosters, witness.events):
            self._referee.find("order by the voting rules", what)
        if not witness.has_jumped:
            self._check_replay(witness)

    # -- reading -------------------------------------------------------------------------------

    def _read_all(self) -> list[Held]:
        asked: list[asyncio.Future[Held]] = []
        for cell in self._core:
            try:
                asked.append(cell.ask(lambda _, cell=cell: _read(cell)))  # type: ignore[misc]  # a bound default
            except CellDown:
                continue  # why it is down was found before
        loop, begun_ms = self._world.loop, self._world.now_ms
        while not all(one.done() for one in asked):
            if self._world.now_ms - begun_ms > CLOSING_MS_MAX:
                self._referee.find("the run ends", "a cell does not read its own store")
                break
            loop.run_until((self._world.now_ms + SETTLE_STEP_MS) / 1000)
        done = [one for one in asked if one.done()]
        for one in done:
            if one.exception() is not None:
                self._referee.find("what was written can be read", str(one.exception()))
        return [one.result() for one in done if one.exception() is None]

    # -- checks --------------------------------------------------------------------------------

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
        keys = {
            pair.public_key
            for cell in self._world.cells
            if cell.is_honest
            for pair in cell.keys.pairs
        }
        used: dict[tuple[bytes | None, int | None], bytes] = {}
        for _, row in sorted(self._referee.order.items()):
            if row.sender in keys and used.setdefault((row.sender, row.nonce), row.id) != row.id:
                detail = f"position {row.position} is another transaction with nonce {row.nonce}"
                self._referee.find("own nonces are used once", detail)

    def _check_law(self, all_held: list[Held]) -> None:
        """Outcomes, rosters and the state are those of the rules."""
        raw: dict[bytes, bytes] = {}
        network = self._world.genesis.network_id
        for block in dict.fromkeys(block for held in all_held for block in held.events):
            event, _ = decoded_event(block, network)
            raw.update((transaction_id(one), one) for one in event.payload)
        law = Law(self._world.genesis, raw.get)
        creators = creators_by_round(
            self._world.genesis, self._referee.rosters, [held.events for held in all_held]
        )
        header, position = None, 0
        for number in range(1, self._referee.newest + 1):
            header = self._referee.headers.get(Round(number))
            if header is None:
                break  # only cells that died with it have seen this round
            end = position + header.transactions
            rows = [
                self._referee.order[at] for at in range(position, end) if at in self._referee.order
            ]
            law.apply(header, rows, creators.get(header.round))
            position = end
            if law.problems:
                break
        if header is not None and not law.problems:
            law.check_root(header)
        for problem in law.problems:
            self._referee.find("outcomes by the rules", problem)

    def _check_replay(self, held: Held) -> None:
        """A cell's events lead to the very headers that it holds, and to no other ones."""
        replay = Replay(self._world.genesis, held.cell.keys.pairs)
        again = list(replay.headers(held.events))
        for problem in replay.problems:
            self._referee.find("every event is signed", problem, held.cell.index)
        if again[: len(held.headers)] != held.headers[: len(again)]:
            self._referee.find("replay equals history", "headers differ", held.cell.index)
        elif len(again) < len(held.headers):
            detail = f"{len(held.headers)} rounds were applied, {len(again)} come again"
            self._referee.find("replay equals history", detail, held.cell.index)


async def _read(cell: SimCell) -> Held:
    parts = cell.parts
    if parts is None:
        raise CellDown(f"machine {cell.index}")
    await cell.audit()
    store = parts.store
    rows = store.query(
        "SELECT value FROM certificate ORDER BY round DESC LIMIT ?", (CERTIFICATES_CHECKED_MAX,)
    )
    lines = store.query("SELECT position, id, round, event, time_ns, outcome FROM ordered")
    return Held(
        cell=cell,
        applied=parts.execution.ledger.applied_round,
        events=await _blocks(store, EVENTS_JOURNAL),
        headers=await _blocks(store, HEADERS_JOURNAL),
        state=dict(store.query("SELECT key, value FROM state")),
        ordered={position: tuple(line) for position, *line in lines},
        certificates=[parse_certificate(decode(value)) for (value,) in rows],
        has_jumped=bool(store.query("SELECT 1 FROM history")),
    )


async def _blocks(store: Store, name: str) -> list[bytes]:
    journal = await store.journal(name)
    return [block async for block in journal.read(0)]
