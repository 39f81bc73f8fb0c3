"""Our own reliable provisional responses: repeated until their PRACK, one at a time (:rfc:`3262#section-3`)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sipua.errors import MediaNegotiationError, ParseError
from sipua.events import Cause
from sipua.session import terminate
from sipua.session.negotiation import answer_offer, change_sdp, refusal_of_body, sdp_of
from sipua.session.renegotiation import REFUSALS, Step
from sipua.session.reply import respond, retry_later
from sipua.session.states import Event, State, allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.session.session import RTCSession
    from sipua.sip import Request, Response, ServerTransaction

#: Seconds until the first repetition, and how many of these until it is given up.
T1 = 0.5
GIVE_UP = 64

Carries = Literal["", "offer", "answer"]


@dataclass(slots=True)
class _Response:
    response: Response
    carries: Carries
    rseq: int = 0


class ReliableResponses:
    """The reliable provisional responses to the INVITE of one incoming call."""

    __slots__ = ("_open", "_queue", "_rseq", "_session", "_waiting", "is_settled")

    def __init__(self, session: RTCSession) -> None:
        self._session = session
        self._rseq = 0
        self._open: _Response | None = None
        self._queue: deque[_Response] = deque()
        self._waiting: list[Callable[[], None]] = []
        self.is_settled = False
        """Whether the first offer and its answer went by reliable messages: no 2xx repeats them."""

    @property
    def has_open_offer(self) -> bool:
        """Whether an offer of ours went out and its answer did not come yet."""
        return self._open is not None and self._open.carries == "offer"

    @property
    def has_description(self) -> bool:
        """Whether a description waits for its PRACK, or to be sent at all."""
        return any(item.carries for item in (self._open, *self._queue) if item is not None)

    # --- sending -------------------------------------------------------------------------------------------

    def send(self, response: Response, carries: Carries) -> None:
        """Send it after those before it were acknowledged."""
        self._queue.append(_Response(response, carries))
        self._next()

    def _next(self) -> None:
        if self._open is not None or not self._queue or self._session.is_ended():
            return
        item = self._open = self._queue.popleft()
        self._rseq = self._rseq + 1 if self._rseq else self._session._host.rand.randint(1, 2**31 - 1)
        item.rseq = self._rseq
        item.response.headers.add("Require", "100rel")
        item.response.headers.add("RSeq", str(item.rseq))
        self._transmit(item, T1, 1)

    def _transmit(self, item: _Response, interval: float, waited: int) -> None:
        session = self._session
        if item is not self._open or session.status not in (State.INCOMING, State.ANSWERING):
            return
        assert session._transaction is not None
        session._host.respond(session._transaction, item.response)
        if waited * 2 <= GIVE_UP:
            session._set_timer("PRACK", interval, lambda: self._transmit(item, interval * 2, waited * 2))
        else:
            session._set_timer("PRACK", T1 * (GIVE_UP + 1 - waited), self._give_up)  # 64*T1 in all

    def _give_up(self) -> None:
        if not self._session.is_ended() and allowed(self._session.status, Event.FAILURE):
            terminate.finish(
                self._session,
                Event.FAILURE,
                originator="system",
                cause=Cause.REQUEST_TIMEOUT,
                reason="a reliable provisional response was not acknowledged",
                status=504,
            )

    def when_acknowledged(self, action: Callable[[], None]) -> None:
        """Call `action` when no description waits for its PRACK: before, there may be no 2xx."""
        if self.has_description:
            self._waiting.append(action)
            return
        self._queue.clear()
        self._session._clear_timer("PRACK")
        action()

    # --- PRACK ---------------------------------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction, request: Request) -> None:
        """A PRACK of the peer."""
        session, item = self._session, self._open
        try:
            rack = request.rack
        except ParseError:
            rack = None
        if rack is None:
            respond(session, transaction, request, 400)
            return
        if item is None or (rack.rseq, rack.cseq, rack.method.upper()) != (
            item.rseq,
            session.request.cseq.sequence,
            "INVITE",
        ):
            respond(session, transaction, request, 481)
            return
        sdp = sdp_of(request)
        if item.carries == "offer":
            self._take_answer(transaction, request, sdp)
        elif sdp:
            self._take_offer(transaction, request, item, sdp)
        elif (wrong := refusal_of_body(request)) is not None:
            respond(session, transaction, request, *wrong)
        else:
            self._acknowledged(item)
            respond(session, transaction, request, 200)
            self._go_on()

    def _acknowledged(self, item: _Response) -> None:
        self._open = None
        self._session._clear_timer("PRACK")
        self._session._trickle.open(self._session._dialog)
        if item.carries:
            self.is_settled = True

    def _go_on(self) -> None:
        self._next()
        if not self.has_description:
            waiting, self._waiting = self._waiting, []
            for action in waiting:
                self._session._post(lambda action=action: self.when_acknowledged(action))  # type: ignore[misc]
        self._session._renegotiation.next()

    def _take_answer(self, transaction: ServerTransaction, request: Request, sdp: str) -> None:
        """Our offer went out in the response: the PRACK must carry the answer (:rfc:`3262#section-5`)."""
        session, item, media = self._session, self._open, self._session._media
        assert item is not None
        assert media is not None
        if not sdp:
            respond(session, transaction, request, 400)
            return

        async def work() -> None:
            await media.apply_answer(await change_sdp(session, "remote", "answer", sdp))

        def done(_: None) -> None:
            self._acknowledged(item)
            respond(session, transaction, request, 200)
            self._go_on()

        session._do(work(), done, lambda error: self._refuse(transaction, request, error))

    def _take_offer(
        self, transaction: ServerTransaction, request: Request, item: _Response, sdp: str
    ) -> None:
        """The PRACK brings the next offer, which its 2xx answers."""
        session, media, renegotiation = self._session, self._session._media, self._session._renegotiation
        code = REFUSALS.get(renegotiation.phase)
        if code is None and not (item.carries or self.is_settled):
            code = 500  # the first offer is not answered yet
        if code is not None or media is None:
            respond(session, transaction, request, code or 500, retry_later(session, code or 500))
            return
        self._acknowledged(item)
        renegotiation.step(Step.OFFER_IN)

        def answered(answer: str) -> None:
            respond(session, transaction, request, 200, sdp=answer)
            renegotiation.step(Step.ANSWER)
            self._go_on()

        def failed(error: Exception) -> None:
            self._refuse(transaction, request, error)
            renegotiation.step(Step.ANSWER)
            self._go_on()

        session._do(answer_offer(session, sdp), answered, failed)

    def _refuse(self, transaction: ServerTransaction, request: Request, error: Exception) -> None:
        status = error.status if isinstance(error, MediaNegotiationError) else 500
        respond(self._session, transaction, request, status)
