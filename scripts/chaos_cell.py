"""One real cell of a chaos run: its process, its directory, what goes wrong around it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from chaos_errors import NetworkNotUp

from cli import daemon
from core.errors import MyceldError
from myceld import Client
from myceld.home import RunFile
from node.failpoints import FAILPOINTS_VARIABLE
from node.faults import FAULTS_FILE, FAULTS_VARIABLE

POLL_S: Final = 0.02
READY_S: Final = 60.0
GONE_S: Final = 15.0
ASK_S: Final = 3.0
READ_S: Final = 60.0
PAGE: Final = 1000
LOG_TAIL_BYTES: Final = 4096
_NOTHING: Final = Path(os.devnull)


class Process:
    """A process that was started for a cell."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        """`child` is None when it is another process's child, which collects it."""
        self.pid = pid
        self._child = child

    def is_alive(self) -> bool:
        """Return whether it has not ended."""
        if self._child is not None:
            return self._child.poll() is None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it has not ended."""
        if self.is_alive():
            os.kill(self.pid, number)

    def wait_gone(self, timeout_s: float = GONE_S) -> bool:
        """Wait for its end; return whether it came."""
        until_s = time.monotonic() + timeout_s
        while self.is_alive():
            if time.monotonic() > until_s:
                return False
            time.sleep(POLL_S / 4)
        return True


class Starter(Protocol):
    """Starts `python -m node ARGUMENTS`."""

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        given: Path = _NOTHING,
    ) -> Process:
        """Return the process, which reads `given` and whose output goes to the end of `log`."""
        ...


class PlainStarter:
    """Starts each cell as `myceld run` does."""

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        given: Path = _NOTHING,
    ) -> Process:
        """See `Starter`."""
        command, inherited = daemon.node_command(arguments)
        with log.open("ab") as output, given.open("rb") as source:
            child = subprocess.Popen(
                command,
                env={**inherited, **environment},
                stdin=source,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Process(child.pid, child)


class QuickStarter:
    """Starts cells by forking a process that has imported everything: for many crashes."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("chaos_zygote.py"))]
        self._zygote = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._lock = threading.Lock()

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        given: Path = _NOTHING,
    ) -> Process:
        """See `Starter`."""
        order = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "log": str(log),
            "given": str(given),
        }
        asks, answers = self._zygote.stdin, self._zygote.stdout
        assert asks is not None and answers is not None  # noqa: S101, PT018 - for the type checker: they are pipes
        with self._lock:
            asks.write(json.dumps(order).encode() + b"\n")
            asks.flush()
            line = answers.readline()
        if not line:
            raise NetworkNotUp("the process that forks cells has ended")
        return Process(int(line))

    def close(self) -> None:
        """End it; the cells go on."""
        self._zygote.kill()
        self._zygote.communicate()


class Cell:
    """A cell by its number, counted from 1."""

    def __init__(self, number: int, home: Path, starter: Starter) -> None:
        self.number = number
        self.home = home
        self.cell_id = ""
        self.log = home / "daemon.log"
        self.process: Process | None = None
        self.starter = starter
        self._clients = threading.local()

    @property
    def name(self) -> str:
        """For people."""
        return f"cell-{self.number}"

    def run(self, *arguments: str) -> Process:
        """Start another of the daemon's commands on this directory."""
        return self.starter.start([*arguments, "--home", str(self.home)], {}, self.log)

    def start(self, failpoints: str = "") -> None:
        """Start the daemon, with failpoints armed or not."""
        (self.home / "run.json").unlink(missing_ok=True)
        environment = {FAULTS_VARIABLE: "1", FAILPOINTS_VARIABLE: failpoints}
        self.process = self.starter.start(["run", "--home", str(self.home)], environment, self.log)

    def is_alive(self) -> bool:
        """Return whether its process has not ended."""
        return self.process is not None and self.process.is_alive()

    def is_ready(self) -> bool:
        """Return whether the process that was started last answers."""
        if self.process is None:
            return False
        try:
            run = RunFile.read(self.home)
            if run.pid == self.process.pid:
                self.client.health()
                self.cell_id = run.cell_id
                return True
        except MyceldError:
            pass
        return False

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Wait until it answers; raises NetworkNotUp."""
        wait_until(
            self.is_ready,
            timeout_s,
            f"{self.name} is not ready",
            hopeless=lambda: not self.is_alive(),
        )

    def send(self, number: signal.Signals) -> None:
        """Signal the process, if it lives."""
        if self.process is not None:
            self.process.send(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the process: at once, or cleanly within a time by SIGTERM."""
        if self.process is not None:
            self.process.send(number)
            if not self.process.wait_gone():
                self.process.send(signal.SIGKILL)
                self.process.wait_gone()

    def have_faults(self, faults: Mapping[str, object]) -> None:
        """Tell it what is wrong around it now."""
        part = self.home / f"{FAULTS_FILE}.part"
        part.write_text(json.dumps({"version": 1, **faults}), encoding="utf-8")
        part.replace(self.home / FAULTS_FILE)

    @property
    def client(self) -> Client:
        """This thread's client for short questions; ports stay the same over restarts."""
        client: Client | None = getattr(self._clients, "one", None)
        if client is None:
            client = self._clients.one = Client.from_home(self.home, timeout_s=ASK_S)
        return client

    def status(self) -> Mapping[str, Any] | None:
        """Return its StatusView, None when it gives none."""
        try:
            return self.client.status()
        except MyceldError:
            return None

    def status_now(self) -> Mapping[str, Any]:
        """Return its StatusView; raises as the client does."""
        return self.client.status()

    def ordered(self) -> int:
        """Return how many transactions it has ordered; -1 when it does not say."""
        status = self.status()
        return -1 if status is None else int(status["transactions_ordered"])

    def said(self, since: int) -> str:
        """Return what it logged from a byte of its log on."""
        try:
            with self.log.open("rb") as file:
                file.seek(since)
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def log_size(self) -> int:
        """Return the length of its log."""
        return self.log.stat().st_size if self.log.exists() else 0

    def last_words(self) -> str:
        """Return the last line that it logged."""
        lines = self.said(max(0, self.log_size() - LOG_TAIL_BYTES)).split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def wait_until(
    condition: Callable[[], bool],
    timeout_s: float,
    what: str,
    hopeless: Callable[[], bool] = lambda: False,
) -> float:
    """Wait for a condition; return how many seconds it took. Raises NetworkNotUp."""
    began_s = time.monotonic()
    while not condition():
        if hopeless() or time.monotonic() - began_s > timeout_s:
            raise NetworkNotUp(f"{what} after {time.monotonic() - began_s:.1f} s")
        time.sleep(POLL_S)
    return time.monotonic() - began_s
