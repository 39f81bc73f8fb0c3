"""`Publication`: telling a server our state, and keeping it there (:rfc:`3903`)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Self

from sipua import events
from sipua.bodies import encode_body
from sipua.emitter import Emitter
from sipua.errors import InvalidStateError, RequestFailed
from sipua.events import Cause, cause_of_status
from sipua.session.headers import content_type_header
from sipua.session.host import NoResponse
from sipua.session.outcome import failure_of
from sipua.sip import Response, new_call_id
from sipua.ua.pacing import LASTING, Backoff, asked_delay, refresh_delay
from sipua.ua.requests import new_request
from sipua.ua.timers import TimerBox

if TYPE_CHECKING:
    from sipua.bodies import Body
    from sipua.session.headers import HeaderPairs
    from sipua.sip import URI, Event
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.ua")

#: Times that a 412 or 423 is followed in a row.
MAX_CORRECTIONS = 3


class Publication(Emitter):
    """Something published, kept alive until `unpublish`. Made by `UA.publish`, which sends the first PUBLISH.

    ::

        async with ua.publish("presence", Presence("sip:alice@example.com", …)) as publication:
            await publication.update(Presence("sip:alice@example.com", …))

    ``async with`` waits until it is published, and removes it on leaving. One PUBLISH is under way at a time; of
    updates that come meanwhile the last one counts. What the server lost (412) is published anew.
    """

    event_names = frozenset({"published", "failed", "unpublished"})

    def __init__(
        self,
        ua: UA,
        target: URI,
        event: Event,
        body: bytes,
        content_type: str,
        *,
        expires: int,
        headers: HeaderPairs,
    ) -> None:
        super().__init__()
        self.target = target
        """Whose state it is."""
        self.event = event
        """The package."""
        self.data: dict[str, Any] = {}
        """For the application; not used here."""
        self.etag: str | None = None
        """The server's name for what it holds; None when it holds nothing."""
        self.expires_at = 0.0
        """When it ends unless it is refreshed, in seconds of the event loop's clock."""
        self._ua = ua
        self._loop = ua.loop
        self._body = body
        self._content_type = content_type
        self._expires = expires
        self._headers = headers
        self._call_id = new_call_id()
        self._sequence = 0
        self._timers = TimerBox(ua.loop)
        self._backoff = Backoff(ua.rand)
        self._corrections = 0
        self._busy = False
        self._dirty = True  # the server does not have our latest body
        self._in_doubt = False  # the connection broke: the server may not be the one that it was
        self._removing = False
        self._over = False
        self._done: asyncio.Future[None] = ua.loop.create_future()
        self._gone: asyncio.Future[None] = ua.loop.create_future()

    def __str__(self) -> str:
        return f"publication of {self.event.package} of {self.target}"

    def is_published(self) -> bool:
        """Whether the server holds our state."""
        return self.etag is not None and self._loop.time() < self.expires_at

    # --- what the application asks for ---------------------------------------------------------------------

    def update(self, body: str | bytes | Body, content_type: str | None = None) -> asyncio.Future[None]:
        """Publish another state in the place of the last one.

        :returns: done when the server has it; a `RequestFailed` when it refused.
        :raises InvalidStateError: it was unpublished.
        """
        self._check("update")
        content, kind = encode_body(body, content_type)
        if kind:
            content_type_header(kind)
        self._body, self._content_type = content, kind or self._content_type
        self._dirty = True
        return self._act()

    def refresh(self) -> asyncio.Future[None]:
        """Prolong it now; see `update`.

        :raises InvalidStateError: it was unpublished.
        """
        self._check("refresh")
        return self._act()

    def unpublish(self) -> asyncio.Future[None]:
        """Remove it from the server.

        :returns: done when that has happened, or the server is given up.
        :raises InvalidStateError: it was unpublished.
        """
        self._check("unpublish")
        self._removing = True
        self._timers.clear("again")
        if not self._busy:
            self._remove()
        return self._gone

    async def wait_published(self) -> None:
        """Wait for the answer to what was asked for last.

        :raises RequestFailed: refused, or no answer.
        """
        await asyncio.shield(self._done)

    async def __aenter__(self) -> Self:
        try:
            await self.wait_published()
        except BaseException:
            self.leave()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.shield(self.leave())

    def _check(self, operation: str) -> None:
        if self._over or self._removing:
            raise InvalidStateError(operation, "unpublished")

    # --- what the user agent asks for ----------------------------------------------------------------------

    def start_soon(self) -> None:
        """Begin in the next turn, so that handlers registered on what `UA.publish` returns miss nothing."""
        self._ua.event_users.add(self)
        self._loop.call_soon(lambda: None if self._busy or self._over else self._act())

    def connected(self) -> None:
        """There is a connection (again): what is due is sent, and what the server may have lost."""
        if not self._busy and (self._dirty or self._in_doubt or "again" not in self._timers):
            self._act()

    def connection_lost(self) -> None:
        """The connection is gone; what is published stays until its time is over, unless the server was restarted."""
        self._in_doubt = self.etag is not None

    def leave(self) -> asyncio.Future[None]:
        """`unpublish`, unless that was done."""
        return self._gone if self._over or self._removing else self.unpublish()

    def close(self) -> None:
        """Nothing more can be sent."""
        self._finish(None, Cause.CONNECTION_ERROR)

    # --- PUBLISH -------------------------------------------------------------------------------------------

    def _act(self) -> asyncio.Future[None]:
        """Send what is needed, now or when the request under way is answered."""
        if self._done.done():
            self._done = self._loop.create_future()
        if self._busy:
            self._dirty = True
        elif self._ua.is_connected():
            self._send(self._expires, self._body if self._dirty or self.etag is None else b"")
        return self._done  # without a connection: when there is one

    def _remove(self) -> None:
        if self.etag is None or not self._ua.is_connected():
            self._finish(None, None)
        else:
            self._send(0, b"")

    def _send(self, expires: int, body: bytes) -> None:
        """One of the four operations of :rfc:`3903#section-4.1`: initial, refresh, modify, remove."""
        self._busy = True
        self._in_doubt = False
        if body:
            self._dirty = False
        self._timers.clear("again")
        headers = [("Event", str(self.event)), ("Expires", str(expires))]
        if self.etag is not None:
            headers.append(("SIP-If-Match", self.etag))
        headers += [*self._ua.standard_headers(), *self._headers]
        if body:
            headers.append(("Content-Type", self._content_type))
        own = self._ua.identity.from_value()
        request = new_request(
            "PUBLISH",
            self.target,
            from_=own,
            to=f"<{self.target}>",
            route=self._ua.identity.route(),
            headers=headers,
            body=body,
            call_id=self._call_id,
            sequence=self._next_sequence(),
        )
        self._ua.send_request(
            request, lambda result: self._on_result(expires, result), next_cseq=self._next_sequence
        )

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _on_result(self, asked: int, result: Response | NoResponse) -> None:
        if self._over or (isinstance(result, Response) and result.code < 200):
            return
        self._busy = False
        if asked == 0:
            self._finish(result if isinstance(result, Response) else None, None)
            return
        if isinstance(result, Response) and self._correct(asked, result):
            self._act_again()
        elif isinstance(result, Response) and result.code < 300:
            self._published(asked, result)
        else:
            self._failed(result)

    def _act_again(self) -> None:
        if self._removing:
            self._remove()
        else:
            self._act()

    def _correct(self, asked: int, response: Response) -> bool:
        """Do what the server asks for before it takes a PUBLISH: another try without entity tag, or for longer."""
        if response.code not in (412, 423) or self._corrections >= MAX_CORRECTIONS:
            return False
        if response.code == 412:  # it lost our state: all of it again (RFC 3903 §4.1)
            if self.etag is None:
                return False
            self.etag, self._dirty = None, True
        else:
            try:
                least = response.min_expires or 0
            except ValueError:
                return False
            if least <= asked:
                return False
            self._expires, self._dirty = least, True
        self._corrections += 1
        return True

    def _published(self, asked: int, response: Response) -> None:
        self._corrections = 0
        self._backoff.reset()
        try:
            expires = float(asked if response.expires is None else min(asked, response.expires))
        except ValueError:
            expires = float(asked)
        self.etag = response.sip_etag or None
        if self.etag is None:
            logger.warning("%s: the server answered %d without an entity tag", self, response.code)
        self.expires_at = self._loop.time() + expires
        if expires > 0:
            self._timers.set("again", refresh_delay(expires, self._ua.rand), self._act)
            self._timers.set("expiry", expires, self._expired)
        self.emit("published", events.Published(response, expires, self.etag))
        if self._removing:
            self._remove()
        elif self._dirty:
            self._act()
        else:
            self._settle(None)

    def _expired(self) -> None:
        """Nobody answered our refreshes in time; the next one publishes anew."""
        self.etag, self._dirty = None, True
        self.emit("unpublished", events.Unpublished(None, Cause.EXPIRES))

    def _failed(self, result: Response | NoResponse) -> None:
        self._corrections = 0
        self._dirty = True
        response = result if isinstance(result, Response) else None
        cause = result.cause if isinstance(result, NoResponse) else cause_of_status(result.code)
        delay = None
        if cause is not Cause.CONNECTION_ERROR and (response is None or response.code not in LASTING):
            delay = self._backoff.next(asked_delay(response))
            self._timers.set("again", delay, self._act)
        error = failure_of("PUBLISH", result) or RequestFailed("PUBLISH", cause=cause)
        logger.warning("%s: %s", self, error)
        self._settle(error)
        self.emit("failed", events.PublishFailed(cause, response, delay))
        if self._removing:
            self._remove()

    def _finish(self, response: Response | None, cause: Cause | None) -> None:
        """It is over for good."""
        if self._over:
            return
        was = self.etag is not None
        self._over, self.etag = True, None
        self._timers.clear_all()
        self._ua.event_users.discard(self)
        self._settle(InvalidStateError("publish", "unpublished"))
        self._gone.set_result(None)
        if was:
            self.emit("unpublished", events.Unpublished(response, cause))

    def _settle(self, error: Exception | None) -> None:
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)
            self._done.exception()  # nobody has to wait for it
