"""Media without media."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from sipua.errors import InvalidStateError, MediaNegotiationError
from sipua.media import Applied, AudioSink, MediaOptions, SignallingOnlyMedia
from sipua.media.description import parse
from sipua.media.sources import Silence
from tests.media.calls import negotiate
from tests.wire import OFFER


async def test_a_round_each_way() -> None:
    a, b = SignallingOnlyMedia(), SignallingOnlyMedia()
    states: list[str] = []
    a.callbacks.on_state = states.append
    offer = await a.create_offer()
    assert a.has_pending_offer
    answer = await b.create_answer(offer)
    assert await a.apply_answer(answer) is Applied.APPLIED
    assert await a.apply_answer(answer) is Applied.UNCHANGED
    assert not a.has_pending_offer
    assert a.state == b.state == "connected"
    assert (a.local_description, a.remote_description) == (offer, answer)
    await negotiate(b, a)
    assert await a.choose("tag") is Applied.UNCHANGED
    await a.close()
    await a.close()
    assert states == ["connected", "closed"]


async def test_the_offer_looks_like_one_of_webrtc() -> None:
    offer = await SignallingOnlyMedia().create_offer()
    assert 700 < len(offer) < 1200
    section = parse(offer).media[0]
    assert section.words[2] == "UDP/TLS/RTP/SAVPF"
    for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid", "candidate"):
        assert section.get(name)
    assert section.has("rtcp-mux")
    assert len(section.get("ice-pwd") or "") >= 22


async def test_aiortc_could_take_both() -> None:
    from sipua.media.sdp import mend_answer, mend_offer

    offer = await SignallingOnlyMedia().create_offer()
    assert mend_offer(offer).index == 0
    answer = await SignallingOnlyMedia().create_answer(offer)
    assert "a=setup:active" in mend_answer(answer, offer)


async def test_hold_and_versions() -> None:
    a, b = SignallingOnlyMedia(), SignallingOnlyMedia(MediaOptions(direction="recvonly"))
    await negotiate(a, b)
    assert a.remote_direction == "recvonly"
    first = re.search(r"o=- (\d+) (\d+)", a.local_description or "")
    a.direction = "inactive"
    await negotiate(a, b)
    second = re.search(r"o=- (\d+) (\d+)", a.local_description or "")
    assert b.remote_direction == "inactive"
    assert "a=inactive" in (b.local_description or "")
    assert first
    assert second
    assert first[1] == second[1]
    assert int(second[2]) == int(first[2]) + 1


async def test_lines_and_mids_of_the_offer_are_answered_one_by_one() -> None:
    offer = (await SignallingOnlyMedia().create_offer()).replace("a=mid:0", "a=mid:voice")
    offer += "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:pic\r\na=rtpmap:97 VP8/90000\r\nm=image 0 udptl t38\r\n"
    answer = parse(await SignallingOnlyMedia().create_answer(offer)).media
    assert [s.words[:3] for s in answer] == [
        ["audio", "49170", "UDP/TLS/RTP/SAVPF"],
        ["video", "0", "UDP/TLS/RTP/SAVPF"],
        ["image", "0", "udptl"],
    ]
    assert [s.get("mid") for s in answer] == ["voice", "pic", None]


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [("0 8", "PCMU/8000"), ("8 0", "PCMA/8000"), ("96 0", "opus/48000/2"), ("101 9", "G722/8000")],
)
async def test_the_first_known_codec_is_taken(formats: str, chosen: str) -> None:
    offer = re.sub(r"(m=audio \d+ \S+) .*", rf"\1 {formats}", await SignallingOnlyMedia().create_offer())
    assert chosen in await SignallingOnlyMedia().create_answer(offer.replace("\r\n", "\n"))


async def test_what_it_refuses() -> None:
    a = SignallingOnlyMedia()
    offer = await a.create_offer()
    for bad in (
        "",
        "hello",
        offer.replace("m=audio", "m=video"),
        re.sub(r"(m=audio \d+ \S+) .*", r"\1 101", offer),
    ):
        with pytest.raises(MediaNegotiationError) as caught:
            await SignallingOnlyMedia().create_answer(bad)
        assert caught.value.status == 488
    with pytest.raises(MediaNegotiationError, match="refuses audio"):
        await a.apply_answer(re.sub(r"m=audio \d+", "m=audio 0", offer))
    with pytest.raises(MediaNegotiationError, match="without an offer"):
        await SignallingOnlyMedia().apply_answer(offer)


async def test_rollback() -> None:
    a, b = SignallingOnlyMedia(), SignallingOnlyMedia()
    await negotiate(a, b)
    agreed = a.local_description
    a.direction = "sendonly"
    assert await a.create_offer() != agreed
    await a.rollback()
    assert a.local_description == agreed
    assert not a.has_pending_offer


async def test_nothing_works_after_the_end() -> None:
    a = SignallingOnlyMedia()
    await a.close()
    for call in (a.create_offer(), a.create_answer(""), a.apply_answer("")):
        with pytest.raises(InvalidStateError):
            await call
    assert a.audio.play(Silence()).finished


async def test_the_port_does_nothing_and_ends() -> None:
    class Sink(AudioSink):
        def write(self, pcm: bytes, rate: int) -> None:
            raise AssertionError("nothing is ever heard")

    a = SignallingOnlyMedia()
    port = a.audio
    assert port.playback is None
    assert port is a.audio
    playback = port.play("missing.wav")
    assert not playback.finished
    assert port.playback is playback
    playback.stop()
    assert await playback.wait() is False
    lasting = port.play(Silence())
    assert isinstance(port.source, Silence)
    reader = port.read()
    closed = port.read()
    closed.close()
    assert [chunk async for chunk in closed] == []
    sink = Sink()
    assert port.add_sink(sink) is sink
    port.add_sink("x.wav").write(b"", 8000)
    port.remove_sink(sink)
    port.mute()
    assert port.muted
    port.unmute()
    assert not port.muted
    await port.write(bytes(320))
    assert port.clear() == 0
    await port.drain()
    assert a.stats().packets_sent == 0
    await a.close()
    assert lasting.finished
    assert [chunk async for chunk in reader] == []
    with pytest.raises(InvalidStateError):
        await port.write(bytes(320))


async def test_thousands_a_second() -> None:
    started = time.perf_counter()
    for _ in range(500):
        a, b = SignallingOnlyMedia(), SignallingOnlyMedia()
        await negotiate(a, b)
        await a.close()
        await b.close()
    assert time.perf_counter() - started < 0.5


# --- candidates that are found late ---------------------------------------------------------------------------

LATE = [
    (1.0, "candidate:2 1 udp 1694498815 203.0.113.5 6000 typ srflx raddr 192.0.2.1 rport 5000"),
    (60.0, "candidate:3 1 udp 16777215 198.51.100.7 7000 typ relay raddr 203.0.113.5 rport 6000"),
]


async def test_candidates_are_waited_for_in_bounded_time() -> None:
    loop = asyncio.get_running_loop()
    media = SignallingOnlyMedia(MediaOptions(ice_gathering_timeout=5.0), late_candidates=LATE)
    found: list[str] = []
    media.callbacks.on_candidate = found.append
    media.callbacks.on_gathered = lambda: found.append("end")
    started = loop.time()
    assert media.local_fragment() is None
    offer = await media.create_offer()
    assert loop.time() - started == 5.0
    assert f"a={LATE[0][1]}\r\na=end-of-candidates" in offer
    assert found[1:] == [LATE[0][1], "end"]
    await media.create_offer()  # once is enough
    assert loop.time() - started == 5.0
    await media.close()


async def test_candidates_follow_a_description_that_does_not_wait() -> None:
    loop = asyncio.get_running_loop()
    media = SignallingOnlyMedia(late_candidates=LATE[:1])
    media.trickle = True
    started = loop.time()
    answer = await media.create_answer(OFFER.replace("s=-\r\n", "s=-\r\na=ice-options:trickle\r\n"))
    assert loop.time() == started
    assert "a=ice-options:trickle\r\n" in answer
    assert "a=end-of-candidates" not in answer
    await asyncio.sleep(1.5)
    fragment = media.local_fragment()
    assert fragment is not None
    assert (fragment.media[0].candidates[1], fragment.media[0].is_complete) == (LATE[0][1], True)
    await media.close()


async def test_the_search_for_candidates_can_be_ended() -> None:
    media = SignallingOnlyMedia(late_candidates=LATE)
    asyncio.get_running_loop().call_later(0.5, media.end_gathering)
    assert "a=end-of-candidates" in await media.create_offer()
    await media.close()
    closed = SignallingOnlyMedia(late_candidates=LATE)
    asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(closed.close()))
    with pytest.raises(InvalidStateError):
        await closed.create_offer()
    at_once = SignallingOnlyMedia(late_candidates=LATE)
    at_once.callbacks.on_candidate = lambda line: at_once.end_gathering()
    started = asyncio.get_running_loop().time()
    assert LATE[0][1] not in await at_once.create_offer()
    assert asyncio.get_running_loop().time() == started
    await at_once.close()
