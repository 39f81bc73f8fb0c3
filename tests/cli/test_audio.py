from __future__ import annotations

import asyncio
import shutil
import wave
from pathlib import Path
from typing import Any

import click
import pytest

from sipua.cli.audio import AudioOptions
from sipua.cli.exits import ExitCode
from sipua.cli.recordings import Recorded
from sipua.errors import MediaFileError
from sipua.media.sources import AudioFile, Tone
from sipua.media.timeline import Timeline

SPEECH = Path(__file__).parents[2] / "examples" / "audio" / "speech.wav"


def options(**given: Any) -> AudioOptions:
    nothing = dict.fromkeys(("play", "tone", "record", "duration")) | dict.fromkeys(
        ("loop", "echo", "silence", "loopback"), False
    )
    return AudioOptions(**{**nothing, "codec": (), **given})


def test_sources() -> None:
    assert options().source() is None
    assert options(echo=True).source() is None
    tone = options(tone=440.0).source()
    assert isinstance(tone, Tone)
    assert tone.frequencies == (440.0,)
    file = options(play=SPEECH, loop=True).source()
    assert isinstance(file, AudioFile)
    assert file.loop


@pytest.mark.parametrize(
    "given",
    [
        {"play": SPEECH, "tone": 440.0},
        {"echo": True, "silence": True},
        {"tone": 440.0, "echo": True},
        {"loop": True},
        {"loop": True, "tone": 440.0},
    ],
)
def test_what_does_not_go_together(given: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        options(**given).check()


@pytest.mark.parametrize("given", [{"play": Path(__file__)}, {"record": Path("/nowhere/x.wav")}])
def test_files_that_cannot_be_used(given: dict[str, Any]) -> None:
    with pytest.raises(MediaFileError):
        options(**given).check()


def test_what_comes_to_an_end() -> None:
    assert options(play=SPEECH).plays_to_an_end
    assert options(say="hello").plays_to_an_end
    assert not options(play=SPEECH, loop=True).plays_to_an_end
    assert not options(tone=440.0).plays_to_an_end


def test_each_call_has_a_recording_of_its_own(tmp_path: Path) -> None:
    given = options(record=tmp_path / "a.b.wav")
    assert [given.recording(number).path for number in (1, 2, 3)] == [
        tmp_path / "a.b.wav",
        tmp_path / "a.b-2.wav",
        tmp_path / "a.b-3.wav",
    ]
    assert options().recording().recording is None


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_the_file_that_is_played_is_not_recorded_to(link: str | None, tmp_path: Path) -> None:
    played = recorded = tmp_path / "a.wav"
    shutil.copy(SPEECH, played)
    if link is not None:
        recorded = tmp_path / "b.wav"
        getattr(recorded, link)(played)
    with pytest.raises(MediaFileError, match="is the file that is played; record to another one"):
        options(play=played, record=recorded).check()
    options(play=played, record=tmp_path / "c.wav").check()
    assert played.read_bytes() == SPEECH.read_bytes()


def test_nor_by_a_later_call(tmp_path: Path) -> None:
    played = tmp_path / "a-2.wav"
    shutil.copy(SPEECH, played)
    given = options(play=played, record=tmp_path / "a.wav")
    given.check()
    with pytest.raises(MediaFileError, match="is the file that is played"):
        given.recording(2)


@pytest.mark.realtime
async def test_errors_of_a_recording_are_noted(tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    file.symlink_to("/dev/full")
    made = options(record=file).recording()
    assert made.code == ExitCode.OK
    assert made.recording is not None
    with pytest.raises(MediaFileError, match="no space left on device; nothing was recorded") as caught:
        start(made)
    assert made.error is caught.value
    assert made.code == ExitCode.FAILED
    await made.finished()


@pytest.mark.realtime
@pytest.mark.parametrize("sudden", [True, False])
async def test_recording_is_made_when_something_was_written(sudden: bool, tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    file.write_bytes(b"of yesterday")
    made = options(record=file).recording()
    assert not made.made
    start(made)
    assert made.recording is not None
    for _ in range(60):
        made.recording.tick(bytes(320), 8000, bytes(320), 8000)
    if sudden:
        made.finish()
    else:
        await made.finished()
    with wave.open(str(file)) as written:
        assert written.getnframes() == 60 * 160
    made.finish()
    await made.finished()
    assert made.made
    assert made.seconds == pytest.approx(1.2)
    none = options().recording()
    none.finish()
    await none.finished()
    assert not none.made


def start(made: Recorded) -> None:
    assert made.recording is not None
    made.recording.start(Timeline(asyncio.get_running_loop().time), lambda error: None)


def test_files_that_are_written_are_different_ones(tmp_path: Path) -> None:
    one = tmp_path / "x.wav"
    with pytest.raises(click.UsageError, match=r"--record and --capture: both are .*x\.wav; give two files"):
        options(record=one, capture=one).check()
    with pytest.raises(click.UsageError, match="--record and --record-stereo: both are"):
        options(record=one, record_stereo=one).check()
    options(record=one, record_stereo=tmp_path / "y.wav", capture=tmp_path / "z.pcap").check()


async def test_each_call_has_a_capture_of_its_own(tmp_path: Path) -> None:
    given = options(capture=tmp_path / "x.pcap")
    first, second, none = given.captured(), given.captured(2), options().captured()
    assert (first.path, second.path, none.path) == (tmp_path / "x.pcap", tmp_path / "x-2.pcap", None)
    assert given.media_options(given.recording(), second)["capture"] == second.path
    assert not first.made
    (tmp_path / "x.pcap").write_bytes(b"a packet")
    assert first.made
    assert not given.captured().made  # it is of the run before
    error = MediaFileError(tmp_path / "x.pcap", "capture stopped")
    for captured in (first, second, none):
        captured.note(error)
    assert (first.error, second.error, none.error) == (error, None, None)
    with pytest.raises(MediaFileError, match="does not exist"):
        options(capture=tmp_path / "none" / "x.pcap").check()


def test_media_options(tmp_path: Path) -> None:
    given = options(record=tmp_path / "x.wav", echo=True, codec=("PCMU",), loopback=True)
    recording = given.recording()
    assert given.media_options(recording, given.captured()) == {
        "echo": True,
        "record": recording.recording,
        "codecs": ("PCMU",),
        "ice_host_addresses": ("127.0.0.1",),
    }
    assert options().media_options(options().recording(), options().captured()) == {"echo": False}
