"""Re-INVITE of the peer (:rfc:`3261#section-14.2`): a new offer for a call that is up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua.errors import MediaNegotiationError
from sipua.events import Cause
from sipua.session import terminate
from sipua.session.negotiation import change_sdp, sdp_of, set_sdp
from sipua.session.reply import respond
from sipua.session.states import Event, State, allowed
from sipua.sip import AckReceived, AckTimedOut, Cancelled, make_response

if TYPE_CHECKING:
    from sipua.session.session import RTCSession
    from sipua.sip import Request, ServerTransaction

logger = logging.getLogger("sipua.session")


def on_reinvite(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    """Answer it with what media makes of it; what media cannot take is refused and changes nothing."""
    if session.status is not State.CONFIRMED:
        respond(session, transaction, request, 491)
        return
    media = session._media
    assert media is not None
    offer = sdp_of(request)
    user = _ReinviteUser(session, transaction, request, late_offer=not offer)
    transaction.user = user

    async def work() -> str:
        if not offer:
            return await change_sdp(session, "local", "offer", await media.create_offer())
        changed = await change_sdp(session, "remote", "offer", offer)
        return await change_sdp(session, "local", "answer", await media.create_answer(changed))

    session._do(work(), user.accept, user.refuse)


class _ReinviteUser:
    """One re-INVITE until its ACK."""

    def __init__(
        self, session: RTCSession, transaction: ServerTransaction, request: Request, *, late_offer: bool
    ) -> None:
        self._session = session
        self._transaction = transaction
        self._request = request
        self._late_offer = late_offer

    def accept(self, sdp: str) -> None:
        if self._is_answered():  # cancelled meanwhile
            return
        session = self._session
        response = make_response(self._request, 200, to_tag=self._transaction.to_tag)
        response.headers.add("Contact", session.contact)
        for name, value in session._host.standard_headers():
            response.headers.add(name, value)
        set_sdp(response, sdp)
        session._host.respond(self._transaction, response)

    def refuse(self, error: Exception) -> None:
        logger.warning("%s: re-INVITE refused: %s", self._session, error)
        if not self._is_answered():
            status = error.status if isinstance(error, MediaNegotiationError) else 500
            respond(self._session, self._transaction, self._request, status)

    def on_transaction_event(self, event: object) -> None:
        session = self._session
        if isinstance(event, AckReceived) and self._late_offer:
            session._post(lambda: self._on_late_answer(event.request))
        elif isinstance(event, Cancelled):
            session._post(self._cancelled, urgent=True)
        elif isinstance(event, AckTimedOut):
            session._post(self._no_ack, urgent=True)

    def _is_answered(self) -> bool:
        response = self._transaction.last_response
        return response is not None and response.code >= 200

    def _cancelled(self) -> None:
        if not self._is_answered():
            respond(self._session, self._transaction, self._request, 487)

    def _on_late_answer(self, ack: Request) -> None:
        session = self._session
        media = session._media
        sdp = sdp_of(ack)
        if session.status is not State.CONFIRMED or media is None:
            return
        if not sdp:
            session._do(media.rollback(), lambda _: None, self._log)
            return

        async def work() -> None:
            await media.apply_answer(await change_sdp(session, "remote", "answer", sdp))

        session._do(work(), lambda _: None, self._log)

    def _log(self, error: Exception) -> None:
        logger.warning("%s: the answer in the ACK cannot be used: %s", self._session, error)

    def _no_ack(self) -> None:
        if allowed(self._session.status, Event.FAILURE):
            terminate.finish(self._session, Event.FAILURE, originator="system", cause=Cause.NO_ACK)
