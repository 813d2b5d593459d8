"""A host in a process of its own, to be attacked: `python -m tests.gossip.host.victim ADDRESS`.

Prints its address; then, for each line it reads, one line of JSON about itself.
"""

from __future__ import annotations

import asyncio
import json
import sys

from gossip.host import Host, HostConfig
from tests.gossip.host.host_world import PROTOCOL, echo


async def main() -> None:
    host = Host(HostConfig(b"v" * 32, (sys.argv[1],), PROTOCOL), echo)
    _tell((await host.start())[0])
    while await asyncio.to_thread(sys.stdin.readline):
        swarm = host._bridge.engine()._swarm  # type: ignore[union-attr]  # the host is started
        report = {
            "restarts": host.restarts,
            "connections": len(swarm.get_connections()),
            "inbound": len(swarm._inbound),
            "upgrading": len(swarm._upgrading),
            "streams": len(host._streams),
        }
        _tell(json.dumps(report))
    await host.stop()


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
