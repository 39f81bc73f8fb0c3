"""A plan carried out by several processes, with their figures added up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sipua.load.errors import ProcessFailed
from sipua.load.figures import Figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.load.plan import Plan

__all__ = ["Processes"]

# Bytes of a line of figures: those of a day of seconds have a few megabytes.
_LINE_LIMIT = 256 * 1024 * 1024
#: Seconds from when the last process is ready until all begin.
_HEADSTART = 0.2
#: Seconds that a process has for its goodbyes before it is ended.
_PATIENCE = 15.0


class Processes:
    """As a `Generator`, with the work done by `plan.processes` others."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lost: list[str] = []
        """What became of processes that did not come to their end."""
        self.warnings: list[str] = []
        """What they have found out that makes no call fail, each once."""
        self._children: list[_Child] = []
        self._began = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the first call was due; 0 before."""
        return max(0.0, time.time() - self._began) if self._began else 0.0

    @property
    def figures(self) -> Figures:
        """The sum of the latest that came."""
        whole = Figures()
        for child in self._children:
            whole.merge(child.figures)
        return whole

    async def start(self) -> None:
        """Start them, and wait until all are connected.

        :raises ProcessFailed: one of them is not.
        """
        plans = [replace(self.plan, process=k) for k in range(self.plan.processes)]
        self._children = [_Child(k, self._warn) for k in range(len(plans))]
        await asyncio.gather(*(child.start(plan) for child, plan in zip(self._children, plans, strict=True)))
        await asyncio.gather(*(child.ready for child in self._children))

    async def run(self) -> Figures:
        """Let them begin at once; returns when all have ended. Those that broke down are in `lost`."""
        self._began = time.time() + _HEADSTART
        for child in self._children:
            child.tell(do="begin", at=self._began)
        await asyncio.gather(*(self._over(child) for child in self._children))
        return self.figures

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    async def _over(self, child: _Child) -> None:
        try:
            await asyncio.shield(child.over)
        except ProcessFailed as error:
            self.lost.append(str(error))
            child.figures.abandon()

    def drain(self) -> None:
        """Begin no more calls."""
        for child in self._children:
            child.tell(do="drain")

    async def close(self) -> None:
        """Until all processes are gone, by force if need be."""
        await asyncio.gather(*(child.close() for child in self._children))

    def kill(self) -> None:
        """End them at once."""
        for child in self._children:
            child.kill()


class _Child:
    """One process."""

    def __init__(self, number: int, on_warning: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.figures = Figures()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self._number = number
        self._on_warning = on_warning
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self, plan: Plan) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sipua.load.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
            # Ctrl-C is for us; we tell them.
            start_new_session=True,
        )
        # By the pipe, not by an argument: the plan has the password.
        self._write(json.dumps(plan.as_dict()))
        self._reader = asyncio.ensure_future(self._read(self._process))

    def tell(self, **order: Any) -> None:
        self._write(json.dumps(order))

    def _write(self, line: str) -> None:
        stdin = self._process.stdin if self._process is not None else None
        if stdin is not None and not stdin.is_closing():
            with contextlib.suppress(OSError):
                stdin.write(line.encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        failure: str | None = None
        kind = ""
        async for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self.ready.set_result(None)
            elif event["event"] == "error":
                failure, kind = event["message"], event["kind"]
            elif event["event"] == "warning":
                self._on_warning(event["message"])
            else:
                self.figures = Figures.of_dict(event["figures"])
                if event["event"] == "result" and not self.over.done():
                    self.over.set_result(None)
        code = await process.wait()
        error = ProcessFailed(failure or f"process {self._number + 1} of the test {_ending(code)}", kind)
        for future in (self.ready, self.over):
            if not future.done():
                future.set_exception(error)
                future.exception()  # seen, if by nobody else

    async def close(self) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE):
                await process.wait()
        except TimeoutError:
            self.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def _ending(code: int) -> str:
    """How a process came to its end, in words; a negative code is a signal."""
    if code >= 0:
        return f"ended with code {code}"
    return f"was killed ({signal.Signals(-code).name})"
