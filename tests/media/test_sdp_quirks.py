"""What servers and other phones write: each habit in an offer and in an answer, in real calls on loopback."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from sipua.errors import MediaNegotiationError
from sipua.media.description import parse
from sipua.media.sdp import answer_rejected_sections
from tests.media.calls import closing, connected, flowing, media, negotiate

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.realtime


def sub(pattern: str, replacement: str) -> Callable[[str], str]:
    return lambda text: re.sub(pattern, replacement, text, flags=re.MULTILINE)


def before_mid(*lines: str) -> Callable[[str], str]:
    added = "".join(f"{line}\r\n" for line in lines)
    return lambda text: text.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{added}")


def both(*changes: Callable[[str], str]) -> Callable[[str], str]:
    def change(text: str) -> str:
        for one in changes:
            text = one(text)
        return text

    return change


def session_level(text: str) -> str:
    pattern = r"a=(?:ice-ufrag|ice-pwd|fingerprint|setup):.*\r\n"
    lines = "".join(re.findall(pattern, text))
    return re.sub(pattern, "", text).replace("t=0 0\r\n", f"t=0 0\r\n{lines}")


no_mid = both(sub(r"a=mid:.*\r\n", ""), sub(r"a=group:.*\r\n", ""))
only_opus_111 = both(
    sub(r"^(m=audio \d+ \S+) .*\r\n", r"\1 111\r\n"),
    sub(r"a=rtpmap:(9|0|8) .*\r\n", ""),
    sub("rtpmap:96", "rtpmap:111"),
)

QUIRKS: dict[str, Callable[[str], str]] = {
    "nothing unusual": str,
    "no mid and no bundle": no_mid,
    "mid renamed": both(
        sub(r"a=mid:.*\r\n", "a=mid:audio\r\n"), sub(r"a=group:.*\r\n", "a=group:BUNDLE audio\r\n")
    ),
    "mid without a value": sub(r"a=mid:.*\r\n", "a=mid\r\n"),
    "no bundle": sub(r"a=group:.*\r\n", ""),
    "bundle with a mid that is not there": sub(r"a=group:.*\r\n", "a=group:BUNDLE video 0 data\r\n"),
    "no msid, ssrc, extmap": sub(r"a=(msid|ssrc|extmap|msid-semantic).*\r\n", ""),
    "no direction": sub(r"a=sendrecv\r\n", ""),
    "direction at session level": both(
        sub(r"a=sendrecv\r\n", ""), sub(r"^t=0 0\r\n", "t=0 0\r\na=sendrecv\r\n")
    ),
    "static payload types without rtpmap": both(
        sub(r"a=rtpmap:.*\r\n", ""), sub(r"^(m=audio \d+ \S+).*\r\n", r"\1 0 8\r\n")
    ),
    "no setup": sub(r"a=setup:.*\r\n", ""),
    "setup:holdconn": sub(r"a=setup:.*\r\n", "a=setup:holdconn\r\n"),
    "setup:actpass": sub(r"a=setup:.*\r\n", "a=setup:actpass\r\n"),
    "ICE and DTLS at session level": session_level,
    "ice-lite at session level": sub(r"^t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"),
    "ice-lite in the m-line": sub(r"^a=ice-ufrag", "a=ice-lite\r\na=ice-ufrag"),
    "no end-of-candidates": sub(r"a=end-of-candidates\r\n", ""),
    "trickle": sub(r"a=end-of-candidates\r\n", "a=ice-options:trickle renomination\r\n"),
    "candidates of Asterisk": sub(
        r"a=candidate:\S+ 1 udp (\d+) (\S+) (\d+) typ host",
        r"a=candidate:Hc0a80001 1 UDP \1 \2 \3 typ host generation 0\r\n"
        r"a=candidate:Hc0a80001 2 UDP 2130706430 \2 9 typ host",
    ),
    "a TCP candidate": sub(
        r"^a=end-of", "a=candidate:9 1 tcp 1518280447 192.0.2.2 9 typ host tcptype active\r\na=end-of"
    ),
    "an mDNS candidate": sub(
        r"^a=end-of", "a=candidate:9 1 udp 1518280447 abcd-1234.local 5000 typ host\r\na=end-of"
    ),
    "only an mDNS candidate": sub(r"^a=candidate:(\S+ 1 udp \d+) \S+", r"a=candidate:\1 abcd-1234.local"),
    "a candidate with a host name": sub(
        r"^a=end-of", "a=candidate:9 1 udp 1518280447 media.example.com 5000 typ host\r\na=end-of"
    ),
    "a mutilated candidate": sub(r"^a=end-of", "a=candidate:9 1 udp\r\na=candidate\r\na=end-of"),
    "no rtcp-mux": sub(r"a=rtcp-mux\r\n", ""),
    "no a=rtcp": sub(r"a=rtcp:.*\r\n", ""),
    "RTP/SAVPF": sub("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"),
    "number of ports": sub(r"^m=audio (\d+)", r"m=audio \1/2"),
    "bandwidth, crypto, ptime, unknown": before_mid(
        "b=AS:64", "a=crypto:1 AES inline:x", "a=maxptime:150", "a=ptime:20", "a=foo", "a=bar:"
    ),
    "fmtp without rtpmap": before_mid("a=fmtp:18 annexb=no"),
    "fmtp without a value": before_mid("a=fmtp:96", "a=rtcp-fb:96", "a=rtcp-fb"),
    "rtpmap that is none": before_mid("a=rtpmap:97", "a=rtpmap:x y/z", "a=rtpmap"),
    "telephone-event and comfort noise": both(
        sub(r"^(m=audio .*)\r\n", r"\1 101 13\r\n"),
        before_mid("a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=rtpmap:13 CN/8000"),
    ),
    "unknown codecs first": both(
        sub(r"^(m=audio \d+ \S+) (.*)\r\n", r"\1 18 4 120 \2\r\n"), before_mid("a=rtpmap:120 SPEEX/16000")
    ),
    "formats that are none": sub(r"^(m=audio \d+ \S+) (.*)\r\n", r"\1 \2 73 300 x 0\r\n"),
    "fmtp of opus with blanks": before_mid("a=fmtp:96 useinbandfec=1; minptime=10;stereo=0"),
    "fmtp of opus with words for numbers": before_mid("a=fmtp:96 stereo=true"),
    "no c=": sub(r"^c=.*\r\n", ""),
    "c= with a TTL": sub(r"^c=IN IP4 (\S+)\r\n", r"c=IN IP4 \1/127\r\n"),
    "c= with a host name": sub(r"^c=IN IP4 (\S+)\r\n", r"c=IN IP4 pbx.example.com\r\n"),
    "c= at session level": both(
        sub(r"^c=.*\r\n", ""), sub(r"^t=0 0\r\n", "c=IN IP4 pbx.example.com\r\nt=0 0\r\n")
    ),
    "a=rtcp with a trailing blank": sub(r"^a=rtcp:.*\r\n", r"a=rtcp:9 IN IP4 0.0.0.0 \r\n"),
    "fingerprint in other case": lambda text: re.sub(
        r"a=fingerprint:sha-256 (.*)\r\n", lambda m: f"a=fingerprint:SHA-256 {m[1].lower()}\r\n", text
    ),
    "another fingerprint that is too weak": sub(r"^(a=fingerprint:)", r"\1sha-1 4A:AD:B9\r\na=fingerprint:"),
    "extmap with attributes": before_mid("a=extmap:5 urn:ietf:params:rtp-hdrext:toffset vad=on"),
    "extmap without a URI": before_mid("a=extmap:5"),
    "bare ssrc": before_mid("a=ssrc:12345", "a=ssrc", "a=ssrc-group:FID 1 x"),
    "LF line ends": lambda text: text.replace("\r\n", "\n"),
    "CR line ends": lambda text: text.replace("\r\n", "\r"),
    "no line end at the end": str.rstrip,
    "empty lines": lambda text: text.replace("t=0 0\r\n", "t=0 0\r\n\r\n") + "\r\n\r\n",
    "a subject, a time zone, a phone number": sub(
        r"^t=0 0\r\n", "i=talk\r\np=+1 2\r\nt=0 0\r\nz=0 0\r\nk=prompt\r\n"
    ),
    "other codec order": sub(r"^(m=audio \d+ \S+) .*\r\n", r"\1 0 8 96\r\n"),
    "opus as 111": only_opus_111,
    "opus below the dynamic range": both(
        sub(r"^(m=audio \d+ \S+) (.*)\r\n", r"\1 \2 63\r\n"), before_mid("a=rtpmap:63 opus/48000/2")
    ),
    "blanks in the m-line": sub(r"^m=audio (\d+) (\S+) ", r"m=audio  \1  \2  "),
}
# In an answer these would be lies: the other end of these tests sends what it negotiated itself.
ONLY_IN_OFFERS = {"opus as 111"}
CODECS = {"static payload types without rtpmap": ("PCMU", "PCMA")}


async def _call(where: str, quirk: str) -> None:
    change, codecs = QUIRKS[quirk], CODECS.get(quirk)
    a, b = media(codecs=codecs), media(codecs=codecs)
    async with closing(a, b):
        await negotiate(a, b, **{where: change})
        await connected(a, b)
        await flowing(a, b)
        # Either side can offer again, and the peer keeps its habits.
        await negotiate(b, a, answer=change)
        await negotiate(b, a, offer=change)
        await flowing(a, b)


@pytest.mark.parametrize("where", ["offer", "answer"])
async def test_a_call_comes_about(where: str) -> None:
    quirks = [q for q in QUIRKS if where == "offer" or q not in ONLY_IN_OFFERS]
    failed = {}
    for start in range(0, len(quirks), 10):
        some = quirks[start : start + 10]
        results = await asyncio.gather(*(_call(where, quirk) for quirk in some), return_exceptions=True)
        failed |= {quirk: result for quirk, result in zip(some, results, strict=True) if result is not None}
    assert failed == {}


@pytest.mark.parametrize(
    "line",
    [
        "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:v\r\na=rtpmap:97 VP8/90000\r\n",
        "m=video 0 UDP/TLS/RTP/SAVPF 97\r\n",
        "m=image 0 udptl t38\r\n",
        "m=message 2855 TCP/MSRP *\r\n",
        "m=application 0 UDP/BFCP *\r\n",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n",
        "m=text 5000 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n",
        "m=audio 5000 RTP/AVP 0\r\n",
    ],
)
@pytest.mark.parametrize("first", [True, False])
async def test_other_media_in_an_offer_is_refused(line: str, first: bool) -> None:
    def add(text: str) -> str:
        head, audio = text.split("m=audio", 1)
        return f"{head}{line}m=audio{audio}" if first and not line.startswith("m=audio") else text + line

    a, b = media(), media()
    async with closing(a, b):
        offer = add(await a.create_offer())
        answer = await b.create_answer(offer)
        offered, answered = parse(offer).media, parse(answer).media
        assert [s.kind for s in answered] == [s.kind for s in offered]
        assert [s.words[2:3] for s in answered] == [s.words[2:3] for s in offered]
        other = next(s for s in answered if s.port == 0)
        assert other.kind == line[2:].split()[0]
        kept = next(s for s in answered if s.port != 0)
        assert f"a=group:BUNDLE {kept.get('mid')}" in answer
        # a never offered that line, so for a the answer is the audio line alone.
        alone = parse(answer)
        alone.media = [kept]
        await a.apply_answer(str(alone))
        await connected(a, b)
        await flowing(a, b)
        # Our next offer still has both lines, in their places (RFC 3264 section 8).
        again = parse(await b.create_offer()).media
        assert [(s.kind, s.port == 0) for s in again] == [(s.kind, s.port == 0) for s in answered]


async def test_an_answer_with_a_line_too_many() -> None:
    a, b = media(), media()
    async with closing(a, b):
        await negotiate(a, b, answer=lambda text: text + "m=text 0 RTP/AVP 98\r\n")
        await connected(a, b)
        await flowing(a, b)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (sub(r"a=fingerprint:.*\r\n", ""), "no DTLS fingerprint"),
        (sub(r"a=fingerprint:.*\r\n", "a=fingerprint:sha-1 4A:AD\r\n"), "sha-1"),
        (sub(r"a=ice-.*\r\n", ""), "no ICE credentials"),
        (both(sub(r"a=(ice-|fingerprint|setup).*\r\n", ""), sub("UDP/TLS/RTP/SAVPF", "RTP/AVP")), "RTP/AVP"),
        (sub(r"m=audio \d+", "m=audio 0"), "audio"),
        (sub(r"m=audio", "m=video"), "audio"),
        (both(sub(r"a=rtpmap.*\r\n", ""), sub(r"^(m=audio \d+ \S+) .*", r"\1 18 101")), "no common codec"),
        (lambda text: text.replace("m=audio", "m=audio x"), "bad media line"),
        (lambda text: "", "not a session description"),
        (lambda text: "<xml/>", "not a session description"),
        (lambda text: text[: text.index("m=")], "audio|media lines"),
        (lambda text: text + "a=x:" + "y" * 70000, "longer than"),
    ],
)
@pytest.mark.parametrize("where", ["offer", "answer"])
async def test_what_cannot_work_is_refused_with_488(
    where: str, change: Callable[[str], str], words: str
) -> None:
    a, b = media(), media()
    async with closing(a, b):
        with pytest.raises(MediaNegotiationError, match=words) as caught:
            await negotiate(a, b, **{where: change})
        assert caught.value.status == 488
        # And a good one goes through after all.
        await a.rollback()
        await negotiate(a, b)
        await connected(a, b)


async def test_aiortc_takes_a_rejected_video_line_as_an_inactive_one() -> None:
    """Asterisk and FreeSWITCH refuse video with port 0 and no ICE lines."""
    a, b = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    a.addTransceiver("audio")
    video = a.addTransceiver("video")
    b.addTransceiver("audio")
    await a.setLocalDescription(await a.createOffer())
    offer = a.localDescription.sdp
    head, refused = offer.split("m=video", 1)
    await b.setRemoteDescription(RTCSessionDescription(head.replace("BUNDLE 0 1", "BUNDLE 0"), "offer"))
    await b.setLocalDescription(await b.createAnswer())
    answer = parse(b.localDescription.sdp + "m=video 0 UDP/TLS/RTP/SAVPF 97\r\n")
    with pytest.raises(ValueError, match="ICE username"):
        await a.setRemoteDescription(RTCSessionDescription(str(answer), "answer"))
    answer.media[1].put("mid", "1")
    answer_rejected_sections(answer, parse(offer))
    answer.session.lines = [line.replace("BUNDLE 0", "BUNDLE 0 1") for line in answer.session.lines]
    await a.setRemoteDescription(RTCSessionDescription(str(answer), "answer"))
    assert video.currentDirection == "inactive"
    assert refused
    await a.close()
    await b.close()
