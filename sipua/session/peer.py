"""What the peer has said of its own abilities: Allow and Supported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipua.sip import Request, Response


class Peer:
    """The peer's last word about itself. Nothing is known before it has said something."""

    __slots__ = ("allow", "supported")

    def __init__(self) -> None:
        self.allow: frozenset[str] | None = None
        """The methods it takes (:rfc:`3261#section-20.5`); None: it has not said."""
        self.supported: frozenset[str] = frozenset()
        """The option tags it knows (:rfc:`3261#section-20.37`)."""

    def learn(self, message: Request | Response) -> None:
        """Take over what `message` says; what it does not mention stays."""
        headers = message.headers
        if "Allow" in headers:
            self.allow = frozenset(method.strip().upper() for method in headers.values("Allow"))
        if "Supported" in headers:
            self.supported = frozenset(option_tags(message, "Supported"))

    def allows(self, method: str) -> bool:
        """Whether it has said that it takes `method`."""
        return self.allow is not None and method in self.allow


def option_tags(message: Request | Response, name: str) -> set[str]:
    """The option tags in a Supported or Require header field, in lower case."""
    return {tag.strip().lower() for tag in message.headers.values(name)}
