"""What the network says of the parties of a call, beside From and To.

:rfc:`3325` (P-Asserted-Identity), :rfc:`7044` (History-Info), :rfc:`5806` (Diversion), :rfc:`3323` (Privacy). All of it
comes from the server that we are connected to, or through it: it is worth as much as that server keeps others from
writing it. A header that cannot be read counts as absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sipua.passport.interface import NO_IDENTITY, NO_SOURCE
from sipua.sip import ParseError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.passport.interface import IdentityCheck
    from sipua.sip import URI, Address, Request, Response

_INDEX = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,30}")
_KINDS: tuple[Literal["rc", "mp", "np"], ...] = ("rc", "mp", "np")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One target that the call was sent to on its way (:rfc:`7044#section-5`)."""

    uri: URI
    """The target, without what the entry says of it."""
    index: str
    """Its place: ``1``, then ``1.1``, and ``1.2`` for a second try from the same place."""
    name: str = ""
    kind: Literal["rc", "mp", "np"] | None = None
    """How it was found: ``rc`` another contact of the same user, ``mp`` another user, ``np`` no change."""
    by: str | None = None
    """The index of the entry that led here."""
    reasons: tuple[Reason, ...] = ()
    """Why the call went on from here, such as ``SIP;cause=302``."""
    private: bool = False
    """Whether it should not be shown (``Privacy: history``)."""


@dataclass(frozen=True, slots=True)
class DiversionEntry:
    """Somebody who diverted the call (:rfc:`5806#section-4`), the last one first."""

    address: Address
    reason: str | None = None
    """``unknown``, ``user-busy``, ``no-answer``, ``unavailable``, ``unconditional``, ``time-of-day``,
    ``do-not-disturb``, ``deflection``, ``follow-me``, ``out-of-service`` or ``away``."""
    counter: int = 1
    """How many diversions it stands for."""
    limit: int | None = None
    privacy: str | None = None
    screen: bool = False


class Identities:
    """The part of `RTCSession` about who is who."""

    direction: Literal["incoming", "outgoing"]
    request: Request
    response: Response | None
    provisional: Response | None
    _identity_check: IdentityCheck | None = None

    @property
    def remote_identity_check(self) -> IdentityCheck:
        """What a signature over the INVITE says of who calls (:rfc:`8224`); of an outgoing call, nothing.

        Without ``identity_verifier`` in the configuration, nobody looks at it.
        """
        if self._identity_check is not None:
            return self._identity_check
        signed = self.direction == "incoming" and "Identity" in self.request.headers
        return NO_SOURCE if signed else NO_IDENTITY

    def _said(self) -> Request | Response | None:
        """The peer's message that tells who it is."""
        return self.request if self.direction == "incoming" else self.response or self.provisional

    @property
    def p_asserted_identity(self) -> tuple[Address, ...]:
        """Who the peer is, as our server vouches for (:rfc:`3325#section-9.1`): a SIP address, a number, or both.

        Of an outgoing call it is known when somebody answered, or rings.
        """
        message = self._said()
        try:
            return tuple(message.p_asserted_identity) if message is not None else ()
        except ParseError:
            return ()

    @property
    def history_info(self) -> tuple[HistoryEntry, ...]:
        """Whom the call was sent to before it came here (:rfc:`7044`), in order of their indexes."""
        message = self._said()
        try:
            addresses = message.history_info if message is not None else []
        except ParseError:
            return ()
        entries = (_history_entry(address) for address in addresses)
        return tuple(sorted((e for e in entries if e is not None), key=lambda entry: _place(entry.index)))

    @property
    def diversion(self) -> tuple[DiversionEntry, ...]:
        """Who diverted the call (:rfc:`5806`), the last one first."""
        message = self._said()
        try:
            return tuple(map(_diversion_entry, message.diversion)) if message is not None else ()
        except ParseError:
            return ()

    @property
    def privacy(self) -> frozenset[str]:
        """What the peer asked to be kept from others (:rfc:`3323#section-4.2`): ``id``, ``header``, ``user`` …"""
        message = self._said()
        value = (message.privacy or "") if message is not None else ""
        return frozenset(word for part in re.split(r"[;,]", value) if (word := part.strip().lower()))


def _place(index: str) -> tuple[int, ...]:
    return tuple(map(int, index.split(".")))


def _history_entry(address: Address) -> HistoryEntry | None:
    index = address.parameters.get("index") or ""
    if not _INDEX.fullmatch(index):
        return None
    kind = next((name for name in _KINDS if name in address.parameters), None)
    embedded = {name.lower(): value or "" for name, value in address.uri.headers.items()}
    return HistoryEntry(
        uri=address.uri.replace(headers={}) if address.uri.headers else address.uri,
        index=index,
        name=address.name,
        kind=kind,
        by=address.parameters.get(kind) if kind is not None else None,
        reasons=_reasons(embedded),
        private="history" in embedded.get("privacy", "").lower(),
    )


def _reasons(embedded: Mapping[str, str]) -> tuple[Reason, ...]:
    try:
        return tuple(Reason.parse_many(embedded["reason"])) if "reason" in embedded else ()
    except ParseError:
        return ()


def _diversion_entry(address: Address) -> DiversionEntry:
    def word(name: str) -> str | None:
        value = address.parameters.get(name)
        return value.strip('"').lower() if value else None

    def number(name: str) -> int | None:
        value = address.parameters.get(name) or ""
        return int(value) if re.fullmatch(r"[0-9]{1,4}", value) else None

    return DiversionEntry(
        address=address.replace(parameters={}),
        reason=word("reason"),
        counter=number("counter") or 1,
        limit=number("limit"),
        privacy=word("privacy"),
        screen=word("screen") == "yes",
    )
