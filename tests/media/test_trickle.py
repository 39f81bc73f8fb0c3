"""What descriptions say of trickle ICE."""

from __future__ import annotations

import pytest

from sipua.bodies import TrickleFragment
from sipua.media.trickle import fragment_of, has_news, mark, trickles

HOST = "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"
SRFLX = "candidate:2 1 udp 1694498815 203.0.113.5 6000 typ srflx raddr 192.0.2.1 rport 5000"
TEXT = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 5000 UDP/TLS/RTP/SAVPF 0\r\n"
    f"a=mid:0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=rtcp-mux\r\na={HOST}\r\na=end-of-candidates\r\n"
)


@pytest.mark.parametrize(
    ("line", "said"),
    [("trickle", True), ("ice2 trickle", True), ("ice2", False), ("trickled", False), ("", False)],
)
def test_what_the_options_say(line: str, said: bool) -> None:
    assert trickles(f"v=0\r\na=ice-options:{line}\r\n") is said
    assert trickles(f"v=0\r\nm=audio 9 X 0\r\na=ice-options:{line}\r\n") is said


def test_a_description_is_marked() -> None:
    marked = mark(TEXT, trickle=True, complete=False)
    assert trickles(marked)
    assert "end-of-candidates" not in marked
    assert mark(TEXT, trickle=False, complete=True) == TEXT


def test_what_is_told_after_a_description() -> None:
    text = mark(TEXT, trickle=True, complete=False)
    same = fragment_of(text, [HOST], complete=False)
    assert (same.ufrag, same.pwd) == ("8hhY", "asd88fgpdd777uzjYhagZg")
    assert (same.media[0].mid, same.media[0].attributes) == ("0", ("rtcp-mux",))
    assert same.attributes == ("group:BUNDLE 0",)
    assert TrickleFragment.parse(str(same)) == same
    assert not has_news(same, text)
    assert has_news(fragment_of(text, [HOST], complete=True), text)
    assert not has_news(fragment_of(text, [HOST], complete=True), TEXT)
    assert has_news(fragment_of(text, [HOST, SRFLX], complete=False), text)
