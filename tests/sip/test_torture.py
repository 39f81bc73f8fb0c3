"""Every section of RFC 4475 and RFC 5118, with messages of our own."""

from __future__ import annotations

import pytest

from sipua.sip import ParseError, Request, check_request, make_response, parse_message
from tests.sip.torture import rfc4475, rfc5118
from tests.sip.torture.case import DROPPED, TAKEN, Case

ALL = [*rfc4475.CASES, *rfc5118.CASES]
OK = [case for case in ALL if case.fate is TAKEN]


def test_every_section_is_there():
    assert {case.section for case in rfc4475.CASES} == rfc4475.SECTIONS
    assert {case.section for case in rfc5118.CASES} == rfc5118.SECTIONS


@pytest.mark.parametrize("case", OK, ids=str)
def test_is_read_as_it_is_meant(case: Case):
    message = parse_message(case.data)
    assert message is not None
    if case.reads is not None:
        assert case.reads(message) == case.gives


@pytest.mark.parametrize("case", [case for case in OK if case.same], ids=str)
def test_goes_out_as_it_came_in(case: Case):
    assert bytes(parse_message(case.data)) == case.data


@pytest.mark.parametrize("case", [case for case in OK if case.data[:4] != b"SIP/"], ids=str)
def test_is_acted_on_or_refused_as_it_should_be(case: Case):
    request = parse_message(case.data)
    assert isinstance(request, Request)
    if case.answer is None:
        check_request(request, **case.asked)
        return
    with pytest.raises(ParseError) as caught:
        check_request(request, **case.asked)
    assert caught.value.status == case.answer
    assert caught.value.request is request


@pytest.mark.parametrize("case", [case for case in ALL if isinstance(case.fate, int)], ids=str)
def test_is_refused_with_an_answer_the_sender_can_match(case: Case):
    with pytest.raises(ParseError) as caught:
        parse_message(case.data)
    error = caught.value
    assert error.status == case.fate
    assert isinstance(error.request, Request)
    answer = bytes(
        make_response(error.request, error.status, error.phrase, to_tag="us", headers=error.headers)
    )
    head = case.data.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        if line.lower().startswith((b"via:", b"from:")) and b"2923420123" not in line:
            assert line in answer


@pytest.mark.parametrize("case", [case for case in ALL if case.fate is DROPPED], ids=str)
def test_is_dropped(case: Case):
    with pytest.raises(ParseError) as caught:
        parse_message(case.data)
    assert caught.value.status is None
    assert caught.value.request is None


def test_unknown_extensions_are_listed():
    required = next(case for case in ALL if case.title == "Require with unknown extensions")
    with pytest.raises(ParseError) as caught:
        check_request(parse_message(required.data), **required.asked)
    assert caught.value.headers == (("Unsupported", "noOneDoesThis, norThis"),)
    with pytest.raises(ParseError) as caught:
        check_request(parse_message(required.data), supported=("timer",), proxy=True)
    assert caught.value.headers == (("Unsupported", "noProxyDoesThis, norThat"),)
