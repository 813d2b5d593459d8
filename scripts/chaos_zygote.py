"""Starts cells quickly: has imported the daemon already, and forks for each order on its input.

Each line in is `{"arguments": […], "environment": {…}, "log": "…", "given": "…"}`, each line out
the pid of a cell that runs `python -m node ARGUMENTS` in a process of its own, reads the file
`given` and writes to `log`. It ends with its input, and leaves the cells alone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, NoReturn

import node.daemon  # noqa: F401 - what takes long, before the fork
from gossip.host.loading import load_libp2p
from node.__main__ import entry


def main() -> None:
    """Serve standard input."""
    load_libp2p()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the cells
    for line in sys.stdin.buffer:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become_cell(order)
        print(pid, flush=True)


def _become_cell(order: dict[str, Any]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        given = os.open(order["given"], os.O_RDONLY)
        for ours, theirs in ((given, 0), (log, 1), (log, 2)):
            os.dup2(ours, theirs)
        os.environ.update(order["environment"])
        sys.argv = ["node", *order["arguments"]]
        entry()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
