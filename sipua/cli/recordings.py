"""The recordings of a call: of the peer, and of both sides."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from sipua.cli.exits import ExitCode
from sipua.errors import MediaError
from sipua.media.interface import AudioSink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sipua.media.recording import Recording as BothSides
    from sipua.session import RTCSession


class Recorded(Protocol):
    """A recording that is over."""

    path: Path | None
    error: Exception | None

    @property
    def made(self) -> bool:
        """Whether something was recorded."""

    @property
    def seconds(self) -> float | None:
        """How long it is, where that is known."""


def numbered(path: Path, number: int) -> Path:
    """Where to record the call of this number: each has a file of its own."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


class _File:
    """A file that is there before, after, or not at all."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.error: Exception | None = None
        """Why it could not be made, or could not go on."""
        self._before = self._stamp()

    @property
    def made(self) -> bool:
        """Whether something was recorded: a file of before is left alone until then."""
        return self._stamp() not in (None, self._before)

    @property
    def code(self) -> ExitCode:
        """What a command says of it."""
        return ExitCode.OK if self.error is None else ExitCode.FAILED

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat() if self.path is not None else None
        except OSError:
            return None
        return None if status is None else (status.st_mtime_ns, status.st_ino)


class Recording(_File):
    """The recording of the peer in one call; `sink` and `path` are None when there is to be none."""

    def __init__(self, sink: AudioSink | None, path: Path | None) -> None:
        super().__init__(path)
        self._file = sink
        self.sink = _Tap(sink, self) if sink is not None else None

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


class StereoRecording(_File):
    """The recording of both sides of one call: the peer left, this side right; without `path` there is none."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self._recording: BothSides | None = None

    def begin(self, call: RTCSession) -> None:
        """From now on; as a rule the answer.

        :raises MediaFileError: the file cannot be made.
        """
        if self.path is not None:
            from sipua.media.recording import Recording

            self._recording = call.audio.record(Recording(self.path, "stereo"))

    @property
    def seconds(self) -> float | None:
        """How long it is."""
        return self._recording.seconds if self._recording is not None else None

    def finish(self) -> None:
        """End it; a thread writes what is left."""
        if self._recording is not None:
            self._recording.stop()

    async def finished(self) -> None:
        """End it, and wait until the file is complete. What went wrong is in `error`; the call has told it."""
        if self._recording is not None:
            self._recording.stop()
            try:
                await self._recording.wait_closed()
            except MediaError as error:
                self.error = error
