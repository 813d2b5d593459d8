"""An asyncio event loop on virtual time, the same in every run.

When nothing is ready it jumps to the next timer, so a quiet hour costs what happens in it. Threads
do not exist: what is given to an executor runs inline, and is finished after a virtual delay. Tasks
and futures are hashed by a counter, so a set of them is walked in the same order in every run; the
outer future of `asyncio.gather` alone is not (put none into a set that is walked). Garbage is
collected at fixed numbers of callbacks, as destructors may report.

There are no signals, sockets, pipes or subprocesses.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import heapq
import math
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar, TypeVarTuple

from sim.errors import Livelock, LoopMisused, NothingLeft
from sim.life import Life, current_life, life_of
from sim.limits import (
    CALLBACKS_AT_ONE_TIME_MAX,
    CANCELLED_TIMERS_MAX,
    COLLECT_AFTER_CALLBACKS,
    COLLECTIONS_PER_WHOLE,
)

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")
ErrorHook: TypeAlias = Callable[["Life | None", dict[str, Any]], None]
"""Told of an error that nobody handles: whose it is, and asyncio's description of it."""

_NEVER: Final = math.inf


class SimHandle(asyncio.TimerHandle):
    """A callback, with its life. Keeps none of asyncio's own fields, for speed."""

    __slots__ = ("arguments", "context", "counted", "dropped", "function", "life", "when_s")

    def __init__(
        self,
        function: Callable[..., object],
        arguments: tuple[object, ...],
        context: contextvars.Context,
        *,
        when_s: float,
        counted: SimLoop | None,
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.context = context
        self.when_s = when_s
        self.life = context.get(current_life)
        self.dropped = False
        self.counted = counted
        """The loop, while the handle is a timer in its heap."""

    def __repr__(self) -> str:
        return f"<SimHandle {_name_of(self.function)} of {self.life}>"

    def __hash__(self) -> int:
        raise LoopMisused("a handle has no place in a set: its hash would be an address")

    def __eq__(self, other: object) -> bool:
        return self is other

    def cancel(self) -> None:
        """Never run it."""
        if not self.dropped:
            self.dropped = True
            self.function, self.arguments = _nothing, ()
            if self.counted is not None:
                self.counted.note_cancelled()

    def cancelled(self) -> bool:
        """Tell whether it was cancelled."""
        return self.dropped

    def when(self) -> float:
        """Return when it is due, in seconds of the loop."""
        return self.when_s


class SimFuture(asyncio.Future[_T]):
    """A future with a hash that is the same in every run. Made by `SimLoop.create_future`."""

    life: Life | None
    number: int

    def __hash__(self) -> int:
        return self.number


class SimTask(asyncio.Task[_T]):
    """A task with a hash that is the same in every run."""

    def __init__(
        self,
        number: int,
        life: Life | None,
        work: Generator[Any, None, _T] | Coroutine[Any, Any, _T],
        *,
        loop: asyncio.AbstractEventLoop,
        name: str,
        context: contextvars.Context | None,
    ) -> None:
        self._number = number  # first: asyncio puts a task into a set at its making
        self.life = life
        super().__init__(work, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """Run it by `run_until` or `run_until_complete`, in one thread."""

    def __init__(
        self,
        *,
        on_error: ErrorHook | None = None,
        executor_delay_s: Callable[[], float] | None = None,
        callbacks_at_one_time_max: int = CALLBACKS_AT_ONE_TIME_MAX,
    ) -> None:
        """`on_error` hears of errors nobody handles; by default they are raised by `run_until`.

        `executor_delay_s` says how long a call in an executor takes; 0 by default.
        """
        super().__init__()
        self.on_error: ErrorHook = on_error or self._raise_later
        self.executor_delay_s = executor_delay_s or _no_delay
        self.dead: list[Life] = []
        """Killed lives, kept so that nothing of theirs is collected before the run ends."""
        self.callbacks = 0
        """How many were run so far."""
        self._at_once_max = callbacks_at_one_time_max
        self._advanced_at = 0
        self._now_s = 0.0
        self._number = 0
        self._ready: deque[SimHandle] = deque()
        self._timers: list[tuple[float, int, SimHandle]] = []
        self._cancelled = 0
        self._stopping = self._running = self._closed = False
        self._unhandled: BaseException | None = None
        self._incarnations: dict[str, int] = {}

    def __del__(self) -> None:
        """Say nothing of a loop that was not closed: it holds nothing of the system."""

    def life(self, name: str, *, skew_ns: int = 0) -> Life:
        """Return a new process of a cell."""
        incarnation = self._incarnations[name] = self._incarnations.get(name, 0) + 1
        return Life(self, name, incarnation, skew_ns)

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now_s

    def run_until(self, time_s: float) -> None:
        """Run everything that is due up to a time, which it then is.

        Raises Livelock, and what `on_error` raised or, without one, what nobody handled.
        """
        self._run(time_s)
        if not self._stopping:
            self._now_s = max(self._now_s, time_s)

    def run_until_complete(self, future: Any) -> Any:  # noqa: ANN401 - as in asyncio
        """Run until a future is done and return its result; raises NothingLeft if it never is."""
        awaited = asyncio.ensure_future(future, loop=self)
        awaited.add_done_callback(self._stop_for)
        self._run(_NEVER)
        awaited.remove_done_callback(self._stop_for)
        if not awaited.done():
            name = awaited.get_name() if isinstance(awaited, SimTask) else "a future"
            raise NothingLeft(f"nothing is ready or due, and {name} still waits")
        return awaited.result()

    def run_forever(self) -> None:
        """Run until `stop`, or until nothing is left to do."""
        self._run(_NEVER)

    def stop(self) -> None:
        """End the run after the present turn."""
        self._stopping = True

    def call_soon(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback in the next turn."""
        handle = SimHandle(
            callback,
            args,
            contextvars.copy_context() if context is None else context,
            when_s=self._now_s,
            counted=None,
        )
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback in the next turn: there is one thread only."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback after some seconds."""
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback at a time; those of one time run in the order of their calls."""
        self._number += 1
        handle = SimHandle(
            callback,
            args,
            contextvars.copy_context() if context is None else context,
            when_s=when,
            counted=self,
        )
        heapq.heappush(self._timers, (when, self._number, handle))
        return handle

    def note_cancelled(self) -> None:
        """Count a timer that was cancelled; the heap is cleaned when most of it is such."""
        self._cancelled += 1
        if self._cancelled > CANCELLED_TIMERS_MAX and 2 * self._cancelled > len(self._timers):
            self._timers = [item for item in self._timers if not item[2].dropped]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def put_back(self, held: list[SimHandle]) -> None:
        """Make callbacks that were held up ready, in their order."""
        self._ready.extend(held)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future that hashes the same in every run."""
        self._number += 1
        future: SimFuture[Any] = SimFuture(loop=self)
        future.number = self._number
        future.life = current_life.get()
        return future

    def create_task(
        self,
        coro: Generator[Any, None, _T] | Coroutine[Any, Any, _T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
        **_: object,
    ) -> asyncio.Task[_T]:
        """Return a task that hashes the same in every run, and belongs to the context's life."""
        self._number += 1
        life = current_life.get() if context is None else context.get(current_life)
        label = f"task-{self._number}" if name is None else str(name)
        return SimTask(self._number, life, coro, loop=self, name=label, context=context)

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Run a function here and now; its future is done after `executor_delay_s`."""
        del executor  # there are no threads
        future: asyncio.Future[_T] = self.create_future()
        try:
            settle = partial(future.set_result, func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the future
            settle = partial(future.set_exception, error)
        self.call_later(self.executor_delay_s(), _settle, future, settle)
        return future

    def set_default_executor(self, executor: object) -> None:
        """Do nothing: there are no threads."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as in asyncio
        """Do nothing: there are no threads."""

    async def shutdown_asyncgens(self) -> None:
        """Do nothing: generators end with the process."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell `on_error` whose error it is, unless that life is dead."""
        for key in ("task", "future", "handle"):
            life = life_of(context.get(key))
            if life is not None:
                break
        else:
            life = current_life.get()
        if life is None or life.alive:
            self.on_error(life, context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Do as `call_exception_handler`."""
        self.call_exception_handler(context)

    def is_running(self) -> bool:
        """Tell whether a run is under way."""
        return self._running

    def is_closed(self) -> bool:
        """Tell whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Forget everything that is due."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    get_debug = staticmethod(bool)
    """Returns False: there is no debug mode. In C, as each future and task asks."""

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - as in asyncio
        """Do nothing: there is no debug mode."""

    def _run(self, until_s: float) -> None:
        if self._running or self._closed:
            raise LoopMisused("the loop runs already, or was closed")
        hooks, collects = sys.get_asyncgen_hooks(), gc.isenabled()
        self._running, self._stopping = True, False
        asyncio.events._set_running_loop(self)  # noqa: SLF001 - meant for event loops
        sys.set_asyncgen_hooks(firstiter=None, finalizer=self._end_generator)
        gc.disable()
        try:
            while not self._stopping and self._advance(until_s):
                self._turn()
        finally:
            if collects:
                gc.enable()
            sys.set_asyncgen_hooks(*hooks)
            asyncio.events._set_running_loop(None)  # noqa: SLF001 - the same
            self._running = False

    def _advance(self, until_s: float) -> bool:
        """Make ready what is due, or what is due next; False when that is after `until_s`."""
        ready, timers = self._ready, self._timers
        if not ready:
            while timers and timers[0][2].dropped:
                heapq.heappop(timers)
                self._cancelled -= 1
            if not timers or timers[0][0] > until_s:
                return False
            if timers[0][0] > self._now_s:
                self._now_s = timers[0][0]
                self._advanced_at = self.callbacks
        now_s = self._now_s
        while timers and timers[0][0] <= now_s:
            handle = heapq.heappop(timers)[2]
            handle.counted = None
            if handle.dropped:
                self._cancelled -= 1
            else:
                ready.append(handle)
        return True

    def _turn(self) -> None:
        """Run what is ready now; what becomes ready meanwhile has the next turn."""
        ready, begun = self._ready, self.callbacks
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.dropped:
                continue
            life = handle.life
            if life is not None and not life.running:
                if life.alive:
                    life.held.append(handle)
                else:
                    life.bury(handle)
                continue
            self.callbacks += 1
            try:
                handle.context.run(handle.function, *handle.arguments)
            except Exception as error:  # noqa: BLE001 - supervisor of one callback
                text = f"error in {_name_of(handle.function)}"
                self.call_exception_handler({"message": text, "exception": error, "handle": handle})
        collection = self.callbacks // COLLECT_AFTER_CALLBACKS
        if collection != begun // COLLECT_AFTER_CALLBACKS:
            gc.collect(1 if collection % COLLECTIONS_PER_WHOLE else 2)
        if self._unhandled is not None:
            unhandled, self._unhandled = self._unhandled, None
            raise unhandled
        if self.callbacks - self._advanced_at > self._at_once_max:
            raise Livelock(
                f"{self.callbacks - self._advanced_at} callbacks at {self._now_s} s, "
                f"next {ready[0] if ready else None}"
            )

    def _stop_for(self, _future: asyncio.Future[Any]) -> None:
        self._stopping = True

    def _raise_later(self, life: Life | None, context: dict[str, Any]) -> None:
        """Keep the first unhandled error for `_turn` to raise."""
        error = context.get("exception")
        if self._unhandled is None:
            text = f"{life}: {context.get('message')}"
            self._unhandled = error if isinstance(error, BaseException) else LoopMisused(text)

    def _end_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        """Run the rest of a generator that was left half way, as asyncio does."""
        self.call_soon(self.create_task, generator.aclose())


def _settle(future: asyncio.Future[Any], settle: Callable[[], None]) -> None:
    if not future.done():
        settle()


def _no_delay() -> float:
    return 0.0


def _nothing() -> None:
    """Stand in for the callback of a cancelled handle."""


def _name_of(function: object) -> str:
    """Return what a callback is, without addresses: it goes into traces."""
    while hasattr(function, "func"):
        function = function.func
    owner = getattr(function, "__self__", None)
    if isinstance(owner, SimTask):
        return f"a step of {owner.get_name()}"
    return str(getattr(function, "__qualname__", type(function).__name__))
