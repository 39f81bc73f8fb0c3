"""Re-INVITE of the peer (:rfc:`3261#section-14.2`): a new offer, or the wish for one of ours, in a call that is up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from sipua import events
from sipua.errors import InvalidStateError, MediaNegotiationError, ParseError
from sipua.events import Cause
from sipua.session import early, hold, incoming, terminate, timers
from sipua.session.headers import checked_phrase, checked_status, response_header_list
from sipua.session.negotiation import answer_offer, change_sdp, make_offer, refusal_of_body, sdp_of
from sipua.session.renegotiation import REFUSALS, Phase, Step
from sipua.session.reply import respond, retry_later
from sipua.session.states import ESTABLISHED, Event, State, allowed
from sipua.sip import AckReceived, AckTimedOut, Cancelled, TransportFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.interface import MediaSession
    from sipua.session.session import RTCSession
    from sipua.sip import Dialog, Request, ServerTransaction

logger = logging.getLogger("sipua.session")


class Rejected(Exception):
    """The application's handler said no."""

    def __init__(self, code: int, phrase: str | None, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__(f"{code} {phrase or ''}")
        self.code, self.phrase, self.headers = code, phrase, headers


class IncomingRequest:
    """A re-INVITE or UPDATE of the peer while the application and media work on it."""

    event: Literal["reinvite", "update"]

    def __init__(self, session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
        self.session = session
        self.transaction = transaction
        self.request = request
        self.callback: Callable[[], Any] | None = None
        self._rejected: Rejected | None = None
        self._asked = False
        session._renegotiation.unanswered[transaction] = request

    @property
    def media(self) -> MediaSession:
        """The call's media."""
        media = self.session._media
        assert media is not None
        return media

    async def ask(self) -> None:
        """Let the application look at it, and reject it.

        :raises Rejected: it did.
        """
        session = self.session
        if not session.has_handlers(self.event):
            return
        kind = events.Reinvite if self.event == "reinvite" else events.Update
        event = kind(self.request, self._reject)
        await session.emit_and_wait(self.event, event)
        self._asked = True
        self.callback = event.callback
        if self._rejected is not None:
            raise self._rejected

    def _reject(self, status_code: int, reason_phrase: str | None, extra_headers: Any) -> None:
        checked_status(status_code)
        headers = response_header_list(extra_headers, status_code)
        phrase = checked_phrase(reason_phrase)
        if self._asked or self.is_answered:
            raise InvalidStateError("reject", "answered")
        self._rejected = Rejected(status_code, phrase, headers)

    async def answer(self, offer: str) -> str:
        """Media's answer to the offer in it. The application may have said meanwhile that it takes video."""
        self.media.video_direction = self.session._renegotiation.wanted_video()
        return await answer_offer(self.session, offer)

    @property
    def is_answered(self) -> bool:
        """Whether there is nothing to answer any more."""
        return self.transaction not in self.session._renegotiation.unanswered

    def reply(
        self,
        code: int,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        phrase: str | None = None,
        sdp: str = "",
    ) -> None:
        """Answer it, if it was not answered yet."""
        if not self.is_answered:
            del self.session._renegotiation.unanswered[self.transaction]
            respond(self.session, self.transaction, self.request, code, headers, phrase=phrase, sdp=sdp)

    def accept(self, sdp: str = "") -> None:
        """Answer with 200: from now on it is in force."""
        session = self.session
        session._peer.learn(self.request)
        self.reply(
            200,
            (
                ("Contact", session.contact),
                *session._headers(),
                *(session._timer.answer_headers(self.request) if session.status in ESTABLISHED else ()),
            ),
            sdp=sdp,
        )

    def refuse(self, error: Exception) -> None:
        """Answer with what the error stands for; nothing has changed."""
        if isinstance(error, Rejected):
            self.reply(error.code, error.headers, phrase=error.phrase)
            return
        logger.warning("%s: %s refused: %s", self.session, self.request.method, error)
        self.reply(error.status if isinstance(error, MediaNegotiationError) else 500)

    def tell(self) -> None:
        """What the application wanted to be called after it was accepted."""
        if self.callback is not None:
            try:
                self.callback()
            except Exception:
                logger.exception("%s: the callback of %r raised", self.session, self.event)


def refusal(session: RTCSession, request: Request) -> tuple[int, tuple[tuple[str, str], ...]] | None:
    """What is wrong with the re-INVITE or UPDATE itself; None: nothing."""
    wrong = refusal_of_body(request)
    if wrong is not None:
        return wrong
    try:
        return timers.refusal(session._host.session_timers, request)
    except ParseError:
        return 400, ()


def on_reinvite(
    session: RTCSession, dialog: Dialog, transaction: ServerTransaction, request: Request
) -> None:
    """Refuse it at once if it must not be now; else it is answered with what the application and media make of it."""
    wrong = refusal(session, request)
    if wrong is not None:
        respond(session, transaction, request, *wrong)
        return
    if session.status in (State.CONFIRMED, State.WAITING_FOR_ACK):
        code = early.refusal(session, dialog) or REFUSALS.get(session._renegotiation.phase)
    else:  # the INVITE that makes the call is still open: the peer's own, or ours
        code = 500 if session.status in (State.INCOMING, State.ANSWERING) else 491
    if code is not None:
        respond(session, transaction, request, code, retry_later(session, code))
        return
    if session.status is State.WAITING_FOR_ACK:
        incoming.overtaken(session)
    renegotiation = session._renegotiation
    if renegotiation.incoming is not None:
        renegotiation.incoming.transaction.acknowledged()
    renegotiation.step(Step.OFFER_IN)
    reinvite = renegotiation.incoming = IncomingReinvite(session, transaction, request)
    transaction.user = reinvite
    session._post(reinvite.begin)


class IncomingReinvite(IncomingRequest):
    """One re-INVITE until its ACK."""

    event = "reinvite"

    def __init__(self, session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
        super().__init__(session, transaction, request)
        self._offer = sdp_of(request)
        self._committed = False
        self._lost = False  # with its connection: nobody hears the answer

    def begin(self) -> None:
        """Its turn has come."""
        session = self.session
        if session.is_ended():
            return
        if self.is_answered:  # cancelled meanwhile
            self._over()
            return
        self.media.direction = session._renegotiation.wanted()
        session._do(self._work(), self._done, self._failed)

    async def _work(self) -> str:
        await self.ask()
        self._committed = not self.is_answered  # what media has taken cannot be taken back by a CANCEL
        if not self._committed:
            raise Rejected(487, None, ())
        if self._offer:
            return await self.answer(self._offer)
        self.media.video_direction = self.session._renegotiation.offered_video()
        return await make_offer(self.session)

    def _done(self, sdp: str) -> None:
        self.accept(sdp)
        renegotiation = self.session._renegotiation
        if self._lost:
            self._forget()
        elif self._offer:
            renegotiation.step(Step.ACCEPT)
            hold.heard(self.session, "offer", self._offer)
            self.tell()
        else:
            renegotiation.step(Step.OFFER_BACK)

    def _failed(self, error: Exception) -> None:
        self.refuse(error)
        self._over()

    def _over(self) -> None:
        renegotiation = self.session._renegotiation
        if renegotiation.incoming is self:
            renegotiation.incoming = None
        renegotiation.step(Step.ANSWER)

    # --- after the answer ----------------------------------------------------------------------------------

    def on_transaction_event(self, event: object) -> None:
        """An event of its server transaction."""
        session = self.session
        if isinstance(event, AckReceived):
            session._post(lambda: self._on_ack(event.request))
        elif isinstance(event, Cancelled):
            session._post(self._cancelled, urgent=True)
        elif isinstance(event, AckTimedOut):
            session._post(self._no_ack, urgent=True)
        elif isinstance(event, TransportFailed):
            self._lost = True

    def _cancelled(self) -> None:
        if not self._committed:
            self.reply(487)

    def _on_ack(self, ack: Request) -> None:
        session = self.session
        renegotiation = session._renegotiation
        if renegotiation.incoming is not self or session.is_ended():
            return
        before = renegotiation.phase
        if before not in (Phase.ACK_PENDING, Phase.ANSWER_PENDING):
            return
        renegotiation.step(Step.ACK_IN)
        if before is Phase.ACK_PENDING:
            renegotiation.incoming = None
            return
        sdp = sdp_of(ack)
        if not sdp:
            logger.warning("%s: the ACK has no answer to our offer", session)
            self._forget()
            return

        async def work() -> None:
            await self.media.apply_answer(await change_sdp(session, "remote", "answer", sdp))

        session._do(work(), lambda _: self._answered(sdp), self._bad_answer)

    def _answered(self, sdp: str) -> None:
        hold.heard(self.session, "answer", sdp, self.media.direction)
        self.tell()
        if not self.session.is_ended():
            self._over()

    def _bad_answer(self, error: Exception) -> None:
        session = self.session
        logger.warning("%s: the answer in the ACK cannot be used: %s", session, error)
        session.emit("media_failed", events.MediaFailed(error))
        if not session.is_ended():
            self._forget()

    def _forget(self) -> None:
        """No answer to our offer will come, or none that can be used."""
        self.session._do(self.media.rollback(), lambda _: self._over(), lambda _: self._over())

    def _no_ack(self) -> None:
        session = self.session
        if not session.is_ended() and allowed(session.status, Event.FAILURE):
            terminate.finish(session, Event.FAILURE, originator="system", cause=Cause.NO_ACK)
