"""Windows of the hashgraph, and what is new since the last look.

A cursor tells what its holder knows: the epoch, how many events, how many places in the order, and
the first round that was not decided. What came meanwhile is read from there, so following a busy
network costs what is new and nothing else. A window's cursor is taken before its events are read,
so nothing is missed between them; what is told twice is the same or newer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.ids import EventId, Round
from gateway.consensus_views import (
    DagEventView,
    DagQuery,
    DagRoundView,
    DagView,
    MarkView,
    PlacedView,
)
from gateway.errors import BadRequest
from hashgraph.event import Event
from node.dag import Dag
from node.limits import DAG_EVENTS_SHOWN_MAX, DAG_ROUNDS_SHOWN_MAX, DAG_SCAN_EVENTS_MAX

_DIGITS_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far somebody knows the hashgraph."""

    epoch: int
    events: int
    places: int
    round: int

    def __str__(self) -> str:
        """Return the text that a client keeps."""
        return f"{self.epoch}.{self.events}.{self.places}.{self.round}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return what `str` wrote; raises BadRequest."""
        parts = text.split(".", 4)
        if len(parts) != 4 or not all(
            part.isascii() and part.isdigit() and len(part) <= _DIGITS_MAX for part in parts
        ):
            raise BadRequest("field `after`: expected a cursor of an earlier answer")
        return cls(*(int(part) for part in parts))


async def window(dag: Dag, query: DagQuery) -> DagView:
    """Return what a query is about; raises BadRequest, HashgraphMoved."""
    limit = min(query.limit, DAG_EVENTS_SHOWN_MAX)
    if query.after is not None:
        cursor = Cursor.parse(query.after)
        if cursor.epoch == dag.roster.epoch:
            return await _news(dag, cursor, limit)
        return await _newest(dag, limit)  # the epoch of the cursor is over: begin anew
    if query.from_round is not None or query.to_round is not None:
        return await _of_rounds(dag, query, limit)
    if query.start is None:
        return await _newest(dag, limit)
    end = min(dag.count, query.start + limit)
    return await _window(dag, range(min(query.start, end), end), end if end < dag.count else None)


async def row(dag: Dag, arrival: int) -> tuple[DagEventView, Event]:
    """Return one event as a window shows it, and itself; raises HashgraphMoved."""
    (event,) = await dag.events([arrival])
    return _row(dag, arrival, event), event


async def _newest(dag: Dag, limit: int) -> DagView:
    return await _window(dag, range(max(0, dag.count - limit), dag.count), None)


async def _of_rounds(dag: Dag, query: DagQuery, limit: int) -> DagView:
    engine = dag.engine
    low = engine.last_round if query.from_round is None else query.from_round
    low = max(low, dag.roster.first_round)
    high = engine.last_round if query.to_round is None else query.to_round
    at = max(query.start or 0, _begin_of(dag, low))
    end, scanned = _end_of(dag, high), 0
    found: list[int] = []
    while at < end and len(found) < limit and scanned < DAG_SCAN_EVENTS_MAX:
        if low <= engine.round_of(dag.index.at(at).id) <= high:
            found.append(at)
        at, scanned = at + 1, scanned + 1
    return await _window(dag, found, at if at < end else None)


async def _window(dag: Dag, arrivals: Sequence[int], following: int | None) -> DagView:
    cursor = _cursor(dag)
    rows = await _rows(dag, arrivals)
    numbers = {one.round for one in rows} | {one.received for one in rows if one.received}
    rounds = [_round(dag, Round(number)) for number in sorted(numbers)]
    return _view(dag, rows, rounds, following, cursor)


async def _news(dag: Dag, cursor: Cursor, limit: int) -> DagView:
    engine, placed = dag.engine, dag.placed
    events = range(min(cursor.events, dag.count), min(cursor.events + limit, dag.count))
    places = range(min(cursor.places, len(placed)), min(cursor.places + limit, len(placed)))
    begin = max(cursor.round, dag.roster.first_round)
    rounds = range(begin, min(engine.last_round + 1, begin + DAG_ROUNDS_SHOWN_MAX))
    following = Cursor(
        cursor.epoch,
        max(events.stop, min(cursor.events, dag.count)),
        max(places.stop, min(cursor.places, len(placed))),
        max(begin, min(engine.last_decided_round + 1, rounds.stop)),
    )
    more = events.stop < dag.count or places.stop < len(placed) or rounds.stop <= engine.last_round
    # All of it before the first event is read: it fits together, and the cursor fits it.
    orders = [_placed(dag, position) for position in places]
    marks = [_round(dag, Round(number)) for number in rounds]
    rows = await _rows(dag, events)
    return _view(dag, rows, marks, None, following, placed=orders, more=more)


async def _rows(dag: Dag, arrivals: Sequence[int]) -> list[DagEventView]:
    rows: list[DagEventView] = []
    for some in dag.slices(arrivals):
        if rows:
            await dag.give_way()
        events = await dag.events(some)
        rows += [_row(dag, at, event) for at, event in zip(some, events, strict=True)]
    return rows


def _view(
    dag: Dag,
    rows: Sequence[DagEventView],
    rounds: Sequence[DagRoundView],
    following: int | None,
    cursor: Cursor,
    *,
    placed: Sequence[PlacedView] = (),
    more: bool = False,
) -> DagView:
    return DagView(
        epoch=dag.roster.epoch,
        first_round=dag.roster.first_round,
        members=[member.name for member in dag.roster.members],
        branches=dag.engine.branches(),
        events=dag.count,
        items=rows,
        placed=placed,
        rounds=rounds,
        next=following,
        cursor=str(cursor),
        more=more,
    )


def _cursor(dag: Dag) -> Cursor:
    return Cursor(dag.roster.epoch, dag.count, len(dag.placed), dag.engine.last_decided_round + 1)


def _row(dag: Dag, arrival: int, event: Event) -> DagEventView:
    engine, known = dag.engine, dag.index.at(arrival)
    place = dag.placed.of(arrival)
    own = () if event.self_parent is None else (event.self_parent,)
    is_witness = engine.is_witness(event.id)
    return DagEventView(
        arrival=arrival,
        id=event.id.hex(),
        creator=event.creator,
        branch=engine.branch_of(event.id),
        sequence=event.sequence,
        parents=[_place(dag, parent) for parent in (*own, *event.other_parents)],
        time_ns=event.time_ns,
        round=engine.round_of(event.id),
        witness=is_witness,
        famous=engine.famous(event.id) if is_witness else None,
        received=engine.received_round(event.id),
        consensus_time_ns=None if place is None else place.consensus_time_ns,
        position=None if place is None else place.position,
        transactions=len(event.payload),
        size_bytes=known.size_bytes,
    )


def _place(dag: Dag, event_id: EventId) -> tuple[int, int]:
    return dag.engine.branch_of(event_id), dag.index.parent(event_id).sequence


def _placed(dag: Dag, position: int) -> PlacedView:
    place = dag.placed.at(position)
    received = dag.engine.received_round(dag.index.at(place.arrival).id)
    return PlacedView(place.arrival, received or 0, place.consensus_time_ns, position)


def _round(dag: Dag, number: Round) -> DagRoundView:
    arrivals = sorted((dag.index.arrival(one), one) for one in dag.engine.witnesses(number))
    marks = [MarkView(at, dag.engine.famous(one)) for at, one in arrivals]
    return DagRoundView(number, dag.placed.known_at(number), marks)


def _begin_of(dag: Dag, low: int) -> int:
    """Return the arrival before which no event is of this round or a later one.

    The first event of a member in a round is a witness of it.
    """
    return min(_arrivals(dag, low), default=dag.count)


def _end_of(dag: Dag, high: int) -> int:
    """Return an arrival from which on no event is of this round or an earlier one.

    Along a chain rounds never shrink, so a member that is beyond the round is done with it; whoever
    forks may still come back.
    """
    engine = dag.engine
    if engine.forked_creators:
        return dag.count
    beyond: dict[int, int] = {}
    for number in range(high + 1, min(engine.last_round, high + DAG_ROUNDS_SHOWN_MAX) + 1):
        for arrival in _arrivals(dag, number):
            beyond.setdefault(dag.index.at(arrival).creator, arrival)
        if len(beyond) == len(dag.roster.members):
            return min(dag.count, max(beyond.values()))
    return dag.count


def _arrivals(dag: Dag, number: int) -> list[int]:
    """Return the arrivals of the witnesses of a round."""
    return [dag.index.arrival(witness) for witness in dag.engine.witnesses(Round(number))]
