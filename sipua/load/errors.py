"""What keeps a load test from its beginning or its end."""

from __future__ import annotations

from sipua.errors import SipuaError

__all__ = ["AccountFailed", "LoadError", "ProcessFailed"]


class LoadError(SipuaError):
    """A part of a load test failed. `kind` is the name of the exception behind it, which may be another process's."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class AccountFailed(LoadError):
    """One of several accounts could not connect or register; the text names it."""


class ProcessFailed(LoadError):
    """A process of a load test could not begin, or came to a bad end."""
