"""The status of a reference in a NOTIFY's body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua import ParseError
from sipua.session import sipfrag
from sipua.session.sipfrag import StatusLine, status_line
from sipua.sip import URI, Request


def notify(body: bytes, content_type: str | None = "message/sipfrag") -> Request:
    request = Request("NOTIFY", URI.parse("sip:a@example.com"), body)
    if content_type is not None:
        request.headers.add("Content-Type", content_type)
    return request


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"SIP/2.0 200 OK", StatusLine(200, "OK")),
        (b"SIP/2.0 200 OK\r\n", StatusLine(200, "OK")),
        (b"SIP/2.0 180 Ringing\nX: y\n", StatusLine(180, "Ringing")),
        (b"\r\nsip/2.0  603\tDecline it \r\nWarning: 1", StatusLine(603, "Decline it")),
        (b"SIP/2.0 486 ", StatusLine(486, "")),
        (b"SIP/2.0 486", StatusLine(486, "")),
        ("SIP/2.0 404 Gibt's nicht, ärgerlich".encode(), StatusLine(404, "Gibt's nicht, ärgerlich")),
        (b"", None),
    ],
)
def test_read(body: bytes, line: StatusLine | None) -> None:
    assert sipfrag.parse(notify(body)) == line


@pytest.mark.parametrize(
    "body",
    [b"200 OK", b"SIP/2.0", b"SIP/2.0 20 OK", b"SIP/2.0 2000", b"SIP/2.0 700 No", b"SIP/1.0 200 OK", b"\0"],
)
def test_malformed(body: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        sipfrag.parse(notify(body))
    assert caught.value.status == 400


@pytest.mark.parametrize("content_type", ["text/plain", "message/sip", None])
def test_other_content(content_type: str | None) -> None:
    with pytest.raises(ParseError) as caught:
        sipfrag.parse(notify(b"SIP/2.0 200 OK", content_type))
    assert caught.value.status == 415


def test_foreign_phrases_stay_in_their_line() -> None:
    assert sipfrag.build(status_line(486, "Busy\r\nX: y")) == b"SIP/2.0 486 Busy  X: y\r\n"
    assert status_line(404) == StatusLine(404, "Not Found")


@given(st.integers(100, 699), st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=40))
def test_what_is_written_can_be_read(code: int, phrase: str) -> None:
    line = status_line(code, phrase)
    assert sipfrag.parse(notify(sipfrag.build(line))) == line


@given(st.binary(max_size=60))
def test_anything_else_is_refused_with_a_status(body: bytes) -> None:
    try:
        line = sipfrag.parse(notify(body))
        code = line.code if line is not None else 100
    except ParseError as error:
        code = error.status or 0
    assert 100 <= code <= 699
