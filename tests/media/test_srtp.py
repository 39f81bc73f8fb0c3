"""Which datagrams go where, with SRTP itself and everything else of aiortc's made up."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from aiortc.rtcdtlstransport import State
from aiortc.rtp import RtcpRrPacket
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from sipua.media.engine.rtp import build_packet
from sipua.media.srtp import SecureTransport
from sipua.testing import run_simulated

PEER = ("192.0.2.1", 4000)
REPORT = bytes(RtcpRrPacket(ssrc=5))


def session(key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction)
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return Session(policy)


class Attributes:
    """Something with these attributes."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Socket:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes, tuple[str, int]]] = []
        self.closing = False

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append((data, address))

    def is_closing(self) -> bool:
        return self.closing


class End:
    """A transport, and the keys of its peer."""

    def __init__(self, *, connected: bool = True) -> None:
        key = os.urandom(30)
        self.socket, self.queued = Socket(), []
        self.pair = Attributes(protocol=Attributes(transport=self.socket), remote_addr=PEER)
        self.connection = Attributes(
            _nominated={1: self.pair} if connected else {},
            data_received=lambda data, component: self.queued.append((data, component)),
        )
        self.others: list[bytes] = []
        self.dtls: Any = Attributes(
            transport=Attributes(_connection=self.connection),
            _tx_srtp=session(key, Policy.SSRC_ANY_OUTBOUND) if connected else None,
            _rx_srtp=session(key, Policy.SSRC_ANY_INBOUND) if connected else None,
            _state=State.CONNECTED if connected else State.CONNECTING,
            _rtp_router=Attributes(receivers=set(), senders={}),
            _handle_rtcp_data=self._theirs,
        )
        self.peer = session(key, Policy.SSRC_ANY_OUTBOUND)
        self.read = session(key, Policy.SSRC_ANY_INBOUND)
        self.got: list[tuple[str, bytes]] = []
        self.transport = SecureTransport(self.dtls, self)
        self.transport.claim([0, 101])

    async def _theirs(self, data: bytes) -> None:
        self.others.append(data)

    def rtp(self, packet: bytes, now: float) -> None:
        self.got.append(("rtp", packet))

    def rtcp(self, packet: bytes, now: float) -> None:
        self.got.append(("rtcp", packet))

    def junk(self) -> None:
        self.got.append(("junk", b""))

    def receive(self, data: bytes) -> None:
        self.connection.data_received(data, 1)


def packet(number: int = 0, sequence: int = 1, ssrc: int = 7) -> bytes:
    return build_packet(number, False, sequence, 0, ssrc, b"payload")


async def test_what_is_sent_is_protected() -> None:
    end = End()
    assert end.transport.send_rtp(packet())
    assert end.transport.send_rtcp(REPORT)
    (rtp, first), (rtcp, second) = end.socket.sent
    assert first == second == PEER
    assert end.read.unprotect(rtp) == packet()
    assert end.read.unprotect_rtcp(rtcp) == REPORT


async def test_nothing_is_sent_without_a_connection() -> None:
    end = End(connected=False)
    assert not end.transport.send_rtp(packet())
    assert not end.transport.send_rtcp(REPORT)
    end = End()
    end.socket.closing = True
    assert not end.transport.send_rtp(packet())
    end.connection._nominated.clear()
    assert not end.transport.send_rtp(packet())
    assert end.socket.sent == []


async def test_what_cannot_be_protected_is_not_sent() -> None:
    end = End()
    assert not end.transport.send_rtp(b"")
    assert not end.transport.send_rtp(packet() + bytes(1500))

    def broken(data: bytes, address: tuple[str, int]) -> None:
        raise OSError

    end.socket.sendto = broken  # type: ignore[method-assign]
    assert not end.transport.send_rtp(packet())


async def test_a_transport_that_cannot_say_whether_it_is_closing() -> None:
    end, sent = End(), []
    end.pair.protocol.transport = Attributes(sendto=lambda data, address: sent.append(data))
    assert end.transport.send_rtp(packet())
    assert len(sent) == 1


async def test_ours_is_taken_out() -> None:
    end = End()
    end.receive(end.peer.protect(packet()))
    end.receive(end.peer.protect(packet(101, 2)))
    end.receive(end.peer.protect_rtcp(REPORT))
    assert end.got == [("rtp", packet()), ("rtp", packet(101, 2)), ("rtcp", REPORT)]
    assert end.queued == []


async def test_dtls_and_other_media_go_aiortcs_way() -> None:
    end = End()
    hello = b"\x16\xfe\xfd" + bytes(20)
    end.receive(hello)
    end.dtls._rtp_router.receivers.add("video")
    video = end.peer.protect(packet(99))
    end.receive(video)
    assert end.queued == [(hello, 1), (video, 1)]
    report = end.peer.protect_rtcp(REPORT)
    end.receive(report)
    await asyncio.sleep(0)
    assert end.others == [REPORT]
    assert end.got == [("rtcp", REPORT)]


async def test_everything_before_the_keys_are_known() -> None:
    end = End(connected=False)
    data = End().peer.protect(packet())
    end.receive(data)
    assert end.queued == [(data, 1)]


async def test_nothing_goes_or_comes_after_the_peer_has_closed() -> None:
    end = End()
    end.dtls._state = State.CLOSED
    assert not end.transport.send_rtp(packet())
    assert not end.transport.send_rtcp(REPORT)
    end.receive(end.peer.protect(packet()))
    assert end.got == []


async def test_released() -> None:
    end = End()
    end.transport.release()
    data = end.peer.protect(packet())
    end.receive(data)
    assert end.queued == [(data, 1)]


async def test_what_is_not_authentic_is_junk() -> None:
    end = End()
    data = bytearray(end.peer.protect(packet()))
    data[-1] ^= 1
    end.receive(bytes(data))
    end.receive(b"\x80\x00" + bytes(1498))
    end.receive(b"\x80\x00" + bytes(3000))
    end.receive(b"\x80\xc8" + bytes(100))
    again = end.peer.protect(packet(0, 2))
    end.receive(again)
    end.receive(again)  # replayed
    assert [kind for kind, _ in end.got] == ["junk"] * 4 + ["rtp", "junk"]


async def test_ssrcs_can_be_forgotten() -> None:
    end = End()
    end.receive(end.peer.protect(packet(ssrc=9)))
    end.transport.forget(9)
    end.transport.forget(9)
    End(connected=False).transport.forget(9)
    end.receive(end.peer.protect(packet(ssrc=9, sequence=2)))
    assert [kind for kind, _ in end.got] == ["rtp", "rtp"]


async def test_srtp_remembers_a_few_ssrcs_and_those_in_use() -> None:
    end = End()
    end.transport.in_use = lambda ssrc: ssrc == 7
    removed: list[int] = []
    session, srtp = end.dtls._rx_srtp, Attributes()
    srtp.unprotect, srtp.unprotect_rtcp = session.unprotect, session.unprotect_rtcp
    srtp.remove_stream = lambda ssrc: (removed.append(ssrc), session.remove_stream(ssrc))
    end.dtls._rx_srtp = srtp
    end.receive(end.peer.protect(packet()))
    for n in range(1000, 1300):
        end.receive(end.peer.protect(packet(number=101 if n % 3 else 0, ssrc=n)))
        end.receive(end.peer.protect_rtcp(bytes(RtcpRrPacket(ssrc=n + 1000))))
    end.receive(end.peer.protect(packet(sequence=2)))
    assert len(end.got) == 602
    assert "junk" not in dict(end.got)
    assert len(removed) == len(set(removed)) == 601 - 64
    assert 7 not in removed
    # What is not authentic leaves nothing behind.
    for n in range(100):
        end.receive(b"\x80\x00" + bytes(6) + n.to_bytes(4, "big") + bytes(100))
    assert len(removed) == 601 - 64


@given(
    st.lists(st.binary(min_size=1, max_size=100), max_size=20), st.sampled_from([b"", b"\x80", b"\xbf\xc8"])
)
def test_whatever_comes_is_survived(datagrams: list[bytes], head: bytes) -> None:
    async def run() -> None:
        end = End()
        for data in datagrams:
            end.receive(head + data)
        assert not any(kind in ("rtp", "rtcp") for kind, _ in end.got)

    run_simulated(run())


@pytest.mark.parametrize("size", [12, 100, 1300])
async def test_sizes(size: int) -> None:
    end = End()
    data = build_packet(0, False, 1, 0, 7, bytes(size - 12))
    end.receive(end.peer.protect(data))
    assert end.got == [("rtp", data)]
