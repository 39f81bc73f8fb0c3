"""Calls that a failed transfer has left with nobody at the other end.

A peer that transfers for others (a PBX) may have given up the one whom we talked to by the time it says that the
transfer has failed; Asterisk does. Its end of the call then stays up and silent. Only the media tells: what came before
does not come any more.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.events import Cause
from sipua.session import terminate
from sipua.session.states import Event, State

if TYPE_CHECKING:
    from sipua.session.session import RTCSession

logger = logging.getLogger("sipua.session")

#: Seconds without a packet after which nobody is there. Silence suppression is never that quiet.
SILENCE = 10.0
#: Seconds with packets after which somebody is: the last ones of who has left may still be on their way.
SOUND = 5.0
#: Seconds between two looks.
INTERVAL = 1.0


def heard(session: RTCSession) -> int:
    """Packets that came from the peer so far."""
    return session._media.stats().packets_received if session._media is not None else 0


def end_if_abandoned(session: RTCSession) -> None:
    """Hang up when nothing comes from the peer for 10 s in which something should; 5 s of sound end the watch.

    While either side holds, nothing need come, and the time does not count.
    """
    last = heard(session)
    silent = sound = 0.0

    def look() -> None:
        nonlocal last, silent, sound
        if session.is_ended() or session.status is not State.CONFIRMED:
            return
        count = heard(session)
        if count != last:
            last, silent, sound = count, 0.0, sound + INTERVAL
        elif _should_be_heard(session):
            silent += INTERVAL
        if silent >= SILENCE:
            _hang_up(session)
        elif sound < SOUND:
            session._set_timer("abandoned", INTERVAL, look)

    session._set_timer("abandoned", INTERVAL, look)


def _hang_up(session: RTCSession) -> None:
    logger.info("%s: nothing is heard since the transfer failed: hung up", session)
    terminate.finish(
        session,
        Event.TERMINATE,
        originator="system",
        cause=Cause.RTP_TIMEOUT,
        reason="nobody is left in the call after a transfer that failed",
    )


def _should_be_heard(session: RTCSession) -> bool:
    assert session._media is not None
    stats = session._media.stats()
    hold = session.is_on_hold()
    receives = stats.direction in ("sendrecv", "recvonly")
    return stats.state == "connected" and receives and not (hold["local"] or hold["remote"])
