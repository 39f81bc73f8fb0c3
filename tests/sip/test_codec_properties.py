"""What holds for every message, and for everything that is none."""

from __future__ import annotations

import contextlib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipua.sip import METHODS, Headers, Message, ParseError, Request, Response, make_response, parse_message
from sipua.sip.headers import NAMES
from tests.sip.torture import rfc4475, rfc5118

TOKEN = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~", min_size=1, max_size=12
)
LINE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=40)
SPACE = st.sampled_from(["", " ", "\t", "  "])
FOLD = st.sampled_from([" ", "\r\n ", " \r\n\t", ""])
HOST = st.sampled_from(["example.com", "under_score.example", "192.0.2.1", "[2001:db8::1]", "a.invalid"])
PORT = st.sampled_from(["", ":5060", ":0", ":65535"])
PARAMETER = st.one_of(
    TOKEN,
    st.builds("{}={}".format, TOKEN, TOKEN),
    st.builds('{}="{}"'.format, TOKEN, TOKEN),
    st.just('+x="<urn:a,b;c>"'),
)  # fmt: skip
PARAMETERS = st.lists(PARAMETER, max_size=3).map(lambda items: "".join(f";{item}" for item in items))
URI = st.builds(
    "{}:{}{}{}{}".format,
    st.sampled_from(["sip", "SIP", "sips"]),
    st.one_of(
        st.just(""),
        st.builds("{}@".format, st.sampled_from(["bob", "*72#", "a%20b", "j;x=y", "jürgen", "a:b"])),
    ),
    HOST,
    PORT,
    st.lists(TOKEN.filter(lambda text: "%" not in text), max_size=2).map(
        lambda items: "".join(f";{i}" for i in items)
    ),
)
ADDRESS = st.builds(
    "{}<{}>{}".format,
    st.one_of(st.just(""), st.just('"A, \\"b\\" <c>" '), st.just("Jürgen ")),
    URI,
    PARAMETERS,
)
VIA = st.builds("SIP/2.0/{} {}{}{}".format, st.sampled_from(["WS", "WSS", "UDP"]), HOST, PORT, PARAMETERS)
FIELD = st.builds(
    "{}{}:{}{}".format, TOKEN.filter(lambda name: name.lower() not in RESERVED), SPACE, SPACE, LINE
)
METHOD = st.one_of(st.sampled_from(sorted(METHODS)), TOKEN)

RESERVED = {name.lower() for name in NAMES} | set("auimelcofyrbjdxsktv")


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A well-formed message with CRLF line ends."""
    method = draw(METHOD)
    if draw(st.booleans()):
        start = f"{method} {draw(URI)} SIP/2.0"
    else:
        start = f"SIP/2.0 {draw(st.integers(100, 699))} {draw(LINE)}"
    body = draw(st.binary(max_size=30))
    vias = ", ".join(draw(st.lists(VIA, min_size=1, max_size=3)))
    fields = [
        f"{draw(st.sampled_from(['Via', 'v', 'VIA ']))}:{draw(FOLD)}{vias}",
        f"{draw(st.sampled_from(['From', 'f', 'from ']))}:{draw(SPACE)}{draw(ADDRESS)}",
        f"{draw(st.sampled_from(['To', 't', 'tO ']))}:{draw(FOLD)}{draw(ADDRESS)}{draw(SPACE)}",
        f"Call-ID: {draw(TOKEN)}",
        f"CSeq: {draw(st.integers(0, 2**31 - 1))} {method}",
        *draw(st.lists(FIELD, max_size=4)),
    ]
    if draw(st.booleans()):
        fields.append(f"{draw(st.sampled_from(['Content-Length', 'l']))}{draw(SPACE)}: {len(body)}")
    return "\r\n".join([start, *draw(st.permutations(fields)), "", ""]).encode() + body


ACCESSORS = [name for name in dir(Message) if not name.startswith("_")]


def read_everything(message: Request | Response) -> None:
    for name in ACCESSORS:
        with contextlib.suppress(ParseError):
            value = getattr(message, name)
            for one in value if isinstance(value, list) else [value]:
                str(one)
                getattr(one, "uri", None)
                getattr(one, "name", None)
                getattr(one, "tag", None)
                dict(getattr(one, "parameters", None) or {})
    repr(message)


def refuse(error: ParseError) -> None:
    """What is not dropped can be answered."""
    assert (error.status is None) == (error.request is None)
    if error.status is not None:
        assert isinstance(error.request, Request)
        assert error.request.method != "ACK"
        answer = make_response(error.request, error.status, error.phrase, to_tag="x", headers=error.headers)
        assert bytes(answer).startswith(b"SIP/2.0 ")


def take(data: bytes) -> None:
    """Parse, and do with what comes out whatever one can do; nothing but a ParseError may come of it."""
    try:
        message = parse_message(data)
    except ParseError as error:
        refuse(error)
        return
    if message is None:
        assert not data.strip(b"\r\n")
        return
    read_everything(message)
    again = parse_message(bytes(message))
    assert bytes(again) == bytes(message)
    if isinstance(message, Request):
        for code in (100, 200, 404):
            answer = parse_message(bytes(make_response(message, code, to_tag="x")))
            assert isinstance(answer, Response)
            assert (answer.branch, answer.call_id, answer.cseq) == (
                message.branch,
                message.call_id,
                message.cseq,
            )
            assert answer.from_address == message.from_address


@settings(max_examples=150)
@given(messages())
def test_well_formed_messages_come_out_as_they_came_in(data: bytes):
    message = parse_message(data)
    assert message is not None
    assert bytes(message) == data
    read_everything(message)
    assert bytes(message) == data
    assert bytes(message.copy()) == data
    take(data)


@settings(max_examples=150)
@given(messages())
def test_text_is_the_same_as_bytes(data: bytes):
    with contextlib.suppress(UnicodeDecodeError):
        assert bytes(parse_message(data.decode())) == data


@settings(max_examples=200)
@given(st.binary(max_size=200))
@example(b"\r\n\r\n")
@example(b"\n x")
def test_random_bytes(data: bytes):
    take(data)


@settings(max_examples=200)
@given(st.text(max_size=100))
def test_random_text(data: str):
    with contextlib.suppress(ParseError):
        parse_message(data)


SEEDS = [case.data for case in (*rfc4475.CASES, *rfc5118.CASES)]
SPICE = [
    *(bytes([character]) for character in b'\r\n\0 \t:;,"<>\\%=\xff0-@?*['),
    *(b"\r\n", b"\r\n ", b"\r\n\r\n", b"\xc3\xa9", b"99999999999", b"SIP/2.0", b"l: 1\r\n"),
]


@settings(max_examples=400)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), st.sampled_from(SPICE)), min_size=1, max_size=4),
)
def test_messages_gone_wrong(data: bytes, changes: list[tuple[float, int, bytes]]):
    for where, removed, added in changes:
        at = int(where * len(data))
        data = data[:at] + added + data[at + removed :]
    take(data)


@settings(max_examples=100)
@given(st.sampled_from(SEEDS), st.floats(0, 1))
def test_messages_cut_short(data: bytes, where: float):
    take(data[: int(where * len(data))])


@settings(max_examples=150)
@given(TOKEN, st.text(max_size=30), st.sampled_from(["add", "set", "prepend"]))
def test_no_header_value_breaks_out(name: str, value: str, how: str):
    headers = Headers([("Subject", "x")])
    with contextlib.suppress(ValueError):
        getattr(headers, how)(name, value)
    data = bytes(Request("OPTIONS", parse_message(SEEDS[0]).uri, headers=headers))
    assert data.count(b"\r\n") == len(headers) + 2 + ("Content-Length" not in headers)
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert b"\0" not in data
