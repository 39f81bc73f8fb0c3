"""Offers that came at the wrong time, and when they are sent again (:rfc:`3261#section-14.1`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.sip import ParseError

if TYPE_CHECKING:
    from sipua.session.session import RTCSession
    from sipua.sip import Response

#: A Retry-After up to so many seconds is waited for.
PATIENCE = 10


def retry_delay(session: RTCSession, response: Response) -> float | None:
    """Seconds until an offer that got this response is sent again; None: it is refused.

    422 asks for a longer session interval (:rfc:`4028#section-7.3`), 491 says that it met an offer of the peer, and
    500 with Retry-After that the peer's last request is not answered yet.
    """
    if response.code == 422:
        return 0.0 if session._timer.raised(response) else None
    if response.code == 491:
        return glare_delay(session)
    if response.code != 500:
        return None
    try:
        after = response.retry_after
    except ParseError:
        return None
    return float(after.delay) if after is not None and after.delay <= PATIENCE else None


def glare_delay(session: RTCSession) -> float:
    """Seconds until an offer that met the peer's is sent again: who made the Call-ID waits longer.

    2.1 to 4 s for that side, 0 to 2 s for the other, in steps of 10 ms.
    """
    low, high = (210, 400) if session.direction == "outgoing" else (0, 200)
    return session._host.rand.randint(low, high) / 100
