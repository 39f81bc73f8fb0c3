"""Subscriptions, notifiers and publications (:rfc:`6665`, :rfc:`3903`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipua.events.causes import Cause, Originator
    from sipua.sip import Request, Response


@dataclass(frozen=True, slots=True)
class NewSubscribe:
    """Somebody wants to be told of `event`, a package such as ``presence`` (:rfc:`6665#section-4.2`).

    Take it with `UA.notify`, or reject `subscribe`; one that nobody takes gets 489.
    """

    event: str
    subscribe: Any
    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionAccepted:
    """The SUBSCRIBE was answered with 2xx: the subscription is for `expires` seconds."""

    response: Response
    expires: int


@dataclass(frozen=True, slots=True)
class SubscriptionDialogCreated:
    """The first NOTIFY of a notifier made the subscription's dialog (:rfc:`6665#section-4.4.1`)."""

    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionPending:
    """There is a subscription, and somebody still has to allow it."""

    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionActive:
    """The subscription was allowed."""

    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionNotify:
    """A NOTIFY of a subscription.

    `content` is its body as one of `sipua.bodies`; None when it is none of these, or cannot be read.
    """

    is_final: bool
    request: Request
    body: str
    content_type: str
    content: Any = None


@dataclass(frozen=True, slots=True)
class SubscriptionForked:
    """The SUBSCRIBE reached one more notifier: `subscriber` is the subscription there (:rfc:`6665#section-4.4.1`)."""

    subscriber: Any
    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionTerminated:
    """A subscription is over.

    `reason` and `retry_after` are the notifier's (:rfc:`6665#section-4.1.3`), as far as it said. With `resubscribing`
    the user agent subscribes anew by itself, as soon as that makes sense. `message` is the NOTIFY or response that
    ended it.
    """

    originator: Originator
    cause: Cause
    reason: str | None = None
    retry_after: float | None = None
    resubscribing: bool = False
    message: Request | Response | None = None


@dataclass(frozen=True, slots=True)
class SubscribeReceived:
    """A SUBSCRIBE of a subscriber of ours: the first one, a refresh, or the end (`is_unsubscribe`).

    A NOTIFY must follow each: the last body is repeated, unless the handler calls `Notifier.notify` itself.
    """

    is_unsubscribe: bool
    request: Request
    body: str
    content_type: str


@dataclass(frozen=True, slots=True)
class NotifierTerminated:
    """A subscription to us is over."""

    originator: Originator
    cause: Cause


@dataclass(frozen=True, slots=True)
class Published:
    """The server holds what we published for `expires` seconds more, under this entity tag."""

    response: Response
    expires: float
    etag: str | None


@dataclass(frozen=True, slots=True)
class PublishFailed:
    """A PUBLISH did not succeed. The next try is in `retry_after` seconds; None: there is none."""

    cause: Cause
    response: Response | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unpublished:
    """What we published is gone: removed by us, or expired."""

    response: Response | None = None
    cause: Cause | None = None
