"""Where sipua.sip departs from sipmessage, and what the library itself does there (0.7).

A test that fails here after an upgrade of the library is good news: that departure may go.
"""

from __future__ import annotations

import pytest
import sipmessage

from sipua.sip import (
    URI,
    Address,
    AuthChallenge,
    AuthCredentials,
    CSeq,
    Headers,
    MediaType,
    Parameters,
    Request,
    Response,
    Via,
    parse_message,
)

HEAD = (
    "OPTIONS sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
    "From: <sip:alice@example.com>;tag=1\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: 1\r\n"
    "CSeq: 1 OPTIONS\r\n"
)


def with_field(field: str) -> bytes:
    return f"{HEAD}{field}\r\n\r\n".encode()


def theirs(data: bytes) -> sipmessage.Message:
    return sipmessage.Message.parse(data)


def test_ours_are_theirs():
    request = parse_message(f"{HEAD}Contact: <sip:a@b>;expires=1\r\nContent-Type: text/plain\r\n\r\n")
    assert isinstance(request, Request)
    assert isinstance(request, sipmessage.Request)
    assert isinstance(request.uri, sipmessage.URI)
    assert isinstance(request.headers, sipmessage.Headers)
    assert isinstance(request.via[0], sipmessage.Via)
    assert isinstance(request.from_address, sipmessage.Address)
    assert isinstance(request.contact[0].parameters, sipmessage.Parameters)
    assert isinstance(request.cseq, sipmessage.CSeq)
    assert isinstance(request.content_type, sipmessage.MediaType)
    assert isinstance(AuthChallenge("Digest", {"realm": "r"}), sipmessage.AuthChallenge)
    assert isinstance(AuthCredentials("Bearer", token="t"), sipmessage.AuthCredentials)
    assert isinstance(AuthChallenge("Digest", {"realm": "r"}).parameters, sipmessage.AuthParameters)
    assert isinstance(Response(200), sipmessage.Response)


# --- what the library refuses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "read", "expected"),
    [
        pytest.param(with_field("Subject: a\r\n b"), lambda m: m.subject, "a b", id="folded header field"),
        pytest.param(b"\r\n" + with_field("X: y"), lambda m: m.method, "OPTIONS", id="leading line end"),
        pytest.param(with_field("X: y").replace(b"\r\n", b"\n"), lambda m: m.headers["X"], "y", id="bare LF"),
        pytest.param(with_field("Subject: \xe9").replace(b"\xc3\xa9", b"\xe9"), lambda m: bytes(m)[-5:],
                     b"\xe9\r\n\r\n", id="Latin-1"),
        pytest.param(HEAD.replace("sip:bob@example.com SIP", "urn:service:sos SIP").encode() + b"\r\n",
                     lambda m: m.uri.opaque, "service:sos", id="unknown scheme"),
        pytest.param(HEAD.replace("sip:bob@example.com SIP", "SIP:bob@example.com SIP").encode() + b"\r\n",
                     lambda m: m.uri.scheme, "sip", id="upper-case scheme"),
        pytest.param(b"\r\n\r\n", lambda m: m, None, id="keep-alive"),
    ],
)  # fmt: skip
def test_messages_the_library_cannot_read(data: bytes, read, expected):
    with pytest.raises(ValueError):
        theirs(data)
    message = parse_message(data)
    assert read(message) == expected


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice@under_score.example.com",
        "sip:bob@example.com?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3",
        "sip:*72#@example.com",
    ],
)
def test_uris_the_library_cannot_read(text: str):
    with pytest.raises(ValueError):
        sipmessage.URI.parse(text)
    assert str(URI.parse(text)) == text


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (Address, "Jürgen <sip:j@example.com>"),
        (Address, "<sip:b@x?Replaces=1>"),
        (Via, "SIP/2.0/WS a.invalid;received=2001:db8::1;branch=z9hG4bK1"),
    ],
)
def test_values_the_library_cannot_read(cls, text: str):
    with pytest.raises(ValueError):
        getattr(sipmessage, cls.__name__).parse(text)
    assert str(cls.parse(text)) == text


def test_contact_star():
    data = with_field("Contact: *")
    with pytest.raises(ValueError):
        theirs(data).contact
    message = parse_message(data)
    assert message.contact == []
    assert message.contact_is_star


def test_a_message_as_text():
    with pytest.raises(ValueError):
        theirs(HEAD + "\r\n")  # type: ignore[arg-type]
    assert parse_message(HEAD + "\r\n").method == "OPTIONS"


# --- what the library reads wrongly -----------------------------------------------------------------------------------


def test_space_before_the_colon():
    data = with_field("Subject : x")
    assert theirs(data).subject is None
    assert parse_message(data).subject == "x"


def test_header_without_colon_is_an_error_of_ours_with_a_status():
    with pytest.raises(ValueError) as error:
        theirs(with_field("nonsense"))
    assert not hasattr(error.value, "status")
    with pytest.raises(ValueError) as error:
        parse_message(with_field("nonsense"))
    assert error.value.status == 400


def test_content_length_is_heeded():
    assert theirs(with_field("Content-Length: 3") + b"abcdef").body == b"abcdef"
    assert parse_message(with_field("Content-Length: 3") + b"abcdef").body == b"abc"
    assert theirs(with_field("Content-Length: 9") + b"abc").body == b"abc"
    with pytest.raises(ValueError):
        parse_message(with_field("Content-Length: 9") + b"abc")


def test_a_realm_with_a_comma():
    text = 'Digest realm="a, b", nonce="c"'
    with pytest.raises(ValueError):
        sipmessage.AuthChallenge.parse(text)
    assert dict(AuthChallenge.parse(text).parameters) == {"realm": "a, b", "nonce": "c"}
    silent = 'Digest realm="a,b=c", nonce="d"'
    assert sipmessage.AuthChallenge.parse(silent).parameters["realm"] != "a,b=c"
    assert AuthChallenge.parse(silent).parameters["realm"] == "a,b=c"


def test_several_challenges():
    data = with_field('WWW-Authenticate: Digest realm="r", nonce="1", algorithm=SHA-256\r\n'
                      'WWW-Authenticate: Digest realm="r", nonce="2"')  # fmt: skip
    assert theirs(data).www_authenticate.parameters["nonce"] == "1"
    assert not hasattr(theirs(data), "www_authenticate_all")
    assert [c.parameters["nonce"] for c in parse_message(data).www_authenticate_all] == ["1", "2"]


def test_quoted_contacts_do_not_merge():
    text = '"A" <sip:a@x.invalid>, "B" <sip:b@x.invalid>'
    assert len(sipmessage.Address.parse_many(text)) == 1
    assert [address.name for address in Address.parse_many(text)] == ["A", "B"]


def test_an_instance_id_comes_out_as_it_came_in():
    text = '<sip:a@x.invalid>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
    assert str(sipmessage.Address.parse(text)) != text
    assert str(Address.parse(text)) == text
    assert (
        Address.parse(text).parameters["+sip.instance"] == "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"
    )


def test_a_branch_comes_out_as_it_came_in():
    text = "SIP/2.0/WS x.invalid;branch=z9hG4bK!%*1"
    assert str(sipmessage.Via.parse(text)) != text
    assert str(Via.parse(text)) == text


def test_a_user_comes_out_as_it_came_in():
    text = "sip:%61lice%3bday=x@example.com"
    assert str(sipmessage.URI.parse(text)) != text
    assert str(URI.parse(text)) == text


def test_parameter_names_in_any_case():
    assert "tag" not in sipmessage.Address.parse("<sip:a@b>;TAG=1").parameters
    assert Address.parse("<sip:a@b>;TAG=1").tag == "1"


def test_values_can_be_hashed():
    with pytest.raises(TypeError):
        hash(sipmessage.URI.parse("sip:a@b"))
    assert hash(URI.parse("sip:a@b")) == hash(URI.parse("sip:a@b"))


def test_digits_are_ascii():
    assert sipmessage.CSeq.parse("١ INVITE").sequence == 1
    with pytest.raises(ValueError):
        CSeq.parse("١ INVITE")


def test_a_cseq_has_bounds():
    assert sipmessage.CSeq.parse("2147483648 INVITE").sequence == 2**31
    with pytest.raises(ValueError):
        CSeq.parse("2147483648 INVITE")


def test_an_auth_scheme_keeps_its_case():
    assert str(sipmessage.AuthChallenge.parse('DIGEST realm="r"')) == 'Digest realm="r"'
    assert str(AuthChallenge.parse('DIGEST realm="r"')) == 'DIGEST realm="r"'


def test_qop_in_credentials_has_no_quotes():
    parameters = {"username": "a", "qop": "auth"}
    assert str(sipmessage.AuthCredentials("Digest", sipmessage.AuthParameters(**parameters))).endswith(
        'qop="auth"'
    )
    assert str(AuthCredentials("Digest", parameters)).endswith("qop=auth")


def test_nothing_is_smuggled_in():
    headers = sipmessage.Headers()
    headers.set("Subject", "x\r\nEvil: y")
    assert "\r\nEvil: y" in str(headers)
    with pytest.raises(ValueError):
        Headers().set("Subject", "x\r\nEvil: y")


def test_compact_names_are_kept():
    data = HEAD.replace("Via:", "v:").encode() + b"\r\n"
    assert b"\r\nVia:" in bytes(theirs(data))
    assert bytes(parse_message(data)) == data


def test_order_is_kept():
    data = with_field("Via: SIP/2.0/WS b.invalid\r\nX: 1\r\nRoute: <sip:p>\r\nX: 2\r\nl: 0")
    assert bytes(theirs(data)) != data
    assert bytes(parse_message(data)) == data


def test_header_parameters_are_not_percent_decoded():
    assert sipmessage.Parameters.parse(";a=%41")["a"] == "A"
    assert Parameters.parse(";a=%41")["a"] == "%41"


def test_media_types_compare_without_case():
    assert sipmessage.MediaType.parse("Application/SDP").mime_type == "Application/SDP"
    assert MediaType.parse("Application/SDP").mime_type == "application/sdp"


def test_repeated_reading_is_cheap():
    ours = parse_message(HEAD + "\r\n")
    library = theirs(HEAD.encode() + b"\r\n")
    assert library.from_address is not library.from_address
    assert ours.from_address is ours.from_address
