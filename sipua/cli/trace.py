"""Every SIP message of a user agent, without its credentials: in memory, and in a file of JSON lines.

Each line of the file is one object: ``time`` (seconds since 1970), ``direction`` (``"in"`` or ``"out"``),
``server`` (its URL) and ``message`` (the whole text).
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TextIO

from sipua.sip.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """One SIP message that came in or went out at `time` (seconds since 1970)."""

    time: float
    direction: Direction
    server: str
    message: str


class Trace:
    """Collects messages: give its `add` to `UA.trace`. Use as a context manager when it writes to a file.

    :param path: where to write them; an existing file is replaced.
    :param limit: how many are kept in memory, the first ones.
    :param on_error: told once when the file cannot be written any more; the trace in memory goes on.
    :raises OSError: the file cannot be made.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        limit: int = 10_000,
        on_error: Callable[[OSError], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.messages: list[TracedMessage] = []
        self.server = ""
        """The URL of the server that is talked to; set it when connected."""
        self._limit = limit
        self._on_error = on_error
        self._clock = clock
        self._file: TextIO | None = path.open("w", encoding="utf-8") if path is not None else None

    def add(self, direction: str, data: str | bytes) -> None:
        """Take a message. Keep-alives are left out."""
        text = data if isinstance(data, str) else data.decode(errors="replace")
        if not text.strip():
            return
        way: Direction = "in" if direction == "in" else "out"
        message = TracedMessage(self._clock(), way, self.server, redact(text))
        if len(self.messages) < self._limit:
            self.messages.append(message)
        if self._file is not None:
            self._write(self._file, message)

    def _write(self, file: TextIO, message: TracedMessage) -> None:
        try:
            file.write(json.dumps(asdict(message), ensure_ascii=False) + "\n")
            file.flush()  # so that a crash loses nothing, and others can follow the file
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.close()
        if self._on_error is not None:
            self._on_error(error)

    def close(self) -> None:
        """Close the file."""
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


def read_trace(path: Path) -> Iterator[TracedMessage]:
    """The messages of a trace file.

    :raises OSError: the file cannot be read.
    :raises ValueError: a line that is none of a trace; it is named by its number.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield TracedMessage(**json.loads(line))
            except (ValueError, TypeError):
                raise ValueError(f"{path}:{number}: not a line of a trace") from None
