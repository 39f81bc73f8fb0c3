from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sipua.testing import StallWatch, calm, stalls, steady

pytestmark = pytest.mark.realtime


async def test_a_loop_that_cannot_run_is_noticed() -> None:
    async with StallWatch() as watch:
        await asyncio.sleep(0.03)
        time.sleep(0.1)  # noqa: ASYNC251 - what it is about
        await asyncio.sleep(0.03)
    assert watch.longest >= 0.08
    assert watch.stalled


async def test_time_spent_waiting_is_no_stall() -> None:
    async def idle() -> float:
        async with StallWatch() as watch:
            await asyncio.sleep(0.1)
        return watch.longest

    # This machine may stall as well; it does not always.
    assert min([await idle() for _ in range(10)]) < stalls.STALL


async def test_another_process_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter([1.0, 1.01, 1.2, *[1.2] * 100])
    monkeypatch.setattr(stalls, "_waited", lambda pid: next(waits))
    async with StallWatch(4711) as watch:
        await asyncio.sleep(0.2)
    assert watch.longest >= 0.18


def test_what_the_kernel_tells_of_a_process(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert 0.0 <= stalls._waited(process.pid) < 60
    process.communicate(b"\n")
    assert stalls._waited(process.pid) == 0.0


async def test_calm_is_waited_for_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asyncio.timeout(30):
        await calm()
    monkeypatch.setattr(stalls, "STALL", 0.0)
    began = time.monotonic()
    await calm(within=0.1)
    assert 1.0 <= time.monotonic() - began < 2.0


async def test_what_failed_in_a_stall_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    results = iter((1, 2, 3))

    async def measure() -> int:
        time.sleep(0.1)  # noqa: ASYNC251 - what it is about
        await asyncio.sleep(0.02)
        return next(results)

    def check(result: int) -> None:
        assert result == 2, f"{result} is wrong"

    assert await steady(measure, check) == 2
    assert "once more after: 1 is wrong" in caplog.text


async def test_so_many_times_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "calm", lambda: asyncio.sleep(0))
    count = 0

    async def measure() -> None:
        nonlocal count
        count += 1
        await asyncio.sleep(0.02)
        time.sleep(0.1)  # noqa: ASYNC251 - what it is about
        await asyncio.sleep(0.02)
        raise AssertionError("never good")

    with pytest.raises(AssertionError, match="never good"):
        await steady(measure)
    assert count == 3


async def test_what_failed_without_a_stall_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "STALL", 10.0)
    count = 0

    async def measure() -> None:
        nonlocal count
        count += 1
        raise AssertionError("bad")

    with pytest.raises(AssertionError, match="bad"):
        await steady(measure)
    assert count == 1
