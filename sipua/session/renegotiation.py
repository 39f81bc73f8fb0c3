"""Offer and answer after the first pair: who may offer now, and what waits for its turn.

Theory of operation. At any moment at most one offer is open in a call (:rfc:`3264#section-4`, :rfc:`6337#section-2.2`).
Ours goes from IDLE through OFFERING (media makes it) and OFFERED (the request is out) back to IDLE. One of the peer's
goes through ANSWERING; after the 2xx to a re-INVITE we wait for the ACK (ACK_PENDING) before we offer anything, and
when the 2xx carried an offer of ours, for the answer in it (ANSWER_PENDING). `REFUSALS` says how the peer's next
offer is answered in each phase: 491 when it meets one of ours (glare, :rfc:`3261#section-14.2`), 500 with Retry-After
when the last one of its own is not answered yet.

What the application asks for waits in a queue; an offer that met the peer's waits at its head until its time has come
(:rfc:`3261#section-14.1`), and the peer may offer meanwhile. This machine is apart from the states of the call: they do
not change while it works.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from sipua.session.reply import respond
from sipua.session.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.media.interface import AudioSource, Direction
    from sipua.session.reinvite import IncomingReinvite
    from sipua.session.reoffer import Reoffer
    from sipua.session.session import RTCSession
    from sipua.sip import Request, ServerTransaction


class Phase(enum.Enum):
    """Where the negotiation is."""

    IDLE = "idle"
    OFFERING = "offering"
    OFFERED = "offered"
    ANSWERING = "answering"
    ACK_PENDING = "ACK pending"
    ANSWER_PENDING = "answer pending"


class Step(enum.Enum):
    """What moves it on."""

    OFFER = "an offer of ours begins"
    SEND = "the request went out"
    FINISH = "its outcome is dealt with"
    OFFER_IN = "an offer of the peer, or its wish for one of ours"
    ANSWER = "answered without an ACK to come, or refused"
    ACCEPT = "2xx to a re-INVITE with our answer sent"
    OFFER_BACK = "response with our offer sent"
    ACK_IN = "ACK (or PRACK) received"


P, S = Phase, Step

TRANSITIONS: dict[tuple[Phase, Step], Phase] = {
    (P.IDLE, S.OFFER): P.OFFERING,
    (P.OFFERING, S.SEND): P.OFFERED,
    (P.OFFERING, S.FINISH): P.IDLE,
    (P.OFFERED, S.FINISH): P.IDLE,
    (P.IDLE, S.OFFER_IN): P.ANSWERING,
    (P.ACK_PENDING, S.OFFER_IN): P.ANSWERING,  # it overtook the ACK (RFC 5407 §3.1.4): that is as good as one
    (P.ANSWERING, S.ANSWER): P.IDLE,
    (P.ANSWERING, S.ACCEPT): P.ACK_PENDING,
    (P.ANSWERING, S.OFFER_BACK): P.ANSWER_PENDING,
    (P.ACK_PENDING, S.ACK_IN): P.IDLE,
    (P.ANSWER_PENDING, S.ACK_IN): P.ANSWERING,  # media takes the answer in it, or forgets the offer
}

#: The answer to an offer of the peer in each phase that cannot take it (:rfc:`3311#section-5.2`).
REFUSALS: dict[Phase, int] = {
    P.OFFERING: 491,
    P.OFFERED: 491,
    P.ANSWER_PENDING: 491,
    P.ANSWERING: 500,
}

#: What a medium that goes this way becomes while it is on hold (:rfc:`3264#section-8.4`).
HELD: dict[Direction, Direction] = {
    "sendrecv": "sendonly",
    "sendonly": "sendonly",
    "recvonly": "inactive",
    "inactive": "inactive",
}


class VideoWish(NamedTuple):
    """What this side wants of video from now on; None is no video."""

    direction: Direction | None


class Renegotiation:
    """The machine of one call, what waits for it, and what was agreed so far."""

    __slots__ = (
        "_queue",
        "_session",
        "_waiting",
        "current",
        "direction",
        "heard",
        "incoming",
        "local_hold",
        "music",
        "phase",
        "remote_hold",
        "unanswered",
        "video",
    )

    def __init__(self, session: RTCSession) -> None:
        self._session = session
        self._queue: deque[Reoffer] = deque()
        self._waiting: list[Callable[[], None]] = []
        self.phase = Phase.IDLE
        self.current: Reoffer | None = None
        self.incoming: IncomingReinvite | None = None
        """The peer's re-INVITE that was answered last and not acknowledged yet."""
        self.unanswered: dict[ServerTransaction, Request] = {}
        """The peer's requests that are being worked on: when the call ends, they still need an answer."""
        self.direction: Direction | None = None
        """What this side wants of its audio when it does not hold; None: what the media's options say."""
        self.video: VideoWish | None = None
        """The same of video; None: what the media's options say."""
        self.local_hold = False
        self.remote_hold = False
        self.music: tuple[AudioSource | None] | None = None
        """Music on hold as it was before a hold that has its own; None: there is no such hold."""
        self.heard = False
        """Whether a description of the peer was looked at for what it says of hold."""

    # --- what this side wants ------------------------------------------------------------------------------

    def wanted(self, *, hold: bool | None = None, direction: Direction | None = None) -> Direction:
        """The direction to offer or answer with; `hold` and `direction` instead of what is agreed."""
        media = self._session._media
        assert media is not None
        wish = direction or self.direction or media.options.direction
        return HELD[wish] if (self.local_hold if hold is None else hold) else wish

    def wanted_video(self, *, hold: bool | None = None, video: VideoWish | None = None) -> Direction | None:
        """The direction of video to answer with; `hold` and `video` instead of what is agreed. None: refuse it."""
        media = self._session._media
        assert media is not None
        wish = video or self.video
        if wish is None:
            wish = VideoWish(media.options.video_direction if media.wants_video else None)
        if wish.direction is None:
            return None
        return HELD[wish.direction] if (self.local_hold if hold is None else hold) else wish.direction

    def offered_video(self, *, hold: bool | None = None, video: VideoWish | None = None) -> Direction | None:
        """The direction of video to offer: none that is not there already, unless `video` adds it."""
        media = self._session._media
        assert media is not None
        return self.wanted_video(hold=hold, video=video) if video is not None or media.has_video else None

    # --- the machine ---------------------------------------------------------------------------------------

    def step(self, step: Step) -> None:
        """Go on. Whoever waits for the machine is told when it comes to rest."""
        self.phase = TRANSITIONS[self.phase, step]
        if self.phase is Phase.IDLE:
            waiting, self._waiting = self._waiting, []
            for action in waiting:
                self._session._post(action)
            self.rest()

    def rest(self) -> None:
        """Nothing is open any more: go on with what waits."""
        self._session._post(self._session._timer.catch_up)
        self.next()

    def when_idle(self, action: Callable[[], None]) -> None:
        """Call `action` now if nothing is open, or once that is so."""
        if self.phase is Phase.IDLE:
            action()
        else:
            self._waiting.append(action)

    @property
    def is_idle(self) -> bool:
        """Nothing is open and nothing waits."""
        return self.phase is Phase.IDLE and not self._queue

    @property
    def is_restarting(self) -> bool:
        """Whether an offer of ours with an ICE restart is under way or waits."""
        return any(one is not None and one.restarts_ice for one in (self.current, *self._queue))

    # --- our own offers, one after the other ---------------------------------------------------------------

    def add(self, reoffer: Reoffer) -> None:
        """Carry it out after those that were asked for before."""
        self._queue.append(reoffer)
        self.next()

    def again(self, reoffer: Reoffer) -> None:
        """Carry it out once more, before all others."""
        self._queue.appendleft(reoffer)
        self.next()

    def next(self) -> None:
        """Begin with what waits, if it may begin."""
        if self._queue and self.phase is Phase.IDLE:
            self._session._post(self._begin)

    def _begin(self) -> None:
        session = self._session
        if self.phase is not Phase.IDLE or not self._queue or session.is_ended():
            return
        reoffer = self._queue[0]
        if reoffer.waits or not reoffer.is_possible():
            return
        self._queue.popleft()
        self.current = reoffer
        reoffer.begin()

    # --- the end -------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The call is over: answer what is open (:rfc:`3261#section-15.1.2`), carry out nothing more."""
        queue, self._queue = self._queue, deque()
        current, self.current = self.current, None
        for reoffer in (current, *queue):
            if reoffer is not None:
                reoffer.abandon()
        self._waiting.clear()
        unanswered, self.unanswered = self.unanswered, {}
        for transaction, request in unanswered.items():
            respond(self._session, transaction, request, 487)


def may_offer(session: RTCSession) -> bool:
    """Whether the first offer and answer are through, so that another offer may follow."""
    return session.status is State.CONFIRMED and session._confirmed.done()
