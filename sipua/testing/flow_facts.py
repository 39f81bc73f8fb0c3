"""Whether something is as a flow says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sipua.sip import Request, Response
from sipua.testing.flow_steps import direction_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sipua.testing.flow_steps import Arrow

Message = Request | Response


def fits(expected: Any, found: Any) -> bool:
    """Whether `found` is what was expected (see `flow_steps.Expected`)."""
    if expected is ...:
        return found is not None and found != ""
    if isinstance(expected, re.Pattern):
        return found is not None and expected.search(str(found)) is not None
    if isinstance(expected, type):
        return isinstance(found, expected)
    if callable(expected):
        return bool(expected(found))
    return bool(found == expected)


def shown(expected: Any) -> str:
    """What was expected, for people."""
    if isinstance(expected, re.Pattern):
        return f"/{expected.pattern}/"
    if expected is ...:
        return "anything"
    return getattr(expected, "__name__", None) or repr(expected)


def is_kind(arrow: Arrow, message: Message) -> bool:
    """Whether this is the request or response that the arrow speaks of."""
    words = arrow.what.split()
    if isinstance(message, Request):
        return words == [message.method]
    return words in ([str(message.code)], [str(message.code), message.cseq.method])


def problems(arrow: Arrow, message: Message, named: Mapping[str, Message]) -> Iterator[str]:
    """What is wrong with a message that an agent has sent."""
    for name, expected in arrow.headers.items():
        values = message.headers.getlist(name)
        found = None if not values else ", ".join(values)
        if not fits(expected, found):
            yield f"{name}: {shown(expected)} expected, found {found!r}"
    if arrow.sdp is not None:
        direction = direction_of(message.text) if _has_sdp(message) else False
        if not fits(arrow.sdp, direction):
            yield f"description: {shown(arrow.sdp)} expected, found {direction!r}"
    if arrow.body is not None and not fits(arrow.body, message.text):
        yield f"body: {shown(arrow.body)} expected, found {message.text!r}"
    if arrow.uri is not None and not (isinstance(message, Request) and fits(arrow.uri, str(message.uri))):
        yield f"Request-URI: {shown(arrow.uri)} expected, found {getattr(message, 'uri', None)}"
    if arrow.cseq is not None and message.cseq.sequence != (number := cseq_number(arrow, named)):
        yield f"CSeq: {number} expected, found {message.cseq}"
    if arrow.branch is not None and message.branch != named[arrow.branch].branch:
        yield f"branch: that of {arrow.branch} expected"
    if arrow.tag is not None and message.to_tag != arrow.tag:
        yield f"To tag: {arrow.tag!r} expected, found {message.to_tag!r}"
    if arrow.same is not None and str(message) != str(named[arrow.same]):
        yield f"a copy of {arrow.same} expected"
    if arrow.to is not None and (message.branch, message.cseq.sequence) != (
        named[arrow.to].branch,
        named[arrow.to].cseq.sequence,
    ):
        yield f"a response to {arrow.to} expected"
    if arrow.dialog is not None and message.call_id != named[arrow.dialog].call_id:
        yield f"the dialog of {arrow.dialog} expected"
    if arrow.check is not None and not arrow.check(message, named):
        yield f"check failed: {shown(arrow.check)}"


def cseq_number(arrow: Arrow, named: Mapping[str, Message]) -> int:
    """The CSeq number that the arrow asks for."""
    wanted = arrow.cseq
    assert wanted is not None
    if isinstance(wanted, int):
        return wanted
    name, more = (wanted, 0) if isinstance(wanted, str) else wanted
    return named[name].cseq.sequence + more


def _has_sdp(message: Message) -> bool:
    kind = (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    return bool(message.body) and kind == "application/sdp"
