"""One form for each telephone number and address, so that both ends sign the same (:rfc:`8224#section-8`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sipua.sip import URI, ParseError

_SEPARATORS = str.maketrans("", "", " -.()")
_NUMBER = re.compile(r"\+?[0-9*#]+")
_ESCAPE = re.compile("%([0-9a-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_GLOBAL = re.compile(r"\+[0-9 \-.()]*[0-9][0-9 \-.()]*")


@dataclass(frozen=True, slots=True)
class Party:
    """Caller or callee as a PASSporT names them: a telephone number or an address, in canonical form."""

    kind: Literal["tn", "uri"]
    value: str
    """Digits without ``+`` and separators, such as ``12155551212``; or a URI, such as ``sip:alice@example.com``."""

    def is_meant_by(self, uri: URI) -> bool:
        """Whether a header with this URI names the same one.

        A number does so in any domain and with or without ``user=phone``: networks rewrite both.
        """
        if self.kind == "tn":
            number = canonical_number(self.value)
            return number is not None and number == canonical_number(uri.user or "")
        try:
            return canonical_uri(URI.parse(self.value)) == canonical_uri(uri)
        except ParseError:
            return False


def canonical_number(text: str) -> str | None:
    """The digits of a telephone number without ``+``, separators and parameters; None when it is none.

    :rfc:`8224#section-8.3`
    """
    number = text.partition(";")[0].translate(_SEPARATORS)
    return number.removeprefix("+") if _NUMBER.fullmatch(number) else None


def canonical_uri(uri: URI) -> str:
    """An address without port, password, parameters and headers, in lower case (:rfc:`8224#section-8.5`)."""
    if uri.scheme not in ("sip", "sips"):
        return str(uri)
    if uri.user is None:
        return f"{uri.scheme}:{uri.host.lower()}"
    user = str(uri).partition(":")[2].partition("@")[0].partition(":")[0]
    return f"{uri.scheme}:{_ESCAPE.sub(_unescape, user.lower())}@{uri.host.lower()}"


def _unescape(match: re.Match[str]) -> str:
    """Escapes are needed for reserved characters only (:rfc:`3986#section-6.2.2`)."""
    character = chr(int(match[1], 16))
    return character.lower() if character in _UNRESERVED else match[0].upper()


def party_of(uri: URI) -> Party:
    """Who this URI names: a number if it says so (``tel:``, ``user=phone``, a leading ``+``), else an address."""
    user = uri.user or ""
    says_so = (
        uri.scheme == "tel"
        or (uri.parameters.get("user") or "").lower() == "phone"
        or _GLOBAL.fullmatch(user.partition(";")[0]) is not None
    )
    number = canonical_number(user) if says_so else None
    return Party("tn", number) if number is not None else Party("uri", canonical_uri(uri))
