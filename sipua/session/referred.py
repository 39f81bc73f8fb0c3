"""Being sent somewhere else: the peer's REFER, the call it asks for, and telling it how that goes (:rfc:`3515`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from sipua import events
from sipua.errors import InvalidStateError, ParseError
from sipua.events import Cause
from sipua.session import reference
from sipua.session.headers import checked_phrase, checked_status, header_list, response_header_list
from sipua.session.notifier import ReferNotifier
from sipua.session.refer import hang_up_after
from sipua.session.reply import respond
from sipua.session.sipfrag import StatusLine, status_line
from sipua.sip import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.session.reference import Reference
    from sipua.session.session import RTCSession
    from sipua.session.subscriptions import ReferUsages
    from sipua.sip import URI, Address, Replaces, Request, ServerTransaction

logger = logging.getLogger("sipua.session")

#: Seconds that the one who transferred us has to hang up, once the new call is up, before we do.
HANG_UP_AFTER = 32.0
#: Seconds that coroutines may take to decide before the REFER is answered without them.
ANSWER_AFTER = 5.0
#: The refusal when nobody listens, or the application names none.
DECLINE = 603

#: What the one who transferred us is told when the new call ended without a response of its target.
_STATUS_OF_CAUSE = {
    Cause.NO_ANSWER: 408,
    Cause.REQUEST_TIMEOUT: 408,
    Cause.EXPIRES: 408,
    Cause.CANCELED: 487,
    Cause.CONNECTION_ERROR: 503,
    Cause.BAD_MEDIA_DESCRIPTION: 488,
    Cause.MISSING_SDP: 488,
    Cause.WEBRTC_ERROR: 488,
    Cause.BYE: 487,
}


class Listener(Protocol):
    """Who tells the application of a REFER: the call, or the user agent."""

    def has_handlers(self, event: str) -> bool:
        """Whether anybody listens."""

    def emit_then(self, event: str, payload: Any, then: Callable[[], None]) -> None:
        """Tell, and call `then` when the handlers are done."""


class IncomingRefer:
    """The wish of a peer that we call somebody. `accept` or `reject` it, now or later.

    What is not decided when the handlers are done, or after 5 seconds, is answered 202, and the peer is told that it is
    pending; after 3 minutes it is declined.
    """

    def __init__(
        self,
        usages: ReferUsages,
        transaction: ServerTransaction,
        request: Request,
        reference: Reference,
        session: RTCSession | None,
    ) -> None:
        self.request = request
        """The REFER."""
        self.session = session
        """The call that it came in; None outside of calls."""
        self.data: dict[str, Any] = {}
        """For the application; not used here."""
        self._usages = usages
        self._transaction = transaction
        self._reference = reference
        self._notifier: ReferNotifier | None = None
        # Without a subscription (RFC 4488 §4) the peer is told nothing behind the 2xx.
        self._silent = _wants_no_subscription(request)
        self._answered = False
        self._decision = ""
        self._limit = usages.owner._host.loop.call_later(ANSWER_AFTER, self.settle)

    @property
    def uri(self) -> URI:
        """Whom to call."""
        return self._reference.uri

    @property
    def replaces(self) -> Replaces | None:
        """The call of the target's that ours would take the place of (attended transfer)."""
        return self._reference.replaces

    @property
    def referred_by(self) -> Address | None:
        """Who asks, if he says so (:rfc:`3892`)."""
        return self._reference.referred_by

    def accept(
        self, *, extra_headers: Any = (), hang_up_after: float | None = HANG_UP_AFTER, **options: Any
    ) -> RTCSession:
        """Make the call. The peer is told how it goes, up to its end or success.

        When the new call is up, the one who sent us there hangs up the old one; if not within `hang_up_after` seconds,
        we do (None: never). When the new call does not come about, the old one is as it was.

        :param options: as for `UA.call`.
        :returns: the new call, which ``new_rtc_session`` tells, too.
        :raises InvalidStateError: already decided, or the user agent was stopped.
        """
        headers = (*self._reference.headers, *header_list(extra_headers))
        self._decide("accept")
        try:
            call: RTCSession = self._usages.owner._host.call(self.uri, extra_headers=headers, **options)
        except Exception:
            self._decision = ""
            if not self._answered:
                self.reject(500)
            raise
        if not self._answered:
            self._take()
        if self._notifier is not None:
            self._notifier.extend_beyond(call._no_answer_timeout)
            self._notifier.progress(status_line(100))
        self._watch(call, hang_up_after)
        return call

    def reject(
        self, status_code: int = DECLINE, reason_phrase: str | None = None, *, extra_headers: Any = ()
    ) -> None:
        """Do not make the call.

        :param status_code: 300 to 699.
        :param extra_headers: of the answer to the REFER, unless that was answered already: then a NOTIFY says no.
        :raises InvalidStateError: already decided.
        :raises ValueError: no such status code.
        """
        checked_status(status_code)
        headers = response_header_list(extra_headers, status_code)
        phrase = checked_phrase(reason_phrase)
        self._decide("reject")
        if not self._answered:
            self._answer()
            respond(self._usages.owner, self._transaction, self.request, status_code, headers, phrase)
        elif self._notifier is not None:
            self._notifier.finish(status_line(status_code, phrase))

    def settle(self) -> None:
        """The handlers are done, or take too long: answer, for the REFER cannot wait for a person."""
        if not self._answered:
            self._take()
            if self._notifier is not None:
                self._notifier.pending()

    def _decide(self, what: str) -> None:
        if self._decision:
            raise InvalidStateError(what, self._decision)
        self._decision = f"{what}ed"

    def _answer(self) -> None:
        self._answered = True
        self._limit.cancel()

    def _take(self) -> None:
        """202, and a subscription unless the peer wants none."""
        owner = self._usages.owner
        headers = (("Contact", owner.contact), *owner._host.standard_headers())
        if self._silent:
            headers = (*headers, ("Refer-Sub", "false"))
        self._answer()
        respond(owner, self._transaction, self.request, 202, headers)
        if not self._silent:
            self._notifier = ReferNotifier(self._usages, self._usages.event_of(self.request), self._expired)

    def _expired(self) -> None:
        if not self._decision and self._notifier is not None:
            self._decision = "expired"
            self._notifier.finish(status_line(DECLINE), "giveup")

    def _watch(self, call: RTCSession, hang_up_seconds: float | None) -> None:
        """Tell the peer what becomes of the call."""
        notifier, old = self._notifier, self.session
        up = False

        def tell(line: StatusLine, *, final: bool) -> None:
            if notifier is not None:
                (notifier.finish if final else notifier.progress)(line)

        def progress(event: events.Progress) -> None:
            tell(status_line(event.response.code, event.response.phrase), final=False)

        def confirmed(event: events.Confirmed) -> None:
            nonlocal up
            up = True
            response = call.response
            tell(status_line(response.code, response.phrase) if response else status_line(200), final=True)
            if old is not None and hang_up_seconds is not None:
                hang_up_after(old, hang_up_seconds)

        def over(event: events.Ended | events.Failed) -> None:
            if not up:
                tell(_outcome(event), final=True)
            elif old is not None:
                old._clear_timer("transferred")

        call.on("progress", progress)
        call.on("confirmed", confirmed)
        call.on("ended", over)
        call.on("failed", over)
        if call.is_ended():  # a handler of new_rtc_session saw to it
            assert call.failure is not None
            over(call.failure)


def _outcome(event: events.Ended | events.Failed) -> StatusLine:
    response = event.message
    if isinstance(response, Response) and response.code >= 300:
        return status_line(response.code, response.phrase)
    return status_line(_STATUS_OF_CAUSE.get(event.cause, 500))


def _wants_no_subscription(request: Request) -> bool:
    return (request.refer_sub or "").partition(";")[0].strip().lower() == "false"


def receive_refer(
    usages: Callable[[], ReferUsages],
    listener: Listener,
    transaction: ServerTransaction,
    request: Request,
    session: RTCSession | None,
    refuse: Callable[[int, tuple[tuple[str, str], ...], str | None], None],
) -> None:
    """A REFER of the peer: refused with the right status when it cannot be followed, else the application's."""
    try:
        found = reference.read(request)
        sub = request.refer_sub
        if sub is not None and sub.partition(";")[0].strip().lower() not in ("true", "false"):
            raise ParseError(f"Refer-Sub: {sub}", status=400, phrase="Malformed Refer-Sub", request=request)
    except ParseError as error:
        logger.warning("%s: REFER refused: %s", listener, error)
        refuse(error.status or 400, error.headers, error.phrase)
        return
    if not listener.has_handlers("refer"):
        refuse(DECLINE, (), None)
        return
    refer = IncomingRefer(usages(), transaction, request, found, session)
    listener.emit_then("refer", events.Refer(refer, request), refer.settle)
