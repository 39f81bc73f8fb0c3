"""Requests to us that belong to no call: MESSAGE (:rfc:`3428`), OPTIONS (:rfc:`3261#section-11`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

from sipua import events
from sipua.emitter import Emitter
from sipua.errors import InvalidStateError
from sipua.session.headers import (
    HeaderLike,
    HeaderPairs,
    checked_body,
    checked_status,
    content_type_header,
    header_list,
    response_header_list,
)
from sipua.session.host import NoResponse
from sipua.session.outcome import settle
from sipua.sip import Address, make_response

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from sipua.emitter import Handler
    from sipua.sip import Request, Response, ServerTransaction
    from sipua.ua.ua import UA


class Outgoing(Emitter):
    """A request of ours outside of calls. Awaiting it gives the final response.

    Its events are ``succeeded`` (`events.RequestSucceeded`) and ``failed`` (`events.RequestFailed`); nobody has to wait
    for either.

    :raises RequestFailed: (when awaited) a final response of 300 or more, or none.
    """

    event_names = frozenset({"succeeded", "failed"})
    direction: Literal["outgoing"] = "outgoing"

    def __init__(self, ua: UA, request: Request, event_handlers: Mapping[str, Handler] | None) -> None:
        super().__init__()
        self.request = request
        self.data: dict[str, Any] = {}
        """For the application; not used here."""
        self._done: asyncio.Future[Response] = ua.loop.create_future()
        self.on_each(event_handlers)

    def __await__(self) -> Generator[Any, None, Response]:
        return _shielded(self._done).__await__()

    def __str__(self) -> str:
        return f"{self.request.method} to {self.request.uri}"

    @property
    def local_identity(self) -> Address:
        """Who sends it."""
        return self.request.from_address

    @property
    def remote_identity(self) -> Address:
        """Who gets it."""
        return self.request.to_address

    @property
    def body(self) -> str:
        """Its content, as text."""
        return self.request.text

    def receive(self, result: Response | NoResponse) -> None:
        """A response, or that there is none; called by the user agent."""
        settle(self._done, self.request.method, result)
        if isinstance(result, NoResponse):
            self.emit("failed", events.RequestFailed("system", result.response, result.cause))
        elif result.code >= 300:
            self.emit("failed", events.RequestFailed("remote", result, events.cause_of_status(result.code)))
        elif result.code >= 200:
            self.emit("succeeded", events.RequestSucceeded("remote", result))


async def _shielded(done: asyncio.Future[Response]) -> Response:
    return await asyncio.shield(done)


class OutgoingMessage(Outgoing):
    """A MESSAGE of ours, made by `UA.send_message`."""


class OutgoingOptions(Outgoing):
    """An OPTIONS of ours, made by `UA.send_options`."""


class Incoming:
    """A request that the application may answer."""

    direction: Literal["incoming"] = "incoming"

    def __init__(self, ua: UA, transaction: ServerTransaction, request: Request) -> None:
        self.request = request
        self.data: dict[str, Any] = {}
        """For the application; not used here."""
        self._ua = ua
        self._transaction = transaction
        self._answered = False
        self._deferred = False

    @property
    def local_identity(self) -> Address:
        """Whom it was sent to."""
        return self.request.to_address

    @property
    def remote_identity(self) -> Address:
        """Who sent it."""
        return self.request.from_address

    @property
    def body(self) -> str:
        """Its content, as text."""
        return self.request.text

    @property
    def content_type(self) -> str:
        """The media type of its content, such as ``text/plain``."""
        return (self.request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def defer(self) -> None:
        """Do not answer when the handlers return: `accept` or `reject` follows, within the 32 s that the peer waits."""
        self._deferred = True

    def reject(
        self, status_code: int = 480, reason_phrase: str | None = None, *, extra_headers: HeaderLike = ()
    ) -> None:
        """Refuse it.

        :param status_code: 300 to 699.
        :param extra_headers: also Contact, with a 3xx: where else to try.
        :raises InvalidStateError: it was answered already.
        :raises ValueError: no such status code.
        """
        checked_status(status_code)
        headers = response_header_list(extra_headers, status_code)
        self._respond(status_code, reason_phrase, headers, b"", "")

    def _default_headers(self) -> tuple[tuple[str, str], ...]:
        return ()

    def _respond(
        self, code: int, phrase: str | None, headers: HeaderPairs, body: str | bytes, content_type: str
    ) -> None:
        if self._answered:
            raise InvalidStateError("answer", "answered")
        content = checked_body(body)
        if content or content_type:
            content_type_header(content_type)
        response = make_response(
            self.request,
            code,
            phrase,
            to_tag=self._transaction.to_tag,
            headers=(*(self._default_headers() if code == 200 else ()), *headers),
            body=content,
            content_type=content_type or None,
        )
        self._answered = True
        self._ua.respond(self._transaction, response)


class IncomingRequest(Incoming):
    """A request that gets 200 when the application leaves it unanswered."""

    def accept(
        self, *, extra_headers: HeaderLike = (), body: str | bytes = b"", content_type: str = ""
    ) -> None:
        """Answer 200.

        :raises InvalidStateError: it was answered already.
        """
        self._respond(200, None, header_list(extra_headers), body, content_type)

    def finish(self) -> None:
        """The handlers have returned: answer, unless somebody did or will."""
        if not self._answered and not self._deferred:
            self.accept()


class IncomingMessage(IncomingRequest):
    """A MESSAGE to us: `body` is what it says."""


class IncomingOptions(IncomingRequest):
    """An OPTIONS to us: somebody asks what we can do, or whether we are there."""

    def _default_headers(self) -> tuple[tuple[str, str], ...]:
        return (
            *self._ua.standard_headers(),
            ("Accept", "application/sdp, text/plain"),
            ("Accept-Encoding", "identity"),
        )
