"""The tones of one call, both ways and by every way through the audio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipua.errors import InvalidStateError
from sipua.media.dtmf.inband import InbandSender
from sipua.media.dtmf.sender import DEFAULT_VOLUME, EventSender
from sipua.media.fmtp import event_codes
from sipua.media.interface import DTMF_TONES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sipua.media.codecs.base import CodecSpec
    from sipua.media.dtmf.named import DtmfEvent
    from sipua.media.interface import DtmfTransport

__all__ = ["CallDtmf", "event_codec"]

NAME = "telephone-event"


def event_codec(codecs: Iterable[CodecSpec], clock_rate: int) -> CodecSpec | None:
    """The telephone-events to send beside audio of this clock rate (Hz): of the same rate, else of any.

    They share the timestamps of the audio, so the same rate is what :rfc:`4733#section-2.1` wants; some peers know
    them at 8000 Hz only.
    """
    events = [codec for codec in codecs if codec.name == NAME]
    return next((codec for codec in events if codec.clock_rate == clock_rate), events[0] if events else None)


class CallDtmf:
    """What a call's packets (`sender`, `received`) and its sound (`inband`, `detected`) have to do with tones.

    `tell` gets each tone of the peer, once.
    """

    def __init__(self) -> None:
        self.tell: Callable[[str, float, DtmfTransport], None] | None = None
        self.sender = EventSender()
        self.inband = InbandSender()
        self.codec: CodecSpec | None = None
        """The telephone-events that the peer takes, on the branch in use."""
        # Whether the peer has sent a named event: it leaves the beginning of the tone in the sound.
        self._named = False
        self._closed = False

    def negotiate(self, codec: CodecSpec | None, clock_rate: int) -> None:
        """The telephone-events that the peer takes now, beside audio of this RTP clock rate (Hz)."""
        self.codec = codec
        self.sender.set_rates(clock_rate, codec.clock_rate if codec is not None else clock_rate)
        if codec is None:
            self.sender.clear()

    @property
    def tones(self) -> frozenset[str]:
        """Those that the peer takes as named events."""
        if self.codec is None:
            return frozenset()
        codes = event_codes(self.codec.fmtp)
        return frozenset(tone for code, tone in enumerate(DTMF_TONES) if code in codes)

    def send(
        self, tones: str, duration: int, gap: int, transport: DtmfTransport, volume: int = -DEFAULT_VOLUME
    ) -> asyncio.Future[None]:
        """What `MediaSession.send_dtmf` does."""
        if self._closed or (transport == "RFC4733" and self.codec is None):
            raise self._refusal()
        if transport == "RFC4733" and (unknown := set(tones) - self.tones - {","}):
            raise InvalidStateError(
                "send_dtmf", f"without {', '.join(sorted(unknown))} among telephone-events"
            )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(sent: bool) -> None:
            if future.done():
                return
            if sent:
                future.set_result(None)
            else:
                future.set_exception(self._refusal())
                future.exception()  # nobody has to wait for it

        if transport == "INBAND":
            self.inband.queue(tones, duration, gap, done=done)
        else:
            self.sender.queue(tones, duration, gap, -volume, done=done)
        return future

    def _refusal(self) -> InvalidStateError:
        return InvalidStateError("send_dtmf", "closed" if self._closed else "without telephone-events")

    def received(self, event: DtmfEvent) -> None:
        """A named event of the peer is over."""
        self._named = True
        if self.tell is not None:
            self.tell(event.tone, event.duration, "RFC4733")

    def detected(self, event: DtmfEvent) -> None:
        """A tone in the sound is over. Once the peer has sent a named event, such are left-overs of these."""
        if not self._named and self.tell is not None:
            self.tell(event.tone, event.duration, "INBAND")

    def close(self) -> None:
        """What was not sent never will be. Idempotent."""
        self._closed = True
        self.sender.clear()
        self.inband.clear()
