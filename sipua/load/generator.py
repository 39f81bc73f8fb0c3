"""Making the calls of a plan, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua.errors import SipuaError
from sipua.load.caller import MeasuredCall
from sipua.load.errors import AccountFailed
from sipua.load.figures import Figures
from sipua.script import parse_script

if TYPE_CHECKING:
    from sipua.events import Disconnected
    from sipua.load.plan import Plan
    from sipua.ua import UA

__all__ = ["Generator"]

#: Seconds for a user agent to be ready, and for its last words; how many connect at the same time.
READY_TIMEOUT, STOP_TIMEOUT, AT_ONCE = 30.0, 5.0, 50

# Seconds. What is due sooner is due now: a clock may be woken just before the time it was set to.
_LEAST_WAIT = 0.001


class Generator:
    """Runs a plan. `figures` may be looked at any time.

    `agents` are made of the plan, unless they are given.
    """

    def __init__(self, plan: Plan, agents: list[UA] | None = None) -> None:
        self.plan = plan
        self.figures = Figures()
        self.script = None
        if plan.script is not None:
            self.script = parse_script(plan.script, plan.script_source, Path(plan.script_folder))
        if agents is None:
            accounts = [account for account in plan.own_accounts for _ in range(plan.agents)]
            agents = [self._agent(uri, options) for uri, options in accounts]
        self._agents = agents
        self._connected: set[UA] = set()
        for agent in agents:
            self._follow(agent)
        self._calls: set[asyncio.Task[None]] = set()
        self._chance = random.Random(f"{plan.seed}/{plan.process}")
        self._stop = asyncio.Event()
        self._closing = False
        self._began: float | None = None
        self._turn = itertools.count()

    def _agent(self, uri: str, account: dict[str, Any]) -> UA:
        from sipua.media import SignallingOnlyMedia
        from sipua.media.interface import IceServer
        from sipua.ua import UA

        options: dict[str, Any] = {**account, "register": self.plan.register}
        media_options = dict(options.get("media_options", {}))
        if servers := media_options.get("ice_servers"):
            media_options["ice_servers"] = [s if isinstance(s, str) else IceServer(**s) for s in servers]
            options["media_options"] = media_options
        if not self.plan.media:
            options |= {"media": SignallingOnlyMedia, "media_options": {}}
        return UA(uri, **options)

    def _follow(self, agent: UA) -> None:
        def lost(event: Disconnected) -> None:
            # It is also told of attempts to connect that failed, and of our own goodbye.
            if agent in self._connected and not self._closing:
                self.figures.disconnects += 1
            self._connected.discard(agent)

        agent.on("connected", lambda event: self._connected.add(agent))
        agent.on("disconnected", lost)

    @property
    def agents(self) -> tuple[UA, ...]:
        """Who makes the calls, in turn."""
        return tuple(self._agents)

    @property
    def elapsed(self) -> float:
        """Seconds since the first call was due; 0 before."""
        return 0.0 if self._began is None else asyncio.get_running_loop().time() - self._began

    async def start(self) -> None:
        """Connect and register, some agents at a time.

        :raises SipuaError: that does not work; an `AccountFailed` where there are several accounts.
        :raises TimeoutError: a server does not say anything.
        """
        for first in range(0, len(self._agents), AT_ONCE):
            group = self._agents[first : first + AT_ONCE]
            async with asyncio.timeout(READY_TIMEOUT):
                for agent in group:
                    agent.start()
                await asyncio.gather(*(self._ready(agent) for agent in group))

    async def _ready(self, agent: UA) -> None:
        try:
            await agent.ready()
        except SipuaError as error:
            if not self.plan.others:
                raise
            raise AccountFailed(f"{agent.configuration.uri}: {error}", type(error).__name__) from error

    async def run(self) -> Figures:
        """Make all calls, and wait until the last one is over. `start` comes first, `close` after it."""
        self._began = asyncio.get_running_loop().time()
        clock = asyncio.ensure_future(self._tick())
        try:
            await (self._at_their_times() if self.plan.slopes else self._one_after_the_other())
            await self._all_over()
        finally:
            clock.cancel()
        return self.figures

    async def _tick(self) -> None:
        while True:
            self.figures.pass_time(self.elapsed)
            await asyncio.sleep(1 - self.elapsed % 1 + _LEAST_WAIT)

    def drain(self) -> None:
        """Begin no more calls; those that go on may come to their end, for as long as the plan says."""
        self._stop.set()

    async def close(self) -> None:
        """End what goes on, and disconnect."""
        self._stop.set()
        self._closing = True
        for task in self._calls:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT):
                await asyncio.gather(*self._calls, return_exceptions=True)
        await asyncio.gather(*(agent.stop(STOP_TIMEOUT) for agent in self._agents), return_exceptions=True)

    # --- when ---------------------------------------------------------------------------------------------

    async def _at_their_times(self) -> None:
        limit = self.plan.own_limit
        for number, due in self.plan.arrivals():
            if await self._stopped_before(due):
                return
            if (limit and len(self._calls) >= limit) or (self.plan.limit and not limit):
                self.figures.call_missed(self.elapsed)
            else:
                self._begin(number, due)
        # What the figures say of the time must not end with the last call that began.
        if self.plan.duration is not None:
            await self._stopped_before(self.plan.duration)

    async def _one_after_the_other(self) -> None:
        plan = self.plan
        number = itertools.count(plan.process, plan.processes)
        left = plan.own_calls
        deadline = plan.seconds
        while not self._stop.is_set() and left != 0 and (deadline is None or self.elapsed < deadline):
            if len(self._calls) < plan.own_limit:
                self._begin(next(number), 0.0)
                left = None if left is None else left - 1
                # A peer that is quick to refuse must not keep everything else from its turn.
                await asyncio.sleep(0)
                continue
            waiting = asyncio.ensure_future(self._stop.wait())
            timeout = None if deadline is None else max(_LEAST_WAIT, deadline - self.elapsed)
            try:
                await asyncio.wait(
                    {waiting, *self._calls}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                waiting.cancel()

    async def _stopped_before(self, due: float) -> bool:
        """Wait until so many seconds have passed; True: it was stopped."""
        left = due - self.elapsed
        if left > _LEAST_WAIT:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._stop.wait()
        else:
            await asyncio.sleep(0)
        return self._stop.is_set()

    async def _all_over(self) -> None:
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            while self._calls and not stopped.done():
                await asyncio.wait({stopped, *self._calls}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if self._calls:
            await asyncio.wait(self._calls, timeout=self.plan.drain)
        for task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait(self._calls, timeout=STOP_TIMEOUT)

    # --- calls --------------------------------------------------------------------------------------------

    def _begin(self, number: int, due: float) -> None:
        self.figures.call_started(max(self.elapsed, due))
        task = asyncio.ensure_future(self._call(number))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, number: int) -> None:
        plan, figures = self.plan, self.figures
        # What has been JSON has lists.
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in plan.media_options.items()}
        if plan.media and self.script is None:
            from sipua.media.sources import Tone

            options["audio"] = Tone()
        call = MeasuredCall(
            self._agents[next(self._turn) % len(self._agents)],
            plan.targets[number % len(plan.targets)],
            script=self.script,
            talk=plan.talk,
            timeout=plan.timeout,
            number=number + 1,
            chance=self._chance,
            media_options=options,
            on_answer=lambda setup: figures.call_answered(self.elapsed, setup),
        )
        try:
            await call.run()
        except asyncio.CancelledError:
            call.cause = call.cause or "broken off"
            raise
        except Exception as error:  # noqa: BLE001 - one call must not end the others
            call.cause = f"{type(error).__name__}: {error}"
        finally:
            if call.ringing is not None:
                figures.ringing.add(call.ringing)
            stats = call.stats if plan.media else None
            figures.call_over(self.elapsed, call.cause, call.lasted, stats)
