"""Recordings of one side of a call or of both, written by a thread: a slow disk holds up no call."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from sipua.errors import ConfigurationError, InvalidStateError, MediaError, MediaFileError
from sipua.media.sinks import check_writable, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sipua.media.mixdown import Mixdown
    from sipua.media.timeline import Timeline

__all__ = ["Recording", "RecordingMode", "all_closed", "as_recording"]

RecordingMode: TypeAlias = Literal["remote", "local", "mixed", "stereo"]

Tick: TypeAlias = tuple[bytes, int, bytes, int]
"""What was heard and what was said, each with its rate."""

_KINDS = {".wav": "wav", ".ogg": "ogg", ".opus": "ogg", ".mp3": "mp3"}
# Ticks that are written together: half a second.
_BATCH = 25
# Ticks that wait for a disk that does not take them: a minute.
_LIMIT = 3000
# Seconds that the end of a call waits for a disk.
_DISK_TIMEOUT = 5.0


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
        self._waiting: list[Tick] = []
        self._job: Future[None] | None = None
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
        if self._file is None:
            self._closed.set()
            return
        self._on_end(self)
        if self._job is None:
            self._submit()

    async def wait_closed(self) -> None:
        """Wait until the file is complete. Raises what went wrong, a MediaFileError."""
        await self._closed.wait()
        if self._error is not None:
            raise self._error

    def finish(self, timeout: float = 1.0) -> None:
        """End it, and block until the file is complete, `timeout` seconds at most. For a sudden end of the process."""
        self.stop()
        job = self._job
        if job is None or self._file is None:
            return
        deadline = time.monotonic() + timeout
        with contextlib.suppress(Exception):  # it is told, if anybody still listens
            job.result(timeout)
            if not self._file.closed:
                batch, self._waiting = self._waiting, []
                last = _threads().submit(self._file.write, batch, last=True)
                last.result(max(0.0, deadline - time.monotonic()))

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
        self._loop = asyncio.get_running_loop()
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
        # One object for all of a long one: the process may have been stopped for hours.
        for _ in range(int(seconds)):
            self._add(second, 50)
        rest = seconds % 1.0
        heard, said = bytes(2 * int(rest * heard_rate)), bytes(2 * int(rest * said_rate))
        self._add((heard, heard_rate, said, said_rate), rest / 0.02)

    def _add(self, tick: Tick, ticks: float) -> None:
        self._waiting.append(tick)
        self._ticks += ticks
        if len(self._waiting) < _BATCH or self._ending:
            return
        if self._job is None:
            self._submit()
        elif len(self._waiting) > _LIMIT:
            self._waiting.clear()
            self._fail(OSError("the disk has not taken anything for a minute"))

    # --- the disk's end -----------------------------------------------------------------------------------

    def _submit(self) -> None:
        assert self._file is not None
        batch, self._waiting = self._waiting, []
        self._job = job = _threads().submit(self._file.write, batch, last=self._ending)
        job.add_done_callback(self._done_in_thread)

    def _done_in_thread(self, job: Future[None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and nobody waits any more
            self._loop.call_soon_threadsafe(self._done, job)

    def _done(self, job: Future[None]) -> None:
        self._job = None
        error = job.exception()
        assert self._file is not None
        if self._file.closed or error is not None:
            if error is not None:
                self._fail(error)
            self._closed.set()
        elif self._ending or len(self._waiting) >= _BATCH:
            self._submit()

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
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


async def all_closed(recordings: Iterable[Recording]) -> None:
    """Wait until all files are complete, unless a disk does not take them. What went wrong has been told."""
    waiting = [asyncio.ensure_future(recording.wait_closed()) for recording in recordings]
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=_DISK_TIMEOUT)
        for task in late:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@cache
def _threads() -> ThreadPoolExecutor:
    # As many as disks may hang at once before the others wait. They are made as they are needed.
    return ThreadPoolExecutor(4, thread_name_prefix="sipua recording")
