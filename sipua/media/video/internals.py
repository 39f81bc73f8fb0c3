"""The private parts of aiortc that video uses, as `sipua.media.internals` has those of audio.

They are listed there, in `PRIVATE_PARTS`.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiortc import InvalidStateError, RTCBundlePolicy
from aiortc.codecs import get_encoder
from aiortc.rtp import RtcpByePacket

from sipua.media.internals import TransceiverState, restore_transceiver, transceiver_state

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiortc import RTCPeerConnection, RTCRtpTransceiver
    from aiortc.mediastreams import MediaStreamTrack
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters

__all__ = [
    "Saved",
    "SendingVideo",
    "add_transceiver",
    "forbid_start",
    "guard_connect",
    "guard_receiver",
    "guard_transport",
    "impersonate",
    "number",
    "path_state",
    "receive_codecs",
    "remove_transceiver",
    "rename",
    "reserve_mids",
    "restore",
    "save",
    "stop_path",
]


logger = logging.getLogger(__name__)


def add_transceiver(pc: RTCPeerConnection, track: MediaStreamTrack, *, bundled: bool) -> RTCRtpTransceiver:
    """One that uses the transport that is there (:rfc:`8843`), or one of its own that a bundle may make needless."""
    configuration = cast("Any", pc)._RTCPeerConnection__configuration
    before = configuration.bundlePolicy
    configuration.bundlePolicy = RTCBundlePolicy.MAX_BUNDLE if bundled else RTCBundlePolicy.MAX_COMPAT
    try:
        return pc.addTransceiver(track, "sendrecv")
    finally:
        configuration.bundlePolicy = before


def guard_connect(pc: RTCPeerConnection) -> None:
    """Let a connection that is still coming up survive the next round.

    aiortc connects in a task after each description. One that is not done yet meets a transceiver that was added
    meanwhile, of which the description in force knows nothing, and fails; the task of that round does it right.
    """
    private: Any = pc
    connect = private._RTCPeerConnection__connect

    async def survive() -> None:
        try:
            await connect()
        except (IndexError, InvalidStateError):
            logger.debug("overtaken by another round, or by the end", exc_info=True)

    private._RTCPeerConnection__connect = survive


def reserve_mids(pc: RTCPeerConnection, mids: Iterable[str]) -> None:
    """Names of m-lines that aiortc has not seen, and must not give to others."""
    private: Any = pc
    private._RTCPeerConnection__seenMids.update(mids)


def remove_transceiver(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> None:
    """As if it had never been added. It must not have been agreed on; a transport of its own is left to `stop_path`."""
    private: Any = pc
    private._RTCPeerConnection__transceivers.remove(transceiver)


async def stop_path(pc: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> None:
    """End the transport of a transceiver that was removed."""
    private: Any = pc
    dtls = transceiver.receiver.transport
    private._RTCPeerConnection__dtlsTransports.discard(dtls)
    private._RTCPeerConnection__iceTransports.discard(dtls.transport)
    await dtls.stop()
    await dtls.transport.stop()
    private._RTCPeerConnection__updateConnectionState()


def path_state(transceiver: RTCRtpTransceiver) -> str:
    """What aiortc would call the state of a connection that has this transceiver's transport alone."""
    dtls = transceiver.receiver.transport
    states = {dtls.state, dtls.transport.state}
    if "failed" in states:
        return "failed"
    if states <= {"connected", "completed"}:
        return "connected"
    return "new" if states <= {"new", "closed"} else "connecting"


def impersonate(source: RTCRtpTransceiver, target: RTCRtpTransceiver) -> None:
    """Give a new transceiver the SSRCs of another one."""
    target.sender._ssrc, target.sender._rtx_ssrc = source.sender._ssrc, source.sender._rtx_ssrc
    target.receiver._set_rtcp_ssrc(source.sender._ssrc)


def rename(transceiver: RTCRtpTransceiver, mid: str) -> None:
    """The peer has another name for the m-line now; it is in our packets, too."""
    transceiver._set_mid(mid)
    transceiver.sender._RTCRtpSender__mid = mid  # type: ignore[attr-defined]


@dataclass(slots=True)
class Saved:
    """What an offer or answer changes in a transceiver that may be added later."""

    state: TransceiverState
    mid: str | None


def save(transceiver: RTCRtpTransceiver) -> Saved:
    """Take down what `restore` needs."""
    return Saved(transceiver_state(transceiver), transceiver.mid)


def restore(transceiver: RTCRtpTransceiver, saved: Saved) -> None:
    """Go back."""
    restore_transceiver(transceiver, saved.state)
    if saved.mid is not None:
        rename(transceiver, saved.mid)


def number(
    transceiver: RTCRtpTransceiver,
    codecs: Callable[[list[RTCRtpCodecParameters]], list[RTCRtpCodecParameters]],
    extensions: Callable[[list[RTCRtpHeaderExtensionParameters]], list[RTCRtpHeaderExtensionParameters]],
) -> tuple[list[RTCRtpCodecParameters], list[RTCRtpHeaderExtensionParameters]]:
    """Number the codecs and header extensions that were just offered; returns them."""
    transceiver._codecs = codecs(transceiver._codecs)
    transceiver._headerExtensions = extensions(transceiver._headerExtensions)
    return transceiver._codecs, transceiver._headerExtensions


class SendingVideo:
    """The codec that a sender uses, which aiortc settles once and for all.

    Its loop is started with a codec of our own, which can be altered while it runs.
    """

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        self._transceiver = transceiver
        self._codec: Any = None
        self._sender = cast("Any", transceiver.sender)
        self._run: Callable[[Any], Awaitable[None]] = self._sender._run_rtp
        self._sender._run_rtp = self._start

    async def _start(self, codec: Any) -> None:
        self._codec = copy.copy(codec)
        await self._run(self._codec)

    def follow(self) -> None:
        """Go on with the first of the codecs that were negotiated last."""
        codec = next(iter(self._transceiver._codecs), None)
        if self._codec is None or codec is None or self._codec == codec:
            return
        if (self._codec.mimeType, self._codec.parameters) != (codec.mimeType, codec.parameters):
            self._sender._RTCRtpSender__encoder = get_encoder(codec)
        for field in dataclasses.fields(codec):
            setattr(self._codec, field.name, getattr(codec, field.name))


def receive_codecs(transceiver: RTCRtpTransceiver) -> None:
    """Let a receiver that runs already know what was negotiated now. aiortc tells it the first time only."""
    receiver: Any = transceiver.receiver
    known: dict[int | None, Any] = receiver._RTCRtpReceiver__codecs
    if known:
        known.update({codec.payloadType: codec for codec in transceiver._codecs})
        # Of a transport that it may have been bundled with since it was started, too.
        router = receiver.transport._rtp_router
        router.register_receiver(receiver, ssrcs=[], payload_types=list(known))


def expect_bundling(audio: RTCRtpTransceiver, video: RTCRtpTransceiver) -> None:
    """Let what the peer says of our video over the audio's transport reach it.

    The peer that bundles them asks for packets again as soon as one came that way: while the answer is being applied.
    It asks once, and waits for them for seconds.
    """
    sender: Any = video.sender
    transport: Any = audio.receiver.transport
    transport._rtp_router.register_sender(sender, ssrc=sender._ssrc)


def forbid_start(transceiver: RTCRtpTransceiver) -> None:
    """From now on neither sender nor receiver can be started, nor what they are to go over.

    A connection that is closed while the path of its audio comes up would go on with its video: it would fail at a
    transport that is closed, or start tasks that nobody ends.
    """

    async def nothing(parameters: Any) -> None:
        pass

    sender: Any = transceiver.sender
    receiver: Any = transceiver.receiver
    transport: Any = receiver.transport
    sender.send = receiver.receive = nothing
    transport.start = transport.transport.start = nothing


def guard_transport(transceiver: RTCRtpTransceiver) -> None:
    """Survive packets that aiortc cannot handle: an exception would end its receiving task, and with it the call.

    And a transport that is closed: it would end the sender's task, though the video may go on over another one, as when
    the peer's answer, which bundles, comes after the end of what it had before.
    """
    transport: Any = transceiver.receiver.transport

    def guarded(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def survive(*args: Any, **named: Any) -> None:
            try:
                await handle(*args, **named)
            except Exception:
                logger.debug("a packet that cannot be handled", exc_info=True)

        return survive

    send = transport._send_rtp

    async def send_if_open(data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await send(data)

    transport._send_rtp = send_if_open
    transport._handle_rtp_data = guarded(transport._handle_rtp_data)
    transport._handle_rtcp_data = guarded(transport._handle_rtcp_data)


def guard_receiver(transceiver: RTCRtpTransceiver) -> None:
    """Keep RTCP BYE from a receiver, and the end of a transport that another may take the place of.

    Either would end the remote track for good.
    """
    receiver: Any = transceiver.receiver
    receiver._handle_disconnect = lambda: None
    handle = receiver._handle_rtcp_packet

    async def rtcp(packet: Any) -> None:
        if not isinstance(packet, RtcpByePacket):
            await handle(packet)

    receiver._handle_rtcp_packet = rtcp
