"""From bytes to messages, and what to answer when that fails.

`parse_message` makes a message of one WebSocket message (or datagram). A well-formed one goes straight through; whatever
is odd about the others (leading line ends, bare LF, folded lines) is sorted out in `_untangle`, which only they see.
Then `_check` looks at what every element has to understand. The rest is checked when it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import grammar
from .errors import ParseError
from .headers import KEYS, Headers, received_key
from .message import METHODS, Request, Response
from .uri import URI


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

_STATUS_LINE = re.compile(r"[Ss][Ii][Pp]/2\.0 ([1-6][0-9]{2})(?: (.*+))?", re.DOTALL)
_VERSION = re.compile(r"[Ss][Ii][Pp]/([0-9]++\.[0-9]++)")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(r"\r?\n")
_LENGTH = re.compile(r"[0-9]{1,10}")

# Exactly one of each (:rfc:`3261#section-8.1.1`, :rfc:`4475#section-3.3.8`); of Max-Forwards one at most.
_MANDATORY = {"from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}
_ECHOED = frozenset({"via", *_MANDATORY})


def parse_message(data: bytes | str, *, limits: Limits = LIMITS) -> Request | Response | None:
    """The message in `data`; None for a keep-alive, which is nothing but line ends (:rfc:`5626#section-3.5.1`).

    Octets beyond Content-Length are dropped (:rfc:`3261#section-18.3`). Raises :class:`ParseError`: its `status` is
    what to answer, and `request` what to, or None when there is nothing to answer.
    """
    if isinstance(data, str):
        try:
            data = data.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise ParseError("text that cannot be encoded") from None
    if data[:1] in (b"\r", b"\n", b""):
        data = data.lstrip(b"\r\n")
        if not data:
            return None
    if len(data) > limits.message:
        raise _too_large(data, limits)
    raw, blank, body = data.partition(b"\r\n\r\n")
    head = raw.decode("utf-8", "surrogateescape")
    lines = head.split("\r\n")
    ends = len(lines) - 1
    problem: ParseError | None = None
    if not (
        blank and head.count("\n") == ends == head.count("\r") and "\n " not in head and "\n\t" not in head
    ):
        lines, body, problem = _untangle(data)
    start = lines[0]
    del lines[0]
    try:
        # The spellings that are met are all in KEYS; other names get a closer look.
        keys = [KEYS.get(name := line[: line.index(":")]) or received_key(name) for line in lines]
    except ValueError:
        keys, lines, problem = _index(lines)
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
        return request, ParseError(str(error), status=400)
    if request.uri.headers:  # they could be a Route of the sender's choice (:rfc:`4475#section-3.1.2.11`)
        return request, ParseError(f"header fields in the Request-URI: {target!r}", status=400)
    return request, None


def _odd_request(start: str, headers: Headers, body: bytes) -> tuple[Request, ParseError | None]:
    """A request line with spaces where none belong, in lower case, or of another version."""
    words = start.split()
    version = _VERSION.fullmatch(words[-1]) if len(words) > 1 else None
    if version is None or not grammar.is_token(words[0]):
        raise ParseError(f"neither a request nor a response: {start[:80]!r}")
    request, problem = _request(words[0], " ".join(words[1:-1]), headers, body)
    if version[1] != "2.0":
        problem = ParseError(f"a version of SIP other than 2.0: {words[-1]!r}", status=505)
    elif start != " ".join(words):
        problem = ParseError(f"spaces where none belong: {start[:80]!r}", status=400)
    return request, problem


# --- what every message needs -----------------------------------------------------------------------------------------


def _check(message: Request | Response, limits: Limits) -> None:
    """Raise :class:`ParseError` unless the mandatory fields are there, once, and readable, and the body is all there."""
    keys = message.headers._keys
    for key, name in _MANDATORY.items():
        if (count := keys.count(key)) != 1:
            raise _answerable(message, ParseError(f"{count} {name} header fields", status=400))
    _measure(message, limits)
    if not message.via:
        raise _answerable(message, ParseError("no Via header field", status=400))
    cseq, _, _, _ = message.cseq, message.from_address, message.to_address, message.call_id
    if isinstance(message, Request):
        if cseq.method != message.method:
            raise message.malformed(f"CSeq is for {cseq.method}, the request is {message.method}")
        if message.max_forwards is not None and keys.count("max-forwards") > 1:
            raise _answerable(message, ParseError("several Max-Forwards header fields", status=400))


def _measure(message: Request | Response, limits: Limits) -> None:
    """Cut the body to Content-Length."""
    headers = message.headers
    body = message.body
    count = headers._keys.count("content-length")
    if count == 0:
        message._unmeasured = body
    else:
        lengths = (
            set(headers.getlist("content-length")) if count > 1 else (headers.get("content-length", ""),)
        )
        text = next(iter(lengths))
        if len(lengths) > 1 or _LENGTH.fullmatch(text) is None or (length := int(text)) > len(body):
            shown = ", ".join(sorted(lengths))
            raise _answerable(
                message, ParseError(f"Content-Length {shown}, body {len(body)} bytes", status=400)
            )
        if length < len(body):
            message.body = body[:length]
    if len(message.body) > limits.body:
        raise _answerable(message, ParseError(f"a body of more than {limits.body} bytes", status=413))


# --- irregular messages -----------------------------------------------------------------------------------------------


def _untangle(data: bytes) -> tuple[list[str], bytes, ParseError | None]:
    """The lines of the head, folded fields one entry each, and the body, of a message that is not plain CRLF."""
    problem = None
    end = _HEAD_END.search(data)
    if end is None:
        problem = ParseError("no empty line behind the header", status=400)
        raw, body = data, b""
    else:
        raw, body = data[: end.start()], data[end.end() :]
    lines: list[str] = []
    for line in _LINE_END.split(raw.decode("utf-8", "surrogateescape").rstrip("\r\n")):
        if "\r" in line:
            problem = ParseError("a carriage return within a line", status=400)
        elif line[:1] in (" ", "\t") and len(lines) > 1:
            lines[-1] += "\r\n" + line
        else:
            lines.append(line)
    return lines or [""], body, problem


def _index(lines: list[str]) -> tuple[list[str], list[str], ParseError | None]:
    """Keys and lines of those fields that are fields, when not all are."""
    keys: list[str] = []
    good: list[str] = []
    problem = None
    for line in lines:
        try:
            keys.append(received_key(line[: line.index(":")]))
            good.append(line)
        except ValueError:
            problem = problem or ParseError(f"not a header field: {line[:80]!r}", status=400)
    return keys, good, problem


def _beyond(start: str, lines: list[str], limits: Limits) -> ParseError | None:
    """What is too long or too much in the head."""
    if _size(start) > limits.line:
        return ParseError(f"a request line of more than {limits.line} bytes", status=414)
    if len(lines) > limits.headers:
        return ParseError(
            f"more than {limits.headers} header fields", status=400, phrase="Too Many Header Fields"
        )
    if any(_size(line) > limits.line for line in lines):
        return ParseError(
            f"a header field of more than {limits.line} bytes", status=400, phrase="Header Field Too Long"
        )
    return None


def _size(line: str) -> int:
    return len(line.encode("utf-8", "surrogateescape"))


def _too_large(data: bytes, limits: Limits) -> ParseError:
    """The error for a message beyond all bounds; no more of it than the permitted size is looked at."""
    problem = ParseError(f"a message of {len(data)} bytes, more than {limits.message}", status=513)
    lines, _, _ = _untangle(data[: limits.message])
    keys, fields, _ = _index(lines[1:])
    try:
        message, _ = _message(lines[0], Headers._of(keys, fields), b"")
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
        if key in _ECHOED and (key == "via" or key not in keys) and len(line) <= LIMITS.line:
            keys.append(key)
            lines.append(line)
    if "via" not in keys or "cseq" not in keys:
        return ParseError(str(problem))
    message.headers = Headers._of(keys, lines)
    return ParseError(str(problem), status=problem.status, phrase=problem.phrase, request=message)
