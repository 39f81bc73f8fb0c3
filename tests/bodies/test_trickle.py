"""application/trickle-ice-sdpfrag: read, written, refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.bodies import ParseError, TrickleFragment, TrickleMedia, parse_body

HOST = "candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host"
SRFLX = "candidate:2 1 UDP 1694498815 192.0.2.3 5010 typ srflx raddr 203.0.113.41 rport 8998"

# The kind of body that RFC 8840 section 4.4 and 9.1 describe: credentials once, two pseudo media descriptions.
TWO_LINES = "\r\n".join(
    [
        "a=ice-pwd:asd88fgpdd777uzjYhagZg",
        "a=ice-ufrag:8hhY",
        "m=audio 9 RTP/AVP 0",
        "a=mid:1",
        f"a={HOST}",
        "a=candidate:1 2 UDP 2130706432 2001:db8:a0b:12f0::1 5001 typ host",
        f"a={SRFLX}",
        "a=end-of-candidates",
        "m=audio 9 RTP/AVP 0",
        "a=mid:2",
        "a=rtcp-mux",
        "a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 6000 typ host",
        "",
    ]
)


def test_two_media_lines() -> None:
    fragment = TrickleFragment.parse(TWO_LINES)
    first, second = fragment.media
    assert (fragment.ufrag, fragment.pwd) == ("8hhY", "asd88fgpdd777uzjYhagZg")
    assert (first.mid, first.is_complete, len(first.candidates)) == ("1", True, 3)
    assert (first.candidates[0], first.candidates[2]) == (HOST, SRFLX)
    assert (second.mid, second.is_complete, second.attributes) == ("2", False, ("rtcp-mux",))
    assert fragment.credentials(second) == ("8hhY", "asd88fgpdd777uzjYhagZg")
    assert parse_body("application/trickle-ice-sdpfrag", TWO_LINES) == fragment
    assert TrickleFragment.parse(str(fragment)) == fragment


def test_what_is_written() -> None:
    media = TrickleMedia("0", (HOST,), is_complete=True)
    assert str(TrickleFragment((media,), "8hhY", "asd88fgpdd777uzjYhagZg")) == (
        "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"
        f"m=audio 9 RTP/AVP 0\r\na=mid:0\r\na={HOST}\r\na=end-of-candidates\r\n"
    )
    assert "asd88" not in repr(TrickleFragment((media,), "8hhY", "asd88fgpdd777uzjYhagZg"))


def test_end_of_all_candidates_and_credentials_of_one_media_line() -> None:
    fragment = TrickleFragment.parse(
        b"a=end-of-candidates\na=group:BUNDLE a b\nm=video 9 RTP/AVP 0\na=mid:b\na=ice-ufrag:zzzz\n"
    )
    assert fragment.is_complete
    assert fragment.attributes == ("group:BUNDLE a b",)
    assert fragment.credentials(fragment.media[0]) == ("zzzz", None)
    assert fragment.media[0].kind == "video"
    assert TrickleFragment.parse(str(fragment)) == fragment


def test_nothing_is_a_fragment_too() -> None:
    assert TrickleFragment.parse("") == TrickleFragment()


@pytest.mark.parametrize(
    "body",
    [
        f"a={HOST}\r\n",  # of no media line
        "v=0\r\n",
        "m=audio\r\n",
        "m=audio 9 RTP/AVP 0\r\na=candidate:1 1 UDP\r\n",
        "m=audio 9 RTP/AVP 0\r\na=candidate:1 1 UDP x 192.0.2.1 5000 typ host\r\n",
        "a=ice-ufrag:a b\r\n",
        "a=ice-pwd:short\r\n",
        "m=audio 9 RTP/AVP 0\r\na=mid:\r\n",
        "{}",
        "a=x\r\n" * 20000,
    ],
)
def test_malformed(body: str) -> None:
    with pytest.raises(ParseError):
        TrickleFragment.parse(body)


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_any_text_is_read_or_refused(body: str | bytes) -> None:
    try:
        fragment = TrickleFragment.parse(body)
    except ParseError:
        return
    assert TrickleFragment.parse(str(fragment)).media == fragment.media


_ICE = st.text("abcXYZ019+/", min_size=22, max_size=30)
_LINES = st.builds(
    TrickleMedia,
    st.none() | st.text("abc019", min_size=1, max_size=5),
    st.lists(st.sampled_from([HOST, SRFLX]), max_size=3).map(tuple),
    st.booleans(),
    st.sampled_from(["audio", "video"]),
    st.none() | _ICE,
    st.none() | _ICE,
    st.lists(st.sampled_from(["rtcp-mux", "x-y:z"]), max_size=2).map(tuple),
)


@given(st.lists(_LINES, max_size=3).map(tuple), st.none() | _ICE, st.none() | _ICE, st.booleans())
def test_what_is_written_can_be_read(media, ufrag, pwd, complete) -> None:  # type: ignore[no-untyped-def]
    fragment = TrickleFragment(media, ufrag, pwd, complete)
    assert TrickleFragment.parse(str(fragment)) == fragment
