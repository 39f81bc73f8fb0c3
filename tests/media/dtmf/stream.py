"""A sender on its own: what it puts into the packet slots of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.dtmf.named import Report, unpack

if TYPE_CHECKING:
    from sipua.media.dtmf import EventPacket, EventSender


class Stream:
    """Slots of 20 ms, one after the other; `timestamp` is that of the next."""

    def __init__(self, sender: EventSender, clock_rate: int = 8000, timestamp: int = 0) -> None:
        self.sender = sender
        self.samples = clock_rate // 50
        self.timestamp = timestamp

    def slot(self) -> EventPacket | None:
        packet = self.sender.next(self.timestamp, self.samples)
        self.timestamp = (self.timestamp + self.samples) % 2**32
        return packet

    def slots(self, count: int) -> list[EventPacket | None]:
        return [self.slot() for _ in range(count)]


def report(packet: EventPacket | None) -> Report:
    assert packet is not None
    (only,) = unpack(packet.payload)
    return only
