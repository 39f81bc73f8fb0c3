"""Audio files of every kind, good and bad."""

from __future__ import annotations

import os
import time
import wave
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import pytest

from sipua.errors import MediaFileError
from sipua.media.analysis import correlate
from sipua.media.encoding import OggWriter
from sipua.media.files import FileStream, check_audio_file, decode_file
from tests.media.calls import SPEECH


def write(path: Path, codec: str, layout: str = "mono", rate: int = 48000) -> Path:
    """The speech in another format."""
    with av.open(str(SPEECH)) as source, av.open(str(path), "w") as target:
        stream: Any = target.add_stream(codec, rate=rate, layout=layout)
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate, frame_size=stream.frame_size
        )
        for frame in [*source.decode(audio=0), None]:
            for part in resampler.resample(frame):
                target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "layout", "rate"),
    [
        ("a.ogg", "libopus", "mono", 48000),
        ("a.mp3", "libmp3lame", "stereo", 44100),
        ("a.flac", "flac", "mono", 16000),
        ("a.m4a", "aac", "stereo", 48000),
        ("a.wav", "pcm_mulaw", "mono", 8000),
        ("a.wav", "pcm_f32le", "stereo", 22050),
    ],
)
def test_formats(tmp_path: Path, name: str, codec: str, layout: str, rate: int) -> None:
    path = write(tmp_path / name, codec, layout, rate)
    check_audio_file(path)
    pcm = decode_file(path, 8000)
    assert abs(len(pcm) / 16000 - 5.3) < 0.15
    assert correlate(SPEECH, pcm).correlation > 0.95


def test_a_stream_gives_what_is_asked_for_and_then_the_rest() -> None:
    stream = FileStream(SPEECH, 8000)
    chunks = []
    while len(chunks) < 400:
        chunks.append(stream.read(160))
        if len(chunks[-1]) < 320:
            break
    stream.close()
    assert {len(c) for c in chunks[:-1]} == {320}
    assert b"".join(chunks) == decode_file(SPEECH, 8000)
    assert stream.read(160) == b""


def test_a_looping_stream_goes_on_without_a_gap() -> None:
    native = decode_file(SPEECH, 16000)  # the rate of the file: no resampler
    stream = FileStream(SPEECH, 16000, plays=None)
    assert stream.read(len(native)) == native + native
    stream.close()
    # Two tones whose waves fit together at the seam stay one tone, through a resampler as well.
    stream = FileStream(SPEECH, 8000, plays=3)
    length = len(decode_file(SPEECH, 8000)) // 2
    parts = [stream.read(length) for _ in range(3)]
    assert parts[0][200:-200] == parts[1][200:-200] == parts[2][200:-200]
    assert stream.read(160) == b""
    stream.close()


def seamless(path: Path) -> Path:
    """A second of 441 Hz: its end fits its beginning."""
    pcm = (8000 * np.sin(2 * np.pi * 441 * np.arange(44100) / 44100)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 44100, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    return path


def test_the_seam_of_a_loop_cannot_be_heard_at_another_rate(tmp_path: Path) -> None:
    stream = FileStream(seamless(tmp_path / "a.wav"), 8000, plays=3)
    samples = np.frombuffer(stream.read(8000 * 3), "<i2").astype(float)
    stream.close()
    steady = samples[100:-100]
    # A sine is 2 cos(w) times its last sample less the one before it, everywhere.
    error = steady[2:] - 2 * np.cos(2 * np.pi * 441 / 8000) * steady[1:-1] + steady[:-2]
    assert np.abs(error).max() < 8


@pytest.mark.parametrize(
    ("name", "codec", "rate", "within"),
    [("a.wav", "pcm_s16le", 16000, 0), ("a.flac", "flac", 16000, 0), ("a.ogg", "libopus", 48000, 0.003),
     ("a.mp3", "libmp3lame", 44100, 0.03)],
)  # fmt: skip
def test_seeking(tmp_path: Path, name: str, codec: str, rate: int, within: float) -> None:
    stream = FileStream(write(tmp_path / name, codec, "mono", rate), 16000)
    assert stream.duration == pytest.approx(5.3, abs=0.1)
    whole = np.frombuffer(stream.read(16000 * 6), "<i2").astype(float)
    for seconds in (2.0, 0.5, 4.1, 1.0):
        stream.seek(seconds)
        found = np.frombuffer(stream.read(1600), "<i2").astype(float)
        at = int(np.argmax(np.correlate(whole, found, "valid"))) / 16000
        assert abs(at - seconds) <= within, seconds
    stream.seek(9.0)
    assert stream.read(160) == b""
    stream.seek(5.0)
    assert len(stream.read(16000)) == pytest.approx(2 * 0.3 * 16000, abs=3000)
    stream.close()


def test_opening_a_long_file_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * 20000)
    FileStream(path, 8000).close()
    spent = []
    for _ in range(5):
        begun = time.process_time()
        stream = FileStream(path, 8000)
        stream.read(160)
        spent.append(time.process_time() - begun)
        stream.close()
    assert min(spent) < 0.006  # 12 ms and more when ffmpeg takes a good look


def bad_files(directory: Path) -> dict[str, tuple[Path, str]]:
    speech = SPEECH.read_bytes()
    made = {
        "text.wav": b"hello" * 1000,
        "empty.wav": b"",
        "header.wav": speech[:44],
        "random.mp3": Random(1).randbytes(20000),
        "riff.wav": b"RIFF\0\0\0\0WAVE" + b"\xff" * 500,
    }
    for name, content in made.items():
        (directory / name).write_bytes(content)
    os.mkfifo(directory / "pipe.wav")
    return {
        **{name: (directory / name, "give a") for name in made},
        "missing": (directory / "missing.wav", "no such file or directory; check the path"),
        "directory": (directory, "not a regular file"),
        "pipe": (directory / "pipe.wav", "not a regular file"),
        "device": (Path("/dev/zero"), "not a regular file"),
        "below a file": (directory / "text.wav" / "x", "not a directory; check the path"),
    }


def test_bad_files_name_the_path_and_the_remedy(tmp_path: Path) -> None:
    for path, words in bad_files(tmp_path).values():
        with pytest.raises(MediaFileError, match=words) as caught:
            check_audio_file(path)
        assert caught.value.path == path
        assert str(caught.value).startswith(f"{path}: ")


def test_bad_files_are_bad_without_a_check_too(tmp_path: Path) -> None:
    for name, (path, _) in bad_files(tmp_path).items():
        if name == "header.wav":
            assert decode_file(path, 8000) == b""  # a good header and no sound
            continue
        with pytest.raises(MediaFileError):
            FileStream(path, 8000)
        with pytest.raises(MediaFileError):
            decode_file(path, 8000)


def test_video_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as target:
        stream: Any = target.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 16
        for _ in range(5):
            target.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        target.mux(stream.encode(None))
    with pytest.raises(MediaFileError, match="has no audio in it"):
        check_audio_file(path)


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (24, 1, "a sample rate of 1 Hz"),
        (24, 999, "a sample rate of 999 Hz"),
        (24, 16_719_680, "a sample rate of 16719680 Hz"),
        (20, 0x77770000 + 1, "cannot be decoded|not an audio file|audio of an unknown kind"),
        (20, 0x00017777, "audio of an unknown kind"),
    ],
)
def test_a_head_that_is_damaged(offset: int, value: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(32000))
    data = bytearray(path.read_bytes())
    data[offset : offset + 4] = value.to_bytes(4, "little")
    path.write_bytes(data)
    begun = time.process_time()
    with pytest.raises(MediaFileError, match=words):
        check_audio_file(path)
    with pytest.raises(MediaFileError, match=words):
        decode_file(path, 8000)
    assert time.process_time() - begun < 3


@pytest.mark.parametrize("samples", [1, 7, 400, 12000])
def test_a_short_file_over_and_over(samples: int, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    once = (np.arange(samples, dtype="<i2") * 3 + 1000).tobytes()
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(once)
    stream = FileStream(path, 8000, plays=None)
    begun = time.process_time()
    pcm = b"".join(stream.read(160) for _ in range(100))
    assert time.process_time() - begun < 2.0  # of the 2 s that it takes to be heard
    assert pcm == (once * 16001)[:32000]
    if samples > 1000:
        stream.seek(0.5)
        assert stream.read(8000) == (once[8000:] + once * 9)[:16000]
    stream.close()
    twice = FileStream(path, 8000, plays=2)
    assert twice.read(40000) == once * 2
    twice.close()


@pytest.mark.parametrize("rate", [8000, 44100])
def test_files_of_another_kind_one_behind_the_other(rate: int, tmp_path: Path) -> None:
    kinds = (("mono", 44100), ("stereo", 44100), ("mono", 48000))
    parts = [write(tmp_path / f"{n}.mp3", "libmp3lame", *kind).read_bytes() for n, kind in enumerate(kinds)]
    path = tmp_path / "all.mp3"
    path.write_bytes(b"".join(parts))
    assert len(decode_file(path, rate)) / 2 / rate == pytest.approx(3 * 5.3, abs=0.5)


def test_damage_in_the_middle_is_left_out(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.mp3", "libmp3lame", "mono", 44100).read_bytes())
    data[8000:8400] = Random(1).randbytes(400)
    path = tmp_path / "damaged.mp3"
    path.write_bytes(data)
    check_audio_file(path)
    assert len(decode_file(path, 8000)) > 4.5 * 16000


def test_ogg_is_readable_before_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.ogg"
    writer, pcm = OggWriter(path), decode_file(SPEECH, 16000)
    for start in range(0, len(pcm), 640):
        writer.write(pcm[start : start + 640], 16000)
    crashed = len(decode_file(path, 8000)) / 16000
    assert crashed > 5.3 - 1.1
    writer.write(decode_file(SPEECH, 8000), 8000)  # the rate may change
    writer.close()
    assert abs(len(decode_file(path, 8000)) / 16000 - 10.6) < 0.1
    assert correlate(SPEECH, path).correlation > 0.95


def test_ogg_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(MediaFileError, match="cannot be written"):
        OggWriter(tmp_path / "none" / "x.ogg")
