from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.cli.phone.screen.summary import summary_of

INVITE = (
    "INVITE sip:3329895b48@76b74cfc4647.invalid;transport=ws SIP/2.0\r\n"
    'From: "Bob; <b>" <sip:bob@localhost>;tag=1\r\nCSeq: 2 INVITE\r\n\r\n'
)


@pytest.mark.parametrize(
    ("message", "came", "summary"),
    [
        (INVITE, True, ("INVITE from sip:bob@localhost", "")),
        (INVITE, False, ("INVITE sip:3329895b48@76b74cfc4647.invalid", "")),
        (
            INVITE.replace("From", "f").replace('"Bob; <b>" ', ""),
            True,
            ("INVITE from sip:bob@localhost", ""),
        ),
        ("SIP/2.0 200 OK\r\nCSeq: 4 INVITE\r\n\r\n", True, ("200 OK", "4 INVITE")),
        ("SIP/2.0 180 Ringing\r\n\r\n", False, ("180 Ringing", "")),
        (
            "REGISTER sip:localhost SIP/2.0\r\nFrom: <sip:bob@localhost>;tag=1\r\n\r\n",
            False,
            ("REGISTER sip:bob@localhost", ""),
        ),
        ("nonsense", True, ("nonsense", "")),
    ],
)
def test_summaries(message: str, came: bool, summary: tuple[str, str]) -> None:
    assert summary_of(message, came=came) == summary


@given(st.text(), st.booleans())
def test_any_text(message: str, came: bool) -> None:
    assert all("\n" not in part for part in summary_of(message, came=came))
