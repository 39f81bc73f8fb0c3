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
    from collections.abc import Callable, Iterable

    from aiortc.rtcdtlstransport import RTCDtlsTransport

__all__ = ["PacketHandler", "SecureTransport"]

# SSRCs that SRTP may know at a time. A peer can make up as many as it likes, and SRTP keeps something of each.
_MOST_SSRCS = 64


class PacketHandler(Protocol):
    """Takes packets that were authentic; `now` is the time of the loop."""

    def rtp(self, packet: bytes, now: float) -> None:
        """An RTP packet."""

    def rtcp(self, packet: bytes, now: float) -> None:
        """A compound RTCP packet."""

    def junk(self) -> None:
        """Something that was neither."""


class SecureTransport:
    """Sends and receives on an aiortc transport while that is connected.

    `in_use` says of an SSRC whether SRTP has to remember it, whatever else comes; of 32 at most.
    """

    def __init__(self, dtls: RTCDtlsTransport, handler: PacketHandler) -> None:
        self.in_use: Callable[[int], bool] = lambda ssrc: False
        self._dtls = cast("Any", dtls)
        self._handler = handler
        self._connection: Any = self._dtls.transport._connection
        self._queues: dict[Any, Callable[[bytes, int], None]] = {}
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._ours: frozenset[int] = frozenset()
        self._others: set[asyncio.Task[None]] = set()
        # Whom authentic packets have come from, as bytes of the packet; the oldest first.
        self._ssrcs: dict[bytes, None] = {}
        self.is_suspended = False
        """Whether nothing is sent, since the peer does not consent (:rfc:`7675#section-5.2`)."""
        self.listen(self._connection)
        self._queue = self._queues[self._connection]

    def listen(self, connection: Any) -> None:
        """Take what comes over this ICE connection, too."""
        self._queues[connection] = connection.data_received
        connection.data_received = self._received

    def switch(self, connection: Any) -> None:
        """Send over this one, and listen to the one before for what is under way."""
        self._queues = {known: self._queues[known] for known in (self._connection, connection)}
        self._connection, self._queue = connection, self._queues[connection]

    def claim(self, payload_types: Iterable[int]) -> None:
        """Packets of these payload types are for the handler."""
        self._ours = frozenset(payload_types)

    def release(self) -> None:
        """Everything goes aiortc's way again."""
        for connection, queue in self._queues.items():
            connection.data_received = queue
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
        self._ssrcs.pop(ssrc.to_bytes(4, "big"), None)
        srtp = self._dtls._rx_srtp
        if srtp is not None:
            try:
                srtp.remove_stream(ssrc)
            except pylibsrtp.Error:
                pass

    def _send(self, protect: Any, packet: bytes) -> bool:
        pair = self._connection._nominated.get(1)
        if pair is None or self.is_suspended:
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
                ssrc = packet[4:8]
            elif second & 0x7F in self._ours or not self._dtls._rtp_router.receivers:
                packet = srtp.unprotect(data)
                if (ssrc := packet[8:12]) not in self._ssrcs:
                    self._admit(ssrc)
                self._handler.rtp(packet, self._now())
                return
            else:
                self._queue(data, component)
                return
        except (pylibsrtp.Error, ValueError):
            self._handler.junk()
            return
        if ssrc not in self._ssrcs:
            self._admit(ssrc)
        self._handler.rtcp(packet, self._now())
        if self._dtls._rtp_router.receivers or self._dtls._rtp_router.senders:
            # Reports of other media in the same transport.
            task = self._loop.create_task(self._dtls._handle_rtcp_data(packet), name="sipua rtcp")
            self._others.add(task)
            task.add_done_callback(self._others.discard)

    def _admit(self, ssrc: bytes) -> None:
        """Another sender: the oldest one that is of no use makes room."""
        self._ssrcs[ssrc] = None
        if len(self._ssrcs) > _MOST_SSRCS:
            known = (int.from_bytes(old, "big") for old in self._ssrcs if old != ssrc)
            self.forget(next(number for number in known if not self.in_use(number)))
