"""The connection, and the registration on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipua.events.causes import Cause
    from sipua.sip import Response


@dataclass(frozen=True, slots=True)
class Connecting:
    """A WebSocket connection is being tried (`attempt` counts from 1 since the last one that worked)."""

    url: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Connected:
    """The WebSocket connection is up."""

    url: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended or could not be made. `error` is None after a wanted close."""

    url: str
    error: Exception | None = None
    code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar holds our binding for `expires` seconds more."""

    response: Response | None
    expires: float


@dataclass(frozen=True, slots=True)
class Unregistered:
    """Our binding is gone: removed by us, refused, expired, or lost with the connection."""

    response: Response | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """A REGISTER did not succeed. The next try is in `retry_after` seconds; None: there is none."""

    cause: Cause
    response: Response | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class RegistrationExpiring:
    """The binding runs out soon; sent only when the application registered a handler, which then calls register()."""
