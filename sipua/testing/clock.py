"""Simulated time: hours of timers in milliseconds, the same on every run.

`SimulatedLoop` is an asyncio event loop whose clock stands still while anything can run, and jumps to the
next timer when nothing can. ``asyncio.sleep``, ``asyncio.timeout``, ``loop.call_later`` and everything built
on them take no real time and happen at exact, repeatable moments::

    from sipua.testing import run_simulated

    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run_simulated(main()) == 3600.0

There is no real network on such a loop (use `sipua.testing.MemoryNetwork`). Threads started through the
loop's executor do work: simulated time waits for them.

A coroutine that waits for something that can never happen is reported at once as a `SimulationError` that
says who waits and where, instead of hanging.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import base_events
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from concurrent.futures import Executor


__all__ = ["LeakedTasks", "SimulatedLoop", "SimulationError", "run_realtime", "run_simulated"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DAY = 86400.0
# A real second or so of callbacks with the clock standing still: somebody spins.
MAX_TURNS = 1_000_000
# Seconds of real time that one batch of executor work may take.
MAX_REAL_WORK = 30.0
# Seconds of real time that finished work gets to wind up its tasks on a real loop.
REALTIME_GRACE = 1.0


class SimulationError(RuntimeError):
    """A simulation that cannot go on: all wait for ever, time ran past its limit, or somebody spins."""


class LeakedTasks(AssertionError):
    """The coroutine came to its end, but tasks that it started are still running. `tasks` lists them."""

    def __init__(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        self.tasks = tuple(tasks)
        super().__init__(f"{len(self.tasks)} task(s) still running at the end:\n{_describe(self.tasks)}")


class SimulatedLoop(base_events.BaseEventLoop):
    """An event loop on simulated time, which starts at 0.0 and is given in seconds.

    `max_time` is the simulated moment at which the run is broken off with `SimulationError` (default one
    day); it can be changed while the loop runs. Real sockets, signals and child processes are not available.
    """

    # What BaseEventLoop keeps here is private, but has been the same since Python 3.4.
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, *, max_time: float = DAY) -> None:
        super().__init__()
        self.max_time = max_time
        self._now = 0.0
        self._turns = 0
        self._real_work = 0
        self._wakeup = threading.Event()
        self._selector = self  # BaseEventLoop asks its selector to wait: here waiting is a jump in time

    def time(self) -> float:
        """The simulated time in seconds."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Called by the loop when it would wait for `timeout` seconds of network traffic (None: for ever)."""
        if timeout == 0:
            self._turns += 1
            if self._turns > MAX_TURNS:
                self._turns = 0
                self._fail(f"time stands still at {self._now:g} s: callbacks keep each other busy")
            return []
        if self._wakeup.is_set():
            self._wakeup.clear()
        elif self._real_work:
            if not self._wakeup.wait(MAX_REAL_WORK):
                self._fail(f"work in a thread took more than {MAX_REAL_WORK:g} s of real time")
            self._wakeup.clear()
        elif timeout is None:
            self._fail(f"deadlock at {self._now:g} s: nothing is scheduled and nothing can happen any more")
        else:
            self._advance(self._scheduled[0].when())
        return []

    def _advance(self, when: float) -> None:
        if when > self.max_time:
            self._fail(f"not finished within {self.max_time:g} s of simulated time")
        self._now = max(self._now, when)
        self._turns = 0

    def _fail(self, what: str) -> NoReturn:
        raise SimulationError(f"{what}. Waiting:\n{_describe(asyncio.all_tasks(self))}")

    # --- threads -------------------------------------------------------------------------------------------

    @contextmanager
    def real_work(self) -> Iterator[None]:
        """While entered, simulated time stands still and the loop waits for ``call_soon_threadsafe``.

        For work in threads of your own; what goes through ``run_in_executor`` and ``asyncio.to_thread`` needs
        no help.
        """
        self._real_work += 1
        try:
            yield
        finally:
            self._real_work -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run `func` in a thread; simulated time stands still until it has ended."""
        future = super().run_in_executor(executor, func, *args)
        self._real_work += 1
        future.add_done_callback(self._real_work_done)
        return future

    def _real_work_done(self, _future: asyncio.Future[Any]) -> None:
        self._real_work -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads of the default executor to end."""
        with self.real_work():
            await super().shutdown_default_executor()

    # --- what BaseEventLoop leaves to its subclasses -------------------------------------------------------

    def _write_to_self(self) -> None:
        self._wakeup.set()

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    async def _no_network(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise RuntimeError("there is no real network on simulated time: use sipua.testing.MemoryNetwork")

    # Assigned by name, with other signatures: none of them is ever to be called.
    for _name in (
        "create_connection",
        "create_datagram_endpoint",
        "create_server",
        "create_unix_connection",
        "create_unix_server",
        "subprocess_exec",
        "subprocess_shell",
    ):
        locals()[_name] = _no_network
    del _name


def run_simulated(main: Coroutine[Any, Any, T], *, max_time: float = DAY) -> T:
    """Run the coroutine on a fresh `SimulatedLoop` and return its result: ``asyncio.run`` for tests.

    `max_time` is the limit of simulated time in seconds. Stricter than ``asyncio.run``: raises `LeakedTasks`
    when tasks are still running at the end (they are cancelled), and `AssertionError` when a task or callback
    failed and nobody saw it. Raises `SimulationError` when the coroutine can never end.
    """
    return _run(SimulatedLoop(max_time=max_time), main, grace=0.0)


def run_realtime(main: Coroutine[Any, Any, T]) -> T:
    """Like `run_simulated`, with the same checks, but on a real event loop: for tests with sockets."""
    return _run(asyncio.new_event_loop(), main, grace=REALTIME_GRACE)


def _run(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, T], grace: float) -> T:
    unseen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: unseen.append(context))
    try:
        asyncio.set_event_loop(loop)
        result = loop.run_until_complete(main)
        leaked = loop.run_until_complete(_leftovers(grace))
    finally:
        try:
            _cancel_all(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
    if leaked:
        raise LeakedTasks(leaked)
    if unseen:
        context = unseen[0]
        raise AssertionError(f"failed unseen: {context['message']}") from context.get("exception")
    return result


async def _leftovers(grace: float) -> set[asyncio.Task[Any]]:
    """The tasks that are still there after everything that was ready to end has ended."""
    me = asyncio.current_task()

    def others() -> set[asyncio.Task[Any]]:
        return {task for task in asyncio.all_tasks() if task is not me}

    for _ in range(10):
        await asyncio.sleep(0)
    if grace and (tasks := others()):
        await asyncio.wait(tasks, timeout=grace)
    return others()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _describe(tasks: Iterable[asyncio.Task[Any]]) -> str:
    return "\n".join(sorted(f"  {task.get_name()}: {_where(task)}" for task in tasks)) or "  nobody"


def _where(task: asyncio.Task[Any]) -> str:
    """The chain of coroutines that the task is in, outermost first, each with the line it waits at."""
    places = []
    coro: Any = task.get_coro()
    while (frame := getattr(coro, "cr_frame", None)) is not None:
        places.append(f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})")
        coro = coro.cr_await
    return " > ".join(places) or repr(task.get_coro())
