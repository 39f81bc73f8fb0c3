"""The numbers in RTP packets keep their meaning, whoever offers and on whatever connection."""

from __future__ import annotations

import re

import pytest
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpHeaderExtensionParameters

from sipua.media.numbering import Numbering
from tests.media.calls import closing, connected, flowing, media

LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


def description(*lines: str) -> str:
    return "\r\n".join(("v=0", "s=-", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 0", *lines, ""))


def numbers(sdp: str) -> dict[str, int]:
    """What stands for what in a description."""
    found = re.findall(r"^a=(?:rtpmap|extmap):(\d+) (\S+)", sdp, re.MULTILINE)
    return {meaning: int(number) for number, meaning in found}


def as_a_browser_numbers(offer: str) -> str:
    for ours, theirs in ((r"\b96\b", "111"), ("extmap:1 ", "extmap:4 "), ("extmap:2 ", "extmap:1 ")):
        offer = re.sub(rf"(m=audio.*|a=rtpmap:|a=fmtp:|a=rtcp-fb:|a=){ours}", rf"\g<1>{theirs}", offer)
    return offer


@pytest.mark.realtime
@pytest.mark.parametrize("ice_restart", [False, True])
async def test_our_next_offer_has_the_numbers_of_our_answer(ice_restart: bool) -> None:
    caller, callee = media(), media()
    async with closing(caller, callee):
        offer = as_a_browser_numbers(await caller.create_offer())
        expected = {"opus/48000/2": 111, LEVEL: 1, MID: 4}
        assert expected.items() <= numbers(offer).items()
        answer = await callee.create_answer(offer)
        await caller.apply_answer(answer)
        await connected(caller, callee)

        again = await callee.create_offer(ice_restart=ice_restart)
        assert numbers(again) == numbers(answer)
        assert re.search(r"^m=audio \d+ \S+ 111 ", again, re.MULTILINE)
        await callee.apply_answer(await caller.create_answer(again))
        await flowing(caller, callee)


def test_a_number_that_is_taken_is_not_given_to_anything_else() -> None:
    ours = description("a=rtpmap:0 PCMU/8000", f"a=extmap:1 {LEVEL}")
    theirs = description(
        "a=rtpmap:96 VP8/90000", "a=rtpmap:97 odd", f"a=extmap:1 {LEVEL}", "a=extmap:3/sendonly urn:x"
    )
    numbering = Numbering.of(ours, theirs, 0)
    codecs = numbering.codecs(
        [
            RTCRtpCodecParameters("audio/opus", 48000, 2, 96),
            RTCRtpCodecParameters("audio/PCMU", 8000, 1, 0),
        ]
    )
    assert [codec.payloadType for codec in codecs] == [97, 0]
    extensions = numbering.header_extensions(
        [
            RTCRtpHeaderExtensionParameters(id=1, uri=MID),
            RTCRtpHeaderExtensionParameters(id=2, uri=LEVEL),
            RTCRtpHeaderExtensionParameters(id=3, uri="urn:y"),
        ]
    )
    assert [(extension.uri, extension.id) for extension in extensions] == [(MID, 2), (LEVEL, 1), ("urn:y", 4)]
