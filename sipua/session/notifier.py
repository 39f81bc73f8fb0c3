"""Telling the one who sent a REFER what became of it: NOTIFY with sipfrag (:rfc:`3515#section-2.4.4`)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from sipua.session import sipfrag
from sipua.session.host import NoResponse
from sipua.session.sipfrag import StatusLine, status_line
from sipua.session.subscriptions import LIFETIME, ReferUsages

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sipua.sip import Response

#: Seconds that a subscription lives longer than the call rings.
MARGIN = 32


class ReferNotifier:
    """One subscription to the progress of a reference. NOTIFYs are sent one after the other, each when the last
    was answered; one that is refused ends the subscription, for the peer does not know it any more.
    """

    def __init__(self, usages: ReferUsages, event: str, expired: Callable[[], None]) -> None:
        self._usages = usages
        self._event = event
        self._expired = expired
        self._state = "pending"
        self._line = status_line(100)
        self._waiting: deque[tuple[str, StatusLine]] = deque()
        self._under_way = False
        self._ending = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        usages.add_notifier(self)
        self.extend(LIFETIME)

    def is_about(self, id: str | None) -> bool:
        """Whether a SUBSCRIBE with this Event id is about it."""
        return not self._ending and self._event.partition(";id=")[2] == (id or "")

    # --- what happens to the reference -------------------------------------------------------------------------

    def pending(self) -> None:
        """The application has not decided yet."""
        self._tell(f"pending;expires={self._seconds()}")

    def progress(self, line: StatusLine) -> None:
        """A provisional response, or that the INVITE goes out."""
        if not self._ending:
            self._state = "active"
            self._line = line
            self._tell(f"active;expires={self._seconds()}")

    def finish(self, line: StatusLine, reason: str = "noresource") -> None:
        """The end of it; nothing more is told."""
        if not self._ending:
            self._line = line
            self._end(reason)

    # --- the life of the subscription --------------------------------------------------------------------------

    def extend(self, seconds: float) -> None:
        """Let it live for so many seconds from now on."""
        loop = self._usages.owner._host.loop
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = loop.time() + seconds
        self._timer = loop.call_at(self._deadline, self._time_out)

    def extend_beyond(self, seconds: float | None) -> None:
        """Let it live longer than what it reports on may take."""
        self.extend(max(LIFETIME, (seconds or 0) + MARGIN))

    def refresh(self, seconds: int) -> None:
        """The peer's SUBSCRIBE: tell it the present state; 0 seconds end it, and not what it is about."""
        if seconds == 0:
            self._end("timeout")
            return
        self.extend(seconds)
        self._tell(f"{self._state};expires={seconds}")

    def close(self) -> None:
        """Stop at once: nothing can be sent, or nobody listens."""
        self._ending = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._usages.remove_notifier(self)

    def _time_out(self) -> None:
        self._expired()  # which may finish it in its own words
        if not self._ending:
            self._end("timeout")

    def _end(self, reason: str) -> None:
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        self._tell(f"terminated;reason={reason}")

    def _seconds(self) -> int:
        return max(0, round(self._deadline - self._usages.owner._host.loop.time()))

    # --- on the wire -----------------------------------------------------------------------------------------

    def _tell(self, state: str) -> None:
        self._waiting.append((state, self._line))
        if not self._under_way:
            self._next()

    def _next(self) -> None:
        owner = self._usages.owner
        dialog = owner._dialog
        assert dialog is not None
        state, line = self._waiting.popleft()
        headers = (("Contact", owner.contact), ("Event", self._event), ("Subscription-State", state))
        request = dialog.request(
            "NOTIFY", headers=headers, body=sipfrag.build(line), content_type=sipfrag.CONTENT_TYPE
        )
        self._under_way = True
        owner._host.send_request(request, self._answered, next_cseq=dialog.next_cseq)

    def _answered(self, result: Response | NoResponse) -> None:
        if isinstance(result, NoResponse) or result.code >= 300:
            self.close()
        elif result.code >= 200:
            self._under_way = False
            if self._waiting:
                self._next()
            elif self._ending:
                self.close()
