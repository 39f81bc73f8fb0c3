"""The audio of one branch of a call, both ways: RTP and RTCP over one transport, driven by the clock of all calls.

A channel plugs into the call's audio port. Only one channel of a call is active; the peers of the others hear
silence, and are not heard.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from sipua.errors import MediaNegotiationError
from sipua.media.codecs import CodecError, make_decoder, make_encoder
from sipua.media.dtmf.call import event_codec
from sipua.media.engine.clock import TICK, AudioClock, Phase
from sipua.media.engine.counters import AudioCounters
from sipua.media.engine.playout import Playout
from sipua.media.engine.receiver import AudioReceiver
from sipua.media.engine.rtcp import RtcpSession
from sipua.media.engine.rtp import AUDIO_LEVEL_URI, MID_URI, audio_level
from sipua.media.engine.sender import AudioSender
from sipua.media.engine.sources import Sources
from sipua.media.pcm import samples_per_frame, silence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sipua.media.codecs import AudioDecoder, CodecSpec
    from sipua.media.interface import Direction, MediaOptions
    from sipua.media.port import CallAudio

__all__ = ["AudioChannel", "Transport"]

logger = logging.getLogger(__name__)

# A stream begins in a tick that is no later than this (s), or after so many: the peer takes how long its first packets
# need for how long all need.
_PUNCTUAL, _MOST_WAITED = TICK / 4, 10
_EVENT, _COMFORT_NOISE = "telephone-event", "cn"


class Transport(Protocol):
    """What carries packets; neither method raises."""

    def send_rtp(self, packet: bytes) -> bool:
        """Protect and send. False: there is nobody to send it to."""

    def send_rtcp(self, packet: bytes) -> bool:
        """The same for RTCP."""

    def forget(self, ssrc: int) -> None:
        """Nothing more is expected of this SSRC."""


class AudioChannel:
    """Sends what `port` says and gives it what is heard, from `start` to `stop`."""

    def __init__(
        self, transport: Transport, port: CallAudio, options: MediaOptions, ssrc: int, cname: str
    ) -> None:
        self.counters = AudioCounters()
        self.sources = Sources(transport.forget)
        self.playout = Playout(self._decoder)
        self.sender = AudioSender(ssrc, transport.send_rtp, self.counters.sent)
        self.receiver = AudioReceiver(self.playout, self.sources, self.counters.received)
        self.rtcp = RtcpSession(ssrc, cname, self.counters, self.sources)
        self.listener: Callable[[bytes, int], None] | None = None
        """Called with the PCM of each tick and its rate, besides the port."""
        self._transport = transport
        self._port = port
        self._options = options
        self._codecs: dict[int, CodecSpec] = {}
        self._clock: AudioClock | None = None
        self._active = False
        self._farewell = 0  # ticks until nothing is sent any more
        self._waited = 0  # ticks until the first that was punctual
        self._sent: Sequence[CodecSpec] = ()
        # The last 20 ms of each direction: how loud they are is worked out for those who ask.
        self._said: bytes | None = None
        self._heard: bytes | None = None

    # --- what was agreed ----------------------------------------------------------------------------------

    def set_codecs(self, sent: Sequence[CodecSpec], received: Sequence[CodecSpec]) -> None:
        """What may be sent, best first, and what may come. Codecs of before are understood for ever.

        The first of `sent` that is audio is used from the next packet on. Raises MediaNegotiationError when there
        is none.
        """
        audio = next((codec for codec in sent if codec.name not in (_EVENT, _COMFORT_NOISE)), None)
        if audio is None:
            raise MediaNegotiationError("no codec in common")
        sender = self.sender
        if audio != sender.codec:
            sender.set_codec(audio, make_encoder(audio, self._options))
            self.rtcp.clock_rate = sender.clock_rate
        noise = next((codec.payload_type for codec in sent if codec.name == _COMFORT_NOISE), None)
        sender.set_comfort_noise(noise if self._options.comfort_noise else None)
        self._sent = sent
        if self._active:
            self._plug()
        changed = any(self._codecs.get(c.payload_type, c) != c for c in received)
        self._codecs.update({codec.payload_type: codec for codec in received})
        self.receiver.set_codecs(self._codecs)
        if changed:
            self.playout.reset()
        # What peers send is what they prefer, and they mostly prefer what we do.
        self.playout.expect(sender.rate)

    def set_extensions(self, extensions: Mapping[str, int], mid: str) -> None:
        """The header extensions that the peer knows: identifiers by URI."""
        self.sender.set_extensions(extensions.get(AUDIO_LEVEL_URI), extensions.get(MID_URI), mid)

    def set_direction(self, direction: Direction | None) -> None:
        """What may go and what may come, seen from this side; None: nothing yet."""
        sends = direction in ("sendrecv", "sendonly")
        if self._active:
            self._port.outlet.enabled = sends
        if not sends and self.sender.enabled and self._active and self._clock is not None:
            # One more packet, in which what is heard fades.
            self._farewell = max(1, self.sender.codec.ptime // 20) if self.sender.codec is not None else 1
        else:
            self.sender.enabled, self._farewell = sends, 0
        self.receiver.enabled = direction in ("sendrecv", "recvonly")

    @property
    def codec(self) -> CodecSpec | None:
        """What is sent."""
        return self.sender.codec

    @property
    def received_codec(self) -> CodecSpec | None:
        """Of the last packet of audio that came; None before any."""
        payload_type = self.counters.received.payload_type
        return self._codecs.get(payload_type) if payload_type is not None else None

    @property
    def said_level(self) -> float | None:
        """Of the last 20 ms that were sent, in dBov; None before any."""
        return -float(audio_level(self._said)) if self._said is not None else None

    @property
    def heard_level(self) -> float | None:
        """Of the last 20 ms that were heard, in dBov; None while nobody listens."""
        return -float(audio_level(self._heard)) if self._heard is not None else None

    @property
    def bitrate_limit(self) -> int:
        """Bit/s that our encoder may make on average, if it has a choice."""
        return self._options.opus.bitrate

    @property
    def active(self) -> bool:
        """Whether this is what the call sounds like."""
        return self._active

    @active.setter
    def active(self, active: bool) -> None:
        if active is self._active:
            return
        self._active = active
        if self._farewell:
            self.sender.enabled, self._farewell = False, 0
        dtmf = self._port.dtmf
        self.sender.dtmf = dtmf if active else None
        self.receiver.on_tone = dtmf.received if active else None
        if active:
            # Another stream, with time stamps of its own.
            dtmf.sender.interrupt()
            self._port.outlet.enabled = self.sender.enabled
            self._plug()

    def _plug(self) -> None:
        """Let the port speak as this branch does."""
        if self.sender.codec is not None:
            self._port.outlet.set_rate(self.sender.rate)
            # The end of what is said waits for its packet to be full.
            self._port.outlet.written.delay = max(0, self.sender.codec.ptime // 20 - 1)
            rate = self.sender.clock_rate
            self._port.dtmf.negotiate(event_codec(self._sent, rate), rate)

    # --- life ---------------------------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Whether it sends and listens."""
        return self._clock is not None

    def start(self) -> None:
        """From now on packets go and come. To be called in the event loop."""
        if self._clock is None:
            self._clock = clock = AudioClock.running()
            self._waited = 0
            clock.add(Phase.RECEIVE, self._receive)
            clock.add(Phase.SEND, self._send)

    def stop(self, now: float) -> None:
        """Say good-bye, and nothing more. Idempotent."""
        if self._clock is None:
            return
        self._clock.remove(Phase.RECEIVE, self._receive)
        self._clock.remove(Phase.SEND, self._send)
        self._clock = None
        self._transport.send_rtcp(self.rtcp.bye(now, self.sender.timestamp))

    # --- packets ------------------------------------------------------------------------------------------

    def rtp(self, packet: bytes, now: float) -> None:
        """An RTP packet of the peer. Never raises."""
        try:
            clock = self._clock
            self.receiver.packet(packet, now, clock.due if clock is not None else now)
        except Exception:
            self.counters.received.discarded += 1
            logger.exception("an RTP packet could not be handled")

    def rtcp_packet(self, packet: bytes, now: float) -> None:
        """A compound RTCP packet of the peer. Never raises."""
        if self.rtcp.receive(packet, now):
            self.sender.expect_loss(self.counters.sent.fraction_lost)
        else:
            self.counters.received.discarded += 1

    # --- ticks --------------------------------------------------------------------------------------------

    def _receive(self, now: float, missed: int) -> None:
        receiver, port = self.receiver, self._port
        receiver.tick(now)
        for_port = self._active and port.listening
        listening = for_port or self.listener is not None
        if listening is not receiver.listening:
            receiver.listening = listening
        if not listening:
            self._heard = None
            return
        # When it was due: what the loop is late is made up for, and nothing to play faster for.
        pcm = receiver.pull(self._clock.due if self._clock is not None else now)
        self._heard, rate = pcm, self.playout.rate
        if for_port:
            port.heard(pcm, rate)
        if self.listener is not None:
            self.listener(pcm, rate)

    def _send(self, now: float, missed: int) -> None:
        sender = self.sender
        if missed:
            sender.skip(missed)
        if self.rtcp.due(now):
            self._transport.send_rtcp(self.rtcp.report(now, self._rtp_time(now)))
        if self._waited < _MOST_WAITED and not self._begun(now):
            sender.skip(1)
            return
        if not self._active:
            sender.send(silence(samples_per_frame(sender.rate)))
            return
        self._said = pcm = self._port.outlet.pull()
        sender.send(pcm)
        self._port.said(pcm, sender.rate)
        if self._farewell:
            self._farewell -= 1
            sender.enabled = self._farewell > 0

    def _begun(self, now: float) -> bool:
        late = now - self._clock.due if self._clock is not None else 0.0
        self._waited = self._waited + 1 if late > _PUNCTUAL else _MOST_WAITED
        return late <= _PUNCTUAL

    def _rtp_time(self, now: float) -> int:
        """The time stamp that a sample of now would have; the next packet's is that of the tick's due time."""
        sender = self.sender
        late = now - self._clock.due if self._clock is not None else 0.0
        return (sender.timestamp + sender.waiting + round(late * sender.clock_rate)) & 0xFFFFFFFF

    # --- the rest -----------------------------------------------------------------------------------------

    def _decoder(self, payload_type: int) -> AudioDecoder | None:
        codec = self._codecs.get(payload_type)
        if codec is None or codec.name == _EVENT:
            return None
        try:
            return make_decoder(codec)
        except CodecError:
            logger.warning("nothing can decode %s", codec.name)
            return None
