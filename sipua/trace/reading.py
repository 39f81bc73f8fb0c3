"""Reading trace files, also those that are still being written or were cut off by a crash."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sipua.trace.records import FORMAT, VERSION, Record, TracedEvent, TracedMessage, TracedStats, decode

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["TraceError", "TraceFile", "read_trace"]


class TraceError(ValueError):
    """A file that is no trace, or one that cannot be read. The text names file, line, trouble and remedy."""


@dataclass(frozen=True, slots=True)
class TraceFile:
    """What is in a trace, in the order in which it happened."""

    records: list[Record]
    software: str = ""
    """What has written it."""
    cut: str | None = None
    """Why the end is missing, in words; None: nothing is missing."""
    skipped: int = field(default=0)
    """Lines of a kind that is not known here."""

    @property
    def messages(self) -> list[TracedMessage]:
        """The SIP messages."""
        return [record for record in self.records if isinstance(record, TracedMessage)]

    @property
    def events(self) -> list[TracedEvent]:
        """What user agents and calls told."""
        return [record for record in self.records if isinstance(record, TracedEvent)]

    @property
    def stats(self) -> list[TracedStats]:
        """The samples of media statistics."""
        return [record for record in self.records if isinstance(record, TracedStats)]


def read_trace(path: str | os.PathLike[str]) -> TraceFile:
    """Read a whole trace. Of a file whose last line is not complete, the rest is given, and `cut` says so.

    :raises OSError: the file cannot be read.
    :raises TraceError: it is no trace, was written by a newer version, or a line in its midst is broken.
    """
    from pathlib import Path

    file = Path(path)
    lines = file.read_bytes().split(b"\n")
    software = _check_header(file, lines[0])
    unfinished = lines.pop() != b""
    if unfinished and len(lines) <= 1:
        return TraceFile([], software, "its last line is not complete")
    end = len(lines) + unfinished
    records: list[Record] = []
    skipped = 0
    for number, record in _records(file, lines, end):
        if record is None:
            skipped += 1
        elif isinstance(record, str):
            return TraceFile(_ordered(records), software, f"line {number} is not complete", skipped)
        else:
            records.append(record)
    cut = f"line {end} is not complete" if unfinished else None
    return TraceFile(_ordered(records), software, cut, skipped)


def _check_header(path: Path, line: bytes) -> str:
    """The software that the first line names."""
    first = _object(line)
    if not line and not path.stat().st_size:
        raise TraceError(f"{path}: is empty: nothing was written to it; --trace FILE makes a trace")
    if first is None or first.get("format") != FORMAT:
        raise TraceError(f"{path}: not a trace of sipua; --trace FILE makes one")
    version = first.get("version")
    if not isinstance(version, int) or version < 1:
        raise TraceError(f"{path}:1: not a trace of sipua: its version is {version!r}")
    software = str(first.get("software", ""))
    if version > VERSION:
        who = f" (it was written by {software})" if software else ""
        raise TraceError(
            f"{path}: a trace of version {version}{who}, and this sipua reads up to {VERSION}: use a newer sipua"
        )
    return software


def _records(path: Path, lines: list[bytes], end: int) -> Iterator[tuple[int, Record | str | None]]:
    """Number and record of each line after the first; a text for the last one if it is broken."""
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        found = _object(line)
        try:
            yield number, decode(found) if found is not None else _broken()
        except ValueError as error:
            if number == end or not any(rest.strip(b"\0 \r") for rest in lines[number:]):
                yield number, str(error)
                return
            raise TraceError(
                f"{path}:{number}: not a line of a trace: {error}; take it out to see the rest"
            ) from None


def _broken() -> Record:
    raise ValueError("it is no JSON object")


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _ordered(records: list[Record]) -> list[Record]:
    # Of the same time: as written.
    return sorted(records, key=lambda record: record.time)
