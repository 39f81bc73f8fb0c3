"""A call's RTP and RTCP as they are before encryption, in a pcap file that Wireshark and tshark read.

On the wire they are encrypted with keys that nobody else has. Packets are written with the addresses of the ICE pair
that they went over, as raw IP (the link type LINKTYPE_RAW).
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import logging
import os
import time
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

from sipua.errors import MediaFileError
from sipua.media.sinks import check_writable, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.engine.channel import Transport
    from sipua.media.srtp import PacketHandler

__all__ = ["CapturingHandler", "CapturingTransport", "PacketCapture"]

logger = logging.getLogger(__name__)

Address = tuple[str, int]
"""IP address and port."""

_NOWHERE: Address = ("0.0.0.0", 0)
_FILE_HEADER = Struct("<IHHiIII")
_RECORD = Struct("<IIII")
_MAGIC, _LINKTYPE_RAW, _SNAPLEN = 0xA1B2C3D4, 101, 65535
_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_UDP = Struct("!HHHH")
_UDP_NUMBER, _HOPS = 17, 64


def _checksum(data: bytes) -> int:
    """The Internet checksum (:rfc:`1071`)."""
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0")) for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def datagram(source: Address, destination: Address, payload: bytes) -> bytes:
    """An IP packet with this UDP payload. IPv6 when one of the addresses is."""
    (from_host, from_port), (to_host, to_port) = source, destination
    addresses = [ipaddress.ip_address(host.partition("%")[0]) for host in (from_host, to_host)]
    length = _UDP.size + len(payload)
    if all(address.version == 4 for address in addresses):
        ends = [address.packed for address in addresses]
        fields = (0x45, 0, _IPV4.size + length, 0, 0x4000, _HOPS, _UDP_NUMBER)
        header = _IPV4.pack(*fields, _checksum(_IPV4.pack(*fields, 0, *ends)), *ends)
    else:
        ends = [a.packed if a.version == 6 else b"\0" * 10 + b"\xff\xff" + a.packed for a in addresses]
        header = _IPV6.pack(0x6000_0000, length, _UDP_NUMBER, _HOPS, *ends)
    pseudo = b"".join(ends) + length.to_bytes(4) + _UDP_NUMBER.to_bytes(4)
    udp = _UDP.pack(from_port, to_port, length, 0)
    checksum = _checksum(pseudo + udp + payload) or 0xFFFF
    return header + _UDP.pack(from_port, to_port, length, checksum) + payload


class PacketCapture:
    """One file. It is made with the first packet, readable by nobody else, and replaced if there was one.

    Each packet is written at once, so that a crash loses none. When the file cannot be written any more, the call goes
    on without, what was captured is kept, and `on_error` is told (None: it is logged).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        wall: Callable[[], float] = time.time,
        on_error: Callable[[MediaFileError], None] | None = None,
    ) -> None:
        self.path = Path(path).expanduser()
        self.packets = 0
        """Written so far."""
        self._wall = wall
        self._on_error = on_error
        self._file: io.FileIO | None = None
        self._size = 0
        self._closed = False

    def check(self) -> None:
        """Raise MediaFileError now if the file could not be made."""
        check_writable(self.path)

    def write(self, source: Address, destination: Address, payload: bytes) -> None:
        """A packet that went from `source` to `destination` now. Never raises."""
        if self._closed:
            return
        try:
            if self._file is None:
                self._file = self._open()
                self._append(_FILE_HEADER.pack(_MAGIC, 2, 4, 0, 0, _SNAPLEN, _LINKTYPE_RAW))
            data = datagram(source, destination, payload)
            seconds, fraction = divmod(self._wall(), 1.0)
            self._append(_RECORD.pack(int(seconds), int(fraction * 1e6), len(data), len(data)) + data)
        except (OSError, ValueError) as error:
            self._fail(error)
        else:
            self.packets += 1

    def close(self) -> None:
        """Finish the file. Idempotent."""
        self._closed = True
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:  # of a disk elsewhere, which says only now that it is full
                self._tell(error)

    def _open(self) -> io.FileIO:
        if self.path.is_file() and not self.path.is_symlink():
            self.path.unlink()  # it may be readable by others
        # Somebody's words are in it.
        return io.FileIO(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        rest = memoryview(data)
        while rest:  # a disk may take a part
            rest = rest[self._file.write(rest) :]
        self._size += len(data)

    def _fail(self, error: OSError | ValueError) -> None:
        if self._file is not None and self.path.is_file():
            with contextlib.suppress(OSError):
                if self.packets:
                    self._file.truncate(self._size)  # without the beginning of a packet
                else:
                    self.path.unlink()
        with contextlib.suppress(OSError):
            file, self._file = self._file, None
            if file is not None:
                file.close()
        self._closed = True
        self._tell(error)

    def _tell(self, error: OSError | ValueError) -> None:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        kept = f"the first {self.packets} packets are kept" if self.packets else "nothing was captured"
        told = MediaFileError(self.path, f"capture stopped: {reason}; {kept}")
        if self._on_error is not None:
            self._on_error(told)
        else:
            logger.warning("%s", told)


Ends = tuple[Address, Address]
"""Ours and the peer's."""


class CapturingTransport:
    """Another transport, whose packets are captured as they go."""

    def __init__(self, transport: Transport, capture: PacketCapture, ends: Callable[[], Ends | None]) -> None:
        self._transport = transport
        self._capture = capture
        self._ends = ends

    def send_rtp(self, packet: bytes) -> bool:
        """Captured if it went."""
        return self._captured(self._transport.send_rtp(packet), packet)

    def send_rtcp(self, packet: bytes) -> bool:
        """Captured if it went."""
        return self._captured(self._transport.send_rtcp(packet), packet)

    def forget(self, ssrc: int) -> None:
        """Nothing to capture."""
        self._transport.forget(ssrc)

    def _captured(self, went: bool, packet: bytes) -> bool:
        if went:
            ours, theirs = self._ends() or (_NOWHERE, _NOWHERE)
            self._capture.write(ours, theirs, packet)
        return went


class CapturingHandler:
    """Another handler, whose packets are captured as they come."""

    def __init__(
        self, handler: PacketHandler, capture: PacketCapture, ends: Callable[[], Ends | None]
    ) -> None:
        self._handler = handler
        self._capture = capture
        self._ends = ends

    def rtp(self, packet: bytes, now: float) -> None:
        """An authentic RTP packet."""
        self._write(packet)
        self._handler.rtp(packet, now)

    def rtcp(self, packet: bytes, now: float) -> None:
        """An authentic RTCP packet."""
        self._write(packet)
        self._handler.rtcp(packet, now)

    def junk(self) -> None:
        """Not captured: it could not be decrypted."""
        self._handler.junk()

    def _write(self, packet: bytes) -> None:
        ours, theirs = self._ends() or (_NOWHERE, _NOWHERE)
        self._capture.write(theirs, ours, packet)
