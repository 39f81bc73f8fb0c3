"""Whole load tests on simulated time, against the embedded server."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA
from sipua.load.errors import AccountFailed
from sipua.load.figures import Figures
from sipua.load.generator import Generator
from sipua.load.plan import Plan, parse_ramp
from sipua.media import SignallingOnlyMedia
from tests.server.client import ACCOUNTS, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


@asynccontextmanager
async def generator(react: Callable[[Any], Any], **options: Any) -> AsyncIterator[Generator]:
    """Alice calls Bob, who reacts so."""
    async with running() as server:

        def agent(user: str, **more: Any) -> UA:
            return UA(
                f"sip:{user}@example.com",
                sockets=server.connector(),
                password=ACCOUNTS[user],
                media=SignallingOnlyMedia,
                **more,
            )

        plan = Plan("sip:alice@example.com", {}, ("bob",), **options)
        async with agent("bob") as bob:
            bob.on("new_rtc_session", lambda event: react(event.session))
            made = Generator(plan, [agent("alice", register=False)])
            await made.start()
            try:
                yield made
            finally:
                await made.close()


async def after(seconds: float, call: Any) -> None:
    call.progress(180)
    await asyncio.sleep(seconds)
    if not call.is_ended():
        call.answer()


async def test_a_rate() -> None:
    async with generator(lambda call: call.answer(), slopes=parse_ramp("5:4s"), talk=2.0) as load:
        figures = await load.run()
        assert (figures.started, figures.answered, figures.passed, figures.failed) == (20, 20, 20, 0)
        assert figures.active == 0
        assert 9 <= figures.peak <= 11
        assert [figures.seconds[n].started for n in range(4)] == [5] * 4
        assert figures.lasted.quantile(0.5) == pytest.approx(2.0, rel=0.02)
        assert load.elapsed == pytest.approx(5.8, abs=0.3)


async def test_set_up_and_ringing_times() -> None:
    async with generator(lambda call: after(3.0, call), slopes=parse_ramp("2:2s"), talk=1.0) as load:
        figures = await load.run()
        assert figures.setup.quantile(0.5) == pytest.approx(3.0, rel=0.02)
        assert figures.ringing.most < 0.5
        assert figures.passed == 4


async def test_what_is_due_beyond_the_limit_is_missed() -> None:
    async with generator(lambda call: call.answer(), slopes=parse_ramp("10:2s"), talk=60.0, limit=3) as load:
        figures = await load.run()
        assert (figures.started, figures.missed, figures.peak) == (3, 17, 3)


async def test_as_many_as_there_may_be() -> None:
    async with generator(lambda call: call.answer(), limit=4, seconds=10.0, talk=2.0) as load:
        figures = await load.run()
        assert figures.peak == 4
        assert figures.started == pytest.approx(20, abs=4)
        assert figures.missed == 0
    async with generator(lambda call: call.answer(), limit=4, calls=6, talk=2.0) as load:
        assert (await load.run()).passed == 6


async def test_why_calls_fail() -> None:
    answers = iter([486, 486, 603, None, 480] * 2)

    def react(call: Any) -> None:
        code = next(answers)
        call.answer() if code is None else call.terminate(status_code=code)

    async with generator(react, slopes=parse_ramp("5:2s"), talk=1.0) as load:
        figures = await load.run()
        assert figures.causes == {"486 Busy Here": 4, "603 Decline": 2, "480 Temporarily Unavailable": 2}
        assert (figures.passed, figures.failed) == (2, 8)
        assert figures.failure_share == 0.8


async def test_nobody_answers() -> None:
    async with generator(lambda call: call.progress(180), slopes=parse_ramp("1:2s"), timeout=5.0) as load:
        figures = await load.run()
        assert figures.failed == 2
        assert figures.answered == 0
        assert figures.ringing.count == 2


async def test_scripts() -> None:
    script = "wait 1s to 2s; dtmf 1; expect ended within 5s"

    async def react(call: Any) -> None:
        await call.answer()
        call.on("new_dtmf", lambda event: call.terminate())

    async with generator(react, slopes=parse_ramp("2:2s"), script=script) as load:
        figures = await load.run()
        assert figures.passed == 4, figures.causes
    async with generator(lambda call: call.answer(), slopes=parse_ramp("2:2s"), script=script) as load:
        figures = await load.run()
        assert figures.causes == {"line 1: expect ended within 5s: not within 5 s": 4}
    async with generator(
        lambda call: call.terminate(status_code=486), slopes=parse_ramp("2:1s"), script="expect refused 486"
    ) as load:
        assert (await load.run()).passed == 2


async def test_draining_lets_calls_come_to_their_end() -> None:
    async with generator(lambda call: call.answer(), slopes=parse_ramp("2:60s"), talk=5.0) as load:
        run = asyncio.ensure_future(load.run())
        await asyncio.sleep(10)
        load.drain()
        figures = await run
        assert figures.started in (20, 21)
        assert figures.passed == figures.started
        assert load.elapsed == pytest.approx(15, abs=1)


async def test_draining_has_an_end() -> None:
    async with generator(
        lambda call: call.answer(), slopes=parse_ramp("2:60s"), talk=500.0, drain=3.0
    ) as load:
        run = asyncio.ensure_future(load.run())
        await asyncio.sleep(10)
        load.drain()
        figures = await run
        assert figures.causes == {"broken off": figures.started}
        assert load.elapsed < 20


async def test_figures_of_several_processes() -> None:
    async with generator(lambda call: call.answer(), slopes=parse_ramp("4:2s"), talk=1.0) as load:
        one = await load.run()
    whole = Figures.of_dict(json.loads(json.dumps(one.as_dict())))
    assert whole.as_dict() == one.as_dict()
    whole.merge(one)
    assert whole.started == 16
    assert whole.setup.count == 16
    assert whole.seconds[0].started == 8
    assert whole.peak == max(second.active for second in whole.seconds.values())


async def test_calls_are_spread_over_accounts_and_connections() -> None:
    callers: list[str] = []

    def react(call: Any) -> None:
        callers.append(call.remote_identity.uri.user)
        call.answer()

    async with running() as server:
        options = {"sockets": server.connector(), "media": SignallingOnlyMedia}
        plan = Plan(
            "sip:alice@example.com",
            {**options, "password": ACCOUNTS["alice"]},
            ("bob",),
            others=(("sip:carol@example.com", {**options, "password": ACCOUNTS["carol"]}),),
            slopes=parse_ramp("4:1s"),
            talk=1.0,
        )
        async with UA("sip:bob@example.com", password=ACCOUNTS["bob"], **options) as bob:
            bob.on("new_rtc_session", lambda event: react(event.session))
            load = Generator(plan)
            await load.start()
            figures = await load.run()
            await load.close()
    assert callers == ["alice", "carol", "alice", "carol"]
    assert (figures.passed, figures.disconnects) == (4, 0)


async def test_an_account_that_does_not_work_is_named() -> None:
    async with running() as server:
        options = {"sockets": server.connector()}
        plan = Plan(
            "sip:alice@example.com",
            {**options, "password": ACCOUNTS["alice"]},
            ("bob",),
            others=(("sip:carol@example.com", {**options, "password": "wrong"}),),
            slopes=parse_ramp("4:1s"),
            register=True,
        )
        load = Generator(plan)
        with pytest.raises(AccountFailed, match=r"sip:carol@example\.com: .*401") as caught:
            await load.start()
        assert caught.value.kind == "RegistrationUnauthorized"
        await load.close()


async def test_lost_connections_are_counted() -> None:
    async with running() as server:
        options = {"sockets": server.connector(), "password": ACCOUNTS["alice"]}
        load = Generator(Plan("sip:alice@example.com", options, ("bob",), slopes=parse_ramp("2:10s")))
        await load.start()
        run = asyncio.ensure_future(load.run())
        await asyncio.sleep(4)
        await server.stop()
        figures = await run
        await load.close()
        assert figures.disconnects == 1
        assert figures.failed == figures.started == 20
