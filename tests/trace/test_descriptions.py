from __future__ import annotations

import pytest

from sipua.sip.redaction import redact
from sipua.trace import Story, TracedMessage
from sipua.trace.descriptions import compare
from tests.trace.traces import ANSWER, INVITE, OFFER, sip, traced

OK = "SIP/2.0 200 OK"
ACK = "ACK sip:bob@example.com SIP/2.0"


def described(*messages: tuple[str, str]) -> list[tuple[int, str, str, int | None, int | None]]:
    """Message, role, direction of each description, and the numbers of the offer and the one before."""
    story = Story([traced(float(number), way, text) for number, (way, text) in enumerate(messages, 1)])
    (call,) = story.calls.values()
    (descriptions,) = call.descriptions.values()
    return [
        (
            found.message + 1,
            found.role,
            found.direction,
            found.answers.number if found.answers else None,
            found.previous.number if found.previous else None,
        )
        for found in descriptions.found
    ]


def test_offer_and_answer_of_a_call_and_of_a_change() -> None:
    assert described(
        ("out", sip(INVITE, "1 INVITE", body=OFFER)),
        ("in", sip(OK, "1 INVITE", body=ANSWER)),
        ("out", sip(ACK, "1 ACK")),
        ("in", sip(INVITE, "9 INVITE", body=ANSWER)),
        ("out", sip(OK, "9 INVITE", body=OFFER)),
    ) == [
        (1, "offer", "out", None, None),
        (2, "answer", "in", 1, None),
        (4, "offer", "in", None, 2),
        (5, "answer", "out", 3, 1),
    ]


def test_answer_in_a_provisional_response_that_comes_again_is_one() -> None:
    assert described(
        ("out", sip(INVITE, "1 INVITE", body=OFFER)),
        ("in", sip("SIP/2.0 183 Session Progress", "1 INVITE", body=ANSWER)),
        ("in", sip(OK, "1 INVITE", body=ANSWER)),
    ) == [(1, "offer", "out", None, None), (2, "answer", "in", 1, None)]


def test_late_offer_is_answered_by_the_ack() -> None:
    assert described(
        ("out", sip(INVITE, "1 INVITE")),
        ("in", sip(OK, "1 INVITE", body=ANSWER)),
        ("out", sip(ACK, "1 ACK", body=OFFER)),
    ) == [(2, "offer", "in", None, None), (3, "answer", "out", 1, None)]


def test_late_offer_is_answered_by_prack_and_prack_may_offer() -> None:
    prack = "PRACK sip:bob@example.com SIP/2.0"
    assert described(
        ("out", sip(INVITE, "1 INVITE")),
        ("in", sip("SIP/2.0 183 Session Progress", "1 INVITE", body=ANSWER)),
        ("out", sip(prack, "2 PRACK", body=OFFER)),
        ("in", sip(OK, "2 PRACK")),
        ("out", sip(prack, "3 PRACK", body=OFFER)),
        ("in", sip(OK, "3 PRACK", body=ANSWER)),
    ) == [
        (2, "offer", "in", None, None),
        (3, "answer", "out", 1, None),
        (5, "offer", "out", None, 2),
        (6, "answer", "in", 3, 1),
    ]


def test_proxy_has_the_same_descriptions_on_both_sides() -> None:
    invite, ok = sip(INVITE, "1 INVITE", body=OFFER), sip(OK, "1 INVITE", body=ANSWER)
    steps = Story(
        [
            TracedMessage(1.0, "in", "alice", invite, "server"),
            TracedMessage(1.1, "out", "bob", invite, "server"),
            TracedMessage(1.2, "in", "bob", ok, "server"),
            TracedMessage(1.3, "out", "alice", ok, "server"),
        ]
    ).messages
    roles = [step.description.role if step.description else None for step in steps]
    assert roles == ["offer", "offer", "answer", "answer"]


def test_offer_again_with_credentials_and_retransmissions() -> None:
    first = sip(INVITE, "1 INVITE", body=OFFER)
    assert described(
        ("out", first),
        ("out", first),
        ("in", sip("SIP/2.0 407 No", "1 INVITE")),
        ("out", sip(INVITE, "2 INVITE", body=OFFER)),
    ) == [(1, "offer", "out", None, None), (4, "offer", "out", None, 1)]


def test_description_in_a_multipart_body_and_other_bodies() -> None:
    body = f"--x\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n--x--\r\n"
    assert described(
        ("out", sip(INVITE, "1 INVITE", body=body, kind='multipart/mixed;boundary="x"')),
        ("in", sip("SIP/2.0 486 Busy", "1 INVITE", body="sorry", kind="text/plain")),
    ) == [(1, "offer", "out", None, None)]


def test_secrets_that_were_taken_out_make_no_message_illegible() -> None:
    refer = "SIP/2.0 100 Trying\r\nContact: <sip:bob:secret@example.com>\r\n"
    text = redact(sip("NOTIFY sip:a SIP/2.0", "1 NOTIFY", body=refer, kind="message/sipfrag"))
    assert "secret" not in text
    shorter = text.replace("[redacted]", "x")
    for each in (text, shorter):
        (step,) = Story([traced(1.0, "in", each)]).messages
        assert step.kind == "request"


@pytest.mark.parametrize(
    ("earlier", "later", "signs"),
    [
        ("a\r\nb\r\nc", "a\r\nb\r\nc", "   "),
        ("a\r\nb\r\nc", "a\r\nx\r\nc", " -+ "),
        ("a", "", "-"),
        ("", "a", "+"),
        ("a\r\n" * 300, "a\r\n" * 301, " " * 300 + "+"),
    ],
)
def test_compare(earlier: str, later: str, signs: str) -> None:
    assert "".join(sign for sign, _ in compare(earlier, later)) == signs


def test_attributes_in_another_order_are_no_change() -> None:
    before = (
        "v=0\na=group:BUNDLE 0\na=ice-options:trickle\nm=audio 1 RTP/AVP 0\na=mid:0\na=rtcp-mux\na=sendrecv\n"
    )
    after = (
        "v=0\na=ice-options:trickle\na=group:BUNDLE 0\nm=audio 1 RTP/AVP 0\na=sendonly\na=rtcp-mux\na=mid:0\n"
    )
    assert [row for row in compare(before, after) if row[0] != " "] == [
        ("+", "a=sendonly"),
        ("-", "a=sendrecv"),
    ]
    assert [line for sign, line in compare(before, after) if sign != "+"] == before.splitlines()
    assert sorted(line for sign, line in compare(before, after) if sign != "-") == sorted(after.splitlines())


def test_lines_are_compared_with_those_of_their_own_medium() -> None:
    before = "v=0\nm=audio 1 RTP/AVP 0\na=sendrecv\nm=video 0 RTP/AVP 96\na=inactive\n"
    after = "v=0\nm=audio 1 RTP/AVP 0\na=inactive\nm=video 2 RTP/AVP 96\na=sendrecv\nm=text 3 RTP/AVP 98\n"
    assert compare(before, after) == [
        (" ", "v=0"),
        (" ", "m=audio 1 RTP/AVP 0"),
        ("-", "a=sendrecv"),
        ("+", "a=inactive"),
        ("-", "m=video 0 RTP/AVP 96"),
        ("-", "a=inactive"),
        ("+", "m=video 2 RTP/AVP 96"),
        ("+", "a=sendrecv"),
        ("+", "m=text 3 RTP/AVP 98"),
    ]


def test_lines_that_are_there_twice() -> None:
    before = "v=0\na=x\na=x\na=y\n"
    after = "v=0\na=y\na=x\na=z\n"
    rows = compare(before, after)
    assert sorted(line for sign, line in rows if sign != "-") == sorted(after.splitlines())
    assert [line for sign, line in rows if sign != "+"] == before.splitlines()
