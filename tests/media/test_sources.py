"""What can be played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from sipua.errors import ConfigurationError, MediaError, MediaFileError
from sipua.media.analysis import detect_tones, level
from sipua.media.sources import AudioFile, Pcm, Silence, Tone, as_source
from tests.media.calls import SPEECH


def test_what_means_a_source(tmp_path: Path) -> None:
    assert as_source(None) is None
    tone = Tone()
    assert as_source(tone) is tone
    made = as_source(str(SPEECH))
    assert isinstance(made, AudioFile)
    assert made.path == SPEECH
    assert not made.loop
    with pytest.raises(ConfigurationError, match="AudioFile"):
        as_source(42)
    assert "loop=True" in repr(AudioFile("x.wav", loop=True))
    assert repr(Tone(440, 480)) == "Tone(440, 480)"
    assert repr(Silence(2.0)) == "Silence(2.0)"
    with pytest.raises(MediaFileError):
        AudioFile(tmp_path / "none.wav").check()


def test_a_file() -> None:
    source = AudioFile(SPEECH)
    source.check()
    one, two = source.open(8000), source.open(16000)
    assert len(one.read(160)) == 320
    assert len(two.read(320)) == 640
    one.close()
    two.close()


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_tone_has_its_frequency_level_and_no_steps(rate: int) -> None:
    stream = Tone(1004, level=-10).open(rate)
    pcm = b"".join(stream.read(rate // 50) for _ in range(50))
    assert detect_tones(pcm, [1004, 900], rate=rate) == [1004]
    assert abs(level(pcm) + 10) < 0.1
    samples = np.frombuffer(pcm, "<i2").astype(int)
    assert max(abs(np.diff(samples))) < 32767 * 10 ** (-10 / 20) * 1.42 * 2 * np.pi * 1004 / rate + 2


def test_two_tones_share_the_level() -> None:
    pcm = Tone(440, 480, level=-16).open(8000).read(8000)
    assert detect_tones(pcm, [440, 480, 700]) == [440, 480]
    assert abs(level(pcm) + 16) < 0.2


def test_a_tone_above_half_the_rate_is_left_out() -> None:
    assert Tone(7000).open(8000).read(160) == bytes(320)


def test_loud_tones_are_not_clipped_beyond_full_scale() -> None:
    assert max(abs(np.frombuffer(Tone(440, 480, level=0).open(8000).read(8000), "<i2").astype(int))) <= 32767


def test_lengths() -> None:
    for source in (Tone(440, seconds=0.03), Silence(0.03)):
        stream = source.open(8000)
        assert [len(stream.read(160)) for _ in range(3)] == [320, 160, 0]
    assert Silence().open(8000).read(160) == bytes(320)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tone(0),
        lambda: Tone(30000),
        lambda: Tone(level=1),
        lambda: Silence(0),
        lambda: Pcm(42),
        lambda: Pcm([], 1),
    ],
)
def test_wrong_values_are_named(make: object) -> None:
    with pytest.raises(ConfigurationError):
        make()  # type: ignore[operator]


def test_pcm_from_an_iterable_in_chunks_of_any_size() -> None:
    pcm = bytes(range(256)) * 10
    chunks = [pcm[:1], pcm[1:4], pcm[4:1000], b"", pcm[1000:]]
    stream = Pcm(chunks, 8000).open(8000)
    assert stream.read(500) + stream.read(500) + stream.read(500) == pcm
    assert stream.read(1) == b""


def test_pcm_from_a_function_can_be_played_again() -> None:
    closed = []

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield bytes(100)
        finally:
            closed.append(1)

    source = Pcm(chunks, 16000)
    for _ in range(2):
        stream = source.open(8000)
        assert len(stream.read(160)) == 320
        stream.close()
    assert closed == [1, 1]


def test_pcm_that_is_bytes() -> None:
    assert Pcm(b"\1\0" * 8, 8000).open(8000).read(160) == b"\1\0" * 8


def test_pcm_that_is_none() -> None:
    with pytest.raises(MediaError, match="must give bytes"):
        Pcm(["text"], 8000).open(8000).read(160)  # type: ignore[list-item]


async def test_pcm_from_an_async_generator() -> None:
    given = 0
    closed = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal given
        try:
            while given < 30:
                given += 1
                yield b"\1\0" * 800  # 0.1 s
                await asyncio.sleep(0)
        finally:
            closed.set()

    stream = Pcm(chunks, 8000).open(8000)
    assert stream.read(160) == bytes(320)  # nothing there yet: silence
    await asyncio.sleep(0.1)
    assert given == 6  # half a second ahead, and no more
    heard = 0
    while chunk := stream.read(160).rstrip(b"\0"):
        heard += (len(chunk) + 1) // 2
        await asyncio.sleep(0.001)
    assert heard == 24000
    assert closed.is_set()
    assert stream.read(160) == b""
    stream.close()


async def test_an_async_source_that_fails_says_so_after_what_it_gave() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"\1\0" * 160
        raise OSError("lost")

    stream = Pcm(chunks, 8000).open(8000)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert stream.read(160) == b"\1\0" * 160
    with pytest.raises(OSError, match="lost"):
        stream.read(160)


async def test_an_async_source_that_fails_in_the_middle_of_a_frame_says_so_too() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"\1\0" * 100
        raise OSError("lost")

    stream = Pcm(chunks, 8000).open(8000)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert stream.read(160) == b"\1\0" * 100 + bytes(120)
    with pytest.raises(OSError, match="lost"):
        stream.read(160)


def test_a_source_that_has_nothing_at_present_is_silent() -> None:
    waiting = [b"\1\0" * 100, b"", b"\2\0" * 60]

    def chunks() -> Iterator[bytes]:
        while True:
            yield waiting.pop(0) if waiting else b""

    stream = Pcm(chunks, 8000).open(8000)
    assert stream.read(160) == b"\1\0" * 100 + b"\2\0" * 60
    assert stream.read(160) == bytes(320)
    waiting.append(b"\3\0" * 100)
    assert stream.read(160) == b"\3\0" * 100 + bytes(120)


async def test_an_async_source_is_closed_with_its_stream() -> None:
    closed = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(32000)
        finally:
            closed.set()

    stream = Pcm(chunks(), 16000).open(8000)
    await asyncio.sleep(0.01)
    stream.close()
    await asyncio.wait_for(closed.wait(), 1)
