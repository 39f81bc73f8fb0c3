"""`UA`: the user agent. One account at one or several servers, with its registration and its calls."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from sipua import events
from sipua.errors import InvalidStateError, RegistrationFailed, TransportError
from sipua.media import default_media_factory
from sipua.media.checks import check_options, make_options
from sipua.media.interface import MediaFactory, MediaOptions, MediaSession, TrickleIce
from sipua.session import outgoing
from sipua.session.headers import HeaderLike, checked_body, header_list
from sipua.session.negotiation import SDP_TYPE
from sipua.session.outcome import settle
from sipua.session.replaces import dialog_ids
from sipua.session.session import RTCSession
from sipua.session.timers import TimerPolicy
from sipua.session.trickle_peers import KnownPeers
from sipua.transport import Transport
from sipua.ua import refer, settings
from sipua.ua.config import (
    Configuration,
    UAOptions,
    check_callable,
    check_signer,
    configure,
)
from sipua.ua.endpoint import Endpoint, RequestSender
from sipua.ua.eventing import EventPackages
from sipua.ua.identity import Identity
from sipua.ua.inbound import ALLOW, extensions, on_request
from sipua.ua.inbound_events import allow_events
from sipua.ua.outofdialog import OutgoingMessage, OutgoingOptions
from sipua.ua.registrator import Registrator
from sipua.ua.requests import new_invite, new_request
from sipua.ua.targets import normalize_target, request_target

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from sipua.emitter import Handler
    from sipua.passport.interface import Signer
    from sipua.session.host import DialogUser, Receiver
    from sipua.session.subscriber import ReferSubscriber
    from sipua.sip import URI, Replaces, Request, Response, ServerTransaction

logger = logging.getLogger("sipua.ua")

#: Seconds that `stop` waits for goodbyes before it closes the connection.
STOP_TIMEOUT = 5.0


class UA(EventPackages):
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
        super().__init__()
        self.configuration: Configuration = configure(uri, options)
        self.data: dict[str, Any] = {}
        """For the application; not used here."""
        self.rand = random.SystemRandom()
        self.loop: asyncio.AbstractEventLoop
        self.endpoint: Endpoint
        self.identity = Identity(self.configuration, self.rand)
        self._transport: Transport | None = None
        self._registrator: Registrator | None = None
        self.trickle_peers = KnownPeers()
        """The devices that take candidates by INFO (:rfc:`8840#section-5.2`)."""
        self._sessions: set[RTCSession] = set()
        self._dialogs: dict[tuple[str, str, str], DialogUser] = {}
        self._ended: deque[tuple[str, str, str]] = deque(maxlen=32)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ready: asyncio.Future[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._failed_servers: dict[str, TransportError] = {}
        self._tracer: Callable[[str, str | bytes], None] | None = None
        self.on("registered", lambda _: self._tell_event_users(connected=True))
        configuration = self.configuration
        self.session_timers = TimerPolicy(
            configuration.session_timers,
            configuration.session_timers_refresh_method,
            configuration.session_timers_force_refresher,
            configuration.session_timers_expires,
        )
        self.extensions = extensions(
            session_timers=configuration.session_timers, trickle_ice=self.trickle_ice != "off"
        )
        """The option tags that this user agent supports."""
        self._standard = (
            ALLOW,
            ("Supported", ", ".join(self.extensions)),
            *allow_events(self),
            ("User-Agent", configuration.user_agent),
        )

    def __str__(self) -> str:
        return str(self.configuration.uri)

    # --- life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect, and register unless configured otherwise; events tell how it goes. Needs a running event loop.

        Does nothing when already started.

        :raises InvalidStateError: it is being stopped.
        """
        if self._stopping is not None:
            raise InvalidStateError("start", "stopping")
        if self._transport is not None:
            return
        self.loop = asyncio.get_running_loop()
        configuration = self.configuration
        transport = self._transport = Transport(
            configuration.sockets,
            recovery_min_interval=configuration.connection_recovery_min_interval,
            recovery_max_interval=configuration.connection_recovery_max_interval,
            keep_alive_interval=configuration.keep_alive_interval,
        )
        self.endpoint = Endpoint(
            transport,
            sent_by=self.identity.sent_by,
            authenticator=self.identity.authenticator(self.rand),
            on_request=lambda transaction, request: on_request(self, transaction, request),
            rand=self.rand,
        )
        self.endpoint.on_trace = self._tracer
        if self.has_handlers("new_transaction") or self.has_handlers("transaction_destroyed"):
            self.endpoint.on_transaction = self._on_transaction
        self._ready = self.loop.create_future()
        self._failed_servers.clear()
        self._registrator = self.identity.registrator = Registrator(self)
        self.identity.server_url = lambda: transport.url
        if configuration.register:
            self._registrator._wanted = True
        transport.on_connecting = lambda url, attempt: self.emit(
            "connecting", events.Connecting(url, attempt)
        )
        transport.on_connected = self._on_connected
        transport.on_disconnected = self._on_disconnected
        transport.start()

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """End all calls, unregister, disconnect; wait at most `timeout` seconds for the peers' answers.

        May be followed by `start` again. Does nothing when not started. Whoever is cancelled while waiting for
        it does not keep it from coming to its end.
        """
        if self._stopping is None:
            if self._transport is None:
                return
            self._stopping = self.loop.create_task(self._stop(timeout))
            self._stopping.add_done_callback(self._stopped)
        await asyncio.shield(self._stopping)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._stopping = None
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: stopping failed", self, exc_info=error)

    async def _stop(self, timeout: float) -> None:
        transport, registrator = self._transport, self._registrator
        assert transport is not None
        assert registrator is not None
        waits: list[asyncio.Future[None]] = []
        for session in tuple(self._sessions):
            waits.append(session._gone)
            if not session.is_ended():
                session.terminate()
        waits += [user.leave() for user in tuple(self.event_users)]
        if transport.is_connected and registrator.registered:
            waits.append(registrator.unregister())
        registrator.close()
        if waits:
            await asyncio.wait(waits, timeout=timeout)
        self._set_ready(None)
        await transport.stop()
        self.endpoint.transport_lost()
        self.endpoint.close()
        self._close_event_users()
        for session in tuple(self._sessions):
            session._set_gone()
        for user in tuple(self._dialogs.values()):
            user.close()
        self._dialogs.clear()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=timeout)
        self._transport = self._registrator = None

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` is under way: nothing new may begin."""
        return self._stopping is not None

    def _assert_running(self, operation: str) -> None:
        if self._transport is None or self._stopping is not None:
            raise InvalidStateError(operation, "stopped" if self._transport is None else "stopping")

    async def ready(self) -> None:
        """Wait until connected and, if so configured, registered for the first time.

        :raises TransportError: no server could be reached.
        :raises RegistrationFailed: the registrar refused.
        :raises InvalidStateError: not started.
        """
        if self._ready is None:
            raise InvalidStateError("ready", "stopped")
        await asyncio.shield(self._ready)

    async def __aenter__(self) -> Self:
        self.start()
        try:
            await self.ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def is_connected(self) -> bool:
        """Whether the connection to a server is up."""
        return self._transport is not None and self._transport.is_connected

    def is_registered(self) -> bool:
        """Whether the registrar holds our binding."""
        return self._registrator is not None and self._registrator.registered

    def registrator(self) -> Registrator:
        """Details of the registration: GRUUs, Service-Route, extra headers.

        :raises InvalidStateError: not started.
        """
        if self._registrator is None:
            raise InvalidStateError("registrator", "stopped")
        return self._registrator

    @property
    def sessions(self) -> frozenset[RTCSession]:
        """The calls that are not over."""
        return frozenset(self._sessions)

    def counts(self) -> dict[str, int]:
        """How much is held in memory: sessions, dialogs, transactions, deadlines, tasks. For tests and monitoring."""
        held = {"sessions": len(self._sessions), "dialogs": len(self._dialogs), "tasks": len(self._tasks)}
        held["subscriptions"] = len(self.event_users)
        if self._transport is not None:
            layer = self.endpoint.layer
            held |= {"transactions": len(layer), "deadlines": layer.counts.deadlines}
        return held

    def trace(self, tracer: Callable[[str, str | bytes], None] | None) -> None:
        """Show every message to `tracer(direction, data)`, ``"in"`` or ``"out"``; None ends it.

        The data is as on the wire, credentials included: it is the tracer's duty to keep them.
        """
        self._tracer = tracer
        if self._transport is not None:
            self.endpoint.on_trace = tracer

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
        :raises InvalidStateError: not started.
        :raises MediaFileError: a file to play or record to that cannot be used.
        :raises ValueError: a session interval that is too short.
        """
        self._assert_running("call")
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
        for event, handler in (event_handlers or {}).items():
            session.on(event, handler)
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
        headers = (*header_list([("Content-Type", content_type)]), *header_list(extra_headers))
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
        kind = header_list([("Content-Type", content_type)]) if content else ()
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

    # --- what sessions need --------------------------------------------------------------------------------

    @property
    def contact_uri(self) -> str:
        """Where this connection can be reached (:rfc:`7118#section-5.2`)."""
        return self.identity.contact_uri

    def contact(self, *, anonymous: bool = False) -> str:
        """The Contact for requests and responses that make a dialog: a GRUU when the registrar gave one."""
        return self.identity.contact(anonymous=anonymous)

    @property
    def trickle_ice(self) -> TrickleIce:
        """What calls do unless they say otherwise (`MediaOptions.trickle_ice`)."""
        mode: TrickleIce = self.configuration.media_options.get("trickle_ice", MediaOptions().trickle_ice)
        return mode

    def standard_headers(self) -> tuple[tuple[str, str], ...]:
        """Allow, Supported and User-Agent."""
        return self._standard

    def send_request(
        self, request: Request, receiver: Receiver, *, next_cseq: Callable[[], int] | None = None
    ) -> RequestSender:
        """Send a request and answer its challenges (see `Endpoint.send_request`)."""
        return self.endpoint.send_request(request, receiver, next_cseq=next_cseq)

    def send_ack(self, request: Request) -> None:
        """Send an ACK to a 2xx."""
        self.endpoint.send_ack(request)

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Answer a request."""
        self.endpoint.respond(transaction, response)

    def release(self, transaction: ServerTransaction) -> None:
        """Let go of what an answered INVITE keeps."""
        self.endpoint.release(transaction)

    def new_media(
        self, options: MediaOptions | Mapping[str, Any], factory: MediaFactory | None = None
    ) -> MediaSession:
        """The media of a call: the call's options over the configuration's."""
        make: MediaFactory = check_callable(
            "media", factory or self.configuration.media or default_media_factory
        )
        if isinstance(options, MediaOptions):
            check_options(options)
            return make(options)
        return make(make_options({**self.configuration.media_options, **options}))

    def add_session(self, session: RTCSession) -> None:
        """A call that is not over."""
        self._sessions.add(session)

    def find_dialog(self, dialog_id: tuple[str, str, str]) -> DialogUser | None:
        """Whose dialog this is."""
        return self._dialogs.get(dialog_id)

    def find_call(self, replaces: Replaces) -> RTCSession | int:
        """The call that a Replaces header is about; else the status that says it is not there.

        481, and 603 for one that is over: then nobody shall ring for it (:rfc:`3891#section-3`).
        """
        ids = dialog_ids(replaces)
        for id in ids:
            if isinstance(user := self._dialogs.get(id), RTCSession):
                return user
        return 603 if any(id in self._ended for id in ids) else 481

    def add_dialog(self, dialog_id: tuple[str, str, str], user: DialogUser) -> None:
        """Requests in this dialog are the user's. An empty remote tag stands for any, with NOTIFY."""
        self._dialogs[dialog_id] = user

    def remove_dialog(self, dialog_id: tuple[str, str, str]) -> None:
        """Requests in this dialog get 481."""
        self._dialogs.pop(dialog_id, None)

    def session_over(self, session: RTCSession) -> None:
        """The session has ended."""
        self._sessions.discard(session)
        if session._dialog is not None:
            self._ended.append(session._dialog.id)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task that `stop` waits for."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s: a task failed", self, exc_info=error)

    # --- connection ----------------------------------------------------------------------------------------

    def _on_connected(self, url: str) -> None:
        assert self._transport is not None
        assert self._registrator is not None
        self._failed_servers.clear()
        self.endpoint.layer.via_transport = self._transport.via_transport
        self.emit("connected", events.Connected(url))
        if not self._registrator._wanted:
            self._set_ready(None)
            self._tell_event_users(connected=True)
            return
        first = self._registrator.connected()
        if first is not None and self._ready is not None and not self._ready.done():
            first.add_done_callback(self._first_registration)

    def _first_registration(self, done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, RegistrationFailed) and error.cause is events.Cause.CONNECTION_ERROR:
            return  # the connection was lost meanwhile; the next one registers again
        self._set_ready(error if isinstance(error, Exception) else None)

    def _on_disconnected(self, url: str, error: TransportError | None) -> None:
        code, reason = getattr(error, "code", None), getattr(error, "reason", "")
        self.emit("disconnected", events.Disconnected(url, error, code, reason))
        self.endpoint.transport_lost()
        if self._registrator is not None:
            self._registrator.connection_lost()
        self._tell_event_users(connected=False)
        if error is not None:
            self._failed_servers[url] = error
            if len(self._failed_servers) >= len({server.url for server in self.configuration.sockets}):
                self._set_ready(error)

    def _set_ready(self, error: Exception | None) -> None:
        if self._ready is None or self._ready.done():
            return
        if error is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(error)
            self._ready.exception()  # nobody has to wait for it

    def _on_transaction(self, what: str, transaction: object) -> None:
        if what == "new":
            self.emit("new_transaction", events.NewTransaction(transaction))
        else:
            self.emit("transaction_destroyed", events.TransactionDestroyed(transaction))
