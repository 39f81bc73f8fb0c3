"""Every private part of aiortc and aioice that sipua uses, each behind a function that says what for.

`PRIVATE_PARTS` lists them; tests/media/test_contract.py holds the list against the installed versions and
fails when one has changed. Besides this module only `ice` touches names of theirs that begin with an
underscore.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aioice import ConnectionClosed
from aioice.stun import TransactionError
from aiortc import RTCSessionDescription
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtcpByePacket
from aiortc.sdp import SessionDescription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
    from aiortc.codecs.base import Encoder
    from aiortc.rtcdtlstransport import RTCDtlsTransport

    from sipua.media.interface import Direction
    from sipua.media.numbering import Numbering

__all__ = [
    "PRIVATE_PARTS",
    "Counters",
    "Sending",
    "Snapshot",
    "abandon",
    "ask_consent",
    "candidate_pair",
    "codecs_of",
    "counters",
    "current_direction",
    "dtls_role",
    "forbid_start",
    "guard_receiver",
    "guard_transport",
    "ice_of",
    "impersonate",
    "impersonate_transceiver",
    "receive_codecs",
    "renumber",
    "reopen_offer",
    "replace_consent",
    "restore",
    "snapshot",
]

logger = logging.getLogger(__name__)

#: What is used, by class: attributes of instances and methods.
PRIVATE_PARTS: dict[str, tuple[str, ...]] = {
    "aiortc.RTCPeerConnection": (
        "_RTCPeerConnection__certificates",
        "_RTCPeerConnection__currentLocalDescription",
        "_RTCPeerConnection__currentRemoteDescription",
        "_RTCPeerConnection__pendingLocalDescription",
        "_RTCPeerConnection__pendingRemoteDescription",
        "_RTCPeerConnection__remoteDtls",
        "_RTCPeerConnection__remoteIce",
        "_RTCPeerConnection__setSignalingState",
    ),
    "aiortc.RTCRtpTransceiver": (
        "_codecs",
        "_headerExtensions",
        "_offerDirection",
        "_preferred_codecs",
        "_setCurrentDirection",
    ),
    "aiortc.RTCRtpSender": (
        "_RTCRtpSender__encoder",
        "_RTCRtpSender__octet_count",
        "_RTCRtpSender__packet_count",
        "_RTCRtpSender__rtt",
        "_RTCRtpSender__stats",
        "_run_rtp",
        "_ssrc",
    ),
    "aiortc.RTCRtpReceiver": (
        "_RTCRtpReceiver__codecs",
        "_RTCRtpReceiver__jitter_buffer",
        "_RTCRtpReceiver__remote_streams",
        "_handle_rtcp_packet",
        "_handle_rtp_packet",
        "_set_rtcp_ssrc",
    ),
    "aiortc.jitterbuffer.JitterBuffer": (),
    "aiortc.rtcrtpreceiver.StreamStatistics": ("_clockrate", "jitter", "packets_lost", "packets_received"),
    "aiortc.rtcdtlstransport.RTCDtlsTransport": (
        "_handle_rtcp_data",
        "_handle_rtp_data",
        "_role",
        "_rtp_router",
    ),
    "aiortc.rtcdtlstransport.RtpRouter": ("register_receiver",),
    "aiortc.rtcicetransport.RTCIceTransport": ("_connection",),
    "aioice.ice.Connection": (
        "_emit_event",
        "_local_candidates",
        "_local_candidates_end",
        "_local_candidates_start",
        "_local_password",
        "_local_username",
        "_nominated",
        "_pair_remote_candidate",
        "_protocols",
        "_queue",
        "_remote_candidates",
        "add_remote_candidate",
        "build_request",
        "gather_candidates",
        "get_component_candidates",
        "query_consent",
        "sort_check_list",
    ),
    "aioice.ice.StunProtocol": (
        "close",
        "connection_lost",
        "datagram_received",
        "local_candidate",
        "receiver",
        "request",
        "transactions",
        "transport",
    ),
    "aioice.candidate.Candidate": ("_network_host",),
    "aioice.turn.TurnTransport": ("_TurnTransport__close_task",),
}


# --- offer and answer -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Snapshot:
    """What an offer or an answer changes in a connection with one transceiver."""

    signaling: str
    descriptions: tuple[Any, ...]
    remote_dtls: dict[Any, Any]
    remote_ice: dict[Any, Any]
    codecs: list[Any]
    extensions: list[Any]
    preferred: list[Any]
    direction: str
    offer_direction: str | None
    current_direction: str | None


_DESCRIPTIONS = tuple(
    f"_RTCPeerConnection__{name}"
    for name in (
        "currentLocalDescription",
        "pendingLocalDescription",
        "currentRemoteDescription",
        "pendingRemoteDescription",
    )
)


def snapshot(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> Snapshot:
    """Take down what `restore` needs. aiortc has no rollback of its own that works."""
    private: Any = pc
    return Snapshot(
        signaling=pc.signalingState,
        descriptions=tuple(getattr(pc, name) for name in _DESCRIPTIONS),
        remote_dtls=dict(private._RTCPeerConnection__remoteDtls),
        remote_ice=dict(private._RTCPeerConnection__remoteIce),
        codecs=list(transceiver._codecs),
        extensions=list(transceiver._headerExtensions),
        preferred=list(transceiver._preferred_codecs),
        direction=transceiver.direction,
        offer_direction=transceiver._offerDirection,
        current_direction=transceiver.currentDirection,
    )


def restore(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver, saved: Snapshot) -> None:
    """Go back: what was offered or half applied since the snapshot is forgotten."""
    if pc.signalingState == "closed":
        return
    private: Any = pc
    for name, value in zip(_DESCRIPTIONS, saved.descriptions, strict=True):
        setattr(pc, name, value)
    private._RTCPeerConnection__remoteDtls.clear()
    private._RTCPeerConnection__remoteDtls.update(saved.remote_dtls)
    private._RTCPeerConnection__remoteIce.clear()
    private._RTCPeerConnection__remoteIce.update(saved.remote_ice)
    transceiver._codecs = saved.codecs
    transceiver._headerExtensions = saved.extensions
    transceiver._preferred_codecs = saved.preferred
    transceiver._offerDirection = saved.offer_direction
    transceiver.direction = saved.direction
    if saved.current_direction is not None:
        transceiver._setCurrentDirection(saved.current_direction)
    if pc.signalingState != saved.signaling:
        private._RTCPeerConnection__setSignalingState(saved.signaling)


def reopen_offer(pc: RTCPeerConnection) -> None:
    """Make the offer that was answered pending again, so that another answer of the same peer can be applied.

    aiortc keeps it as the pending local description, only the state has moved on.
    """
    private: Any = pc
    private._RTCPeerConnection__setSignalingState("have-local-offer")


def codecs_of(transceiver: RTCRtpTransceiver) -> list[Any]:
    """The negotiated codecs; the first is the one that is sent."""
    return list(transceiver._codecs)


def renumber(
    transceiver: RTCRtpTransceiver, offer: RTCSessionDescription, numbering: Numbering
) -> RTCSessionDescription:
    """The offer that was just made, with the numbers that the call has."""
    codecs = numbering.codecs(transceiver._codecs)
    extensions = numbering.header_extensions(transceiver._headerExtensions)
    transceiver._codecs, transceiver._headerExtensions = codecs, extensions
    description = SessionDescription.parse(offer.sdp)
    (media,) = description.media
    media.fmt = [codec.payloadType for codec in codecs]
    media.rtp.codecs, media.rtp.headerExtensions = codecs, extensions
    return RTCSessionDescription(str(description), offer.type)


def current_direction(transceiver: RTCRtpTransceiver) -> Direction | None:
    """What was negotiated last, seen from this side."""
    return cast("Direction | None", transceiver.currentDirection)


def dtls_role(transceiver: RTCRtpTransceiver) -> str | None:
    """``active`` or ``passive`` once that is settled for this side."""
    role: str = transceiver.receiver.transport._role
    return {"client": "active", "server": "passive"}.get(role)


def impersonate(source: RTCPeerConnection, target: RTCPeerConnection) -> None:
    """Give a new connection the certificate of another one. To be called before it has a transceiver."""
    private: Any = target
    private._RTCPeerConnection__certificates = source._RTCPeerConnection__certificates  # type: ignore[attr-defined]


def impersonate_transceiver(source: RTCRtpTransceiver, target: RTCRtpTransceiver) -> None:
    """Give a new transceiver the SSRC and the ICE credentials of another one."""
    ssrc = source.sender._ssrc
    target.sender._ssrc = ssrc
    target.receiver._set_rtcp_ssrc(ssrc)
    old, new = ice_of(source), ice_of(target)
    new._local_username = old._local_username
    new._local_password = old._local_password


class Sending:
    """The codec that a sender uses, which aiortc settles once and for all.

    Its loop is started with a codec of our own, which can be altered while it runs.
    """

    def __init__(self, sender: RTCRtpSender, make_encoder: Callable[[Any], Encoder]) -> None:
        self.codec: Any = None
        self._sender = cast("Any", sender)
        self._make_encoder = make_encoder
        self._run: Callable[[Any], Awaitable[None]] = self._sender._run_rtp
        self._sender._run_rtp = self._start

    async def _start(self, codec: Any) -> None:
        self.codec = copy.copy(codec)
        self._sender._RTCRtpSender__encoder = self._make_encoder(codec)
        await self._run(self.codec)

    def change(self, codec: Any) -> bool:
        """Go on with this codec: same SSRC, next sequence number. Whether it is another one than before."""
        if self.codec is None or self.codec == codec:
            return False
        changed = bool(self.codec.mimeType != codec.mimeType)
        if changed:
            self._sender._RTCRtpSender__encoder = self._make_encoder(codec)
        for field in dataclasses.fields(codec):
            setattr(self.codec, field.name, getattr(codec, field.name))
        return changed


def receive_codecs(transceiver: RTCRtpTransceiver) -> None:
    """Let a receiver that runs already know what was negotiated now. aiortc tells it the first time only."""
    receiver: Any = transceiver.receiver
    known: dict[int | None, Any] = receiver._RTCRtpReceiver__codecs
    if known:
        known.update({codec.payloadType: codec for codec in transceiver._codecs})
        receiver.transport._rtp_router.register_receiver(receiver, ssrcs=[], payload_types=list(known))


# --- packets ----------------------------------------------------------------------------------------------


def guard_receiver(receiver: RTCRtpReceiver, accept: Callable[[Any], bool]) -> None:
    """Show every RTP packet to `accept` before aiortc handles it, and keep RTCP BYE from it.

    A packet that is not accepted is taken out of the sequence, as the jitter buffer would wait for it. A BYE
    would end the remote track for good, although the same transport may carry another sender a moment later.
    """
    handle_rtp, handle_rtcp = receiver._handle_rtp_packet, receiver._handle_rtcp_packet
    private: Any = receiver
    removed = 0
    payload_type: int | None = None

    async def rtp(packet: Any, arrival_time_ms: int) -> None:
        nonlocal removed, payload_type
        if not accept(packet):
            removed += 1
            return
        if packet.payload_type != payload_type:
            if payload_type is not None:
                # aiortc would decode what waits in the buffer with the codec of this packet: a burst of
                # noise.
                private._RTCRtpReceiver__jitter_buffer = JitterBuffer(capacity=16, prefetch=4)
            payload_type = packet.payload_type
        if removed:
            packet.sequence_number = (packet.sequence_number - removed) & 0xFFFF
        await handle_rtp(packet, arrival_time_ms=arrival_time_ms)

    async def rtcp(packet: Any) -> None:
        if not isinstance(packet, RtcpByePacket):
            await handle_rtcp(packet)

    private._handle_rtp_packet = rtp
    private._handle_rtcp_packet = rtcp


def guard_transport(transport: RTCDtlsTransport, heard: Callable[[], None], bad: Callable[[], None]) -> None:
    """Tell of every RTP and RTCP packet that was authentic, and survive those that cannot be read.

    An exception from here would end aiortc's receiving task and with it the call.
    """
    private: Any = transport
    handle_rtp, handle_rtcp = private._handle_rtp_data, private._handle_rtcp_data

    async def rtp(data: bytes, arrival_time_ms: int) -> None:
        heard()
        try:
            await handle_rtp(data, arrival_time_ms=arrival_time_ms)
        except Exception:
            bad()
            logger.debug("RTP packet that cannot be handled", exc_info=True)

    async def rtcp(data: bytes) -> None:
        heard()
        try:
            await handle_rtcp(data)
        except Exception:
            bad()
            logger.debug("RTCP packet that cannot be handled", exc_info=True)

    private._handle_rtp_data = rtp
    private._handle_rtcp_data = rtcp


def forbid_start(transceiver: RTCRtpTransceiver) -> None:
    """From now on neither sender nor receiver can be started.

    A connection that is closed while DTLS comes up would start them afterwards, and nobody would end their
    tasks.
    """

    async def nothing(parameters: Any) -> None:
        pass

    sender: Any = transceiver.sender
    receiver: Any = transceiver.receiver
    sender.send = receiver.receive = nothing


@dataclass(slots=True)
class Counters:
    """What aiortc has counted on one transceiver."""

    packets_sent: int = 0
    bytes_sent: int = 0
    rtt: float | None = None
    packets_lost_remote: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    jitter: float = 0.0


def counters(sender: RTCRtpSender, receiver: RTCRtpReceiver) -> Counters:
    """Read without awaiting anything; getStats is a coroutine and costs a hundred times as much."""
    private: Any = sender
    result = Counters(
        packets_sent=private._RTCRtpSender__packet_count,
        bytes_sent=private._RTCRtpSender__octet_count,
        rtt=private._RTCRtpSender__rtt,
    )
    for report in private._RTCRtpSender__stats.values():
        if report.type == "remote-inbound-rtp":
            result.packets_lost_remote = max(0, report.packetsLost)
    streams: Any = receiver._RTCRtpReceiver__remote_streams.values()  # type: ignore[attr-defined]
    for stream in streams:
        result.packets_received += stream.packets_received
        result.packets_lost += max(0, stream.packets_lost)
        result.jitter = stream.jitter / stream._clockrate
    return result


# --- ICE --------------------------------------------------------------------------------------------------


def ice_of(transceiver: RTCRtpTransceiver) -> Any:
    """The aioice connection below a transceiver."""
    return transceiver.receiver.transport.transport._connection


def replace_consent(connection: Any, consent: Callable[[], Awaitable[None]]) -> None:
    """Run `consent` once connected.

    The checks of aioice that it replaces close a silent connection after 31 s.
    """
    connection.query_consent = consent


async def ask_consent(connection: Any) -> bool:
    """Whether the peer's ICE answers on the pair in use. Takes 1.5 s to say no."""
    for pair in list(connection._nominated.values()):
        request = connection.build_request(pair, nominate=False)
        key = connection.remote_password.encode()
        try:
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=1)
        except TransactionError:
            continue
        return True
    return False


def candidate_pair(connection: Any) -> tuple[str | None, str | None]:
    """The local and the remote candidate in use, for people to read."""
    for pair in connection._nominated.values():
        local, remote = pair.local_candidate, pair.remote_candidate
        return (
            f"{local.type} {local.host}:{local.port}",
            f"{remote.type} {remote.host}:{remote.port}",
        )
    return None, None


def abandon(connection: Any) -> None:
    """Let go of sockets without waiting for anybody, such as a TURN server that does not answer any more."""
    for protocol in list(connection._protocols):
        transport = getattr(protocol, "transport", None)
        if transport is None:
            continue
        transport.close()
        task = getattr(transport, "_TurnTransport__close_task", None)
        if task is not None:
            task.cancel()
    # What would come after that: whoever waits for data or for the end is let go.
    connection._queue.put_nowait(None)
    connection._emit_event(ConnectionClosed())
