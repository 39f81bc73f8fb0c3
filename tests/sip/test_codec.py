from __future__ import annotations

import time

import pytest

from sipua.sip import Limits, ParseError, Request, Response, make_response, parse_message

HEAD = (
    "{start}\r\n"
    "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
    "From: <sip:alice@example.com>;tag=1\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: 1@a\r\n"
    "CSeq: 1 {method}\r\n"
)
OPTIONS = HEAD.format(start="OPTIONS sip:bob@example.com SIP/2.0", method="OPTIONS")
OK = HEAD.format(start="SIP/2.0 200 OK", method="OPTIONS")
ACK = HEAD.format(start="ACK sip:bob@example.com SIP/2.0", method="ACK")


def fault(data: bytes | str, limits: Limits | None = None) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse_message(data, limits=limits or Limits())
    return caught.value


# --- what is taken ----------------------------------------------------------------------------------------------------


def test_a_request():
    request = parse_message(OPTIONS + "\r\n")
    assert isinstance(request, Request)
    assert (request.method, str(request.uri), request.body) == ("OPTIONS", "sip:bob@example.com", b"")


def test_a_response():
    response = parse_message(OK + "Content-Length: 2\r\n\r\nhi")
    assert isinstance(response, Response)
    assert (response.code, response.phrase, response.body) == (200, "OK", b"hi")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes(kind):
    assert parse_message(kind(OPTIONS.encode() + b"\r\n")).call_id == "1@a"


def test_text_is_counted_in_bytes():
    assert parse_message(OPTIONS + "Content-Length: 2\r\n\r\nü").body == "ü".encode()


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\n", "\r\n\r\n", ""])
def test_keep_alives(data: bytes | str):
    assert parse_message(data) is None


@pytest.mark.parametrize(
    "data",
    [
        OPTIONS + "\r\n",
        OPTIONS + "l: 3\r\n\r\nabc",
        OPTIONS + "Subject: a\r\n b\r\n\tc\r\nX:\r\n y\r\n\r\n",
        OPTIONS + "X-Empty:\r\nX-Odd :  \t y \t\r\nx-odd: z\r\n\r\n",
        OPTIONS.replace("Via:", "v  :").replace("From", "F").replace("Call-ID", "i") + "\r\n",
        OPTIONS + "Subject: déjà vu\r\n\r\n",
        OPTIONS + "Subject: ;;,,\x00\x0b\x85\u2028\r\n\r\n",
        OK + "\r\nbody",
        OK.replace("200 OK", "200 ") + "\r\n",
        OPTIONS.replace("\r\nVia", "\r\nX: y\r\nVia") + "\r\n\r\n\r\n\r\n",
    ],
)
def test_goes_out_as_it_came_in(data: str):
    assert bytes(parse_message(data)) == data.encode()
    assert str(parse_message(data)) == data


def test_bytes_that_are_not_utf_8_come_out_again():
    data = OPTIONS.encode() + b"Subject: \xe9t\xe9\r\nContent-Length: 2\r\n\r\n\xff\xfe"
    message = parse_message(data)
    assert bytes(message) == data
    assert message.frame() == data
    response = make_response(message, 200)
    response.headers.copy_from(message.headers, "Subject")
    assert b"Subject: \xe9t\xe9\r\n" in bytes(response)


@pytest.mark.parametrize(
    ("data", "same_as"),
    [
        ("\r\n\r\n" + OPTIONS + "\r\n", OPTIONS + "\r\n"),
        ((OPTIONS + "l: 3\r\n\r\na\nb").replace("\r\n", "\n"), OPTIONS + "l: 3\r\n\r\na\nb"),
        (OPTIONS.replace("\r\nTo", "\nTo") + "Subject: a\n b\r\n\n", OPTIONS + "Subject: a\r\n b\r\n\r\n"),
        (OPTIONS.replace("SIP/2.0\r\nVia", "sip/2.0\r\nVia") + "\r\n", OPTIONS + "\r\n"),
        (OK.replace("SIP/2.0 200 OK", "Sip/2.0 200 OK") + "\r\n", OK + "\r\n"),
        (OK.replace("200 OK", "200") + "\r\n", OK.replace("200 OK", "200 ") + "\r\n"),
        (OPTIONS + "Content-Length: 2\r\n\r\nabcd", OPTIONS + "Content-Length: 2\r\n\r\nab"),
        (OPTIONS + "l: 2\r\nl: 2\r\n\r\nabcd", OPTIONS + "l: 2\r\nl: 2\r\n\r\nab"),
    ],
)
def test_oddities_are_put_right(data: str, same_as: str):
    assert bytes(parse_message(data)) == same_as.encode()


def test_a_folded_line_may_look_like_a_header_field():
    message = parse_message(OPTIONS + "Subject: a\r\n From: b\r\n\r\n")
    assert message.subject == "a From: b"


def test_max_forwards_is_not_required():
    assert parse_message(OPTIONS + "\r\n").max_forwards is None
    assert parse_message(OPTIONS + "Max-Forwards: 0007\r\n\r\n").max_forwards == 7
    assert parse_message(OK + "Max-Forwards: x\r\n\r\n").code == 200


def test_the_values_read_are_the_ones_kept():
    message = parse_message(OPTIONS + "Max-Forwards: 70\r\n\r\n")
    assert set(message.headers._cache) == {"via", "from", "to", "call-id", "cseq", "max-forwards"}


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status", "phrase"),
    [
        (OPTIONS.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE") + "\r\n", 400, "Malformed CSeq Header Field"),
        (OPTIONS.replace("CSeq: 1 ", "CSeq: 2147483648 ") + "\r\n", 400, "Malformed CSeq Header Field"),
        (OPTIONS.replace("Via: SIP/2.0/WS", "Via: WS") + "\r\n", 400, "Malformed Via Header Field"),
        (OPTIONS.replace("From: <", "From: ") + "\r\n", 400, "Malformed From Header Field"),
        (
            OPTIONS.replace("<sip:bob@example.com>\r\n", "nobody\r\n") + "\r\n",
            400,
            "Malformed To Header Field",
        ),
        (OPTIONS.replace("1@a", "") + "\r\n", 400, "Malformed Call-ID Header Field"),
        (OPTIONS.replace("Call-ID: 1@a\r\n", "") + "\r\n", 400, "Missing Call-ID Header Field"),
        (OPTIONS.replace("From", "X").replace("To", "Y") + "\r\n", 400, "Missing From, To Header Field"),
        (OPTIONS + "To: <sip:c@d>\r\n\r\n", 400, "Several To Header Fields"),
        (OPTIONS + "Max-Forwards: 1\r\nMax-Forwards: 1\r\n\r\n", 400, "Several Max-Forwards Header Fields"),
        (OPTIONS + "Max-Forwards: 256\r\n\r\n", 400, "Malformed Max-Forwards Header Field"),
        (OPTIONS + "Max-Forwards: \r\n\r\n", 400, "Malformed Max-Forwards Header Field"),
        (OPTIONS + "Content-Length: 4\r\n\r\nabc", 400, "Wrong Content-Length"),
        (OPTIONS + "Content-Length: five\r\n\r\nabcde", 400, "Wrong Content-Length"),
        (OPTIONS + "Content-Length: -1\r\n\r\nabcde", 400, "Wrong Content-Length"),
        (OPTIONS + "Content-Length: ١\r\n\r\nabcde", 400, "Wrong Content-Length"),
        (OPTIONS + "Content-Length: \r\n\r\nabcde", 400, "Wrong Content-Length"),
        (OPTIONS + f"Content-Length: {'9' * 5000}\r\n\r\nabcde", 400, "Wrong Content-Length"),
        (OPTIONS + "Content-Length: 1\r\nl: 2\r\n\r\nabc", 400, "Wrong Content-Length"),
        (OPTIONS, 400, "Missing Empty Line"),
        (OPTIONS + "nonsense\r\n\r\n", 400, "Malformed Header Field"),
        (OPTIONS + ": x\r\n\r\n", 400, "Malformed Header Field"),
        (OPTIONS + "a b: x\r\n\r\n", 400, "Malformed Header Field"),
        (OPTIONS + "Subject: a\rVia: b\r\n\r\n", 400, "Malformed Header Field"),
        (OPTIONS.replace("\r\nVia", "\r\n folded: too soon\r\nVia") + "\r\n", 400, "Malformed Header Field"),
        (OPTIONS.replace("sip:bob@example.com SIP", "bob SIP") + "\r\n", 400, "Malformed Request-URI"),
        (OPTIONS.replace("sip:bob@example.com SIP", "SIP") + "\r\n", 400, "Malformed Request-URI"),
        (
            OPTIONS.replace("com SIP/2.0\r\n", "com?a=b SIP/2.0\r\n") + "\r\n",
            400,
            "Header Fields in Request-URI",
        ),
        (OPTIONS.replace("com SIP/2.0\r\n", "com\tSIP/2.0\r\n") + "\r\n", 400, "Malformed Request Line"),
        (OPTIONS.replace("com SIP/2.0\r\n", "com SIP/3.0\r\n") + "\r\n", 505, None),
        (OPTIONS.replace("com SIP/2.0\r\n", "com SIP/2.00\r\n") + "\r\n", 505, None),
    ],
)
def test_refused(data: str, status: int, phrase: str | None):
    error = fault(data)
    assert (error.status, error.phrase) == (status, phrase)
    answer = str(make_response(error.request, error.status, error.phrase))
    assert answer.startswith(f"SIP/2.0 {status} ")
    assert " a.invalid;branch=z9hG4bK1\r\n" in answer


@pytest.mark.parametrize(
    "data",
    [
        "hello",
        "\x00\x01\x02",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        " \r\n\r\n",
        "SIP/2.0\r\n\r\n",
        "SIP/2.0 \r\n\r\n",
        OK.replace("200 OK", "20 OK") + "\r\n",
        OK.replace("200 OK", "700 OK") + "\r\n",
        OK.replace("200 OK", "099 OK") + "\r\n",
        OK.replace("200 OK", "2000 OK") + "\r\n",
        OK.replace("200 OK", "200 O\x00K") + "\r\n",
        OK.replace("200 OK", "200 O\rK") + "\r\n",
        OK.replace("SIP/2.0 200", "SIP/3.0 200") + "\r\n",
        OK.replace("Call-ID", "X") + "\r\n",
        OK.replace("CSeq: 1", "CSeq: x") + "\r\n",
        OK + "Content-Length: 4\r\n\r\n",
        OK + "nonsense\r\n\r\n",
        OK,
        ACK.replace("Call-ID", "X") + "\r\n",
        ACK.replace("CSeq: 1", "CSeq: x") + "\r\n",
        ACK.replace("1 ACK", "1 INVITE") + "\r\n",
        ACK + "Content-Length: 4\r\n\r\n",
        ACK.replace("com SIP/2.0\r\n", "com SIP/3.0\r\n") + "\r\n",
        OPTIONS.replace("Via", "X") + "\r\n",
        OPTIONS.replace("CSeq", "X") + "\r\n",
        OPTIONS.replace("OPTIONS sip", "OPT?IONS sip") + "\r\n",
        "OPTIONS sip:bob@example.com SIP/2.0\r\n\r\n",
        "OPTIONS sip:bob@example.com SIP/2.0",
        "\ud800",
    ],
)
def test_dropped(data: str):
    error = fault(data)
    assert (error.status, error.request) == (None, None)
    assert str(error)


def test_of_repeated_fields_the_first_is_echoed():
    error = fault(OPTIONS + "Via: SIP/2.0/WS b\r\nCSeq: 2 OPTIONS\r\nSubject: x\r\nTo: <sip:c@d>\r\n\r\n")
    assert str(make_response(error.request, 400)) == (
        "SIP/2.0 400 Bad Request\r\n"
        "Via: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
        "From: <sip:alice@example.com>;tag=1\r\n"
        "To: <sip:bob@example.com>\r\n"
        "Call-ID: 1@a\r\n"
        "CSeq: 1 OPTIONS\r\n"
        "Via: SIP/2.0/WS b\r\n"
        "Content-Length: 0\r\n\r\n"
    )


def test_an_unreadable_request_uri_is_kept_as_text():
    assert (
        str(fault(OPTIONS.replace("sip:bob@example.com SIP", "<sip:bob> x SIP") + "\r\n").request.uri)
        == "<sip:bob> x"
    )


# --- limits -----------------------------------------------------------------------------------------------------------


def test_message_size():
    body = "x" * 65536
    error = fault(OPTIONS + "\r\n" + body)
    assert error.status == 513
    assert error.request.branch == "z9hG4bK1"
    room = 65536 - len(OPTIONS) - 2
    assert len(parse_message(OPTIONS + "\r\n" + "x" * room).body) == room
    assert fault(OPTIONS + "\r\n" + "x" * (room + 1)).status == 513
    assert fault(OK + "\r\n" + body).status is None
    assert fault("x" * 70000).status is None
    assert fault(OPTIONS + "X: " + "\r\nY: z" * 20000 + "\r\n\r\n").status == 513
    assert fault(OPTIONS + "\r\n", Limits(message=100)).status is None


def test_what_is_cut_off_is_not_echoed():
    data = OPTIONS.replace("CSeq", "X: " + "y" * 65400 + "\r\nCSeq: 1 OPTI\r\nCSeq") + "\r\n" + "x" * 65536
    assert fault(data[:65800]).request is None or str(fault(data[:65800]).request.cseq)


def test_body_size():
    limits = Limits(body=10)
    assert parse_message(OPTIONS + "\r\n" + "x" * 10, limits=limits).body == b"x" * 10
    assert fault(OPTIONS + "\r\n" + "x" * 11, limits).status == 413
    assert parse_message(OPTIONS + "l: 3\r\n\r\n" + "x" * 11, limits=limits).body == b"xxx"


def test_number_of_header_fields():
    fields = "".join(f"X-{n}: {n}\r\n" for n in range(195))
    assert len(parse_message(OPTIONS + fields + "\r\n").headers) == 200
    error = fault(OPTIONS + fields + "X: y\r\n\r\n")
    assert (error.status, error.phrase) == (400, "Too Many Header Fields")
    assert len(error.request.headers) == 5


def test_length_of_lines():
    assert parse_message(OPTIONS + f"X: {'y' * 8189}\r\n\r\n").headers["X"] == "y" * 8189
    error = fault(OPTIONS + f"X: {'y' * 8190}\r\n\r\n")
    assert (error.status, error.phrase) == (400, "Header Field Too Long")
    assert fault(OPTIONS + f"X: {'ü' * 4096}\r\n\r\n").status == 400
    assert fault(OPTIONS + f"X: {'y' * 4096}\r\n {'z' * 4096}\r\n\r\n").status == 400
    assert parse_message(OPTIONS + f"X: y\r\n\r\n{'z' * 9000}").headers["X"] == "y"


def test_length_of_the_request_uri():
    assert fault(OPTIONS.replace("bob@", f"{'b' * 8192}@", 1) + "\r\n").status == 414
    assert fault(OPTIONS.replace("sip:bob@example.com", "x" * 8192, 1) + "\r\n").status == 414


def test_overlong_fields_are_not_echoed():
    error = fault(OPTIONS.replace("alice", "a" * 9000) + "\r\n")
    assert error.status == 400
    assert "From" not in error.request.headers
    assert fault(OPTIONS.replace("a.invalid", "a" * 9000) + "\r\n").status is None


@pytest.mark.parametrize(
    "data",
    [
        "\r\n" * 32000 + "x",
        OPTIONS + "X: y" + "\r\n " * 20000 + "\r\n\r\n",
        OPTIONS + ":" * 60000,
        OPTIONS + "a:" * 8000 + "\r\n\r\n",
        "OPTIONS " + " " * 60000 + "SIP/2.0\r\n\r\n",
        OPTIONS + "X: y" + "\n " * 30000 + "\n\n",
        OPTIONS + "X: y\n" * 12000,
        OPTIONS + "\r" * 60000,
        OPTIONS + "Via: " + "SIP/2.0/WS a," * 600 + "\r\n\r\n",
        OPTIONS + "Via: " + "SIP/2.0/WS a;b=c;" * 400 + "\r\n\r\n",
        OPTIONS.replace("<sip:bob@example.com>", '"' + "\\a" * 4000) + "\r\n",
    ],
    ids=lambda data: f"{data[-16:]!r}",
)
def test_no_message_takes_long(data: str):
    started = time.process_time()
    with pytest.raises(ParseError):
        parse_message(data)
    assert time.process_time() - started < 0.1


def test_call_id_with_control_characters_is_refused() -> None:
    """It would have to go into every message of the dialog."""
    with pytest.raises(ParseError) as caught:
        parse_message(
            "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/WS x;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\n"
            "To: <sip:a@b>\r\nCall-ID: a\0b\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
    assert caught.value.status == 400
