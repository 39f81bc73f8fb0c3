"""Each mend by itself, on as little SDP as it takes."""

from __future__ import annotations

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipua.errors import MediaNegotiationError
from sipua.media import sdp
from sipua.media.description import Description, parse

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 96 0\r\n"
    "a=mid:a\r\na=sendrecv\r\na=rtcp-mux\r\na=setup:actpass\r\na=rtpmap:96 opus/48000/2\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 AA:BB\r\n"
)


def described(*lines: str, session: str = "") -> Description:
    body = "".join(f"{line}\r\n" for line in lines)
    return parse(HEAD + session + (body if body.startswith("m=") else "m=audio 9 RTP/SAVPF 0\r\n" + body))


def test_session_attributes_go_into_the_sections_without_their_own() -> None:
    names = ("ice-ufrag:s", "ice-pwd:p", "fingerprint:sha-1 X", "fingerprint:sha-256 Y", "setup:active")
    session = "".join(f"a={name}\r\n" for name in (*names, "inactive", "rtcp-mux"))
    description = described(
        "m=audio 9 X 0", "a=ice-ufrag:own", "m=audio 9 X 0", "a=sendonly", session=session
    )
    sdp.spread_session_attributes(description, None)
    first, second = description.media
    assert (first.get("ice-ufrag"), second.get("ice-ufrag")) == ("own", "s")
    assert first.all("fingerprint") == ["sha-1 X", "sha-256 Y"]
    assert (first.direction, second.direction) == ("inactive", "sendonly")
    assert (first.get("setup"), first.has("rtcp-mux")) == ("active", True)
    assert not description.session.has("ice-ufrag")
    assert description.session.direction is None


def test_ice_lite_counts_for_the_session() -> None:
    description = described("a=ice-lite")
    sdp.spread_session_attributes(description, None)
    assert description.session.has("ice-lite")


def test_mids_of_an_offer() -> None:
    description = described("m=audio 9 X 0", "m=audio 9 X 0", "a=mid:two", "m=audio 9 X 0", "a=mid:")
    sdp.settle_mids(description, None)
    assert [s.get("mid") for s in description.media] == ["0", "two", "2"]


def test_mids_that_are_there_twice() -> None:
    """aiortc would take the last one of an m-line, and two m-lines for one transceiver."""
    description = described(
        "m=audio 9 X 0", "a=mid:a", "a=mid:b", "m=video 9 X 0", "a=mid:a", "m=video 9 X 0", "a=mid:a"
    )
    sdp.keep_first(description, None)
    sdp.settle_mids(description, None)
    assert [s.all("mid") for s in description.media] == [["a"], ["a-1"], ["a-2"]]


@pytest.mark.parametrize("number", ["0", "15", "256", "999", "99999", "x"])
def test_header_extensions_that_no_packet_can_have(number: str) -> None:
    description = described("m=audio 9 X 0", f"a=extmap:{number} urn:x", "a=extmap:255/sendonly urn:y z")
    sdp.drop_unreadable(description, None)
    assert description.media[0].all("extmap") == ["255/sendonly urn:y"]


def test_mids_of_an_answer_are_those_of_the_offer() -> None:
    offer = described("m=audio 9 X 0", "a=mid:x", "m=audio 9 X 0")
    answer = described("m=audio 9 X 0", "a=mid:audio", "m=audio 9 X 0", "m=audio 9 X 0")
    sdp.settle_mids(answer, offer)
    assert [s.get("mid") for s in answer.media] == ["x", "1", "2"]


def test_one_bundle_of_what_is_live() -> None:
    description = described(
        "m=audio 9 X 0", "a=mid:x", "m=audio 0 X 0", "a=mid:y", session="a=group:BUNDLE q\r\na=group:LS x\r\n"
    )
    sdp.settle_bundle(description, None)
    assert description.session.all("group") == ["BUNDLE x"]


@pytest.mark.parametrize(
    ("given_", "settled"),
    [((), "sendrecv"), (("a=recvonly",), "recvonly"), (("a=inactive", "a=sendonly"), "sendonly")],
)
def test_direction(given_: tuple[str, ...], settled: str) -> None:
    description = described(*given_)
    sdp.settle_direction(description, None)
    assert description.media[0].direction == settled
    assert sum(line[2:] in sdp.DIRECTIONS for line in description.media[0].lines) == 1


@pytest.mark.parametrize(
    ("value", "in_offer", "in_answer"),
    [
        (None, "actpass", "active"),
        ("holdconn", "actpass", "active"),
        ("actpass", "actpass", "active"),
        ("active", "active", "active"),
        ("passive", "passive", "passive"),
    ],
)
def test_setup(value: str | None, in_offer: str, in_answer: str) -> None:
    lines = () if value is None else (f"a=setup:{value}",)
    offer = described(*lines)
    sdp.settle_setup(offer, None)
    assert offer.media[0].all("setup") == [in_offer]
    answer = described(*lines)
    sdp.settle_setup(answer, described("a=setup:actpass"))
    assert answer.media[0].all("setup") == [in_answer]


@pytest.mark.parametrize(("mine", "theirs"), [("active", "passive"), ("passive", "active")])
def test_setup_stays_as_it_was_in_a_call_that_is_up(mine: str, theirs: str) -> None:
    answer = described("a=setup:active")
    sdp.settle_setup(answer, described(f"a=setup:{mine}"))
    assert answer.media[0].get("setup") == theirs


@pytest.mark.parametrize(
    ("lines", "formats", "maps"),
    [
        (["m=audio 9 X 0 8 9"], ["0", "8", "9"], ["0 PCMU/8000", "8 PCMA/8000", "9 G722/8000"]),
        (["m=audio 9 X 18 0", "a=fmtp:18 annexb=no"], ["0"], ["0 PCMU/8000"]),
        (
            ["m=audio 9 X 101 111", "a=rtpmap:101 telephone-event/8000", "a=rtpmap:111 opus/48000/2"],
            ["111"],
            ["111 opus/48000/2"],
        ),
        (["m=audio 9 X 0 0 x 300 73", "a=rtpmap:300 opus/48000"], ["0"], ["0 PCMU/8000"]),
        (["m=audio 9 X 110", "a=rtpmap:110  PCMU / 8000"], ["110"], ["110 PCMU/8000"]),
        (["m=audio 9 X 63 0", "a=rtpmap:63 opus/48000/2"], ["0"], ["0 PCMU/8000"]),
        (["m=audio 9 X 96", "a=rtpmap:96 PCMU/16000"], ["0"], []),
        (["m=audio 9 X 0", "a=rtpmap:0 G729/8000"], ["0"], []),
        (["m=audio 9 X 18"], ["0"], []),
    ],
)
def test_formats(lines: list[str], formats: list[str], maps: list[str]) -> None:
    description = described(*lines)
    sdp.settle_formats(description, None)
    section = description.media[0]
    assert section.formats == formats
    assert section.all("rtpmap") == maps
    assert not section.has("fmtp")


def test_formats_of_other_media_are_left_alone() -> None:
    description = described("m=video 9 X 97", "a=rtpmap:97 VP8/90000", "a=fmtp:97 x=1")
    sdp.settle_formats(description, None)
    assert description.media[0].get("fmtp") == "97 x=1"


GOOD = "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host generation 0"


@pytest.mark.parametrize(
    ("lines", "candidates", "ended"),
    [
        ([GOOD], 1, True),
        ([GOOD, "a=ice-options:trickle"], 1, False),
        ([GOOD, "a=ice-options:trickle", "a=end-of-candidates"], 1, True),
        (["a=end-of-candidates"], 0, False),
        ([GOOD, "a=candidate:2 2 udp 1 192.0.2.1 4001 typ host"], 1, True),
        ([GOOD, "a=candidate:2 1 tcp 1 192.0.2.1 9 typ host tcptype active"], 1, True),
        (["a=candidate:2 1 udp 1 abc.local 4001 typ host", "a=end-of-candidates"], 0, False),
        (["a=candidate:2 1 udp 1 2001:db8::1 4001 typ srflx raddr :: rport 9"], 1, True),
        (["a=candidate:2 1 udp", "a=candidate"], 0, False),
    ],
)
def test_candidates(lines: list[str], candidates: int, ended: bool) -> None:
    description = described(*lines)
    sdp.settle_candidates(description, None)
    assert len(description.media[0].all("candidate")) == candidates
    assert description.media[0].has("end-of-candidates") == ended


def test_rtcp_mux_is_assumed() -> None:
    description = described()
    sdp.assume_rtcp_mux(description, None)
    assert description.media[0].has("rtcp-mux")


def test_only_what_can_be_read_stays() -> None:
    description = described(
        "m=audio 9/2 rtp/savpf 0", "c=IN IP4 pbx.example.com", "b=AS:64", "a=rtcp:9 IN IP4 0.0.0.0 ", "a=crypto:1 x",
        "a=ssrc:1", "a=ssrc:2 cname:x", "a=extmap:3/sendonly urn:x vad=on", "a=extmap:4", "a=fingerprint:sha-256 AA",
        "a=fingerprint:", "a=sendrecv", "a=whatever", session="c=IN IP4 host\r\na=tool:x\r\na=ice-lite\r\n",
    )  # fmt: skip
    sdp.drop_unreadable(description, None)
    assert description.media[0].lines == [
        "m=audio 9 RTP/SAVPF 0", "a=ssrc:2 cname:x", "a=extmap:3/sendonly urn:x",
        "a=fingerprint:sha-256 AA", "a=sendrecv",
    ]  # fmt: skip
    assert [line[0] for line in description.session.lines] == ["v", "o", "s", "t", "a"]


def test_rejected_sections_become_inactive_ones() -> None:
    offer = parse(HEAD + AUDIO + "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:v\r\na=rtpmap:97 VP8/90000\r\n")
    answer = parse(HEAD + AUDIO + "m=video 0 UDP/TLS/RTP/SAVPF 97\r\na=mid:v\r\n")
    sdp.answer_rejected_sections(answer, offer)
    video = answer.media[1]
    assert video.direction == "inactive"
    assert video.live
    assert (video.get("mid"), video.get("ice-ufrag"), video.get("rtpmap")) == ("v", "abcd", "97 VP8/90000")
    unchanged = str(answer)
    sdp.answer_rejected_sections(answer, None)
    sdp.answer_rejected_sections(answer, offer)
    assert str(answer) == unchanged


def test_an_offer_comes_out_with_its_audio_alone() -> None:
    offer = sdp.mend_offer(HEAD + "m=image 0 udptl t38\r\n" + AUDIO + "m=audio 9 RTP/AVP 0\r\n")
    assert offer.index == 1
    assert len(offer.original.media) == 3
    description = SessionDescription.parse(offer.sdp)
    assert [(m.kind, m.rtp.muxId, m.direction) for m in description.media] == [("audio", "a", "sendrecv")]


def test_an_offer_in_a_call_that_is_up() -> None:
    later = sdp.mend_offer(HEAD + AUDIO.replace("actpass", "active"), index=0, mid="mine")
    section = parse(later.sdp).media[0]
    assert (section.get("mid"), section.get("setup")) == ("mine", "actpass")
    with pytest.raises(MediaNegotiationError, match="no audio to answer"):
        sdp.mend_offer(HEAD + "m=video 9 X 97\r\n" + AUDIO, index=0, mid="mine")


def test_codecs_asked_for() -> None:
    assert sdp.mend_offer(HEAD + AUDIO, codecs=("PCMU",)).index == 0
    with pytest.raises(
        MediaNegotiationError, match="no common codec: the offer has opus, PCMU, this side g722"
    ):
        sdp.mend_offer(HEAD + AUDIO, codecs=("G722",))
    with pytest.raises(MediaNegotiationError, match="no common codec: the answer has"):
        sdp.mend_answer(HEAD + AUDIO, HEAD + AUDIO, codecs=("G722",))


BEGINNINGS = (
    "a=candidate:", "a=rtpmap:96 ", "a=fmtp:", "a=ssrc:", "a=extmap:", "a=setup:", "a=mid:", "a=fingerprint:",
    "a=rtcp:", "a=group:", "c=IN IP4 ", "a=ssrc-group:", "a=msid:", "a=ice-options:", "a=rtcp-fb:",
)  # fmt: skip
ADDED = st.tuples(st.sampled_from(BEGINNINGS), st.text(max_size=20)).map("".join)


@settings(max_examples=150)
@given(st.lists(ADDED, max_size=6))
@example(["a=fingerprint:0\x1e0"])
@example(["a=ssrc:1\u2028a=setup:x"])
def test_whatever_a_peer_adds_aiortc_can_read_what_is_left(lines: list[str]) -> None:
    text = HEAD + AUDIO + "".join(f"{line}\r\n" for line in lines)
    try:
        offer = sdp.mend_offer(text)
    except MediaNegotiationError:
        return
    media = SessionDescription.parse(offer.sdp).media
    assert len(media) == 1
    assert media[0].rtp.codecs
    assert media[0].dtls.role in ("auto", "client", "server")
