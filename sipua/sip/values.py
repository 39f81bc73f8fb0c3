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
from .lazy import Frozen, lazy
from .parameters import Parameters
from .uri import URI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

_WS = grammar.WS
_END = rf"({grammar.PARAMETERS}){_WS}(?:,|$)"

_ADDRESS = re.compile(
    rf'{_WS}(?:(?:({grammar.QUOTED}){_WS}|([^"<>,;]*+))<({grammar.URI})>|([^ \t;,<>"?]++)){_END}', re.DOTALL
)
_VIA = re.compile(
    rf"{_WS}[Ss][Ii][Pp]{_WS}/{_WS}2\.0{_WS}/{_WS}({grammar.TOKEN})[ \t]++"
    rf"({grammar.HOST})(?:{_WS}:{_WS}({grammar.PORT}))?{_END}",
    re.DOTALL,
)
_MEDIA_TYPE = re.compile(rf"{_WS}({grammar.TOKEN}){_WS}/{_WS}({grammar.TOKEN}){_END}", re.DOTALL)
_CSEQ = re.compile(rf"0{{0,99}}([0-9]{{1,10}})[ \t]++({grammar.TOKEN})")
_BRANCH = re.compile(r";[ \t]*+branch[ \t]*+=[ \t]*+([^ \t;,]*+)", re.IGNORECASE)
_HOST = re.compile(grammar.HOST)

_NO_PARAMETERS = Parameters()

DEFAULT_EXPIRES = 3600
"Seconds that a malformed expiry stands for (:rfc:`3261#section-20.10`)."

MAX_SECONDS = 2**32 - 1
"The largest delta-seconds value."


class Value(Frozen):
    """What comma-separated values with parameters have in common."""

    _text: str
    _pattern: re.Pattern[str]
    _what: str

    @classmethod
    def _build(cls, match: re.Match[str]) -> Self:
        raise NotImplementedError

    @classmethod
    def parse(cls, value: str) -> Self:
        """The one value in `value`. Raises :class:`ParseError`."""
        values = cls.parse_many(value)
        if len(values) != 1:
            raise ParseError(f"not one {cls._what}: {value!r}")
        return values[0]

    @classmethod
    def parse_many(cls, value: str) -> list[Self]:
        """The values in a comma-separated list. Raises :class:`ParseError`."""
        if "\n" in value:
            value = grammar.unfold(value)
        match = cls._pattern.match(value)
        if match is not None and match.end() == len(value) and value[-1:] != ",":
            one = cls._build(match)
            one.__dict__["_text"] = value.strip(" \t")
            return [one]
        return cls._parse_list(value)

    @classmethod
    def _parse_list(cls, value: str) -> list[Self]:
        values: list[Self] = []
        position, end = 0, len(value)
        while position <= end:
            match = cls._pattern.match(value, position)
            if match is None:
                raise ParseError(f"not a valid {cls._what}: {value!r}")
            one = cls._build(match)
            stop = match.end()
            more = value[stop - 1 : stop] == ","
            one.__dict__["_text"] = value[position : stop - more].strip(" \t")
            values.append(one)
            if not more:
                break
            position = stop
        return values

    @lazy
    def parameters(self: Any) -> Parameters:
        """The parameters behind the value."""
        text = self._parameters
        parameters: Parameters = Parameters._of(text) if text else _NO_PARAMETERS
        return parameters

    def __str__(self) -> str:
        return self._text


class Address(Value, sipmessage.Address):  # type: ignore[misc]
    """A name and a URI with parameters: From, To, Contact, Route, Refer-To… (:rfc:`3261#section-20.10`)."""

    uri: URI  # type: ignore[assignment]
    "The URI."

    name: str
    "The display name, without quotes."

    parameters: Parameters  # type: ignore[assignment]
    "The parameters of the header field, such as ``tag`` (not those inside the URI)."

    _pattern = _ADDRESS
    _what = "address"

    def __init__(
        self, uri: sipmessage.URI, name: str = "", parameters: Mapping[str, str | None] | None = None
    ) -> None:
        grammar.check_text("display name", name)
        d = self.__dict__
        d["uri"] = uri if isinstance(uri, URI) else URI.parse(str(uri))
        d["name"] = name
        d["parameters"] = coerce(parameters)

    @classmethod
    def _build(cls, match: re.Match[str]) -> Self:
        quoted, name, uri, bare, parameters = match.groups()
        self = cls.__new__(cls)
        d = self.__dict__
        d["_name"] = quoted or name
        d["_parameters"] = parameters
        if bare is None:
            d["_uri"] = uri
        else:
            d["uri"] = URI.parse(bare)
        return self

    @lazy
    def uri(self: Any) -> URI:  # type: ignore[no-redef]
        """The URI."""
        return URI.parse(self._uri)

    @lazy
    def name(self: Any) -> str:  # type: ignore[no-redef]
        """The display name, without quotes."""
        raw = self._name
        return grammar.readable(grammar.unquote(raw.strip(" \t"))) if raw else ""

    @lazy
    def _text(self: Any) -> str:  # type: ignore[override]
        name = grammar.quote(self.name) + " " if self.name else ""
        return f"{name}<{self.uri}>{self.parameters}"

    @lazy
    def tag(self: Any) -> str | None:
        """The ``tag`` parameter."""
        text: str | None = self.__dict__.get("_parameters")
        if text is not None:
            if not text:
                return None
            if text.startswith(";tag=") and text.find(";", 5) < 0 and '"' not in text:
                return text[5:].rstrip(" \t")
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
        try:
            return min(max(float(self.parameters.get("q", "1")), 0.0), 1.0)
        except (TypeError, ValueError):
            return 1.0

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

    def __repr__(self) -> str:
        return f"Address({self._text!r})"


NameAddr = Address


class Via(Value, sipmessage.Via):  # type: ignore[misc]
    """One hop that a request took and its response takes back (:rfc:`3261#section-20.42`)."""

    transport: str
    'The transport, as written: ``"WS"``, ``"WSS"``, ``"UDP"``…'

    host: str
    "The host of sent-by."

    port: int | None
    "The port of sent-by."

    parameters: Parameters  # type: ignore[assignment]
    "``branch``, ``received``, ``rport``…"

    _pattern = _VIA
    _what = "Via"

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
        d = self.__dict__
        d["transport"] = transport
        d["host"] = host
        d["port"] = port
        d["parameters"] = coerce(parameters)

    @classmethod
    def _build(cls, match: re.Match[str]) -> Self:
        self = cls.__new__(cls)
        d = self.__dict__
        d["transport"], d["host"], port, d["_parameters"] = match.groups()
        d["port"] = None if port is None else int(port)
        return self

    @lazy
    def branch(self: Any) -> str | None:
        """The ``branch`` parameter."""
        text: str | None = self.__dict__.get("_parameters")
        if text is not None and '"' not in text:
            match = _BRANCH.search(text)
            return match and match[1]
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

    @lazy
    def _text(self: Any) -> str:  # type: ignore[override]
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

    def __repr__(self) -> str:
        return f"Via({self._text!r})"


class MediaType(Value, sipmessage.MediaType):  # type: ignore[misc]
    """A media type or range with its parameters (:rfc:`3261#section-20.15`)."""

    mime_type: str
    'Type and subtype in lower case: ``"application/sdp"``.'

    parameters: Parameters  # type: ignore[assignment]
    "``charset``, ``boundary``, ``q``…"

    _pattern = _MEDIA_TYPE
    _what = "media type"

    def __init__(self, mime_type: str, parameters: Mapping[str, str | None] | None = None) -> None:
        for part in mime_type.split("/", 1) if "/" in mime_type else ("",):
            grammar.check_token("media type", part)
        d = self.__dict__
        d["mime_type"] = mime_type.lower()
        d["_text"] = f"{mime_type}{parameters or ''}"
        d["parameters"] = coerce(parameters)

    @classmethod
    def _build(cls, match: re.Match[str]) -> Self:
        self = cls.__new__(cls)
        d = self.__dict__
        main, sub, d["_parameters"] = match.groups()
        d["mime_type"] = f"{main}/{sub}".lower()
        return self

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

    def __repr__(self) -> str:
        return f"MediaType({self._text!r})"


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
        match = _CSEQ.fullmatch(value)
        if match is None and (match := _CSEQ.fullmatch(grammar.unfold(value))) is None:
            raise ParseError(f"not a valid CSeq: {value!r}")
        sequence = int(match[1])
        if sequence >= 2**31:
            raise ParseError(f"CSeq number too large: {value!r}")
        self = cls.__new__(cls)
        d = self.__dict__
        d["sequence"] = sequence
        d["method"] = match[2]
        d["_text"] = value
        return self

    @lazy
    def _text(self: Any) -> str:
        return f"{self.sequence} {self.method}"

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


def coerce(parameters: Mapping[str, str | None] | None) -> Parameters:
    """`parameters` as header parameters."""
    if not parameters:
        return _NO_PARAMETERS
    return parameters if type(parameters) is Parameters else Parameters(parameters)
