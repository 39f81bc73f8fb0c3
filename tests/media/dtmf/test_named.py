from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.media.dtmf.named import Report, pack, unpack
from sipua.media.interface import DTMF_TONES


def test_layout() -> None:
    """RFC 4733 section 2.3: event, E R volume, duration."""
    assert pack(Report(11, True, 10, 400)) == b"\x0b\x8a\x01\x90"
    assert pack(Report(0, False, 63, 0xFFFF)) == b"\x00\x3f\xff\xff"
    assert DTMF_TONES[10] == "*"
    assert DTMF_TONES[15] == "D"


def test_reserved_bit_is_ignored() -> None:
    assert unpack(b"\x05\xca\x00\xa0") == [Report(5, True, 10, 160)]


@given(st.builds(Report, st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 0xFFFF)))
def test_round_trip(report: Report) -> None:
    assert unpack(pack(report)) == [report]


@given(st.binary(max_size=64))
def test_only_lengths_are_malformed(payload: bytes) -> None:
    if len(payload) in (4, 8, 12, 16):
        assert len(unpack(payload)) == len(payload) // 4
    else:
        with pytest.raises(ValueError, match="bytes"):
            unpack(payload)
