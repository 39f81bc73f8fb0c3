"""Numbers of video in our offers: theirs for ever, and never those of the audio."""

from __future__ import annotations

import copy

from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.description import Section
from sipua.media.video.numbering import VideoNumbering


def codecs(numbering: VideoNumbering) -> list[tuple[str, int, object]]:
    made = numbering.codecs(CODECS["video"])
    return [
        (c.name, c.payloadType, c.parameters.get("apt") or c.parameters.get("profile-level-id")) for c in made
    ]


def audio(*numbers: int) -> Section:
    return Section(
        [f"m=audio 9 X {' '.join(map(str, numbers))}", "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid"]
    )


def described(numbering: VideoNumbering) -> Section:
    made = numbering.codecs(CODECS["video"])
    lines = [f"m=video 9 X {' '.join(str(c.payloadType) for c in made)}"]
    for codec in made:
        lines.append(f"a=rtpmap:{codec.payloadType} {codec}")
        lines.append(
            f"a=fmtp:{codec.payloadType} {';'.join(f'{k}={v}' for k, v in codec.parameters.items())}"
        )
    extensions = numbering.header_extensions(HEADER_EXTENSIONS["video"])
    return Section(lines + [f"a=extmap:{e.id} {e.uri}" for e in extensions])


def test_numbers_from_below_with_gaps_for_the_audio() -> None:
    assert codecs(VideoNumbering(None, [audio(96, 98, 101)])) == [
        ("VP8", 97, None), ("rtx", 99, 97), ("H264", 100, "42001f"), ("rtx", 102, 100),
        ("H264", 103, "42e01f"), ("rtx", 104, 103),
    ]  # fmt: skip


def test_aiortcs_own_codecs_are_left_alone() -> None:
    before = copy.deepcopy(CODECS["video"])
    codecs(VideoNumbering(None, [audio(97)]))
    assert CODECS["video"] == before


@given(st.sets(st.integers(0, 127), max_size=8), st.sets(st.integers(0, 127), max_size=8))
def test_what_was_said_stays(first: set[int], later: set[int]) -> None:
    ours = described(VideoNumbering(None, [audio(*first)]))
    numbers = [int(f) for f in ours.formats]
    assert len({*numbers, *first}) == len(numbers) + len(first)
    again = described(VideoNumbering(ours, [audio(*(later - set(numbers)))]))
    assert again.lines == ours.lines


def test_only_what_the_peer_took_of_it_is_known() -> None:
    ours = Section(
        ["m=video 9 X 120 121", "a=rtpmap:120 VP8/90000", "a=rtpmap:121 rtx/90000", "a=fmtp:121 apt=120"]
    )
    theirs = Section(["m=video 9 X 120 121 97"])
    assert codecs(VideoNumbering(ours, [theirs]))[:4] == [
        ("VP8", 120, None), ("rtx", 121, 120), ("H264", 98, "42001f"), ("rtx", 99, 98),
    ]  # fmt: skip


def test_an_extension_has_one_number_in_all_lines() -> None:
    known = Section(
        ["m=audio 9 X 0", "a=extmap:3/sendrecv urn:ietf:params:rtp-hdrext:sdes:mid x", "a=extmap:nonsense"]
    )
    made = VideoNumbering(None, [known]).header_extensions(HEADER_EXTENSIONS["video"])
    assert [e.id for e in made] == [3, 1]
