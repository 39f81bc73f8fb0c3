"""Scripts in calls on simulated time, through the embedded server."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA, CallBusy, CallFailed, RTCSession
from sipua.events import Cause
from sipua.media.sources import Silence
from sipua.media.sources import Tone as ToneSource
from sipua.script import Outcome, parse_script, run_script
from tests.script.calls import hearing, two

if TYPE_CHECKING:
    from sipua.script.runner import StepResult


def incoming(ua: UA, react: Any) -> list[RTCSession]:
    calls: list[RTCSession] = []

    def on_call(event: Any) -> Any:
        if event.originator == "remote":
            calls.append(event.session)
            return react(event.session)
        return None

    ua.on("new_rtc_session", on_call)
    return calls


async def run(text: str, ua: UA, **options: Any) -> tuple[Outcome, RTCSession]:
    script = parse_script(text)
    call = ua.call("bob", **script.media_options)
    outcome = await run_script(script, call, **options)
    if not call.is_ended():
        await call.terminate()
    return outcome, call


async def test_digits_hold_and_hanging_up() -> None:
    async with two() as (alice, bob):
        calls = incoming(bob, lambda call: call.answer())
        keys: list[str] = []
        held: list[str] = []

        def on_call(event: Any) -> None:
            event.session.on("new_dtmf", lambda e: keys.append(e.tone))
            event.session.on("hold", lambda e: held.append("hold"))
            event.session.on("unhold", lambda e: held.append("unhold"))

        bob.on("new_rtc_session", on_call)
        told: list[StepResult] = []
        began = asyncio.get_running_loop().time()
        outcome, _ = await run("wait 3s; dtmf 12#; hold; wait 1; unhold; hangup", alice, on_step=told.append)
        assert outcome.passed, str(outcome)
        assert str(outcome).startswith("script: 6 steps passed in ")
        assert told == list(outcome.results)
        assert outcome.results[0].seconds == pytest.approx(3.0)
        assert asyncio.get_running_loop().time() - began > 4
        assert "".join(keys) == "12#"
        assert held == ["hold", "unhold"]
        assert calls[0].is_ended()


async def test_digits_of_the_peer_in_any_order_of_time() -> None:
    async with two() as (alice, bob):

        async def react(call: RTCSession) -> None:
            await call.answer()
            await call.send_dtmf("4711#")
            await asyncio.sleep(5)
            await call.send_dtmf("9")

        incoming(bob, react)
        # What comes while something else is done is not lost.
        outcome, _ = await run(
            "wait 20s; expect dtmf 47; expect dtmf 1# within 1s; expect dtmf 9 within 1s", alice
        )
        assert outcome.passed, str(outcome)
        outcome, _ = await run("expect dtmf 48 within 10s; hangup", alice)
        assert str(outcome) == "script:1: `expect dtmf 48 within 10s`: not within 10 s; came: 4711#9"
        assert [result.verdict for result in outcome.results] == ["failed", "skipped"]
        outcome, _ = await run("wait 5s; expect no dtmf 4 within 2s; expect no dtmf 9 within 20s", alice)
        assert outcome.failed is not None
        assert outcome.failed.message == "it happened all the same"
        assert outcome.failed is outcome.results[2]


async def test_tones() -> None:
    tones = Silence(1.0), ToneSource(440.0, seconds=0.4), Silence(2.0), ToneSource(350.0, 440.0, seconds=2.0)
    async with two(hearing(*tones, Silence(10.0))) as (alice, bob):
        incoming(bob, lambda call: call.answer())
        outcome, _ = await run(
            "wait 2s; expect tone 440 within 1s; expect silence for 0.5s within 1s;"
            "expect tone 350+440 for 1s within 4s; expect no sound within 0.2s",
            alice,
        )
        assert outcome.failed is outcome.results[-1], str(outcome)
        outcome, _ = await run("expect tone 440 within 3s; expect tone 440 within 20s", alice)
        assert outcome.failed is outcome.results[1]
        assert outcome.failed.message == "not within 20 s"
        outcome, _ = await run("expect tone 480 within 1s", alice)
        assert outcome.failed is not None
        assert outcome.results[0].seconds == pytest.approx(1.0, abs=0.03)


async def test_ringing_then_answered() -> None:
    async with two() as (alice, bob):

        async def react(call: RTCSession) -> None:
            await call.progress(180)
            await asyncio.sleep(4)
            await call.answer()

        incoming(bob, react)
        outcome, _ = await run("expect ringing within 1s; expect answered within 5s; wait 1s", alice)
        assert outcome.passed, str(outcome)
        assert outcome.results[1].seconds == pytest.approx(4.0, abs=0.1)
        outcome, _ = await run("expect answered within 2s", alice)
        assert str(outcome) == "script:1: `expect answered within 2s`: not within 2 s"
        await asyncio.sleep(5)


async def test_refusals() -> None:
    async with two() as (alice, bob):
        incoming(bob, lambda call: call.terminate(status_code=486))
        outcome, _ = await run("expect refused 486 within 3s; expect ended", alice)
        assert outcome.passed, str(outcome)
        outcome, _ = await run("expect refused 404", alice)
        assert str(outcome).endswith("the call is over: Busy (486 Busy Here)")
        outcome, _ = await run("expect answered", alice)
        assert not outcome.passed
        with pytest.raises(CallBusy):
            await run("dtmf 1", alice)


async def test_nobody_answers() -> None:
    async with two() as (alice, bob):
        incoming(bob, lambda call: call.progress(180))
        outcome, _ = await run("dtmf 1", alice, answer_timeout=7.0)
        assert str(outcome) == "script:1: `dtmf 1`: not answered within 7 s"


async def test_the_peer_hangs_up() -> None:
    async with two() as (alice, bob):

        async def react(call: RTCSession) -> None:
            await call.answer()
            await asyncio.sleep(3)
            call.terminate()

        incoming(bob, react)
        outcome, _ = await run("expect ended within 5s", alice)
        assert outcome.passed
        assert outcome.seconds == pytest.approx(3.0, abs=0.1)
        outcome, _ = await run("wait 10s; expect ended within 1s; hangup", alice)
        assert outcome.passed
        assert outcome.seconds == pytest.approx(3.0, abs=0.1)  # nothing comes any more
        outcome, _ = await run("expect dtmf 1 within 60s", alice)
        assert outcome.failed is not None
        assert outcome.failed.message == "the call is over: the peer hung up"
        outcome, _ = await run("expect no ended within 5s", alice)
        assert not outcome.passed
        outcome, _ = await run("wait 4s; dtmf 1", alice)
        assert not outcome.passed
        assert outcome.failed is not None
        assert outcome.failed.message == "the call is over: the peer hung up"


async def test_calls_that_come_in() -> None:
    async with two() as (alice, bob):
        outcomes: list[Outcome] = []

        async def react(call: RTCSession, text: str) -> None:
            outcomes.append(await run_script(parse_script(text), call))
            if not call.is_ended():
                call.terminate()

        texts = iter(
            ("ring 2s; answer; expect dtmf 12; wait 1s", "expect dtmf 3", "ring 1s; refuse 603 Not today")
        )
        incoming(bob, lambda call: react(call, next(texts)))
        outcome, _ = await run("expect ringing; expect answered; dtmf 12; expect ended within 3s", alice)
        assert outcome.passed, str(outcome)
        outcome, _ = await run("dtmf 3; expect ended within 3s", alice)
        assert outcome.passed, str(outcome)
        outcome, call = await run("expect ringing; expect refused 603", alice)
        assert outcome.passed, str(outcome)
        assert call.failure is not None
        assert call.failure.message.phrase == "Not today"  # type: ignore[union-attr]
        await asyncio.sleep(1)
        assert [o.passed for o in outcomes] == [True] * 3, list(map(str, outcomes))


async def test_the_peer_holds() -> None:
    async with two() as (alice, bob):

        async def react(call: RTCSession) -> None:
            await call.answer()
            await asyncio.sleep(1)
            await call.hold()
            await asyncio.sleep(1)
            await call.unhold()

        incoming(bob, react)
        outcome, _ = await run(
            "expect hold within 3s; expect unhold within 3s; expect no hold within 1s", alice
        )
        assert outcome.passed, str(outcome)


async def test_transfer_to_nobody_fails() -> None:
    async with two() as (alice, bob):
        incoming(bob, lambda call: call.answer())
        outcome, _ = await run("transfer sip:nobody@example.com; hangup", alice)
        assert not outcome.passed
        assert outcome.count("skipped") == 1


async def test_transfer() -> None:
    async with two() as (alice, bob):

        def react(call: RTCSession) -> None:
            call.on("refer", lambda event: event.accept())
            call.answer()

        incoming(bob, react)
        # Bob is asked to call the same address: another call of his, with himself.
        outcome, call = await run("transfer sip:bob@example.com; expect ended within 5s", alice)
        assert outcome.passed, str(outcome)
        assert call.is_ended()


async def test_chance_is_the_callers() -> None:
    async with two() as (alice, bob):
        incoming(bob, lambda call: call.answer())
        took = []
        for seed in (1, 1, 2):
            outcome, _ = await run("wait 1s to 5s", alice, chance=random.Random(seed))
            took.append(round(outcome.results[0].seconds, 6))
        assert took[0] == took[1] != took[2]
        assert all(1 <= seconds <= 5 for seconds in took)


async def test_nothing_is_left_of_it() -> None:
    async with two() as (alice, bob):
        incoming(bob, lambda call: call.answer())
        _, call = await run("wait 1s; expect no dtmf 1 within 1s", alice)
        assert not any(call._handlers.get(name) for name in ("new_dtmf", "hold", "progress"))


async def test_a_call_that_rings_is_given_up() -> None:
    async with two() as (alice, bob):
        ended: list[Any] = []

        def react(call: RTCSession) -> None:
            call.on("failed", ended.append)
            call.progress(180)

        incoming(bob, react)
        outcome, _ = await run("expect ringing within 1s; expect no answered within 2s; hangup", alice)
        assert outcome.passed, str(outcome)
        assert outcome.seconds == pytest.approx(2.0, abs=0.1)
        assert [event.cause for event in ended] == [Cause.CANCELED]


async def test_a_call_that_comes_in_is_given_up_without_an_answer() -> None:
    async with two() as (alice, bob):
        outcomes: list[Outcome] = []

        async def react(call: RTCSession) -> None:
            outcomes.append(await run_script(parse_script("ring 1s; hangup"), call))

        incoming(bob, react)
        with pytest.raises(CallFailed) as caught:
            await alice.call(bob.configuration.uri).wait_confirmed()
        assert caught.value.status_code == 480
        assert outcomes[0].passed
