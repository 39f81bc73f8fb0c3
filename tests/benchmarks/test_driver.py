"""sipua's driver against the stub, both in this process: every message of the work arrives, and nothing is left."""

from __future__ import annotations

from argparse import Namespace

import pytest

from benchmarks import _driver
from benchmarks._stub import Stub
from benchmarks.signalling import MODES, complete

pytestmark = pytest.mark.realtime

COUNT = 6


@pytest.mark.parametrize("mode", MODES)
async def test_all_messages_of_the_work_arrive(mode: str) -> None:
    stub = Stub()
    async with await stub.listen():
        options = Namespace(url=f"ws://{stub.host}", count=COUNT, warmup=2, width=2)
        figures = await _driver.MODES[mode](options)
    assert complete(mode, COUNT, figures["received"]), figures
    assert figures["cpu_ms"] > 0
    assert figures["per_s"] > 0


@pytest.mark.parametrize("mode", ["soak-uac", "soak-uas"])
async def test_the_soak_tells_what_is_left(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_driver, "TIMERS_OVER", 0.05)
    stub = Stub()
    async with await stub.listen():
        options = Namespace(mode=mode, url=f"ws://{stub.host}", count=COUNT, warmup=1, width=1)
        found = await _driver.soak(options)
    left = found["left"]
    # So soon after the last call its transactions still wait for what may come late; all else is gone.
    assert left.pop("transactions") == COUNT
    assert left.pop("deadlines") >= COUNT
    assert left == {"sessions": 0, "dialogs": 0, "subscriptions": 0, "tasks": 0, "file descriptors": 0}
    assert found["after_kb"] > 0


async def test_a_fleet_comes_back_after_a_cut() -> None:
    stub = Stub()
    async with await stub.listen():
        url = f"ws://{stub.host}"
        async with (
            _driver.agent(url, "u1", register=True) as one,
            _driver.agent(url, "u2", register=True) as other,
        ):
            times = await _driver.cut_and_back(url, [one, other])
            assert len(times) == 2
            assert one.is_registered()
            assert other.is_registered()
            assert len(stub.registered) == 2
