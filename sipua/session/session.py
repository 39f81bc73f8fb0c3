"""`RTCSession`: one call, as the application sees it.

Everything that happens to a call (messages, results of media work, timers, what the application asks for) is an
action in its mailbox, and actions are carried out one after the other, each to its end. Work of media takes time;
while it goes on, the other actions wait, except those that may end the call: `_post` with ``urgent=True``.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from sipua import events
from sipua.emitter import Emitter
from sipua.errors import InvalidStateError
from sipua.events import Cause
from sipua.media.checks import check_option
from sipua.session import (
    dtmf,
    hold,
    incoming,
    indialog,
    info,
    leftovers,
    path,
    refer,
    renegotiate,
    terminate,
    update,
)
from sipua.session.identities import Identities
from sipua.session.mailbox import Mailbox
from sipua.session.outcome import call_error
from sipua.session.peer import Peer
from sipua.session.redirect import Redirection
from sipua.session.reliable import ReliableResponses
from sipua.session.renegotiation import Renegotiation, VideoWish, may_offer
from sipua.session.states import ESTABLISHED, IN_PROGRESS, Event, State, advance, allowed
from sipua.session.subscriptions import ReferUsages
from sipua.session.timers import SessionTimer
from sipua.session.trickle import Trickle

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from sipua.emitter import Handler
    from sipua.media.interface import AudioPort, AudioSource, Direction, MediaSession, MediaStats, VideoPort
    from sipua.media.statistics import Medium, MediumStats
    from sipua.passport.interface import Signer
    from sipua.session.host import SentRequest, SessionHost
    from sipua.session.subscriber import ReferSubscriber
    from sipua.sip import URI, Address, Dialog, Replaces, Request, Response, ServerTransaction

logger = logging.getLogger("sipua.session")

T = TypeVar("T")


class RTCSession(Identities, Mailbox, Emitter):
    """A call. Made by `UA.call` or told by the ``new_rtc_session`` event, never by the application.

    ``async with`` on it waits until the call is confirmed, and hangs up on leaving; a call that does not come
    about raises a `CallFailed`. All methods that return an awaitable may be called without awaiting it.
    """

    event_names = frozenset(
        {
            "peerconnection",
            "connecting",
            "sending",
            "progress",
            "accepted",
            "confirmed",
            "ended",
            "failed",
            "sdp",
            "track",
            "ice_connection_state",
            "muted",
            "unmuted",
            "voice_activity",
            "new_dtmf",
            "new_info",
            "media_failed",
            "icecandidate",
            "getusermediafailed",
            "peerconnection_createofferfailed",
            "peerconnection_createanswerfailed",
            "peerconnection_setlocaldescriptionfailed",
            "peerconnection_setremotedescriptionfailed",
            "hold",
            "unhold",
            "reinvite",
            "update",
            "refer",
            "replaces",
            "redirect",
            "notify",
            "stats",
        }
    )

    causes = Cause
    """Why calls end or fail; the same as `sipua.Cause`."""

    def __init__(self, host: SessionHost, direction: Literal["incoming", "outgoing"]) -> None:
        Emitter.__init__(self)
        Mailbox.__init__(self, host.loop)
        self.direction: Literal["incoming", "outgoing"] = direction
        """``"incoming"`` or ``"outgoing"``."""
        self.data: dict[str, Any] = {}
        """For the application; not used here."""
        self.start_time: datetime.datetime | None = None
        """When the call was accepted (UTC)."""
        self.end_time: datetime.datetime | None = None
        """When the call ended (UTC)."""
        self.failure: events.Failed | None = None
        """Why the call did not come about."""
        self.ending: events.Ended | None = None
        """Why the call ended."""
        self.request: Request
        """The INVITE that began it (as it was last sent)."""
        self.response: Response | None = None
        """The final response to the INVITE."""
        self.provisional: Response | None = None
        """The latest provisional response to our INVITE, but 100."""
        self.local_identity: Address
        self.remote_identity: Address
        self.contact = ""
        """The Contact header value that this side uses in the call."""

        self._host = host
        self._state = State.NULL
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._media: MediaSession | None = None
        self._dialog: Dialog | None = None
        self._early_dialogs: dict[str, Dialog] = {}
        self._invite: SentRequest | None = None
        self._transaction: ServerTransaction | None = None
        self._sdp_body = ""  # what this side put into its first offer or answer
        self._answer_branch: str | None = None
        self._acks: dict[str, Request] = {}
        self._extra_headers: tuple[tuple[str, str], ...] = ()
        self._bye_headers: tuple[tuple[str, str], ...] = ()
        self._late_offer = False
        self._progress_asked = False
        self._no_answer_timeout: float | None = None
        self._bye_sent = False
        self._refers: ReferUsages | None = None
        self._confirmed: asyncio.Future[None] = host.loop.create_future()
        self._over: asyncio.Future[None] = host.loop.create_future()
        self._gone: asyncio.Future[None] = host.loop.create_future()
        self._is_gone = False  # from then on media closes, and `_gone` is done when it has
        self._dtmf: dtmf.Queue | None = None
        self._peer = Peer()
        self._renegotiation = Renegotiation(self)
        self._timer = SessionTimer(self, update.refresh)
        self._redirection = Redirection(self)
        self._signer: Signer | None = None
        self._reliable = ReliableResponses(self)
        self._trickle = Trickle(self)
        self._rseqs: dict[tuple[str, int], int] = {}  # the last RSeq of each dialog and INVITE
        self._reliable_answers: set[str | None] = set()  # branches whose description is settled by a PRACK

    # --- what it is ----------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Unique among the user agent's calls: Call-ID and From tag."""
        return f"{self.request.call_id}{self.request.from_tag or ''}"

    @property
    def status(self) -> State:
        """The state, as in the table of `sipua.session.states`."""
        return self._state

    @property
    def cause(self) -> Cause | None:
        """Why it ended or failed; None before."""
        over = self.ending or self.failure
        return over.cause if over else None

    @property
    def media(self) -> MediaSession | None:
        """The media of the call; None before there is any."""
        return self._media

    @property
    def audio(self) -> AudioPort:
        """What the peer hears and says.

        :raises InvalidStateError: an incoming call that was not answered yet.
        """
        if self._media is None:
            raise InvalidStateError("audio", self._state.value)
        return self._media.audio

    @property
    def video(self) -> VideoPort:
        """What the peer sees and shows. Whether there is video at all, `directions` says.

        :raises InvalidStateError: an incoming call that was not answered yet.
        """
        if self._media is None:
            raise InvalidStateError("video", self._state.value)
        return self._media.video

    @property
    def connection(self) -> Any:
        """aiortc's RTCPeerConnection; None before there is one, and with signalling-only media."""
        return self._media.connection if self._media is not None else None

    @overload
    def stats(self) -> MediaStats: ...
    @overload
    def stats(self, selector: Medium) -> MediumStats | None: ...
    def stats(self, selector: Medium | None = None) -> MediaStats | MediumStats | None:
        """The figures of the call's media at this moment; after its end, those of the end. Cheap.

        :param selector: ``"audio"`` or ``"video"``: of that medium alone, None when there is none of it.
        :raises InvalidStateError: an incoming call that was not answered yet.
        :raises ValueError: no such medium.
        """
        if selector not in (None, "audio", "video"):
            raise ValueError(f"no such medium: {selector!r}")
        if self._media is None:
            raise InvalidStateError("stats", self._state.value)
        stats = self._media.stats()
        return stats if selector is None else stats[selector]

    def is_in_progress(self) -> bool:
        """Neither answered nor over."""
        return not self._over.done() and self._state in IN_PROGRESS

    def is_established(self) -> bool:
        """Answered and not over."""
        return not self._over.done() and self._state in ESTABLISHED

    def is_ended(self) -> bool:
        """Over: ended or failed."""
        return self._over.done()

    def is_muted(self) -> dict[str, bool]:
        """What this side keeps from the peer, per medium."""
        media = self._media
        return {
            "audio": media is not None and media.audio.muted,
            "video": media is not None and media.video.muted,
        }

    def is_on_hold(self) -> dict[str, bool]:
        """Who holds: ``local``, this side; ``remote``, the peer. What is not agreed yet does not count."""
        return {"local": self._renegotiation.local_hold, "remote": self._renegotiation.remote_hold}

    def directions(self) -> dict[str, Direction]:
        """What was agreed of ``audio`` and ``video``, seen from this side; a medium that is refused is not there."""
        return hold.directions(self)

    def is_ready_to_re_offer(self) -> bool:
        """Whether `hold`, `unhold` or `renegotiate` would begin at once; else they wait for their turn."""
        return not self.is_ended() and may_offer(self) and self._renegotiation.is_idle

    def __str__(self) -> str:
        who = self.remote_identity.uri if hasattr(self, "remote_identity") else "?"
        return f"call {self.direction} {who} ({self._state.value})"

    # --- what the application asks for ---------------------------------------------------------------------

    def progress(
        self,
        status_code: int = 180,
        reason_phrase: str | None = None,
        *,
        early_media: bool = False,
        reliable: bool | None = None,
        extra_headers: Any = (),
        **media_options: Any,
    ) -> asyncio.Future[None]:
        """Send a provisional response to an incoming call; with `early_media` one that carries the answer.

        :param status_code: 101 to 199.
        :param reliable: repeat it until the peer acknowledges it (:rfc:`3262`). By default so if the peer requires
            it, and for `early_media` if it can.
        :param media_options: as for `answer`, with `early_media`.
        :raises InvalidStateError: not an incoming call, or already answered.
        :raises ValueError: no such status code; `reliable` with a peer that cannot.
        """
        return incoming.progress(
            self, status_code, reason_phrase, early_media, reliable, extra_headers, media_options
        )

    def answer(
        self, *, extra_headers: Any = (), session_timers_expires: int | None = None, **media_options: Any
    ) -> asyncio.Future[None]:
        """Take the incoming call: make the answer, send the 200.

        :param session_timers_expires: the longest session interval (:rfc:`4028`), in seconds: 90 or more.
        :param media_options: fields of `MediaOptions` (``audio=``, ``record=``, ``echo=`` …) and ``media=``, a factory.
        :returns: done when the call is confirmed; a `CallFailed` when it fails before.
        :raises InvalidStateError: not an incoming call, or answered or over already.
        :raises MediaFileError: a file to play or record to that cannot be used.
        :raises ValueError: a session interval that is too short.
        """
        return incoming.answer(self, extra_headers, session_timers_expires, media_options)

    def terminate(
        self,
        *,
        status_code: int | None = None,
        reason_phrase: str | None = None,
        extra_headers: Any = (),
        body: str | bytes = b"",
        cause: Cause | None = None,
    ) -> asyncio.Future[None]:
        """End the call in any state: nothing, CANCEL, a refusal (480 by default) or BYE.

        :param status_code: the refusal of an incoming call (300 to 699), or the SIP cause of the Reason header
            (:rfc:`3326`) of a CANCEL or BYE (200 to 699).
        :param body: of the refusal or BYE, with a Content-Type among `extra_headers`.
        :param cause: why, for `failed` or `ended`; by default what follows from the state and `status_code`.
        :returns: done when the peer has confirmed it or is given up; nothing needs to wait for it.
        :raises InvalidStateError: it is over already.
        :raises ValueError: no such status code or cause, or a body without Content-Type.
        """
        return terminate.terminate(self, status_code, reason_phrase, extra_headers, body, cause)

    def send_info(
        self, content_type: str, body: str | bytes = b"", *, extra_headers: Any = ()
    ) -> asyncio.Future[Response]:
        """Send an INFO (:rfc:`6086`) in the dialog.

        :returns: the final response; `RequestFailed` for one of 300 or more, or none.
        :raises InvalidHeaderError: no media type, or a header that is not the application's to set.
        :raises InvalidStateError: there is no dialog (yet, or any more).
        """
        return info.send_info(self, content_type, body, extra_headers)

    def send_dtmf(
        self,
        tones: str | int,
        *,
        duration: int = 100,
        inter_tone_gap: int = 500,
        volume: int = -10,
        extra_headers: Any = (),
        transport_type: Literal["INFO", "RFC2833", "RFC4733", "INBAND"] | None = None,
    ) -> asyncio.Future[None]:
        """Send DTMF tones one after the other; ``,`` is a pause of 2 s.

        :param duration: of each tone, in ms (40 to 6000).
        :param inter_tone_gap: between two tones, in ms (30 or more, up to an hour).
        :param volume: of each tone, in dBm0 (0 to -63), as named events tell it; other ways have no choice.
        :param extra_headers: of requests, when tones are sent as INFO.
        :param transport_type: ``RFC4733`` (or ``RFC2833``, its old name): named events in the audio stream;
            ``INFO``: requests with ``application/dtmf-relay``; ``INBAND``: the sound of the tones, for peers that take
            neither. None: for each tone RFC 4733 where the peer takes it so, else INFO.
        :returns: done when the last tone was sent; cancelling it drops the tones that wait. While the audio is on hold,
            tones in it wait.
        :raises ValueError: a character that is no tone, or a number out of bounds.
        :raises InvalidStateError: there is no dialog (yet, or any more).
        :raises MediaNegotiationError: RFC 4733 was asked for, and the peer does not take it, or not these tones.
        """
        return dtmf.send_dtmf(self, tones, duration, inter_tone_gap, volume, extra_headers, transport_type)

    def refer(
        self,
        target: str | URI | None = None,
        *,
        replaces: RTCSession | Replaces | None = None,
        refer_sub: bool = True,
        hang_up: bool = True,
        hold: bool = False,
        extra_headers: Any = (),
        event_handlers: Mapping[str, Handler] | None = None,
    ) -> ReferSubscriber:
        """Transfer the peer: ask it to call somebody else (:rfc:`3515`, :rfc:`5589`).

        ::

            await call.refer("carol")                  # blind
            await call.refer(replaces=consultation)    # attended: the peer takes our place in that call

        When it worked, this call (and the one that was replaced) is hung up, by us after 2 seconds if by nobody else.
        When it did not, the calls are as they were; yet when nothing is heard from the peer for 10 seconds then, while
        something was before, it has left by the attempt, and we hang up.

        :param target: whom the peer shall call; with `replaces`, the other end of that call when not given.
        :param replaces: another call of ours that is up, which the peer's new call takes the place of (:rfc:`3891`).
        :param refer_sub: False: do not tell us how it goes (:rfc:`4488`); a peer that knows this sends no NOTIFY, and
            the result is that it tries.
        :param hang_up: False leaves hanging up to the application.
        :param hold: put the peer on hold first, and take it off again when the transfer fails.
        :param event_handlers: handlers for the events of the `ReferSubscriber` that is returned.
        :returns: awaitable for the result; `TransferFailed` when it did not work.
        :raises InvalidStateError: this call, or the one to be replaced, is not up.
        :raises InvalidTargetError: not a target.
        """
        return refer.refer(self, target, replaces, refer_sub, hang_up, hold, extra_headers, event_handlers)

    def hold(
        self,
        *,
        hold_music: AudioSource | str | Path | None = None,
        use_update: bool = False,
        extra_headers: Any = (),
    ) -> asyncio.Future[None]:
        """Put the peer on hold: it is not listened to any more (:rfc:`3264#section-8.4`).

        What is asked for while a negotiation is going on waits for its turn. When the peer refuses it, or does not
        answer, the call is as it was.

        :param hold_music: what it hears until `unhold`, by default that of the media option ``hold_music``; without
            music, what plays goes on.
        :param use_update: by UPDATE (:rfc:`3311`) if the peer takes it, instead of re-INVITE.
        :returns: done when the peer has agreed, or when it is on hold already; `RequestFailed` when it refuses,
            `RequestTimeout` without an answer, `InvalidStateError` when the call ends before.
        :raises InvalidStateError: the call was not answered, or is over.
        :raises MediaFileError: music that cannot be played.
        """
        return renegotiate.hold(self, hold_music, use_update=use_update, extra_headers=extra_headers)

    def unhold(self, *, use_update: bool = False, extra_headers: Any = ()) -> asyncio.Future[None]:
        """End `hold`; see there."""
        return renegotiate.ask(self, "unhold", hold=False, use_update=use_update, extra_headers=extra_headers)

    def renegotiate(
        self,
        *,
        use_update: bool = False,
        direction: Direction | None = None,
        video_direction: Direction | None = None,
        ice_restart: bool = False,
        late_offer: bool = False,
        extra_headers: Any = (),
    ) -> asyncio.Future[None]:
        """Offer the media anew, by re-INVITE (:rfc:`3261#section-14`) or UPDATE; see `hold` for what comes of it.

        :param use_update: by UPDATE if the peer takes it. Before the call is answered it must be, and the first offer
            must have been answered reliably (:rfc:`3262#section-5`).
        :param direction: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``: what this side wants of audio from
            now on.
        :param video_direction: the same of video, which it adds if there is none.
        :param ice_restart: find a new path for the media (:rfc:`8445#section-9`).
        :param late_offer: let the peer make the offer.
        :raises InvalidStateError: the call was not answered, or is over.
        :raises ValueError: no such direction, or an UPDATE with `late_offer`.
        """
        return renegotiate.ask(
            self,
            "renegotiate",
            direction=direction,
            video=None if video_direction is None else VideoWish(video_direction),
            use_update=use_update,
            ice_restart=ice_restart,
            late_offer=late_offer,
            extra_headers=extra_headers,
        )

    def add_video(
        self,
        source: Any = True,
        *,
        direction: Direction = "sendrecv",
        use_update: bool = False,
        extra_headers: Any = (),
    ) -> asyncio.Future[None]:
        """Offer video in a call that is up; see `hold` for what comes of it.

        :param source: as for `MediaOptions.video`. It is shown once the peer has agreed.
        :param direction: what this side wants of it.
        :returns: done when the peer has agreed; `MediaNegotiationError` when it refuses video, and the call goes on.
        :raises InvalidStateError: the call was not answered, or is over.
        :raises ConfigurationError: not a source.
        :raises MediaFileError: a file that cannot be shown.
        """
        check_option("video", source)
        if self._media is not None:
            self._media.video.check(source)
        return renegotiate.ask(
            self,
            "add_video",
            video=VideoWish(direction),
            video_source=source,
            use_update=use_update,
            extra_headers=extra_headers,
        )

    def remove_video(self, *, use_update: bool = False, extra_headers: Any = ()) -> asyncio.Future[None]:
        """End video, ours and the peer's; the audio goes on. Its m-line stays, with port 0; see `hold`.

        :raises InvalidStateError: the call was not answered, or is over.
        """
        return renegotiate.ask(
            self, "remove_video", video=VideoWish(None), use_update=use_update, extra_headers=extra_headers
        )

    def accept_video(self, source: Any = True, *, direction: Direction = "sendrecv") -> None:
        """From now on take video when the peer offers it, as with ``video=`` in `answer`. Nothing is sent for it.

        A handler of ``reinvite`` or ``update`` may call it for the offer that it was told of.

        :param source: as for `MediaOptions.video`.
        :raises InvalidStateError: an incoming call that was not answered yet.
        :raises ConfigurationError: not a source.
        """
        check_option("video", source)
        check_option("video_direction", direction)
        self.video.source = source
        self._renegotiation.video = VideoWish(direction)

    def mute(self, *, audio: bool = True, video: bool = False) -> None:
        """Send silence instead of our audio, black instead of our video. The peer is not told."""
        self._set_muted(True, audio=audio, video=video)

    def unmute(self, *, audio: bool = True, video: bool = False) -> None:
        """End `mute`."""
        self._set_muted(False, audio=audio, video=video)

    def _set_muted(self, muted: bool, *, audio: bool, video: bool) -> None:
        audio = audio and self.audio.muted is not muted
        video = video and self.video.muted is not muted
        ports = ((audio, self.audio), (video, self.video))
        for changes, port in ports:
            if changes:
                (port.mute if muted else port.unmute)()
        if audio or video:
            self.emit("muted" if muted else "unmuted", events.Muted(audio=audio, video=video))

    async def wait_confirmed(self) -> None:
        """Wait until the call is up.

        :raises CallFailed: it did not come about.
        """
        await asyncio.shield(self._confirmed)

    async def wait_ended(self) -> events.Ended | events.Failed:
        """Wait until the call is over; returns why."""
        await asyncio.shield(self._over)
        over = self.ending or self.failure
        assert over is not None
        return over

    async def wait_closed(self) -> None:
        """Wait until nothing of the call goes on any more: the peer has its last answer, recordings are finished."""
        await asyncio.shield(self._gone)

    async def __aenter__(self) -> Self:
        try:
            await self.wait_confirmed()
        except asyncio.CancelledError:
            if not self.is_ended():
                self.terminate()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if not self.is_ended():
            self.terminate()
        await self.wait_closed()

    # --- what the user agent asks for ----------------------------------------------------------------------

    def receive_request(self, transaction: ServerTransaction, request: Request) -> None:
        """A request in the call's dialog; called by the user agent."""
        indialog.receive_request(self, transaction, request)

    def connection_is_back(self) -> None:
        """There is a connection to the server again; called by the user agent."""

        def act() -> None:
            path.recover(self)

        self._post(act)

    def close(self) -> None:
        """The user agent stops; called by it."""
        if self._refers is not None:
            self._refers.close()
        self._set_gone()

    # --- faults and states ---------------------------------------------------------------------------------

    def _give_up(self, cause: Cause, reason: str) -> None:
        """End the call because of a fault on this side: properly if that is possible, and in any case."""
        try:
            if not self._over.done() and allowed(self._state, Event.FAILURE):
                terminate.finish(self, Event.FAILURE, originator="system", cause=cause, reason=reason)
                return
        except Exception:
            logger.exception("%s: cannot even end", self)
        established = self._state in ESTABLISHED
        self._state = State.ENDED
        over = events.Ended if established else events.Failed
        self._set_over(over("system", cause, None, reason))
        self._set_gone()

    def _is_past(self) -> bool:
        return self._over.done() and self._state is State.ENDED

    def _headers(self) -> tuple[tuple[str, str], ...]:
        """What every message that makes or refreshes the call's dialog says of us."""
        return self._trickle.headers()

    def _do(
        self,
        work: Coroutine[Any, Any, T],
        then: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        def done(result: T) -> None:
            then(result)
            self._trickle.deliver()  # a description may be in force now that the peer's candidates waited for

        super()._do(work, done, failed)

    def _advance(self, event: Event) -> None:
        self._state = advance(self._state, event)

    # --- timers --------------------------------------------------------------------------------------------

    def _set_timer(self, name: str, delay: float, action: Callable[[], None]) -> None:
        self._clear_timer(name)

        def fire() -> None:
            self._timers.pop(name, None)
            self._post(action, urgent=True)

        self._timers[name] = self._host.loop.call_later(delay, fire)

    def _clear_timer(self, name: str) -> None:
        if (handle := self._timers.pop(name, None)) is not None:
            handle.cancel()

    # --- being over ----------------------------------------------------------------------------------------

    def _began(self) -> None:
        self.start_time = datetime.datetime.now(datetime.UTC)

    def _set_confirmed(self) -> None:
        if not self._confirmed.done():
            self._confirmed.set_result(None)
            self._renegotiation.rest()

    def _set_over(self, event: events.Ended | events.Failed) -> None:
        """Tell that the call is over: once, whatever else still has to be exchanged."""
        if self._over.done():
            return
        self.end_time = datetime.datetime.now(datetime.UTC)
        for name in tuple(self._timers):
            self._clear_timer(name)
        if self._dtmf is not None:
            self._dtmf.stop()
            self._dtmf = None
        self._renegotiation.stop()
        self._over.set_result(None)
        if isinstance(event, events.Failed):
            self.failure = event
        else:
            self.ending = event
        if not self._confirmed.done():
            self._confirmed.set_exception(call_error(event))
            self._confirmed.exception()  # nobody has to wait for it
        self.emit("failed" if self.failure else "ended", event)

    def _set_gone(self) -> None:
        """Nothing is left to be exchanged with the peer: release everything."""
        if self._is_gone:
            return
        self._is_gone = True
        self._stop_work()
        self._leave_dialog()
        for dialog in self._early_dialogs.values():
            self._host.remove_dialog(dialog.id)
        self._early_dialogs.clear()
        self._release()
        self._host.session_over(self)
        if self._media is None:
            self._gone.set_result(None)
        else:
            self._host.spawn(self._close_media(self._media))
        self._act()  # requests that waited for media work are refused now

    def _release(self) -> None:
        """Let the transaction of the INVITE, which outlives the call by 32 s, hold nothing of it."""
        if self._invite is not None:
            leftovers.retire(self)
        elif self._transaction is not None:
            self._host.release(self._transaction)
        self._invite = self._transaction = None

    def _refer_usages(self) -> ReferUsages:
        if self._refers is None:
            self._refers = ReferUsages(self, busy=self._keep_dialog, idle=self._leave_dialog)
        return self._refers

    def _keep_dialog(self) -> None:
        assert self._dialog is not None
        self._host.add_dialog(self._dialog.id, self)

    def _leave_dialog(self) -> None:
        """Nothing more is expected in the dialog, once the call is over and no subscription lives in it."""
        if self._dialog is not None and self._state is State.ENDED and not self._refers:
            self._host.remove_dialog(self._dialog.id)

    async def _close_media(self, media: MediaSession) -> None:
        try:
            await media.close()
        finally:
            if not self._gone.done():
                self._gone.set_result(None)
