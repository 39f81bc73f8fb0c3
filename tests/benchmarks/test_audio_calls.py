"""The audio benchmark: both kinds of agents have calls, and the report has what programs read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from benchmarks import audio_calls
from benchmarks._audio_side import OurAgent, PlainAgent
from benchmarks._capacity import Load, find
from benchmarks._common import parsed

RUN = {
    "core": 0.1,
    "heard": 1.0,
    "lost": 0,
    "late_p50_ms": 1.0,
    "late_p99_ms": 25.0,
    "own_p99_ms": 5.0,
    "memory_kb_per_call": 200.0,
    "threads": 1,
    "setup_cpu_ms": 10.0,
}


@pytest.mark.realtime
async def test_our_calls_are_heard() -> None:
    a, b = OurAgent("pcmu"), OurAgent("pcmu")
    await a.complete(await b.answer(await a.offer()))
    a.begin()
    await asyncio.sleep(0.4)
    assert a.heard() > 0.2
    assert b.heard() > 0.2
    assert a.lost() == 0
    assert len(a.late) > 10
    assert all(0 <= own <= late for own, late in zip(a.own, a.late, strict=True))
    for call in (*a.calls, *b.calls):
        await call.close()


@pytest.mark.realtime
async def test_plain_calls_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", None)  # put back at the end
    a, b = PlainAgent("pcmu"), PlainAgent("pcmu")
    await a.complete(await b.answer(await a.offer()))
    a.begin()
    await asyncio.sleep(0.5)
    assert a.heard() > 0.1
    assert len(a.late) > 10
    for pc in (*a.calls, *b.calls):
        await pc.close()


def test_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def pair(agent: str, codec: str, calls: int, seconds: int) -> dict[str, Any]:
        assert (calls, seconds) == (20, 6)
        cost = {"sipua": 0.003, "aiortc": 0.015 if codec == "pcmu" else 0.006}[agent]
        return {**RUN, "cpu_per_call_second": cost, "threads": 27 if agent == "aiortc" else 1}

    monkeypatch.setattr(audio_calls, "_pair", pair)
    report = audio_calls.measure(parsed(audio_calls.parser(), ["--quick"]))
    result = json.loads(json.dumps(report.as_json()))
    assert result["ratio"] == {"pcmu": 5.0, "opus": 2.0}
    assert result["memory_mb_per_call"] == pytest.approx(200 / 1024, abs=1e-3)
    assert (result["threads"], result["late_p99_ms"], result["lost"]) == (1, 5.0, 0)
    assert [figure["ok"] for figure in result["figures"]] == [True, False, True, True, True, True]
    assert not report.ok


def test_the_report_of_capacity(monkeypatch: pytest.MonkeyPatch) -> None:
    def pair(agent: str, codec: str, calls: int, seconds: int, *more: str) -> dict[str, Any]:
        assert more == ("--capacity",)
        return {"calls": 2 * calls, "core": 0.8, "late_p99_ms": 12.0, "late": 2 * calls + 5}

    monkeypatch.setattr(audio_calls, "_pair", pair)
    report = audio_calls.measure(parsed(audio_calls.parser(), ["--quick", "--capacity"]))
    assert report.as_json()["capacity"] == {
        "pcmu": {"sipua": 240, "aiortc": 32},
        "opus": {"sipua": 100, "aiortc": 16},
    }
    assert report.ok


async def test_calls_are_added_until_they_are_late() -> None:
    opened: list[int] = []

    async def more(count: int) -> None:
        opened.append(count)

    async def load(calls: int) -> Load:
        return Load(calls, calls / 100, 30.0 if calls > 60 else 5.0, 1.0)

    found = await find(more, load, 40, 1000.0, 0.0)
    assert (found["calls"], found["late"]) == (56, sum(opened)) == (56, 63)
    assert opened == [40, 5, 5, 6, 7]


async def test_the_search_ends_in_time() -> None:
    async def more(count: int) -> None:
        pass

    async def load(calls: int) -> Load:
        return Load(calls, 0.1, 1.0, 1.0)

    found = await find(more, load, 10, 0.0, 0.0)
    assert (found["calls"], found["late"]) == (0, 0)
