"""`UA`: the user agent. One account at one or several servers, with its registration and its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Unpack

from sipua import events
from sipua.errors import InvalidStateError
from sipua.session import outgoing
from sipua.session.headers import HeaderLike, checked_body, content_type_header, header_list
from sipua.session.negotiation import SDP_TYPE
from sipua.session.outcome import settle
from sipua.session.session import RTCSession
from sipua.ua import refer, settings
from sipua.ua.config import (
    UAOptions,
    check_signer,
    configure,
)
from sipua.ua.life import Life
from sipua.ua.outofdialog import OutgoingMessage, OutgoingOptions
from sipua.ua.requests import new_invite, new_request
from sipua.ua.targets import normalize_target, request_target

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from sipua.emitter import Handler
    from sipua.media.interface import MediaFactory
    from sipua.passport.interface import Signer
    from sipua.session.subscriber import ReferSubscriber
    from sipua.sip import URI, Replaces, Request, Response


class UA(Life):
    """A SIP user agent over WebSocket (:rfc:`7118`).

    ::

        async with UA("sip:alice@example.com", sockets="wss://example.com/ws", password="secret") as ua:
            async with ua.call("bob", audio="hello.wav") as call:
                await call.wait_ended()

    ``async with`` connects, registers (unless ``register=False``) and raises what goes wrong with that; on leaving
    it ends calls, unregisters and disconnects. `start` does the same without waiting: then events tell.

    :param uri: our address of record.
    :param options: the fields of `Configuration`, and ``ca_file``, ``insecure`` and ``connect_timeout`` for the
        WebSocket connections.
    :raises ConfigurationError: an option that does not exist or cannot be used.
    """

    event_names = frozenset(
        {
            "connecting",
            "connected",
            "disconnected",
            "registered",
            "unregistered",
            "registration_failed",
            "registration_expiring",
            "new_rtc_session",
            "new_message",
            "new_options",
            "refer",
            "new_subscribe",
            "sip_event",
            "new_transaction",
            "transaction_destroyed",
        }
    )

    def __init__(self, uri: str | URI, **options: Unpack[UAOptions]) -> None:
        super().__init__(configure(uri, options))
        self.data: dict[str, Any] = {}
        """For the application; not used here."""

    def __str__(self) -> str:
        return str(self.configuration.uri)

    def get(self, key: str) -> Any:
        """The value of a configuration key (see `Configuration`).

        :raises ConfigurationError: there is no such key.
        """
        return settings.get(self, key)

    def set(self, key: str, value: Any) -> None:
        """Change a configuration key, from the next request on: credentials, ``display_name``, ``extra_headers``.

        :raises ConfigurationError: a key that does not exist or cannot be changed, or a value that cannot be used.
        """
        settings.change(self, key, value)

    # --- registration --------------------------------------------------------------------------------------

    def register(self) -> asyncio.Future[None]:
        """Register or refresh now; done when it worked, a `RegistrationFailed` when not.

        :raises InvalidStateError: not started.
        """
        return self.registrator().register()

    def unregister(self, *, all: bool = False) -> asyncio.Future[None]:
        """Remove our binding; with `all`, every binding of our address.

        :raises InvalidStateError: not started.
        """
        return self.registrator().unregister(all=all)

    def set_extra_headers(self, headers: HeaderLike) -> None:
        """Headers for every REGISTER from now on."""
        self.registrator().set_extra_headers(headers)

    def set_extra_contact_params(self, params: Mapping[str, str | None]) -> None:
        """Parameters for the Contact of every REGISTER from now on; None is one without a value.

        :raises InvalidHeaderError: a name or value that cannot stand there.
        """
        self.registrator().set_extra_contact_params(params)

    # --- calls and messages --------------------------------------------------------------------------------

    def call(
        self,
        target: str | URI,
        *,
        extra_headers: HeaderLike = (),
        event_handlers: Mapping[str, Handler] | None = None,
        anonymous: bool = False,
        privacy: str | None = None,
        from_user_name: str | None = None,
        from_display_name: str | None = None,
        expires: int | None = None,
        no_answer_timeout: float | None = None,
        late_offer: bool = False,
        follow_redirects: bool = False,
        session_timers_expires: int | None = None,
        identity_signer: Signer | Literal[False] | None = None,
        media: MediaFactory | None = None,
        **media_options: Any,
    ) -> RTCSession:
        """Call somebody. Returns at once; the call goes on in the background and its events tell how.

        :param target: a user name or number at our own domain, or a SIP, SIPS or tel URI.
        :param anonymous: hide who calls (:rfc:`3323`).
        :param privacy: what the network shall hide, such as ``header;id``; ``id`` by default when anonymous.
        :param expires: give up after so many seconds, told to the peer in an Expires header.
        :param no_answer_timeout: seconds until an unanswered call is cancelled; the configuration's by default.
        :param follow_redirects: call who is named in a 3xx, unless the ``redirect`` event's handlers decide otherwise.
        :param late_offer: send the INVITE without an offer; the peer makes it.
        :param session_timers_expires: the session interval to ask for (:rfc:`4028`), in seconds: 90 or more; the
            configuration's by default.
        :param identity_signer: what signs the INVITE (:rfc:`8224`), such as `IdentitySigner`; the configuration's by
            default, False for none. An anonymous call is not signed: it would tell who calls.
        :param media: what makes the call's media; the configuration's by default.
        :param media_options: fields of `MediaOptions`: ``audio=``, ``record=``, ``echo=``, ``codecs=`` …
        :raises InvalidTargetError: not a target, or a SIP URI with headers, which belong into `extra_headers`.
        :raises InvalidHeaderError: a header that must not go on the wire, or is not the application's to set.
        :raises ConfigurationError: an option that does not exist or cannot be used.
        :raises InvalidStateError: not started, or being drained or stopped.
        :raises MediaFileError: a file to play or record to that cannot be used.
        :raises ValueError: a session interval that is too short.
        """
        self._assert_running("call")
        if self._draining:
            raise InvalidStateError("call", "draining")
        limit = self.configuration.answer_limit(no_answer_timeout, expires)
        signer = None
        if identity_signer is not False and not anonymous:
            signer = self.configuration.identity_signer
            if identity_signer is not None:
                signer = check_signer("identity_signer", identity_signer)
        request = new_invite(
            self,
            request_target(target, self.configuration.uri),
            header_list(extra_headers),
            anonymous=anonymous,
            privacy=privacy,
            user=from_user_name,
            display_name=from_display_name,
            expires=expires,
        )
        session = RTCSession(self, "outgoing")
        session.on_each(event_handlers)
        outgoing.prepare(
            session,
            request,
            media_options,
            media,
            late_offer=late_offer,
            no_answer_timeout=limit,
            session_timers_expires=session_timers_expires,
            follow_redirects=follow_redirects,
            signer=signer,
        )
        self.add_session(session)
        self.emit("new_rtc_session", events.NewRTCSession("local", session, request))
        # In the next turn, so that handlers registered on what this returns miss nothing.
        self.loop.call_soon(session._post, lambda: outgoing.start(session))
        return session

    def send_message(
        self,
        target: str | URI,
        body: str | bytes,
        *,
        content_type: str = "text/plain",
        extra_headers: HeaderLike = (),
        event_handlers: Mapping[str, Handler] | None = None,
        from_user_name: str | None = None,
        from_display_name: str | None = None,
    ) -> OutgoingMessage:
        """Send a MESSAGE outside of calls (:rfc:`3428`).

        :param event_handlers: handlers for the events of what is returned: ``succeeded`` and ``failed``.
        :returns: awaitable for the final response; a `RequestFailed` for one of 300 or more, or none.
        :raises InvalidTargetError: not a target.
        :raises InvalidHeaderError: a header that must not go on the wire, or is not the application's to set.
        :raises InvalidStateError: not started.
        :raises ValueError: there is no event of that name.
        """
        headers = (*content_type_header(content_type), *header_list(extra_headers))
        sender = self.identity.from_value(user=from_user_name, display_name=from_display_name)
        message = OutgoingMessage(
            self, self._request("MESSAGE", target, headers, checked_body(body), sender), event_handlers
        )
        self.emit("new_message", events.NewMessage("local", message, message.request))
        self.endpoint.send_request(message.request, message.receive)
        return message

    def send_options(
        self,
        target: str | URI,
        body: str | bytes = b"",
        *,
        content_type: str = SDP_TYPE,
        extra_headers: HeaderLike = (),
        event_handlers: Mapping[str, Handler] | None = None,
    ) -> OutgoingOptions:
        """Ask `target` what it can do (:rfc:`3261#section-11`); see `send_message`."""
        content = checked_body(body)
        kind = content_type_header(content_type) if content else ()
        headers = (("Accept", SDP_TYPE), ("Contact", self.contact()), *kind, *header_list(extra_headers))
        options = OutgoingOptions(self, self._request("OPTIONS", target, headers, content), event_handlers)
        self.emit("new_options", events.NewOptions("local", options, options.request))
        self.endpoint.send_request(options.request, options.receive)
        return options

    def refer(
        self,
        target: str | URI,
        refer_to: str | URI | None = None,
        *,
        replaces: RTCSession | Replaces | None = None,
        refer_sub: bool = True,
        extra_headers: HeaderLike = (),
        event_handlers: Mapping[str, Handler] | None = None,
    ) -> ReferSubscriber:
        """Ask `target`, with whom we have no call, to call `refer_to` (:rfc:`3515`): click to dial, for instance.

        The other arguments, the result and the errors are those of `RTCSession.refer`. Of a target with several
        devices, the first that takes it tells us how it goes.

        :raises InvalidStateError: not started.
        """
        self._assert_running("refer")
        return refer.refer(self, target, refer_to, replaces, refer_sub, extra_headers, event_handlers)

    def _send_out_of_dialog(
        self, method: str, target: str | URI, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> asyncio.Future[Response]:
        request = self._request(method, target, headers, body)
        done: asyncio.Future[Response] = self.loop.create_future()
        self.endpoint.send_request(request, lambda result: settle(done, method, result))
        return done

    def _request(
        self,
        method: str,
        target: str | URI,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
        sender: str | None = None,
    ) -> Request:
        """A request outside of dialogs; `sender` is the From value when it is not ours."""
        self._assert_running(method)
        uri = request_target(target, self.configuration.uri)
        return new_request(
            method,
            uri,
            from_=sender or self.identity.from_value(),
            to=f"<{uri}>",
            route=self.identity.route(),
            headers=(*self._standard, *headers),
            body=body,
        )

    def terminate_sessions(self, **options: Any) -> None:
        """End all calls; `options` as for `RTCSession.terminate`."""
        for session in tuple(self._sessions):
            if not session.is_ended():
                session.terminate(**options)

    def normalize_target(self, target: str | URI) -> URI:
        """What the user typed, as a URI.

        :raises InvalidTargetError: not a target.
        """
        return normalize_target(target, self.configuration.uri)
