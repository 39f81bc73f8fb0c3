"""The video m-line of descriptions: which is taken, and what of it."""

from __future__ import annotations

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from sipua.media.description import Description, parse
from sipua.media.outgoing import Outgoing
from sipua.media.sdp import mend_answer, mend_offer
from sipua.media.video import formats
from sipua.media.video.formats import AnsweredVideo, OfferedVideo, VideoWish

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
PATH = "a=ice-ufrag:{0}\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 AA:BB\r\na=setup:{1}\r\n"
AUDIO = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:a\r\na=sendrecv\r\na=rtcp-mux\r\n"
    "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"
)
VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 45\r\na=mid:v\r\na=sendonly\r\na=rtcp-mux\r\n"
    "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:* nack\r\n"
    "a=fmtp:96 max-fr=30\r\n"
    "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
    "a=rtpmap:98 H264/90000\r\na=fmtp:98 profile-level-id=42e01f;packetization-mode=1;x-google=y\r\n"
    "a=rtpmap:99 H264/90000\r\na=fmtp:99 profile-level-id=42e01f;packetization-mode=0\r\n"
    "a=rtpmap:100 AV1/90000\r\na=rtpmap:45 VP8/90000\r\n"
    "a=ssrc-group:FID 1 2\r\na=ssrc:1 cname:x\r\na=ssrc:2 cname:x\r\n"
)
BUNDLE = "a=group:BUNDLE a v\r\n"
WANTED = VideoWish(wanted=True)


def described(
    group: str = BUNDLE, *, setup: str = "actpass", video: str = VIDEO, path: str | None = "same"
) -> str:
    own = "" if path is None else PATH.format(path, setup)
    return HEAD + group + AUDIO + PATH.format("same", setup) + video + own


def test_formats_that_aiortc_speaks() -> None:
    description = parse(described())
    formats.settle_video_formats(description, None)
    video = description.media[1]
    assert video.formats == ["96", "98", "97"]
    assert video.all("rtpmap") == ["96 VP8/90000", "98 H264/90000", "97 rtx/90000"]
    assert video.all("rtcp-fb") == ["96 nack pli", "96 nack", "98 nack", "97 nack"]
    assert video.all("fmtp") == ["98 packetization-mode=1;profile-level-id=42e01f", "97 apt=96"]
    assert video.all("ssrc-group") == ["FID 1 2"]
    assert description.media[0].formats == ["0"]


@pytest.mark.parametrize(
    ("lines", "usable"),
    [
        ("a=rtpmap:96 vp8/90000\r\n", True),
        ("a=rtpmap:96 VP9/90000\r\n", False),
        ("a=rtpmap:96 H264/90000\r\n", False),
        ("a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n", True),
        ("a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=640032\r\n", False),
        ("a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=zz\r\n", False),
        ("a=rtpmap:96 rtx/90000\r\na=fmtp:96 apt=96\r\n", False),
        ("a=rtpmap:96\r\na=fmtp:96\r\n", False),
        ("", False),
    ],
)
def test_what_makes_video_usable(lines: str, usable: bool) -> None:
    video = f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n{lines}"
    assert formats.is_usable(parse(described(video=video)), 1) is usable
    assert mend_offer(described(video=video), video=WANTED).video.live is usable


def test_video_without_a_secure_path_is_not_taken() -> None:
    bare = described(group="", path=None)
    assert mend_offer(bare, video=WANTED).video == OfferedVideo()
    assert formats.read_answer(parse(bare), 0, 1) == AnsweredVideo()
    assert mend_offer(described(path=None), video=WANTED).video.live  # the bundle has one


@pytest.mark.parametrize(
    ("group", "bundled"),
    [(BUNDLE, True), ("", False), ("a=group:BUNDLE a\r\n", False), ("a=group:LS a v\r\n", False)],
)
def test_bundles(group: str, bundled: bool) -> None:
    taken = mend_offer(described(group, path="other"), video=WANTED)
    assert taken.video == OfferedVideo(1, "v", bundled, "same" if bundled else "other")
    mended = parse(taken.sdp)
    assert mended.session.all("group") == ["BUNDLE a v" if bundled else "BUNDLE a"]
    assert mended.media[1].get("ice-ufrag") == ("same" if bundled else "other")
    SessionDescription.parse(taken.sdp)


def test_an_answer_without_mids_is_bundled_if_it_has_one_path() -> None:
    bare = described("").replace("a=mid:a\r\n", "").replace("a=mid:v\r\n", "")
    assert formats.are_bundled(parse(bare), 0, 1)
    assert not formats.are_bundled(parse(bare.replace("m=video 9", "m=video 10")), 0, 1)
    assert formats.are_bundled(parse(bare.replace("t=0 0\r\n", f"t=0 0\r\n{BUNDLE}")), 0, 1)


def test_the_path_is_that_of_the_first_in_the_group() -> None:
    description = parse(described("a=group:BUNDLE v a\r\n", path="tagged"))
    formats.share_transport(description, 0, 1)
    assert [s.get("ice-ufrag") for s in description.media] == ["tagged", "tagged"]


def test_video_is_first_and_audio_second() -> None:
    text = (
        HEAD
        + "a=group:BUNDLE v a\r\n"
        + VIDEO
        + PATH.format("x", "actpass")
        + AUDIO
        + PATH.format("x", "actpass")
    )
    offer = mend_offer(text, video=WANTED)
    assert (offer.index, offer.video.place) == (1, 0)
    assert [s.kind for s in parse(offer.sdp).media] == ["audio", "video"]
    out = Outgoing()
    answer = parse(out.answer(local(), offer))
    assert [(s.kind, s.port, s.get("mid")) for s in answer.media] == [
        ("video", 4000, "v"),
        ("audio", 4000, "a"),
    ]
    assert answer.session.all("group") == ["BUNDLE v a"]
    again = parse(out.offer(local()))
    assert [s.kind for s in again.media] == ["video", "audio"]
    without = parse(out.offer(local(), video=False))
    assert [(s.kind, s.port) for s in without.media] == [("video", 0), ("audio", 4000)]
    assert without.session.all("group") == ["BUNDLE 0"]


def local(*, video: bool = True) -> str:
    """A description as aiortc makes it."""
    kinds = ("audio", "video") if video else ("audio",)
    codecs = ("opus/48000/2", "VP8/90000")
    lines = [
        f"m={kind} 4000 UDP/TLS/RTP/SAVPF {96 + index}\r\nc=IN IP4 192.0.2.1\r\na=sendrecv\r\na=mid:{index}\r\n"
        f"a=rtcp:9 IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=rtpmap:{96 + index} {codecs[index]}\r\n"
        "a=candidate:1 1 udp 9 192.0.2.1 4000 typ host\r\n" + PATH.format("mine", "actpass")
        for index, kind in enumerate(kinds)
    ]
    return f"{HEAD}a=group:BUNDLE {' '.join(map(str, range(len(kinds))))}\r\n{''.join(lines)}"


def test_a_new_place_is_after_all_others_and_stays() -> None:
    out = Outgoing()
    offer = mend_offer(f"{HEAD}m=image 0 udptl t38\r\n{AUDIO}{PATH.format('x', 'actpass')}")
    out.answer(local(video=False), offer)
    assert (out.index, out.video, out.video_place) == (1, None, 2)
    assert [s.kind for s in parse(out.offer(local())).media] == ["image", "audio", "video"]
    assert [s.kind for s in parse(out.offer(local(), video=False)).media] == [
        "image",
        "audio",
    ]  # it was not agreed
    out.agreed(offered_video=True)
    assert [s.port for s in parse(out.offer(local(video=False))).media] == [0, 4000, 0]


def test_an_offer_that_takes_video_away() -> None:
    wish = VideoWish(wanted=True, place=1, mid="9")
    gone = mend_offer(described().replace("m=video 9", "m=video 0"), index=0, mid="8", video=wish)
    assert gone.video == OfferedVideo(mid="9")
    audio, video = parse(gone.sdp).media
    assert (video.get("mid"), video.direction, video.live) == ("9", "inactive", True)
    assert video.get("ice-ufrag") == audio.get("ice-ufrag")
    assert parse(gone.sdp).session.all("group") == ["BUNDLE 8 9"]
    other = mend_offer(
        described() + VIDEO.replace("a=mid:v", "a=mid:w") + PATH.format("same", "actpass"), video=wish
    )
    assert other.video.place == 1


def test_video_that_comes_back_in_another_place() -> None:
    wish = VideoWish(wanted=True, place=1, mid="v")
    text = described("a=group:BUNDLE a w\r\n").replace("m=video 9", "m=video 0")
    text += VIDEO.replace("a=mid:v", "a=mid:w") + PATH.format("same", "actpass")
    offer = mend_offer(text, index=0, mid="a", video=wish)
    assert offer.video == OfferedVideo(2, "w", True, "same")


@pytest.mark.parametrize(
    "refusal",
    [
        "m=video 0 UDP/TLS/RTP/SAVPF 97\r\n",
        "",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n",
        VIDEO.replace("VP8", "VP7"),
    ],
)
def test_answers_that_refuse_video(refusal: str) -> None:
    answer = HEAD + AUDIO + PATH.format("x", "active") + refusal.replace("H264", "H265")
    video = formats.read_answer(parse(answer), 0, 1)
    assert not video.live
    mended = parse(mend_answer(answer, local(), video=video))
    assert [(s.kind, s.direction, s.get("mid")) for s in mended.media] == [
        ("audio", "sendrecv", "0"), ("video", "inactive", "1"),
    ]  # fmt: skip
    assert mended.session.all("group") == ["BUNDLE 0 1"]
    SessionDescription.parse(str(mended))


@pytest.mark.parametrize("group", [BUNDLE, ""])
def test_answers_that_take_video(group: str) -> None:
    answer = described(group, setup="active", path="same" if group else "other")
    video = formats.read_answer(parse(answer), 0, 1)
    assert video == AnsweredVideo(1, bool(group), "same" if group else "other")
    mended = parse(mend_answer(answer, local(), video=video))
    assert mended.session.all("group") == ["BUNDLE 0 1" if group else "BUNDLE 0"]
    assert [s.get("mid") for s in mended.media] == ["0", "1"]


LINES = st.sampled_from(
    [*described().split("\r\n"), "a=rtpmap:96", "a=fmtp:x y", "a=mid:", "m=video 0 X 0", "a=rtcp-fb:96"]
)


@settings(max_examples=150)
@given(st.lists(LINES, max_size=40))
def test_no_description_is_too_strange(lines: list[str]) -> None:
    """Each is refused by a MediaNegotiationError, or comes out as aiortc can read it."""
    from sipua.errors import MediaNegotiationError

    text = HEAD + "".join(f"{line}\r\n" for line in lines)
    try:
        offer = mend_offer(text, video=WANTED)
    except MediaNegotiationError:
        return
    assert isinstance(offer.original, Description)
    SessionDescription.parse(offer.sdp)
