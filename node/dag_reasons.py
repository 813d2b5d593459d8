"""Why an event is where it is, as views and in sentences; `hashgraph.reasons` finds it out."""

from __future__ import annotations

from collections.abc import Sequence

from core.ids import EventId, Round
from gateway.consensus_views import (
    EventRefView,
    EventView,
    EventWhyView,
    JudgeView,
    LookView,
    NeighbourView,
    UndecidedView,
    WitnessesView,
    WitnessView,
)
from gateway.errors import NoSuchRound
from hashgraph.reasons import Reasons, RoundLook, first_votes, median_ns, reasons
from ledger.transaction import transaction_id
from node.dag import Dag
from node.dag_window import row
from node.limits import UNDECIDED_SHOWN_MAX, WHY_PATH_EVENTS_MAX, WHY_TRANSACTIONS_SHOWN_MAX
from node.stages.placed import Place

_NAMED_MAX = 3
"""Rounds that sentences tell of one by one."""


async def event_view(dag: Dag, event_id: EventId) -> EventView:
    """Return everything about one event that is here; raises HashgraphMoved."""
    shown, event = await row(dag, dag.index.arrival(event_id))
    own = () if event.self_parent is None else (event.self_parent,)
    member = dag.roster.members[event.creator]
    return EventView(
        epoch=dag.roster.epoch,
        event=shown,
        member=member.name,
        cell_id=member.cell_id,
        parents=dag.refs([*own, *event.other_parents]),
        transaction_ids=[
            transaction_id(raw).hex() for raw in event.payload[:WHY_TRANSACTIONS_SHOWN_MAX]
        ],
        signature=event.signature.hex(),
        forked=len(dag.engine.events_at(event.creator, event.sequence)) > 1,
    )


async def why_view(dag: Dag, event_id: EventId) -> EventWhyView:
    """Return why an event that is here is where it is; raises HashgraphMoved."""
    found = reasons(dag.engine, event_id)
    place = dag.placed.of(dag.index.arrival(event_id))
    judges = [judge.judge for judge in found.judges]
    near = [] if place is None else _neighbours(dag, place, found.received)
    # The engine may go on while events are read, but nothing in `found` can become untrue.
    paths = await _paths(dag, found)
    signed = await _signatures(dag, [event_id, *near, *judges]) if judges else {}
    whitening = 0
    for judge in judges:
        whitening ^= signed[judge]
    views = {
        one: NeighbourView(
            dag.ref(one), _median_ns(dag, judges, one), _hex(signed[one] ^ whitening)
        )
        for one in near
    }
    before, after = _split(dag, place, views)
    at = dag.index.at(dag.index.arrival(event_id))
    median = _median_ns(dag, judges, event_id) if judges else None
    return EventWhyView(
        epoch=dag.roster.epoch,
        event=dag.ref(event_id),
        member=dag.name(at.creator),
        round=found.round,
        witness=found.witness,
        famous=found.famous,
        strongly_sees=dag.refs(found.strongly_sees),
        received=found.received,
        judges=[
            JudgeView(
                dag.ref(one.judge), dag.ref(one.first), dag.time_ns(one.first), paths[one.first]
            )
            for one in found.judges
        ],
        median_ns=median,
        consensus_time_ns=None if place is None else place.consensus_time_ns,
        position=None if place is None else place.position,
        whitened=_hex(signed[event_id] ^ whitening) if judges else None,
        before=before,
        after=after,
        passed=[_look(dag, look) for look in found.passed],
        pending=[_look(dag, look) for look in found.pending],
        words=[
            *_created_words(dag, found),
            *_passed_words(dag, found),
            *(
                _pending_words(dag, found)
                if found.received is None
                else _received_words(dag, found, place, median, before, after)
            ),
        ],
    )


def witnesses_view(dag: Dag, number: Round) -> WitnessesView:
    """Return one round; raises NoSuchRound."""
    engine = dag.engine
    if not dag.roster.first_round <= number <= engine.last_round:
        raise NoSuchRound(
            f"epoch {dag.roster.epoch} has the rounds {dag.roster.first_round} "
            f"to {engine.last_round} now, not round {number}"
        )
    judges = set(engine.judges(number))
    is_decided = number <= engine.last_decided_round
    before = dag.placed.count_at(Round(number - 1))
    views = []
    for witness in engine.witnesses(number):
        votes = first_votes(engine, witness)
        ref = dag.ref(witness)
        views.append(
            WitnessView(
                id=ref.id,
                arrival=ref.arrival,
                creator=ref.creator,
                sequence=ref.sequence,
                famous=engine.famous(witness),
                judge=witness in judges,
                votes_yes=dag.weight([voter for voter, sees in votes if sees]),
                votes_no=dag.weight([voter for voter, sees in votes if not sees]),
                voters=len(votes),
            )
        )
    if is_decided:
        words = f"decided, with {len(judges)} judges of {len(views)} witnesses"
    else:
        words = undecided_view(dag, number).words
    return WitnessesView(
        epoch=dag.roster.epoch,
        round=number,
        decided=is_decided,
        known=dag.placed.known_at(number),
        received=dag.placed.count_at(number) - before if is_decided else 0,
        witnesses=views,
        words=words,
    )


def undecided_views(dag: Dag) -> list[UndecidedView]:
    """Return the first undecided rounds."""
    first = dag.engine.last_decided_round + 1
    end = min(dag.engine.last_round + 1, first + UNDECIDED_SHOWN_MAX)
    return [undecided_view(dag, Round(number)) for number in range(first, end)]


def undecided_view(dag: Dag, number: Round) -> UndecidedView:
    """Return an undecided round, and what it waits for."""
    fame = [dag.engine.famous(witness) for witness in dag.engine.witnesses(number)]
    open_count = fame.count(None)
    if dag.engine.last_round < number + 2:
        words = f"no event of round {number + 2} has come, so nobody can decide"
    elif open_count:
        words = f"the fame of {open_count} of {len(fame)} witnesses is not decided"
    else:
        words = f"all is known; round {dag.engine.last_decided_round + 1} comes first"
    return UndecidedView(
        round=number,
        witnesses=len(fame),
        famous=fame.count(True),
        not_famous=fame.count(False),
        undecided=open_count,
        missing=_missing(dag, number),
        words=words,
    )


# -- inside ----------------------------------------------------------------------------------------


async def _paths(dag: Dag, found: Reasons) -> dict[EventId, list[EventRefView]]:
    """Return a way down to the event from each `first`, all of them step by step together.

    Each step takes the parent that has the event and arrived earliest, so nothing is tried twice.
    """
    ways: dict[EventId, list[EventId]] = {one.first: [one.first] for one in found.judges}
    for _ in range(WHY_PATH_EVENTS_MAX):
        ends = sorted({way[-1] for way in ways.values() if way[-1] != found.id})
        if not ends:
            break
        below: dict[EventId, EventId] = {}
        for some in dag.slices([dag.index.arrival(end) for end in ends]):
            for event in await dag.events(some):
                own = () if event.self_parent is None else (event.self_parent,)
                having = (
                    parent
                    for parent in (*own, *event.other_parents)
                    if dag.engine.is_ancestor(parent, found.id)
                )
                below[event.id] = min(having, key=dag.index.arrival)
        for way in ways.values():
            if way[-1] != found.id:
                way.append(below[way[-1]])
    return {first: dag.refs(way) if way[-1] == found.id else [] for first, way in ways.items()}


async def _signatures(dag: Dag, ids: Sequence[EventId]) -> dict[EventId, int]:
    signatures: dict[EventId, int] = {}
    for some in dag.slices([dag.index.arrival(one) for one in ids]):
        for event in await dag.events(some):
            signatures[event.id] = int.from_bytes(event.signature, "big")
    return signatures


def _neighbours(dag: Dag, place: Place, received: Round | None) -> list[EventId]:
    """Return the events of the same round before and after, where there are some."""
    positions = (place.position - 1, place.position + 1)
    there = [dag.placed.at(at).arrival for at in positions if 0 <= at < len(dag.placed)]
    ids = [dag.index.at(arrival).id for arrival in there]
    return [one for one in ids if dag.engine.received_round(one) == received]


def _split(
    dag: Dag, place: Place | None, views: dict[EventId, NeighbourView]
) -> tuple[NeighbourView | None, NeighbourView | None]:
    before = after = None
    for view in views.values():
        other = dag.placed.of(view.event.arrival)
        if place is not None and other is not None and other.position < place.position:
            before = view
        else:
            after = view
    return before, after


def _median_ns(dag: Dag, judges: Sequence[EventId], event_id: EventId) -> int:
    firsts = [dag.engine.first_with(judge, event_id) for judge in judges]
    return median_ns([dag.time_ns(first) for first in firsts if first is not None])


def _hex(number: int) -> str:
    return f"{number:0128x}"


def _missing(dag: Dag, number: Round) -> list[str]:
    there = {dag.ref(witness).creator for witness in dag.engine.witnesses(number)}
    return [m.name for at, m in enumerate(dag.roster.members) if at not in there]


def _look(dag: Dag, look: RoundLook) -> LookView:
    return LookView(
        round=look.round,
        decided=look.decided,
        witnesses=len(look.witnesses),
        lacking=dag.refs(look.lacking),
        missing=[] if look.decided else _missing(dag, look.round),
    )


def _created_words(dag: Dag, found: Reasons) -> list[str]:
    label = dag.label(found.id)
    if not found.witness:
        return [f"{label} was made in round {found.round}: the highest round of its parents."]
    words = f"{label} is its creator's first event of round {found.round}, so a witness"
    if found.round > dag.roster.first_round:
        held, total = dag.weight(found.strongly_sees), sum(dag.roster.weights)
        words += (
            f"; of round {found.round - 1} it strongly sees {len(found.strongly_sees)} witnesses, "
            f"weight {held} of {total}"
        )
    fame = {
        True: "It is famous",
        False: "It is not famous",
        None: "Whether it is famous is not decided yet",
    }
    return [f"{words}. {fame[found.famous]}."]


def _passed_words(dag: Dag, found: Reasons) -> list[str]:
    words = []
    if len(found.passed) > _NAMED_MAX:
        earlier = found.passed[-_NAMED_MAX].round - 1
        words.append(f"Rounds up to {earlier} did not receive it either.")
    for look in found.passed[-_NAMED_MAX:]:
        if look.lacking:
            judges = _listed([dag.label(one) for one in look.lacking])
            words.append(
                f"Round {look.round} did not receive it: without it {_are(look.lacking)} {judges}."
            )
        else:
            words.append(f"Round {look.round} received nothing: it has no judges.")
    return words


def _received_words(
    dag: Dag,
    found: Reasons,
    place: Place | None,
    median: int | None,
    before: NeighbourView | None,
    after: NeighbourView | None,
) -> list[str]:
    judges = _listed([dag.label(one.judge) for one in found.judges])
    words = [
        f"Round {found.received} received it, as all of its judges have it: {judges}.",
        "Its time is the median of when each judge's chain first had it.",
    ]
    if place is not None and median is not None and place.consensus_time_ns > median:
        words.append(f"{place.consensus_time_ns - median} ns were added: times strictly increase.")
    for view, where in ((before, "before"), (after, "after")):
        if view is not None and view.median_ns == median:
            words.append(
                f"{_named(dag, view)} has the same median and comes {where} it: of the signatures, "
                "each XOR those of all judges, the smaller goes first."
            )
    return words


def _pending_words(dag: Dag, found: Reasons) -> list[str]:
    words = []
    for look in found.pending[:_NAMED_MAX]:
        view = undecided_view(dag, look.round)
        line = f"Round {look.round} is not decided: {view.words}."
        if look.lacking:
            labels = _listed([dag.label(one) for one in look.lacking])
            any_of = "any of " if len(look.lacking) > 1 else ""
            line += f" It will not receive the event if {any_of}{labels} becomes a judge."
        elif look.witnesses:
            line += " All of its witnesses that may become judges have the event."
        words.append(line)
    if not found.pending:
        words.append(f"It waits for events of round {dag.engine.last_decided_round + 1}.")
    return words


def _named(dag: Dag, view: NeighbourView) -> str:
    return f"{dag.name(view.event.creator)}/{view.event.sequence}"


def _are(items: Sequence[object]) -> str:
    return "is" if len(items) == 1 else "are"


def _listed(names: Sequence[str]) -> str:
    """Return names as people list them; of many only the first ones."""
    shown = list(names[:8])
    if len(names) > len(shown):
        return f"{', '.join(shown)} and {len(names) - len(shown)} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
