"""sipua as the user agent under measurement, with signalling-only media. The counterpart of node/ua.mjs.

``python -m benchmarks._driver --url ws://127.0.0.1:PORT --mode uac|uas|register|fleet|soak-uac|soak-uas``
prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from benchmarks._work import (
    called_by,
    control,
    cpu_seconds,
    file_descriptors,
    lanes,
    measure,
    rss_kilobytes,
    settled_rss_kilobytes,
)
from sipua import UA
from sipua.media.signalling import SignallingOnlyMedia

if TYPE_CHECKING:
    from sipua.events import NewRTCSession

PEER = "sip:peer@stub.invalid"
AT_ONCE = 50
"""Agents of a fleet that are started at the same time."""

TIMERS_OVER = 33.0
"""Seconds after which no SIP timer of a call that is over runs any more (64·T1 and a bit)."""


def agent(url: str, user: str, *, register: bool) -> UA:
    return UA(f"sip:{user}@stub.invalid", sockets=url, register=register, media=SignallingOnlyMedia)


async def call(ua: UA) -> None:
    """One call: hung up as soon as it is confirmed, over when the BYE is answered."""
    session = ua.call(PEER)
    session.on("confirmed", lambda _: session.terminate())
    await session.wait_ended()


def take(ua: UA) -> None:
    def answer(event: NewRTCSession) -> None:
        if event.originator == "remote":
            event.session.answer()

    ua.on("new_rtc_session", answer)


async def uac(options: argparse.Namespace) -> dict[str, Any]:
    async with agent(options.url, "u1", register=False) as ua:
        work = lanes(lambda: call(ua), options.width)
        return await measure(work, options.url, options.count, options.warmup)


async def uas(options: argparse.Namespace) -> dict[str, Any]:
    async with agent(options.url, "u1", register=True) as ua:
        take(ua)
        return await measure(
            called_by(options.url, options.width), options.url, options.count, options.warmup
        )


async def register(options: argparse.Namespace) -> dict[str, Any]:
    """One piece of work: REGISTER and un-REGISTER."""
    async with AsyncExitStack() as stack:
        free = [
            await stack.enter_async_context(agent(options.url, f"u{i}", register=False))
            for i in range(options.width)
        ]

        async def cycle() -> None:
            ua = free.pop()
            await ua.register()
            await ua.unregister()
            free.append(ua)

        return await measure(lanes(cycle, options.width), options.url, options.count, options.warmup)


def holdings(ua: UA) -> dict[str, int]:
    """What the agent says that it holds, and what the process does."""
    return ua.counts() | {"tasks": len(asyncio.all_tasks()), "file descriptors": file_descriptors()}


async def soak(options: argparse.Namespace) -> dict[str, Any]:
    made = options.mode == "soak-uac"
    async with agent(options.url, "u1", register=not made) as ua:
        if not made:
            take(ua)
        work = lanes(lambda: call(ua), options.width) if made else called_by(options.url, options.width)
        await work(options.warmup)
        await asyncio.sleep(TIMERS_OVER)
        held, before = holdings(ua), await settled_rss_kilobytes()
        started = time.perf_counter()
        await work(options.count)
        seconds, peak = time.perf_counter() - started, rss_kilobytes()
        await asyncio.sleep(TIMERS_OVER)
        return {
            "count": options.count,
            "per_s": options.count / seconds,
            "left": {name: number - held[name] for name, number in holdings(ua).items()},
            "before_kb": before,
            "after_kb": await settled_rss_kilobytes(),
            "peak_kb": peak,
        }


async def fleet(options: argparse.Namespace) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        # The first is not counted: with it comes the code that all share.
        await stack.enter_async_context(agent(options.url, "warm", register=True))
        before, cpu, started = await settled_rss_kilobytes(), cpu_seconds(), time.perf_counter()
        uas: list[UA] = []
        for first in range(0, options.count, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, options.count))
            new = [agent(options.url, f"u{i}", register=True) for i in numbers]
            uas += await asyncio.gather(*(stack.enter_async_context(ua) for ua in new))
        start_s, start_cpu_s = time.perf_counter() - started, cpu_seconds() - cpu
        await asyncio.sleep(2)
        kb_per_ua, idle = (await settled_rss_kilobytes() - before) / options.count, cpu_seconds()
        await asyncio.sleep(5)
        idle_cpu = (cpu_seconds() - idle) / 5
        logging.getLogger("sipua").setLevel(logging.ERROR)  # the cut is meant: no warning from each
        cut_cpu = cpu_seconds()
        times = await cut_and_back(options.url, uas)
        return {
            "kb_per_ua": kb_per_ua,
            "start_s": start_s,
            "start_cpu_s": start_cpu_s,
            "idle_cpu": idle_cpu,
            "first_back_s": times[0],
            "all_back_s": times[-1],
            "back_cpu_s": cpu_seconds() - cut_cpu,
        }


async def cut_and_back(url: str, uas: list[UA]) -> list[float]:
    """Seconds until each is registered again after the stub destroyed every connection, in order."""
    times: list[float] = []
    all_back = asyncio.Event()

    def back(_: object) -> None:
        times.append(time.perf_counter() - cut)
        if len(times) == len(uas):
            all_back.set()

    for ua in uas:
        ua.once("registered", back)
    cut = time.perf_counter()
    await control(url, "/cut")
    await all_back.wait()
    return times


MODES = {"uac": uac, "uas": uas, "register": register, "fleet": fleet, "soak-uac": soak, "soak-uas": soak}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--mode", required=True, choices=MODES)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--width", type=int, default=1)
    parser.add_argument("--warmup", type=int, default=500)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(MODES[options.mode](options))), flush=True)


if __name__ == "__main__":
    main()
