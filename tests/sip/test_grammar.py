from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.sip import Address, CSeq, InvalidHeaderError, ParseError, Via, grammar
from sipua.sip.auth import AuthChallenge
from sipua.sip.extensions import Event, RetryAfter
from sipua.sip.parameters import Parameters
from sipua.sip.uri import URI


@pytest.mark.parametrize("text", ["INVITE", "a", "-.!%*_+`'~", "x-1"])
def test_tokens(text: str):
    assert grammar.is_token(text)


@pytest.mark.parametrize("text", ["", "a b", "a:b", "a\r\n", "é", "a;b", '"a"', "١"])
def test_what_is_no_token(text: str):
    assert not grammar.is_token(text)


@given(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])))
def test_quoting_can_be_undone(text: str):
    quoted = grammar.quote(text)
    assert grammar.unquote(quoted) == text
    assert re.fullmatch(grammar.QUOTED, quoted, re.DOTALL)


def test_unquote_leaves_other_text_alone():
    assert grammar.unquote("a\\b") == "a\\b"
    assert grammar.unquote('"a\\"b\\\\"') == 'a"b\\'


def test_readable_takes_latin_1_for_what_is_not_utf_8():
    assert grammar.readable("plain") == "plain"
    assert grammar.readable("déjà") == "déjà"
    assert grammar.readable(b"d\xe9j\xe0".decode("utf-8", "surrogateescape")) == "déjà"


def test_percent_coding():
    assert grammar.percent_decode("a%41%zz%C3%A9%") == "aA%zzé%"
    assert grammar.percent_decode("%E9") == "é"
    assert grammar.percent_encode("a b/é", "/") == "a%20b/%C3%A9"
    with pytest.raises(InvalidHeaderError):
        grammar.percent_encode("\ud800", "")


def test_unfold():
    assert grammar.unfold("a\r\n b \r\n\t c\n d") == "a b c d"


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        (" ", []),
        ("a", ["a"]),
        ("a, b ,,c,", ["a", "b", "c"]),
        ('"a,b" <sip:x,y>;q="1,2", c', ['"a,b" <sip:x,y>;q="1,2"', "c"]),
        ("<a,b>,c", ["<a,b>", "c"]),
        ('a, "never closed, b', ["a", '"never closed, b']),
        ("a, <never closed, b", ["a", "<never closed, b"]),
        ('"q\\",", b', ['"q\\","', "b"]),
        ('"",', ['""']),
    ],
)
def test_split_list(text: str, items: list[str]):
    assert grammar.split_list(text) == items


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\0b", "\ud800", "a\r\nVia: x"])
def test_text_that_must_not_go_out(text: str):
    with pytest.raises(InvalidHeaderError, match="Subject"):
        grammar.check_text("Subject", text)


@pytest.mark.parametrize("text", ["", "plain", "a\tb", "déjà vu 大停電", "\udce9"])
def test_text_that_may_go_out(text: str):
    grammar.check_text("Subject", text)


def test_check_token_names_the_culprit():
    grammar.check_token("method", "INVITE")
    with pytest.raises(InvalidHeaderError, match="method is not a token: 'IN VITE'"):
        grammar.check_token("method", "IN VITE")


# --- time is linear in the length, whatever the input ----------------------------------------------------------------

N = 4000
HOSTILE = [
    '"' * N,
    '"' + "\\" * N,
    '"' + '\\"' * N,
    "<" * N,
    "sip:" + "a" * N,
    "sip:" + "a." * N + "@",
    "<sip:a@b" + ";x" * N,
    "<sip:a@b>" + ";x= " * N + "<",
    "<sip:a@b>" + ";x \t" * N + "<",
    "<sip:a@b>" + '; a = "b" ' * N + '"',
    "<sip:a@b>" + " " * N + "<",
    "a" * N + " " * N + "<",
    ", " * N,
    "SIP/2.0/UDP " + "a." * N + "!",
    "SIP / 2.0 / UDP " + " " * N + ";",
    "SIP/2.0/UDP a" + " ; branch = " * N + "<",
    "Digest " + 'a="b", ' * N + "!",
    "Digest " + "a = " * N,
    "Digest " + "," * N + '"',
    "1" * N,
    "0" * N + "1 INVITE" + " " * N + "x",
    "1 (" + "\\(" * N,
    "1 " + "(" * N,
    "refer" + ";a=" * N + '"',
    ";" * N,
    ";a=" + '"' * N,
    "sip:[" + ":" * N,
    "sip:a:" + ":" * N + "@",
    "x:" + "?" * N + " ",
    "sip:a@b:" + "0" * N,
    "%" * N,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:14]!r}…")
def test_no_text_takes_long(text: str):
    for size, limit in ((text, 0.05), (text * 4, 0.2)):
        for parse in (
            Address.parse_many,
            Via.parse_many,
            URI.parse,
            CSeq.parse,
            Parameters.parse,
            AuthChallenge.parse_many,
            Event.parse,
            RetryAfter.parse,
            grammar.split_list,
            grammar.unfold,
        ):
            started = time.process_time()
            try:
                parse(size)
            except ParseError:
                pass
            assert time.process_time() - started < limit, parse
