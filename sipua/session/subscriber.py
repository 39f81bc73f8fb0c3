"""What the NOTIFYs to a REFER of ours tell (:rfc:`3515#section-2.4.5`, :rfc:`4488`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.emitter import Emitter
from sipua.errors import TransferFailed
from sipua.events import Cause, cause_of_status
from sipua.session.host import NoResponse
from sipua.session.subscriptions import LIFETIME, LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from sipua.emitter import Handler
    from sipua.session.host import SentRequest
    from sipua.session.sipfrag import StatusLine
    from sipua.session.subscriptions import ReferUsages
    from sipua.sip import Request, Response, SubscriptionState

#: Seconds from the 2xx to the first NOTIFY (timer N, RFC 6665 §4.1.2.4).
FIRST_NOTIFY = 32.0
#: Seconds that a NOTIFY may be late.
GRACE = 5.0

_SUCCESS, _FAILURE = 200, 300


class ReferSubscriber(Emitter):
    """A REFER under way, made by `RTCSession.refer` or `UA.refer`.

    Its events tell how it goes: ``request_succeeded`` or ``request_failed`` for the REFER itself; then, from NOTIFYs,
    ``trying``, ``progress``, and at last ``accepted`` or ``failed`` for the call that the peer makes. Awaiting it
    gives the final `events.ReferStatus`.

    :raises TransferFailed: (when awaited) the REFER was refused, or the call did not come about.
    """

    event_names = frozenset(
        {"request_succeeded", "request_failed", "trying", "progress", "accepted", "failed"}
    )

    def __init__(
        self, usages: ReferUsages, refer_to: str, event_handlers: Mapping[str, Handler] | None = None
    ) -> None:
        super().__init__()
        self.refer_to = refer_to
        """The Refer-To value that was sent."""
        self.status: StatusLine | None = None
        """How far the call is, as far as we were told."""
        self.on_request_accepted: Callable[[Response], None] = lambda response: None
        self.on_success: Callable[[bool], None] = lambda notified: None
        self.on_failure: Callable[[bool], None] = lambda taken: None
        self._usages = usages
        self._loop = usages.owner._host.loop
        self._result: asyncio.Future[events.ReferStatus] = self._loop.create_future()
        self._sent: SentRequest | None = None
        self._answered = False
        self._taken = False
        self._notified = False
        self._timer: asyncio.TimerHandle | None = None
        self.on_each(event_handlers)

    def __await__(self) -> Generator[Any, None, events.ReferStatus]:
        return _shielded(self._result).__await__()

    def __str__(self) -> str:
        return f"REFER to {self.refer_to}"

    @property
    def request(self) -> Request:
        """The REFER, as it was last sent."""
        assert self._sent is not None
        return self._sent.request

    @property
    def sequence(self) -> int:
        """The CSeq number of the REFER, by which NOTIFYs name it."""
        return self.request.cseq.sequence

    def send(self, request: Request, next_cseq: Callable[[], int] | None) -> None:
        """Send the REFER."""
        self._usages.add_subscriber(self)
        self._sent = self._usages.owner._host.send_request(request, self._on_result, next_cseq=next_cseq)

    def give_up(self, reason: str) -> None:
        """The REFER cannot even be sent."""
        self._refused(None, Cause.DIALOG_ERROR, reason)

    def close(self) -> None:
        """The user agent stops: no word will come any more."""
        self._fail(Cause.CONNECTION_ERROR, None, "the user agent was stopped")
        self._end()

    # --- the REFER itself --------------------------------------------------------------------------------------

    def _on_result(self, result: Response | NoResponse) -> None:
        if self._answered or (not isinstance(result, NoResponse) and result.code < _SUCCESS):
            return
        self._answered = True
        if isinstance(result, NoResponse):
            self._refused(result.response, result.cause)
        elif result.code >= _FAILURE:
            self._refused(result, cause_of_status(result.code))
        else:
            self._accepted(result)

    def _refused(self, response: Response | None, cause: Cause, reason: str = "") -> None:
        self.emit("request_failed", events.ReferRequestFailed(response, cause))
        self._fail(cause, response, reason)
        self._end()

    def _accepted(self, response: Response) -> None:
        self._taken = True
        self.on_request_accepted(response)
        self.emit("request_succeeded", events.ReferRequestSucceeded(response))
        if (response.headers.get("Refer-Sub") or "").partition(";")[0].strip().lower() == "false":
            # No NOTIFY will come (RFC 4488 §4): that the peer tries is all that we learn.
            self._succeed(events.ReferStatus(None, response.code, response.phrase), notified=False)
            self._end()
        elif not self._notified:
            self._expect(FIRST_NOTIFY)

    # --- what NOTIFYs tell ---------------------------------------------------------------------------------------

    def on_notify(self, request: Request, state: SubscriptionState, line: StatusLine | None) -> None:
        """A NOTIFY of the subscription, which was answered already; `line` is None when it said nothing legible."""
        self._notified = True
        reason = state.reason or ""
        if line is not None:
            self._tell(request, line, reason)
        if state.state != "terminated":
            self._expect(min(state.expires if state.expires is not None else LIFETIME, LONGEST) + GRACE)
            return
        if line is not None and line.code < _SUCCESS and reason in ("", "noresource"):
            # SIP.js calls the subscription terminated in each of its NOTIFYs, and sends the next one all the same.
            self._expect(LIFETIME)
            return
        if not self._result.done():
            self._lost(request, reason or "the subscription ended without a result")
        self._end()

    def _tell(self, request: Request, line: StatusLine, reason: str) -> None:
        if self._result.done():
            return  # it was told already; a NOTIFY may repeat it
        self.status = line
        status = events.ReferStatus(request, line.code, line.phrase, reason)
        if line.code < _SUCCESS:
            self.emit("trying" if line.code == 100 else "progress", status)
        elif line.code < _FAILURE:
            self._succeed(status, notified=True)
        else:
            self._fail(cause_of_status(line.code), None, "", line)
            self.emit("failed", status)

    def _succeed(self, status: events.ReferStatus, *, notified: bool) -> None:
        if not self._result.done():
            self._result.set_result(status)
            if notified:
                self.emit("accepted", status)
            self.on_success(notified)

    def _fail(
        self, cause: Cause, response: Response | None, reason: str, line: StatusLine | None = None
    ) -> None:
        if self._result.done():
            return
        status = line or response
        text = f"{self}: {cause}"
        if status is not None:
            text += f" ({status.code} {status.phrase})".replace(" )", ")")
        if reason:
            text += f": {reason}"
        error = TransferFailed(
            text, cause=cause, status_code=status.code if status is not None else None, response=response
        )
        self._result.set_exception(error)
        self._result.exception()  # nobody has to wait for it
        self.on_failure(self._taken or self._notified)

    def _lost(self, request: Request | None, reason: str) -> None:
        """The peer owes us the result and will not give it."""
        self._fail(Cause.REQUEST_TIMEOUT, None, reason)
        self.emit("failed", events.ReferStatus(request, 408, "Request Timeout", reason))

    # --- its life --------------------------------------------------------------------------------------------

    def _expect(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, self._time_out)

    def _time_out(self) -> None:
        if not self._result.done():
            self._lost(None, "no NOTIFY in time")
        self._end()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._stop_timer()
        self._usages.remove_subscriber(self)


async def _shielded(result: asyncio.Future[events.ReferStatus]) -> events.ReferStatus:
    return await asyncio.shield(result)
