"""A process that has imported all programs, and forks for each order: what starts, starts at once.

Run by `tests.network.starting`, which has the other end of the socket that is the first argument.
An order is a JSON object and four descriptors: standard input, output and error of the new process,
and a pipe on which this one writes the exit status when that one has ended. The answer is the pid.

When the other end is gone nobody needs what still runs: it is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final, NoReturn

import cli
import cli.main
import hypha.__main__
import node.__main__
import node.daemon
import tests.network.hostile.__main__
from gossip.host.loading import load_libp2p
from tests.network.starting import COMMAND_LINE, ROOT, Order

ORDER_SIZE_BYTES_MAX: Final = 1 << 17
STREAMS: Final = 3
_DESCRIPTORS_MAX: Final = 4096
_PROGRAMS: Final[Mapping[str, Callable[[], object]]] = {
    COMMAND_LINE: cli.main.main,
    "hypha": hypha.__main__.entry,
    "node": node.__main__.entry,
    "tests.network.hostile": tests.network.hostile.__main__.main,
}


class Become(BaseException):
    """The command line goes on as the daemon."""

    def __init__(self, order: Order) -> None:
        self.order = order


class Zygote:
    """Its children by pid, each with the pipe that is told its exit status."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._children: dict[int, int] = {}

    def serve(self) -> Order | None:
        """Fork for each order. Returns it in the new process, and None when there are no more."""
        woken, wakes = os.pipe()
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._orders, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == woken:
                        os.read(woken, 4096)
                        self._reap()
                        continue
                    data, received, *_ = socket.recv_fds(
                        self._orders, ORDER_SIZE_BYTES_MAX, STREAMS + 1
                    )
                    if not data:
                        self._end_all()
                        return None
                    if self._fork(received):
                        return Order(**json.loads(data))

    def _fork(self, received: Sequence[int]) -> bool:
        """Return whether this is the new process."""
        *streams, told = received
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            return True
        for stream in streams:
            os.close(stream)
        self._children[pid] = told
        self._orders.sendall(b"%d" % pid)
        return False

    def _reap(self) -> None:
        for pid, told in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[pid]
                with contextlib.suppress(BrokenPipeError):  # nobody wants to know
                    os.write(told, b"%d" % os.waitstatus_to_exitcode(status))
                os.close(told)

    def _end_all(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def main() -> None:
    """Serve; then, in a new process, be what was ordered."""
    for module in pkgutil.walk_packages(cli.__path__, "cli."):
        import_module(module.name)
    load_libp2p()
    gc.freeze()
    orders = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=int(sys.argv[1]))
    order = Zygote(orders).serve()
    if order is None:
        return
    os.chdir(order.directory)
    os.execve = _become  # type: ignore[assignment] # as the command line calls it
    try:
        status = _status_of(order)
    except Become as other:
        status = _status_of(other.order)
    # What an interpreter does in the end, but for taking itself apart: that copies all its memory.
    threading._shutdown()  # type: ignore[attr-defined] # there is no public name for it
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _become(path: str, command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    interpreter, safely, as_module, program, *arguments = command
    if (interpreter, safely, as_module) != (path, "-P", "-m"):
        raise RuntimeError(f"only our own programs are here, not {command}")
    raise Become(Order(program, arguments, dict(environment), str(ROOT)))


def _status_of(order: Order) -> int:
    """Run a program; return its exit status."""
    os.closerange(STREAMS, _DESCRIPTORS_MAX)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv = [str(ROOT / f"{order.program.replace('.', '/')}.py"), *order.arguments]
    try:
        _PROGRAMS[order.program]()
    except Become:
        raise
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        sys.stderr.write(f"{ended.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 - as an interpreter ends with what nobody caught
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
