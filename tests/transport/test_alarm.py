"""The one timer of whoever has deadlines."""

from __future__ import annotations

import asyncio

from sipua.transport.alarm import Alarm


async def test_it_rings_at_the_deadline_and_once() -> None:
    loop = asyncio.get_running_loop()
    rung: list[float] = []
    alarm = Alarm(loop, lambda: rung.append(loop.time()))
    alarm.set(loop.time() + 5)
    await asyncio.sleep(100)
    assert rung == [5]
    alarm.set(loop.time() + 5)
    alarm.cancel()
    await asyncio.sleep(100)
    assert rung == [5]


async def test_an_earlier_deadline_moves_it_and_a_later_one_does_not() -> None:
    loop = asyncio.get_running_loop()
    rung: list[float] = []
    alarm = Alarm(loop, lambda: rung.append(loop.time()))
    alarm.set(10)
    alarm.set(4)
    alarm.set(7)
    await asyncio.sleep(20)
    assert rung == [4]


async def test_no_deadline_no_alarm() -> None:
    rung: list[bool] = []
    alarm = Alarm(asyncio.get_running_loop(), lambda: rung.append(True))
    alarm.set(None)
    alarm.set(3)
    alarm.set(None)
    await asyncio.sleep(20)
    assert rung == []
