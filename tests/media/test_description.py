"""Session descriptions as lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipua.errors import MediaNegotiationError
from sipua.media.description import association_of, direction_of, identity_of, parse, setup_of

TEXT = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\na=recvonly\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 0 8\r\na=mid:0\r\na=ice-pwd:secret\r\na=fingerprint:SHA-256 AA:BB\r\n"
    "m=video 0 RTP/AVP 97\r\na=sendonly\r\na=bundle-only\r\n"
)


def test_round_trip_and_what_a_section_knows() -> None:
    description = parse(TEXT)
    assert str(description) == TEXT
    audio, video = description.media
    assert (audio.kind, audio.port, audio.formats, audio.live) == ("audio", 9, ["0", "8"], True)
    assert (video.port, video.live, video.direction) == (0, True, "sendonly")
    assert audio.direction is None
    assert audio.get("mid") == "0"
    assert audio.get("ssrc") is None
    assert audio.has("mid")
    assert not audio.has("mi")
    audio.formats = ["0"]
    assert audio.lines[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 0"


def test_changes() -> None:
    section = parse(TEXT).media[0]
    section.put("mid", "x")
    section.put("rtcp-mux")
    assert section.all("mid") == ["x"]
    assert section.has("rtcp-mux")
    section.drop("mid", "rtcp-mux")
    assert not section.has("mid")
    assert not section.has("rtcp-mux")
    section.keep(lambda line: False)
    assert len(section.lines) == 1


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n", " \r\n", "\r\n\r\n"])
def test_any_line_end(ending: str) -> None:
    assert str(parse(TEXT.replace("\r\n", ending))) == TEXT


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "hello",
        "m=audio 9 RTP/AVP 0",
        "v=0\r\nm=audio\r\n",
        "v=0\r\nm=audio x RTP/AVP 0\r\n",
        "v=0\n" + "a=b\n" * 20000,
    ],
)
def test_what_is_none(bad: str) -> None:
    with pytest.raises(MediaNegotiationError):
        parse(bad)


def test_direction_and_identity() -> None:
    assert direction_of(TEXT) == "recvonly"
    assert direction_of(TEXT, 1) == "sendonly"
    assert direction_of(TEXT.replace("a=recvonly\r\n", "")) == "sendrecv"
    assert direction_of(TEXT.replace("m=audio 9", "m=audio 0")) == "inactive"
    assert identity_of(TEXT) == ("abcd", "secret", ("sha-256 aa:bb",))
    assert identity_of(TEXT.replace("AA", "aa")) == identity_of(TEXT)
    assert identity_of(TEXT.replace("secret", "other")) != identity_of(TEXT)


@settings(max_examples=200)
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"v=0\r\n{text}", f"v=0\r\nm=audio 9 RTP/AVP 0\r\na={text}"):
        try:
            description = parse(candidate)
        except MediaNegotiationError:
            continue
        assert str(parse(str(description))) == str(description)


def test_an_association_is_that_of_the_certificate_and_not_of_ice() -> None:
    head = "v=0\r\na=fingerprint:SHA-256 AA:BB\r\na=setup:actpass\r\n"
    audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:{}\r\n"
    one, other = head + audio.format("aaaa"), head.lower() + audio.format("bbbb")
    assert identity_of(one) != identity_of(other)
    assert association_of(one) == association_of(other) == (("sha-256 aa:bb",), None)
    assert association_of(f"{one}a=tls-id:xyz\r\n") != association_of(one)
    assert association_of(f"{one}a=fingerprint:sha-256 CC:DD\r\n") == (("sha-256 cc:dd",), None)
    assert (setup_of(one), setup_of(f"{one}a=setup:passive\r\n")) == ("actpass", "passive")
    assert setup_of("v=0\r\nm=audio 9 RTP/AVP 0\r\n") is None
