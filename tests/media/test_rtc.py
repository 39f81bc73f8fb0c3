"""Calls over aiortc on loopback: offers and answers of every kind."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from sipua.errors import (
    ConfigurationError,
    InvalidStateError,
    MediaError,
    MediaFileError,
    MediaNegotiationError,
)
from sipua.media.analysis import correlate, detect_tones
from sipua.media.interface import Applied, AudioSink, IceServer, MediaOptions, MediaStats
from sipua.media.rtc import RtcMedia
from sipua.media.sources import AudioFile, Tone
from sipua.testing import steady
from tests.media.calls import (
    SPEECH,
    Heard,
    closing,
    connected,
    flowing,
    media,
    negotiate,
    until,
)

pytestmark = pytest.mark.realtime


def origin(description: str) -> tuple[str, int]:
    match = re.search(r"^o=- (\d+) (\d+) IN IP4 ", description, re.MULTILINE)
    assert match
    return match[1], int(match[2])


async def _echo_call(codec: str, recording: Path) -> MediaStats:
    a, b = media(audio=str(SPEECH), record=recording, codecs=(codec,)), media(echo=True)
    async with closing(a, b):
        a.check()
        await negotiate(a, b)
        await connected(a, b)
        await asyncio.sleep(5.9)
        return a.stats()


async def test_speech_comes_back_from_an_echo(tmp_path: Path) -> None:
    codecs = ("opus", "G722", "PCMU", "PCMA")

    async def calls() -> list[MediaStats]:
        return await asyncio.gather(*(_echo_call(codec, tmp_path / f"{codec}.wav") for codec in codecs))

    def check(calls: list[MediaStats]) -> None:
        for codec, stats in zip(codecs, calls, strict=True):
            _check_echo(codec, stats, tmp_path / f"{codec}.wav")

    await steady(calls, check)


def _check_echo(codec: str, stats: MediaStats, recording: Path) -> None:
    match = correlate(SPEECH, recording)
    assert match.correlation >= 0.95
    # Both ways: a packet and a little waiting each.
    assert 0.03 < match.delay < 0.25
    assert stats.codec is not None
    assert stats.codec.startswith(codec)
    assert stats.packets_lost == 0
    assert stats.packets_sent > 250
    assert stats.packets_received > 250
    assert stats.bytes_received > 0
    assert stats.local_candidate is not None
    assert stats.local_candidate.startswith("host 127.0.0.1:")


async def test_late_offer_is_the_same_the_other_way_round() -> None:
    caller, callee = media(), media()
    async with closing(caller, callee):
        # The callee offers in its 200, the caller answers in the ACK.
        await negotiate(callee, caller)
        await connected(caller, callee)
        await flowing(caller, callee)
        assert not callee.has_pending_offer


@pytest.mark.parametrize(
    ("mine", "theirs", "negotiated"),
    [
        ("sendonly", "sendrecv", ("sendonly", "recvonly")),
        ("recvonly", "sendrecv", ("recvonly", "sendonly")),
        ("inactive", "sendrecv", ("inactive", "inactive")),
        ("sendonly", "sendonly", ("sendonly", "inactive")),
        ("sendrecv", "recvonly", ("sendonly", "recvonly")),
    ],
)
async def test_directions(mine: str, theirs: str, negotiated: tuple[str, str]) -> None:
    a, b = media(direction=mine), media(direction=theirs)
    async with closing(a, b):
        await negotiate(a, b)
        answered = b.stats().direction
        if theirs == "sendonly":
            negotiated = ("inactive", "inactive")
        assert (a.stats().direction, answered) == negotiated
        assert b.remote_direction == mine


async def test_hold_and_unhold_from_either_side() -> None:
    a, b = media(audio=Tone(440.0)), media(audio=Tone(1000.0))
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await flowing(a, b)
        id_before, version = origin(a.local_description or "")

        a.direction = "sendonly"
        await negotiate(a, b)
        assert b.remote_direction == "sendonly"
        assert (a.stats().direction, b.stats().direction) == ("sendonly", "recvonly")
        await asyncio.sleep(0.1)
        quiet = a.stats().packets_received
        await asyncio.sleep(0.3)
        assert a.stats().packets_received == quiet
        assert origin(a.local_description or "") == (id_before, version + 1)

        a.direction = "sendrecv"
        await negotiate(a, b)
        await flowing(a, b)

        b.direction = "inactive"
        await negotiate(b, a)
        assert a.remote_direction == "inactive"
        b.direction = "sendrecv"
        await negotiate(b, a)
        await flowing(a, b)
        assert a.state == b.state == "connected"


async def test_the_version_stays_when_nothing_changes() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b)
        first = a.local_description
        await negotiate(a, b)
        assert a.local_description == first


async def test_rollback_leaves_things_as_they_were() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        agreed = a.local_description
        a.direction = "inactive"
        await a.create_offer()
        assert a.has_pending_offer
        await a.rollback()
        assert not a.has_pending_offer
        assert a.local_description == agreed
        assert a.stats().direction == "sendrecv"
        await flowing(a, b)
        # And both sides can offer again.
        a.direction = "sendrecv"
        await negotiate(b, a)
        await negotiate(a, b)
        await flowing(a, b)


async def test_a_bad_offer_changes_nothing() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        offer = await b.create_offer()
        await b.rollback()
        for bad in (
            "nonsense",
            offer.replace("m=audio", "m=video"),
            re.sub(r"a=rtpmap.*\r\n", "", re.sub(r"(m=audio \d+ \S+) .*", r"\1 18", offer)),
            re.sub(r"a=ice-pwd.*\r\n", "", offer),
        ):
            with pytest.raises(MediaNegotiationError) as caught:
                await a.create_answer(bad)
            assert caught.value.status == 488
        await flowing(a, b)
        await negotiate(b, a)
        await negotiate(a, b)


async def test_a_bad_answer_changes_nothing() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        offer = await a.create_offer()
        answer = await b.create_answer(offer)
        with pytest.raises(MediaNegotiationError, match="refused audio"):
            await a.apply_answer(re.sub(r"m=audio \d+", "m=audio 0", answer))
        assert a.has_pending_offer
        assert await a.apply_answer(answer) is Applied.APPLIED
        await flowing(a, b)


async def test_an_answer_without_an_offer_is_refused() -> None:
    a, b, c = media(), media(), media()
    async with closing(a, b, c):
        answer = await b.create_answer(await a.create_offer())
        with pytest.raises(MediaNegotiationError, match="without an offer"):
            await c.apply_answer(answer)


async def test_the_answer_of_a_183_comes_again_in_the_200() -> None:
    a, b = media(), media()
    async with closing(a, b):
        answer = await b.create_answer(await a.create_offer())
        assert await a.apply_answer(answer, branch="b") is Applied.APPLIED
        await connected(a, b)  # early media flows
        assert await a.apply_answer(answer, branch="b") is Applied.UNCHANGED
        assert await a.choose("b") is Applied.UNCHANGED
        await flowing(a, b)


async def test_a_changed_answer_of_the_same_peer_is_applied() -> None:
    a, b = media(), media()
    async with closing(a, b):
        answer = await b.create_answer(await a.create_offer())
        await a.apply_answer(answer.replace("a=sendrecv", "a=sendonly"))
        assert a.stats().direction == "recvonly"
        assert await a.apply_answer(answer) is Applied.APPLIED
        assert a.stats().direction == "sendrecv"
        await connected(a, b)
        await flowing(a, b)


async def test_media_follows_the_branch_that_won() -> None:
    heard = Heard()
    a, b, c = media(), media(audio=Tone(500.0)), media(audio=Tone(900.0))
    a.audio.add_sink(heard)
    tracks: list[object] = []
    a.callbacks.on_track = lambda kind, track: tracks.append(track)
    async with closing(a, b, c):
        offer = await a.create_offer()
        early, won = await b.create_answer(offer), await c.create_answer(offer)
        await a.apply_answer(early, branch="b")
        await connected(a, b)
        await until(
            lambda: detect_tones(bytes(heard.pcm[-3200:]), [500, 900], rate=heard.rate or 8000) == [500]
        )
        first = a.connection

        assert await a.apply_answer(won, branch="c") is Applied.APPLIED
        assert await a.choose("c") is Applied.UNCHANGED
        await connected(a, c)
        assert a.connection is not first
        await flowing(a, c)
        await until(lambda: detect_tones(bytes(heard.pcm[-3200:]), [500, 900], rate=heard.rate) == [900])
        assert len(tracks) == 2
        assert a.remote_description == won
        # Offers go on with the winner.
        await negotiate(a, c)
        await negotiate(c, a)
        await flowing(a, c)


async def test_early_media_of_two_branches_and_the_first_wins() -> None:
    a, b, c = media(), media(), media()
    async with closing(a, b, c):
        offer = await a.create_offer()
        first, second = await b.create_answer(offer), await c.create_answer(offer)
        await a.apply_answer(first, branch="b")
        await connected(a, b)
        await a.apply_answer(second, branch="c")
        await connected(a, b, c)  # both are up, the newest is heard
        assert await a.apply_answer(first, branch="b") is Applied.APPLIED
        await a.choose("b")
        assert a.state == "connected"
        await flowing(a, b)
        await until(lambda: c.state == "disconnected")


async def test_the_other_branch_answers_before_the_first_has_connected() -> None:
    a, b, c = media(), media(), media()
    async with closing(a, b, c):
        offer = await a.create_offer()
        await a.apply_answer(await b.create_answer(offer), branch="b")
        await a.apply_answer(await c.create_answer(offer), branch="c")
        await a.choose("c")
        await connected(a, c)
        await flowing(a, c)


async def test_a_branch_that_never_said_anything_may_win() -> None:
    # b checks ICE towards a before a knows of it; refusing those checks would make b's ICE fail.
    a, b = media(), media()
    async with closing(a, b):
        answer = await b.create_answer(await a.create_offer())
        await asyncio.sleep(0.6)
        await a.apply_answer(answer, branch="b")
        await connected(a, b)
        await flowing(a, b)


async def test_a_fork_that_cannot_be_followed_asks_for_a_new_offer() -> None:
    a, b, c = media(), media(), media()
    async with closing(a, b, c):
        offer = await a.create_offer()
        await a.apply_answer(await b.create_answer(offer), branch="b")
        await connected(a, b)
        # The peer vanishes for good, and with it the sockets of the first offer.
        a._leg._begin_close("failed")  # type: ignore[union-attr]
        await asyncio.sleep(0.1)
        assert await a.apply_answer(await c.create_answer(offer), branch="c") is Applied.NEEDS_REOFFER


async def test_ice_restart_offered_and_answered() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        before = origin(a.local_description or "")
        answer = await b.create_answer(await a.create_offer(ice_restart=True))
        assert await a.apply_answer(answer) is Applied.APPLIED
        assert origin(a.local_description or "") == (before[0], before[1] + 1)
        await flowing(a, b)
        await negotiate(b, a)
        await flowing(a, b)


async def test_a_peer_that_came_back_is_answered_anew() -> None:
    # b's other end was replaced: a new one offers in the same dialog, another one answers.
    a, b, c = media(), media(), media()
    async with closing(a, b, c):
        await negotiate(a, b)
        await connected(a, b)
        await b.close()
        await until(lambda: a.connection.connectionState == "closed")
        assert a.state == "connected"  # for a moment: a BYE may be on the way
        await negotiate(c, a)
        await connected(a, c)
        await flowing(a, c)
        await c.close()
        await until(lambda: a.state == "disconnected")


async def test_gathering_is_bounded_with_a_dead_stun_and_turn_server() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))  # takes everything, never answers
        port = dead.getsockname()[1]
        servers = (f"stun:127.0.0.1:{port}", IceServer(f"turn:127.0.0.1:{port}", "user", "password"))
        a, b = media(ice_servers=servers, ice_gathering_timeout=0.4), media()
        async with closing(a, b):
            started = time.monotonic()
            offer = await a.create_offer()
            assert 0.3 < time.monotonic() - started < 1.5
            assert offer.count("a=candidate:") == 1
            await a.apply_answer(await b.create_answer(offer))
            await connected(a, b)


async def test_the_candidate_filter_and_the_candidates_told() -> None:
    told: list[str] = []
    a = media(ice_candidate_filter=lambda line: "127.0.0.1" not in line)
    b = media()
    b.callbacks.on_candidate = told.append
    async with closing(a, b):
        offer = await a.create_offer()
        assert "a=candidate" not in offer
        assert "m=audio 9 " in offer
        assert "c=IN IP4 0.0.0.0" in offer
        await a.apply_answer(await b.create_answer(offer))
        assert len(told) == 1
        assert told[0].startswith("candidate:")
        await connected(a, b)  # b is told nothing, a checks from its address


async def test_codec_preference_of_the_offerer_and_of_the_answerer() -> None:
    for mine, theirs, chosen in (
        (("PCMA", "opus"), None, "PCMA/8000"),
        (None, ("G722",), "G722/8000"),
        (("opus", "PCMU"), ("PCMU", "opus"), "PCMU/8000"),
    ):
        a, b = media(codecs=mine), media(codecs=theirs)
        async with closing(a, b):
            await negotiate(a, b)
            assert (a.stats().codec, b.stats().codec) == (chosen, chosen)


async def test_the_codec_changes_in_the_middle_of_a_call() -> None:
    heard, back = Heard(), Heard()
    a, b = media(codecs=("opus",), audio=Tone(1000.0)), media(audio=Tone(600.0))
    a.audio.add_sink(back)
    b.audio.add_sink(heard)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await until(lambda: heard.rate == back.rate == 48000)
        for codec, rate in (("PCMU", 8000), ("G722", 16000), ("opus", 48000)):
            a.options.codecs = (codec,)
            await negotiate(a, b)
            assert (a.stats().codec or "").startswith(codec)
            await until(lambda rate=rate: heard.rate == back.rate == rate)
            heard.pcm.clear()
            back.pcm.clear()
            await until(lambda rate=rate: len(heard.pcm) > rate // 2 and len(back.pcm) > rate // 2)
            assert detect_tones(bytes(heard.pcm[-rate // 2 :]), [600, 1000], rate=rate) == [1000]
            assert detect_tones(bytes(back.pcm[-rate // 2 :]), [600, 1000], rate=rate) == [600]


async def test_a_payload_type_stays_and_a_pending_offer_is_not_heard() -> None:
    a, b = media(codecs=("opus",)), media()
    async with closing(a, b):
        await negotiate(
            a, b, offer=lambda s: s.replace("SAVPF 96", "SAVPF 111").replace("rtpmap:96", "rtpmap:111")
        )
        await connected(a, b)
        await flowing(a, b)
        b.options.codecs = ("PCMU", "opus")
        offer = await b.create_offer()
        assert "RTP/SAVPF 0 111 " in offer
        assert "a=rtpmap:111 opus/48000/2" in offer
        assert b.stats().codec == "opus/48000"
        await flowing(a, b)
        assert b.stats().packets_discarded == 0
        await b.apply_answer(await a.create_answer(offer))
        await flowing(a, b)


async def test_no_common_codec() -> None:
    a, b = media(codecs=("opus",)), media(codecs=("PCMU",))
    async with closing(a, b):
        with pytest.raises(
            MediaNegotiationError, match="no common codec: the offer has opus, this side pcmu"
        ):
            await b.create_answer(await a.create_offer())


async def test_a_silent_peer_is_noticed() -> None:
    a, b = media(silence_timeout=1.0, failure_timeout=1.0), media()
    states: list[str] = []
    a.callbacks.on_state = states.append
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await flowing(a)
        # Cut the cable: b neither sends nor says good-bye.
        for protocol in list(b._leg._ice._protocols):  # type: ignore[union-attr]
            protocol.transport.abort()
        started = time.monotonic()
        await until(lambda: a.state == "failed", timeout=6)
        assert 1.5 < time.monotonic() - started < 4
    assert states == ["connecting", "connected", "disconnected", "failed", "closed"]


async def test_a_held_call_is_not_a_silent_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipua.media.leg._CONSENT_INTERVAL", 0.2)
    a, b = media(silence_timeout=0.6, direction="inactive"), media(direction="inactive")
    states: list[str] = []
    a.callbacks.on_state = states.append
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await asyncio.sleep(1.5)
        assert a.state == "connected"
    assert "disconnected" not in states


async def test_a_peer_that_cannot_be_reached_fails_in_time() -> None:
    a, b = media(failure_timeout=1.0), media()
    answer = await b.create_answer(await a.create_offer())
    await b.close()
    async with closing(a, b):
        await a.apply_answer(answer)
        await until(lambda: a.state == "failed", timeout=4)


async def test_junk_from_strangers_does_no_harm() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        candidate = re.search(r"candidate:\S+ 1 udp \d+ (\S+) (\d+)", a.local_description or "")
        assert candidate
        target = (candidate[1], int(candidate[2]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for junk in (
                b"",
                b"\0",
                b"\x80" * 200,
                b"\x16\xfe\xfd" + bytes(50),
                b"\x15" * 1500,
                b"\0\1" + bytes(18),
            ):
                stranger.sendto(junk, target)
        await asyncio.sleep(0.1)
        await flowing(a, b)
        assert a.state == "connected"


async def test_rtcp_bye_and_unknown_payload_types_are_survived() -> None:
    from aiortc.rtp import RtcpByePacket, RtpPacket

    a, b = media(codecs=("PCMU",)), media()
    heard = Heard()
    b.audio.add_sink(heard)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await flowing(a, b)
        sender = a.connection.getSenders()[0]
        transport = sender.transport
        await transport._send_rtp(bytes(RtcpByePacket(sources=[sender._ssrc])))
        for n, (payload_type, payload) in enumerate(
            ((101, b"\5\x8a\3\x20"), (0, b""), (13, b"\x40"), (0, b""))
        ):
            packet = RtpPacket(payload_type=payload_type, sequence_number=4711 + n, timestamp=1)
            packet.ssrc, packet.payload = sender._ssrc ^ 1, payload
            await transport._send_rtp(packet.serialize())
        await transport._send_rtp(b"\x80\xc9\0\1" + bytes(4))
        count = len(heard.pcm)
        await flowing(b)
        await until(lambda: len(heard.pcm) > count + 3200)
        assert b.stats().packets_discarded == 2


async def test_the_port_in_a_call() -> None:
    heard = Heard()
    a, b = media(codecs=("PCMU",)), media()
    b.audio.add_sink(heard)
    reader = a.audio.read(rate=16000)
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        playback = a.audio.play(Tone(1000.0, seconds=0.3))
        assert await asyncio.wait_for(playback.wait(), 3)
        await a.audio.write(b"".join(_tone(2000, 16000, 0.3)), 16000)
        await asyncio.wait_for(a.audio.drain(), 3)
        chunk = await asyncio.wait_for(anext(reader), 3)
        assert len(chunk) == 640
        await asyncio.sleep(0.4)
        recorded = bytes(heard.pcm)
        assert detect_tones(recorded, [1000, 2000], share=0.1) == [1000, 2000]
    assert heard.closed
    async for _ in reader:
        pass  # what was queued, then the end
    with pytest.raises(InvalidStateError):
        await a.audio.write(bytes(320), 8000)


def _tone(frequency: float, rate: int, seconds: float) -> list[bytes]:
    stream = Tone(frequency, seconds=seconds).open(rate)
    return [stream.read(rate)]


async def test_a_recording_that_cannot_go_on_is_told_once_and_the_call_goes_on() -> None:
    class Full(AudioSink):
        def __init__(self) -> None:
            self.writes = self.closes = 0

        def write(self, pcm: bytes, rate: int) -> None:
            self.writes += 1
            raise MediaFileError("/full/disk.wav", "no space left on device")

        def close(self) -> None:
            self.closes += 1

    full, errors = Full(), []
    a, b = media(record=full), media()
    a.callbacks.on_error = errors.append
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await until(lambda: errors)
        await flowing(a, b)
    assert (full.writes, full.closes, len(errors)) == (1, 1, 1)
    assert "no space left" in str(errors[0])


async def test_options_are_checked_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    for options, error, words in (
        ({"audio": tmp_path / "none.wav"}, MediaFileError, "none.wav: no such file"),
        ({"audio": AudioFile(tmp_path / "text.wav")}, MediaFileError, "not an audio file"),
        ({"record": tmp_path / "missing" / "x.wav"}, MediaFileError, "does not exist"),
        ({"audio": SPEECH, "record": SPEECH}, MediaFileError, "is the file that is played"),
        ({"codecs": ("opus", "speex")}, ConfigurationError, "speex"),
        ({"codecs": ()}, ConfigurationError, "codecs"),
        ({"ice_servers": ("http://example.com",)}, ConfigurationError, "http://example.com"),
        ({"ice_host_addresses": ("localhost",)}, ConfigurationError, "localhost"),
        ({"direction": "both"}, ConfigurationError, "both"),
    ):
        session = RtcMedia(MediaOptions(**options))  # type: ignore[arg-type]
        with pytest.raises(error, match=re.escape(words) if error is ConfigurationError else words):
            session.check()
        await session.close()
    with pytest.raises(MediaFileError, match=r"wav, ogg or mp3"):
        RtcMedia(MediaOptions(record="call.mp4"))


async def test_errors_of_sources_are_told_and_the_call_goes_on() -> None:
    from sipua.media.sources import Pcm

    def broken() -> object:
        yield bytes(3200)
        raise RuntimeError("no more")

    errors: list[MediaError] = []
    a, b = media(audio=Pcm(broken, 16000)), media()  # type: ignore[arg-type]
    a.callbacks.on_error = errors.append
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await until(lambda: errors)
        assert "no more" in str(errors[0])
        await flowing(a, b)


async def test_everything_is_refused_after_the_end_and_closing_twice_is_fine() -> None:
    a, b = media(), media()
    offer = await a.create_offer()
    answer = await b.create_answer(offer)
    await asyncio.gather(a.close(), a.close())
    await a.close()
    await b.close()
    assert a.state == "closed"
    assert a.stats().state == "closed"
    for call in (a.create_offer(), a.create_answer(offer), a.apply_answer(answer), a.choose("x")):
        with pytest.raises(InvalidStateError):
            await call
    await a.rollback()
    with pytest.raises(InvalidStateError):
        a.audio.add_sink(Heard())


async def test_close_in_the_middle_of_gathering() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        a = media(ice_servers=(f"stun:127.0.0.1:{dead.getsockname()[1]}",), ice_gathering_timeout=3.0)
        offer = asyncio.ensure_future(a.create_offer())
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await a.close()
        assert time.monotonic() - started < 2.5
        offer.cancel()
        await asyncio.wait({offer})


async def test_closing_is_bounded_when_a_relay_does_not_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipua.media.leg._CLOSE_TIMEOUT", 0.2)
    a, b = media(), media()
    await negotiate(a, b)
    await connected(a, b)
    protocol = a._leg._ice._protocols[0]  # type: ignore[union-attr]
    monkeypatch.setattr(protocol, "close", asyncio.Event().wait)
    started = time.monotonic()
    await a.close()
    assert time.monotonic() - started < 1
    assert protocol.transport.is_closing()
    await b.close()


async def test_what_nobody_listens_to_does_not_pile_up() -> None:
    a, b = media(audio=Tone()), media()
    async with closing(a, b):
        await negotiate(a, b)
        await connected(a, b)
        await until(lambda: b.stats().packets_received > 30)
        assert b.connection.getReceivers()[0].track._queue.qsize() < 3


async def test_closing_while_the_call_comes_up_leaves_nothing() -> None:
    async def call(seconds: float) -> None:
        a, b = media(), media()
        async with closing(a, b):
            await negotiate(a, b)
            await asyncio.sleep(seconds)

    # The test runner fails a test that leaves a task.
    await asyncio.gather(*(call(n * 0.003) for n in range(30)))


async def test_nothing_is_left_after_twenty_calls() -> None:
    async def call() -> None:
        a, b = media(audio=Tone()), media(echo=True)
        async with closing(a, b):
            await negotiate(a, b)
            await connected(a, b)
            await flowing(a, b)

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    for _ in range(2):
        await call()
    tasks, threads, files = len(asyncio.all_tasks()), threading.active_count(), descriptors()
    for _ in range(5):
        await asyncio.gather(*(call() for _ in range(4)))
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == tasks
    # The pool in which aiortc encodes grows to its bound and stays.
    decoders = [t for t in threading.enumerate() if "decoder" in t.name]
    assert not decoders
    assert threading.active_count() <= threads + 8
    assert descriptors() <= files + 1


async def test_loopback_is_used_when_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    import aioice.ice

    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    a, b = media(ice_host_addresses=None), media(ice_host_addresses=None)
    async with closing(a, b):
        await negotiate(a, b)
        assert "127.0.0.1" in (a.local_description or "")
        await connected(a, b)
