"""Runs scenarios, each in a process of its own, as many at once as there are cores for.

The child takes clock and chance away from itself and ends without cleaning up, so nothing of one
run reaches another, and a run that hangs or dies is a finding like any other.
"""

from __future__ import annotations

import gc
import logging
import os
import pickle
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, Final

import structlog

from core import failpoint
from sim import clock, once
from sim.disk import seed_sqlite
from sim.limits import CPU_S_PER_VIRTUAL_S_MAX, REAL_S_PER_CPU_S_MAX, RECOVERY_MS_MAX
from sim.loop import SimLoop
from sim.scenario import Scenario
from sim.trace import Trace
from sim.verdict import Finding, Verdict
from sim.world import World, on_error_of

_TOO_SLOW: Final = "it did not end in time"


def run_here(scenario: Scenario, trace_path: Path | None = None) -> Verdict:
    """Run a scenario in this process, which is good for nothing else afterwards."""
    began_s = time.process_time()
    loop = SimLoop()
    file = None if trace_path is None else trace_path.open("w", encoding="utf-8")
    trace = Trace(lambda: round(loop.time() * 1000), file)
    seed_sqlite(scenario.seed)
    with clock.installed(loop, scenario.seed), once.verifying():
        world = World(scenario, loop, trace)
        loop.on_error = on_error_of(world)
        _listen_to_logs(world)
        failpoint.arm(world.hit)
        try:
            verdict = world.run()
        except Exception as error:  # noqa: BLE001 - supervisor of the run: whatever it is, is found
            world.referee.find("the run ends", "".join(traceback.format_exception(error))[-2000:])
            verdict = world.finished()
    if file is not None:
        file.close()
    verdict.cpu_s = time.process_time() - began_s
    return verdict


def run(scenario: Scenario, trace_path: Path | None = None) -> Verdict:
    """Run a scenario in a process of its own."""
    (verdict,) = run_many([scenario], jobs=1, trace_path=trace_path)
    return verdict


def run_many(
    scenarios: Iterable[Scenario], *, jobs: int, trace_path: Path | None = None
) -> Iterator[Verdict]:
    """Run scenarios, `jobs` at once; yield each verdict when it is there."""
    waiting = iter(scenarios)
    running: dict[int, _Child] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                while len(running) < jobs:
                    scenario = next(waiting, None)
                    if scenario is None:
                        break
                    child = _Child(scenario, trace_path)
                    running[child.pipe] = child
                    selector.register(child.pipe, selectors.EVENT_READ)
                if not running:
                    return
                ready = {key.fd for key, _ in selector.select(1.0)}
                for pipe, child in list(running.items()):
                    verdict = child.take(is_readable=pipe in ready)
                    if verdict is not None:
                        selector.unregister(pipe)
                        del running[pipe]
                        yield verdict
        finally:
            for child in running.values():
                child.kill()


class _Child:
    """A forked process that runs one scenario, and sends its verdict through a pipe."""

    def __init__(self, scenario: Scenario, trace_path: Path | None) -> None:
        self._scenario = scenario
        virtual_s = (scenario.troubled_ms + RECOVERY_MS_MAX) / 1000
        allowed_s = virtual_s * CPU_S_PER_VIRTUAL_S_MAX
        self._deadline_s = time.monotonic() + allowed_s * REAL_S_PER_CPU_S_MAX
        self._data = bytearray()
        self.pipe, writing = os.pipe()
        sys.stdout.flush()
        self._pid = os.fork()
        if self._pid == 0:
            signal.setitimer(signal.ITIMER_PROF, allowed_s)
            _run_and_exit(scenario, trace_path, writing)
        os.close(writing)

    def take(self, *, is_readable: bool) -> Verdict | None:
        """Read on; return the verdict once it is whole, or why there is none."""
        if is_readable:
            part = os.read(self.pipe, 1 << 20)
            self._data += part
            if not part:
                return self._end()
        if time.monotonic() > self._deadline_s:
            self.kill()
            return self._failed(_TOO_SLOW)
        return None

    def kill(self) -> None:
        """End the process, whatever it does."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self.pipe)

    def _end(self) -> Verdict:
        os.close(self.pipe)
        _, status = os.waitpid(self._pid, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF:
            return self._failed(_TOO_SLOW)
        if status != 0 or not self._data:
            return self._failed(f"its process ended with status {status}")
        verdict: Verdict = pickle.loads(bytes(self._data))  # noqa: S301 - our own child wrote it
        return verdict

    def _failed(self, detail: str) -> Verdict:
        finding = Finding("the run ends", detail, at_ms=0)
        return Verdict(self._scenario.seed, findings=[finding])


def _run_and_exit(scenario: Scenario, trace_path: Path | None, pipe: int) -> None:
    """The child's whole life. Nothing of the parent's is cleaned up, flushed or run here."""
    status = 1
    gc.disable()
    gc.freeze()  # what the parent made is none of this run's garbage: walking it copies its pages
    try:
        data = memoryview(pickle.dumps(run_here(scenario, trace_path)))
        while data:
            data = data[os.write(pipe, data) :]
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may go on in the child as if it were the parent
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _listen_to_logs(world: World) -> None:
    """Let the cells' log go into the trace, from warnings on; an error in it is a finding."""

    def note(_: object, level: str, event: MutableMapping[str, Any]) -> str:
        facts = {str(key): str(value) for key, value in event.items()}
        world.trace.note("log", world.index_of_life(), level=level, log=facts)
        if level not in {"warning", "info"} and not world.is_lying():
            world.referee.find("no error goes unhandled", str(facts), world.index_of_life())
        raise structlog.DropEvent

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            trouble = (
                "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
            )
            if world.is_lying():
                return
            detail = f"{record.name}: {record.getMessage()} {trouble[-1500:]}"
            world.referee.find("no error goes unhandled", detail, world.index_of_life())

    structlog.configure(
        processors=[note],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=False,
    )
    logging.disable(logging.WARNING)
    logging.getLogger().handlers = [Handler(logging.ERROR)]
