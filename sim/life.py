"""One incarnation of a cell's process on the simulated loop.

Every callback and task of it carries the life in its context, so the loop sees whose they are. A
killed life never runs again, and none of its `finally` blocks does, as after kill -9: its tasks are
kept until the run ends, because collecting them would run those blocks. A paused life is held up as
by SIGSTOP.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from sim.errors import LifeMisused

if TYPE_CHECKING:
    from sim.loop import SimHandle, SimLoop

current_life: Final[contextvars.ContextVar[Life | None]] = contextvars.ContextVar(
    "current_life", default=None
)
"""Whose code is running; None in the simulator's own."""


class Life:
    """A process of a cell. Made by `SimLoop.life`; used for one main task."""

    def __init__(self, loop: SimLoop, name: str, incarnation: int, skew_ns: int = 0) -> None:
        self.name = name
        self.incarnation = incarnation
        self.skew_ns = skew_ns
        """How far this process's wall clock is ahead of the simulation's; may jump."""
        self.cpu_s = 0.0
        """Processor time it has used, as far as a scenario says: computing itself takes none."""
        self.alive = True
        self.running = True
        """Alive and not paused: read by the loop before each callback."""
        self.on_death: list[Callable[[], object]] = []
        """Called by `kill`, in order, e.g. for the kernel to close the process's sockets."""
        self.held: list[SimHandle] = []
        """Callbacks that were due while the life was paused; of a dead one, all that was left."""
        self.main: asyncio.Task[Any] | None = None
        self._loop = loop
        self._graveyard: list[object] = []
        self.context = contextvars.Context()
        """For callbacks that the world makes into this process."""
        self.context.run(current_life.set, self)

    def __repr__(self) -> str:
        state = "running" if self.running else "paused" if self.alive else "dead"
        return f"<Life {self.name}.{self.incarnation} {state}>"

    def run(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        """Start the process; raises LifeMisused a second time.

        An error that ends it is reported to the loop's `on_error`.
        """
        if self.main is not None or not self.alive:
            raise LifeMisused(f"{self} is started once")
        context = self.context.copy()
        self.main = context.run(lambda: self._loop.create_task(main(), name=f"main {self.name}"))
        self.main.add_done_callback(self._report, context=contextvars.Context())
        return self.main

    def kill(self) -> None:
        """End the process as kill -9 does; without effect when it is dead already.

        May be called from within its own callback: that goes on to its next await, and the disk
        and the network ignore what it still does.
        """
        if not self.alive:
            return
        self.alive = self.running = False
        self._loop.dead.append(self)
        self._graveyard += [task for task in asyncio.all_tasks(self._loop) if life_of(task) is self]
        for tell in self.on_death:
            tell()

    def pause(self) -> None:
        """Hold the process up, as SIGSTOP does, until `resume`."""
        self.running = False

    def resume(self) -> None:
        """Let it go on, with all that was due meanwhile first."""
        if self.alive and not self.running:
            self.running = True
            held, self.held = self.held, []
            self._loop.put_back(held)

    def bury(self, handle: SimHandle) -> None:
        """Keep a callback of the dead life, which is never to run, from being collected."""
        self._graveyard.append(handle)

    def _report(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._loop.call_exception_handler(
                {"message": f"{self} ended", "exception": error, "task": task}
            )


def life_of(owner: object) -> Life | None:
    """Return whose a task, future or handle of the loop is."""
    life = getattr(owner, "life", None)
    return life if isinstance(life, Life) else None
