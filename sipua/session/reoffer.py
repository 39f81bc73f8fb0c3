"""A new offer of ours in a call that is up: re-INVITE (:rfc:`3261#section-14.1`) or UPDATE (:rfc:`3311#section-5.1`).

A re-offer that is refused, meets another one for good, or gets no answer leaves the call as it was
(:rfc:`6141#section-3`): media forgets the offer, and what this side wants of it is what it was before.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import InvalidStateError, MediaError, MediaNegotiationError, RequestTimeout
from sipua.events import Cause
from sipua.media.interface import Applied
from sipua.session import hold, prack, terminate
from sipua.session.early import early_dialog
from sipua.session.glare import retry_delay
from sipua.session.host import NoResponse
from sipua.session.negotiation import answer_offer, change_sdp, make_offer, sdp_of, set_sdp
from sipua.session.outcome import failure_of
from sipua.session.renegotiation import Step, may_offer
from sipua.session.states import ESTABLISHED, Event, State, allowed

if TYPE_CHECKING:
    import asyncio

    from sipua.media.interface import AudioSource, Direction, MediaSession
    from sipua.session.headers import HeaderPairs
    from sipua.session.host import SentRequest
    from sipua.session.renegotiation import VideoWish
    from sipua.session.session import RTCSession
    from sipua.sip import Dialog, Request, Response

logger = logging.getLogger("sipua.session")

#: Seconds that a re-INVITE may ring before it is cancelled.
ANSWER_LIMIT = 60.0
#: How often an offer that met one of the peer's is tried.
TRIES = 8


class Reoffer:
    """One wish for a re-offer, from its asking to its end; `done` tells the application."""

    def __init__(
        self,
        session: RTCSession,
        operation: str,
        *,
        hold: bool | None = None,
        music: AudioSource | None = None,
        direction: Direction | None = None,
        video: VideoWish | None = None,
        video_source: Any = None,
        use_update: bool = False,
        ice_restart: bool = False,
        late_offer: bool = False,
        headers: HeaderPairs = (),
    ) -> None:
        self.operation = operation
        self.done: asyncio.Future[None] = session._host.loop.create_future()
        self.waits = False
        """Whether the time for another try has not come yet."""
        self._session = session
        self._hold = hold
        self._music = music
        self._direction = direction
        self._video = video
        self._video_source = video_source
        self._method = "UPDATE" if use_update else "INVITE"
        self._ice_restart = ice_restart
        self._late_offer = late_offer
        self._headers = headers
        self._tries = 0
        self._dialog: Dialog
        self._sent: SentRequest | None = None
        self._ack: Request | None = None
        self._offered: Direction = "sendrecv"
        self._early_answer = ""
        self._taken = False  # the peer's offer was answered in a PRACK
        self._cancelled = False

    # --- the offer -----------------------------------------------------------------------------------------

    @property
    def is_update(self) -> bool:
        """Whether it goes out as UPDATE."""
        return self._method == "UPDATE"

    @property
    def restarts_ice(self) -> bool:
        """Whether it looks for a new path for the media."""
        return self._ice_restart

    def is_possible(self) -> bool:
        """Whether the call is far enough for it."""
        return may_offer(self._session) or (
            self._method == "UPDATE" and early_dialog(self._session) is not None
        )

    def begin(self) -> None:
        """Its turn has come."""
        session = self._session
        renegotiation = session._renegotiation
        if self._music is not None:
            hold.begin_music(session, self._music)
        if self._hold == renegotiation.local_hold:
            renegotiation.current = None
            self._succeed()  # it is so already
            renegotiation.rest()
            return
        dialog = session._dialog if may_offer(session) else early_dialog(session)
        assert dialog is not None
        self._dialog = dialog
        if self._method == "UPDATE" and not session._peer.allows("UPDATE"):
            self._method = "INVITE"
        self._ack, self._early_answer, self._taken = None, "", False
        media = self._media
        self._offered = media.direction = renegotiation.wanted(hold=self._hold, direction=self._direction)
        video = renegotiation.wanted_video if self._late_offer else renegotiation.offered_video
        media.video_direction = video(hold=self._hold, video=self._video)
        renegotiation.step(Step.OFFER)
        if self._late_offer:
            self._send("")
        else:
            session._do(self._make_offer(), self._send, self._fail)

    async def _make_offer(self) -> str:
        return await make_offer(self._session, ice_restart=self._ice_restart)

    def _send(self, sdp: str) -> None:
        session = self._session
        request = self._dialog.request(
            self._method,
            headers=(
                ("Contact", session.contact),
                *session._headers(),
                *(session._timer.request_headers() if session.status in ESTABLISHED else ()),
                *self._headers,
            ),
        )
        if sdp:
            set_sdp(request, sdp)
        session._renegotiation.step(Step.SEND)
        self._tries += 1
        sent: list[SentRequest] = []

        def received(result: Response | NoResponse) -> None:
            # A response to an earlier try can only be a 2xx again; this try knows nothing of it.
            session._post(lambda: self._on_result(sent[0], result))

        sent.append(session._host.send_request(request, received, next_cseq=self._dialog.next_cseq))
        self._sent = sent[0]
        if self._method == "INVITE":
            session._set_timer("re-INVITE", ANSWER_LIMIT, self._cancel)

    def _cancel(self) -> None:
        if self._sent is not None:
            self._cancelled = True
            self._sent.cancel()

    @property
    def _media(self) -> MediaSession:
        media = self._session._media
        assert media is not None
        return media

    # --- the response --------------------------------------------------------------------------------------

    def _on_result(self, sent: SentRequest, result: Response | NoResponse) -> None:
        if isinstance(result, NoResponse):
            if sent is self._sent:
                self._refused(result)
        elif result.code < 200:
            if sent is self._sent and not self._session.is_ended():
                self._on_provisional(result)
        elif result.code < 300:
            if self._ack is not None:
                self._session._host.send_ack(self._ack)  # the first was lost (RFC 3261 §13.2.2.4)
            elif self._session.is_ended():
                if self._method == "INVITE":
                    self._acknowledge()  # the BYE is on its way
            elif sent is self._sent:
                self._accepted(result)
        elif sent is self._sent:
            self._refused(result)

    def _on_provisional(self, response: Response) -> None:
        if not prack.is_next(self._session, self._dialog, response):
            return
        sdp = sdp_of(response)
        if not self._late_offer or not sdp or self._taken:
            self._early_answer = self._early_answer or sdp
            prack.send(self._session, self._dialog, response)
            return

        def answered(answer: str) -> None:
            self._taken = True
            prack.send(self._session, self._dialog, response, answer)

        def failed(error: Exception) -> None:
            logger.warning("%s: the offer in a %d cannot be used: %s", self._session, response.code, error)
            self._cancel()

        self._session._do(self._answer(sdp), answered, failed)

    def _accepted(self, response: Response) -> None:
        session = self._session
        self._clear()
        self._dialog.refresh(response)
        session._peer.learn(response)
        assert self._sent is not None
        if session.status in ESTABLISHED:  # before, there is no session to refresh
            session._timer.answered(self._sent.request, response)
        sdp = sdp_of(response) or self._early_answer
        if self._method == "INVITE" and not (self._late_offer and sdp and not self._taken):
            self._acknowledge()
        if self._taken:
            self._finish(None)
        elif not sdp:
            what = "offer" if self._late_offer else "answer"
            self._fail(MediaNegotiationError(f"the {response.code} to our {self._method} has no {what}"))
        elif self._late_offer:
            session._do(self._answer(sdp), lambda answer: self._answered(sdp, answer), self._bad_offer)
        else:
            session._do(self._apply(sdp), lambda applied: self._applied(sdp, applied), self._fail)

    def _acknowledge(self, sdp: str = "") -> None:
        assert self._sent is not None
        ack = self._dialog.ack(self._sent.request)
        if sdp:
            set_sdp(ack, sdp)
        self._ack = ack
        self._session._host.send_ack(ack)

    async def _apply(self, sdp: str) -> Applied:
        changed = await change_sdp(self._session, "remote", "answer", sdp)
        return await self._media.apply_answer(changed, branch=self._dialog.remote_tag)

    async def _answer(self, sdp: str) -> str:
        return await answer_offer(self._session, sdp)

    def _applied(self, sdp: str, applied: Applied) -> None:
        if applied is Applied.NEEDS_REOFFER:
            logger.warning("%s: media could not follow the answer", self._session)
        self._finish(("answer", sdp))

    def _answered(self, sdp: str, answer: str) -> None:
        self._acknowledge(answer)
        self._finish(("offer", sdp))

    def _bad_offer(self, error: Exception) -> None:
        self._acknowledge()
        self._fail(error)

    # --- the end -------------------------------------------------------------------------------------------

    def _finish(self, heard: tuple[str, str] | None) -> None:
        """It was accepted, and media goes by it."""
        session = self._session
        renegotiation = session._renegotiation
        renegotiation.current = None
        if self._direction is not None:
            renegotiation.direction = self._direction
        if self._video is not None:
            self._settle_video(self._video)
        if self._hold is not None:
            hold.agreed(session, hold=self._hold)
        if heard is not None:
            kind, sdp = heard
            hold.heard(session, "answer" if kind == "answer" else "offer", sdp, self._offered)
        self._succeed()
        if not session.is_ended():
            renegotiation.step(Step.FINISH)

    def _settle_video(self, wish: VideoWish) -> None:
        media = self._media
        if wish.direction is not None and not media.has_video:
            self._break(MediaNegotiationError("the peer refused video"))
            return
        self._session._renegotiation.video = wish
        if self._video_source is not None:
            try:
                media.video.source = self._video_source
            except MediaError as error:  # a file that has changed meanwhile
                self._session.emit("media_failed", events.MediaFailed(error))

    def _succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _refused(self, result: Response | NoResponse) -> None:
        """A final response of 300 or more, or none."""
        session = self._session
        self._clear()
        if session.is_ended():
            return
        again = None if isinstance(result, NoResponse) else self._try_again(result)
        if again is not None:
            self._roll_back(lambda: self._wait(again))
            return
        error = failure_of(self._method, result)
        assert error is not None
        if self._cancelled:
            error = RequestTimeout(f"{self._method}: no answer in {ANSWER_LIMIT:.0f} s", cause=error.cause)
        dead = not isinstance(result, NoResponse) and result.code == 481
        if dead and self._dialog is session._dialog and session.status in ESTABLISHED:
            self._break(error)
            if allowed(session.status, Event.FAILURE):  # the peer knows no such call (RFC 3261 §12.2.1.2)
                terminate.finish(
                    session, Event.FAILURE, originator="system", cause=Cause.DIALOG_ERROR, reason=str(error)
                )
            return
        self._fail(error, result)

    def _try_again(self, response: Response) -> float | None:
        """Seconds after which to send it once more; None: not again."""
        session = self._session
        if self._tries >= TRIES or self._cancelled:
            return None
        if response.code in (405, 501) and self._method == "UPDATE" and may_offer(session):
            self._method = "INVITE"
            return 0.0
        return retry_delay(session, response)

    def _wait(self, delay: float) -> None:
        session = self._session
        renegotiation = session._renegotiation
        renegotiation.current = None
        self.waits = delay > 0
        if self.waits:
            session._set_timer("re-offer", delay, self._ready)
        renegotiation.again(self)
        renegotiation.step(Step.FINISH)

    def _ready(self) -> None:
        self.waits = False
        self._session._renegotiation.next()

    def _fail(self, error: Exception, result: Response | NoResponse | None = None) -> None:
        session = self._session
        if not isinstance(error, InvalidStateError):
            logger.warning("%s: %s: %s", session, self.operation, error)
        if result is None:
            session.emit("media_failed", events.MediaFailed(error))
            if session.is_ended():
                return

        def over() -> None:
            self._break(error)
            session._renegotiation.current = None
            session._renegotiation.step(Step.FINISH)
            if self.operation == "refresh" and result is not None:
                session._timer.refused(result)

        self._roll_back(over)

    def _roll_back(self, then: object) -> None:
        """Everything of media is as it was; then go on."""
        session = self._session
        media = self._media
        media.direction = session._renegotiation.wanted()
        media.video_direction = session._renegotiation.wanted_video()
        assert callable(then)
        session._do(media.rollback(), lambda _: then(), lambda _: then())

    def _break(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # nobody has to wait for it
        if not self._session.is_ended():
            hold.end_music(self._session)

    def _clear(self) -> None:
        self._session._clear_timer("re-INVITE")

    def abandon(self) -> None:
        """The call is over: a re-INVITE that only rings would ring for ever."""
        if not self.is_update:
            self._cancel()
        self._break(InvalidStateError(self.operation, State.ENDED.value))
