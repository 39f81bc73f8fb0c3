"""What our descriptions say of the formats, and what two descriptions agree on."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.codecs import CodecSpec
from sipua.media.description import Section, parse
from sipua.media.formats import codecs_negotiated, complete, is_usable
from sipua.media.interface import MediaOptions, OpusOptions
from sipua.media.numbering import Numbering

MAPS = {96: "opus/48000/2", 9: "G722/8000", 0: "PCMU/8000", 8: "PCMA/8000"}
ALL = (96, 9, 0, 8)


def ours(*numbers: int) -> Section:
    """An m-line as aiortc makes it."""
    return Section([
        f"m=audio 4000 UDP/TLS/RTP/SAVPF {' '.join(map(str, numbers))}",
        "c=IN IP4 192.0.2.1",
        "a=sendrecv",
        *(f"a=rtpmap:{number} {MAPS[number]}" for number in numbers),
        "a=setup:actpass",
    ])  # fmt: skip


def peer(formats: str, *lines: str, session: tuple[str, ...] = ()) -> str:
    """A description of the peer's."""
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.2", "s=-", *session, "t=0 0"]
    return "\r\n".join([*head, f"m=audio 5000 UDP/TLS/RTP/SAVPF {formats}", *lines]) + "\r\n"


def text(section: Section) -> str:
    return "\r\n".join(["v=0", *section.lines]) + "\r\n"


def section_of(description: str) -> Section:
    return parse(description).media[0]


# --- offers -----------------------------------------------------------------------------------------------


def test_an_offer_says_it_all() -> None:
    section = ours(*ALL)
    complete(section, MediaOptions(bandwidth=64, comfort_noise=True, ptime=40))
    assert section.lines == [
        "m=audio 4000 UDP/TLS/RTP/SAVPF 96 9 0 8 13 110 101",
        "c=IN IP4 192.0.2.1",
        "b=AS:64",
        "a=sendrecv",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 minptime=10;useinbandfec=1",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:110 0-16",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:40",
        "a=maxptime:60",
        "a=setup:actpass",
    ]


@pytest.mark.parametrize(
    ("codecs", "formats"),
    [((96,), "96 110"), ((0,), "0 13 101"), ((9, 8), "9 8 13 101"), ((8, 96), "8 96 13 101 110")],
)
def test_events_have_the_clock_rates_of_the_codecs(codecs: tuple[int, ...], formats: str) -> None:
    section = ours(*codecs)
    complete(section, MediaOptions(comfort_noise=True))
    assert " ".join(section.formats) == formats


def test_what_was_said_before_is_said_once() -> None:
    section = ours(0)
    complete(section, MediaOptions(bandwidth=100))
    once = list(section.lines)
    section.formats = ["0"]
    section.lines = [line for line in section.lines if "telephone-event" not in line]
    complete(section, MediaOptions(bandwidth=100))
    assert section.lines == once


def test_numbers_of_a_call_stay_and_are_not_given_to_another_format() -> None:
    before = peer("111 101", "a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/48000")
    theirs = peer("111 101 110", "a=rtpmap:110 x/8000")
    section = ours(*ALL)
    complete(section, MediaOptions(), numbering=Numbering.of(before, theirs, 0))
    maps = dict(value.split(" ") for value in section.all("rtpmap"))
    assert maps["101"] == "telephone-event/48000"
    # Neither of the usual numbers is free.
    assert maps["127"] == "telephone-event/8000"


# --- answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "offered", "answered"),
    [
        ((96, 0), "126 110", ["126 telephone-event/8000", "110 telephone-event/48000"]),
        ((0,), "126 110", ["126 telephone-event/8000"]),
        ((96,), "126 110", ["110 telephone-event/48000"]),
        # Peers that know Opus and events at 8000 Hz alone mean it.
        ((96,), "126", ["126 telephone-event/8000"]),
        ((96, 0), "", []),
    ],
)
def test_an_answer_has_the_events_of_the_offer_for_its_codecs(
    kept: tuple[int, ...], offered: str, answered: list[str]
) -> None:
    maps = {"126": "telephone-event/8000", "110": "telephone-event/48000"}
    lines = [f"a=rtpmap:{number} {maps[number]}" for number in offered.split()]
    section = ours(*kept)
    complete(
        section, MediaOptions(), offer=section_of(peer(f"96 0 {offered}", "a=rtpmap:96 opus/48000/2", *lines))
    )
    assert sorted(v for v in section.all("rtpmap") if "event" in v) == sorted(answered)
    events = {v.split()[0] for v in answered}
    said = dict(v.split(" ", 1) for v in section.all("fmtp"))
    assert {number: said[number] for number in events} == dict.fromkeys(events, "0-16")


@pytest.mark.parametrize(
    ("wanted", "offered", "kept", "there"),
    [(True, "0 13", 0, True), (False, "0 13", 0, False), (True, "0", 0, False), (True, "96 13", 96, False)],
)
def test_comfort_noise_needs_both_sides_and_g711(wanted: bool, offered: str, kept: int, there: bool) -> None:
    section = ours(kept)
    offer = section_of(peer(offered, "a=rtpmap:96 opus/48000/2"))
    complete(section, MediaOptions(comfort_noise=wanted), offer=offer)
    assert ("13" in section.formats) is there


# --- what is agreed ---------------------------------------------------------------------------------------


def test_the_answer_has_the_order_and_the_receiver_the_numbers() -> None:
    section = ours(*ALL)
    complete(section, MediaOptions(comfort_noise=True))
    answer = peer(
        "8 121 101 13",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:121 OPUS/48000/2",
        "a=fmtp:121 useinbandfec=1;maxaveragebitrate=20000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
    )
    agreed = codecs_negotiated(text(section), answer, answer="remote")
    assert agreed.sent == (
        CodecSpec("pcma", 8, 8000),
        CodecSpec("opus", 121, 48000, 2, {"useinbandfec": "1", "maxaveragebitrate": "20000"}),
        CodecSpec("telephone-event", 101, 8000, 1, {"": "0-15"}),
        CodecSpec("cn", 13, 8000),
    )
    # Theirs by their own number is understood too.
    assert [(codec.name, codec.payload_type) for codec in agreed.received] == [
        ("opus", 96), ("pcma", 8), ("cn", 13), ("telephone-event", 101), ("opus", 121),
    ]  # fmt: skip


def test_our_answer_has_the_order_too() -> None:
    offer = peer("0 8 9")
    agreed = codecs_negotiated(text(ours(9, 0)), offer, answer="local")
    assert [codec.name for codec in agreed.sent] == ["g722", "pcmu"]


@pytest.mark.parametrize(
    ("lines", "name", "ptime"),
    [
        ((), "pcmu", 20),
        (("a=ptime:20",), "pcmu", 20),
        (("a=ptime:10",), "pcmu", 10),
        (("a=ptime:10",), "g722", 20),
        (("a=ptime:30",), "opus", 20),
        (("a=ptime:40",), "opus", 40),
        (("a=ptime:200",), "opus", 60),
        (("a=ptime:60", "a=maxptime:40"), "pcmu", 40),
        (("a=maxptime:10",), "pcmu", 10),
        (("a=ptime:1",), "pcmu", 10),
        (("a=ptime:20.5",), "pcmu", 20),
        (("a=ptime:",), "pcmu", 20),
        (("a=ptime:-5",), "pcmu", 20),
        (("a=ptime:0",), "pcmu", 20),
        ((f"a=ptime:{'9' * 5000}",), "pcmu", 60),
    ],
)
def test_packets_are_as_long_as_the_peer_wants(lines: tuple[str, ...], name: str, ptime: int) -> None:
    answer = peer("96 9 0", "a=rtpmap:96 opus/48000/2", *lines)
    agreed = codecs_negotiated(text(ours(*ALL)), answer, answer="remote")
    assert next(codec.ptime for codec in agreed.sent if codec.name == name) == ptime


def test_our_wish_counts_when_the_peer_has_none() -> None:
    options = MediaOptions(ptime=60)
    assert codecs_negotiated(text(ours(0)), peer("0"), answer="remote", options=options).sent[0].ptime == 60
    limited = peer("0", "a=maxptime:40")
    assert codecs_negotiated(text(ours(0)), limited, answer="remote", options=options).sent[0].ptime == 40


@pytest.mark.parametrize(
    ("session", "lines", "bandwidth", "limit"),
    [
        ((), (), None, None),
        # 50 bytes of headers 50 times a second are 20 kbit/s.
        ((), ("b=AS:50",), None, 30000),
        ((), ("b=TIAS:24000",), None, 24000),
        ((), ("b=AS:50", "b=TIAS:24000"), None, 24000),
        ((), ("b=AS:50",), 40, 20000),
        ((), (), 40, 20000),
        ((), ("b=AS:5",), None, 0),
        (("b=AS:60",), (), None, 40000),
        (("b=AS:60",), ("b=AS:100",), None, 80000),
        ((), ("b=RS:800", "b=X-YZ:128", "b=AS:", "b=CT:10", "b=AS:x"), None, None),
        ((), ("b=AS:50", "a=ptime:40"), None, 40000),
    ],
)
def test_bandwidth(
    session: tuple[str, ...], lines: tuple[str, ...], bandwidth: int | None, limit: int | None
) -> None:
    answer = peer("0", *lines, session=session)
    options = MediaOptions(bandwidth=bandwidth)
    agreed = codecs_negotiated(text(ours(0)), answer, answer="remote", options=options)
    assert agreed.sent[0].max_bitrate == limit


@pytest.mark.parametrize(
    ("number", "encoding", "usable"),
    [
        (0, "PCMU/8000", True),
        (0, "PCMA/8000", False),
        (96, "pcmu/8000/1", True),
        (111, "OPUS/48000/2", True),
        (63, "opus/48000/2", False),
        (96, "opus/16000", False),
        (9, "G722/8000", True),
        (101, "telephone-event/8000", False),
        (18, "G729/8000", False),
    ],
)
def test_what_can_be_used(number: int, encoding: str, usable: bool) -> None:
    assert is_usable(number, encoding) is usable


LINES = st.lists(
    st.one_of(
        st.from_regex(r"a=(rtpmap|fmtp):[0-9]{1,4} [ -~]{0,20}", fullmatch=True),
        st.from_regex(r"a=(ptime|maxptime):[ -~]{0,6}", fullmatch=True),
        st.from_regex(r"b=(AS|TIAS|CT):[ -~]{0,6}", fullmatch=True),
        st.sampled_from(["a=rtpmap:97 telephone-event/8000", "a=fmtp:97 0-15", "a=rtpmap:98 opus/48000/2"]),
    ),
    max_size=8,
)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=8), LINES)
def test_whatever_a_peer_says_something_is_agreed(numbers: list[int], lines: list[str]) -> None:
    theirs = peer(" ".join(["0", *map(str, numbers)]), *lines, "a=rtpmap:0 PCMU/8000")
    for options in (
        MediaOptions(),
        MediaOptions(comfort_noise=True, bandwidth=30, opus=OpusOptions(dtx=True)),
    ):
        section = ours(96, 0)
        complete(section, options, offer=section_of(theirs))
        assert len(section.formats) == len(set(section.formats)) == len(section.all("rtpmap"))
        agreed = codecs_negotiated(text(section), theirs, answer="local", options=options)
        for codec in agreed.sent + agreed.received:
            assert codec.ptime in (10, 20, 40, 60)
            assert codec.max_bitrate is None or codec.max_bitrate >= 0
            assert re.fullmatch(r"opus|pcmu|telephone-event|cn", codec.name)
        assert any(codec.name == "pcmu" for codec in agreed.sent)
