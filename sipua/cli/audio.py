"""The options that say what a call is made of: what the peer hears, and what is recorded."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sipua.cli.exits import ExitCode
from sipua.cli.options import FILE, Codec, duration_option, gather
from sipua.media.interface import AudioSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sipua.media.interface import AudioSource

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True, kw_only=True)
class AudioOptions:
    """What the peer hears, and what becomes of what it says."""

    play: Path | None
    loop: bool
    tone: float | None
    echo: bool
    silence: bool
    record: Path | None
    codec: tuple[str, ...]
    loopback: bool
    duration: float | None

    def check(self) -> None:
        """Refuse what cannot work, before anybody is called.

        :raises click.UsageError: options that exclude each other.
        :raises MediaFileError: a file that cannot be played or written.
        """
        given = [f"--{name}" for name in ("play", "tone", "echo", "silence") if getattr(self, name)]
        if len(given) > 1:
            raise click.UsageError(f"{' and '.join(given)}: only one of them can be heard")
        if self.loop and self.play is None:
            raise click.UsageError("--loop: there is nothing to repeat; give a file with --play")
        source = self.source()
        if source is not None:
            source.check()
        self.recording()

    def source(self) -> AudioSource | None:
        """What the peer hears, from its beginning; None: silence or its own echo."""
        from sipua.media.sources import AudioFile, Tone

        if self.play is not None:
            return AudioFile(self.play, loop=self.loop)
        return Tone(self.tone) if self.tone is not None else None

    def recording(self, number: int = 1) -> Recording:
        """Where to record the call of this number: with several, each has a file of its own.

        :raises MediaFileError: a file that cannot be written, or is the one that is played.
        """
        from sipua.media.sinks import as_sink, check_apart, check_writable

        path = self.record
        if path is not None and number > 1:
            path = path.with_name(f"{path.stem}-{number}{path.suffix}")
        sink = as_sink(path)
        if path is not None:
            check_writable(path.expanduser())
            check_apart(self.source(), sink)
        return Recording(sink, path.expanduser() if path is not None else None)

    @property
    def ends_by_itself(self) -> bool:
        """Whether there is a file whose end is the end of the call."""
        return self.play is not None and not self.loop and self.duration is None

    def media_options(self, recording: Recording) -> dict[str, Any]:
        """For `UA.call` and `RTCSession.answer`."""
        options: dict[str, Any] = {"echo": self.echo}
        if recording.sink is not None:
            options["record"] = recording.sink
        if self.codec:
            options["codecs"] = self.codec
        if self.loopback:
            options["ice_host_addresses"] = ("127.0.0.1",)
        return options


class Recording:
    """The recording of one call; `sink` and `path` are None when there is to be none."""

    def __init__(self, sink: AudioSink | None, path: Path | None) -> None:
        self.path = path
        self.error: Exception | None = None
        """Why it could not be made, or could not go on."""
        self._file = sink
        self.sink = _Tap(sink, self) if sink is not None else None
        self._before = self._stamp()

    @property
    def made(self) -> bool:
        """Whether something was recorded: a file of before is left alone until then."""
        return self._stamp() not in (None, self._before)

    @property
    def code(self) -> ExitCode:
        """What a command says of it."""
        return ExitCode.OK if self.error is None else ExitCode.FAILED

    @property
    def seconds(self) -> float | None:
        """How long it is, where that is known."""
        seconds: float | None = getattr(self._file, "seconds", None)
        return seconds

    def finish(self) -> None:
        """Write what is still in memory. For a sudden end; as a rule, the call does that."""
        if self.sink is not None:
            self.sink.close()

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Keep the first error of what is done inside."""
        try:
            yield
        except Exception as error:
            self.error = self.error or error
            raise

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat() if self.path is not None else None
        except OSError:
            return None
        return None if status is None else (status.st_mtime_ns, status.st_ino)


class _Tap(AudioSink):
    """A sink whose errors are kept in `recording` as well as raised."""

    def __init__(self, sink: AudioSink, recording: Recording) -> None:
        self.path = recording.path
        self._sink = sink
        self._recording = recording

    def check(self) -> None:
        check = getattr(self._sink, "check", None)
        if check is not None:
            check()

    def open(self) -> None:
        with self._recording.noting():
            self._sink.open()

    def write(self, pcm: bytes, rate: int) -> None:
        with self._recording.noting():
            self._sink.write(pcm, rate)

    def close(self) -> None:
        with self._recording.noting():
            self._sink.close()


_AUDIO = (
    click.option("--play", type=FILE, metavar="FILE", help="Play FILE to the peer, then hang up."),
    click.option("--loop", is_flag=True, help="Play it over and over."),
    click.option(
        "--tone",
        type=click.FloatRange(1, 20000),
        metavar="HZ",
        help="Let the peer hear a tone.",
    ),
    click.option("--echo", is_flag=True, help="Let the peer hear itself."),
    click.option("--silence", is_flag=True, help="Let the peer hear nothing (the default)."),
    click.option("--record", type=FILE, metavar="FILE", help="Record the peer to FILE, .wav or .ogg."),
    click.option(
        "--codec", type=Codec(), multiple=True, help="Offer this codec; several in order of preference."
    ),
    click.option("--loopback", is_flag=True, help="Media on 127.0.0.1 only."),
    duration_option("Hang up so long after the answer; with --play also when the file is longer or shorter."),
)


def audio_options(function: F) -> F:
    """Add what a call can be made of; the function gets it as `audio`."""
    return gather(function, AudioOptions, "audio", _AUDIO)
