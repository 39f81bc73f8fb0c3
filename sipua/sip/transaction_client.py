"""Requests that were sent (:rfc:`3261#section-17.1`), and the CANCEL of an INVITE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .headers import Headers
from .message import Request, Response
from .transaction import CLASS_OF_STATUS, ClientKey, Context, Transaction, compile_machine
from .transaction_events import ResponseReceived, TimerC
from .transaction_states import INVITE_CLIENT, NON_INVITE_CLIENT, Durations, Input, State, Timer

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

__all__ = ["ClientTransaction"]


class ClientTransaction(Transaction):
    """A request that was sent, until nothing about it can come any more. See `TransactionLayer.request`."""

    __slots__ = ("_ack", "_cancel", "branch", "cancelled")

    def __init__(
        self,
        context: Context,
        request: Request,
        branch: str,
        flow: Hashable,
        durations: Durations,
        now: float,
        *,
        internal: bool = False,
    ) -> None:
        super().__init__(context, request, flow, durations, internal=internal)
        self.branch = branch
        #: whether `cancel` was called
        self.cancelled = False
        self._cancel: Request | None = None
        self._ack: Request | None = None
        self._key: ClientKey = (branch, "CANCEL") if self.method == "CANCEL" else branch
        context.clients[self._key] = self
        context.messages.append((request, flow))
        self._start(_INVITE if self.method == "INVITE" else _NON_INVITE, now)

    @property
    def id(self) -> str:
        """The branch, which no other request of ours has (a CANCEL has that of its INVITE)."""
        return self.branch

    def cancel(
        self, now: float, *, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> bool:
        """Cancel an INVITE (:rfc:`3261#section-9.1`). False when it has its final response: too late.

        The CANCEL waits for the first provisional response, and is not sent when a final one comes first. A
        2xx may still come. Without any final response in 64*T1 after the CANCEL, the transaction times out.
        `reason` becomes the Reason header (:rfc:`3326`).
        """
        if self.method != "INVITE":
            raise ValueError(f"only an INVITE can be cancelled, not {self.method}")
        if self._node.state not in (State.CALLING, State.PROCEEDING):
            return False
        if not self.cancelled:
            self.cancelled = True
            extra = [*headers] if reason is None else [("Reason", reason), *headers]
            self._cancel = _follow_up(self.request, "CANCEL", self.request.headers.get("To", ""), extra)
            self._step(Input.CANCEL, now)
        return True

    def resubmission(self, sequence: int) -> Request:
        """A copy of the request with another CSeq, to send again (:rfc:`3261#section-8.1.3.5`)."""
        request = self.request.copy()
        request.headers.remove_first("Via")
        request.headers.set("CSeq", f"{sequence} {self.method}")
        return request

    def is_answered_by(self, response: Response) -> bool:
        """Whether a response with our branch has the request's CSeq, Call-ID and From tag, too."""
        if response.cseq.method != self.method:
            return False
        if not hasattr(self, "request"):
            return True  # released: only 2xx mean anything now, and these are acknowledged as they are
        request = self.request
        return (
            response.call_id == request.call_id
            and response.from_tag == request.from_tag
            and response.cseq.sequence == request.cseq.sequence
        )

    def receive(self, response: Response, now: float) -> None:
        """A response to this request. For the layer."""
        self._step(CLASS_OF_STATUS[response.code // 100], now, response)
        if self._cancel is not None:
            self._step(Input.CANCEL, now)

    def _forget(self) -> None:
        del self._context.clients[self._key]

    def _resend(self, now: float, message: object) -> None:
        self._context.messages.append((self.request, self.flow))

    def _deliver(self, now: float, response: Response) -> None:
        if not self.is_internal:
            self._context.events.append(ResponseReceived(self, response))

    def _acknowledge(self, now: float, response: Response) -> None:
        if self._ack is None:
            self._ack = _follow_up(self.request, "ACK", response.headers.get("To", ""))
        self._context.messages.append((self._ack, self.flow))

    def _restart_c(self, now: float, response: Response) -> None:
        if response.code > 100 and self._end is not None and self._end.name == Timer.C:
            duration = self._durations[Timer.C]
            assert duration is not None
            self._stop_end()
            self._end = self._context.deadlines.start(now + duration, self, Timer.C)

    def _send_cancel(self, now: float, message: object) -> None:
        cancel, self._cancel = self._cancel, None
        assert cancel is not None
        context = self._context
        ClientTransaction(context, cancel, self.branch, self.flow, self._durations, now, internal=True)
        self._stop_end()
        timeout = self._durations[Timer.CANCELLED]
        assert timeout is not None
        self._end = context.deadlines.start(now + timeout, self, Timer.CANCELLED)

    def _tell_timer_c(self, now: float, message: object) -> None:
        self._context.events.append(TimerC(self))


def _follow_up(request: Request, method: str, to: str, extra: Iterable[tuple[str, str]] = ()) -> Request:
    """The CANCEL of an INVITE (:rfc:`3261#section-9.1`), or its ACK after a 300-699.

    Both go the way of the INVITE: the same Request-URI and Route, and of its Vias the topmost alone
    (:rfc:`3261#section-17.1.1.3`).
    """
    original = request.headers
    headers = Headers()
    headers.add("Via", original.get("Via", ""))
    for route in original.getlist("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    headers.add("From", original.get("From", ""))
    headers.add("To", to)
    headers.add("Call-ID", request.call_id)
    headers.add("CSeq", f"{request.cseq.sequence} {method}")
    for name, value in extra:
        headers.add(name, value)
    return Request(method, request.uri, headers=headers)


_INVITE: Final = compile_machine(INVITE_CLIENT, ClientTransaction)[State.CALLING]
_NON_INVITE: Final = compile_machine(NON_INVITE_CLIENT, ClientTransaction)[State.TRYING]
