"""The Identity header field (:rfc:`8224#section-4`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sipua.sip import ParseError

_TOKEN = re.compile(r"[ \t]*([A-Za-z0-9_\-.=]*)[ \t]*")
_PARAMETER = re.compile(
    r";[ \t]*([\w\-!%*+`'~.]+)[ \t]*(?:=[ \t]*(?:<([^<>\s]*)>|\"([^\"\\]*)\"|([^;\"<>\s]+)))?[ \t]*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class IdentityField:
    """One Identity header field."""

    token: str
    """The PASSporT; in compact form ``..signature``, for the rest follows from the request."""
    info: str
    """Where the certificate is."""
    alg: str
    """How it is signed."""
    ppt: str | None = None
    """The extension of PASSporT that must be understood to use it (:rfc:`8225#section-8`)."""

    @property
    def is_compact(self) -> bool:
        """Whether the token is only a signature (:rfc:`8225#section-7`)."""
        return self.token.startswith("..")

    @classmethod
    def parse(cls, value: str) -> IdentityField:
        """The field with this value.

        :raises ParseError: it is none.
        """
        head = _TOKEN.match(value)
        assert head is not None
        parameters: dict[str, str] = {}
        at = head.end()
        while at < len(value):
            match = _PARAMETER.match(value, at)
            if match is None or match[1].lower() in parameters:
                raise ParseError("not an Identity header field")
            parameters[match[1].lower()] = next(
                (text for text in match.group(2, 3, 4) if text is not None), ""
            )
            at = match.end()
        if not head[1] or not parameters.get("info"):
            raise ParseError("an Identity header field without token or info")
        # Without alg it is ES256 (RFC 8224 §4).
        return cls(head[1], parameters["info"], parameters.get("alg", "ES256"), parameters.get("ppt"))

    def __str__(self) -> str:
        return f"{self.token};info=<{self.info}>;alg={self.alg}" + (f";ppt={self.ppt}" if self.ppt else "")
