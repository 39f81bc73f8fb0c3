"""Extra headers of the application."""

from __future__ import annotations

from typing import Any

import pytest

from sipua.session.headers import (
    RESERVED,
    checked_phrase,
    checked_status,
    content_type_header,
    header_list,
    response_header_list,
)
from sipua.sip import InvalidHeaderError


@pytest.mark.parametrize(
    "given",
    [["X-A: 1", "X-B:2"], {"X-A": "1", "X-B": "2"}, [("X-A", "1"), ("X-B", 2)], (["X-A", " 1"], "X-B: 2 ")],
)
def test_ways_to_give_headers(given: Any) -> None:
    assert header_list(given) == (("X-A", "1"), ("X-B", "2"))


@pytest.mark.parametrize("given", [(), [], {}, None])
def test_none(given: Any) -> None:
    assert header_list(given) == ()


@pytest.mark.parametrize(
    "given",
    [
        *(
            "X-A: 1",
            b"X-A: 1",
            5,
            object(),
            [5],
            [None],
            [("X",)],
            [("X", "1", "2")],
            [("X", None)],
            [(5, "x")],
        ),
        *(
            ["no colon"],
            [": empty"],
            ["a b: c"],
            ["é: c"],
            ["X: a\r\nY: b"],
            [("X\n", "a\0")],
            [("X", "\ud800")],
        ),
    ],
)
def test_what_is_no_list_of_headers(given: Any) -> None:
    with pytest.raises(InvalidHeaderError):
        header_list(given)


@pytest.mark.parametrize("name", [*sorted(RESERVED), *"vftimlVM", "cOnTaCt", "Call-ID "])
def test_headers_of_the_stack_are_known_by_all_their_names(name: str) -> None:
    with pytest.raises(InvalidHeaderError, match="not the application's"):
        header_list([(name, "x")])
    if name != "content-type":  # a refusal may have a body
        with pytest.raises(InvalidHeaderError, match="not the application's"):
            response_header_list([f"{name}: x"], 486)


def test_route_and_credentials_are_the_applications_if_it_wants() -> None:
    own = (("Route", "<sip:edge.example.com;lr>"), ("Authorization", "Bearer x"))
    assert header_list(own) == own


@pytest.mark.parametrize("code", [300, 302, 305, 380, 485])
def test_an_answer_may_say_where_else_to_try(code: int) -> None:
    assert response_header_list(["m: <sip:c@x.example>"], code) == (("m", "<sip:c@x.example>"),)
    with pytest.raises(InvalidHeaderError):
        response_header_list(["Via: x"], code)


def test_limits() -> None:
    assert len(header_list([f"X-{n}: 1" for n in range(150)])) == 150
    with pytest.raises(InvalidHeaderError, match="151 headers"):
        header_list([f"X-{n}: 1" for n in range(151)])
    longest = "é" * 4094  # with "X-A: " 8193 bytes
    assert header_list([("X-", longest)])
    for name, value in (("X-A", longest), ("X" * 9000, "1")):
        with pytest.raises(InvalidHeaderError, match="more than 8192 bytes") as caught:
            header_list([(name, value)])
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "value", ["text/plain", "Text/Plain;charset=UTF-8", 'a/b; c="d e"', "application/x.y+json"]
)
def test_content_types(value: str) -> None:
    assert content_type_header(value) == (("Content-Type", value),)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "",
        "nope",
        "text/",
        "/plain",
        "text/plain\r\n;X: y",
        "text/plain\n",
        "téxt/plain",
        "*/*",
        "a/b c",
    ],
)
def test_what_is_no_content_type(value: Any) -> None:
    with pytest.raises(InvalidHeaderError, match="content_type"):
        content_type_header(value)


@pytest.mark.parametrize("value", [None, "486", 486.0, True, 299, 700, -1])
def test_what_is_no_status_code(value: Any) -> None:
    with pytest.raises(ValueError, match="status_code"):
        checked_status(value)


def test_status_codes() -> None:
    assert checked_status(486) == 486
    assert checked_status(183, 101, 199) == 183


@pytest.mark.parametrize("value", [5, "a\r\nb", b"no", "\0"])
def test_what_is_no_phrase(value: Any) -> None:
    with pytest.raises(InvalidHeaderError):
        checked_phrase(value)
