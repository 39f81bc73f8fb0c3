"""What leaves this side."""

from __future__ import annotations

from sipua.media.description import parse
from sipua.media.outgoing import Outgoing
from sipua.media.sdp import mend_offer

LOCAL = "\r\n".join([
    "v=0", "o=- 9 9 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0",
    "m=audio 4000 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 192.0.2.1", "a=sendrecv", "a=mid:0",
    "a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp-mux", "a=rtpmap:96 opus/48000/2",
    "a=candidate:1 1 udp 9 192.0.2.1 4000 typ host", "a=candidate:2 1 udp 8 2001:db8::1 4001 typ host",
    "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuv",
    "a=fingerprint:sha-256 AA", "a=fingerprint:sha-384 BB", "a=setup:actpass", "",
])  # fmt: skip


def test_the_version_goes_up_by_one_with_every_change() -> None:
    out = Outgoing(session_id="77")
    lines = [
        parse(out.offer(text)).session.lines[1]
        for text in (LOCAL, LOCAL, LOCAL.replace("sendrecv", "inactive"), LOCAL)
    ]
    assert lines == [f"o=- 77 {version} IN IP4 127.0.0.1" for version in (1, 1, 2, 3)]
    assert Outgoing().session_id != Outgoing().session_id


def test_one_fingerprint() -> None:
    assert parse(Outgoing().offer(LOCAL)).media[0].all("fingerprint") == ["sha-256 AA"]


def test_the_candidate_filter_moves_the_default_address() -> None:
    audio = parse(Outgoing().offer(LOCAL, lambda line: "2001" in line)).media[0]
    assert audio.all("candidate") == ["2 1 udp 8 2001:db8::1 4001 typ host"]
    assert audio.lines[:2] == ["m=audio 4001 UDP/TLS/RTP/SAVPF 96 110", "c=IN IP6 2001:db8::1"]
    audio = parse(Outgoing().offer(LOCAL, lambda line: False)).media[0]
    assert audio.lines[:2] == ["m=audio 9 UDP/TLS/RTP/SAVPF 96 110", "c=IN IP4 0.0.0.0"]


def test_the_filter_sees_whole_candidate_lines() -> None:
    seen: list[str] = []
    Outgoing().offer(LOCAL, lambda line: bool(seen.append(line)) or True)
    assert seen[0] == "candidate:1 1 udp 9 192.0.2.1 4000 typ host"


def test_an_answer_spells_what_the_offer_spells() -> None:
    plain = (
        LOCAL.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF")
        .replace("a=mid:0", "a=mid:talk")
        .replace("BUNDLE 0", "BUNDLE talk pic")
    )
    offer = mend_offer(plain + "m=video 9 RTP/SAVPF 97 98\r\na=mid:pic\r\na=rtpmap:97 VP8/90000\r\n")
    out = Outgoing()
    answer = parse(out.answer(LOCAL, offer))
    audio, video = answer.media
    assert audio.words[:3] == ["audio", "4000", "RTP/SAVPF"]
    assert audio.get("mid") == "talk"
    assert audio.has("rtcp-mux")
    assert answer.session.all("group") == ["BUNDLE talk"]
    assert video.lines == ["m=video 0 RTP/SAVPF 97 98", "c=IN IP4 0.0.0.0", "a=inactive", "a=mid:pic"]
    # The refused line stays in its place in later offers.
    assert [s.port for s in parse(out.offer(LOCAL)).media] == [4000, 0]


def test_an_answer_has_no_attributes_that_the_offer_does_not_know() -> None:
    bare = LOCAL.replace("a=mid:0\r\n", "").replace("a=group:BUNDLE 0\r\n", "").replace("a=rtcp-mux\r\n", "")
    answer = parse(Outgoing().answer(LOCAL, mend_offer(bare)))
    assert not answer.media[0].has("mid")
    assert not answer.media[0].has("rtcp-mux")
    assert not answer.media[0].has("rtcp")
    assert not answer.session.has("group")


def test_audio_in_the_second_place() -> None:
    head, audio = LOCAL.split("m=audio", 1)
    offer = mend_offer(f"{head}m=image 0 udptl t38\r\nm=audio{audio}")
    out = Outgoing()
    assert [s.kind for s in parse(out.answer(LOCAL, offer)).media] == ["image", "audio"]
    assert out.index == 1
    assert [s.kind for s in parse(out.offer(LOCAL)).media] == ["image", "audio"]
