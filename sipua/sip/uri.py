"""URIs: SIP, SIPS and tel taken apart, every other scheme carried along."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sipmessage

from . import grammar
from .errors import InvalidHeaderError, ParseError
from .lazy import Frozen, Recent, lazy
from .parameters import Parameters, URIHeaders, URIParameters

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIP = re.compile(grammar.SIP_URI)
_OTHER = re.compile(rf"([A-Za-z][A-Za-z0-9+.\-]*+):({grammar.URI_TEXT}++)")
_HOST = re.compile(grammar.HOST)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*+")
_VISUAL = str.maketrans("", "", "-.()")
_GLOBAL_NUMBER = re.compile(r"\+[0-9\-.()]*+")

_GROUPS = (0, 1, 2, 3, 4, 5, 6, 7)
_SIP_SCHEMES = ("sip", "sips")
_USER_SAFE = "!*'()&=+$,;?/"
_PASSWORD_SAFE = "!*'()&=+$,"
_NO_PARAMETERS = URIParameters()
_NO_HEADERS = URIHeaders()

# Parameters that have to be in both URIs or in neither (:rfc:`3261#section-19.1.4`).
_DECISIVE = frozenset({"user", "ttl", "method", "maddr", "transport"})

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")


def _normal(text: str | None) -> str | None:
    """Escapes of unreserved characters undone, the others in capitals: equal texts mean equal things."""
    if text is None or "%" not in text:
        return text

    def undo(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else match[0].upper()

    return _ESCAPE.sub(undo, text)


class URI(Frozen, sipmessage.URI):
    """A URI, immutable and hashable (:rfc:`3261#section-19.1`, :rfc:`3966`).

    `scheme` is in lower case. `user`, `password` and the values in `parameters` and `headers` are without percent
    escapes. ``tel:`` has its number in `user` and an empty `host`. Of any other scheme only `scheme` and `opaque`, the
    text behind the colon, are known. ``str()`` gives a parsed URI exactly as it was written.

    The constructor raises :class:`InvalidHeaderError` for parts that cannot stand in a URI.
    """

    _user: str | None
    _password: str | None

    opaque: str | None = None
    "What follows the scheme, for schemes other than sip, sips and tel."

    def __init__(
        self,
        scheme: str,
        host: str = "",
        user: str | None = None,
        password: str | None = None,
        port: int | None = None,
        parameters: Mapping[str, str | None] | None = None,
        headers: Mapping[str, str | None] | None = None,
        *,
        opaque: str | None = None,
    ) -> None:
        scheme = scheme.lower()
        d = self.__dict__
        d["scheme"] = scheme
        d["host"] = host
        d["port"] = port
        d["opaque"] = opaque
        d["_user"] = None if user is None else grammar.percent_encode(user, _USER_SAFE)
        d["_password"] = None if password is None else grammar.percent_encode(password, _PASSWORD_SAFE)
        d["parameters"] = _coerce(URIParameters, parameters, _NO_PARAMETERS)
        d["headers"] = _coerce(URIHeaders, headers, _NO_HEADERS)
        self._check()

    def _check(self) -> None:
        if _SCHEME.fullmatch(self.scheme) is None:
            raise InvalidHeaderError(f"not a URI scheme: {self.scheme!r}")
        if self.scheme in _SIP_SCHEMES:
            if _HOST.fullmatch(self.host) is None:
                raise InvalidHeaderError(f"not a host: {self.host!r}")
            if self.port is not None and not 0 <= self.port <= 65535:
                raise InvalidHeaderError(f"not a port: {self.port!r}")
            if self._user == "" or (self._user is None and self._password is not None):
                raise InvalidHeaderError("the user part of a URI must not be empty")
        elif grammar.URI_TEXT_ONLY.fullmatch(self.__dict__.get("opaque") or self._user or "") is None:
            raise InvalidHeaderError(
                f"nothing behind {self.scheme}: in a URI, or something that cannot be there"
            )

    # --- parsing ---

    @classmethod
    def parse(cls, value: str) -> URI:
        """The URI in `value`, of whatever scheme. Raises :class:`ParseError`."""
        self = _recent.get(value)
        if self is None:
            match = _SIP.fullmatch(value)
            self = cls._parse_other(value) if match is None else cls._of_match(match, _GROUPS)
            _recent.keep(value, self)
        return self

    @classmethod
    def _of_match(cls, match: re.Match[str], groups: tuple[int, ...]) -> URI:
        """From a match of :data:`grammar.SIP_URI`: `groups` are the whole and its seven parts."""
        self = cls.__new__(cls)
        d = self.__dict__
        (
            d["_text"],
            scheme,
            d["_user"],
            d["_password"],
            d["host"],
            port,
            d["_parameters"],
            d["_headers"],
        ) = match.group(*groups)
        d["scheme"] = scheme if scheme in _SIP_SCHEMES else scheme.lower()
        d["port"] = port if port is None else int(port)
        return self

    @classmethod
    def _parse_other(cls, value: str) -> URI:
        match = _OTHER.fullmatch(value)
        scheme = match[1].lower() if match else "sip"
        if match is None or scheme in _SIP_SCHEMES:
            raise ParseError(f"not a valid URI: {grammar.excerpt(value)}")
        return cls._of_other(scheme, match[2], value)

    @classmethod
    def _of_other(cls, scheme: str, rest: str, text: str) -> URI:
        self = cls.__new__(cls)
        d = self.__dict__
        d.update(scheme=scheme, host="", port=None, opaque=None, _user=None, _password=None)
        d.update(_parameters="", _headers=None, _text=text)
        if scheme == "tel":
            number, semicolon, parameters = rest.partition(";")
            d["user"] = d["_user"] = number
            d["_parameters"] = semicolon + parameters
        else:
            d["opaque"] = rest
        return self

    @classmethod
    def unreadable(cls, text: str) -> URI:
        """A stand-in for a Request-URI that cannot be parsed, for the sake of answering the request."""
        return cls._of_other("invalid", text, text)

    # --- parts ---

    @lazy
    def user(self: Any) -> str | None:
        """The user, or the number of a ``tel:`` URI."""
        user: str | None = self._user
        return user if user is None or (user.isascii() and "%" not in user) else grammar.percent_decode(user)

    @lazy
    def password(self: Any) -> str | None:
        """The password, if the user part has one."""
        password: str | None = self._password
        return None if password is None else grammar.percent_decode(password)

    @lazy
    def parameters(self: Any) -> Parameters:
        """The URI's parameters, such as ``transport`` and ``lr``."""
        text = self._parameters
        parameters: Parameters = URIParameters._of(text) if text else _NO_PARAMETERS
        return parameters

    @lazy
    def headers(self: Any) -> Parameters:
        """The header fields for a request formed from this URI, such as ``Replaces``."""
        text = self._headers
        headers: Parameters = URIHeaders._of(text) if text else _NO_HEADERS
        return headers

    @lazy
    def _text(self: URI) -> str:
        if self.opaque is not None:
            return f"{self.scheme}:{self.opaque}"
        text = self.scheme + ":"
        if self._user is not None:
            text += self._user
            if self._password is not None:
                text += ":" + self._password
            if self.scheme != "tel":
                text += "@"
        text += self.host
        if self.port is not None:
            text += f":{self.port}"
        return text + str(self.parameters) + str(self.headers)

    @property
    def global_phone_number(self) -> str | None:
        """The E.164 number in the user part, with ``+`` and without visual separators, or None."""
        if self.user is None or _GLOBAL_NUMBER.fullmatch(self.user) is None:
            return None
        number = self.user.translate(_VISUAL)
        return number if len(number) > 1 else None

    def replace(self, **changes: Any) -> URI:
        """A copy with `changes` (the constructor's arguments); what does not change keeps its exact spelling."""
        copy = self.__class__.__new__(self.__class__)
        d = copy.__dict__
        d.update(self.__dict__)
        d.pop("_text", None)
        for name, value in changes.items():
            if name == "user":
                d["user"], d["_user"] = value, value and grammar.percent_encode(value, _USER_SAFE)
                if value is None:
                    d["password"] = d["_password"] = None
            elif name == "password":
                d["password"], d["_password"] = value, value and grammar.percent_encode(value, _PASSWORD_SAFE)
            elif name == "parameters":
                d["parameters"] = _coerce(URIParameters, value, _NO_PARAMETERS)
            elif name == "headers":
                d["headers"] = _coerce(URIHeaders, value, _NO_HEADERS)
            elif name in ("scheme", "host", "port", "opaque"):
                d[name] = value.lower() if name == "scheme" else value
            else:
                raise TypeError(f"a URI has no part {name!r}")
        copy._check()
        return copy

    # --- comparison ---

    def matches(self, other: sipmessage.URI) -> bool:
        """Whether both lead to the same place by the rules of :rfc:`3261#section-19.1.4` (not transitive)."""
        if not isinstance(other, URI):
            other = URI.parse(str(other))
        if self.scheme != other.scheme or self.opaque != other.opaque:
            return False
        if self.scheme == "tel":
            return self._number() == other._number() and _folded(self.parameters) == _folded(other.parameters)
        if self.host.lower() != other.host.lower() or self.port != other.port:
            return False
        if _normal(self._user) != _normal(other._user) or _normal(self._password) != _normal(other._password):
            return False
        ours, theirs = _folded(self.parameters), _folded(other.parameters)
        for name in ours.keys() | theirs.keys():
            if name in ours and name in theirs:
                if ours[name] != theirs[name]:
                    return False
            elif name in _DECISIVE:
                return False
        return self.headers == other.headers

    def _number(self) -> str:
        """The number of a ``tel:`` URI without visual separators (:rfc:`3966#section-4`)."""
        return (self.user or "").translate(_VISUAL).lower()

    def _comparable(self) -> tuple[object, ...]:
        return (self.scheme, self.user, self.password, self.host.lower(), self.port, self.opaque)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, URI):
            return (
                self._comparable() == other._comparable()
                and self.parameters == other.parameters
                and self.headers == other.headers
            )
        if isinstance(other, sipmessage.URI):
            return self == URI.parse(str(other))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._comparable())

    def __str__(self) -> str:
        text: str = self._text
        return text

    def __repr__(self) -> str:
        return f"URI({self._text!r})"


_recent: Recent[URI] = Recent()


def _folded(parameters: Parameters) -> dict[str, str | None]:
    return {name.lower(): value and value.lower() for name, value in parameters.items()}


def _coerce(cls: type[URIParameters], given: Mapping[str, str | None] | None, none: Parameters) -> Parameters:
    if not given:
        return none
    return given if type(given) is cls else cls(given)
