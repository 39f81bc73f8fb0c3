"""Challenges and credentials as they stand in a message. What they mean is `sipua.sip.digest`'s business."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import sipmessage

from . import grammar
from .errors import InvalidHeaderError, ParseError
from .lazy import Frozen, lazy

if TYPE_CHECKING:
    from typing import Self

_WS = grammar.WS
_SCHEME = re.compile(rf"{_WS}({grammar.TOKEN})")
_PARAMETER = re.compile(rf'({grammar.TOKEN}){_WS}={_WS}({grammar.QUOTED}|[^ \t,"]*+){_WS}(?=,|$)')
_COMMAS = re.compile(r"[ \t,]*+")
_TOKEN68 = re.compile(rf"([A-Za-z0-9\-._~+/]++=*+){_WS}(?=,|$)")

# Which values are in quotes by the grammar (:rfc:`7616#section-3.3`, :rfc:`7616#section-3.4`).
_QUOTED_IN_CHALLENGE = frozenset({"domain", "nonce", "opaque", "qop", "realm"})
_QUOTED_IN_CREDENTIALS = frozenset({"cnonce", "nonce", "opaque", "realm", "response", "uri", "username"})
_QUOTED_IN_INFO = frozenset({"cnonce", "nextnonce", "rspauth"})
_QUOTED = _QUOTED_IN_CHALLENGE | _QUOTED_IN_CREDENTIALS | _QUOTED_IN_INFO

Source = Mapping[str, str] | Iterable[tuple[str, str]]


class AuthParameters(sipmessage.AuthParameters):
    """The parameters of a challenge or of credentials: an immutable mapping, names in any case, values unquoted."""

    _entries: dict[str, tuple[str, str]]

    def __init__(self, source: Source = (), /, **kwargs: str) -> None:
        self._entries = {}
        pairs = source.items() if isinstance(source, Mapping) else source
        for name, value in (*pairs, *kwargs.items()):
            grammar.check_token("authentication parameter", name)
            grammar.check_text(f"authentication parameter {name}", value)
            self._entries[name.lower()] = (name, value)

    @classmethod
    def parse(cls, value: str) -> AuthParameters:
        """The parameters in a comma-separated list such as Authentication-Info holds. Raises :class:`ParseError`."""
        value = grammar.unfold(value)
        parameters, position = cls._scan(value, 0)
        if position < len(value):
            raise ParseError(f"not valid authentication parameters: {grammar.excerpt(value)}")
        return parameters

    @classmethod
    def _scan(cls, value: str, position: int) -> tuple[AuthParameters, int]:
        """The parameters from `position` on, and where something else begins."""
        self = cls()
        end = _skip(value, position)
        while match := _PARAMETER.match(value, end):
            name = match[1]
            self._entries.setdefault(name.lower(), (name, grammar.readable(grammar.unquote(match[2]))))
            end = _skip(value, match.end())
        return self, end

    def replace(self, **changes: str) -> AuthParameters:
        """A copy with `changes`."""
        return AuthParameters([*self.items(), *changes.items()])

    def __getitem__(self, key: str) -> str:
        return self._entries[key.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._entries

    def _comparable(self) -> dict[str, str]:
        return {key: value for key, (_, value) in self._entries.items()}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._comparable() == {str(key).lower(): value for key, value in other.items()}

    def __hash__(self) -> int:
        return hash(frozenset(self._comparable().items()))

    def __repr__(self) -> str:
        shown = {name: "…" if name.lower() == "response" else value for name, value in self.items()}
        return f"AuthParameters({shown!r})"

    def __str__(self) -> str:
        return self._write(_QUOTED)

    def _write(self, quoted: frozenset[str]) -> str:
        return ", ".join(
            f"{name}={grammar.quote(value) if key in quoted or not grammar.is_token(value) else value}"
            for key, (name, value) in self._entries.items()
        )


def _skip(value: str, position: int) -> int:
    match = _COMMAS.match(value, position)
    return match.end() if match else position


def _coerce(parameters: Mapping[str, str] | None) -> AuthParameters:
    return parameters if isinstance(parameters, AuthParameters) else AuthParameters(parameters or {})


class AuthChallenge(Frozen, sipmessage.AuthChallenge):
    """A challenge from WWW-Authenticate or Proxy-Authenticate (:rfc:`3261#section-20.44`)."""

    scheme: str
    'The scheme, ``"Digest"`` as a rule; compare without regard to case.'

    parameters: AuthParameters
    "``realm``, ``nonce``, ``algorithm``, ``qop``…"

    token: str | None
    "What a scheme without parameters brings along instead, None for most."

    def __init__(
        self, scheme: str, parameters: Mapping[str, str] | None = None, *, token: str | None = None
    ) -> None:
        grammar.check_token("authentication scheme", scheme)
        d = self.__dict__
        d["scheme"] = scheme
        d["parameters"] = _coerce(parameters)
        d["token"] = _check_token68(token)

    @classmethod
    def parse(cls, value: str) -> Self:
        """The one challenge in `value`. Raises :class:`ParseError`."""
        challenges = cls.parse_many(value)
        if len(challenges) != 1:
            raise ParseError(f"not one challenge: {grammar.excerpt(value)}")
        return challenges[0]

    @classmethod
    def parse_many(cls, value: str) -> list[Self]:
        """The challenges in `value`, several in one header field if need be. Raises :class:`ParseError`."""
        value = grammar.unfold(value)
        challenges: list[Self] = []
        position = _skip(value, 0)
        while position < len(value):
            scheme, parameters, token, end = _scan_one(value, position)
            self = cls.__new__(cls)
            self.__dict__.update(scheme=scheme, parameters=parameters, token=token)
            self.__dict__["_text"] = value[position:end].rstrip(" \t,")
            challenges.append(self)
            position = end
        if not challenges:
            raise ParseError("an empty challenge")
        return challenges

    @lazy
    def _text(self: Any) -> str:
        return _join(self.scheme, self.token, self.parameters._write(_QUOTED_IN_CHALLENGE))

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, sipmessage.AuthChallenge):
            return NotImplemented
        return self.scheme.lower() == other.scheme.lower() and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((self.scheme.lower(), self.parameters))

    def __repr__(self) -> str:
        return f"AuthChallenge({self._text!r})"


class AuthCredentials(Frozen, sipmessage.AuthCredentials):
    """Credentials from Authorization or Proxy-Authorization (:rfc:`3261#section-20.7`).

    Its ``repr`` leaves out everything but scheme, user name and realm, so that it may be logged.
    """

    scheme: str
    'The scheme, ``"Digest"`` or ``"Bearer"``; compare without regard to case.'

    parameters: AuthParameters | None
    "The parameters, None when there is a `token`."

    token: str | None
    "The token of schemes such as Bearer."

    def __init__(
        self, scheme: str, parameters: Mapping[str, str] | None = None, token: str | None = None
    ) -> None:
        if (parameters is None) == (token is None):
            raise InvalidHeaderError("credentials have either parameters or a token")
        grammar.check_token("authentication scheme", scheme)
        d = self.__dict__
        d["scheme"] = scheme
        d["parameters"] = None if parameters is None else _coerce(parameters)
        d["token"] = _check_token68(token)

    @classmethod
    def parse(cls, value: str) -> Self:
        """The credentials in `value`. Raises :class:`ParseError`."""
        value = grammar.unfold(value)
        scheme, parameters, token, end = _scan_one(value, 0)
        if end < len(value) or (token is None and not parameters):
            raise ParseError("not valid credentials")
        self = cls.__new__(cls)
        self.__dict__.update(scheme=scheme, token=token, parameters=parameters if token is None else None)
        self.__dict__["_text"] = value
        return self

    @lazy
    def _text(self: Any) -> str:
        parameters = "" if self.parameters is None else self.parameters._write(_QUOTED_IN_CREDENTIALS)
        return _join(self.scheme, self.token, parameters)

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, sipmessage.AuthCredentials):
            return NotImplemented
        return (self.scheme.lower(), self.parameters, self.token) == (
            other.scheme.lower(),
            other.parameters,
            other.token,
        )

    def __hash__(self) -> int:
        return hash((self.scheme.lower(), self.parameters, self.token))

    def __repr__(self) -> str:
        shown = {k: v for k, v in (self.parameters or {}).items() if k.lower() in ("username", "realm")}
        return f"AuthCredentials({self.scheme!r}, {shown!r})"


def _scan_one(value: str, position: int) -> tuple[str, AuthParameters, str | None, int]:
    """Scheme, parameters, token, and where the next challenge begins."""
    match = _SCHEME.match(value, position)
    if match is None:
        raise ParseError("not a valid authentication scheme")
    scheme, start = match[1], match.end()
    if start < len(value) and value[start] not in " \t,":
        raise ParseError("not a valid authentication scheme")
    start = len(value) - len(value[start:].lstrip(" \t"))
    token = _TOKEN68.match(value, start)
    if token and scheme.lower() != "digest":  # where "opaque=" is a sloppy parameter rather than a token
        return scheme, AuthParameters(), token[1], _skip(value, token.end())
    parameters, end = AuthParameters._scan(value, start)
    if end == start and end < len(value):
        raise ParseError("not valid authentication parameters")
    return scheme, parameters, None, end


def _check_token68(token: str | None) -> str | None:
    if token is not None and _TOKEN68.fullmatch(token) is None:
        raise InvalidHeaderError("not an authentication token")
    return token


def _join(scheme: str, token: str | None, parameters: str) -> str:
    rest = parameters if token is None else token
    return f"{scheme} {rest}" if rest else scheme
