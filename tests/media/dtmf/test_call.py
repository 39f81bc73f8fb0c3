"""The tones of a call, whichever way they go."""

from __future__ import annotations

import pytest

from sipua.errors import InvalidStateError
from sipua.media.codecs.base import CodecSpec
from sipua.media.dtmf import CallDtmf, DtmfEvent
from sipua.media.dtmf.call import event_codec
from tests.media.dtmf.stream import Stream, report

SLOW, FAST = CodecSpec("telephone-event", 101, 8000), CodecSpec("telephone-event", 110, 48000)
PCMU, OPUS = CodecSpec("pcmu", 0, 8000), CodecSpec("opus", 96, 48000, 2)


def told(dtmf: CallDtmf) -> list[tuple[str, float, str]]:
    events: list[tuple[str, float, str]] = []
    dtmf.tell = lambda *event: events.append(event)
    return events


def test_events_go_at_the_rate_of_the_audio() -> None:
    offered = [OPUS, PCMU, SLOW, FAST]
    assert event_codec(offered, 48000) is FAST
    assert event_codec(offered, 8000) is SLOW
    assert event_codec([OPUS, SLOW], 48000) is SLOW
    assert event_codec([PCMU], 8000) is None


async def test_sent_as_events() -> None:
    dtmf = CallDtmf()
    dtmf.negotiate(FAST, 48000)
    sent = dtmf.send("1", 40, 50, "RFC4733")
    stream = Stream(dtmf.sender, 48000)
    assert report(stream.slots(4)[0]).duration == 960
    await sent


async def test_peer_that_takes_no_events() -> None:
    dtmf = CallDtmf()
    with pytest.raises(InvalidStateError, match="without telephone-events"):
        dtmf.send("1", 40, 50, "RFC4733")
    dtmf.negotiate(SLOW, 8000)
    waiting = dtmf.send("1", 40, 50, "RFC4733")
    dtmf.negotiate(None, 8000)
    with pytest.raises(InvalidStateError, match="without telephone-events"):
        await waiting


async def test_sent_as_sound() -> None:
    dtmf = CallDtmf()
    sent = dtmf.send("1", 40, 20, "INBAND")
    assert any(dtmf.inband.replace(bytes(320), 8000))
    for _ in range(3):
        dtmf.inband.replace(bytes(320), 8000)
    await sent


async def test_close() -> None:
    dtmf = CallDtmf()
    dtmf.negotiate(SLOW, 8000)
    waiting = [dtmf.send("1", 40, 50, "RFC4733"), dtmf.send("2", 40, 50, "INBAND")]
    dtmf.close()
    dtmf.close()
    for future in waiting:
        with pytest.raises(InvalidStateError, match="closed"):
            await future
    with pytest.raises(InvalidStateError, match="closed"):
        dtmf.send("1", 40, 50, "INBAND")


async def test_cancelled() -> None:
    dtmf = CallDtmf()
    dtmf.negotiate(SLOW, 8000)
    dtmf.send("1", 40, 50, "RFC4733").cancel()
    Stream(dtmf.sender).slots(9)
    dtmf.close()


def test_left_overs_of_events_in_the_sound_are_not_told() -> None:
    dtmf = CallDtmf()
    events = told(dtmf)
    dtmf.detected(DtmfEvent("1", 0.1))
    dtmf.received(DtmfEvent("2", 0.2, 10))
    dtmf.detected(DtmfEvent("2", 0.04))
    assert events == [("1", 0.1, "INBAND"), ("2", 0.2, "RFC4733")]
    dtmf.tell = None
    dtmf.received(DtmfEvent("2", 0.2, 10))


async def test_only_the_tones_that_the_peer_lists() -> None:
    dtmf = CallDtmf()
    assert dtmf.tones == frozenset()
    dtmf.negotiate(CodecSpec("telephone-event", 101, 8000, fmtp={"": "0-11"}), 8000)
    assert dtmf.tones == frozenset("0123456789*#")
    with pytest.raises(InvalidStateError, match="without A, B among telephone-events"):
        dtmf.send("1AB,", 40, 50, "RFC4733")
    assert not dtmf.sender.active
    dtmf.negotiate(SLOW, 8000)
    assert dtmf.tones == frozenset("0123456789*#ABCD")


async def test_volume() -> None:
    dtmf = CallDtmf()
    dtmf.negotiate(SLOW, 8000)
    dtmf.send("1", 40, 50, "RFC4733", -23)
    assert report(Stream(dtmf.sender, 8000).slots(1)[0]).volume == 23
