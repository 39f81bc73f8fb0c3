"""Requests and responses.

They are the library's own (:class:`sipmessage.Request`, :class:`sipmessage.Response`) on another footing: header
fields stay the text they are until someone asks, an answer once given is kept until the field changes, and what is
not touched goes out as it came in.

A header field that turns out to be malformed raises :class:`ParseError` from its accessor, ready to be answered: with
status 400 and the request in it, or without a status for responses and ACK, which get no answer.
"""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Iterable, Mapping
from typing import Self

import sipmessage

from . import grammar
from .auth import AuthChallenge, AuthCredentials, AuthParameters
from .errors import InvalidHeaderError, ParseError
from .extensions import (
    MAX_SECONDS,
    Event,
    RAck,
    Reason,
    Replaces,
    RetryAfter,
    SessionExpires,
    SubscriptionState,
    parse_seconds,
)
from .fields import each, many, number, one, optional_list, plain, required, tokens
from .headers import Headers, field_value
from .status import reason_phrase
from .uri import URI
from .values import Address, CSeq, MediaType, Via

Fields = Headers | Mapping[str, str] | Iterable[tuple[str, str]]

METHODS = frozenset({"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH",
                     "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"})  # fmt: skip
"The methods of SIP and its extensions."

DIALOG_METHODS = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})
"Methods whose responses may set up a dialog, and so carry Record-Route back."


def _read_contacts(value: str) -> list[Address]:
    return [] if value == "*" else Address.parse_many(value)


def _read_accept(value: str) -> list[MediaType]:
    return MediaType.parse_many(value) if value else []


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _read_call_id(value: str) -> str:
    if not value:
        raise ParseError("empty")
    if _CONTROL.search(value):
        raise ParseError("control characters")  # it goes into every message of the dialog
    return value


def _read_min_se(value: str) -> int:
    return parse_seconds(value.partition(";")[0])


def _read_date(value: str) -> datetime.datetime:
    try:
        return email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ParseError(f"not a date: {grammar.excerpt(value)}") from None


def _write_date(value: datetime.datetime) -> str:
    return email.utils.format_datetime(value.astimezone(datetime.UTC), usegmt=True)


class Message(sipmessage.Message):
    """What requests and responses have in common. Lists that accessors return are copies: assign to change."""

    headers: Headers
    "The header fields as text."

    body: bytes
    "The body. Content-Length follows it by itself when the message is written."

    _unmeasured: bytes | None = None  # the body of a message that came without Content-Length

    @staticmethod
    def parse(data: bytes | str) -> Request | Response:
        """The message in `data`. Raises :class:`ParseError`; see :func:`parse_message`, which knows keep-alives too."""
        from .codec import parse_message

        message = parse_message(data)
        if message is None:
            raise ParseError("a keep-alive, not a message")
        return message

    def malformed(self, name: str, why: str) -> ParseError:
        """The error to raise when the header field called `name` is wrong: 400 if this can be answered."""
        return ParseError(f"{name}: {why}")

    # Mandatory (:rfc:`3261#section-8.1.1`)
    via: list[Via] = many("Via", Via.parse_many)  # type: ignore[assignment]
    from_address: Address = required("From", Address.parse)
    to_address: Address = required("To", Address.parse)
    call_id: str = required("Call-ID", _read_call_id)
    cseq: CSeq = required("CSeq", CSeq.parse)
    max_forwards: int | None = number("Max-Forwards", 255)

    # Addresses and routes
    contact: list[Address] = many("Contact", _read_contacts)  # type: ignore[assignment]
    route: list[Address] = many("Route", Address.parse_many)  # type: ignore[assignment]
    record_route: list[Address] = many("Record-Route", Address.parse_many)  # type: ignore[assignment]
    path: list[Address] = many("Path", Address.parse_many)
    service_route: list[Address] = many("Service-Route", Address.parse_many)
    reply_to: Address | None = one("Reply-To", Address.parse)
    p_asserted_identity: list[Address] = many("P-Asserted-Identity", Address.parse_many)
    p_preferred_identity: list[Address] = many("P-Preferred-Identity", Address.parse_many)
    remote_party_id: list[Address] = many("Remote-Party-ID", Address.parse_many)
    diversion: list[Address] = many("Diversion", Address.parse_many)
    history_info: list[Address] = many("History-Info", Address.parse_many)

    # Body
    content_type: MediaType | None = one("Content-Type", MediaType.parse)
    content_length: int | None = number("Content-Length", 2**31 - 1)
    content_disposition: str | None = plain("Content-Disposition")
    content_encoding: list[str] = tokens("Content-Encoding")
    content_language: str | None = plain("Content-Language")
    mime_version: str | None = plain("MIME-Version")
    accept: list[MediaType] | None = optional_list("Accept", _read_accept)  # type: ignore[assignment]
    accept_encoding: list[str] = tokens("Accept-Encoding")
    accept_language: list[str] = tokens("Accept-Language")

    # Capabilities
    allow: list[str] = tokens("Allow")
    allow_events: list[str] = tokens("Allow-Events")
    supported: list[str] = tokens("Supported")
    require: list[str] = tokens("Require")
    proxy_require: list[str] = tokens("Proxy-Require")
    unsupported: list[str] = tokens("Unsupported")
    recv_info: list[str] = tokens("Recv-Info")
    info_package: str | None = plain("Info-Package")
    user_agent: str | None = plain("User-Agent")
    server: str | None = plain("Server")

    # Time
    expires: int | None = number("Expires", MAX_SECONDS)
    min_expires: int | None = number("Min-Expires", MAX_SECONDS)
    session_expires: SessionExpires | None = one("Session-Expires", SessionExpires.parse)
    min_se: int | None = one("Min-SE", _read_min_se)
    retry_after: RetryAfter | None = one("Retry-After", RetryAfter.parse)
    flow_timer: int | None = number("Flow-Timer", MAX_SECONDS)
    timestamp: str | None = plain("Timestamp")
    date: datetime.datetime | None = one("Date", _read_date, _write_date)

    # Authentication
    www_authenticate_all: list[AuthChallenge] = many("WWW-Authenticate", AuthChallenge.parse_many)
    proxy_authenticate_all: list[AuthChallenge] = many("Proxy-Authenticate", AuthChallenge.parse_many)
    authorization_all: list[AuthCredentials] = each("Authorization", AuthCredentials.parse)
    proxy_authorization_all: list[AuthCredentials] = each("Proxy-Authorization", AuthCredentials.parse)
    authentication_info: AuthParameters | None = one("Authentication-Info", AuthParameters.parse)
    proxy_authentication_info: AuthParameters | None = one("Proxy-Authentication-Info", AuthParameters.parse)

    # Transfer, events, 100rel
    refer_to: Address | None = one("Refer-To", Address.parse)
    refer_sub: str | None = plain("Refer-Sub")
    referred_by: Address | None = one("Referred-By", Address.parse)
    replaces: Replaces | None = one("Replaces", Replaces.parse)
    event: Event | None = one("Event", Event.parse)
    subscription_state: SubscriptionState | None = one("Subscription-State", SubscriptionState.parse)
    sip_etag: str | None = plain("SIP-ETag")
    sip_if_match: str | None = plain("SIP-If-Match")
    rseq: int | None = number("RSeq", 2**32 - 1)
    rack: RAck | None = one("RAck", RAck.parse)
    reasons: list[Reason] = many("Reason", Reason.parse_many)

    # For people
    subject: str | None = plain("Subject")
    organization: str | None = plain("Organization")
    priority: str | None = plain("Priority")
    privacy: str | None = plain("Privacy")
    alert_info: list[str] = tokens("Alert-Info")
    call_info: list[str] = tokens("Call-Info")
    error_info: list[str] = tokens("Error-Info")
    warning: list[str] = tokens("Warning")
    in_reply_to: list[str] = tokens("In-Reply-To")

    @property  # type: ignore[override]
    def www_authenticate(self) -> AuthChallenge | None:
        """The first challenge in WWW-Authenticate; assigning makes it the only one."""
        return next(iter(self.www_authenticate_all), None)

    @www_authenticate.setter
    def www_authenticate(self, value: AuthChallenge | None) -> None:
        self.www_authenticate_all = [] if value is None else [value]

    @property  # type: ignore[override]
    def proxy_authenticate(self) -> AuthChallenge | None:
        """The first challenge in Proxy-Authenticate; assigning makes it the only one."""
        return next(iter(self.proxy_authenticate_all), None)

    @proxy_authenticate.setter
    def proxy_authenticate(self, value: AuthChallenge | None) -> None:
        self.proxy_authenticate_all = [] if value is None else [value]

    @property  # type: ignore[override]
    def authorization(self) -> AuthCredentials | None:
        """The first credentials in Authorization; assigning makes them the only ones."""
        return next(iter(self.authorization_all), None)

    @authorization.setter
    def authorization(self, value: AuthCredentials | None) -> None:
        self.authorization_all = [] if value is None else [value]

    @property  # type: ignore[override]
    def proxy_authorization(self) -> AuthCredentials | None:
        """The first credentials in Proxy-Authorization; assigning makes them the only ones."""
        return next(iter(self.proxy_authorization_all), None)

    @proxy_authorization.setter
    def proxy_authorization(self, value: AuthCredentials | None) -> None:
        self.proxy_authorization_all = [] if value is None else [value]

    @property
    def contact_is_star(self) -> bool:
        """Whether Contact is ``*``, all bindings (:rfc:`3261#section-10.2.2`), which is not in `contact`."""
        return "*" in self.headers.getlist("Contact")

    @property
    def from_tag(self) -> str | None:
        """The tag in From."""
        return self.from_address.tag

    @property
    def to_tag(self) -> str | None:
        """The tag in To."""
        return self.to_address.tag

    @property
    def branch(self) -> str | None:
        """The branch of the topmost Via; None when there is no Via or no branch."""
        via = self.via
        return via[0].branch if via else None

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 in it shows as U+FFFD."""
        return self.body.decode("utf-8", "replace")

    # --- the wire ---

    def start_line(self) -> str:
        """The first line, without its end."""
        raise NotImplementedError

    def _head(self) -> str:
        headers = self.headers
        lines = headers._lines
        body = self.body
        start = self.start_line()
        if not start.isprintable():
            grammar.check_text("start line", start)
        if "content-length" in headers._keys:
            lines = self._measured(lines, headers._keys)
        elif body is not self._unmeasured:
            lines = [*lines, f"Content-Length: {len(body)}"]
        return "\r\n".join((start, *lines, "", ""))

    def _measured(self, lines: list[str], keys: list[str]) -> list[str]:
        """`lines` with Content-Length put right if it is wrong."""
        size = str(len(self.body))
        at = keys.index("content-length")
        if lines[at].endswith(size) and field_value(lines[at]) == size:
            return lines
        try:
            if int(field_value(lines[at])) == len(self.body):
                return lines
        except ValueError:
            pass
        return [
            f"{line[: line.index(':')]}: {size}" if key == "content-length" else line
            for key, line in zip(keys, lines, strict=True)
        ]

    def __bytes__(self) -> bytes:
        return self._head().encode("utf-8", "surrogateescape") + self.body

    def __str__(self) -> str:
        return self._head() + self.body.decode("utf-8", "surrogateescape")

    def frame(self) -> str | bytes:
        """What to put into a WebSocket message (:rfc:`7118#section-5`): text, or bytes where it is not all UTF-8."""
        head = self._head()
        try:
            if not head.isascii():
                head.encode()  # what came as other than UTF-8 cannot be
            return head + self.body.decode()
        except UnicodeError:
            return head.encode("utf-8", "surrogateescape") + self.body

    def copy(self) -> Self:
        """An independent copy."""
        copy = self.__class__.__new__(self.__class__)
        copy.__dict__.update(self.__dict__)
        copy.headers = self.headers.copy()
        return copy

    def __repr__(self) -> str:
        return f"<{self.__class__.__name__} {self.start_line()!r}>"


class Request(Message, sipmessage.Request):  # type: ignore[misc]
    """A SIP request. Raises :class:`InvalidHeaderError` for a method that is no token."""

    method: str
    uri: URI

    def __init__(
        self, method: str, uri: sipmessage.URI, body: bytes = b"", headers: Fields | None = None
    ) -> None:
        if method not in METHODS:
            grammar.check_token("method", method)
        self.method = method
        self.uri = uri if isinstance(uri, URI) else URI.parse(str(uri))
        self.body = body
        self.headers = _fields(headers)

    def start_line(self) -> str:
        """The request line, without its end."""
        return f"{self.method} {self.uri} SIP/2.0"

    def malformed(self, name: str, why: str) -> ParseError:
        """See :meth:`Message.malformed`. An ACK is never answered (:rfc:`3261#section-17`)."""
        if self.method == "ACK":
            return super().malformed(name, why)
        return ParseError(f"{name}: {why}", status=400, phrase=f"Malformed {name} Header Field", request=self)


class Response(Message, sipmessage.Response):  # type: ignore[misc]
    """A SIP response. Raises :class:`InvalidHeaderError` for a code that is not 100 to 699."""

    code: int
    phrase: str

    def __init__(
        self, code: int, phrase: str | None = None, body: bytes = b"", headers: Fields | None = None
    ) -> None:
        if not 100 <= code <= 699:
            raise InvalidHeaderError(f"not a status code: {code!r}")
        self.code = code
        self.phrase = reason_phrase(code) if phrase is None else phrase
        if not self.phrase.isprintable():
            grammar.check_text("reason phrase", self.phrase)
        self.body = body
        self.headers = _fields(headers)

    def start_line(self) -> str:
        """The status line, without its end."""
        return f"SIP/2.0 {self.code} {self.phrase}"


def _fields(fields: Fields | None) -> Headers:
    if isinstance(fields, Headers):
        return fields
    return Headers(fields.items() if isinstance(fields, Mapping) else fields or ())


# --- responses --------------------------------------------------------------------------------------------------------

_ECHOED = frozenset({"via", "from", "to", "call-id", "cseq"})
_ECHOED_IN_100 = _ECHOED | {"timestamp"}
_ECHOED_IN_DIALOG = _ECHOED | {"record-route"}


def make_response(
    request: Request,
    code: int,
    phrase: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Fields = (),
    body: bytes = b"",
    content_type: str | MediaType | None = None,
) -> Response:
    """A response to `request` (:rfc:`3261#section-8.2.6`).

    Via, From, To, Call-ID and CSeq are the request's to the letter; `to_tag` is put on To unless it has a tag or the
    response is a 100. A 100 gets the Timestamp, a 101 to 299 that may set up a dialog the Record-Route
    (:rfc:`3261#section-12.1.1`). `headers` come behind those. Works with requests that are only half readable, such
    as the one in a :class:`ParseError`.
    """
    if code == 100:
        wanted = _ECHOED_IN_100
    elif code < 300 and request.method in DIALOG_METHODS and _tag(request) is None:
        wanted = _ECHOED_IN_DIALOG
    else:
        wanted = _ECHOED
    keys: list[str] = []
    lines: list[str] = []
    source = request.headers
    for key, line in zip(source._keys, source._lines, strict=True):
        if key in wanted:
            keys.append(key)
            lines.append(line)
    response_headers = Headers._of(keys, lines)
    response_headers._cache = {key: value for key, value in source._cache.items() if key in wanted}
    if to_tag is not None and code > 100 and "to" in keys and _tag(request) is None:
        grammar.check_token("tag", to_tag)
        lines[keys.index("to")] += f";tag={to_tag}"
        response_headers._cache.pop("to", None)
    response = Response(code, phrase, body, response_headers)
    if content_type is not None:
        response_headers.add("Content-Type", str(content_type))
    for name, value in headers.items() if isinstance(headers, Headers | Mapping) else headers:
        response_headers.add(name, value)
    return response


def _tag(request: Request) -> str | None:
    """The To tag; of a To that cannot be read, something that is not None, for then nothing must be added to it."""
    try:
        return request.to_tag
    except ParseError:
        return ""
