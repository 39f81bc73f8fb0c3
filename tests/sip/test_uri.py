from __future__ import annotations

import dataclasses

import pytest
import sipmessage
from hypothesis import given
from hypothesis import strategies as st

from sipua.sip import URI, InvalidHeaderError, Parameters, ParseError

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_all_parts():
    uri = URI.parse("sips:al%69ce:s%3Acret@Example.COM:5061;transport=ws;lr?Subject=a%20b&Priority=urgent")
    assert uri.scheme == "sips"
    assert uri.user == "alice"
    assert uri.password == "s:cret"
    assert uri.host == "Example.COM"
    assert uri.port == 5061
    assert uri.parameters == {"transport": "ws", "lr": None}
    assert uri.headers == {"Subject": "a b", "Priority": "urgent"}
    assert uri.opaque is None


def test_nothing_but_a_host():
    uri = URI.parse("sip:example.com")
    assert (uri.user, uri.password, uri.port, dict(uri.parameters), dict(uri.headers)) == (
        None,
        None,
        None,
        {},
        {},
    )


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("SIP:alice@example.com", "scheme", "sip"),
        ("SiPs:alice@example.com", "scheme", "sips"),
        ("sip:under_score.example.com", "host", "under_score.example.com"),
        ("sip:*72#@example.com", "user", "*72#"),
        ("sip:alice;day=tuesday@example.com", "user", "alice;day=tuesday"),
        ("sip:a?b/c@example.com", "user", "a?b/c"),
        ("sip:jürgen@example.com", "user", "jürgen"),
        (b"sip:j\xfcrgen@example.com".decode("utf-8", "surrogateescape"), "user", "jürgen"),
        ("sip:a%zz@example.com", "user", "a%zz"),
        ("sip:a:@example.com", "password", ""),
        ("sip:[2001:db8::1]:5060", "host", "[2001:db8::1]"),
        ("sip:example.com.", "host", "example.com."),
        ("sip:1.2.3.4:0", "port", 0),
        ("sip:a@b:05060", "port", 5060),
        ("sip:a@b:65535", "port", 65535),
        ("tel:+1-201-555-0123;phone-context=x", "user", "+1-201-555-0123"),
        ("tel:*72#", "host", ""),
        ("urn:service:sos", "opaque", "service:sos"),
        ("https://example.com/a?b=c", "opaque", "//example.com/a?b=c"),
        ("Data:,x", "scheme", "data"),
    ],
)
def test_part_and_exact_text(text: str, attribute: str, value: object):
    uri = URI.parse(text)
    assert getattr(uri, attribute) == value
    assert str(uri) == text
    assert repr(uri) == f"URI({text!r})"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "alice@example.com",
        "sip:",
        "sip:@example.com",
        "sip::secret@example.com",
        "sip:a b@example.com",
        "sip:a@b@c",
        "sip:example.com:",
        "sip:example.com:65536",
        "sip:example.com:x",
        "sip:example.com:00000000005060",
        "sip:2001:db8::1",
        "sip:[2001:db8::1",
        "sip:exa mple.com",
        "sip:example.com;",
        "sip:example.com;;lr",
        "sip:example.com;=x",
        "<sip:example.com>",
        'sip:"a"@example.com',
        "sip:a\r\n@example.com",
        "sip:a\x7f@example.com",
        "sip:example.com\n",
        "sip:bücher.example",
        "tel:",
        "1x:y",
        "é:y",
        ":y",
    ],
)
def test_not_a_uri(text: str):
    with pytest.raises(ParseError):
        URI.parse(text)


def test_writing():
    assert str(URI("sip", "example.com")) == "sip:example.com"
    assert str(URI("SIP", "example.com", "a@b c", "p:w", 5060, {"lr": None}, {"Subject": "x&y"})) == (
        "sip:a%40b%20c:p%3Aw@example.com:5060;lr?Subject=x%26y"
    )
    assert str(URI("sip", "b", user="*72#")) == "sip:*72%23@b"
    assert (
        str(URI("tel", "", "+12015550123", parameters={"phone-context": "x"}))
        == "tel:+12015550123;phone-context=x"
    )
    assert str(URI("urn", opaque="service:sos")) == "urn:service:sos"
    assert str(URI("sip", "b", parameters=Parameters(transport="ws"))) == "sip:b;transport=ws"
    assert str(URI("sip", "b", user="j\u00fc")) == "sip:j%C3%BC@b"


@pytest.mark.parametrize(
    "parts",
    [
        {"scheme": "si p", "host": "a"},
        {"scheme": "", "host": "a"},
        {"scheme": "sip", "host": ""},
        {"scheme": "sip", "host": "a b"},
        {"scheme": "sip", "host": "a>\r\nEvil: x"},
        {"scheme": "sip", "host": "a", "port": 65536},
        {"scheme": "sip", "host": "a", "port": -1},
        {"scheme": "sip", "host": "a", "user": ""},
        {"scheme": "sip", "host": "a", "password": "x"},
        {"scheme": "sip", "host": "a", "user": "\ud800"},
        {"scheme": "tel", "user": ""},
        {"scheme": "tel"},
        {"scheme": "urn", "opaque": "a b"},
        {"scheme": "urn", "opaque": "a\r\n"},
        {"scheme": "urn"},
    ],
)
def test_parts_that_cannot_be(parts: dict):
    with pytest.raises(InvalidHeaderError):
        URI(**parts)


@given(ANY, ANY, st.dictionaries(ANY, st.none() | ANY, max_size=3), st.dictionaries(ANY, ANY, max_size=3))
def test_what_is_written_can_be_read(user: str, password: str, parameters: dict, headers: dict):
    uri = URI("sip", "example.com", user, password, 1, parameters, headers)
    again = URI.parse(str(uri))
    assert again == uri
    assert (again.user, again.password) == (user, password)


def test_replace_keeps_what_does_not_change():
    uri = URI.parse("SIP:al%69ce%3b@Example.com;X=%41?a=%42")
    assert (
        str(uri.replace(host="b.example.com", port=5080)) == "sip:al%69ce%3b@b.example.com:5080;X=%41?a=%42"
    )
    assert str(uri.replace(user="bob")) == "sip:bob@Example.com;X=%41?a=%42"
    assert str(uri.replace(user=None)) == "sip:Example.com;X=%41?a=%42"
    assert uri.replace(user="b b").user == "b b"
    assert str(URI.parse("sip:a:b@c").replace(user=None)) == "sip:c"
    assert str(uri.replace(password="x y")) == "sip:al%69ce%3b:x%20y@Example.com;X=%41?a=%42"
    assert str(uri.replace(parameters=None, headers=None)) == "sip:al%69ce%3b@Example.com"
    assert (
        str(uri.replace(parameters={"lr": None}, headers={"b": "c"})) == "sip:al%69ce%3b@Example.com;lr?b=c"
    )
    assert str(uri.replace(scheme="SIPS")).startswith("sips:")
    assert str(URI.parse("urn:a").replace(opaque="b")) == "urn:b"
    with pytest.raises(InvalidHeaderError):
        uri.replace(host="")
    with pytest.raises(TypeError):
        uri.replace(hots="x")


def test_dataclasses_replace_works_too():
    uri = URI.parse("sip:alice@example.com;lr")
    assert str(dataclasses.replace(uri, host="b")) == "sip:alice@b;lr"


def test_equality():
    assert URI.parse("sip:alice@Example.com") == URI.parse("SIP:%61lice@example.COM")
    assert hash(URI.parse("sip:alice@Example.com")) == hash(URI.parse("SIP:%61lice@example.COM"))
    assert URI.parse("sip:alice@example.com") != URI.parse("sip:Alice@example.com")
    assert URI.parse("sip:a@b;lr") != URI.parse("sip:a@b")
    assert URI.parse("sip:a@b?c=d") != URI.parse("sip:a@b")
    assert URI.parse("sip:alice@example.com") == sipmessage.URI.parse("sip:alice@example.com")
    assert URI.parse("sip:alice@example.com") != sipmessage.URI.parse("sip:bob@example.com")


# The examples of RFC 3261 §19.1.4, and a few for the rules it has no example of.
SAME = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("sip:a%3b@b", "sip:a%3B@b"),
    ("sip:a:p%61ss@b", "sip:a:pass@b"),
    ("tel:+1-201-555", "tel:+1201555"),
    ("tel:7042;phone-context=Example.com", "TEL:70-42;phone-context=example.com"),
    ("urn:service:sos", "URN:service:sos"),
]
OTHER = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
    ("sip:bob@biloxi.com;user=phone", "sip:bob@biloxi.com"),
    ("sip:bob@biloxi.com;ttl=1", "sip:bob@biloxi.com"),
    ("sip:bob@biloxi.com;maddr=1.2.3.4", "sip:bob@biloxi.com"),
    ("sip:bob@biloxi.com;x=1", "sip:bob@biloxi.com;x=2"),
    ("sip:bob@biloxi.com", "sip:biloxi.com"),
    ("sip:bob:a@biloxi.com", "sip:bob:b@biloxi.com"),
    ("sip:a%3b@b", "sip:a;@b"),
    ("tel:7042;phone-context=a", "tel:7042;phone-context=b"),
    ("tel:7042", "tel:7043"),
    ("urn:service:sos", "urn:service:other"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_matches(one: str, two: str):
    assert URI.parse(one).matches(URI.parse(two))
    assert URI.parse(two).matches(URI.parse(one))


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_does_not_match(one: str, two: str):
    assert not URI.parse(one).matches(URI.parse(two))
    assert not URI.parse(two).matches(URI.parse(one))


def test_matches_the_librarys_uris():
    assert URI.parse("sip:a@b").matches(sipmessage.URI.parse("sip:a@B"))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tel:+1-201-555-0123", "+12015550123"),
        ("sip:+1(201)555.0123@example.com", "+12015550123"),
        ("tel:7042", None),
        ("sip:alice@example.com", None),
        ("sip:+@example.com", None),
        ("sip:example.com", None),
        ("urn:x", None),
    ],
)
def test_global_phone_number(text: str, number: str | None):
    assert URI.parse(text).global_phone_number == number


def test_unreadable():
    uri = URI.unreadable("<what is this>")
    assert str(uri) == "<what is this>"
    assert uri.scheme == "invalid"
