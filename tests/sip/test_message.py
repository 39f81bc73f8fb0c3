from __future__ import annotations

import datetime

import pytest
import sipmessage

from sipua.sip import (
    METHODS,
    URI,
    Address,
    AuthChallenge,
    AuthCredentials,
    AuthParameters,
    CSeq,
    Event,
    Headers,
    InvalidHeaderError,
    MediaType,
    Message,
    ParseError,
    RAck,
    Reason,
    Replaces,
    Request,
    Response,
    RetryAfter,
    SessionExpires,
    SubscriptionState,
    Via,
    make_response,
    parse_message,
)

INVITE = (
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1 , SIP/2.0/WS b.invalid;branch=z9hG4bK2\r\n"
    "v:SIP/2.0/WS c.invalid;branch=z9hG4bK3\r\n"
    "Record-Route: <sip:p1;lr>,<sip:p2;lr>\r\n"
    "Max-Forwards: 70\r\n"
    'f :  "Alice" <sip:alice@example.com>;tag=from-1\r\n'
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: call-1\r\n"
    "CSeq: 1 INVITE\r\n"
    "Timestamp: 54\r\n"
    "Content-Length: 0\r\n"
    "\r\n"
)


@pytest.fixture
def invite() -> Request:
    request = parse_message(INVITE)
    assert isinstance(request, Request)
    return request


def built() -> Request:
    return Request("OPTIONS", URI.parse("sip:bob@example.com"))


# --- accessors --------------------------------------------------------------------------------------------------------

ADDRESS = Address.parse('"A, a" <sip:a@b>;x=y')
ADDRESSES = [ADDRESS, Address.parse("<sip:c@d>")]
ROUND_TRIPS = [
    ("via", [Via.parse("SIP/2.0/WS a;branch=1"), Via.parse("SIP/2.0/WS b")]),
    ("from_address", ADDRESS),
    ("to_address", ADDRESS),
    ("call_id", "a@b"),
    ("cseq", CSeq(7, "OPTIONS")),
    ("max_forwards", 70),
    ("contact", ADDRESSES),
    ("route", ADDRESSES),
    ("record_route", ADDRESSES),
    ("path", ADDRESSES),
    ("service_route", ADDRESSES),
    ("reply_to", ADDRESS),
    ("p_asserted_identity", ADDRESSES),
    ("p_preferred_identity", ADDRESSES),
    ("remote_party_id", ADDRESSES),
    ("diversion", ADDRESSES),
    ("history_info", ADDRESSES),
    ("content_type", MediaType("application/sdp", {"charset": "utf-8"})),
    ("content_length", 0),
    ("content_disposition", "session;handling=optional"),
    ("content_encoding", ["gzip"]),
    ("content_language", "en"),
    ("mime_version", "1.0"),
    ("accept", [MediaType("application/sdp"), MediaType("text/*", {"q": "0.5"})]),
    ("accept_encoding", ["identity", "gzip;q=0.5"]),
    ("accept_language", ["en"]),
    ("allow", ["INVITE", "ACK"]),
    ("allow_events", ["refer"]),
    ("supported", ["timer", "100rel"]),
    ("require", ["100rel"]),
    ("proxy_require", ["x"]),
    ("unsupported", ["x", "y"]),
    ("recv_info", ["dtmf"]),
    ("info_package", "dtmf"),
    ("user_agent", "sipua"),
    ("server", "sipua"),
    ("expires", 2**32 - 1),
    ("min_expires", 60),
    ("session_expires", SessionExpires(90, "uac")),
    ("min_se", 90),
    ("retry_after", RetryAfter(5, "busy")),
    ("flow_timer", 30),
    ("timestamp", "54.2"),
    ("date", datetime.datetime(2010, 11, 13, 23, 29, tzinfo=datetime.UTC)),
    (
        "www_authenticate_all",
        [AuthChallenge("Digest", {"realm": "a, b"}), AuthChallenge("Basic", {"realm": "c"})],
    ),
    ("proxy_authenticate_all", [AuthChallenge("Digest", {"realm": "a"})]),
    ("www_authenticate", AuthChallenge("Digest", {"realm": "a"})),
    ("proxy_authenticate", AuthChallenge("Digest", {"realm": "a"})),
    ("authorization_all", [AuthCredentials("Digest", {"realm": "a"}), AuthCredentials("Bearer", token="b")]),
    ("proxy_authorization_all", [AuthCredentials("Digest", {"realm": "a"})]),
    ("authorization", AuthCredentials("Digest", {"realm": "a"})),
    ("proxy_authorization", AuthCredentials("Digest", {"realm": "a"})),
    ("authentication_info", AuthParameters(nextnonce="a")),
    ("proxy_authentication_info", AuthParameters(nextnonce="a")),
    ("refer_to", Address.parse("<sip:b@x?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>")),
    ("refer_sub", "false"),
    ("referred_by", ADDRESS),
    ("replaces", Replaces("a@b", "1", "2", early_only=True)),
    ("event", Event("refer", "1")),
    ("subscription_state", SubscriptionState("active", expires=60)),
    ("sip_etag", "e1"),
    ("sip_if_match", "e1"),
    ("rseq", 2**32 - 1),
    ("rack", RAck(1, 2, "INVITE")),
    ("reasons", [Reason("SIP", 200, "Call, completed"), Reason("Q.850", 16)]),
    ("subject", "Hello, world"),
    ("organization", "Aviary"),
    ("priority", "urgent"),
    ("privacy", "id"),
    ("alert_info", ["<http://example.com/a,b.wav>"]),
    ("call_info", ["<http://example.com/a.jpg>;purpose=icon"]),
    ("error_info", ["<sip:a@b>"]),
    ("warning", ['399 example.com "No, thanks"']),
    ("in_reply_to", ["a@b", "c@d"]),
]


@pytest.mark.parametrize(("name", "value"), ROUND_TRIPS)
def test_what_is_assigned_can_be_read(name: str, value: object):
    request = built()
    absent = getattr(request, name) if name not in ("from_address", "to_address", "call_id", "cseq") else None
    assert absent in (None, [])
    setattr(request, name, value)
    assert getattr(request, name) == value
    request.via = request.via or [Via("WS", "a.invalid")]
    for mandatory, other in (
        ("from_address", ADDRESS),
        ("to_address", ADDRESS),
        ("call_id", "1"),
        ("cseq", CSeq(1, "OPTIONS")),
    ):
        if mandatory != name:
            setattr(request, mandatory, other)
    again = parse_message(bytes(request))
    assert getattr(again, name) == value
    setattr(again, name, None)
    assert bytes(again).count(b"\r\n") < bytes(request).count(b"\r\n") or name == "content_length"


def test_every_accessor_is_covered():
    properties = {name for name in vars(Message) if not name.startswith("_")} | {
        name for name, value in vars(sipmessage.Message).items() if isinstance(value, property)
    }
    others = {
        "parse",
        "malformed",
        "contact_is_star",
        "from_tag",
        "to_tag",
        "branch",
        "text",
        "start_line",
        "frame",
        "copy",
    }
    assert properties - others == {name for name, _ in ROUND_TRIPS}


@pytest.mark.parametrize("name", ["from_address", "to_address", "call_id", "cseq"])
def test_what_has_to_be_there(name: str):
    with pytest.raises(ParseError, match="missing"):
        getattr(built(), name)


def test_derived_values(invite: Request):
    assert invite.from_tag == "from-1"
    assert invite.to_tag is None
    assert invite.branch == "z9hG4bK1"
    assert [via.branch for via in invite.via] == ["z9hG4bK1", "z9hG4bK2", "z9hG4bK3"]
    invite.via = []
    assert invite.branch is None


def test_values_are_kept_until_the_field_changes(invite: Request):
    assert invite.from_address is invite.from_address
    invite.headers.set("From", "<sip:carol@example.com>;tag=9")
    assert (invite.from_tag, invite.from_address.uri.user) == ("9", "carol")
    assert len(invite.via) == 3
    invite.headers.prepend("Via", "SIP/2.0/WS d.invalid;branch=z9hG4bK0")
    assert invite.branch == "z9hG4bK0"
    invite.headers.remove_first("Via")
    assert invite.branch == "z9hG4bK1"
    invite.headers.remove("Max-Forwards")
    assert invite.max_forwards is None
    invite.headers.add("Contact", "*")
    assert invite.contact_is_star


def test_lists_belong_to_their_reader(invite: Request):
    invite.record_route.clear()
    assert len(invite.record_route) == 2
    invite.via.append(Via("WS", "x"))
    assert len(invite.via) == 3


def test_contacts():
    request = built()
    assert (request.contact, request.contact_is_star) == ([], False)
    request.headers.add("m", "*")
    assert (request.contact, request.contact_is_star) == ([], True)
    request.headers.set("m", '"A" <sip:a@b>, <sip:c@d>')
    assert ([str(contact) for contact in request.contact], request.contact_is_star) == (
        ['"A" <sip:a@b>', "<sip:c@d>"],
        False,
    )


def test_accept_that_is_empty_is_not_absent():
    request = built()
    assert request.accept is None
    request.accept = []
    assert request.accept == []
    assert "Accept" in request.headers
    request.accept = None
    assert "Accept" not in request.headers


def test_challenges_from_several_fields_in_order():
    response = Response(401)
    response.headers.add("WWW-Authenticate", 'Digest realm="a", algorithm=SHA-256, Digest realm="b"')
    response.headers.add("WWW-Authenticate", 'Digest realm="c, d"')
    assert [c.parameters["realm"] for c in response.www_authenticate_all] == ["a", "b", "c, d"]
    assert response.www_authenticate is not None
    assert response.www_authenticate.parameters["realm"] == "a"


def test_min_se_with_parameters():
    request = built()
    request.headers.add("Min-SE", "120;x=y")
    assert request.min_se == 120


MALFORMED = [
    ("Contact", "nonsense here", "contact"),
    ("Contact", "*, <sip:a@b>", "contact"),
    ("Route", "<sip:a@b", "route"),
    ("Max-Forwards", "256", "max_forwards"),
    ("Expires", "4294967296", "expires"),
    ("Content-Type", "nothing", "content_type"),
    ("Date", "yesterday", "date"),
    ("Date", "Sat, 99 Nov 2010 23:29:00 GMT", "date"),
    ("WWW-Authenticate", "", "www_authenticate"),
    ("Session-Expires", "long", "session_expires"),
    ("RAck", "1", "rack"),
    ("Call-ID", "", "call_id"),
    ("Accept", "x", "accept"),
]


@pytest.mark.parametrize(("field", "value", "attribute"), MALFORMED)
def test_what_is_malformed(field: str, value: str, attribute: str):
    request = built()
    request.headers.add(field, value)
    with pytest.raises(ParseError, match=f"^{field}: ") as caught:
        getattr(request, attribute)
    assert (caught.value.status, caught.value.request) == (400, request)
    assert caught.value.phrase == f"Malformed {field} Header Field"
    for other in (
        Request("ACK", URI.parse("sip:b"), headers=request.headers),
        Response(200, headers=request.headers),
    ):
        with pytest.raises(ParseError) as caught:
            getattr(other, attribute)
        assert (caught.value.status, caught.value.request) == (None, None)


@pytest.mark.parametrize(
    "field", ["Replaces", "Refer-To", "Event", "Content-Type", "Session-Expires", "RAck"]
)
def test_what_may_be_there_once_only(field: str):
    request = built()
    request.headers.add(field, "x")
    request.headers.add(field, "y")
    with pytest.raises(ParseError, match="more than one"):
        getattr(request, field.lower().replace("-", "_"))


@pytest.mark.parametrize(
    ("name", "limit"), [("max_forwards", 255), ("expires", 2**32 - 1), ("rseq", 2**32 - 1)]
)
def test_numbers_out_of_bounds_are_not_written(name: str, limit: int):
    request = built()
    for value in (-1, limit + 1):
        with pytest.raises(InvalidHeaderError):
            setattr(request, name, value)
    assert getattr(request, name) is None


def test_of_plain_text_the_first_counts():
    request = built()
    request.headers.add("User-Agent", "a")
    request.headers.add("User-Agent", "b")
    assert request.user_agent == "a"


# --- making and writing -----------------------------------------------------------------------------------------------


def test_a_request_of_ones_own():
    request = Request("INVITE", URI.parse("sip:b@c"), b"abc", Headers([("Subject", "x")]))
    assert bytes(request) == b"INVITE sip:b@c SIP/2.0\r\nSubject: x\r\nContent-Length: 3\r\n\r\nabc"
    assert str(request) == "INVITE sip:b@c SIP/2.0\r\nSubject: x\r\nContent-Length: 3\r\n\r\nabc"
    assert isinstance(request, sipmessage.Request)
    assert repr(request) == "<Request 'INVITE sip:b@c SIP/2.0'>"


def test_a_response_of_ones_own():
    response = Response(486, headers={"Subject": "x"})
    assert bytes(response) == b"SIP/2.0 486 Busy Here\r\nSubject: x\r\nContent-Length: 0\r\n\r\n"
    assert Response(486, "Nope", headers=[("A", "b")]).start_line() == "SIP/2.0 486 Nope"
    assert isinstance(response, sipmessage.Response)


def test_the_librarys_uri_is_taken():
    assert bytes(Request("OPTIONS", sipmessage.URI.parse("sip:a@b"))).startswith(b"OPTIONS sip:a@b SIP/2.0")


@pytest.mark.parametrize("method", ["", "IN VITE", "INVITE\r\n", "é"])
def test_methods_that_cannot_be(method: str):
    with pytest.raises(InvalidHeaderError):
        Request(method, URI.parse("sip:a"))


@pytest.mark.parametrize(("code", "phrase"), [(99, ""), (700, ""), (200, "a\r\nb"), (200, "\0"), (-1, "x")])
def test_responses_that_cannot_be(code: int, phrase: str):
    with pytest.raises(InvalidHeaderError):
        Response(code, phrase)


def test_the_start_line_is_checked_when_written():
    request = built()
    request.method = "A\r\nEvil: x\r\n"
    with pytest.raises(InvalidHeaderError):
        bytes(request)
    response = Response(200)
    response.phrase = "a\nb"
    with pytest.raises(InvalidHeaderError):
        str(response)
    response.phrase = "déjà"
    assert bytes(response).startswith("SIP/2.0 200 déjà\r\n".encode())


class TestContentLength:
    def test_is_added(self):
        assert b"\r\nContent-Length: 0\r\n\r\n" in bytes(built())

    def test_is_put_right(self, invite: Request):
        invite.body = "ü".encode()
        assert b"\r\nContent-Length: 2\r\n\r\n\xc3\xbc" in bytes(invite)
        assert invite.headers["Content-Length"] == "0"
        invite.headers.set("Content-Length", "nonsense")
        assert b"\r\nContent-Length: 2\r\n" in bytes(invite)
        invite.headers.set("l", "7")
        assert b"\r\nl: 2\r\n" in bytes(invite)

    def test_keeps_its_spelling_while_it_is_right(self):
        for line in ("Content-Length   : 0003", "l:3", "CONTENT-LENGTH:\t3 "):
            data = INVITE.replace("Content-Length: 0", line).encode() + b"abc"
            assert bytes(parse_message(data)) == data

    def test_stays_away_from_a_message_that_came_without(self):
        data = INVITE.replace("Content-Length: 0\r\n", "").encode() + b"abc"
        request = parse_message(data)
        assert bytes(request) == data
        request.body = b"abcd"
        assert bytes(request).endswith(b"\r\nContent-Length: 4\r\n\r\nabcd")

    def test_does_not_follow_an_ending_by_chance(self, invite: Request):
        invite.body = b"x" * 10
        invite.headers.set("Content-Length", "110")
        assert b"\r\nContent-Length: 10\r\n" in bytes(invite)


def test_frames(invite: Request):
    assert invite.frame() == INVITE
    invite.headers.set("Subject", "déjà")
    assert invite.frame() == bytes(invite).decode()
    invite.headers.set("Subject", "\udce9")
    assert invite.frame() == bytes(invite)
    invite.headers.remove("Subject")
    invite.body = b"\xff"
    assert invite.frame() == bytes(invite)


def test_text(invite: Request):
    invite.body = b"a\xc3\xbc\xff"
    assert invite.text == "aü\ufffd"


def test_copies_are_independent(invite: Request):
    copy = invite.copy()
    assert bytes(copy) == bytes(invite)
    copy.headers.set("To", "<sip:x@y>")
    copy.body = b"x"
    copy.method = "BYE"
    assert bytes(invite) == INVITE.encode()
    assert isinstance(copy, Request)
    response = Response(200)
    assert isinstance(response.copy(), Response)


def test_parse_is_there_as_in_the_library():
    assert isinstance(Message.parse(INVITE.encode()), Request)
    assert isinstance(Request.parse(INVITE), Request)
    with pytest.raises(ParseError):
        Message.parse(b"\r\n\r\n")


def test_accessors_are_documented():
    assert Message.subject.__doc__ == "The Subject header field."
    assert Message.via.__doc__ == "The Via header fields."


def test_methods():
    assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER"} <= METHODS


def test_bare_messages_have_no_start_line():
    with pytest.raises(NotImplementedError):
        Message().start_line()


# --- responses to requests --------------------------------------------------------------------------------------------


class TestMakeResponse:
    def test_copies_to_the_letter(self, invite: Request):
        assert bytes(make_response(invite, 486)).decode() == (
            "SIP/2.0 486 Busy Here\r\n"
            "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1 , SIP/2.0/WS b.invalid;branch=z9hG4bK2\r\n"
            "v:SIP/2.0/WS c.invalid;branch=z9hG4bK3\r\n"
            'f :  "Alice" <sip:alice@example.com>;tag=from-1\r\n'
            "To: <sip:bob@example.com>\r\n"
            "Call-ID: call-1\r\n"
            "CSeq: 1 INVITE\r\n"
            "Content-Length: 0\r\n\r\n"
        )

    def test_tag(self, invite: Request):
        response = make_response(invite, 200, to_tag="t1")
        assert response.to_tag == "t1"
        assert "To: <sip:bob@example.com>;tag=t1" in str(response)
        assert make_response(invite, 100, to_tag="t1").to_tag is None
        assert make_response(invite, 200).to_tag is None
        assert invite.to_tag is None
        invite.headers.set("To", "<sip:bob@example.com>;tag=theirs")
        assert make_response(invite, 200, to_tag="t1").to_tag == "theirs"
        with pytest.raises(InvalidHeaderError):
            make_response(parse_message(INVITE), 200, to_tag="a b")

    def test_tag_on_a_folded_to(self):
        request = parse_message(INVITE.replace("To: <sip:bob@example.com>", "t:\r\n sip:bob@example.com"))
        assert make_response(request, 180, to_tag="t1").to_tag == "t1"

    def test_phrase(self, invite: Request):
        assert make_response(invite, 200).phrase == "OK"
        assert make_response(invite, 200, "Fine").phrase == "Fine"
        assert make_response(invite, 499).phrase == "Bad Request"

    def test_timestamp_in_100(self, invite: Request):
        assert make_response(invite, 100).timestamp == "54"
        assert make_response(invite, 180).timestamp is None

    @pytest.mark.parametrize(
        ("code", "there"), [(100, False), (101, True), (183, True), (200, True), (302, False), (486, False)]
    )
    def test_record_route(self, invite: Request, code: int, there: bool):
        assert bool(make_response(invite, code).record_route) is there

    def test_record_route_only_where_a_dialog_may_come_about(self, invite: Request):
        data = INVITE.replace("INVITE", "MESSAGE")
        assert not make_response(parse_message(data), 200).record_route
        data = INVITE.replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=x")
        assert not make_response(parse_message(data), 200).record_route

    def test_extras(self, invite: Request):
        response = make_response(
            invite,
            200,
            headers=[("Contact", "<sip:b@c>"), ("Allow", "ACK")],
            body=b"v=0",
            content_type="application/sdp",
        )
        assert [str(c) for c in response.contact] == ["<sip:b@c>"]
        assert response.content_type == MediaType("application/sdp")
        assert bytes(response).endswith(b"Content-Length: 3\r\n\r\nv=0")
        assert make_response(invite, 200, headers={"A": "b"}).headers["A"] == "b"
        assert make_response(invite, 200, headers=Headers([("A", "b")])).headers["A"] == "b"
        assert (
            make_response(invite, 200, content_type=MediaType("text/plain")).headers["Content-Type"]
            == "text/plain"
        )
        with pytest.raises(InvalidHeaderError):
            make_response(invite, 200, headers=[("A", "b\r\nc")])

    def test_to_a_request_that_is_only_half_readable(self):
        with pytest.raises(ParseError) as caught:
            parse_message(INVITE.replace("To: <sip:bob@example.com>", 'To: "Bob <sip:bob@example.com>'))
        request = caught.value.request
        assert isinstance(request, Request)
        response = make_response(request, 400, caught.value.phrase, to_tag="t1")
        assert 'To: "Bob <sip:bob@example.com>\r\n' in str(response)
        assert response.phrase == "Malformed To Header Field"

    def test_to_a_request_with_nothing_to_copy(self):
        assert (
            bytes(make_response(built(), 400, to_tag="x"))
            == b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        )
