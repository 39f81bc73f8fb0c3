from __future__ import annotations

import pytest
import sipmessage

from sipua.sip import Headers, InvalidHeaderError, parse_message
from sipua.sip.headers import KEYS, LISTS, NAMES, field_value


@pytest.fixture
def headers() -> Headers:
    return Headers(
        [
            ("Via", "SIP/2.0/WS b.invalid"),
            ("v", "SIP/2.0/WS a.invalid, SIP/2.0/WS c.invalid"),
            ("X-Thing", "one, two"),
            ("k", "timer,path"),
            ("SUPPORTED", "gruu"),
            ("x-thing", "three"),
        ]
    )


def test_found_by_any_name(headers: Headers):
    for name in ("Via", "via", "VIA", "v", "V"):
        assert headers.get(name) == "SIP/2.0/WS b.invalid"
        assert headers[name] == "SIP/2.0/WS b.invalid"
        assert name in headers
        assert len(headers.getlist(name)) == 2
    assert headers.get("X-THING") == "one, two"
    assert headers.getlist("Supported") == ["timer,path", "gruu"]


def test_not_found(headers: Headers):
    assert headers.get("From") is None
    assert headers.get("From", "x") == "x"
    assert headers.getlist("From") == []
    assert headers.values("From") == []
    assert "From" not in headers
    assert 1 not in headers
    assert "no name at all" not in headers
    assert headers.get("no name at all") is None
    with pytest.raises(KeyError):
        headers["From"]


def test_members_of_lists(headers: Headers):
    assert headers.values("Supported") == ["timer", "path", "gruu"]
    assert headers.values("Via") == ["SIP/2.0/WS b.invalid", "SIP/2.0/WS a.invalid", "SIP/2.0/WS c.invalid"]
    assert headers.values("X-Thing") == ["one, two", "three"]


def test_the_whole(headers: Headers):
    assert len(headers) == 6
    assert headers.keys() == ["Via", "X-Thing", "k"]
    assert list(headers.items())[1] == ("v", "SIP/2.0/WS a.invalid, SIP/2.0/WS c.invalid")
    assert str(headers) == (
        "Via: SIP/2.0/WS b.invalid\r\nv: SIP/2.0/WS a.invalid, SIP/2.0/WS c.invalid\r\nX-Thing: one, two\r\n"
        "k: timer,path\r\nSUPPORTED: gruu\r\nx-thing: three\r\n\r\n"
    )
    assert isinstance(headers, sipmessage.Headers)


def test_add(headers: Headers):
    headers.add("v", "SIP/2.0/WS d.invalid")
    assert list(headers.items())[-1] == ("v", "SIP/2.0/WS d.invalid")
    assert headers.getlist("Via")[-1] == "SIP/2.0/WS d.invalid"


def test_prepend(headers: Headers):
    headers.prepend("X-Thing", "zero")
    headers.prepend("From", "me")
    assert next(headers.items()) == ("From", "me")
    assert headers.getlist("X-Thing") == ["zero", "one, two", "three"]
    assert list(headers.items())[3] == ("X-Thing", "zero")


def test_set(headers: Headers):
    headers.set("X-Thing", "only")
    assert list(headers.items())[2] == ("X-Thing", "only")
    assert headers.getlist("x-thing") == ["only"]
    headers.set("Subject", "new")
    assert list(headers.items())[-1] == ("Subject", "new")


def test_setlist(headers: Headers):
    headers.setlist("Supported", ["a", "b"])
    assert headers.getlist("k") == ["a", "b"]
    assert headers.keys() == ["Via", "X-Thing", "Supported"]
    headers.setlist("Supported", [])
    assert "Supported" not in headers
    headers.setlist("Allow", ["x"])
    assert list(headers.items())[-1] == ("Allow", "x")


def test_remove(headers: Headers):
    headers.remove("VIA")
    headers.remove("From")
    assert "Via" not in headers
    assert len(headers) == 4


def test_remove_first(headers: Headers):
    headers.remove_first("Via")
    assert headers.getlist("Via") == ["SIP/2.0/WS a.invalid, SIP/2.0/WS c.invalid"]
    headers.remove_first("Via")
    assert next(headers.items()) == ("v", "SIP/2.0/WS c.invalid")
    headers.remove_first("Via")
    headers.remove_first("Via")
    assert "Via" not in headers
    headers.remove_first("X-Thing")
    assert headers.getlist("X-Thing") == ["three"]


def test_copy(headers: Headers):
    copy = headers.copy()
    assert copy == headers
    copy.add("From", "x")
    assert copy != headers
    assert "From" not in headers
    assert headers != 1


def test_copy_from_keeps_the_letter():
    message = parse_message(
        "OPTIONS sip:a@b SIP/2.0\r\nv :  SIP/2.0/WS a.invalid\r\nFrom: <sip:a@b>\r\nTo:<sip:a@b>\r\n"
        "Via: SIP/2.0/WS b\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    headers = Headers([("Subject", "x")])
    headers.copy_from(message.headers, "Via", "to")
    assert (
        str(headers) == "Subject: x\r\nv :  SIP/2.0/WS a.invalid\r\nVia: SIP/2.0/WS b\r\nTo:<sip:a@b>\r\n\r\n"
    )


@pytest.mark.parametrize("name", ["", "a b", "a:b", "Subject:", "Subject ", "é", "a\r\nb", "a\0"])
def test_names_that_must_not_go_out(name: str):
    headers = Headers()
    for change in (
        headers.add,
        headers.prepend,
        headers.set,
        lambda name, value: headers.setlist(name, [value]),
    ):
        with pytest.raises(InvalidHeaderError):
            change(name, "x")
    assert len(headers) == 0


@pytest.mark.parametrize("value", ["a\r\nEvil: b", "a\nb", "a\rb", "a\0b", "\ud800", "\r\n"])
def test_values_that_must_not_go_out(value: str):
    headers = Headers([("Subject", "before")])
    for change in (
        headers.add,
        headers.prepend,
        headers.set,
        lambda name, value: headers.setlist(name, ["x", value]),
    ):
        with pytest.raises(InvalidHeaderError, match="Subject"):
            change("Subject", value)
    assert list(headers.items()) == [("Subject", "before")]


def test_values_that_may_go_out():
    for value in (
        "",
        "tab\tin it",
        "déjà vu",
        "大停電",
        b"\xe9".decode("utf-8", "surrogateescape"),
        "a\x0bb",
    ):
        headers = Headers([("Subject", value)])
        assert headers["Subject"] == value.strip()


def test_field_value():
    assert field_value("A:") == ""
    assert field_value("A :  b\t ") == "b"
    assert field_value("A:\r\n b\r\n\tc") == "b c"


def test_every_name_is_known_in_any_spelling():
    for name in NAMES:
        for spelling in (name, name.lower(), name.upper(), name.title()):
            assert KEYS[spelling] == name.lower()
    assert {name.lower() for name in NAMES} >= LISTS
    assert KEYS["I"] == "call-id"


def test_what_is_learnt_is_bounded():
    before = len(KEYS)
    for n in range(3000):
        assert KEYS[f"X-Strange-{n}"] == f"x-strange-{n}"
    assert len(KEYS) <= before + 1000
    assert KEYS["X-" + "a" * 100] == "x-" + "a" * 100
    assert "X-" + "a" * 100 not in KEYS
    assert KEYS["To "] == "to"
    assert "To " not in KEYS


def test_credentials_are_not_shown():
    headers = Headers(
        [("Authorization", "Digest response=secret"), ("proxy-authorization", "secret"), ("To", "bob")]
    )
    assert "secret" not in repr(headers)
    assert "bob" in repr(headers)
