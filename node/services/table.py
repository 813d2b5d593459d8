"""The five services of a cell: what each is called, keeps and needs. Pure.

A service is no process and no task: it is a part of the daemon with a journal of its own. Its tasks
are started, supervised and ended by `node.supervisor`, in the order that `start_order` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from identity.messages.proof import MESSAGE_JOURNAL
from identity.record import IDENTITY_JOURNAL, NUCLEUS_JOURNAL
from identity.trust import INTERACTIONS_JOURNAL
from node.errors import BadServices
from node.tables import EVENTS_JOURNAL, HEADERS_JOURNAL


@dataclass(frozen=True, slots=True)
class Service:
    """One service. It starts after all that it needs, and ends before them."""

    name: str
    journal: str
    needs: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    """Further journals that it alone writes."""


SERVICES: Final = (
    Service("nucleus", NUCLEUS_JOURNAL),
    Service("consensus", EVENTS_JOURNAL, ("nucleus", "state")),
    Service("state", HEADERS_JOURNAL, ("nucleus",)),
    Service("identity", IDENTITY_JOURNAL, ("nucleus", "state"), (INTERACTIONS_JOURNAL,)),
    Service("message", MESSAGE_JOURNAL, ("identity", "consensus")),
)


def start_order(services: Sequence[Service] = SERVICES) -> list[Service]:
    """Return the services, each after what it needs, otherwise as they were given.

    Raises BadServices for a name that is there twice, a need that is not there, or a circle.
    """
    names = [service.name for service in services]
    if len(frozenset(names)) != len(names):
        raise BadServices("two services have one name")
    for service in services:
        missing = [need for need in service.needs if need not in names]
        if missing:
            raise BadServices(f"{service.name} needs {missing[0]}, which there is not")
    ordered: list[Service] = []
    started: set[str] = set()
    waiting = list(services)
    while waiting:
        ready = next((one for one in waiting if started.issuperset(one.needs)), None)
        if ready is None:
            circle = ", ".join(service.name for service in waiting)
            raise BadServices(f"these need each other: {circle}")
        waiting.remove(ready)
        started.add(ready.name)
        ordered.append(ready)
    return ordered
