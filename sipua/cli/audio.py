"""The options that say what a call is made of: what the peer hears, and what is recorded."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sipua.cli.exits import ExitCode, Failure
from sipua.cli.options import FILE, Codec, duration_option, gather
from sipua.cli.recordings import Captured, Recorded, numbered
from sipua.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sipua.cli.output import Output
    from sipua.media.devices import Speaker
    from sipua.media.interface import AudioSource
    from sipua.media.recording import RecordingMode

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True, kw_only=True)
class AudioOptions:
    """What the peer hears, and what becomes of what it says."""

    play: Path | None = None
    loop: bool = False
    say: str | None = None
    tone: float | None = None
    mic: str | None = None
    echo: bool = False
    silence: bool = False
    speaker: str | None = None
    record: Path | None = None
    record_stereo: Path | None = None
    capture: Path | None = None
    codec: tuple[str, ...] = ()
    loopback: bool = False
    duration: float | None = None

    @property
    def given(self) -> list[str]:
        """The options of a call's sound that were given."""
        elsewhere = ("codec", "loopback")  # of the description, which a refusal has not
        return [
            f"--{field.name.replace('_', '-')}"
            for field in fields(self)
            if field.name not in elsewhere and getattr(self, field.name) not in (None, False)
        ]

    def check(self) -> None:
        """Refuse what cannot work, before anybody is called.

        :raises click.UsageError: options that exclude each other.
        :raises MediaFileError: a file that cannot be played or written.
        """
        given = [f"--{name}" for name in _HEARD if getattr(self, name) not in (None, False)]
        if len(given) > 1:
            raise click.UsageError(f"{' and '.join(given)}: only one of them can be heard")
        if self.loop and self.play is None:
            raise click.UsageError("--loop: there is nothing to repeat; give a file with --play")
        if self.say is not None:
            self._check_voice(self.say)
        source, speaker = self.source(), self.sink()
        if source is not None:
            source.check()
        if speaker is not None:
            speaker.check()
        self.recording()
        self.captured()
        self.stereo_recording()
        self.check_files()

    def check_files(self) -> None:
        """Whether each of the files that the command writes is another one; none is touched.

        :raises click.UsageError: two are the same.
        """
        written: dict[Path, str] = {}
        context = click.get_current_context(silent=True)
        for name in (*_WRITTEN, *_WRITTEN_ELSEWHERE):
            path: Path | None = getattr(self, name, None) or (context.params.get(name) if context else None)
            option = f"--{name.replace('_', '-')}"
            if path is not None and (other := written.setdefault(path.expanduser(), option)) != option:
                raise click.UsageError(f"{other} and {option}: both are {path.expanduser()}; give two files")

    @staticmethod
    def _check_voice(text: str) -> None:
        from sipua.script.speech import check_synthesiser, has_words

        if not has_words(text):
            raise click.UsageError(f"--say {text!r}: there is no word in it that can be said")
        try:
            check_synthesiser()
        except MediaError as error:
            raise Failure(f"--say: {error}", ExitCode.USAGE) from None

    def source(self) -> AudioSource | None:
        """What the peer hears, from its beginning; None: silence, its own echo, or what has to be said."""
        from sipua.media.sources import AudioFile, Tone

        if self.play is not None:
            return AudioFile(self.play, loop=self.loop)
        if self.mic is not None:
            from sipua.media.devices import Microphone

            return Microphone(_device(self.mic))
        return Tone(self.tone) if self.tone is not None else None

    async def prepare(self, output: Output) -> None:
        """Check, and let be made what takes a while, before anybody is called.

        :raises MediaError: the voice does not work; and what `check` raises.
        """
        self.check()
        if self.say is not None:
            output.live(("making speech of the text …",))
            await self.opened_source()  # a voice says the same text a second time at once
            output.live(())

    async def opened_source(self) -> AudioSource | None:
        """The same, with what has to be said.

        :raises MediaError: the voice does not work.
        """
        if self.say is None:
            return self.source()
        from sipua.script.speech import synthesise

        return await synthesise(self.say)

    def sink(self) -> Speaker | None:
        """Where we hear the peer; None: nowhere."""
        if self.speaker is None:
            return None
        from sipua.media.devices import Speaker

        return Speaker(_device(self.speaker))

    def recording(self, number: int = 1) -> Recorded:
        """Where to record the peer in the call of this number: with several, each has a file of its own.

        :raises MediaFileError: a file that cannot be written, or is the one that is played.
        """
        return self._recorded(self.record, "remote", number)

    def stereo_recording(self, number: int = 1) -> Recorded:
        """The same for both sides of the call, the peer left."""
        return self._recorded(self.record_stereo, "stereo", number)

    def captured(self, number: int = 1) -> Captured:
        """Where to put the packets of the call of this number.

        :raises MediaFileError: a file that cannot be written.
        """
        if self.capture is None:
            return Captured(None)
        from sipua.media.capture import PacketCapture

        path = numbered(self.capture.expanduser(), number)
        PacketCapture(path).check()
        return Captured(path)

    def _recorded(self, path: Path | None, mode: RecordingMode, number: int) -> Recorded:
        if path is None:
            return Recorded(None)
        from sipua.media.recording import Recording
        from sipua.media.sinks import check_apart

        recording = Recording(numbered(path, number), mode)
        recording.check()
        check_apart(self.source(), recording)
        return Recorded(recording)

    @property
    def plays_to_an_end(self) -> bool:
        """Whether there is something to be heard that comes to an end."""
        return (self.play is not None and not self.loop) or self.say is not None

    def media_options(self, recording: Recorded, captured: Captured) -> dict[str, Any]:
        """For `UA.call` and `RTCSession.answer`."""
        options: dict[str, Any] = {"echo": self.echo, **self.path_options()}
        if captured.path is not None:
            options["capture"] = captured.path
        if recording.recording is not None:
            options["record"] = recording.recording
        return options

    def path_options(self) -> dict[str, Any]:
        """The same, without what is heard."""
        options: dict[str, Any] = {}
        if self.codec:
            options["codecs"] = self.codec
        if self.loopback:
            options["ice_host_addresses"] = ("127.0.0.1",)
        return options


_WRITTEN = ("record", "record_stereo", "capture")
#: By other options of the same command.
_WRITTEN_ELSEWHERE = ("trace", "junit")
_HEARD = ("play", "say", "tone", "mic", "echo", "silence")


def _device(name: str) -> int | str | None:
    return None if name == "default" else int(name) if name.isdecimal() else name


_AUDIO = (
    click.option("--play", type=FILE, metavar="FILE", help="Play FILE to the peer, then hang up."),
    click.option("--loop", is_flag=True, help="Play it over and over."),
    click.option(
        "--tone",
        type=click.FloatRange(1, 20000),
        metavar="HZ",
        help="Let the peer hear a tone.",
    ),
    click.option("--say", metavar="TEXT", help="Say TEXT, where espeak-ng is installed, then hang up."),
    click.option(
        "--mic", metavar="DEVICE", help="Let the peer hear a microphone: default, or one of sipua devices."
    ),
    click.option("--speaker", metavar="DEVICE", help="Hear the peer: default, or one of sipua devices."),
    click.option("--echo", is_flag=True, help="Let the peer hear itself."),
    click.option("--silence", is_flag=True, help="Let the peer hear nothing (the default)."),
    click.option("--record", type=FILE, metavar="FILE", help="Record the peer to FILE, .wav, .ogg or .mp3."),
    click.option(
        "--record-stereo",
        type=FILE,
        metavar="FILE",
        help="Record both sides from the answer on: the peer left, us right.",
    ),
    click.option(
        "--capture",
        type=FILE,
        metavar="FILE",
        help="Write RTP and RTCP, decrypted, to FILE as pcap (see sipua trace --rtp).",
    ),
    click.option(
        "--codec", type=Codec(), multiple=True, help="Offer this codec; several in order of preference."
    ),
    click.option("--loopback", is_flag=True, help="Media on 127.0.0.1 only."),
    duration_option("Hang up so long after the answer, and not before that."),
)


def audio_options(function: F) -> F:
    """Add what a call can be made of; the function gets it as `audio`."""
    return gather(function, AudioOptions, "audio", _AUDIO)
