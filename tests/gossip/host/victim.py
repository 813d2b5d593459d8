"""A host in a process of its own, to be attacked: `python -m tests.gossip.host.victim ADDRESS`.

Prints its address; then, for each line it reads, one line of JSON about itself. Its deadlines are
long: whoever is dropped is dropped for what it does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from gossip.host import Host, HostConfig
from tests.gossip.host.host_world import (
    PATIENCE_S,
    PROTOCOL,
    ask,
    echo,
    lengthen_deadlines,
    swarm_of,
)

if TYPE_CHECKING:
    from gossip.host.engine import Engine


async def main() -> None:
    lengthen_deadlines()
    config = HostConfig(b"v" * 32, (sys.argv[1],), PROTOCOL, upgrade_timeout_s=PATIENCE_S)
    host = Host(config, echo)
    _tell((await host.start())[0])
    while await asyncio.to_thread(sys.stdin.readline):
        report = {"restarts": host.restarts, "streams": len(host._streams)}
        _tell(json.dumps(report | await ask(host, _counts)))
    await host.stop()


def _counts(engine: Engine) -> dict[str, int]:
    swarm = swarm_of(engine)
    return {
        "connections": len(swarm.get_connections()),
        "inbound": len(swarm._inbound),
        "upgrading": len(swarm._upgrading),
    }


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
