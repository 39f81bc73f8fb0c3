"""The call apps: their signalling on simulated time, their sound on the real clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sipua import UA, CallBusy, CallFailed, CallNotFound, CallRejected, CallUnavailable, Cause
from sipua.media import SignallingOnlyMedia
from sipua.media.analysis import detect_tones, level
from sipua.media.dtmf.inband import FREQUENCIES
from sipua.media.sources import Tone
from sipua.server import APPS, App, Server
from sipua.server.apps import conference
from sipua.server.apps.sounds import TUNE_SECONDS, frequency
from sipua.testing import steady

if TYPE_CHECKING:
    from sipua import RTCSession

ACCOUNTS = {"alice": "wonderland"}
RATE = 8000


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def alice(**options: Any) -> AsyncIterator[UA]:
    async with (
        Server(ACCOUNTS, port=None, media=SignallingOnlyMedia, **options) as server,
        UA(
            "sip:alice@example.com",
            sockets=server.connector(),
            password="wonderland",
            media=SignallingOnlyMedia,
        ) as ua,
    ):
        yield ua
        await asyncio.sleep(40)
        counts = server.counts()
        assert counts["transactions"] == 0, counts


# --- signalling -------------------------------------------------------------------------------------------------------


def test_every_app_says_what_it_does() -> None:
    assert all(app.summary for app in APPS.values())


@pytest.mark.parametrize("number", ["600", "602", "605"])
async def test_apps_that_last_as_long_as_the_caller_wants(number: str) -> None:
    async with alice() as ua, ua.call(number) as call:
        await asyncio.sleep(3600)
        assert call.is_established()


@pytest.mark.parametrize(("number", "seconds"), [("601", (5, 8)), ("603", (10, 15)), ("609", (2, 2.1))])
async def test_apps_that_hang_up(number: str, seconds: tuple[float, float]) -> None:
    async with alice() as ua:
        call = ua.call(number)
        await call.wait_confirmed()
        began = now()
        ended = await call.wait_ended()
        assert (ended.originator, ended.cause) == ("remote", Cause.BYE)
        assert seconds[0] <= now() - began <= seconds[1]


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        ("610", CallBusy, 486),
        ("611", CallRejected, 603),
        ("612", CallNotFound, 404),
        ("613", CallUnavailable, 480),
        ("614", CallNotFound, 404),
        ("701", CallNotFound, 404),
        ("apps", CallNotFound, 404),
    ],
)
async def test_refusals_come_at_once(number: str, error: type[CallFailed], code: int) -> None:
    async with alice() as ua:
        call = ua.call(number)
        progress: list[Any] = []
        call.on("progress", progress.append)
        with pytest.raises(error) as caught:
            await call.wait_confirmed()
        assert caught.value.status_code == code
        assert not progress
        assert now() < 1


async def test_early_media() -> None:
    async with alice() as ua:
        call = ua.call("606")
        progress: list[Any] = []
        call.on(
            "progress", lambda event: progress.append((event.response.code, bool(event.response.body), now()))
        )
        await call.wait_confirmed()
        assert [(code, has_sdp) for code, has_sdp, _ in progress] == [(183, True)]
        assert now() - progress[0][2] == pytest.approx(3.0, abs=0.1)
        call.terminate()
        await call.wait_ended()


async def test_ringing_for_ever() -> None:
    async with alice() as ua:
        call = ua.call("608", no_answer_timeout=3600)
        codes: list[int] = []
        call.on("progress", lambda event: codes.append(event.response.code))
        with pytest.raises(CallFailed) as caught:
            await call.wait_confirmed()
        assert caught.value.cause in (Cause.NO_ANSWER, Cause.CANCELED)
        assert now() == pytest.approx(3600, abs=1)
        assert set(codes) == {180}
        assert len(codes) == 60


async def test_the_digits_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sipua.server")
    async with alice() as ua:
        for keys in ("12345", "7#"):
            call = ua.call("603")
            await call.wait_confirmed()
            call.send_dtmf(keys)
            await call.wait_ended()
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("603:")]
    assert [line.rpartition(" ")[2] for line in lines] == ["1234", "7"]


async def test_hanging_up_in_the_middle_ends_the_app() -> None:
    async with alice() as ua:
        for number in ("601", "603", "606", "608", "609"):
            call = ua.call(number)
            await asyncio.sleep(0.5)
            call.terminate()
            await call.wait_ended()


@pytest.mark.parametrize("when", ["at once", "before the answer", "after the answer"])
async def test_an_app_that_fails_ends_its_call(
    when: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def at_once(call: RTCSession) -> None:
        raise ZeroDivisionError

    async def later(call: RTCSession) -> None:
        if when == "after the answer":
            await call.answer()
        raise ZeroDivisionError

    monkeypatch.setitem(APPS, "600", App("fails", at_once if when == "at once" else later))
    async with alice() as ua:
        call = ua.call("600")
        over = await call.wait_ended()
        assert over.originator == "remote"
        assert call.response is not None
        assert call.response.code == (200 if when == "after the answer" else 500)
    assert "600: the call app failed" in caplog.text


async def test_several_callers_at_a_time() -> None:
    async with alice() as ua:
        calls = [ua.call("600") for _ in range(20)]
        await asyncio.gather(*(call.wait_confirmed() for call in calls))
        for call in calls:
            call.terminate()
        await asyncio.gather(*(call.wait_ended() for call in calls))


async def test_the_conference_is_busy_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conference, "MAX_MEMBERS", 2)
    async with alice() as ua:
        calls = [ua.call("700") for _ in range(2)]
        await asyncio.gather(*(call.wait_confirmed() for call in calls))
        with pytest.raises(CallBusy):
            await ua.call("700").wait_confirmed()
        calls[0].terminate()
        await calls[0].wait_ended()
        # Two at the same moment for one seat: one stays.
        rivals = [ua.call("700") for _ in range(2)]
        await asyncio.sleep(5)
        assert [call.is_established() for call in rivals].count(True) == 1
        for call in (calls[1], *rivals):
            if not call.is_ended():
                call.terminate()
                await call.wait_ended()


async def test_each_server_has_a_conference_of_its_own() -> None:
    assert isinstance(APPS["700"].run, type)
    assert APPS["700"].started() is not APPS["700"].started()


async def test_the_server_ends_its_calls_when_it_stops() -> None:
    async with Server(ACCOUNTS, port=None, media=SignallingOnlyMedia) as server:
        ua = UA(
            "sip:alice@example.com",
            sockets=server.connector(),
            password="wonderland",
            media=SignallingOnlyMedia,
        )
        ua.start()
        await ua.ready()
        call = ua.call("600")
        await call.wait_confirmed()
    ended = await call.wait_ended()
    assert ended.originator == "remote"
    await ua.stop()


# --- sound ------------------------------------------------------------------------------------------------------------


async def heard(call: RTCSession, seconds: float) -> bytes:
    """What the caller hears of a call."""
    pcm = bytearray()
    async for chunk in call.audio.read(rate=RATE):
        pcm += chunk
        if len(pcm) >= 2 * RATE * seconds:
            break
    return bytes(pcm)


def tones(pcm: bytes, *candidates: float) -> set[float]:
    return set(detect_tones(pcm, candidates, rate=RATE))


async def echo(ua: UA) -> None:
    async with ua.call("600", audio=Tone(700.0)) as call:
        pcm = await heard(call, 2.0)
    assert tones(pcm[RATE * 2 :], 440.0, 700.0, 1004.0) == {700.0}


async def playback(ua: UA) -> None:
    call = ua.call("601")
    await call.wait_confirmed()
    pcm = await heard(call, 60)
    ended = await call.wait_ended()
    assert ended.originator == "remote"
    loud = [pcm[at : at + 800] for at in range(0, len(pcm), 800) if level(pcm[at : at + 800]) > -50]
    assert len(loud) * 0.05 == pytest.approx(TUNE_SECONDS, abs=1.0)
    # The first two notes, of 0.36 s each, are the same.
    pieces = [loud[at] + loud[at + 1] for at in range(1, 13)]
    found = [tones(piece, frequency("E4"), frequency("A4")) for piece in pieces]
    assert found.count({frequency("E4")}) >= 6, found


async def hold_music(ua: UA) -> None:
    async with ua.call("602") as call:
        pcm = await heard(call, 3.0)
    assert level(pcm[RATE * 2 :]) > -45


async def digits(ua: UA) -> None:
    call = ua.call("603")
    await call.wait_confirmed()
    listening = asyncio.ensure_future(heard(call, 60))
    await asyncio.sleep(1.0)
    call.send_dtmf("5", inter_tone_gap=600)
    call.send_dtmf("8", inter_tone_gap=600, transport_type="INFO")
    call.send_dtmf("#", inter_tone_gap=600, transport_type="INBAND")
    await call.wait_ended()
    pcm = await listening
    pieces = [pcm[at : at + 1600] for at in range(0, len(pcm), 1600)]
    candidates = (770.0, 852.0, 1000.0, 1209.0, 1336.0)
    sequence = [found for piece in pieces if len(found := frozenset(tones(piece, *candidates))) > 0]
    wanted = [{1000.0}, set(FREQUENCIES["5"]), set(FREQUENCIES["8"]), {1000.0}]
    assert [set(found) for at, found in enumerate(sequence) if found != sequence[at - 1] or at == 0] == wanted


async def engineers_tone(ua: UA) -> None:
    async with ua.call("605") as call:
        pcm = await heard(call, 1.5)
    assert tones(pcm[RATE:], 700.0, 1004.0, 1100.0) == {1004.0}


async def early_media(ua: UA) -> None:
    call = ua.call("606", audio=Tone(700.0))
    progress = asyncio.get_running_loop().create_future()
    call.once("progress", progress.set_result)
    await progress
    before = await heard(call, 1.5)
    assert call.is_in_progress()
    assert tones(before[RATE:], 440.0, 700.0) == {440.0}
    await call.wait_confirmed()
    after = await heard(call, 1.5)
    assert tones(after[RATE:], 440.0, 700.0) == {700.0}
    call.terminate()
    await call.wait_ended()


async def three_in_conference(ua: UA) -> None:
    pitches = (440.0, 700.0, 1004.0)
    calls = [ua.call("700", audio=Tone(pitch)) for pitch in pitches]
    try:
        await asyncio.gather(*(call.wait_confirmed() for call in calls))
        await asyncio.sleep(1.0)
        pieces = await asyncio.gather(*(heard(call, 1.5) for call in calls))
        for pitch, pcm in zip(pitches, pieces, strict=True):
            assert tones(pcm[RATE:], *pitches) == set(pitches) - {pitch}
    finally:
        for call in calls:
            if not call.is_ended():
                call.terminate()


@pytest.mark.realtime
async def test_what_is_heard_of_the_apps() -> None:
    """All at the same time: each is mostly waiting."""
    local = {"ice_host_addresses": ("127.0.0.1",)}
    apps = (echo, playback, hold_music, digits, engineers_tone, early_media, three_in_conference)
    async with (
        Server(ACCOUNTS, media_options=local) as server,
        UA("sip:alice@example.com", sockets=server.url, password="wonderland", media_options=local) as ua,
    ):
        tries = [steady(lambda app=app: app(ua)) for app in apps]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
    failures = [f"{app.__name__}: {e!r}" for app, e in zip(apps, outcomes, strict=True) if e is not None]
    assert not failures
