"""Every private part of aiortc and aioice that sipua uses, each behind a function that says what for.

`PRIVATE_PARTS` lists them; tests/media/test_contract.py holds the list against the installed versions and
fails when one has changed. Besides this module only `ice`, `srtp`, `gathering` and `paths` touch names of
theirs that begin with an underscore.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aioice import ConnectionClosed
from aioice.stun import Class, Message, Method, TransactionError, TransactionFailed
from aiortc import RTCSessionDescription
from aiortc.sdp import SessionDescription

from sipua.media.pcm import frame_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from aiortc import RTCIceParameters, RTCPeerConnection, RTCRtpTransceiver

    from sipua.media.interface import Direction
    from sipua.media.numbering import Numbering

__all__ = [
    "PRIVATE_PARTS",
    "Snapshot",
    "TransceiverState",
    "abandon",
    "addresses",
    "ask_consent",
    "candidate_pair",
    "cname_of",
    "codecs_of",
    "current_direction",
    "described_ice_of",
    "dtls_of",
    "dtls_role",
    "extensions_of",
    "feed_track",
    "ice_of",
    "impersonate",
    "impersonate_transceiver",
    "remote_ice",
    "renumber",
    "reopen_offer",
    "replace_consent",
    "restore",
    "restore_transceiver",
    "snapshot",
    "ssrc_of",
    "take_over_audio",
    "transceiver_state",
    "watch_socket",
]

#: What is used, by class: attributes of instances and methods.
PRIVATE_PARTS: dict[str, tuple[str, ...]] = {
    "aiortc.RTCPeerConnection": (
        "_RTCPeerConnection__certificates",
        "_RTCPeerConnection__cname",
        "_RTCPeerConnection__configuration",
        "_RTCPeerConnection__connect",
        "_RTCPeerConnection__currentLocalDescription",
        "_RTCPeerConnection__currentRemoteDescription",
        "_RTCPeerConnection__pendingLocalDescription",
        "_RTCPeerConnection__pendingRemoteDescription",
        "_RTCPeerConnection__dtlsTransports",
        "_RTCPeerConnection__iceTransports",
        "_RTCPeerConnection__remoteDtls",
        "_RTCPeerConnection__remoteIce",
        "_RTCPeerConnection__seenMids",
        "_RTCPeerConnection__setSignalingState",
        "_RTCPeerConnection__transceivers",
        "_RTCPeerConnection__updateConnectionState",
    ),
    "aiortc.RTCRtpTransceiver": (
        "_codecs",
        "_headerExtensions",
        "_offerDirection",
        "_preferred_codecs",
        "_setCurrentDirection",
        "_set_mid",
    ),
    "aiortc.RTCRtpSender": ("_RTCRtpSender__encoder", "_RTCRtpSender__mid", "_rtx_ssrc", "_run_rtp", "_ssrc"),
    "aiortc.RTCRtpReceiver": (
        "_RTCRtpReceiver__codecs",
        "_RTCRtpReceiver__decoder_queue",
        "_RTCRtpReceiver__jitter_buffer",
        "_handle_disconnect",
        "_handle_rtcp_packet",
        "_set_rtcp_ssrc",
    ),
    "aiortc.rtcrtpreceiver.RemoteStreamTrack": ("_queue",),
    "aiortc.rtcdtlstransport.RTCDtlsTransport": (
        "_handle_rtcp_data",
        "_send_rtp",
        "_handle_rtp_data",
        "_role",
        "_rtp_router",
        "_rx_srtp",
        "_ssl",
        "_state",
        "_tx_srtp",
    ),
    "aiortc.rtcdtlstransport.RtpRouter": ("receivers", "register_receiver", "register_sender", "senders"),
    "aiortc.rtcicetransport.RTCIceGatherer": ("_connection",),
    "aiortc.rtcicetransport.RTCIceTransport": (
        "_RTCIceTransport__iceGatherer",
        "_connection",
        "_recv",
        "_send",
    ),
    "aioice.ice.Connection": (
        "_emit_event",
        "_event_waiter",
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
        "data_received",
        "gather_candidates",
        "get_component_candidates",
        "protocol_lost",
        "query_consent",
        "sort_check_list",
    ),
    "aioice.ice.CandidatePair": ("local_candidate", "protocol", "remote_addr", "remote_candidate"),
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
    "aioice.turn.TurnTransport": ("_TurnTransport__close_task", "_TurnTransport__inner_protocol"),
    "aioice.turn.TurnClientUdpProtocol": ("lifetime", "request_with_retry", "transport"),
}


# --- offer and answer -------------------------------------------------------------------------------------


@dataclass(slots=True)
class TransceiverState:
    """What an offer or an answer changes in a transceiver."""

    codecs: list[Any]
    extensions: list[Any]
    preferred: list[Any]
    direction: str
    offer_direction: str | None
    current_direction: str | None


def transceiver_state(transceiver: RTCRtpTransceiver) -> TransceiverState:
    """Take down what `restore_transceiver` needs."""
    return TransceiverState(
        codecs=list(transceiver._codecs),
        extensions=list(transceiver._headerExtensions),
        preferred=list(transceiver._preferred_codecs),
        direction=transceiver.direction,
        offer_direction=transceiver._offerDirection,
        current_direction=transceiver.currentDirection,
    )


def restore_transceiver(transceiver: RTCRtpTransceiver, saved: TransceiverState) -> None:
    """Go back."""
    transceiver._codecs = saved.codecs
    transceiver._headerExtensions = saved.extensions
    transceiver._preferred_codecs = saved.preferred
    transceiver._offerDirection = saved.offer_direction
    transceiver.direction = saved.direction
    if saved.current_direction is not None:
        transceiver._setCurrentDirection(saved.current_direction)


@dataclass(slots=True)
class Snapshot:
    """What an offer or an answer changes in a connection and its audio transceiver."""

    signaling: str
    descriptions: tuple[Any, ...]
    remote_dtls: dict[Any, Any]
    remote_ice: dict[Any, Any]
    audio: TransceiverState


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
        audio=transceiver_state(transceiver),
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
    restore_transceiver(transceiver, saved.audio)
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
    media = description.media[0]
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


def dtls_of(transceiver: RTCRtpTransceiver) -> tuple[str, str | None, str | None, str | None]:
    """State, version and cipher of the DTLS below a transceiver, and the SRTP profile that it has settled."""
    transport: Any = transceiver.receiver.transport
    ssl = transport._ssl
    cipher = ssl.get_cipher_name() if ssl is not None else None
    if cipher is None:
        return transport.state, None, None, None
    profile = ssl.get_selected_srtp_profile()
    return transport.state, ssl.get_protocol_version_name(), cipher, profile.decode() or None


def impersonate(source: RTCPeerConnection, target: RTCPeerConnection) -> None:
    """Give a new connection the certificate of another one. To be called before it has a transceiver."""
    private: Any = target
    private._RTCPeerConnection__certificates = source._RTCPeerConnection__certificates  # type: ignore[attr-defined]


def impersonate_transceiver(source: RTCRtpTransceiver, target: RTCRtpTransceiver) -> None:
    """Give a new transceiver the SSRC and the ICE credentials of another one."""
    ssrc = source.sender._ssrc
    target.sender._ssrc = ssrc
    target.receiver._set_rtcp_ssrc(ssrc)
    old, new = described_ice_of(source), described_ice_of(target)
    new._local_username = old._local_username
    new._local_password = old._local_password


# --- packets ----------------------------------------------------------------------------------------------


def take_over_audio(transceiver: RTCRtpTransceiver) -> None:
    """Keep aiortc's sender and receiver from ever being started, and drop what they hold for that.

    Their loops, decoder thread, jitter buffer and RTCP tasks are what the audio engine is in the place of.
    """

    async def nothing(parameters: Any) -> None:
        pass

    sender: Any = transceiver.sender
    receiver: Any = transceiver.receiver
    sender.send = receiver.receive = nothing
    receiver._RTCRtpReceiver__jitter_buffer = None
    receiver._RTCRtpReceiver__decoder_queue = None


def ssrc_of(transceiver: RTCRtpTransceiver) -> int:
    """What our descriptions say that this transceiver sends."""
    ssrc: int = transceiver.sender._ssrc
    return ssrc


def cname_of(pc: RTCPeerConnection) -> str:
    """The canonical name in our descriptions."""
    private: Any = pc
    cname: str = private._RTCPeerConnection__cname
    return cname


def extensions_of(transceiver: RTCRtpTransceiver) -> dict[str, int]:
    """The identifiers of the header extensions that were negotiated."""
    return {extension.uri: extension.id for extension in transceiver._headerExtensions}


# Frames for an application that stopped reading a track: two seconds, then the oldest go.
_TRACK_FRAMES = 100


def feed_track(track: Any, start: Callable[[Callable[[bytes, int], None]], None]) -> None:
    """Let frames into aiortc's remote track once somebody reads it: `start` is given what to push PCM with.

    Tracks nobody reads would be filled without bound, and cost decoding.
    """
    recv = track.recv
    queue: asyncio.Queue[Any] = track._queue
    begun, pts = False, 0

    def push(pcm: bytes, rate: int) -> None:
        nonlocal pts
        if queue.qsize() >= _TRACK_FRAMES:
            queue.get_nowait()
        frame = frame_of(pcm, rate, pts)
        pts += frame.samples
        queue.put_nowait(frame)

    async def first_recv() -> Any:
        nonlocal begun
        if not begun:
            begun = True
            start(push)
        return await recv()

    def ended() -> None:
        # Whoever waits for a frame learns that there will be none.
        queue.put_nowait(None)

    track.recv = first_recv
    track.once("ended", ended)


# --- ICE --------------------------------------------------------------------------------------------------


def ice_of(transceiver: RTCRtpTransceiver) -> Any:
    """The aioice connection that the packets of a transceiver go over."""
    transport: Any = transceiver.receiver.transport.transport
    return transport._send.__self__


def described_ice_of(transceiver: RTCRtpTransceiver) -> Any:
    """The one that is negotiated about: another one during an ICE restart."""
    return transceiver.receiver.transport.transport.iceGatherer._connection


def remote_ice(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> RTCIceParameters:
    """The credentials in the last description of the peer."""
    private: Any = pc
    parameters: RTCIceParameters = private._RTCPeerConnection__remoteIce[transceiver]
    return parameters


def watch_socket(connection: Any, lost: Callable[[], None]) -> None:
    """Call `lost` when the socket of the pair in use is gone.

    aioice would end whoever reads: the DTLS association, which another path may serve.
    """

    def protocol_lost(protocol: Any) -> None:
        if any(pair.protocol is protocol for pair in connection._nominated.values()):
            lost()

    connection.protocol_lost = protocol_lost


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


_ALLOCATION_MISMATCH = 437


def relay_of(connection: Any) -> Any:
    """The allocation (aioice's TurnTransport) that the pair in use goes through; None: it goes through none of ours."""
    for pair in connection._nominated.values():
        if pair.local_candidate.type == "relay":
            return pair.protocol.transport
    return None


async def allocation_is_lost(relay: Any) -> bool:
    """Refresh an allocation; whether its server knows nothing of it, or is not connected any more."""
    client = relay._TurnTransport__inner_protocol
    if client.transport.is_closing():
        return True
    request = Message(message_method=Method.REFRESH, message_class=Class.REQUEST)
    request.attributes["LIFETIME"] = client.lifetime
    try:
        await client.request_with_retry(request)
    except TransactionFailed as error:
        return bool(error.response.error_code == _ALLOCATION_MISMATCH)
    except TransactionError:
        return bool(client.transport.is_closing())
    return False


def addresses(connection: Any) -> tuple[tuple[str, int], tuple[str, int]] | None:
    """IP address and port of this side and of the peer, of the pair in use."""
    for pair in connection._nominated.values():
        local, remote = pair.local_candidate, pair.remote_candidate
        return (local.host, local.port), (remote.host, remote.port)
    return None


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
