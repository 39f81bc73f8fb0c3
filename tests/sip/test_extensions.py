from __future__ import annotations

import pytest

from sipua.sip import (
    Event,
    InvalidHeaderError,
    ParseError,
    RAck,
    Reason,
    Replaces,
    RetryAfter,
    SessionExpires,
    SubscriptionState,
)
from sipua.sip.extensions import parse_number, parse_seconds


def test_numbers():
    assert parse_number(" 0070 ", 255) == 70
    assert parse_number("0", 255) == 0
    assert parse_seconds("4294967295") == 2**32 - 1
    for text in ("", "-1", "256", "1.0", "x", "١", "1" * 5000, "99999999999"):
        with pytest.raises(ParseError):
            parse_number(text, 255)


class TestReplaces:
    def test_reading(self):
        text = "425928@bobster.example.org;to-tag=7743;from-tag=6472;early-only;x=y"
        replaces = Replaces.parse(text)
        assert replaces.call_id == "425928@bobster.example.org"
        assert (replaces.to_tag, replaces.from_tag, replaces.early_only) == ("7743", "6472", True)
        assert replaces.parameters["x"] == "y"
        assert str(replaces) == text

    @pytest.mark.parametrize(
        "text", ["", "a", "a;to-tag=1", "a;from-tag=1", "a;to-tag=;from-tag=1", "a b;to-tag=1;from-tag=2"]
    )
    def test_not_replaces(self, text: str):
        with pytest.raises(ParseError):
            Replaces.parse(text)

    def test_writing(self):
        assert str(Replaces("a@b", "1", "2")) == "a@b;to-tag=1;from-tag=2"
        assert str(Replaces("a@b", "1", "2", early_only=True)) == "a@b;to-tag=1;from-tag=2;early-only"
        assert Replaces("a@b", "1", "2") == Replaces.parse("a@b;From-Tag=2;to-tag=1")
        assert hash(Replaces("a@b", "1", "2")) == hash(Replaces.parse("a@b;From-Tag=2;to-tag=1"))
        for call_id in ("", "a b", "a;b", "a\r\n"):
            with pytest.raises(InvalidHeaderError):
                Replaces(call_id, "1", "2")


class TestSessionExpires:
    def test_reading(self):
        value = SessionExpires.parse("1800 ; Refresher = UAC;x")
        assert (value.delta, value.refresher) == (1800, "uac")
        assert "x" in value.parameters
        assert SessionExpires.parse("090").refresher is None
        assert SessionExpires.parse("90\r\n ;refresher=uas").refresher == "uas"

    @pytest.mark.parametrize(
        "text", ["", "x", "-1", "4294967296", "90;refresher=me", "90;refresher", "90 90"]
    )
    def test_not_session_expires(self, text: str):
        with pytest.raises(ParseError):
            SessionExpires.parse(text)

    def test_writing(self):
        assert str(SessionExpires(90)) == "90"
        assert str(SessionExpires(90, "uas", {"x": None})) == "90;refresher=uas;x"
        for bad in ((-1,), (2**32,), (90, "me")):
            with pytest.raises(InvalidHeaderError):
                SessionExpires(*bad)


class TestEvent:
    def test_reading(self):
        event = Event.parse('presence.winfo ; id="a b"')
        assert (event.package, event.id) == ("presence.winfo", "a b")
        assert Event.parse("refer").id is None
        for text in ("", "a b", ";id=1"):
            with pytest.raises(ParseError):
                Event.parse(text)

    def test_writing(self):
        assert str(Event("refer", "93809824")) == "refer;id=93809824"
        assert str(Event("dialog", parameters={"x": "y"})) == "dialog;x=y"
        assert repr(Event("refer")) == "Event('refer')"
        with pytest.raises(InvalidHeaderError):
            Event("a b")


class TestSubscriptionState:
    def test_reading(self):
        state = SubscriptionState.parse("Terminated;reason=noresource;retry-after=30")
        assert (state.state, state.reason, state.expires, state.retry_after) == (
            "terminated",
            "noresource",
            None,
            30,
        )
        assert SubscriptionState.parse("active;expires=60").expires == 60
        for text in ("", "active;expires=x", "active;expires", "active;retry-after=-1"):
            if text == "active;expires":
                assert SubscriptionState.parse(text).expires is None
            else:
                with pytest.raises(ParseError):
                    SubscriptionState.parse(text)

    def test_writing(self):
        assert str(SubscriptionState("active", expires=60)) == "active;expires=60"
        assert str(
            SubscriptionState("terminated", reason="timeout", retry_after=5, parameters={"x": None})
        ) == ("terminated;reason=timeout;retry-after=5;x")
        with pytest.raises(InvalidHeaderError):
            SubscriptionState("")


class TestReason:
    def test_reading(self):
        reasons = Reason.parse_many(
            'SIP ;cause=200 ;text="Call, completed", Q.850;cause=16\r\n ;text=x, preemption'
        )
        assert [(r.protocol, r.cause, r.text) for r in reasons] == [
            ("SIP", 200, "Call, completed"),
            ("Q.850", 16, "x"),
            ("preemption", None, None),
        ]
        for text in ("SIP;cause=x", "S P", "SIP;;"):
            with pytest.raises(ParseError):
                Reason.parse_many(text)

    def test_writing(self):
        assert (
            str(Reason("SIP", 200, "Call completed elsewhere"))
            == 'SIP;cause=200;text="Call completed elsewhere"'
        )
        assert str(Reason("SIP", text='a"b')) == 'SIP;text="a\\"b"'
        assert str(Reason("Q.850", 16, parameters={"x": "y"})) == "Q.850;cause=16;x=y"
        assert Reason("SIP", 200) == Reason.parse("SIP ; cause=200")
        assert Reason("SIP", 200) != Reason("SIP", 487)
        for bad in (("S P",), ("SIP", 1, "a\r\nb")):
            with pytest.raises(InvalidHeaderError):
                Reason(*bad)


class TestRetryAfter:
    def test_reading(self):
        value = RetryAfter.parse("18000 (I'm in a \\(long\\) meeting) ;duration=3600")
        assert (value.delay, value.comment, value.duration) == (18000, "I'm in a (long) meeting", 3600)
        assert RetryAfter.parse("0").comment is None
        assert RetryAfter.parse("5;duration=1").duration == 1
        for text in ("", "x", "-5", "949302838503028349304023988", "5 (a", "5 a", "5 (a) (b)"):
            with pytest.raises(ParseError):
                RetryAfter.parse(text)

    def test_writing(self):
        assert str(RetryAfter(5)) == "5"
        assert str(RetryAfter(5, "a (b\\)", 60)) == "5 (a \\(b\\\\\\));duration=60"
        assert RetryAfter.parse(str(RetryAfter(5, "a (b\\)"))).comment == "a (b\\)"
        for bad in ((-1,), (2**32,), (5, "a\r\n")):
            with pytest.raises(InvalidHeaderError):
                RetryAfter(*bad)


class TestRAck:
    def test_reading(self):
        rack = RAck.parse(" 776656   1 INVITE")
        assert (rack.rseq, rack.cseq, rack.method) == (776656, 1, "INVITE")
        assert RAck.parse("1\r\n 0 INVITE").cseq == 0
        for text in (
            "",
            "1 INVITE",
            "1 2",
            "x 2 INVITE",
            "4294967296 1 INVITE",
            "1 2147483648 INVITE",
            "1 2 IN VITE",
        ):
            with pytest.raises(ParseError):
                RAck.parse(text)

    def test_writing(self):
        assert str(RAck(1, 2, "INVITE")) == "1 2 INVITE"
        assert RAck(1, 2, "INVITE") == RAck.parse("01 02 INVITE")
        assert RAck(1, 2, "INVITE") != RAck(1, 3, "INVITE")
        assert RAck(1, 2, "INVITE") != "1 2 INVITE"
        for bad in ((-1, 1, "A"), (1, -1, "A"), (2**32, 1, "A"), (1, 2**31, "A"), (1, 1, "A B")):
            with pytest.raises(InvalidHeaderError):
                RAck(*bad)
