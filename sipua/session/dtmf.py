"""DTMF tones: in the audio where media can (:rfc:`4733`, in-band), else as INFO.

INFO carries ``application/dtmf-relay``; ``application/dtmf`` is understood, too. Tones of all calls of `send_dtmf` go
one after the other, whichever way each takes.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import InvalidStateError, MediaNegotiationError
from sipua.media.interface import DTMF_PAUSE, DTMF_TONES
from sipua.session import info
from sipua.session.headers import header_list
from sipua.session.states import State

if TYPE_CHECKING:
    import asyncio

    from sipua.media.interface import DtmfTransport
    from sipua.session.session import RTCSession

CONTENT_TYPES = ("application/dtmf-relay", "application/dtmf")
#: Bounds and default of a tone, in ms.
MIN_DURATION, MAX_DURATION, DEFAULT_DURATION = 40, 6000, 100
MIN_GAP, MAX_GAP = 30, 3_600_000
#: Bounds and default of how loud a tone is, in dBm0.
MIN_VOLUME, MAX_VOLUME, DEFAULT_VOLUME = -63, 0, -10
#: How tones may be sent; RFC 2833 is RFC 4733 before it was revised.
TRANSPORTS = ("INFO", "RFC2833", "RFC4733", "INBAND")

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
    return (tone, duration) if len(tone) == 1 and tone in DTMF_TONES else None


@dataclass(slots=True)
class _Step:
    """One tone or pause that waits; times in ms."""

    tone: str
    duration: int
    gap: int
    volume: int
    headers: tuple[tuple[str, str], ...]
    transport: str | None
    """None: as was negotiated when it is sent."""
    done: asyncio.Future[None]
    last: bool


class Queue:
    """The tones that wait to be sent, over all calls of `send_dtmf`: one at a time, in order."""

    def __init__(self, session: RTCSession) -> None:
        self._session = session
        self._loop = session._host.loop
        self._steps: deque[_Step] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._sending: tuple[_Step, asyncio.Future[None]] | None = None

    def add(
        self,
        tones: str,
        duration: int,
        gap: int,
        volume: int,
        headers: tuple[tuple[str, str], ...],
        transport: str | None,
    ) -> asyncio.Future[None]:
        """Queue tones; done when the last one was sent. Cancelling it drops those that wait."""
        done: asyncio.Future[None] = self._loop.create_future()
        last = len(tones) - 1
        for index, tone in enumerate(tones):
            self._steps.append(_Step(tone, duration, gap, volume, headers, transport, done, index == last))
        if self._timer is None and self._sending is None:
            self._next()
        return done

    def _next(self) -> None:
        self._timer = None
        while self._steps and self._steps[0].done.done():
            self._steps.popleft()
        if not self._steps:
            return
        step = self._steps.popleft()
        if step.tone == ",":
            self._finish(step)
            self._wait(DTMF_PAUSE / 1000)
            return
        transport = self._transport(step)
        if transport is not None:
            self._send_in_audio(step, transport)
        else:
            self._send_info(step)
            self._finish(step)
            self._wait((step.duration + step.gap) / 1000)

    def _transport(self, step: _Step) -> DtmfTransport | None:
        """How media is to send it; None: INFO."""
        if step.transport == "INBAND":
            return "INBAND"
        if step.transport == "RFC4733":
            return "RFC4733"
        media = self._session._media
        if step.transport is not None or media is None or step.tone not in media.dtmf_tones:
            return None
        return media.dtmf_transport

    def _send_info(self, step: _Step) -> None:
        body = f"Signal={step.tone}\r\nDuration={step.duration}\r\n".encode()
        request = info.send(self._session, CONTENT_TYPES[0], body, step.headers, lambda result: None)
        self._session.emit("new_dtmf", events.NewDTMF("local", step.tone, step.duration, request, "INFO"))

    def _send_in_audio(self, step: _Step, transport: DtmfTransport) -> None:
        media = self._session._media
        assert media is not None
        try:
            sending = media.send_dtmf(
                step.tone, step.duration, step.gap, transport=transport, volume=step.volume
            )
        except InvalidStateError as error:  # a re-offer has taken telephone-events away
            _fail(step.done, error)
            self._wait(0)
            return
        self._sending = step, sending
        sending.add_done_callback(lambda sent: self._sent(step, transport, sent))

    def _sent(self, step: _Step, transport: DtmfTransport, sent: asyncio.Future[None]) -> None:
        if self._sending is None or self._sending[1] is not sent:
            return
        self._sending = None
        error = None if sent.cancelled() else sent.exception()
        if error is not None or sent.cancelled():
            _fail(step.done, error or InvalidStateError("send_dtmf", State.ENDED.value))
        else:
            self._session.emit("new_dtmf", events.NewDTMF("local", step.tone, step.duration, None, transport))
            self._finish(step)
        # Media keeps the gap between its own tones; others wait for it here.
        if self._steps and self._steps[0].tone != "," and self._transport(self._steps[0]) == transport:
            self._next()
        else:
            self._wait(step.gap / 1000)

    def _finish(self, step: _Step) -> None:
        if step.last and not step.done.done():
            step.done.set_result(None)

    def _wait(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._next)

    def stop(self) -> None:
        """The call is over: what was not sent never will be."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        steps, self._steps = self._steps, deque()
        if self._sending is not None:
            steps.appendleft(self._sending[0])
            self._sending = None
        for step in steps:
            _fail(step.done, InvalidStateError("send_dtmf", State.ENDED.value))


def _fail(done: asyncio.Future[None], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
        done.exception()  # nobody has to wait for it


def send_dtmf(
    session: RTCSession,
    tones: str | int,
    duration: Any,
    gap: Any,
    volume: Any,
    extra_headers: Any,
    transport_type: str | None,
) -> asyncio.Future[None]:
    """What `RTCSession.send_dtmf` does."""
    text = str(tones).upper()
    if not text or any(tone not in DTMF_TONES + "," for tone in text):
        raise ValueError(f"tones={tones!r}: only 0-9, *, #, A-D and , (a pause)")
    for name, value, unit, low, high in (
        ("duration", duration, "ms", MIN_DURATION, MAX_DURATION),
        ("inter_tone_gap", gap, "ms", MIN_GAP, MAX_GAP),
        ("volume", volume, "dBm0", MIN_VOLUME, MAX_VOLUME),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{name}={value!r}: not a whole number of {unit} between {low} and {high}")
    if transport_type is not None and transport_type not in TRANSPORTS:
        raise ValueError(f"transport_type={transport_type!r}: none of {', '.join(TRANSPORTS)}")
    transport = "RFC4733" if transport_type == "RFC2833" else transport_type
    headers = header_list(extra_headers)
    if session.is_ended() or session.status not in (State.WAITING_FOR_ACK, State.CONFIRMED):
        raise InvalidStateError("send_dtmf", session.status.value)
    media = session._media
    if transport == "RFC4733" and (media is None or media.dtmf_transport is None):
        raise MediaNegotiationError("no telephone-events (RFC 4733) were negotiated in this call")
    if transport == "RFC4733" and media is not None and (unknown := set(text) - media.dtmf_tones - {","}):
        raise MediaNegotiationError(f"the peer takes no telephone-events for {', '.join(sorted(unknown))}")
    if session._dtmf is None:
        session._dtmf = Queue(session)
    return session._dtmf.add(text, duration, gap, volume, headers, transport)


def receive(session: RTCSession, tone: str, duration: float, transport: DtmfTransport) -> None:
    """A tone of the peer in the audio; `duration` in seconds."""
    if not session.is_ended():
        event = events.NewDTMF("remote", tone, max(1, round(duration * 1000)), None, transport)
        session.emit("new_dtmf", event)
