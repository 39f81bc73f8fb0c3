"""The files that a call leaves: recordings of the peer and of both sides, and a capture of its packets."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode
from sipua.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

    from sipua import Recording
    from sipua.session import RTCSession


def numbered(path: Path, number: int) -> Path:
    """The file of the call of this number: each has a file of its own."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


class Recorded:
    """A recording of one call that threads write, or (None) none; and what was in its place before."""

    def __init__(self, recording: Recording | None) -> None:
        self.recording = recording
        self.path = recording.path if recording is not None else None
        self._before = _stamp(self.path)

    @property
    def made(self) -> bool:
        """Whether something was recorded: a file of before is left alone until then."""
        return _stamp(self.path) not in (None, self._before)

    @property
    def error(self) -> MediaError | None:
        """Why it could not be made, or could not go on."""
        return self.recording.error if self.recording is not None else None

    @property
    def code(self) -> ExitCode:
        """What a command says of it."""
        return ExitCode.OK if self.error is None else ExitCode.FAILED

    @property
    def seconds(self) -> float | None:
        """How long it is."""
        return self.recording.seconds if self.recording is not None else None

    def begin(self, call: RTCSession) -> None:
        """From now on, for one that is not among the options of the call.

        :raises MediaFileError: the file cannot be made.
        """
        if self.recording is not None:
            call.audio.record(self.recording)

    def finish(self) -> None:
        """Write what is still in memory. For a sudden end; as a rule, the call does that."""
        if self.recording is not None:
            self.recording.finish()

    async def finished(self) -> None:
        """End it, and wait until the file is complete. What went wrong is in `error`; the call has told it."""
        if self.recording is not None:
            self.recording.stop()
            with contextlib.suppress(MediaError):
                await self.recording.wait_closed()


class Captured:
    """A capture of one call's packets, or (None) none. Why it broke off, the call tells."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.error: MediaError | None = None
        """Why it could not be made, or could not go on."""
        self._before = _stamp(path)

    @property
    def made(self) -> bool:
        """Whether there was a packet: a file of before is left alone until then."""
        return _stamp(self.path) not in (None, self._before)

    def note(self, error: MediaError) -> None:
        """Something went wrong in the call: was it this?"""
        if self.path is not None and getattr(error, "path", None) == self.path:
            self.error = error

    async def finished(self, call: RTCSession) -> None:
        """Of a call that is over, wait until its last packet is there."""
        if self.made and call.media is not None:
            await call.media.close()


def _stamp(path: Path | None) -> tuple[int, int] | None:
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_ino)
