"""Two recordings into one file."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import pytest

from sipua.errors import MediaFileError
from sipua.media.port import CallAudio
from sipua.media.recording import Recording
from sipua.media.sinks import Mp3File, OggFile, WavFile

pytestmark = pytest.mark.realtime

SECOND = bytes(16000)


def port() -> CallAudio:
    return CallAudio(lambda error: None, asyncio.get_running_loop().time)


async def test_recordings_of_two_calls(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    (tmp_path / "link.wav").symlink_to(path)
    one, other = port(), port()
    first = one.record(path)
    for name in (path, tmp_path / "link.wav", tmp_path / "." / "x.wav"):
        with pytest.raises(MediaFileError, match="is being recorded to already; choose another name"):
            other.record(name)
    with pytest.raises(MediaFileError, match="already"):
        other.add_sink(path)
    one.heard(SECOND, 8000)
    one.said(SECOND, 8000)
    first.stop()
    await first.wait_closed()
    with wave.open(str(path)) as file:
        assert file.getnframes() == 8000
    second = other.record(path)
    other.close()
    await second.wait_closed()


@pytest.mark.parametrize("kind", [WavFile, OggFile, Mp3File])
async def test_sinks(kind: type[WavFile], tmp_path: Path) -> None:
    path = tmp_path / f"x.{kind.__name__[:3].lower()}"
    sink = kind(path)
    sink.open()
    for again in (sink, kind(path)):
        with pytest.raises(MediaFileError, match="already"):
            again.open()
    with pytest.raises(MediaFileError, match="already"):
        port().record(path)
    sink.write(SECOND, 8000)
    sink.close()
    kind(path).open()  # and never closed
    kind(path).open()


async def test_a_file_that_cannot_be_made_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.symlink_to("/dev/full")
    for _ in range(2):
        with pytest.raises(MediaFileError, match="no space left"):
            port().record(Recording(path))


async def test_devices_take_any_number(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.symlink_to("/dev/null")
    one, other = port(), port()
    recordings = one.record(path), other.record(path)
    for call, recording in zip((one, other), recordings, strict=True):
        call.close()
        await recording.wait_closed()
