"""A hashgraph of 10,000 events, as a cell would tell of it: too many to wait for.

The last one is a fork: its creator has another event with that number, on the same self-parent.
"""

from __future__ import annotations

from typing import Any, Final

EVENTS: Final = 10_000
MEMBERS: Final = 7
FORK_OF: Final = EVENTS - 10
_PER_ROUND: Final = 3
"""Events that each member makes in a round."""
_START_NS: Final = 1_700_000_000_000_000_000


class Synthetic:
    """Answers windows and news; every event names the last ones of three others."""

    def __init__(self) -> None:
        self.items = [self._event(at) for at in range(EVENTS)]
        twin = self.items[FORK_OF]
        same = {name: twin[name] for name in ("creator", "sequence", "round", "time_ns")}
        unplaced = dict.fromkeys(("famous", "received", "position", "consensus_time_ns"))
        self.items[-1] |= (
            same
            | unplaced
            | {
                "branch": MEMBERS,
                "parents": twin["parents"][:1],
                "witness": False,
            }
        )

    def view(self, query: dict[str, str]) -> dict[str, Any]:
        """Return what a cell would answer to such a query."""
        limit = int(query.get("limit", 100))
        start = int(query["start"]) if "start" in query else EVENTS - limit
        items = [] if "after" in query else self.items[start : start + limit]
        rounds = sorted({item["round"] for item in items})
        return {
            "epoch": 0,
            "first_round": 1,
            "members": [f"member-{at}" for at in range(MEMBERS)],
            "branches": [*range(MEMBERS), self.items[-1]["creator"]],
            "events": EVENTS,
            "items": items,
            "placed": [],
            "rounds": [
                {
                    "round": number,
                    "known": min(EVENTS, (number + 2) * MEMBERS * _PER_ROUND),
                    "witnesses": [],
                }
                for number in rounds
            ],
            "next": None,
            "cursor": f"0.{EVENTS}.{EVENTS}.1",
            "more": False,
        }

    def why(self, event_id: str) -> dict[str, Any]:
        """Return what a cell would say of an event, as short as can be."""
        words = [f"Nothing is known of {event_id[-4:]}."]
        nothing = dict.fromkeys(("received", "before", "after"))
        return {**nothing, "judges": [], "pending": [], "passed": [], "words": words}

    def _event(self, at: int) -> dict[str, Any]:
        sequence, creator = divmod(at, MEMBERS)
        level = sequence % _PER_ROUND
        others = [(creator + step) % MEMBERS for step in (1, 2, 4)]
        parents = [] if sequence == 0 else [[one, sequence - 1] for one in (creator, *others)]
        number = 1 + sequence // _PER_ROUND
        return {
            "arrival": at,
            "id": f"{at:064x}",
            "creator": creator,
            "branch": creator,
            "sequence": sequence,
            "parents": parents,
            "time_ns": _START_NS + at * 10_000_000,
            "round": number,
            "witness": level == 0,
            "famous": True if level == 0 else None,
            "received": number + 1,
            "consensus_time_ns": _START_NS + at * 10_000_000,
            "position": at,
            "transactions": at % 3,
            "size_bytes": 300,
        }
