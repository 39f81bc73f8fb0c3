"""Session timers (:rfc:`4028`): a call whose peer has silently gone ends.

The refresher repeats a refresh at half of the interval. Either side hangs up a little before the session expires,
unless a refresh of either kind (re-INVITE or UPDATE, whoever sent it and whatever for) has succeeded by then.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sipua.events import Cause
from sipua.session import terminate
from sipua.session.host import NoResponse
from sipua.session.peer import option_tags
from sipua.session.states import Event, State, allowed
from sipua.sip import ParseError, Response, SessionExpires

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.session.session import RTCSession
    from sipua.sip import Request

logger = logging.getLogger("sipua.session")

#: The least interval there may be, in seconds (:rfc:`4028#section-5`).
MINIMUM = 90
#: How long an interval is when nobody says otherwise (:rfc:`4028#section-4`).
DEFAULT = 1800
#: A peer that answers with less than this many seconds is not taken at its word.
FLOOR = 30
#: Seconds until a refresh that was refused is tried again, at least.
RETRY = 2.0


@dataclass(frozen=True, slots=True)
class TimerPolicy:
    """What the user agent's configuration says about session timers."""

    enabled: bool = True
    method: str = "UPDATE"
    force_refresher: bool = False
    interval: int = DEFAULT


def check_interval(value: Any) -> int | None:
    """What an application asks for, in seconds.

    :raises ValueError: less than 90.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < MINIMUM:
        raise ValueError(f"session_timers_expires={value!r}: not a whole number of {MINIMUM} seconds or more")
    return value


class SessionTimer:
    """The session timer of one call."""

    __slots__ = (
        "_expires_at",
        "_policy",
        "_send_refresh",
        "_session",
        "due",
        "interval",
        "min_se",
        "refreshing",
        "wanted",
    )

    def __init__(self, session: RTCSession, send_refresh: Callable[[RTCSession, str], None]) -> None:
        self._session = session
        self._send_refresh = send_refresh
        self._policy: TimerPolicy = session._host.session_timers
        self.wanted: int | None = None
        """The interval that the application asked for in this call."""
        self.min_se: int | None = None
        """The greatest minimum that anybody on the way has named."""
        self.interval: int | None = None
        """The interval in force; None: there is no timer."""
        self.refreshing = False
        """Whether the refreshes are ours to send."""
        self.due = False
        """Whether a refresh should have been sent and could not."""
        self._expires_at = 0.0

    # --- our requests --------------------------------------------------------------------------------------

    def request_headers(self) -> tuple[tuple[str, str], ...]:
        """For an INVITE or UPDATE of ours (:rfc:`4028#section-7.1`, :rfc:`4028#section-7.4`)."""
        if not self._policy.enabled:
            return ()
        interval = max(self.interval or self.wanted or self._policy.interval, self.min_se or MINIMUM)
        role = ""
        if self.interval is not None:
            role = ";refresher=uac" if self.refreshing else ";refresher=uas"
        elif self._policy.force_refresher:
            role = ";refresher=uac"
        headers: tuple[tuple[str, str], ...] = (("Session-Expires", f"{interval}{role}"),)
        if self.min_se is not None:
            headers += (("Min-SE", str(self.min_se)),)
        return headers

    def raised(self, response: Response) -> bool:
        """A 422: whether it names a minimum that is worth another try (:rfc:`4028#section-7.3`)."""
        try:
            minimum = response.min_se
        except ParseError:
            return False
        if not self._policy.enabled or minimum is None or minimum <= (self.min_se or 0):
            return False
        self.min_se = max(minimum, MINIMUM)
        if self.interval is not None:
            self.interval = max(self.interval, self.min_se)
        return True

    def answered(self, request: Request, response: Response) -> None:
        """A 2xx to an INVITE or UPDATE of ours (:rfc:`4028#section-7.2`)."""
        if not self._policy.enabled:
            return
        expires = _session_expires(response)
        if expires is not None:
            self._start(max(expires.delta, FLOOR), ours=expires.refresher != "uas")
            return
        asked = _session_expires(request)
        if asked is None:
            return
        if "timer" in self._session._peer.supported:
            self.stop()  # the peer wants none
        else:
            self._start(asked.delta, ours=True)  # the peer knows of none: then the refreshes are ours

    # --- the peer's requests -------------------------------------------------------------------------------

    def answer_headers(self, request: Request) -> tuple[tuple[str, str], ...]:
        """For our 2xx to the peer's INVITE or UPDATE, which sets the timer (:rfc:`4028#section-9`, table 2)."""
        if not self._policy.enabled:
            return ()
        asked, knows = _session_expires(request), "timer" in option_tags(request, "Supported")
        self._learn(request)
        if asked is not None and asked.delta < MINIMUM:
            asked = None  # refused already if the peer knows of session timers; else somebody on the way has no idea
        floor = self.min_se or MINIMUM
        if asked is None:
            interval = max(self.interval or self.wanted or self._policy.interval, floor)
        else:  # it may be made shorter, never longer
            interval = min(asked.delta, max(self.wanted or asked.delta, floor))
        role = asked.refresher if asked is not None and knows else None
        if role is None:
            keep = self.interval is not None and not self.refreshing
            role = "uac" if knows and keep else "uas"
        self._start(interval, ours=role == "uas")
        headers: tuple[tuple[str, str], ...] = (("Session-Expires", f"{interval};refresher={role}"),)
        return (("Require", "timer"), *headers) if knows else headers

    def _learn(self, request: Request) -> None:
        minimum = request.min_se
        if minimum is not None:
            self.min_se = max(minimum, self.min_se or MINIMUM)

    # --- time ----------------------------------------------------------------------------------------------

    def _start(self, interval: int, *, ours: bool) -> None:
        session = self._session
        self.interval, self.refreshing, self.due = interval, ours, False
        session._clear_timer("refresh")
        if ours:
            session._set_timer("refresh", interval / 2, self._refresh)
        left = interval - min(32.0, interval / 3)  # RFC 4028 §10
        self._expires_at = session._host.loop.time() + left
        session._set_timer("session expires", left, self._expired)

    def stop(self) -> None:
        """There is no session timer any more."""
        self.interval, self.due = None, False
        self._session._clear_timer("refresh")
        self._session._clear_timer("session expires")

    def _expired(self) -> None:
        logger.info("%s: the session was not refreshed in time", self._session)
        self._hang_up("Session Timer Expired")

    def _hang_up(self, why: str) -> None:
        session = self._session
        if not session.is_ended() and allowed(session.status, Event.FAILURE):
            terminate.finish(
                session,
                Event.FAILURE,
                originator="system",
                cause=Cause.REQUEST_TIMEOUT,
                reason=why,
                status=408,
                phrase=why,
            )

    # --- refreshing ----------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Refresh now, or as soon as what is open is done: it may be a refresh itself."""
        self.due = True
        self._session._post(self.catch_up)

    def catch_up(self) -> None:
        """Send the refresh that is due, unless something else that refreshes is under way."""
        session = self._session
        renegotiation = session._renegotiation
        if not self.due or session.is_ended():
            return
        if session.status is not State.CONFIRMED:
            return  # called again when that is over
        by_update = self._policy.method == "UPDATE" and session._peer.allows("UPDATE")
        current = renegotiation.current
        busy = not renegotiation.is_idle
        if by_update:  # it has no offer, and waits for nothing but another UPDATE
            busy = current is not None and current.is_update
        if busy:
            return
        self.due = False
        self._send_refresh(session, self._policy.method)

    def refused(self, result: Response | NoResponse) -> None:
        """A refresh did not succeed (:rfc:`4028#section-10`): the peer is gone, or it is tried again in time."""
        if self._session.is_ended():
            return
        gone = (
            result.cause is Cause.REQUEST_TIMEOUT
            if isinstance(result, NoResponse)
            else result.code in (408, 481)
        )
        if gone:
            self._hang_up("Session Refresh Failed")
        elif self.interval is not None:
            left = self._expires_at - self._session._host.loop.time()
            self._session._set_timer("refresh", max(left / 2, RETRY), self._refresh)


def refusal(session_timers: TimerPolicy, request: Request) -> tuple[int, tuple[tuple[str, str], ...]] | None:
    """Why an INVITE or UPDATE of the peer cannot be taken for its session timer's sake; None: it can.

    :raises ParseError: a Session-Expires or Min-SE that is not legible (400).
    """
    expires, _ = request.session_expires, request.min_se
    if not session_timers.enabled or expires is None or expires.delta >= MINIMUM:
        return None
    if "timer" not in option_tags(request, "Supported"):
        return None
    return 422, (("Min-SE", str(MINIMUM)),)


def _session_expires(message: Request | Response) -> SessionExpires | None:
    try:
        return message.session_expires
    except ParseError as error:
        logger.warning("%s", error)
        return None
