"""Sending a peer somewhere else: REFER, and what its NOTIFYs tell (:rfc:`3515`, :rfc:`4488`, :rfc:`5589`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.emitter import Emitter
from sipua.errors import InvalidStateError, ParseError, TransferFailed
from sipua.events import Cause, cause_of_status
from sipua.session import reference, terminate
from sipua.session.headers import header_list
from sipua.session.host import NoResponse
from sipua.session.states import Event, State
from sipua.session.subscriptions import LIFETIME, LONGEST
from sipua.sip import Replaces

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from sipua.emitter import Handler
    from sipua.session.host import SentRequest
    from sipua.session.session import RTCSession
    from sipua.session.sipfrag import StatusLine
    from sipua.session.subscriptions import ReferUsages
    from sipua.sip import URI, Request, Response, SubscriptionState

#: Seconds from the 2xx to the first NOTIFY (timer N, RFC 6665 §4.1.2.4).
FIRST_NOTIFY = 32.0
#: Seconds that a NOTIFY may be late.
GRACE = 5.0
#: Seconds after a transfer that worked until we hang up, unless the application or the peer does.
HANG_UP_AFTER = 2.0

_STATES = (State.WAITING_FOR_ACK, State.CONFIRMED)
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
        self._usages = usages
        self._loop = usages.owner._host.loop
        self._result: asyncio.Future[events.ReferStatus] = self._loop.create_future()
        self._sent: SentRequest | None = None
        self._answered = False
        self._notified = False
        self._timer: asyncio.TimerHandle | None = None
        for name, handler in (event_handlers or {}).items():
            self.on(name, handler)

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

    def _refused(self, response: Response | None, cause: Cause) -> None:
        self.emit("request_failed", events.ReferRequestFailed(response, cause))
        self._fail(cause, response, "")
        self._end()

    def _accepted(self, response: Response) -> None:
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

    def _lost(self, request: Request | None, reason: str) -> None:
        """The peer owes us the result and will not give it."""
        self._fail(Cause.REQUEST_TIMEOUT, None, reason)
        self.emit("failed", events.ReferStatus(request, 408, "Request Timeout", reason))

    # --- its life --------------------------------------------------------------------------------------------

    def _expect(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, self._time_out)

    def _time_out(self) -> None:
        self._timer = None
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


# --- in a call ------------------------------------------------------------------------------------------------


def refer(
    session: RTCSession,
    target: str | URI | None,
    replaces: RTCSession | Replaces | None,
    refer_sub: bool,
    hang_up: bool,
    extra_headers: Any,
    event_handlers: Mapping[str, Handler] | None,
) -> ReferSubscriber:
    """What `RTCSession.refer` does."""
    if session.is_ended() or session.status not in _STATES or session._dialog is None:
        raise InvalidStateError("refer", session.status.value)
    if replaces is session:
        raise ValueError("replaces: the call that is transferred cannot be the one that is replaced")
    consultation = None if replaces is None or isinstance(replaces, Replaces) else replaces
    refer_to = refer_to_value(session._host, target, replaces)
    headers = header_list(extra_headers)
    dialog = session._dialog
    subscriber = ReferSubscriber(session._refer_usages(), refer_to, event_handlers)

    def accepted(response: Response) -> None:
        try:
            dialog.refresh(response)
        except ParseError:
            pass  # a Contact that cannot be read changes nothing

    def succeeded(notified: bool) -> None:
        # Neither of our calls has anybody to talk to any more (RFC 5589 §7.1). Without a NOTIFY the call to be
        # replaced must stay until it is: the INVITE may still be on its way.
        for call in (session, consultation if notified else None):
            if call is not None:
                hang_up_after(call, HANG_UP_AFTER)

    subscriber.on_request_accepted = accepted
    if hang_up:
        subscriber.on_success = succeeded
    request = dialog.request(
        "REFER",
        headers=(
            ("Contact", session.contact),
            *refer_headers(refer_to, str(dialog.local_uri.uri), refer_sub=refer_sub),
            *session._host.standard_headers(),
            *headers,
        ),
    )
    subscriber.send(request, dialog.next_cseq)
    return subscriber


def refer_to_value(host: Any, target: str | URI | None, replaces: RTCSession | Replaces | None) -> str:
    """The Refer-To value for a target, or for the other end of the call that is to be replaced.

    :raises InvalidStateError: the call to be replaced is not up.
    """
    if replaces is None:
        if target is None:
            raise ValueError("target: whom to call is needed, or the call to replace")
        return reference.write(host.normalize_target(target))
    if isinstance(replaces, Replaces):
        if target is None:
            raise ValueError("target: whom to call is needed with a Replaces value")
        return reference.write(host.normalize_target(target), replaces)
    dialog = replaces._dialog
    if dialog is None or replaces.is_ended() or replaces.status not in _STATES:
        raise InvalidStateError("refer with replaces", replaces.status.value)
    uri = host.normalize_target(target) if target is not None else _reachable(replaces)
    # The tags as the one sees them who gets the INVITE (RFC 3891 §3).
    return reference.write(uri, Replaces(dialog.call_id, dialog.remote_tag or "0", dialog.local_tag))


def _reachable(session: RTCSession) -> URI:
    """Where others reach the peer: its Contact if that is good for everybody, else its address (RFC 5589 §7.3)."""
    assert session._dialog is not None
    contact = session._dialog.remote_target
    if "gr" in contact.parameters or session.remote_identity.uri.host.endswith(".invalid"):
        return contact
    return session.remote_identity.uri


def refer_headers(refer_to: str, referred_by: str, *, refer_sub: bool) -> tuple[tuple[str, str], ...]:
    """What makes a request a REFER. Referred-By (:rfc:`3892`) stays away for who is anonymous."""
    headers = [("Refer-To", refer_to)]
    if not referred_by.endswith("anonymous.invalid"):
        headers.append(("Referred-By", f"<{referred_by}>"))
    if not refer_sub:
        headers.append(("Refer-Sub", "false"))
    return tuple(headers)


def hang_up_after(session: RTCSession, seconds: float) -> None:
    """End a call that a transfer has made pointless, unless it is over by then."""
    if not session.is_ended():
        session._set_timer(
            "transferred",
            seconds,
            lambda: terminate.finish(session, Event.TERMINATE, originator="local"),
        )
