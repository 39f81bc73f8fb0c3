"""Writing traces of user agents with all their calls."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sipua._version import __version__
from sipua.sip.redaction import redact
from sipua.trace.files import create
from sipua.trace.following import follow_user_agent
from sipua.trace.records import Record, TracedEvent, TracedMessage, TracedStats, encode, header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from sipua.media.interface import MediaStats
    from sipua.media.levels import LevelMeter
    from sipua.session import RTCSession
    from sipua.trace.records import Direction
    from sipua.ua import UA

__all__ = ["Trace"]


class Trace:
    """Collects what user agents send, receive and tell, without credentials, and writes it to a file.

    A context manager. The file is readable by its owner only: it has everybody's addresses, digits and messages in it.

    :param path: where to write to; an existing file is replaced. None: in memory only.
    :param limit: how many records are kept in memory, the first ones.
    :param stats_interval: seconds between two samples of a call's media statistics; None: none are taken.
    :param on_error: told once when the file cannot be written any more; the trace in memory goes on.
    :raises OSError: the file cannot be made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        limit: int = 10_000,
        stats_interval: float | None = 1.0,
        on_error: Callable[[OSError], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.records: list[Record] = []
        self.peer = ""
        """Whom messages come from and go to when `add` is not told: the URL of the server."""
        self.error: OSError | None = None
        """Why the file could not be written any more; None: it is complete."""
        self._limit = limit
        self._interval = stats_interval
        self._on_error = on_error
        self._clock = clock
        self._sampling: dict[RTCSession, tuple[asyncio.TimerHandle, MediaStats | None]] = {}
        self._meters: dict[RTCSession, LevelMeter] = {}
        self._file: TextIO | None = None
        self._begun = False  # with the first line, it is a trace
        if path is not None:
            self._path = Path(path)
            self._file = _create(self._path)
            self._write(header(clock(), f"sipua {__version__}"))

    @property
    def messages(self) -> list[TracedMessage]:
        """The SIP messages that are in memory."""
        return [record for record in self.records if isinstance(record, TracedMessage)]

    def follow(self, ua: UA) -> None:
        """Trace this user agent from now on: its messages, its events, its calls and their media.

        Takes the place of what `UA.trace` was given before. Several user agents may be followed.
        """
        follow_user_agent(self, ua)

    # --- what happens -------------------------------------------------------------------------------------

    def add(self, direction: str, data: str | bytes, *, peer: str | None = None, agent: str = "") -> None:
        """Take a SIP message, as `UA.trace` gives them. Keep-alives are left out."""
        text = data if isinstance(data, str) else data.decode(errors="replace")
        if not text.strip():
            return
        way: Direction = "in" if direction == "in" else "out"
        to = self.peer if peer is None else peer
        self._take(TracedMessage(self._clock(), way, to, redact(text), agent))

    def add_event(
        self, name: str, details: Mapping[str, Any], *, agent: str = "", call: str | None = None
    ) -> None:
        """Take an event; the details are plain values."""
        clean = {key: redact(value) if isinstance(value, str) else value for key, value in details.items()}
        self._take(TracedEvent(self._clock(), name, agent, call, clean))

    def sample(self, call: RTCSession, agent: str = "") -> None:
        """Begin to take the figures of this call's media, until it has ended."""
        if self._interval is None or call in self._sampling:
            return
        if call.media is not None:
            # What nobody hears is not decoded, and has no level: this one listens.
            self._meters[call] = call.audio.meter()
        self._wait(call, agent, None)

    def sample_last(self, call: RTCSession, agent: str = "") -> None:
        """Take the figures once more: the call has ended."""
        timer, before = self._sampling.pop(call, (None, None))
        if timer is not None:
            timer.cancel()
            self._take_stats(call, agent, before)
        if (meter := self._meters.pop(call, None)) is not None:
            meter.close()

    def _wait(self, call: RTCSession, agent: str, before: MediaStats | None) -> None:
        assert self._interval is not None
        loop = asyncio.get_running_loop()
        self._sampling[call] = loop.call_later(self._interval, self._sample, call, agent, before), before

    def _sample(self, call: RTCSession, agent: str, before: MediaStats | None) -> None:
        self._wait(call, agent, self._take_stats(call, agent, before))

    def _take_stats(self, call: RTCSession, agent: str, before: MediaStats | None) -> MediaStats | None:
        if call.media is None:
            return before
        stats = call.stats()
        audio = stats.audio
        if audio is None:
            return before
        quality = audio.quality_since(before.audio if before is not None else None)
        how = asdict(quality) if quality is not None else None
        self._take(TracedStats(self._clock(), call.request.call_id, stats.as_dict(), how, agent))
        return stats

    def _take(self, record: Record) -> None:
        if len(self.records) < self._limit:
            self.records.append(record)
        if self._file is not None:
            self._write(encode(record))

    # --- the file -----------------------------------------------------------------------------------------

    def _write(self, line: str) -> None:
        assert self._file is not None
        try:
            self._file.write(line + "\n")
            self._file.flush()  # so that a crash loses nothing, and others can follow the file
            self._begun = True
        except OSError as error:
            self.error = error
            self._close_file()
            if not self._begun and self._path.is_file():
                self._path.unlink()  # nobody could read it
            if self._on_error is not None:
                self._on_error(error)

    def close(self) -> None:
        """Close the file, and take no more samples. Idempotent."""
        for timer, _ in self._sampling.values():
            timer.cancel()
        self._sampling.clear()
        for meter in self._meters.values():
            meter.close()
        self._meters.clear()
        self._close_file()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                pass  # told when it was written

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


def write_trace(path: str | os.PathLike[str], records: Iterable[Record]) -> None:
    """Write a trace file of these records, such as those of one call.

    :raises OSError: it cannot be written.
    """
    with _create(Path(path)) as file:
        file.write(header(time.time(), f"sipua {__version__}") + "\n")
        file.writelines(encode(record) + "\n" for record in records)


def _create(path: Path) -> TextIO:
    return os.fdopen(create(path), "w", encoding="utf-8", errors="backslashreplace", newline="\n")
