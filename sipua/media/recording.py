"""Recordings of one side of a call or of both, written by a thread: a slow disk holds up no call."""

from __future__ import annotations

import asyncio
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from sipua.errors import ConfigurationError, InvalidStateError, MediaError, MediaFileError
from sipua.media.disk import DiskQueue
from sipua.media.sinks import check_writable, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.mixdown import Mixdown
    from sipua.media.timeline import Timeline

__all__ = ["Recording", "RecordingMode", "as_recording"]

RecordingMode: TypeAlias = Literal["remote", "local", "mixed", "stereo"]

Tick: TypeAlias = tuple[bytes, int, bytes, int]
"""What was heard and what was said, each with its rate."""

_KINDS = {".wav": "wav", ".ogg": "ogg", ".opus": "ogg", ".mp3": "mp3"}


class Recording:
    """A recording of a call, in `path`: wav, ogg (Opus) or mp3 by its ending. An existing file is replaced.

    `mode` is which side is recorded: ``remote``, what the peer says; ``local``, what it is sent; ``mixed``, both in
    one channel; ``stereo``, the peer left and this side right. `rate` is that of a wav file in Hz (None: that of the
    call when it begins); compressed files have 48 kHz. For ``record=`` and `AudioPort.record`; one object is one
    recording.

    Disk and encoder are left to threads that all recordings share; what they cannot do is told once by the call's
    ``media_failed``, and the call goes on. A crash loses the last second.
    """

    def __init__(
        self, path: str | PathLike[str], mode: RecordingMode = "remote", *, rate: int | None = None
    ) -> None:
        self.path = Path(path).expanduser()
        if mode not in get_args(RecordingMode):
            raise ConfigurationError("mode", mode, f"must be one of {', '.join(get_args(RecordingMode))}")
        if self.path.suffix.lower() not in _KINDS:
            raise MediaFileError(
                self.path, "recordings are wav, ogg or mp3; end its name in .wav, .ogg or .mp3"
            )
        if rate is not None and not 4000 <= rate <= 192000:
            raise ConfigurationError("rate", rate, "must be a sample rate in Hz, from 4000 to 192000")
        self.mode: RecordingMode = mode
        self._rate = rate
        self._file: Mixdown | None = None
        self._queue: DiskQueue[Tick] | None = None
        self._ticks = 0.0
        self._paused = self._was_paused = False
        self._ending = False
        self._error: MediaError | None = None
        self._closed = asyncio.Event()

    def __repr__(self) -> str:
        return f"Recording({str(self.path)!r}, {self.mode!r})"

    def check(self) -> None:
        """Raise MediaFileError now if the file could not be made."""
        check_writable(self.path)

    @property
    def seconds(self) -> float:
        """Recorded so far."""
        return self._ticks * 0.02

    @property
    def paused(self) -> bool:
        """Whether nothing is recorded for the time being."""
        return self._paused

    def pause(self) -> None:
        """Leave out what comes."""
        self._paused = True

    def resume(self) -> None:
        """Go on, right after what was recorded before."""
        self._paused = False

    @property
    def stopped(self) -> bool:
        """Whether nothing more comes: it was stopped, could not go on, or the call is over."""
        return self._ending

    @property
    def closed(self) -> bool:
        """Whether the file is complete, or given up."""
        return self._closed.is_set()

    @property
    def error(self) -> MediaError | None:
        """What ended it, if that was neither `stop` nor the end of the call; it has been told."""
        return self._error

    def stop(self) -> None:
        """End it. What is left is written meanwhile: see `wait_closed`. Idempotent."""
        if self._ending:
            return
        self._ending = True
        if self._queue is None:
            self._closed.set()
            return
        self._on_end(self)
        self._queue.end()

    async def wait_closed(self) -> None:
        """Wait until the file is complete. Raises what went wrong, a MediaFileError."""
        await self._closed.wait()
        if self._error is not None:
            raise self._error

    def finish(self, timeout: float = 1.0) -> None:
        """End it, and block until the file is complete, `timeout` seconds at most. For a sudden end of the process."""
        self.stop()
        if self._queue is not None:
            self._queue.finish(timeout)

    # --- the call's end -----------------------------------------------------------------------------------

    def start(
        self,
        timeline: Timeline,
        on_error: Callable[[MediaError], None],
        on_end: Callable[[Recording], None] = lambda recording: None,
    ) -> None:
        """Make the file; `on_end` is called when no more ticks are wanted.

        Raises MediaFileError, or InvalidStateError for one that was used before.
        """
        from sipua.media.mixdown import Mixdown

        if self._file is not None or self._ending:
            raise InvalidStateError("record", "stopped" if self._ending else "recording")
        self._timeline = timeline
        self._on_error, self._on_end = on_error, on_end
        try:
            self.check()
            self._file = Mixdown(self.path, _KINDS[self.path.suffix.lower()], self.mode, self._rate)
        except (OSError, MediaError) as error:
            self._ending = True
            self._error = error if isinstance(error, MediaError) else self._failed(error)
            self._closed.set()
            raise self._error from None
        self._queue = DiskQueue(self.path, self._file.write, self._fail, self._closed)

    def tick(self, heard: bytes, heard_rate: int, said: bytes, said_rate: int) -> None:
        """20 ms of both sides."""
        if self._ending:
            return
        if self._paused and self._was_paused:
            return
        if self._paused or self._was_paused:
            heard, said = self._faded(heard, heard_rate), self._faded(said, said_rate)
            if self._was_paused:
                self._timeline.restart()
            self._was_paused = self._paused
        hole = self._timeline.step(0.02)
        if hole:
            self._fill(hole, heard_rate, said_rate)
        self._add((heard, heard_rate, said, said_rate), 1)

    def _faded(self, pcm: bytes, rate: int) -> bytes:
        from sipua.media.fades import fade_in, fade_out

        return fade_out(pcm, rate) if self._paused else fade_in(pcm, rate)

    def _fill(self, seconds: float, heard_rate: int, said_rate: int) -> None:
        second = bytes(2 * heard_rate), heard_rate, bytes(2 * said_rate), said_rate
        # One object for all of a long one: the process may have been stopped for hours. No disk is blamed for that.
        for _ in range(int(seconds)):
            self._add(second, 50, weight=0)
        rest = seconds % 1.0
        heard, said = bytes(2 * int(rest * heard_rate)), bytes(2 * int(rest * said_rate))
        self._add((heard, heard_rate, said, said_rate), rest / 0.02)

    def _add(self, tick: Tick, ticks: float, weight: int = 1) -> None:
        assert self._queue is not None
        self._ticks += ticks
        self._queue.put(tick, weight)

    def _fail(self, error: BaseException) -> None:
        self._ending = True
        self._error = self._failed(error)
        self._on_end(self)
        self._on_error(self._error)

    def _failed(self, error: BaseException) -> MediaError:
        reason = reason_of(error) if isinstance(error, OSError) else str(error) or type(error).__name__
        seconds = self._file.seconds if self._file is not None else 0.0
        kept = f"the first {seconds:.1f} s are kept" if seconds else "nothing was recorded"
        return MediaFileError(self.path, f"recording stopped: {reason}; {kept}")


def as_recording(value: object) -> Recording:
    """The recording that `value` means: a path is one of what the peer says."""
    if isinstance(value, Recording):
        return value
    if isinstance(value, str | PathLike):
        return Recording(value)
    raise ConfigurationError("record", value, "give a path or a Recording")
