"""Every SIP message of the phone as an event, without credentials; and in a trace file, if there is to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.sip.redaction import redact
from sipua.trace.recorder import Trace

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.cli.phone.bulletin import Bulletin

__all__ = ["PhoneTrace"]


class PhoneTrace(Trace):
    """Tells each message that it takes as a ``sip`` event, and keeps none in memory.

    :param path: where to write to; None: nowhere.
    :raises OSError: the file cannot be made.
    """

    def __init__(self, path: Path | None, bulletin: Bulletin) -> None:
        def broken(error: OSError) -> None:
            bulletin.notice(f"--trace {path}: {error.strerror or error}; the trace ends here")

        super().__init__(path, limit=0, stats_interval=None if path is None else 1.0, on_error=broken)
        self._bulletin = bulletin

    def add(self, direction: str, data: str | bytes, *, peer: str | None = None, agent: str = "") -> None:
        """Take a message."""
        super().add(direction, data, peer=peer, agent=agent)
        text = data if isinstance(data, str) else data.decode(errors="replace")
        if text.strip():
            way = "in" if direction == "in" else "out"
            self._bulletin.event("sip", direction=way, server=peer or self.peer, message=redact(text))
