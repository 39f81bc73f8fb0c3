"""One branch of a call's media: an RTCPeerConnection with one audio transceiver, made reliable.

aiortc knows no rollback, no time limits and no forks: a leg adds them (see `internals`). ICE, DTLS, SRTP and offer
and answer are aiortc's; the audio itself goes through the audio engine (`engine.channel`), and aiortc's senders and
receivers are never started. The leg watches whether the peer is still there.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from sipua.errors import InvalidStateError, MediaNegotiationError, MediaTransportError
from sipua.media import internals
from sipua.media.capture import CapturingHandler, CapturingTransport
from sipua.media.engine.channel import AudioChannel
from sipua.media.legstats import LegStats
from sipua.media.paths import Path, Paths
from sipua.media.relay import Relay
from sipua.media.rtcstats import report_stats
from sipua.media.srtp import SecureTransport
from sipua.media.statistics import MediaStats
from sipua.media.steps import StepWatch
from sipua.media.video.line import VideoLine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sipua.media.capture import PacketCapture
    from sipua.media.description import Section
    from sipua.media.engine.channel import Transport
    from sipua.media.formats import NegotiatedAudio
    from sipua.media.gathering import Gathering
    from sipua.media.ice import SharedSockets
    from sipua.media.interface import Direction, MediaOptions, MediaState
    from sipua.media.numbering import Numbering
    from sipua.media.port import CallAudio
    from sipua.media.sdp import RemoteOffer
    from sipua.media.srtp import PacketHandler
    from sipua.media.video.formats import AnsweredVideo
    from sipua.media.video.port import CallVideo

__all__ = ["Leg"]

logger = logging.getLogger(__name__)

_WATCH_INTERVAL = 0.5
# RFC 7675 section 5.1 wants a check at least every 5 s, at random between 0.8 and 1.2 times that.
_CONSENT_INTERVAL = 2.5
_CLOSE_TIMEOUT = 2.0
_HANDSHAKE_TIMEOUT = 3.0
# So long after DTLS was ended by the peer the media counts as lost.
_FAREWELL = 1.0


class Leg:
    """A peer connection to one peer. `on_state` and `on_track` are called while it lives."""

    def __init__(
        self,
        options: MediaOptions,
        audio: CallAudio,
        video: CallVideo,
        on_state: Callable[[Leg], None],
        on_track: Callable[[Leg, Any], None],
        *,
        base: Leg | None = None,
        capture: PacketCapture | None = None,
    ) -> None:
        self.options = options
        self.state: MediaState = "new"
        self._relay: Relay | None = None
        self.track: Any = None
        self.remote_text: str | None = None
        """The last description of this peer, as it was received."""
        self.offer_text: str | None = None
        """aiortc's last offer, with the audio m-line alone."""
        self.watch = StepWatch()
        """Tells which step of the negotiation failed."""
        self._audio = audio
        self._port = video
        self._on_state = on_state
        self._on_track = on_track
        self._loop = asyncio.get_running_loop()
        self._saved: internals.Snapshot | None = None
        self._numbering: Numbering | None = None
        self._video_before: tuple[Section | None, ...] = ()
        self._direction: Direction = options.direction
        self._timer: asyncio.TimerHandle | None = None
        self._started: float | None = None
        self._heard = 0.0
        self._lost_at: float | None = None
        self._cut = False
        self._asking: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._stats = MediaStats()
        # An empty list: None would mean a public STUN server. `Gathering` knows the servers.
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        if base is not None:
            internals.impersonate(base.pc, self.pc)
        self.transceiver = self.pc.addTransceiver("audio", "sendrecv")
        self.video: VideoLine = VideoLine(
            self.pc, self.transceiver, options, video, base=base.video if base is not None else None
        )
        self.video.on_path_change = self._connection_changed
        gatherer = self.transceiver.receiver.transport.transport.iceGatherer
        if base is None:
            path = Path.gathered(gatherer, options)
        else:
            internals.impersonate_transceiver(base.transceiver, self.transceiver)
            path = Path.lent(gatherer, base._paths.described)
        self._watch_path(path)
        self._paths: Paths = Paths(self.transceiver, path, options.failure_timeout, self._path_switched)
        internals.take_over_audio(self.transceiver)
        self._capture: PacketCapture | None = base._capture if base is not None else capture
        self._transport, transport = self._secured()
        self.channel = AudioChannel(
            transport, audio, options, internals.ssrc_of(self.transceiver), internals.cname_of(self.pc)
        )
        self._transport.in_use = lambda ssrc: self.channel.sources.find(ssrc) is not None
        self._reader = LegStats(self.transceiver, self.channel, self.video)
        report_stats(self.transceiver, self.channel)
        self.pc.on("track", self._got_track)
        self.pc.on("connectionstatechange", self._connection_changed)

    # --- its paths ----------------------------------------------------------------------------------------

    @property
    def gathering(self) -> Gathering:
        """Of the path that our descriptions tell of."""
        return self._paths.described.gathering

    @property
    def sockets(self) -> SharedSockets:
        """Of that path."""
        return self._paths.described.sockets

    @property
    def _ice(self) -> Any:
        return self._paths.used.connection

    @property
    def is_secured(self) -> bool:
        """Whether there is a DTLS association, which can go on over another path."""
        return self._closing is None and self.transceiver.receiver.transport.state == "connected"

    async def wait_secured(self) -> None:
        """Until DTLS is up or will not be, a few seconds at most: begun anew meanwhile, some peers never finish it."""
        dtls = self.transceiver.receiver.transport
        changed = asyncio.Event()
        dtls.on("statechange", changed.set)
        try:
            async with asyncio.timeout(_HANDSHAKE_TIMEOUT):
                while self._closing is None and dtls.state in ("new", "connecting"):
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            pass
        finally:
            dtls.remove_listener("statechange", changed.set)

    @property
    def can_restart(self) -> bool:
        """Whether all that there is can go on over other paths."""
        return self.is_secured and self.video.can_restart

    @property
    def must_restart(self) -> bool:
        """Whether an offer has to tell of another path: that in use is dead, or the one before was not found."""
        return self.is_suspended or self._paths.is_stale

    @property
    def is_suspended(self) -> bool:
        """Whether the peer has been silent for so long that nothing more is sent."""
        return self._transport.is_suspended

    @property
    def is_restarting(self) -> bool:
        """Whether our offer with another path waits for an answer."""
        return self._paths.is_offered

    def restart(self) -> Gathering:
        """Let the offer or answer to come tell of another path. Returns what gathers for it."""
        path = self._paths.restart(self.options)
        self._watch_path(path)
        self.video.restart()
        return path.gathering

    def _watch_path(self, path: Path) -> None:
        connection = path.connection
        internals.replace_consent(connection, lambda: self._consent(path))
        internals.watch_socket(connection, lambda: self._socket_lost(path))

    def _follow_peer(self, peer: str) -> None:
        """The peer, with this ICE user name, has described itself."""
        self._paths.described.expect(peer)
        if self._paths.is_offered:
            self._transport.listen(self._paths.described.connection)
            self._paths.agree(internals.remote_ice(self.pc, self.transceiver))

    def _stay(self) -> None:
        """Forget the path that was offered."""
        self._paths.rollback()
        self.video.stay()

    def _path_switched(self) -> None:
        """Packets go another way from now on."""
        self._transport.switch(self._ice)
        self._transport.is_suspended = self._cut = False
        self._go_through(internals.relay_of(self._ice))
        self._hear()
        self._watch()

    def _socket_lost(self, path: Path) -> None:
        if path is self._paths.used:
            self._cut = True
            self._watch()

    # --- offer and answer ---------------------------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """Whether our offer waits for an answer."""
        return self.pc.signalingState == "have-local-offer"

    @property
    def ended(self) -> bool:
        """Whether the peer has closed it or it has failed for good: another offer or answer needs another leg."""
        return self._closing is not None or self.pc.signalingState == "closed"

    async def offer(
        self,
        direction: Direction,
        numbering: Numbering | None = None,
        *,
        video: Direction | None = None,
        bundled: bool = False,
        video_before: tuple[Section | None, ...] = (),
    ) -> str:
        """aiortc's offer, complete with candidates; not the first of the call, it keeps to its `numbering`.

        `video_before` is our last m-line for video, and all others whose numbers are taken.
        """
        self._assert_open("create_offer")
        self._numbering = numbering
        if not self.pending:
            self._saved = internals.snapshot(self.pc, self.transceiver)
            self.video.save()
        self.transceiver.direction = self._direction = direction
        self._video_before = video_before
        self._prefer(self.options.codecs)
        try:
            with self.watch.step("createoffer"):
                self.video.prepare_offer(video, bundled=bundled)
                offer = await self.pc.createOffer()
                if numbering is not None:
                    offer = internals.renumber(self.transceiver, offer, numbering)
                offer = self.video.number(offer, video_before)
            with self.watch.step("setlocaldescription"):
                await self.pc.setLocalDescription(offer)
        except BaseException:
            self.rollback()
            raise
        self._assert_open("create_offer")
        self.offer_text = self.pc.localDescription.sdp
        return self.offer_text

    async def answer(
        self, offer: RemoteOffer, peer: str, direction: Direction, video: Direction | None = None
    ) -> str:
        """Apply the peer's offer, mended; return aiortc's answer. `peer` is its ICE user name."""
        self._assert_open("create_answer")
        saved = internals.snapshot(self.pc, self.transceiver)
        self.video.save()
        self.transceiver.direction = self._direction = direction
        self._prefer(self.options.codecs)
        try:
            taken = offer.video
            self.video.prepare_answer(video if taken.live else None, mid=taken.mid, bundled=taken.bundled)
            with self.watch.step("setremotedescription"):
                await self.pc.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            with self.watch.step("createanswer"):
                made = await self.pc.createAnswer()
            with self.watch.step("setlocaldescription"):
                await self.pc.setLocalDescription(made)
        except BaseException as error:
            self._stay()
            self._restore(saved)
            self.video.restore()
            if isinstance(error, Exception) and not isinstance(error, MediaTransportError):
                raise _refused("offer", error) from error
            raise
        self._assert_open("create_answer")
        self._follow_peer(peer)
        self.offer_text = None
        self.video.negotiated(live=taken.live, peer=taken.peer)
        self._negotiated()
        return str(self.pc.localDescription.sdp)

    async def accept(self, answer: str, peer: str, video: AnsweredVideo) -> None:
        """Apply the peer's answer, mended, to the pending offer, or once more to the last one."""
        self._assert_open("apply_answer")
        saved = internals.snapshot(self.pc, self.transceiver)
        if not self.pending:
            internals.reopen_offer(self.pc)
            self.video.save()
        # The order of the answer is the peer's choice among the codecs that were offered.
        self._prefer(None)
        try:
            with self.watch.step("setremotedescription"):
                await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        except BaseException as error:
            self._restore(saved)
            if isinstance(error, Exception):
                raise _refused("answer", error) from error
            raise
        self._saved = None
        self._follow_peer(peer)
        self.video.negotiated(live=video.live, peer=video.peer)
        self._negotiated()

    async def add_remote_candidate(self, candidate: str | None) -> None:
        """A candidate that came later; None ends them. What aiortc cannot read is left out."""
        if self._paths.is_offered:
            return  # of the path before, which is up
        if candidate is None:
            await self.pc.addIceCandidate(None)
            return
        try:
            made = candidate_from_sdp(candidate.removeprefix("a=").removeprefix("candidate:"))
        except (ValueError, AssertionError):
            logger.warning("remote candidate left out: %r", candidate)
            return
        made.sdpMLineIndex = 0
        await self.pc.addIceCandidate(made)

    @property
    def has_moved(self) -> bool:
        """Whether an address is lost that the path was found from: one of this machine, or that of our relay."""
        if self._paths.is_restarting:
            return self.gathering.has_moved
        return self._paths.used.gathering.has_moved or (self._relay is not None and self._relay.is_lost)

    def rollback(self) -> None:
        """Forget the pending offer."""
        self._stay()
        if self.pending and self._saved is not None:
            self._restore(self._saved)
            self.video.restore()
        self._saved = None

    def _restore(self, saved: internals.Snapshot) -> None:
        internals.restore(self.pc, self.transceiver, saved)
        self.channel.set_direction(internals.current_direction(self.transceiver))

    async def fork(self) -> Leg:
        """Another leg with the same offer, on the same sockets, for an answer from somebody else."""
        leg = Leg(self.options, self._audio, self._port, self._on_state, self._on_track, base=self)
        try:
            await leg.offer(
                self._direction,
                self._numbering,
                video=self.video.offered,
                video_before=self._video_before,
            )
        except BaseException:
            await leg.close()
            raise
        return leg

    def _prefer(self, names: Sequence[str] | None) -> None:
        """Limit and order the codecs; None leaves them as the description has them."""
        by_name = {codec.name.lower(): codec for codec in RTCRtpSender.getCapabilities("audio").codecs}
        self.transceiver.setCodecPreferences([by_name[name.lower()] for name in names or ()])

    def _assert_open(self, operation: str) -> None:
        if self._closing is not None or self.pc.signalingState == "closed":
            raise InvalidStateError(operation, "closed")

    # --- audio --------------------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether this leg is what the call sounds like."""
        return self.channel.active

    def activate(self) -> None:
        """From now on this leg is what the call sounds like."""
        self.channel.active = True
        self.video.activate()

    def deactivate(self) -> None:
        """The peer hears silence, and is not heard."""
        self.channel.active = False
        self.video.deactivate()

    def _got_track(self, track: Any) -> None:
        if track.kind == "video":
            self.video.receive(track)
            return
        self.track = track
        # An application that wants aiortc's frames gets them from its first recv() on.
        internals.feed_track(track, self._feed)
        self._on_track(self, track)

    def _feed(self, push: Callable[[bytes, int], None]) -> None:
        self.channel.listener = push

    def _secured(self) -> tuple[SecureTransport, Transport]:
        """The way of packets to the peer and back, and the end of it that takes ours."""
        handler: PacketHandler = self
        if self._capture is not None:
            handler = CapturingHandler(self, self._capture, self._ends)
        secure = SecureTransport(self.transceiver.receiver.transport, handler)
        if self._capture is None:
            return secure, secure
        return secure, CapturingTransport(secure, self._capture, self._ends)

    def _ends(self) -> tuple[tuple[str, int], tuple[str, int]] | None:
        return internals.addresses(self._ice)

    def rtp(self, packet: bytes, now: float) -> None:
        """An authentic RTP packet of the peer."""
        self._heard = now
        self.channel.rtp(packet, now)

    def rtcp(self, packet: bytes, now: float) -> None:
        """An authentic RTCP packet of the peer."""
        self._heard = now
        self.channel.rtcp_packet(packet, now)

    def junk(self) -> None:
        """A packet that was not authentic."""
        self.channel.counters.received.discarded += 1

    # --- is anybody there ---------------------------------------------------------------------------------

    def agree(self, audio: NegotiatedAudio) -> None:
        """What both descriptions, as they were sent and received, have settled about the codecs."""
        self.channel.set_codecs(audio.sent, audio.received)
        self._transport.claim(self.channel.receiver.payload_types)

    def _negotiated(self) -> None:
        """What aiortc has settled."""
        channel = self.channel
        channel.set_extensions(internals.extensions_of(self.transceiver), self.transceiver.mid or "")
        channel.set_direction(internals.current_direction(self.transceiver))
        if self._started is None:
            self._started = self._heard = self._loop.time()
            self._tick()

    def _hear(self) -> None:
        self._heard = self._loop.time()

    async def _consent(self, path: Path) -> None:
        """Ask the peer's ICE now and then (:rfc:`7675`). What it means if nobody answers is for `_watch`."""
        # aioice may start this task when it is closing already, and then does not end it.
        task = asyncio.current_task()
        assert task is not None
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        while self._closing is None:
            await asyncio.sleep(_CONSENT_INTERVAL * random.uniform(0.8, 1.2))
            if path is not self._paths.used or self._transport.is_suspended:
                return
            if await internals.ask_consent(path.connection):
                self._hear()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_WATCH_INTERVAL, self._tick)
        self._watch()

    def _connection_changed(self) -> None:
        if self.video.connection_state() == "connected" and self._closing is None:
            self._hear()
            self.channel.start()
        self._watch()

    def _watch(self) -> None:
        if self._closing is not None or self._transport.is_suspended:
            return
        now = self._loop.time()
        if self._relay is not None and now - self._heard > self.options.silence_timeout / 2:
            self._relay.look()
        state = self._judge(now)
        if state == "disconnected":
            if self._lost_at is None:
                self._lost_at = now
            elif now - self._lost_at > self.options.failure_timeout:
                state = "failed"
        elif state == "connected":
            self._lost_at = None
        # Consent has run out (RFC 7675 section 5.2): nothing more is sent, unless another path is found.
        self._transport.is_suspended = state == "failed" and self.is_secured
        self._set_state(state)
        if state == "failed" and not self._transport.is_suspended:
            self._begin_close("failed")

    def _judge(self, now: float) -> MediaState:
        connection = self.video.connection_state()
        if connection == "connected":
            limit = _FAREWELL if self._cut else self.options.silence_timeout
            return "disconnected" if now - self._heard > limit else "connected"
        if connection == "failed":
            return "failed"
        if connection == "closed":
            # The peer ended DTLS. As a rule its BYE is on the way.
            return "disconnected" if now - self._heard > _FAREWELL else self.state
        if self._started is None:
            return "new"
        return "failed" if now - self._started > self.options.failure_timeout else "connecting"

    def _set_state(self, state: MediaState) -> None:
        if state != self.state:
            if state == "connected":
                self._go_through(internals.relay_of(self._ice))
            self.state = state
            self._on_state(self)

    def _go_through(self, relay: Any) -> None:
        if self._relay is not None:
            self._relay.close()
        self._relay = Relay(relay, self._loop.time) if relay is not None else None

    # --- figures and the end ------------------------------------------------------------------------------

    def stats(self) -> MediaStats:
        """As they are now; after the end, as they were then."""
        if self._closing is None:
            self._stats = self._reader.read(self.state)
        return self._stats

    async def close(self) -> None:
        """End it. Takes two seconds at most, whatever a server does not answer."""
        await asyncio.shield(self._begin_close("closed"))

    def _begin_close(self, state: MediaState) -> asyncio.Task[None]:
        if self._closing is None:
            self._stats = self._reader.read(self.state)
            self._closing = self._loop.create_task(self._close(), name="sipua leg close")
        if state == "closed":
            self.state = "closed"
        return self._closing

    async def _close(self) -> None:
        self.channel.active = False
        self.channel.stop(self._loop.time())
        self._transport.release()
        # Nothing more is counted.
        self._stats = self._reader.read(self._stats.state)
        if self._timer is not None:
            self._timer.cancel()
        if self._relay is not None:
            self._relay.close()
        others = self._paths.leave_others()
        self._paths.used.forget()
        self.video.begin_close()
        closing = self._loop.create_task(self.pc.close())
        _, late = await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
        if late:
            logger.warning("media did not close in %g s; its sockets are dropped", _CLOSE_TIMEOUT)
            internals.abandon(self._ice)
            self.video.abandon()
            closing.cancel()
            await asyncio.wait({closing}, timeout=_CLOSE_TIMEOUT)
        elif closing.exception() is not None:
            logger.warning("media did not close cleanly", exc_info=closing.exception())
            internals.abandon(self._ice)
            self.video.abandon()
        await self.video.close()
        for task in others | self._asking:
            if task in self._asking:
                task.cancel()
            await asyncio.wait({task})
        if self.track is not None:
            self.track.stop()


def _refused(what: str, error: Exception) -> MediaNegotiationError:
    return MediaNegotiationError(f"the {what} cannot be applied: {str(error) or type(error).__name__}")
