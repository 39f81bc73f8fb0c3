"""The values that every message holds: addresses, Via, CSeq and media types.

Each class is the library's own with a parser that takes what is really sent, and with ``str()`` giving a parsed value
exactly as it came. One pattern per class checks a value completely, so that nothing read later can fail.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sipmessage

from . import grammar
from .errors import InvalidHeaderError, ParseError
from .lazy import Frozen, Recent, lazy
from .parameters import Parameters
from .uri import URI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_WS = grammar.WS

_ADDRESS = (
    rf'{_WS}(?:(?:({grammar.QUOTED}){_WS}|([^"<>,;]*+))<(?:({grammar.SIP_URI})|({grammar.OTHER_URI}))>'
    rf"|({grammar.BARE_URI}))({grammar.PARAMETERS}){_WS}"
)
_URI, _URI_PARTS, _OTHER_URI, _BARE_URI = 3, (3, 4, 5, 6, 7, 8, 9, 10), 11, 12

_VIA = (
    rf"{_WS}[Ss][Ii][Pp]{_WS}/{_WS}2\.0{_WS}/{_WS}({grammar.TOKEN})[ \t]++"
    rf"({grammar.HOST})(?:{_WS}:{_WS}({grammar.PORT}))?({grammar.PARAMETERS}){_WS}"
)
_MEDIA_TYPE = rf"{_WS}({grammar.TOKEN}){_WS}/{_WS}({grammar.TOKEN})({grammar.PARAMETERS}){_WS}"
_CSEQ = re.compile(rf"{_WS}0{{0,99}}([0-9]{{1,10}})[ \t]++({grammar.TOKEN}){_WS}")
_HOST = re.compile(grammar.HOST)
_Q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")

_NO_PARAMETERS = Parameters()

DEFAULT_EXPIRES = 3600
"Seconds that a malformed expiry stands for (:rfc:`3261#section-20.10`)."

MAX_SECONDS = 2**32 - 1
"The largest delta-seconds value."


class Value(Frozen):
    """What comma-separated values with parameters have in common.

    A parsed value holds on to the match that proved it well formed, and is taken apart from there when it is read.
    """

    _what: str
    _whole: re.Pattern[str]
    _last_group: int
    _member: re.Pattern[str]
    _recent: Recent[Self]
    _match: re.Match[str]

    def __init_subclass__(cls, *, what: str, pattern: str) -> None:
        cls._what = what
        cls._recent = Recent()
        cls._whole = re.compile(pattern, re.DOTALL)
        cls._last_group = cls._whole.groups
        cls._member = re.compile(rf"(?:{pattern})(?:,|\Z)", re.DOTALL)

    @classmethod
    def parse(cls, value: str) -> Self:
        """The one value in `value`. Raises :class:`ParseError`."""
        self = cls._recent.get(value)
        if self is None:
            match = cls._whole.fullmatch(value) or cls._whole.fullmatch(grammar.unfold(value))
            if match is None:
                raise ParseError(f"not a valid {cls._what}: {value.strip()!r}")
            self = cls.__new__(cls)
            self.__dict__["_match"] = match
            cls._recent.keep(value, self)
        return self

    @classmethod
    def parse_many(cls, value: str) -> list[Self]:
        """The values in a comma-separated list. Raises :class:`ParseError`."""
        self = cls._recent.get(value)
        if self is None:
            match = cls._whole.fullmatch(value)
            if match is None:
                return cls._parse_list(grammar.unfold(value))
            self = cls.__new__(cls)
            self.__dict__["_match"] = match
            cls._recent.keep(value, self)
        return [self]

    @classmethod
    def _parse_list(cls, value: str) -> list[Self]:
        values: list[Self] = []
        position = 0
        while True:
            match = cls._member.match(value, position)
            if match is None:
                raise ParseError(f"not a valid {cls._what}: {value!r}")
            self = cls.__new__(cls)
            self.__dict__["_match"] = match
            values.append(self)
            position = match.end()
            if value[position - 1] != ",":
                return values

    @lazy
    def _text(self: Value) -> str:
        match: re.Match[str] | None = self.__dict__.get("_match")
        return self._write() if match is None else match[0].strip(" \t").removesuffix(",").rstrip(" \t")

    def _write(self) -> str:
        raise NotImplementedError

    @lazy
    def parameters(self: Any) -> Parameters:
        """The parameters behind the value."""
        text = self._match[self._last_group]
        return Parameters._of(text) if text else _NO_PARAMETERS

    def __str__(self) -> str:
        text: str = self._text
        return text

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self._text!r})"


class Address(Value, sipmessage.Address, what="address", pattern=_ADDRESS):  # type: ignore[misc]
    """A name and a URI with parameters: From, To, Contact, Route, Refer-To… (:rfc:`3261#section-20.10`)."""

    def __init__(
        self, uri: sipmessage.URI, name: str = "", parameters: Mapping[str, str | None] | None = None
    ) -> None:
        grammar.check_text("display name", name)
        d = self.__dict__
        d["uri"] = uri if isinstance(uri, URI) else URI.parse(str(uri))
        d["name"] = name
        d["parameters"] = coerce(parameters)

    @lazy
    def uri(self: Any) -> URI:
        """The URI."""
        match = self._match
        if match[_URI] is not None:
            return URI._of_match(match, _URI_PARTS)
        return URI.parse(match[_OTHER_URI] or match[_BARE_URI])

    @lazy
    def name(self: Any) -> str:
        """The display name, without quotes."""
        quoted, bare = self._match.group(1, 2)
        raw: str = (bare or "").strip(" \t") if quoted is None else quoted[1:-1]
        return raw if raw.isascii() and "\\" not in raw else grammar.readable(grammar.unquote(quoted or raw))

    def _write(self) -> str:
        name = grammar.quote(self.name) + " " if self.name else ""
        return f"{name}<{self.uri}>{self.parameters}"

    @lazy
    def tag(self: Any) -> str | None:
        """The ``tag`` parameter."""
        tag: str | None = self.parameters.get("tag")
        return tag

    @property
    def expires(self) -> int | None:
        """The ``expires`` parameter in seconds, None without one; a malformed one counts as 3600."""
        value = self.parameters.get("expires")
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 10):
            return DEFAULT_EXPIRES
        return min(int(value), MAX_SECONDS)

    @property
    def q(self) -> float:
        """The preference of a contact, 0 to 1; 1 when it is missing or malformed."""
        value = self.parameters.get("q") or ""
        return float(value) if _Q.fullmatch(value) else 1.0

    def replace(
        self,
        *,
        uri: sipmessage.URI | None = None,
        name: str | None = None,
        parameters: Mapping[str, str | None] | None = None,
    ) -> Address:
        """A copy with another URI, name or set of parameters."""
        return Address(
            self.uri if uri is None else uri,
            self.name if name is None else name,
            self.parameters if parameters is None else parameters,
        )

    def with_tag(self, tag: str | None) -> Address:
        """A copy with this tag, or with none."""
        parameters = self.parameters
        return self.replace(
            parameters=parameters.without("tag") if tag is None else parameters.replace(tag=tag)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, sipmessage.Address):
            return NotImplemented
        return self.uri == other.uri and self.name == other.name and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((self.uri, self.name, self.tag))


NameAddr = Address


class Via(Value, sipmessage.Via, what="Via", pattern=_VIA):  # type: ignore[misc]
    """One hop that a request took and its response takes back (:rfc:`3261#section-20.42`)."""

    def __init__(
        self,
        transport: str,
        host: str,
        port: int | None = None,
        parameters: Mapping[str, str | None] | None = None,
    ) -> None:
        grammar.check_token("Via transport", transport)
        if _HOST.fullmatch(host) is None:
            raise InvalidHeaderError(f"not a host: {host!r}")
        if port is not None and not 0 <= port <= 65535:
            raise InvalidHeaderError(f"not a port: {port!r}")
        d = self.__dict__
        d["transport"] = transport
        d["host"] = host
        d["port"] = port
        d["parameters"] = coerce(parameters)

    @lazy
    def transport(self: Any) -> str:
        """The transport, as written: ``WS``, ``WSS``, ``UDP``…"""
        transport: str = self._match[1]
        return transport

    @lazy
    def host(self: Any) -> str:
        """The host of sent-by."""
        host: str = self._match[2]
        return host

    @lazy
    def port(self: Any) -> int | None:
        """The port of sent-by."""
        port = self._match[3]
        return None if port is None else int(port)

    @lazy
    def branch(self: Any) -> str | None:
        """The ``branch`` parameter."""
        branch: str | None = self.parameters.get("branch")
        return branch

    @property
    def received(self) -> str | None:
        """The address that the request came from, without brackets."""
        value: str | None = self.parameters.get("received")
        return value.strip("[]") if value else value

    @property
    def rport(self) -> int | None:
        """The port that the request came from; None too when it was only asked for (:rfc:`3581`)."""
        value = self.parameters.get("rport")
        return int(value) if value and value.isascii() and value.isdigit() and len(value) <= 5 else None

    @property
    def sent_by(self) -> str:
        """Host and port in lower case, for comparison."""
        host = self.host.lower()
        return host if self.port is None else f"{host}:{self.port}"

    def _write(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {self.host}{port}{self.parameters}"

    def replace(self, **changes: Any) -> Via:
        """A copy with `changes` (the constructor's arguments)."""
        parts = {
            "transport": self.transport,
            "host": self.host,
            "port": self.port,
            "parameters": self.parameters,
        }
        return Via(**{**parts, **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, sipmessage.Via):
            return NotImplemented
        return (
            self.transport.upper() == other.transport.upper()
            and self.host.lower() == other.host.lower()
            and self.port == other.port
            and self.parameters == other.parameters
        )

    def __hash__(self) -> int:
        return hash((self.sent_by, self.branch))


class MediaType(Value, sipmessage.MediaType, what="media type", pattern=_MEDIA_TYPE):  # type: ignore[misc]
    """A media type or range with its parameters (:rfc:`3261#section-20.15`)."""

    def __init__(self, mime_type: str, parameters: Mapping[str, str | None] | None = None) -> None:
        for part in mime_type.split("/", 1) if "/" in mime_type else ("",):
            grammar.check_token("media type", part)
        d = self.__dict__
        d["mime_type"] = mime_type.lower()
        d["parameters"] = coerce(parameters)

    @lazy
    def mime_type(self: Any) -> str:
        """Type and subtype in lower case: ``application/sdp``."""
        match = self._match
        return f"{match[1]}/{match[2]}".lower()

    def _write(self) -> str:
        return f"{self.mime_type}{self.parameters}"

    def accepts(self, mime_type: str) -> bool:
        """Whether this media range (``*/*``, ``text/*``, …) takes in `mime_type`."""
        mine, _, sub = self.mime_type.partition("/")
        theirs, _, other = mime_type.lower().partition("/")
        return mine in ("*", theirs) and sub in ("*", other)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, sipmessage.MediaType):
            return NotImplemented
        return self.mime_type == other.mime_type.lower() and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash(self.mime_type)


class CSeq(Frozen, sipmessage.CSeq):
    """Sequence number, below 2**31, and method (:rfc:`3261#section-20.16`)."""

    sequence: int
    "The sequence number."

    method: str
    "The method."

    def __init__(self, sequence: int, method: str) -> None:
        if not 0 <= sequence < 2**31:
            raise InvalidHeaderError(f"not a CSeq number: {sequence!r}")
        grammar.check_token("method", method)
        d = self.__dict__
        d["sequence"] = sequence
        d["method"] = method

    @classmethod
    def parse(cls, value: str) -> CSeq:
        """The CSeq in `value`. Raises :class:`ParseError`."""
        if (known := _recent_cseqs.get(value)) is not None:
            return known
        match = _CSEQ.fullmatch(value) or _CSEQ.fullmatch(grammar.unfold(value))
        if match is None:
            raise ParseError(f"not a valid CSeq: {value!r}")
        sequence = int(match[1])
        if sequence >= 2**31:
            raise ParseError(f"CSeq number too large: {value!r}")
        self = cls.__new__(cls)
        d = self.__dict__
        d["sequence"] = sequence
        d["method"] = match[2]
        d["_match"] = match
        return _recent_cseqs.keep(value, self)

    @lazy
    def _text(self: Any) -> str:
        match = self.__dict__.get("_match")
        return f"{self.sequence} {self.method}" if match is None else match[0].strip(" \t")

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, sipmessage.CSeq):
            return NotImplemented
        return self.sequence == other.sequence and self.method == other.method

    def __hash__(self) -> int:
        return hash((self.sequence, self.method))

    def __repr__(self) -> str:
        return f"CSeq({self.sequence}, {self.method!r})"


_recent_cseqs: Recent[CSeq] = Recent()


def coerce(parameters: Mapping[str, str | None] | None) -> Parameters:
    """`parameters` as header parameters."""
    if not parameters:
        return _NO_PARAMETERS
    return parameters if type(parameters) is Parameters else Parameters(parameters)
