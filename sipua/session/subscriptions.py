"""The refer subscriptions of a dialog, of both sides (:rfc:`3515#section-2.4.4`).

They are a usage of the dialog beside the call (:rfc:`5057`): they may outlive it, and keep the dialog then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipua.errors import ParseError
from sipua.session import sipfrag
from sipua.session.reply import respond

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.session.host import SessionHost
    from sipua.session.notifier import ReferNotifier
    from sipua.session.subscriber import ReferSubscriber
    from sipua.sip import Dialog, Event, Request, ServerTransaction, SubscriptionState

PACKAGE = "refer"
#: Seconds that a refer subscription lives when nobody says otherwise: longer than an INVITE may ring.
LIFETIME = 180
#: The longest that a peer may ask for.
LONGEST = 3600


class ReferOwner(Protocol):
    """In whose dialog it happens: a call, or a REFER of its own."""

    contact: str
    _host: SessionHost
    _dialog: Dialog | None


class ReferUsages:
    """All refer subscriptions of one dialog.

    `busy()` is called when the peer may refresh one of them in the dialog, `idle()` when there is none left.
    """

    def __init__(self, owner: ReferOwner, *, busy: Callable[[], None], idle: Callable[[], None]) -> None:
        self.owner = owner
        self._busy = busy
        self._idle = idle
        self._subscribers: list[ReferSubscriber] = []
        self._notifiers: list[ReferNotifier] = []
        self._referred = False

    def __bool__(self) -> bool:
        return bool(self._subscribers or self._notifiers)

    def add_subscriber(self, subscriber: ReferSubscriber) -> None:
        """A REFER of ours was sent."""
        self._subscribers.append(subscriber)

    def add_notifier(self, notifier: ReferNotifier) -> None:
        """A REFER of the peer was accepted."""
        self._notifiers.append(notifier)
        self._busy()

    def event_of(self, refer: Request) -> str:
        """The Event value for the peer's REFER: with an id from the second on (:rfc:`3515#section-2.4.6`)."""
        first, self._referred = not self._referred, True
        return PACKAGE if first else f"{PACKAGE};id={refer.cseq.sequence}"

    def remove_subscriber(self, subscriber: ReferSubscriber) -> None:
        """Nothing more will be told about a REFER of ours."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
            self._check()

    def remove_notifier(self, notifier: ReferNotifier) -> None:
        """Nothing more is to be told about a REFER of the peer."""
        if notifier in self._notifiers:
            self._notifiers.remove(notifier)
            self._check()

    def _check(self) -> None:
        if not self:
            self._idle()

    def close(self) -> None:
        """The user agent stops."""
        for subscriber in tuple(self._subscribers):
            subscriber.close()
        for notifier in tuple(self._notifiers):
            notifier.close()

    # --- the peer tells us ---------------------------------------------------------------------------------

    def on_notify(self, transaction: ServerTransaction, request: Request, event: Event) -> None:
        """A NOTIFY of the package: 481 when it is about nothing of ours, 400 or 415 when it cannot be read."""
        subscriber = self._subscriber(event.id)
        if subscriber is None:
            respond(self.owner, transaction, request, 481)
            return
        state: SubscriptionState | None = None
        line = None
        try:
            state = request.subscription_state
            if state is None:
                raise ParseError("a NOTIFY without Subscription-State", status=400)
            line = sipfrag.parse(request)
            if line is None and state.state != "terminated":
                raise ParseError("a NOTIFY without status", status=400)
        except ParseError as error:
            respond(self.owner, transaction, request, error.status or 400, error.headers)
            if state is not None and state.state == "terminated":
                subscriber.on_notify(request, state, None)  # no word of it will come any more
            return
        respond(self.owner, transaction, request, 200)
        subscriber.on_notify(request, state, line)

    def _subscriber(self, id: str | None) -> ReferSubscriber | None:
        if id is None:  # only the first one goes without
            return self._subscribers[0] if self._subscribers else None
        return next((one for one in self._subscribers if str(one.sequence) == id), None)

    # --- the peer asks ---------------------------------------------------------------------------------------

    def on_subscribe(self, transaction: ServerTransaction, request: Request, event: Event) -> None:
        """Refresh or end what a REFER began; nothing else can begin it: 403 (:rfc:`3515#section-2.4.4`)."""
        notifier = next((one for one in self._notifiers if one.is_about(event.id)), None)
        if notifier is None:
            respond(self.owner, transaction, request, 403)
            return
        expires = request.expires
        seconds = LIFETIME if expires is None else min(expires, LONGEST)
        headers = (("Contact", self.owner.contact), ("Expires", str(seconds)))
        respond(self.owner, transaction, request, 200, headers)
        notifier.refresh(seconds)
