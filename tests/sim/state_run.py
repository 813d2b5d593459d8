"""A program: four simulated cells use the state service, one restarts; prints what they answer.

It has a process of its own, as each run of the simulator: the clock of the process is taken away.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from typing import Any

from core.errors import MyceldError
from gateway.state_views import ChangesQuery, NamespaceWish, WriteWish
from gateway.views import Stage
from node.cell import RunningCell
from node.limits import WATCHERS_MAX
from sim import clock
from sim.disk import seed_sqlite
from tests.sim.trust_run import PATIENCE_S
from tests.sim.trust_run import Network as Cells


class Network(Cells):
    """Four cells, and the way to use their state service."""

    def write(self, at: int, *wishes: WriteWish) -> dict[str, Any]:
        return asdict(
            self.ask(
                at,
                lambda cell: cell.write_state(wishes, wait=Stage.APPLIED, timeout_s=PATIENCE_S),
            )
        )

    def roll_back(self, at: int, name: str, to_round: int, *, exact: bool) -> str:
        async def roll(cell: RunningCell) -> str:
            try:
                receipt = await cell.roll_back(
                    name, to_round, exact=exact, wait=Stage.APPLIED, timeout_s=PATIENCE_S
                )
            except MyceldError as error:
                return error.code
            return str(receipt.outcome) if receipt.refusal is None else receipt.refusal.code

        return self.ask(at, roll)

    def values(self, at: int, prefix: str) -> dict[str, str | None]:
        listed = self.ask(at, lambda cell: cell.state_entries(prefix, "", 100))
        return {item.key: item.value for item in listed.items}


def put(key: str, value: str) -> WriteWish:
    return WriteWish(key, value.encode())


def story(network: Network) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for cell in network.world.cells:
        network.start(cell)
    watching = network.world.cells[3].ask(
        lambda cell: cell.state_changes(ChangesQuery("club/", None, "", 10), PATIENCE_S)
    )
    network.loop.run_until(network.loop.time() + 0.2)
    first = network.write(0, put("club/a", "1"), put("club/b", "1"), put("other", "x"))
    then = first["round"]
    told["outcomes"] = [
        first["outcome"],
        network.write(1, WriteWish("club/a", b"2", if_round=then))["outcome"],
        network.write(2, WriteWish("club/a", b"3", if_round=then))["refusal"]["code"],
        network.write(2, WriteWish("club/b", None), put("club/c", "3"))["outcome"],
    ]
    network.caught_up()
    told["watched"] = [item.key for item in watching.result().items]
    told["before"] = network.values(3, "club/")
    told["listed"] = [asdict(network.ask(0, lambda cell: cell.state_entries("club/", "", 1)))]
    told["listed"].append(asdict(network.ask(0, lambda c: c.state_entries("club/", "club/a", 5))))
    told["at"] = asdict(network.ask(1, lambda cell: cell.state_value("club/a", then)))
    told["root_at"] = network.world.referee.headers[then].state_root.hex()
    told["history"] = asdict(
        network.ask(1, lambda cell: cell.state_history("club/a", 2**63 - 1, 9))
    )
    last = int(network.world.cells[1].applied_round)
    told["diff"] = asdict(
        network.ask(1, lambda cell: cell.state_differences((then, last), "club/", "", 10))
    )
    told["page"] = asdict(
        network.ask(1, lambda cell: cell.state_differences((then, last), "club/", "club/a", 1))
    )
    told["rolled"] = [
        network.roll_back(3, "club/", then, exact=False),
        network.roll_back(3, "club/", then, exact=False),
        network.roll_back(3, "club/a", 0, exact=True),
    ]
    network.caught_up()
    told["after"] = network.values(1, "")
    told["changes"] = changes(network, then)
    told["many"] = many(network)
    told["namespaces"] = namespaces(network)
    network.world.cells[2].kill()
    network.start(network.world.cells[2])
    network.write(2, put("again", "here"))
    network.caught_up()
    told["restarted"] = asdict(network.ask(2, lambda cell: cell.state_value("club/b", then)))
    told["same"] = [network.values(at, "") == network.values(0, "") for at in range(4)]
    told["findings"] = [str(finding) for finding in network.world.referee.findings]
    return told


def changes(network: Network, after: int) -> dict[str, Any]:
    """Read all changes in pages of two, and at the end wait in vain for more."""
    seen: list[list[Any]] = []
    place: tuple[int | None, str] = (after - 1, "")
    while True:
        query = ChangesQuery("club/", *place, 2)
        page = network.ask(0, lambda cell, query=query: cell.state_changes(query, 1.0))  # type: ignore[misc]  # a bound default
        seen += [[item.round, item.key, item.value] for item in page.items]
        place = (page.round, page.key)
        if not page.items:
            break
    rounds = [number for number, _, _ in seen]
    told: dict[str, Any] = {"seen": [one[1:] for one in seen], "in_order": rounds == sorted(rounds)}

    async def crowd(cell: RunningCell) -> str:

        query = ChangesQuery("none", None, "", 1)
        waiting = [
            asyncio.ensure_future(cell.state_changes(query, 2.0)) for _ in range(WATCHERS_MAX)
        ]
        await asyncio.sleep(0.1)
        try:
            await cell.state_changes(query, 2.0)
        except MyceldError as error:
            return error.code
        finally:
            await asyncio.gather(*waiting)
        return "room for one more"

    return told | {"crowd": network.ask(0, crowd)}


def many(network: Network) -> list[str | None]:
    """Change more keys than one batch can put back."""
    begin = int(network.world.cells[0].applied_round)
    for part in (range(40), range(40, 80)):
        network.write(0, *(put(f"many/{number:02}", "v") for number in part))
    network.caught_up()
    rolled = [
        network.roll_back(0, "many/", begin, exact=False),
        network.roll_back(0, "many/0", begin, exact=False),
        network.roll_back(1, "many/79", begin, exact=True),
    ]
    network.caught_up()
    return [*rolled, str(len(network.values(0, "many/")))]


def namespaces(network: Network) -> dict[str, Any]:
    """Claim a namespace, and let others try to write there."""

    def claim(at: int, wish: NamespaceWish, *, claims: bool) -> dict[str, Any]:
        return asdict(
            network.ask(
                at,
                lambda cell: cell.set_namespace(
                    wish, claims=claims, wait=Stage.APPLIED, timeout_s=PATIENCE_S
                ),
            )
        )

    own = claim(0, NamespaceWish("own", (), "writers", ("cell-2",)), claims=True)
    writes = [network.write(at, put("own/k", "v"))["outcome"] for at in range(3)]
    handed = claim(0, NamespaceWish("own", ("cell-3",), "owners", ()), claims=False)
    network.caught_up()
    shown = asdict(network.ask(3, lambda cell: cell.namespace("own/deep/key")))
    return {
        "outcomes": [own["outcome"], *writes, handed["outcome"]],
        "owner": shown["owners"] == [network.world.cells[2].key.cell_id],
        "access": shown["access"],
        "listed": [one.name for one in network.ask(3, lambda cell: cell.namespaces("", "", 9))],
        "again": [network.write(at, put("own/k", "w"))["outcome"] for at in (0, 2)],
    }


def main() -> None:
    seed_sqlite(11)
    network = Network(11)
    with clock.installed(network.loop, 11):
        told = story(network)
    print(json.dumps(told), flush=True)  # noqa: T201 - the program's output
    os._exit(0)  # what the cells were doing is not cleaned up


if __name__ == "__main__":
    main()
