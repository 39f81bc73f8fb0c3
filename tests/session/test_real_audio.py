"""What a call can do with sound, over two user agents, aiortc on loopback, the real clock."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from sipua import AudioFile, MediaFileError, Pcm, Recording, Tone, events
from sipua.media.analysis import correlate, detect_tones
from sipua.media.files import decode_file
from sipua.testing import steady
from tests.media.calls import SPEECH
from tests.session.test_real_media import call

pytestmark = pytest.mark.realtime

WORDS = decode_file(SPEECH, 8000)[: 2 * 16000]


async def test_music_on_hold_is_heard_and_the_recording_has_both_sides(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"

    async def record() -> Path:
        async with call() as (one, other):
            one.audio.source = other.audio.source = None
            other.audio.source = Tone(1000)
            recording = other.audio.record(Recording(path, "stereo", rate=16000))
            await asyncio.sleep(0.2)
            with pytest.raises(MediaFileError):
                one.hold(hold_music=tmp_path / "none.wav")
            await one.hold(hold_music=Tone(440))
            await asyncio.sleep(0.8)
            await one.unhold()
            await asyncio.sleep(0.5)
        await recording.wait_closed()
        return path

    def check(path: Path) -> None:
        with wave.open(str(path)) as file:
            both = np.frombuffer(file.readframes(10**9), "<i2").reshape(-1, 2)
        left, right = (bytes(np.ascontiguousarray(side)) for side in both.T)
        assert detect_tones(left[: 2 * 16000], [440, 1000], rate=16000) == [440]
        assert not np.frombuffer(left, "<i2")[-3200:].any()  # the music is over
        assert detect_tones(right[:6400], [440, 1000], rate=16000) == [1000]
        middle = right[2 * 9600 : 2 * 14400]
        assert not np.frombuffer(middle, "<i2").any()  # nobody listened: nothing was sent

    await steady(record, check)


async def test_voice_activity_is_told() -> None:
    told: list[tuple[str, bool]] = []

    def note(event: events.VoiceActivity) -> None:
        told.append((event.originator, event.speaks))

    async with call(voice_activity=True) as (one, other):
        one.audio.source = None
        one.on("voice_activity", note)
        other.audio.play(AudioFile(SPEECH, loop=True))
        await asyncio.sleep(1.5)
        other.audio.source = None
        await asyncio.sleep(1.0)
    assert ("remote", True) in told
    assert [entry for entry in told if entry[0] == "remote"][-1] == ("remote", False)


async def test_two_calls_are_bridged(tmp_path: Path) -> None:
    async def record() -> Path:
        path = tmp_path / "heard.wav"
        async with call() as (alice, at_bobs), call() as (carol, at_daves):
            at_daves.audio.source = at_bobs.audio.source = None
            recording = at_daves.audio.record(path)
            with alice.audio.bridge(carol.audio):
                await asyncio.sleep(0.3)
                await asyncio.wait_for(at_bobs.audio.play(Pcm(WORDS, 8000)).wait(), 10)
                await asyncio.sleep(0.3)
            recording.stop()
            await recording.wait_closed()
        return path

    await steady(record, lambda path: _alike(path))


def _alike(path: Path) -> None:
    assert correlate(WORDS, path).correlation >= 0.95
