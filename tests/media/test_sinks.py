"""Recordings: good, cut off, and impossible."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from sipua.errors import ConfigurationError, MediaFileError
from sipua.media.files import decode_file
from sipua.media.sinks import Mp3File, NullSink, OggFile, PcmCallback, WavFile, as_sink, check_apart
from sipua.media.sources import AudioFile, Tone
from tests.media.calls import SPEECH


def seconds(path: Path) -> float:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getnframes() / file.getframerate()


def test_what_means_a_sink(tmp_path: Path) -> None:
    assert as_sink(None) is None
    sink = NullSink()
    assert as_sink(sink) is sink
    assert isinstance(as_sink(tmp_path / "x.WAV"), WavFile)
    assert isinstance(as_sink(str(tmp_path / "x.ogg")), OggFile)
    assert isinstance(as_sink("x.opus"), OggFile)
    assert isinstance(as_sink("x.mp3"), Mp3File)
    with pytest.raises(MediaFileError, match=r"\.wav, \.ogg or \.mp3"):
        as_sink("x.mp4")
    with pytest.raises(ConfigurationError, match="record"):
        as_sink(1)


def test_null_and_callback() -> None:
    null, got = NullSink(), []
    null.write(bytes(320), 8000)
    assert null.samples == 160
    PcmCallback(lambda pcm, rate: got.append((len(pcm), rate))).write(bytes(320), 8000)
    assert got == [(320, 8000)]


def test_a_wav_file_is_what_was_written(tmp_path: Path) -> None:
    path, pcm = tmp_path / "x.wav", decode_file(SPEECH, 16000)
    sink = WavFile(path)
    sink.open()
    for start in range(0, len(pcm), 640):
        sink.write(pcm[start : start + 640], 16000)
    assert abs(sink.seconds - 5.3) < 0.01
    sink.close()
    sink.close()
    assert decode_file(path, 16000) == pcm
    assert sink.rate == 16000


def test_what_a_crash_leaves_is_readable_to_its_last_second(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    sink = WavFile(path, 8000)
    sink.open()
    assert seconds(path) == 0
    for _ in range(125):  # 2.5 s
        sink.write(bytes(320), 8000)
    assert seconds(path) == 2.0  # never closed
    sink.close()
    assert seconds(path) == 2.5


def test_the_rate_may_change_and_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"x" * 10**6)
    sink = WavFile(path)
    sink.open()
    sink.write(bytes(16000), 8000)
    sink.write(bytes(96000), 48000)
    sink.write(bytes(16000), 8000)
    sink.close()
    assert abs(seconds(path) - 3.0) < 0.01
    assert path.stat().st_size == 80 + 2 * round(seconds(path) * 8000)


def test_nothing_recorded_is_an_empty_wav(tmp_path: Path) -> None:
    sink = WavFile(tmp_path / "x.wav")
    sink.close()  # never opened
    sink.open()
    sink.close()
    assert seconds(tmp_path / "x.wav") == 0


@pytest.mark.parametrize("kind", [OggFile, Mp3File])
def test_a_compressed_file(kind: type[OggFile], tmp_path: Path) -> None:
    sink = kind(tmp_path / "x.ogg")
    sink.close()
    sink.open()
    sink.write(decode_file(SPEECH, 8000), 8000)
    sink.close()
    assert abs(len(decode_file(sink.path, 8000)) / 16000 - 5.3) < 0.1
    assert "x.ogg" in repr(sink)


@pytest.mark.parametrize("kind", [WavFile, OggFile])
def test_places_that_cannot_be_written(kind: type[WavFile | OggFile], tmp_path: Path) -> None:
    ending = ".wav" if kind is WavFile else ".ogg"
    closed = tmp_path / f"mine{ending}"
    closed.touch()
    places = {tmp_path: "is a directory", tmp_path / "none" / f"x{ending}": "does not exist; make it first"}
    if os.geteuid() != 0:  # root may write anywhere
        closed.chmod(stat.S_IRUSR)
        places[closed] = "may not be overwritten"
    for path, words in places.items():
        for attempt in (kind(path).check, kind(path).open):
            with pytest.raises(MediaFileError, match=words) as caught:
                attempt()
            assert caught.value.path == path


def test_permissions_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(MediaFileError, match="not writable"):
        WavFile(tmp_path / "x.wav").check()
    (tmp_path / "y.wav").touch()
    with pytest.raises(MediaFileError, match="may not be overwritten"):
        WavFile(tmp_path / "y.wav").check()


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.wav"
    sink = WavFile(path, 8000)
    sink.open()
    for _ in range(60):
        sink.write(bytes(320), 8000)
    real = os.pwrite

    def full(file: int, data: bytes, offset: int) -> int:
        if offset:
            raise OSError(28, "No space left on device")
        return real(file, data, offset)

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(MediaFileError, match=r"no space left on device; the first 1.0 s are kept"):
        sink.write(bytes(16000), 8000)
    monkeypatch.setattr("os.pwrite", real)
    sink.close()
    assert seconds(path) == 1.0


def test_a_disk_that_is_full_from_the_start() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(MediaFileError, match="/dev/full: recording stopped: no space left on device"):
        WavFile("/dev/full").open()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_cannot_be_made_at_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(MediaFileError, match="too many open files"):
        WavFile(tmp_path / "x.wav").open()


_FULL = """
import asyncio, resource, sys
from pathlib import Path
from sipua import Recording
from sipua.errors import MediaFileError
from sipua.media.sinks import as_sink
from sipua.media.timeline import Timeline

def fill(path):
    sink = as_sink(path)
    try:
        sink.open()
        for _ in range(100): sink.write(bytes(range(256)) * 8, 48000)
        sink.close()
    except MediaFileError as error: print(error)

async def record(path):
    recording = Recording(path, "mixed")
    try:
        recording.start(Timeline(asyncio.get_running_loop().time), lambda error: None)
        for _ in range(50): recording.tick(bytes(1920), 48000, bytes(range(192)) * 10, 48000)
        recording.stop()
        await recording.wait_closed()
    except MediaFileError as error: print(error)

resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for path in sys.argv[1:]:
    Path(path).touch()
    fill(path)
    assert not Path(path).exists()
    asyncio.run(record(path))
    assert not Path(path).exists()
"""


def test_a_disk_that_is_full_from_the_start_leaves_no_file(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("x.wav", "x.ogg", "x.mp3")]
    done = subprocess.run([sys.executable, "-c", _FULL, *paths], capture_output=True, text=True)
    told = [f"{path}: recording stopped: file too large; nothing was recorded" for path in paths]
    assert done.stdout.splitlines() == [told[0], told[0], told[1], told[1], told[2], told[2]], done
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])


def test_an_ogg_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = OggFile(tmp_path / "x.ogg")
    sink.open()
    writer = sink._writer
    assert writer is not None

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "_encode", full)
        with pytest.raises(MediaFileError, match="no space left on device; nothing was recorded"):
            sink.write(bytes(320), 8000)
    sink.close()
    assert not sink.path.exists()


def test_an_ogg_disk_that_fills_up_keeps_what_was_there(tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "from sipua.errors import MediaFileError\n"
        "from sipua.media.sinks import OggFile\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (12000, 12000))\n"
        "sink = OggFile(sys.argv[1])\n"
        "sink.open()\n"
        "noise = bytes(range(256)) * 10\n"
        "try:\n"
        "    for _ in range(500): sink.write(noise, 48000)\n"
        "except MediaFileError as error: print(error)\n"
        "sink.close()\n"
    )
    path = tmp_path / "x.ogg"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert done.stdout == f"{path}: recording stopped: file too large; what was written is kept\n", done
    assert done.stderr == ""
    assert len(decode_file(path, 8000)) > 8000


@pytest.mark.parametrize("link", [False, True])
def test_what_is_played_is_not_recorded_to(link: bool, tmp_path: Path) -> None:
    one, other = tmp_path / "one.wav", tmp_path / "other.wav"
    check_apart(AudioFile(one), WavFile(other))  # neither is there
    one.touch()
    if link:
        (tmp_path / "there").symlink_to(tmp_path)
        alias = tmp_path / "there" / "one.wav"
    else:
        alias = tmp_path / "." / "one.wav"
    with pytest.raises(MediaFileError, match=r"one\.wav: is the file that is played"):
        check_apart(AudioFile(one), WavFile(alias))
    check_apart(AudioFile(one), OggFile(tmp_path / "one.ogg"))
    check_apart(Tone(440.0), WavFile(one))
    check_apart(AudioFile(one), NullSink())
    check_apart(None, None)
