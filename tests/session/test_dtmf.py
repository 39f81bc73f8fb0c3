"""DTMF by media that can send it, beside INFO: which way is taken, in which order, and what is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import pytest

from sipua import UA, InvalidStateError, MediaNegotiationError, RTCSession
from sipua.media import SignallingOnlyMedia
from tests.session.test_indialog import up
from tests.wire import Log, Wire, user_agent

if TYPE_CHECKING:
    from sipua.events import NewDTMF
    from sipua.media.interface import DtmfTransport


class ToneMedia(SignallingOnlyMedia):
    """Notes the tones and lets the time pass that they take; `events` is whether the peer takes RFC 4733."""

    events = True
    held = False
    letters = True

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.volumes: list[int] = []
        self.sent: list[tuple[float, str, int, int, str]] = []
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def dtmf_transport(self) -> Literal["RFC4733"] | None:
        return "RFC4733" if self.events else None

    @property
    def dtmf_tones(self) -> frozenset[str]:
        return super().dtmf_tones - frozenset("" if self.letters else "ABCD")

    def send_dtmf(
        self,
        tones: str,
        duration: int = 100,
        gap: int = 70,
        *,
        transport: DtmfTransport = "RFC4733",
        volume: int = -10,
    ) -> asyncio.Future[None]:
        self.volumes.append(volume)
        loop = asyncio.get_running_loop()
        if transport == "RFC4733" and not self.events:
            raise InvalidStateError("send_dtmf", "without telephone-events")
        future = loop.create_future()
        self._waiting.append(future)
        if not self.held:
            self.sent.append((round(loop.time(), 3), tones, duration, gap, transport))
            loop.call_later(duration / 1000, lambda: future.done() or future.set_result(None))
        return future

    async def close(self) -> None:
        await super().close()
        for future in self._waiting:
            if not future.done():
                future.set_exception(InvalidStateError("send_dtmf", "closed"))


def agent(wire: Wire) -> UA:
    return user_agent(wire, media=ToneMedia)


def media_of(call: RTCSession) -> ToneMedia:
    assert isinstance(call.media, ToneMedia)
    return call.media


async def test_events_are_taken_when_negotiated() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        told: list[NewDTMF] = []
        call.on("new_dtmf", told.append)
        start = ua.loop.time()
        await call.send_dtmf("1,2", duration=80, inter_tone_gap=50)
        assert [(round(at - start, 3), *rest) for at, *rest in media_of(call).sent] == [
            (0.0, "1", 80, 50, "RFC4733"),
            (2.13, "2", 80, 50, "RFC4733"),
        ]
        assert [(e.originator, e.tone, e.duration, e.request, e.transport) for e in told] == [
            ("local", "1", 80, None, "RFC4733"),
            ("local", "2", 80, None, "RFC4733"),
        ]
        assert wire.nothing_sent()


@pytest.mark.parametrize("name", ["RFC4733", "RFC2833"])
async def test_events_by_either_name(name: Literal["RFC4733", "RFC2833"]) -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        await call.send_dtmf("5", transport_type=name)
        assert [entry[-1] for entry in media_of(call).sent] == ["RFC4733"]


async def test_info_when_not_negotiated_or_asked_for() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        asked = call.send_dtmf("1", transport_type="INFO", extra_headers=["X-Tone: yes"])
        info = await wire.request("INFO")
        assert (info.text, info.headers["X-Tone"]) == ("Signal=1\r\nDuration=100\r\n", "yes")
        wire.reply(info, 200)
        media_of(call).events = False
        default = call.send_dtmf("2")
        wire.reply(await wire.request("INFO"), 200)
        await asyncio.gather(asked, default)
        with pytest.raises(MediaNegotiationError, match="RFC 4733"):
            call.send_dtmf("3", transport_type="RFC4733")


async def test_one_queue_for_all_ways() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        log: list[tuple[str, str, float]] = []
        start = ua.loop.time()
        call.on("new_dtmf", lambda e: log.append((e.tone, e.transport, round(ua.loop.time() - start, 3))))
        gap = 200
        done = [
            call.send_dtmf("12", inter_tone_gap=gap),
            call.send_dtmf("3", inter_tone_gap=gap, transport_type="INFO"),
            call.send_dtmf("4", inter_tone_gap=gap, transport_type="INBAND"),
        ]
        wire.reply(await wire.request("INFO"), 200)
        await asyncio.gather(*done)
        # Between tones of one kind it is media that keeps the gap. Those in the audio are told when they are over.
        assert log == [
            ("1", "RFC4733", 0.1),
            ("2", "RFC4733", 0.2),
            ("3", "INFO", 0.4),
            ("4", "INBAND", 0.8),
        ]


async def test_queued_later_is_sent_later() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        await call.send_dtmf("1", inter_tone_gap=100)
        await call.send_dtmf("2")
        await asyncio.sleep(5)
        await call.send_dtmf("3")
        assert [tone for _, tone, *_ in media_of(call).sent] == ["1", "2", "3"]


async def test_re_offer_took_events_away() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        asked = call.send_dtmf("1,2", transport_type="RFC4733")
        after = call.send_dtmf("3")
        await asyncio.sleep(1)
        media_of(call).events = False
        info = await wire.request("INFO")
        assert info.text.startswith("Signal=3")
        wire.reply(info, 200)
        with pytest.raises(InvalidStateError, match="telephone-events"):
            await asked
        await after


async def test_cancelled_tones_are_not_sent() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        first, second = call.send_dtmf("123"), call.send_dtmf("4")
        await asyncio.sleep(0.05)
        first.cancel()
        await second
        assert [tone for _, tone, *_ in media_of(call).sent] == ["1", "4"]


async def test_call_ends_while_tones_wait() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        media_of(call).held = True
        log = Log(call)
        waiting = [call.send_dtmf("12"), call.send_dtmf("3")]
        await asyncio.sleep(1)
        call.terminate()
        for future in waiting:
            with pytest.raises(InvalidStateError, match="send_dtmf"):
                await future
        await asyncio.sleep(10)
        assert "new_dtmf" not in log.names


async def test_received_in_the_audio() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        log = Log(call)
        tell = media_of(call).callbacks.on_dtmf
        assert tell is not None
        tell("#", 0.0504, "RFC4733")
        heard = log["new_dtmf"]
        assert (heard.originator, heard.tone, heard.duration, heard.request, heard.transport) == (
            "remote",
            "#",
            50,
            None,
            "RFC4733",
        )
        call.terminate()
        tell("1", 0.1, "INBAND")
        assert log.names.count("new_dtmf") == 1


async def test_unknown_transport() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        with pytest.raises(ValueError, match="transport_type='SMOKE'"):
            call.send_dtmf("1", transport_type="SMOKE")  # type: ignore[arg-type]


async def test_signalling_only_media_has_no_tones() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await up(wire, ua)
        assert call.media is not None
        assert call.media.dtmf_transport is None
        with pytest.raises(InvalidStateError):
            await call.send_dtmf("1", transport_type="INBAND")


async def test_tones_that_the_peer_does_not_take_as_events_go_as_info() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        media_of(call).letters = False
        asked = call.send_dtmf("1A2", inter_tone_gap=50)
        request = await wire.request("INFO")
        assert b"Signal=A" in request.body
        wire.reply(request, 200)
        await asked
        assert [entry[1] for entry in media_of(call).sent] == ["1", "2"]
        with pytest.raises(MediaNegotiationError, match="no telephone-events for A"):
            call.send_dtmf("1A", transport_type="RFC4733")


async def test_volume_is_told_to_media() -> None:
    wire = Wire()
    async with agent(wire) as ua:
        call, _ = await up(wire, ua)
        await call.send_dtmf("1", volume=-20)
        await call.send_dtmf("1")
        assert media_of(call).volumes == [-20, -10]
        for volume in (1, -64, 3.0, True):
            with pytest.raises(ValueError, match="volume="):
                call.send_dtmf("1", volume=volume)  # type: ignore[arg-type]
