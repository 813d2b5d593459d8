"""Starts the project's programs as processes of their own, by forking one that has imported them.

A start of a daemon takes 1.5 s of processor time, nearly all of it for imports. That is spent once.
The new process is the program all the same, with arguments, environment, standard streams and exit
status of its own; only how the interpreter itself is started is not shown by it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parents[2]
COMMAND_LINE: Final = "cli.main"
END_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a process shall be."""

    program: str
    arguments: list[str]
    environment: dict[str, str]
    directory: str


class Started:
    """A process: what tests use of `subprocess.Popen`."""

    def __init__(self, pid: int, told: int, stdout: IO[str] | None) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._told = told

    def __del__(self) -> None:
        if self.stdout is not None:
            self.stdout.close()
        if self.returncode is None:
            os.close(self._told)

    def poll(self) -> int | None:
        """Return the exit status, None as long as it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status; raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            status = os.read(self._told, 16)
            os.close(self._told)
            self.returncode = int(status or -signal.SIGKILL)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Zygote:
    """The process that forks, from the first order on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket

    def fork(self, order: Order, streams: tuple[int, int, int]) -> tuple[int, int]:
        """Return the pid of a new process, and where its exit status can be read."""
        told, tells = os.pipe()
        try:
            with self._lock:
                if self._process is None:
                    self._start()
                data = json.dumps(asdict(order)).encode()
                socket.send_fds(self._orders, [data], [*streams, tells])
                answer = self._orders.recv(16)
        finally:
            os.close(tells)
        assert answer, "the process that forks has ended"
        return int(answer), told

    def _start(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.network.zygote", str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": path},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        self._orders.close()
        if self._process is not None:
            self._process.wait(END_S)


_ZYGOTE: Final = _Zygote()


def start(*arguments: str, errors: IO[bytes], output: IO[bytes] | None = None) -> Started:
    """Start the command line. Its standard output is a pipe unless it is told where to write."""
    with Path(os.devnull).open("rb") as nothing:
        if output is not None:
            return _start(COMMAND_LINE, arguments, (nothing, output, errors))
        reading, writing = os.pipe()
        with os.fdopen(writing, "wb") as pipe:
            started = _start(COMMAND_LINE, arguments, (nothing, pipe, errors))
        started.stdout = os.fdopen(reading, encoding="utf-8")
        return started


def run(
    *arguments: str,
    program: str = COMMAND_LINE,
    given: str | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. `given` is its standard input.

    `meanwhile` is called again and again as long as it runs.
    """
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        source.write((given or "").encode())
        source.seek(0)
        started = _start(program, arguments, (source, output, errors))
        until_s = time.monotonic() + END_S
        try:
            while meanwhile is not None and time.monotonic() < until_s and started.poll() is None:
                meanwhile()
            status = started.wait(max(0.0, until_s - time.monotonic()))
        finally:
            started.kill()
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
        return subprocess.CompletedProcess(arguments, status, *texts)


def _start(program: str, arguments: tuple[str, ...], streams: Sequence[IO[bytes]]) -> Started:
    order = Order(program, list(arguments), dict(os.environ), str(ROOT))
    source, output, errors = (stream.fileno() for stream in streams)
    return Started(*_ZYGOTE.fork(order, (source, output, errors)), None)
