"""DTMF tones as INFO: ``application/dtmf-relay`` and ``application/dtmf``, both ways."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import InvalidStateError
from sipua.session import info
from sipua.session.headers import header_list
from sipua.session.states import State

if TYPE_CHECKING:
    import asyncio

    from sipua.session.session import RTCSession

CONTENT_TYPES = ("application/dtmf-relay", "application/dtmf")
TONES = "0123456789*#ABCD"
#: Bounds and default of a tone, in ms.
MIN_DURATION, MAX_DURATION, DEFAULT_DURATION = 70, 6000, 100
MIN_GAP = 50
#: What a comma stands for, in seconds.
PAUSE = 2.0

_RELAY = re.compile(r"^\s*Signal\s*=\s*(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
_DURATION = re.compile(r"^\s*Duration\s*=\s*(\d{1,5})\s*$", re.IGNORECASE | re.MULTILINE)
# Events by number (RFC 4733 §3.2), as some gateways write them.
_BY_NUMBER = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}


def parse(content_type: str, body: str) -> tuple[str, int] | None:
    """Tone and duration in ms of an INFO body; None when it is not legible."""
    duration = DEFAULT_DURATION
    if content_type == "application/dtmf-relay":
        signal = _RELAY.search(body)
        if signal is None:
            return None
        tone = signal[1].upper()
        if (found := _DURATION.search(body)) is not None:
            duration = min(max(int(found[1]), 1), MAX_DURATION)
    else:
        tone = body.strip().upper()
    tone = _BY_NUMBER.get(tone, tone)
    return (tone, duration) if len(tone) == 1 and tone in TONES else None


class Queue:
    """The tones that wait to be sent, over all calls of `send_dtmf`: one at a time, in order."""

    def __init__(self, session: RTCSession) -> None:
        self._session = session
        self._steps: deque[tuple[str, int, int, tuple[tuple[str, str], ...], asyncio.Future[None] | None]] = (
            deque()
        )
        self._timer: asyncio.TimerHandle | None = None

    def add(
        self, tones: str, duration: int, gap: int, headers: tuple[tuple[str, str], ...]
    ) -> asyncio.Future[None]:
        """Queue tones; done when the last one was sent."""
        done: asyncio.Future[None] = self._session._host.loop.create_future()
        for index, tone in enumerate(tones):
            self._steps.append((tone, duration, gap, headers, done if index == len(tones) - 1 else None))
        if self._timer is None:
            self._next()
        return done

    def _next(self) -> None:
        self._timer = None
        if not self._steps:
            return
        tone, duration, gap, headers, done = self._steps.popleft()
        if tone == ",":
            delay = PAUSE
        else:
            self._send(tone, duration, headers)
            delay = (duration + gap) / 1000
        if done is not None and not done.done():
            done.set_result(None)
        self._timer = self._session._host.loop.call_later(delay, self._next)

    def _send(self, tone: str, duration: int, headers: tuple[tuple[str, str], ...]) -> None:
        body = f"Signal={tone}\r\nDuration={duration}\r\n".encode()
        request = info.send(self._session, CONTENT_TYPES[0], body, headers, lambda result: None)
        self._session.emit("new_dtmf", events.NewDTMF("local", tone, duration, request))

    def stop(self) -> None:
        """The call is over: what was not sent never will be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        steps, self._steps = self._steps, deque()
        for *_, done in steps:
            if done is not None and not done.done():
                done.set_exception(InvalidStateError("send_dtmf", State.ENDED.value))
                done.exception()  # nobody has to wait for it


def send_dtmf(
    session: RTCSession, tones: str | int, duration: int, gap: int, extra_headers: Any
) -> asyncio.Future[None]:
    """What `RTCSession.send_dtmf` does."""
    text = str(tones).upper()
    if not text or any(tone not in TONES + "," for tone in text):
        raise ValueError(f"tones={tones!r}: only 0-9, *, #, A-D and , (a pause)")
    if not MIN_DURATION <= duration <= MAX_DURATION:
        raise ValueError(f"duration={duration}: not between {MIN_DURATION} and {MAX_DURATION} ms")
    if gap < MIN_GAP:
        raise ValueError(f"inter_tone_gap={gap}: less than {MIN_GAP} ms")
    headers = header_list(extra_headers)
    if session.is_ended() or session.status not in (State.WAITING_FOR_ACK, State.CONFIRMED):
        raise InvalidStateError("send_dtmf", session.status.value)
    if session._dtmf is None:
        session._dtmf = Queue(session)
    return session._dtmf.add(text, duration, gap, headers)
