"""What the peer has said of its own abilities: Allow, Supported and Recv-Info."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipua.sip import Request, Response


class Peer:
    """The peer's last word about itself. Nothing is known before it has said something; it is read when asked for."""

    __slots__ = ("_allow", "_recv_info", "_supported")

    def __init__(self) -> None:
        self._allow = ""
        self._supported = ""
        self._recv_info = ""

    def learn(self, message: Request | Response) -> None:
        """Take over what `message` says; what it does not mention stays."""
        get = message.headers.getlist
        if allow := get("Allow"):
            self._allow = ",".join(allow)
        if supported := get("Supported"):
            self._supported = ",".join(supported)
        if packages := get("Recv-Info"):
            self._recv_info = ",".join(packages)

    def allows(self, method: str) -> bool:
        """Whether it has said that it takes `method` (:rfc:`3261#section-20.5`)."""
        return method in _tokens(self._allow.upper())

    def receives(self, package: str) -> bool:
        """Whether it takes INFO requests of this package (:rfc:`6086#section-5.2.3`)."""
        return package in _tokens(self._recv_info.lower())

    @property
    def supported(self) -> set[str]:
        """The option tags it knows, in lower case (:rfc:`3261#section-20.37`)."""
        return _tokens(self._supported.lower())


def option_tags(message: Request | Response, name: str) -> set[str]:
    """The option tags in a Supported or Require header field, in lower case."""
    return _tokens(",".join(message.headers.getlist(name)).lower())


def _tokens(text: str) -> set[str]:
    return {token.strip() for token in text.split(",")} if text else set()
