"""Files are written by threads that all calls share.

A slow disk holds up no call, and one that hangs holds up the end of the process for some seconds only.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from concurrent.futures import Executor, Future
from concurrent.futures import wait as wait_for
from functools import cache, partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["DISK_TIMEOUT", "DiskQueue", "all_closed"]

logger = logging.getLogger(__name__)

#: Seconds that the end of a call, and that of the process, wait for a disk.
DISK_TIMEOUT = 5.0

# Items that are written together: half a second of ticks.
_BATCH = 25
# Items that wait for a disk that does not take them: a minute of ticks.
_LIMIT = 3000
# As many disks may hang at once before the others wait.
_THREADS = 4

_Item = TypeVar("_Item")


class Write(Protocol[_Item]):
    """Writes to a file, in a thread. After the `last` items, and after an exception, the file is closed."""

    def __call__(self, items: list[_Item], /, *, last: bool = False) -> None: ...


class DiskQueue(Generic[_Item]):
    """What is to be written to `path`, in order, half a second together. To be used in one event loop.

    `on_error` is told once what went wrong, which ends the queue: what `write` raised, or that the disk has taken
    nothing for a minute. The file is closed then, as soon as the disk lets it; `closed` is set when it is.
    """

    def __init__(
        self,
        path: Path | str,
        write: Write[_Item],
        on_error: Callable[[BaseException], None],
        closed: asyncio.Event | None = None,
    ) -> None:
        self._path = path
        self._write = write
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Item] = []
        self._weight = 0.0
        self._job: _Job[_Item] | None = None
        self._ended = self._failed = False
        self._closed = closed if closed is not None else asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether the file is."""
        return self._closed.is_set()

    def put(self, item: _Item, weight: float = 1) -> None:
        """One more, a tick as a rule; with no `weight` it is none of those a minute is counted by."""
        if self._ended:
            return
        self._waiting.append(item)
        self._weight += weight
        if self._job is None:
            if len(self._waiting) >= _BATCH:
                self._submit()
        elif self._weight > _LIMIT:
            self._waiting.clear()
            self._fail(OSError("the disk has not taken anything for a minute"))

    def end(self) -> None:
        """Nothing more comes: write what waits, and close the file. Idempotent."""
        if not self._ended:
            self._ended = True
            if self._job is None:
                self._submit()

    async def wait_closed(self) -> None:
        """Wait until the file is closed."""
        await self._closed.wait()

    def finish(self, timeout: float) -> None:
        """End it, and block until the file is closed, `timeout` seconds at most: for a sudden end of the process."""
        self._ended = True
        deadline = time.monotonic() + timeout
        job = self._job
        if job is None or (self._over(job, deadline) and not job.last and not job.failed):
            self._job = job = self._next()
            _threads().submit(job)
        # What went wrong is told, if anybody still listens.
        if self._over(job, deadline) and not self._loop.is_closed():
            self._closed.set()

    @staticmethod
    def _over(job: _Job[_Item], deadline: float) -> bool:
        return job.over.wait(max(0.0, deadline - time.monotonic()))

    def _submit(self) -> None:
        self._job = job = self._next()
        if self._loop.is_closed():  # nobody waits any more
            _threads().submit(job)
            return
        # By way of the loop, as simulated time must stand still meanwhile.
        self._loop.run_in_executor(_threads(), job).add_done_callback(lambda done: self._done(job, done))

    def _next(self) -> _Job[_Item]:
        batch, self._waiting, self._weight = self._waiting, [], 0.0
        return _Job(self._path, self._write, batch, self._ended)

    def _done(self, job: _Job[_Item], done: asyncio.Future[None]) -> None:
        if job is not self._job:  # `finish` has gone on without the loop
            return
        self._job = None
        error = done.exception()
        if error is not None:
            self._fail(error)
        if error is not None or job.last:
            self._closed.set()
        elif self._ended or len(self._waiting) >= _BATCH:
            self._submit()

    def _fail(self, error: BaseException) -> None:
        self._ended = True
        if not self._failed:
            self._failed = True
            self._on_error(error)


class _Closing(Protocol):
    async def wait_closed(self) -> None: ...


async def all_closed(files: Iterable[_Closing]) -> None:
    """Wait until all files are complete, unless a disk does not take them. What went wrong has been told."""
    waiting = [asyncio.ensure_future(file.wait_closed()) for file in files]
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=DISK_TIMEOUT)
        for task in late:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class _Job(Generic[_Item]):
    """One batch on its way to the disk."""

    def __init__(self, path: Path | str, write: Write[_Item], batch: list[_Item], last: bool) -> None:
        self.path = path
        self.last = last
        self.failed = False
        self.over = threading.Event()
        self._write = write
        self._batch = batch

    def __call__(self) -> None:
        try:
            self._write(self._batch, last=self.last)
        except BaseException:
            self.failed = True
            raise
        finally:
            self._batch = []
            self.over.set()


class _Threads(Executor):
    """Daemons, made as they are needed: the interpreter does not wait for them, as it does for those of a pool."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._pending: dict[Future[Any], Callable[[], Any]] = {}
        self._count = 0
        atexit.register(self._at_exit)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do the work when a thread is free."""
        work = partial(fn, *args, **kwargs) if args or kwargs else fn
        job: Future[Any] = Future()
        with self._lock:
            self._pending[job] = work
            if self._count < min(_THREADS, len(self._pending)):
                self._count += 1
                name = f"sipua recording_{self._count}"
                threading.Thread(target=self._run, name=name, daemon=True).start()
        self._jobs.put((job, work))
        return job

    def _run(self) -> None:
        while True:
            job, work = self._jobs.get()
            job.set_running_or_notify_cancel()
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - whoever waits for the job is told
                self._forget(job)
                job.set_exception(error)
            else:
                self._forget(job)
                job.set_result(result)
            del job, work  # they are not kept until the next one comes

    def _forget(self, job: Future[Any]) -> None:
        with self._lock:
            self._pending.pop(job, None)

    def _at_exit(self) -> None:
        with self._lock:
            pending = dict(self._pending)
        for job in wait_for(pending, DISK_TIMEOUT).not_done:
            path = getattr(pending[job], "path", "a recording")
            logger.error("%s: the disk does not take the end of it (waited %g s)", path, DISK_TIMEOUT)


@cache
def _threads() -> _Threads:
    return _Threads()
