"""A trace of each call, in a file of its own."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sipua.trace.following import follow_user_agent
from sipua.trace.recorder import Trace

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from sipua.session import RTCSession
    from sipua.ua import UA

__all__ = ["CallTraces"]

logger = logging.getLogger("sipua.trace.files")

#: Seconds after the end of a call in which something may still be sent again (64·T1 of :rfc:`3261#section-17`).
AFTERWARDS = 32.0

_CALL_ID = re.compile(r"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
#: Of a Call-ID, in the name of a file.
_UNFIT = re.compile(r"[^A-Za-z0-9.-]")


class CallTraces:
    """Writes what belongs to each call of some user agents to a file in `folder`. A context manager.

    The files are called ``20260131-174502-CALLID.trace`` by the time (UTC) of the first INVITE. Registrations and other
    requests are in none of them. A file that cannot be made or written is logged, and the call goes on.

    :param folder: has to exist.
    :param stats_interval: seconds between two samples of the media statistics; None: none are taken.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        stats_interval: float | None = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.peer = ""
        self._folder = Path(folder)
        self._interval = stats_interval
        self._clock = clock
        self._traces: dict[str, Trace] = {}
        self._ending: dict[str, asyncio.TimerHandle] = {}

    def follow(self, ua: UA) -> None:
        """Trace the calls of this user agent from now on. Takes the place of what `UA.trace` was given before."""
        follow_user_agent(self, ua)

    # --- what happens -------------------------------------------------------------------------------------

    def add(self, direction: str, data: str | bytes, *, peer: str | None = None, agent: str = "") -> None:
        """Take a SIP message; those of no call are left out."""
        text = data if isinstance(data, str) else data.decode(errors="replace")
        found = _CALL_ID.search(text.partition("\r\n\r\n")[0])
        if found is None:
            return
        call_id = found[1]
        if call_id not in self._traces and text.startswith("INVITE "):
            self._traces[call_id] = self._open(call_id)
        if call_id in self._traces:
            self._traces[call_id].add(direction, text, peer=peer, agent=agent)

    def add_event(
        self, name: str, details: Mapping[str, Any], *, agent: str = "", call: str | None = None
    ) -> None:
        """Take an event of a call; others are left out."""
        if call is None:
            return
        if call not in self._traces:
            self._traces[call] = self._open(call)
        self._traces[call].add_event(name, details, agent=agent, call=call)

    def sample(self, call: RTCSession, agent: str = "") -> None:
        """Begin to take the figures of this call's media."""
        if (trace := self._traces.get(call.request.call_id)) is not None:
            trace.sample(call, agent)

    def sample_last(self, call: RTCSession, agent: str = "") -> None:
        """The call has ended: what is still said of it goes into its file for a while."""
        call_id = call.request.call_id
        if (trace := self._traces.get(call_id)) is None:
            return
        trace.sample_last(call, agent)
        if (before := self._ending.pop(call_id, None)) is not None:
            before.cancel()  # both ends of it are followed
        self._ending[call_id] = asyncio.get_running_loop().call_later(AFTERWARDS, self._close, call_id)

    def _open(self, call_id: str) -> Trace:
        when = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._clock()))
        name = f"{when}-{_UNFIT.sub('_', call_id)[:100]}.trace"
        # Nothing is kept in memory: there may be many calls.
        options: dict[str, Any] = {"limit": 0, "stats_interval": self._interval, "clock": self._clock}
        path = self._folder / name

        def broken(error: OSError) -> None:
            logger.warning("%s: %s; the trace ends here", path, error.strerror or error)

        try:
            return Trace(path, on_error=broken, **options)
        except OSError as error:
            logger.warning("%s: %s; this call has no trace", path, error.strerror or error)
            return Trace(None, **options)

    # --- the end ------------------------------------------------------------------------------------------

    def _close(self, call_id: str) -> None:
        self._ending.pop(call_id, None)
        if (trace := self._traces.pop(call_id, None)) is not None:
            trace.close()

    def close(self) -> None:
        """Close all files. Idempotent."""
        for timer in self._ending.values():
            timer.cancel()
        self._ending.clear()
        for call_id in tuple(self._traces):
            self._close(call_id)

    def __enter__(self) -> CallTraces:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
