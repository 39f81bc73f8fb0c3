"""From bytes to messages, and what to answer when that fails.

`parse_message` makes a message of one WebSocket message or datagram. A well-formed one goes straight through; whatever
is odd about the others (leading line ends, bare LF, folded lines) is sorted out in `_untangle`, which only they see.
Then `_check` looks at what every element has to understand. The rest is checked when it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import grammar
from .errors import ParseError
from .headers import KEYS, Headers, field_value
from .message import METHODS, Request, Response
from .uri import URI
from .values import Address, CSeq

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken in. Sizes are in bytes."""

    message: int = 65536
    "The whole message; beyond it 513."

    headers: int = 200
    "Header fields; beyond it 400."

    line: int = 8192
    "One header field with its folds, beyond it 400; or the request line, beyond it 414."

    body: int = 65536
    "The body; beyond it 413."


LIMITS = Limits()

_STATUS_LINE = re.compile(r"[Ss][Ii][Pp]/2\.0 ([1-6][0-9]{2})(?: ([^\r\n\0]*+))?")
_VERSION = re.compile(r"[Ss][Ii][Pp]/([0-9]++\.[0-9]++)")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(r"\r?\n")
_FIELD_END = re.compile(r"\r?\n(?![ \t])")
_LENGTH = re.compile(r"[0-9]{1,10}")

# Exactly one of each (:rfc:`3261#section-8.1.1`, :rfc:`4475#section-3.3.8`); of Max-Forwards one at most.
_MANDATORY = {"via": "Via", "from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}
_SINGLE = {"from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq", "max-forwards": "Max-Forwards"}
_PARSED: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("cseq", CSeq.parse),
    ("from", Address.parse),
    ("to", Address.parse),
)
_HOPS = {str(hops): hops for hops in range(256)}


def parse_message(
    data: bytes | bytearray | memoryview | str, *, limits: Limits = LIMITS
) -> Request | Response | None:
    """The message in `data`; None for a keep-alive, which is nothing but line ends (:rfc:`5626#section-3.5.1`).

    Octets beyond Content-Length are dropped (:rfc:`3261#section-18.3`). Raises :class:`ParseError`: its `status` is
    what to answer, and `request` what to, or None when there is nothing to answer.
    """
    if isinstance(data, str):
        try:
            data = data.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise ParseError("text that cannot be encoded") from None
    elif not isinstance(data, bytes):
        data = bytes(data)
    if data[:1] in (b"\r", b"\n", b""):
        data = data.lstrip(b"\r\n")
        if not data:
            return None
    if len(data) > limits.message:
        raise _too_large(data, limits)
    raw, blank, body = data.partition(b"\r\n\r\n")
    lines = raw.decode("utf-8", "surrogateescape").split("\r\n")
    text = "".join(lines)
    start = lines[0]
    del lines[0]
    problem: ParseError | None = None
    try:
        if not blank or "\n" in text or "\r" in text:
            raise ValueError
        keys = [KEYS[line[: line.index(":")]] for line in lines]
    except ValueError:  # a line that is not "name:", which a folded one is not either
        start, keys, lines, body, problem = _untangle(data)
    message, wrong = _message(start, Headers._of(keys, lines), body)
    problem = wrong or problem
    if len(data) > limits.line or len(lines) > limits.headers:
        problem = _beyond(start, lines, limits) or problem
    if problem is not None:
        raise _answerable(message, problem)
    _check(message, limits)
    return message


# --- start line -------------------------------------------------------------------------------------------------------


def _message(start: str, headers: Headers, body: bytes) -> tuple[Request | Response, ParseError | None]:
    """The message that `start` begins, and what is wrong with that line. Raises :class:`ParseError` if all is."""
    words = start.split(" ")
    if len(words) == 3 and words[2] == "SIP/2.0" and (words[0] in METHODS or grammar.is_token(words[0])):
        return _request(words[0], words[1], headers, body)
    status = _STATUS_LINE.fullmatch(start)
    if status is not None:
        response = Response.__new__(Response)
        response.code = int(status[1])
        response.phrase = status[2] or ""
        response.headers = headers
        response.body = body
        return response, None
    return _odd_request(start, headers, body)


def _request(method: str, target: str, headers: Headers, body: bytes) -> tuple[Request, ParseError | None]:
    request = Request.__new__(Request)
    request.method = method
    request.headers = headers
    request.body = body
    try:
        request.uri = URI.parse(target)
    except ParseError as error:
        request.uri = URI.unreadable(target)
        return request, _fault(str(error), "Malformed Request-URI")
    if request.uri.headers:  # they could be a Route of the sender's choice (:rfc:`4475#section-3.1.2.11`)
        return request, _fault(
            f"header fields in the Request-URI: {grammar.excerpt(target)}", "Header Fields in Request-URI"
        )
    return request, None


def _odd_request(start: str, headers: Headers, body: bytes) -> tuple[Request, ParseError | None]:
    """A request line with spaces where none belong, in lower case, or of another version."""
    words = start.split()
    version = _VERSION.fullmatch(words[-1]) if len(words) > 1 else None
    if version is None or not grammar.is_token(words[0]):
        raise ParseError(f"neither a request nor a response: {grammar.excerpt(start)}")
    request, problem = _request(words[0], " ".join(words[1:-1]), headers, body)
    if version[1] != "2.0":
        problem = _fault(f"a version of SIP other than 2.0: {grammar.excerpt(words[-1])}", status=505)
    elif start != " ".join(words):
        problem = _fault(f"spaces where none belong: {grammar.excerpt(start)}", "Malformed Request Line")
    return request, problem


# --- what every message needs -----------------------------------------------------------------------------------------


def _check(message: Request | Response, limits: Limits) -> None:
    """Raise :class:`ParseError` unless the mandatory fields are there, once, and readable, and the body is all there.

    The values read here are kept for the accessors of the message.
    """
    headers = message.headers
    keys, lines, cache = headers._keys, headers._lines, headers._cache
    fields = dict(zip(keys, lines, strict=True))
    if not fields.keys() >= _MANDATORY.keys():
        missing = ", ".join(name for key, name in _MANDATORY.items() if key not in fields)
        raise _answerable(message, _fault(f"no {missing}", f"Missing {missing} Header Field"))
    if len(fields) < len(keys):
        for key, name in _SINGLE.items():
            if keys.count(key) > 1:
                raise _answerable(message, _fault(f"several {name}", f"Several {name} Header Fields"))
    _measure(message, fields.get("content-length"), limits)
    for key, parse in _PARSED:
        line = fields[key]
        try:
            cache[key] = parse(line[line.index(":") + 1 :])
        except ParseError as error:
            raise message.malformed(_MANDATORY[key], str(error)) from None
    message.via, message.call_id  # noqa: B018
    if isinstance(message, Request):
        if message.cseq.method != message.method:
            raise message.malformed("CSeq", f"for {message.cseq.method} in a request to {message.method}")
        if "max-forwards" in fields:
            hops = _HOPS.get(field_value(fields["max-forwards"]))
            cache["max-forwards"] = message.max_forwards if hops is None else hops


def _fault(why: str, phrase: str | None = None, status: int = 400) -> ParseError:
    return ParseError(why, status=status, phrase=phrase)


def _measure(message: Request | Response, line: str | None, limits: Limits) -> None:
    """Cut the body to the Content-Length in `line`."""
    body = message.body
    size = len(body)
    if line is None:
        message._unmeasured = body
    elif field_value(line) != str(size) or message.headers._keys.count("content-length") > 1:
        lengths = set(message.headers.getlist("content-length"))
        text = lengths.pop()
        if lengths or _LENGTH.fullmatch(text) is None or int(text) > size:
            shown = ", ".join(sorted({text, *lengths}))
            raise _answerable(
                message, _fault(f"Content-Length {shown}, body {size} bytes", "Wrong Content-Length")
            )
        size = int(text)
        message.body = body[:size]
    if size > limits.body:
        raise _answerable(message, _fault(f"a body of more than {limits.body} bytes", status=413))


# --- irregular messages -----------------------------------------------------------------------------------------------


def _untangle(data: bytes) -> tuple[str, list[str], list[str], bytes, ParseError | None]:
    """Start line, keys, fields, body and the first fault of a message that is not plain CRLF and "name: value".

    A folded field is one entry; fields that are none are left out.
    """
    problem = None
    end = _HEAD_END.search(data)
    if end is None:
        problem = _fault("no empty line behind the header fields", "Missing Empty Line")
        raw, body = data, b""
    else:
        raw, body = data[: end.start()], data[end.end() :]
    start, *rest = _LINE_END.split(raw.decode("utf-8", "surrogateescape").rstrip("\r\n"), 1)
    lines = _FIELD_END.split(rest[0]) if rest else []
    keys: list[str] = []
    fields: list[str] = []
    for line in lines:
        if _is_field(line):
            keys.append(KEYS[line[: line.index(":")]])
            fields.append(_LINE_END.sub("\r\n", line) if "\n" in line else line)
        else:
            problem = problem or _fault(
                f"not a header field: {grammar.excerpt(line)}", "Malformed Header Field"
            )
    return start, keys, fields, body, problem


def _is_field(line: str) -> bool:
    try:
        KEYS[line[: line.index(":")]]
    except ValueError:
        return False
    return "\r" not in line.replace("\r\n", "")


def _beyond(start: str, lines: list[str], limits: Limits) -> ParseError | None:
    """What is too long or too much in the head."""
    if _size(start) > limits.line:
        return _fault(f"a request line of more than {limits.line} bytes", status=414)
    if len(lines) > limits.headers:
        return _fault(f"more than {limits.headers} header fields", "Too Many Header Fields")
    if any(_size(line) > limits.line for line in lines):
        return _fault(f"a header field of more than {limits.line} bytes", "Header Field Too Long")
    return None


def _size(line: str) -> int:
    return len(line.encode("utf-8", "surrogateescape"))


def _too_large(data: bytes, limits: Limits) -> ParseError:
    """The error for a message beyond all bounds; no more of it than the permitted size is looked at."""
    problem = _fault(f"a message of {len(data)} bytes, more than {limits.message}", status=513)
    whole_lines = data[: limits.message].rpartition(b"\n")[0]
    start, keys, fields, _, _ = _untangle(whole_lines)
    try:
        message, _ = _message(start, Headers._of(keys, fields), b"")
    except ParseError:
        return ParseError(str(problem))
    return _answerable(message, problem)


def _answerable(message: Request | Response, problem: ParseError) -> ParseError:
    """`problem` with what is needed to answer it; without a status if it cannot or must not be answered.

    The answer needs at least a Via to find its way and a CSeq to be recognised. Of a field that is there several times
    the first is echoed, and nothing that is too long.
    """
    headers = message.headers
    if isinstance(message, Response) or message.method == "ACK":
        return ParseError(str(problem))
    keys: list[str] = []
    lines: list[str] = []
    for key, line in zip(headers._keys, headers._lines, strict=True):
        if key in _MANDATORY and (key == "via" or key not in keys) and len(line) <= LIMITS.line:
            keys.append(key)
            lines.append(line)
    if "via" not in keys or "cseq" not in keys:
        return ParseError(str(problem))
    message.headers = Headers._of(keys, lines)
    return ParseError(str(problem), status=problem.status, phrase=problem.phrase, request=message)
