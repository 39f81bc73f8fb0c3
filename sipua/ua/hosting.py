"""What calls and subscriptions need of their user agent: the part of `UA` that is a `SessionHost`."""

from __future__ import annotations

import logging
import random
from collections import deque
from typing import TYPE_CHECKING, Any

from sipua.media import default_media_factory
from sipua.media.checks import check_options, make_options
from sipua.media.interface import MediaFactory, MediaOptions, MediaSession, TrickleIce
from sipua.session.replaces import dialog_ids
from sipua.session.session import RTCSession
from sipua.session.timers import TimerPolicy
from sipua.session.trickle_peers import KnownPeers
from sipua.ua.config import Configuration, check_callable
from sipua.ua.eventing import EventPackages
from sipua.ua.identity import Identity
from sipua.ua.inbound import ALLOW, extensions
from sipua.ua.inbound_events import allow_events

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping

    from sipua.session.host import DialogUser, Receiver
    from sipua.sip import Replaces, Request, Response, ServerTransaction
    from sipua.ua.endpoint import Endpoint, RequestSender

logger = logging.getLogger("sipua.ua")


class Hosting(EventPackages):
    """The part of `UA` that calls lean on: its name on the wire, its dialogs, its tasks."""

    loop: asyncio.AbstractEventLoop
    endpoint: Endpoint

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        self.configuration = configuration
        self.rand = random.SystemRandom()
        self.identity = Identity(configuration, self.rand)
        self._sessions: set[RTCSession] = set()
        self._dialogs: dict[tuple[str, str, str], DialogUser] = {}
        self._ended: deque[tuple[str, str, str]] = deque(maxlen=32)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.session_timers = TimerPolicy(
            configuration.session_timers,
            configuration.session_timers_refresh_method,
            configuration.session_timers_force_refresher,
            configuration.session_timers_expires,
        )
        self.trickle_peers = KnownPeers()
        """The devices that take candidates by INFO (:rfc:`8840#section-5.2`)."""
        self.extensions = extensions(
            session_timers=configuration.session_timers, trickle_ice=self.trickle_ice != "off"
        )
        """The option tags that this user agent supports."""
        self._standard = (
            ALLOW,
            ("Supported", ", ".join(self.extensions)),
            *allow_events(configuration),
            ("User-Agent", configuration.user_agent),
        )

    @property
    def sessions(self) -> frozenset[RTCSession]:
        """The calls that are not over."""
        return frozenset(self._sessions)

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

    def check_connection(self) -> None:
        """Find out now whether the connection to the server is alive."""
        self.endpoint.transport.check()

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
