"""Which candidates of the peer are worth a check."""

from __future__ import annotations

import pytest

from sipua.media.candidates import MAX_CANDIDATES, is_usable
from sipua.media.description import parse
from sipua.media.sdp import settle_candidates
from tests.wire import OFFER

HOST = "1 1 udp 2130706431 192.0.2.1 5000 typ host"


@pytest.mark.parametrize(
    ("candidate", "usable"),
    [
        (HOST, True),
        ("2 1 udp 1694498815 203.0.113.5 6000 typ srflx raddr 192.0.2.1 rport 5000", True),
        ("1 1 UDP 1 2001:db8::1 5000 typ host generation 0 ufrag x network-cost 50", True),
        ("1 1 udp 1 192.0.2.1 65535 typ relay", True),
        ("1 2 udp 1 192.0.2.1 5001 typ host", False),
        ("1 1 tcp 1 192.0.2.1 9 typ host tcptype active", False),
        ("1 1 udp 1 0c0a.local 5000 typ host", False),
        ("1 1 udp 1 192.0.2.1 0 typ host", False),
        ("1 1 udp 1 192.0.2.1 65536 typ host", False),
        ("1 1 udp 1 192.0.2.1 99999 typ host", False),
        ("1 1 udp 1 192.0.2.1 -1 typ host", False),
        ("1 1 udp 1 999.0.2.1 5000 typ host", False),
        ("1 1 udp 1 ::::: 5000 typ host", False),
        ("1 1 udp 1 192.0.2.1 5000 typ host raddr 192.0.2.1 rport x", False),
        ("1 1 udp 1 192.0.2.1 5000 typ host generation x", False),
        ("1 1 udp " + "9" * 5000 + " 192.0.2.1 5000 typ host", False),
        ("a nonsense", False),
    ],
)
def test_which_are_of_use(candidate: str, usable: bool) -> None:
    assert is_usable(candidate) is usable
    assert is_usable(f"candidate:{candidate}") is usable


def test_no_more_than_a_hundred_are_looked_at() -> None:
    line = "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host\r\n"
    many = "".join(line.replace("40000", str(40000 + n)) for n in range(1000))
    description = parse(OFFER.replace(line, many))
    settle_candidates(description, None)
    assert len(description.media[0].all("candidate")) == MAX_CANDIDATES
