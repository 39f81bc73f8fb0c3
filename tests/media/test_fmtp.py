"""Parameters of formats: what is said is what is read, and odd values do no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.fmtp import TELEPHONE_EVENTS, OpusParameters, event_codes, format_fmtp, parse_fmtp
from sipua.media.interface import OpusOptions

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True)
VALUES = st.from_regex(r"[A-Za-z0-9.,/-]{0,10}", fullmatch=True)


@pytest.mark.parametrize(
    ("value", "parameters"),
    [
        ("minptime=10;useinbandfec=1", {"minptime": "10", "useinbandfec": "1"}),
        (" MinPtime = 10 ; ;UseInbandFEC=1; ", {"minptime": "10", "useinbandfec": "1"}),
        ("0-16", {"": "0-16"}),
        ("0-15,66;x=1", {"": "0-15,66", "x": "1"}),
        ("a=1;a=2", {"a": "1"}),
        ("", {}),
    ],
)
def test_parameters(value: str, parameters: dict[str, str]) -> None:
    assert parse_fmtp(value) == parameters


@given(st.dictionaries(NAMES, VALUES))
def test_what_is_written_is_read(parameters: dict[str, str]) -> None:
    assert parse_fmtp(format_fmtp(parameters)) == parameters


def test_what_opus_says_of_itself_by_default() -> None:
    assert format_fmtp(OpusParameters.wanted(OpusOptions())) == "minptime=10;useinbandfec=1"


def test_everything_that_can_be_asked_for() -> None:
    options = OpusOptions(fec=False, dtx=True, cbr=True, max_average_bitrate=20000, max_playback_rate=16000)
    said = OpusParameters.wanted(options)
    assert format_fmtp(said) == (
        "minptime=10;maxplaybackrate=16000;maxaveragebitrate=20000;useinbandfec=0;usedtx=1;cbr=1"
    )
    assert OpusParameters.of(said) == OpusParameters(20000, 16000, fec=False, dtx=True, cbr=True)


@pytest.mark.parametrize(
    ("value", "parameters"),
    [
        ("", OpusParameters()),
        ("useinbandfec=yes;usedtx=;cbr=2", OpusParameters()),
        ("maxaveragebitrate=1;maxplaybackrate=1", OpusParameters(6000, 8000)),
        ("maxaveragebitrate=99999999;maxplaybackrate=192000", OpusParameters(510000, 48000)),
        ("maxaveragebitrate=-1;maxplaybackrate=x", OpusParameters()),
        (f"maxaveragebitrate={'9' * 5000}", OpusParameters()),
        ("maxaveragebitrate=٣٠٠٠٠", OpusParameters()),
    ],
)
def test_what_a_peer_may_say(value: str, parameters: OpusParameters) -> None:
    assert OpusParameters.of(parse_fmtp(value)) == parameters


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("", set(range(16))),
        (TELEPHONE_EVENTS, set(range(17))),
        ("0-11, 66,70 - 71", {*range(12), 66, 70, 71}),
        ("events=0-15", set(range(16))),
        ("5-3,x,-,9-", {9}),
        ("250-99999999", set(range(250, 256))),
    ],
)
def test_events(value: str, codes: set[int]) -> None:
    assert event_codes(parse_fmtp(value)) == codes


@given(st.text(max_size=60))
def test_whatever_a_peer_says_is_read(value: str) -> None:
    parameters = parse_fmtp(value)
    OpusParameters.of(parameters)
    assert event_codes(parameters) <= set(range(256))
