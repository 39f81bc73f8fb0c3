"""Calls that begin, and requests outside of calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipua.events.causes import Cause, Originator
    from sipua.sip import Request, Response


@dataclass(frozen=True, slots=True)
class NewRTCSession:
    """A call, incoming or outgoing, before anything was done with it."""

    originator: Originator
    session: Any
    request: Request


@dataclass(frozen=True, slots=True)
class NewMessage:
    """An out-of-dialog MESSAGE (:rfc:`3428`). An incoming one is answered 200 unless `message` is rejected.

    `message` is an `IncomingMessage` or an `OutgoingMessage`.
    """

    originator: Originator
    message: Any
    request: Request


@dataclass(frozen=True, slots=True)
class NewOptions:
    """An out-of-dialog OPTIONS (:rfc:`3261#section-11`): `options` is an `IncomingOptions` or an `OutgoingOptions`."""

    originator: Originator
    options: Any
    request: Request


@dataclass(frozen=True, slots=True)
class RequestSucceeded:
    """A MESSAGE or OPTIONS of ours was answered with 2xx."""

    originator: Originator
    response: Response


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A MESSAGE or OPTIONS of ours was refused, or got no answer: then `response` is None, or a challenge."""

    originator: Originator
    response: Response | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class SipEvent:
    """A NOTIFY that nobody subscribed to. It gets 200 unless `notify` is rejected.

    `event` is its package; `content` its body as one of `sipua.bodies`, None when it is none of these.
    """

    event: str
    notify: Any
    request: Request
    content: Any = None


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """A client or server transaction was made."""

    transaction: Any


@dataclass(frozen=True, slots=True)
class TransactionDestroyed:
    """A transaction is over."""

    transaction: Any
