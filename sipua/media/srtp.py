"""RTP and RTCP over aiortc's DTLS-SRTP, from the callback of the socket and straight to the socket.

aiortc hands every datagram through a queue to a task, and from there through two coroutines per packet. What
belongs to the audio engine is taken out before: it is known by its payload type, which is unique within a
transport (:rfc:`8843#section-9.1`). Everything else (DTLS, video) goes aiortc's way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, cast

import pylibsrtp
from aiortc.rtcdtlstransport import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiortc.rtcdtlstransport import RTCDtlsTransport

__all__ = ["PacketHandler", "SecureTransport"]


class PacketHandler(Protocol):
    """Takes packets that were authentic; `now` is the time of the loop."""

    def rtp(self, packet: bytes, now: float) -> None:
        """An RTP packet."""

    def rtcp(self, packet: bytes, now: float) -> None:
        """A compound RTCP packet."""

    def junk(self) -> None:
        """Something that was neither."""


class SecureTransport:
    """Sends and receives on an aiortc transport while that is connected."""

    def __init__(self, dtls: RTCDtlsTransport, handler: PacketHandler) -> None:
        self._dtls = cast("Any", dtls)
        self._handler = handler
        self._connection: Any = self._dtls.transport._connection
        self._queue = self._connection.data_received
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._ours: frozenset[int] = frozenset()
        self._others: set[asyncio.Task[None]] = set()
        self._connection.data_received = self._received

    def claim(self, payload_types: Iterable[int]) -> None:
        """Packets of these payload types are for the handler."""
        self._ours = frozenset(payload_types)

    def release(self) -> None:
        """Everything goes aiortc's way again."""
        self._connection.data_received = self._queue
        for task in self._others:
            task.cancel()

    def send_rtp(self, packet: bytes) -> bool:
        """Protect and send. False: not connected, or the socket is gone."""
        dtls = self._dtls
        return dtls._state is State.CONNECTED and self._send(dtls._tx_srtp.protect, packet)

    def send_rtcp(self, packet: bytes) -> bool:
        """The same for RTCP."""
        dtls = self._dtls
        return dtls._state is State.CONNECTED and self._send(dtls._tx_srtp.protect_rtcp, packet)

    def forget(self, ssrc: int) -> None:
        """Let SRTP forget what it keeps of a sender; one that was not known is none."""
        srtp = self._dtls._rx_srtp
        if srtp is not None:
            try:
                srtp.remove_stream(ssrc)
            except pylibsrtp.Error:
                pass

    def _send(self, protect: Any, packet: bytes) -> bool:
        pair = self._connection._nominated.get(1)
        if pair is None:
            return False
        transport = pair.protocol.transport
        # A TURN allocation cannot say, and ignores what comes too late.
        is_closing = getattr(transport, "is_closing", None)
        if is_closing is not None and is_closing():
            return False
        try:
            transport.sendto(protect(packet), pair.remote_addr)
        except (pylibsrtp.Error, ValueError, OSError):
            return False
        return True

    def _received(self, data: bytes, component: int) -> None:
        if self._dtls._state is not State.CONNECTED or not 128 <= data[0] < 192 or len(data) < 12:
            self._queue(data, component)
            return
        srtp = self._dtls._rx_srtp
        second = data[1]
        try:
            if 192 <= second <= 223:  # RFC 5761 section 4
                packet = srtp.unprotect_rtcp(data)
            elif second & 0x7F in self._ours or not self._dtls._rtp_router.receivers:
                self._handler.rtp(srtp.unprotect(data), self._now())
                return
            else:
                self._queue(data, component)
                return
        except (pylibsrtp.Error, ValueError):
            self._handler.junk()
            return
        self._handler.rtcp(packet, self._now())
        if self._dtls._rtp_router.receivers or self._dtls._rtp_router.senders:
            # Reports of other media in the same transport.
            task = self._loop.create_task(self._dtls._handle_rtcp_data(packet), name="sipua rtcp")
            self._others.add(task)
            task.add_done_callback(self._others.discard)
