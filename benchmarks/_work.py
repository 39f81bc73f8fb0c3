"""For a Python process under measurement: its own figures, the stub's control door, calls in lanes.

The counterpart of node/common.mjs.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Work = Callable[[int], Awaitable[None]]


def cpu_seconds() -> float:
    """User + system of the whole process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def rss_kilobytes() -> float:
    """Resident memory as it is."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


async def settled_rss_kilobytes() -> float:
    """Resident memory after a collection, with what the C library holds free given back to the system."""
    gc.collect()
    await asyncio.sleep(0.1)
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)
    return rss_kilobytes()


def file_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def control(url: str, path: str) -> dict[str, Any]:
    """Ask the stub something over HTTP; without a thread, so that none shows up in the figures."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    answer: dict[str, Any] = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    writer.close()
    await writer.wait_closed()
    return answer


def lanes(one: Callable[[], Awaitable[object]], width: int) -> Work:
    """Work that runs `one` so often, `width` of them at a time."""

    async def work(count: int) -> None:
        left = count

        async def lane() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await one()

        await asyncio.gather(*(lane() for _ in range(width)))

    return work


def called_by(url: str, width: int) -> Work:
    """Work that has the stub place so many calls to us, `width` of them at a time."""

    async def work(count: int) -> None:
        answer = await control(url, f"/place?count={count}&width={width}")
        if answer.get("error") or answer["failed"]:
            raise RuntimeError(f"calls placed by the stub: {answer}")

    return work


async def measure(work: Work, url: str, count: int, warmup: int) -> dict[str, Any]:
    """CPU of this process per piece of work, after a warm-up."""
    await work(warmup)
    gc.collect()
    before, cpu, wall = await control(url, "/stats"), cpu_seconds(), time.perf_counter()
    await work(count)
    spent, seconds, after = cpu_seconds() - cpu, time.perf_counter() - wall, await control(url, "/stats")
    return {
        "cpu_ms": spent * 1000 / count,
        "per_s": count / seconds,
        "stub_cpu_ms": (after["cpu_s"] - before["cpu_s"]) * 1000 / count,
        "received": {key: value - before["received"].get(key, 0) for key, value in after["received"].items()},
    }
