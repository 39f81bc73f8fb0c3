"""The values of the SIP extensions that calls use: transfer, replacement, session timers, events, 100rel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import grammar
from .errors import InvalidHeaderError, ParseError
from .lazy import Frozen, lazy
from .parameters import Parameters
from .values import coerce

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

MAX_SECONDS = 2**32 - 1

_PARAMETERS = rf"({grammar.PARAMETERS}){grammar.WS}"
_TOKEN = re.compile(rf"({grammar.TOKEN}){_PARAMETERS}")
_SECONDS = re.compile(rf"0{{0,99}}([0-9]{{1,10}}){_PARAMETERS}")
_CALL_ID = re.compile(rf'([^ \t;,<>"]++){_PARAMETERS}')
_RETRY_AFTER = re.compile(
    rf"0{{0,99}}([0-9]{{1,10}}){grammar.WS}(\((?:[^()\\]++|\\.)*\))?{_PARAMETERS}", re.DOTALL
)
_RACK = re.compile(rf"0{{0,99}}([0-9]{{1,10}})[ \t]++0{{0,99}}([0-9]{{1,10}})[ \t]++({grammar.TOKEN})")
_DIGITS = re.compile(r"0{0,99}([0-9]{1,10})")


def parse_seconds(value: str) -> int:
    """A number of seconds below 2**32 (delta-seconds). Raises :class:`ParseError`."""
    return parse_number(value, MAX_SECONDS)


def parse_number(value: str, limit: int) -> int:
    """A decimal number not above `limit`. Raises :class:`ParseError`."""
    match = _DIGITS.fullmatch(value.strip(" \t"))
    if match is None or (number := int(match[1])) > limit:
        raise ParseError(f"not a number up to {limit}: {grammar.excerpt(value)}")
    return number


class Extension(Frozen):
    """A head and parameters: the shape that most extension header fields have."""

    parameters: Parameters
    "All parameters, also those that have an attribute of their own."

    _pattern: re.Pattern[str]

    @classmethod
    def parse(cls, value: str) -> Self:
        """The value in `value`. Raises :class:`ParseError`."""
        value = grammar.unfold(value)
        match = cls._pattern.fullmatch(value)
        if match is None:
            raise ParseError(f"not a valid {cls.__name__}: {grammar.excerpt(value)}")
        self = cls.__new__(cls)
        d = self.__dict__
        text = match[match.re.groups]
        d["parameters"] = Parameters._of(text) if text else coerce(None)
        d["_text"] = value
        self._read(match)
        return self

    def _read(self, match: re.Match[str]) -> None:
        raise NotImplementedError

    def _head(self) -> str:
        raise NotImplementedError

    def _comparable(self) -> tuple[object, ...]:
        return (self._head(), self.parameters)

    @lazy
    def _text(self: Any) -> str:
        return f"{self._head()}{self.parameters}"

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return self._comparable() == other._comparable() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._comparable())

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self._text!r})"

    def _set(self, parameters: Mapping[str, str | None] | None, /, **parts: object) -> None:
        self.__dict__.update(parts)
        self.__dict__["parameters"] = coerce(parameters)


def _number_in(parameters: Parameters, name: str) -> int | None:
    value = parameters.get(name)
    return None if value is None else parse_seconds(value)


def _with(parameters: Mapping[str, str | None] | None, **known: object) -> Parameters:
    """`parameters` behind those of `known` that are not None."""
    mine: dict[str, str | None] = {
        name.replace("_", "-"): str(value) for name, value in known.items() if value is not None
    }
    return coerce({**mine, **(parameters or {})})


class Replaces(Extension):
    """Which dialog an INVITE takes the place of (:rfc:`3891`)."""

    call_id: str
    "The Call-ID of that dialog."

    to_tag: str
    "The tag of the side that gets the INVITE."

    from_tag: str
    "The tag of the other side."

    early_only: bool
    "Whether a dialog that is confirmed must be left alone."

    _pattern = _CALL_ID

    def __init__(
        self,
        call_id: str,
        to_tag: str,
        from_tag: str,
        *,
        early_only: bool = False,
        parameters: Mapping[str, str | None] | None = None,
    ) -> None:
        if re.fullmatch(r'[^ \t\r\n\0;,<>"]+', call_id) is None:
            raise InvalidHeaderError(f"not a Call-ID: {call_id!r}")
        known = _with(parameters, to_tag=to_tag, from_tag=from_tag)
        self._set(
            known.updated({"early-only": None}) if early_only else known,
            call_id=call_id,
            to_tag=to_tag,
            from_tag=from_tag,
            early_only=early_only,
        )

    def _read(self, match: re.Match[str]) -> None:
        to_tag, from_tag = self.parameters.get("to-tag"), self.parameters.get("from-tag")
        if not to_tag or not from_tag:
            raise ParseError(f"Replaces without to-tag and from-tag: {grammar.excerpt(match.string)}")
        self.__dict__.update(
            call_id=match[1], to_tag=to_tag, from_tag=from_tag, early_only="early-only" in self.parameters
        )

    def _head(self) -> str:
        return self.call_id


class SessionExpires(Extension):
    """After how many seconds a session without a refresh is over, and who refreshes it (:rfc:`4028#section-4`)."""

    delta: int
    "Seconds."

    refresher: str | None
    '``"uac"``, ``"uas"``, or None while it is open.'

    _pattern = _SECONDS

    def __init__(
        self, delta: int, refresher: str | None = None, parameters: Mapping[str, str | None] | None = None
    ) -> None:
        if refresher not in (None, "uac", "uas"):
            raise InvalidHeaderError(f"not a refresher: {refresher!r}")
        _check_seconds(delta)
        self._set(_with(parameters, refresher=refresher), delta=delta, refresher=refresher)

    def _read(self, match: re.Match[str]) -> None:
        refresher = self.parameters.get("refresher")
        refresher = refresher and refresher.lower()
        if "refresher" in self.parameters and refresher not in ("uac", "uas"):
            raise ParseError(f"not a valid refresher: {grammar.excerpt(match.string)}")
        self.__dict__.update(delta=parse_seconds(match[1]), refresher=refresher)

    def _head(self) -> str:
        return str(self.delta)


class Event(Extension):
    """What a subscription is about (:rfc:`6665#section-8.2.1`)."""

    package: str
    'The event package with its templates: ``"refer"``, ``"presence.winfo"``.'

    id: str | None
    "Which subscription, where a dialog has several."

    _pattern = _TOKEN

    def __init__(
        self, package: str, id: str | None = None, parameters: Mapping[str, str | None] | None = None
    ) -> None:
        grammar.check_token("event package", package)
        self._set(_with(parameters, id=id), package=package, id=id)

    def _read(self, match: re.Match[str]) -> None:
        self.__dict__.update(package=match[1], id=self.parameters.get("id"))

    def _head(self) -> str:
        return self.package


class SubscriptionState(Extension):
    """How a subscription stands (:rfc:`6665#section-8.2.3`)."""

    state: str
    '``"active"``, ``"pending"``, ``"terminated"`` or an extension, in lower case.'

    reason: str | None
    'Why it was terminated: ``"noresource"``, ``"timeout"``…'

    expires: int | None
    "Seconds left."

    retry_after: int | None
    "Seconds to wait before subscribing anew."

    _pattern = _TOKEN

    def __init__(
        self,
        state: str,
        *,
        reason: str | None = None,
        expires: int | None = None,
        retry_after: int | None = None,
        parameters: Mapping[str, str | None] | None = None,
    ) -> None:
        grammar.check_token("subscription state", state)
        known = _with(parameters, reason=reason, expires=expires, retry_after=retry_after)
        self._set(known, state=state, reason=reason, expires=expires, retry_after=retry_after)

    def _read(self, match: re.Match[str]) -> None:
        self.__dict__.update(
            state=match[1].lower(),
            reason=self.parameters.get("reason"),
            expires=_number_in(self.parameters, "expires"),
            retry_after=_number_in(self.parameters, "retry-after"),
        )

    def _head(self) -> str:
        return self.state


class Reason(Extension):
    """Why a request was sent, in some protocol's terms (:rfc:`3326`).

    ``Reason("SIP", 200, "Call completed elsewhere")``
    """

    protocol: str
    'As a rule ``"SIP"`` or ``"Q.850"``.'

    cause: int | None
    "The protocol's cause value."

    text: str | None
    "The same for people."

    _pattern = _TOKEN

    def __init__(
        self,
        protocol: str,
        cause: int | None = None,
        text: str | None = None,
        parameters: Mapping[str, str | None] | None = None,
    ) -> None:
        grammar.check_token("reason protocol", protocol)
        quoted = None if text is None else grammar.quote(text)
        self._set(_with(parameters, cause=cause, text=quoted), protocol=protocol, cause=cause, text=text)

    def _read(self, match: re.Match[str]) -> None:
        self.__dict__.update(
            protocol=match[1], cause=_number_in(self.parameters, "cause"), text=self.parameters.get("text")
        )

    def _head(self) -> str:
        return self.protocol

    @classmethod
    def parse_many(cls, value: str) -> list[Self]:
        """The reasons in a comma-separated list. Raises :class:`ParseError`."""
        return [cls.parse(item) for item in grammar.split_list(grammar.unfold(value))]


class RetryAfter(Extension):
    """When to try again (:rfc:`3261#section-20.33`)."""

    delay: int
    "Seconds to wait."

    comment: str | None
    "An explanation, without its parentheses."

    duration: int | None
    "For how many seconds the peer will then be reachable."

    _pattern = _RETRY_AFTER

    def __init__(
        self,
        delay: int,
        comment: str | None = None,
        duration: int | None = None,
        parameters: Mapping[str, str | None] | None = None,
    ) -> None:
        _check_seconds(delay)
        if comment is not None:
            grammar.check_text("Retry-After comment", comment)
        self._set(_with(parameters, duration=duration), delay=delay, comment=comment, duration=duration)

    def _read(self, match: re.Match[str]) -> None:
        comment = match[2] and re.sub(r"\\(.)", r"\1", match[2][1:-1])
        self.__dict__.update(
            delay=parse_seconds(match[1]), comment=comment, duration=_number_in(self.parameters, "duration")
        )

    def _head(self) -> str:
        if self.comment is None:
            return str(self.delay)
        comment = re.sub(r"[()\\]", r"\\\g<0>", self.comment)
        return f"{self.delay} ({comment})"


class RAck(Frozen):
    """Which provisional response a PRACK acknowledges (:rfc:`3262#section-7.2`)."""

    rseq: int
    "The RSeq of the response."

    cseq: int
    "The CSeq number of the response."

    method: str
    "The method in the CSeq of the response."

    def __init__(self, rseq: int, cseq: int, method: str) -> None:
        grammar.check_token("method", method)
        if not 0 <= rseq <= MAX_SECONDS or not 0 <= cseq < 2**31:
            raise InvalidHeaderError(f"not an RAck: {rseq!r} {cseq!r}")
        self.__dict__.update(rseq=rseq, cseq=cseq, method=method)

    @classmethod
    def parse(cls, value: str) -> RAck:
        """The RAck in `value`. Raises :class:`ParseError`."""
        match = _RACK.fullmatch(grammar.unfold(value))
        if match is None:
            raise ParseError(f"not a valid RAck: {grammar.excerpt(value)}")
        rseq, cseq = parse_number(match[1], MAX_SECONDS), parse_number(match[2], 2**31 - 1)
        self = cls.__new__(cls)
        self.__dict__.update(rseq=rseq, cseq=cseq, method=match[3])
        return self

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, RAck) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"RAck({self.rseq}, {self.cseq}, {self.method!r})"


def _check_seconds(value: int) -> None:
    if not 0 <= value <= MAX_SECONDS:
        raise InvalidHeaderError(f"not a number of seconds: {value!r}")
