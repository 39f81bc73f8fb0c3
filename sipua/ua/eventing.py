"""What the user agent offers of events: subscriptions, notifiers, publications (:rfc:`6665`, :rfc:`3903`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from sipua.bodies import ACCEPT, encode_body
from sipua.emitter import Emitter
from sipua.errors import InvalidHeaderError, InvalidStateError
from sipua.session.headers import HeaderLike, content_type_header, header_list
from sipua.sip import Event, MediaType, ParseError, Request
from sipua.sip.grammar import split_list
from sipua.ua.notifier import DEFAULT_EXPIRES, Notifier
from sipua.ua.publication import Publication
from sipua.ua.subscription import Subscriber
from sipua.ua.targets import request_target

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from sipua.bodies import Body
    from sipua.emitter import Handler
    from sipua.sip import URI, Response
    from sipua.ua.inbound_events import IncomingSubscribe
    from sipua.ua.ua import UA

#: What JsSIP asks for, too.
SUBSCRIBE_EXPIRES = 900
PUBLISH_EXPIRES = 3600


class EventUser(Protocol):
    """A subscription, notifier or publication, as the user agent sees it."""

    def connected(self) -> None:
        """There is a connection (again), and a registration on it if there is to be one."""

    def connection_lost(self) -> None:
        """The connection is gone."""

    def leave(self) -> asyncio.Future[None]:
        """The user agent stops: say goodbye. Done when that has happened."""

    def close(self) -> None:
        """Nothing more can be sent."""


def read_event(event: str) -> Event:
    """The package, perhaps with ``;id=``.

    :raises InvalidHeaderError: it is none.
    """
    try:
        return Event.parse(event)
    except ParseError:
        raise InvalidHeaderError(f"event={event!r}: not an event package such as presence") from None


def read_accept(value: str) -> str:
    """Content types that we read, with commas between them.

    :raises InvalidHeaderError: one of them is none.
    """
    try:
        for part in split_list(value):
            MediaType.parse(part)
    except (ParseError, TypeError, AttributeError):
        raise InvalidHeaderError(
            f"accept={value!r:.200}: not content types such as application/pidf+xml"
        ) from None
    return value


def seconds(name: str, value: object, least: int = 0) -> int:
    """A duration as the application gives it.

    :raises ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**32:
        raise ValueError(f"{name}={value!r}: not a whole number of seconds of {least} or more")
    return value


class EventPackages(Emitter):
    """The part of `UA` that is about events: who is told of what. Apart from the rest for its size only."""

    def __init__(self) -> None:
        super().__init__()
        self.event_users: set[EventUser] = set()
        """The subscriptions, notifiers and publications that are not over."""
        self.subscribes: dict[int, IncomingSubscribe] = {}
        """SUBSCRIBEs that wait for an answer, by the id of their request."""

    def subscribe(
        self,
        target: str | URI,
        event: str,
        accept: str | None = None,
        *,
        expires: int = SUBSCRIBE_EXPIRES,
        body: str | bytes | Body = b"",
        content_type: str | None = None,
        allow_events: str | None = None,
        extra_headers: HeaderLike = (),
        from_user_name: str | None = None,
        from_display_name: str | None = None,
        resubscribe: bool = True,
        event_handlers: Mapping[str, Handler] | None = None,
    ) -> Subscriber:
        """Ask to be told of what happens at `target` (:rfc:`6665`). The SUBSCRIBE goes in the next turn.

        :param event: the package, such as ``presence``, ``dialog``, ``message-summary``; perhaps with ``;id=``.
        :param accept: content types that we read; the package's own by default.
        :param expires: seconds that it is asked for, each time; 0 asks just for the present state.
        :param body: a filter, with its `content_type`.
        :param resubscribe: have it anew when it ends without being meant to.
        :raises InvalidTargetError: not a target.
        :raises InvalidHeaderError: not an event package, not a content type, or a header that must not go on the
            wire.
        :raises ValueError: not a duration, or a body without content type.
        :raises InvalidStateError: not started.
        """
        ua = self._started("subscribe")
        package = read_event(event)
        accept = accept if accept is not None else ACCEPT.get(package.package)
        own = [("Accept", read_accept(accept))] if accept else []
        if allow_events:
            own.append(("Allow-Events", allow_events))
        content, content_type = encode_body(body, content_type)
        if content and not content_type:
            raise ValueError("content_type: a body needs one")
        if content_type:
            content_type_header(content_type)
        subscriber = Subscriber(
            ua,
            request_target(target, ua.configuration.uri),
            package,
            expires=seconds("expires", expires),
            headers=(*header_list(own), *header_list(extra_headers)),
            from_value=ua.identity.from_value(user=from_user_name, display_name=from_display_name),
            body=content,
            content_type=content_type,
            resubscribe=resubscribe,
        )
        subscriber.on_each(event_handlers)
        subscriber.start_soon()
        return subscriber

    def notify(
        self,
        subscribe: IncomingSubscribe | Request,
        content_type: str | None = None,
        *,
        body: str | bytes | Body = b"",
        pending: bool = False,
        expires: int = DEFAULT_EXPIRES,
        allow_events: str | None = None,
        extra_headers: HeaderLike = (),
    ) -> Notifier:
        """Take a subscription that ``new_subscribe`` told: the 200 goes now, the first NOTIFY in the next turn.

        :param subscribe: the event's `subscribe`, or its `request`.
        :param content_type: of what will be told; values of `sipua.bodies` know their own.
        :param body: the state to tell first, and again after each refresh.
        :param pending: somebody has yet to allow it: see `Notifier.set_active_state`.
        :param expires: the longest duration that is granted, in seconds.
        :param extra_headers: for each NOTIFY.
        :raises InvalidStateError: it was answered already.
        :raises ValueError: not a duration, or a body without content type.
        """
        ua = self._started("notify")
        if isinstance(subscribe, Request):
            found = self.subscribes.get(id(subscribe))
            if found is None:
                raise InvalidStateError("notify", "answered")
            subscribe = found
        content, kind = encode_body(body, content_type)
        if content and not kind:
            raise ValueError("content_type: a body needs one")
        if kind:
            content_type_header(kind)
        notifier = Notifier(
            ua,
            subscribe,
            content,
            kind,
            pending=pending,
            max_expires=seconds("expires", expires, 1),
            headers=(
                *header_list([("Allow-Events", allow_events)] if allow_events else []),
                *header_list(extra_headers),
            ),
        )
        subscribe.take(notifier)
        return notifier

    def send_notify(
        self,
        target: str | URI,
        event: str,
        body: str | bytes | Body = b"",
        content_type: str | None = None,
        *,
        extra_headers: HeaderLike = (),
    ) -> asyncio.Future[Response]:
        """Send a NOTIFY that nobody subscribed to, as some telephones understand it (``check-sync``, ``talk`` …).

        :rfc:`6665` does not know such; the answer may well be 481. Arguments and result are as in `UA.send_message`.
        """
        ua = self._started("send_notify")
        content, kind = encode_body(body, content_type)
        headers = [
            ("Event", str(read_event(event))),
            ("Subscription-State", "active"),
            ("Contact", ua.contact()),
            *header_list(extra_headers),
        ]
        if kind:
            headers += content_type_header(kind)
        return ua._send_out_of_dialog("NOTIFY", target, tuple(headers), content)

    def publish(
        self,
        event: str,
        body: str | bytes | Body,
        content_type: str | None = None,
        *,
        target: str | URI | None = None,
        expires: int = PUBLISH_EXPIRES,
        extra_headers: HeaderLike = (),
    ) -> Publication:
        """Publish our state (:rfc:`3903`), and keep it published. The PUBLISH goes in the next turn.

        :param event: the package, such as ``presence``.
        :param body: the state: a value of `sipua.bodies`, or text with its `content_type`.
        :param target: whose state it is; our own address by default.
        :param expires: seconds that it is asked for, each time.
        :raises InvalidTargetError: not a target.
        :raises InvalidHeaderError: not an event package, not a content type, or a header that must not go on the
            wire.
        :raises ValueError: not a duration, an empty body, or one without content type.
        :raises InvalidStateError: not started.
        """
        ua = self._started("publish")
        content, kind = encode_body(body, content_type)
        if not content or not kind:
            raise ValueError("body: needed to publish anything, with its content_type")
        content_type_header(kind)
        publication = Publication(
            ua,
            request_target(target if target is not None else ua.configuration.uri, ua.configuration.uri),
            read_event(event),
            content,
            kind,
            expires=seconds("expires", expires, 1),
            headers=header_list(extra_headers),
        )
        publication.start_soon()
        return publication

    # --- for the user agent --------------------------------------------------------------------------------

    def _started(self, operation: str) -> UA:
        ua = cast("UA", self)
        ua._assert_running(operation)
        return ua

    def _tell_event_users(self, *, connected: bool) -> None:
        for user in tuple(self.event_users):
            if connected:
                user.connected()
            else:
                user.connection_lost()

    def _close_event_users(self) -> None:
        for user in tuple(self.event_users):
            user.close()
        self.event_users.clear()
