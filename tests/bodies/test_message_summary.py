"""Message summaries: the examples of RFC 3842, what servers write, and what is no summary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.bodies import MessageCounts, MessageSummary, ParseError

RFC = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n"


def test_the_summary_of_rfc_3842() -> None:
    summary = MessageSummary.parse(RFC)
    assert summary.messages_waiting
    assert summary.account == "sip:alice@vmail.example.com"
    assert summary.voice == MessageCounts(2, 8, 0, 2)
    assert str(summary) == RFC


def test_single_messages() -> None:
    summary = MessageSummary.parse(
        "Messages-Waiting: yes\r\nVoice-Message: 4/8 (1/2)\r\n\r\nTo: <alice@atlanta.example.com>\r\n"
        "From: <bob@biloxi.example.com>\r\nSubject: carpool\r\n  tomorrow\r\n\r\nTo: <alice@atlanta.example.com>\r\n"
    )
    assert len(summary.messages) == 2
    assert summary.messages[0][2] == ("Subject", "carpool tomorrow")


def test_what_servers_write() -> None:
    """Asterisk: LF only, no urgent counts; others: other case, other classes, lines that are nothing."""
    summary = MessageSummary.parse(
        b"messages-waiting:no\nVoice-Message: 0/0\nFAX-MESSAGE:1 / 2\nwhat is this\n"
    )
    assert not summary.messages_waiting
    assert summary.voice == (0, 0, None, None)
    assert summary.counts["fax-message"] == MessageCounts(1, 2)


def test_nothing_said_of_voice() -> None:
    assert MessageSummary.parse("Messages-Waiting: no").voice == MessageCounts(0, 0)


@pytest.mark.parametrize("body", ["", "Voice-Message: 1/0", "Messages-Waiting: perhaps", b"\xff\xfe"])
def test_no_summary(body: str | bytes) -> None:
    with pytest.raises(ParseError, match="Messages-Waiting"):
        MessageSummary.parse(body)


def test_lines_cannot_be_smuggled_in() -> None:
    with pytest.raises(ValueError, match="more than one line"):
        str(MessageSummary(True, "sip:a@b\r\nVoice-Message: 9/9"))
    with pytest.raises(ValueError, match="message context class"):
        str(MessageSummary(True, counts={"a b": MessageCounts(1, 1)}))


number = st.integers(0, 2**32 - 1)
counts = (st.tuples(number, number) | st.tuples(number, number, number, number)).map(
    lambda n: MessageCounts(*n)
)


@given(st.booleans(), st.dictionaries(st.from_regex(r"\A[a-z]{1,9}(-[a-z]{1,9})?\Z"), counts, max_size=5))
def test_what_is_written_is_read(waiting: bool, table: dict[str, MessageCounts]) -> None:
    summary = MessageSummary(waiting, "sip:a@example.com", table)
    assert MessageSummary.parse(str(summary)) == summary


@given(st.text(alphabet="Mesag-Witn: yo0123/()\r\n\t", max_size=200))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        MessageSummary.parse("Messages-Waiting: yes\r\n" + text)
    except ParseError:
        pass
