"""Client and server transactions (:rfc:`3261#section-17`): the machines of `transaction_states`, at work.

A transaction is made by the layer (`sipua.sip.layer`), which also finds it when a message arrives. What it
has to send and to tell goes to two queues of the layer, so that no transaction ever calls its user.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from .headers import Headers
from .identifiers import new_tag
from .message import Request, Response, make_response
from .timers import Deadline, Deadlines, Timers
from .transaction_events import (
    AckReceived,
    AckTimedOut,
    Event,
    ResponseReceived,
    TimerC,
    TransactionTerminated,
    TransactionTimedOut,
    TransportFailed,
)
from .transaction_states import (
    INVITE_CLIENT,
    INVITE_SERVER,
    INVITE_SERVER_PROXY,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    Machine,
    State,
    Timer,
)

if TYPE_CHECKING:
    import random

__all__ = ["ClientTransaction", "Context", "ServerTransaction", "Transaction", "timer_durations"]

_CLASS_OF_STATUS: Final = (
    Input.FAILURE,
    Input.PROVISIONAL,
    Input.SUCCESS,
    Input.FAILURE,
    Input.FAILURE,
    Input.FAILURE,
    Input.FAILURE,
)

Durations = Mapping[Timer, float | None]


def timer_durations(timers: Timers, *, reliable: bool) -> Durations:
    """How long each timer runs at first, in seconds; None: it is not used, 0: it fires at once."""
    unreliable_only = None if reliable else timers.t1
    return {
        Timer.A: unreliable_only,
        Timer.B: timers.timeout,
        Timer.C: None,
        Timer.D: 0.0 if reliable else timers.timeout,
        Timer.E: unreliable_only,
        Timer.F: timers.timeout,
        Timer.G: unreliable_only,
        Timer.H: timers.timeout,
        Timer.I: 0.0 if reliable else timers.t4,
        Timer.J: 0.0 if reliable else timers.timeout,
        Timer.K: 0.0 if reliable else timers.t4,
        Timer.L: timers.timeout,
        Timer.M: timers.timeout,
        Timer.TRYING: timers.trying,
        Timer.LATE_TRYING: timers.late_trying,
        Timer.ACCEPTED: timers.t1,
        Timer.CANCELLED: timers.timeout,
        Timer.ANSWER: timers.timeout,
    }


ClientKey = tuple[str, str]
ServerKey = tuple[Hashable, ...]


class Context:
    """What the transactions of one layer share: queues, deadlines, indexes."""

    __slots__ = ("acks", "clients", "deadlines", "events", "merged", "messages", "rand", "servers", "timers")

    def __init__(self, timers: Timers, rand: random.Random) -> None:
        self.timers = timers
        self.rand = rand
        self.messages: list[tuple[Request | Response, Hashable]] = []
        self.events: list[Event] = []
        self.deadlines: Deadlines[Transaction] = Deadlines()
        #: by branch and method
        self.clients: dict[ClientKey, ClientTransaction] = {}
        #: by branch, sent-by and method, or what RFC 2543 had instead
        self.servers: dict[ServerKey, ServerTransaction] = {}
        #: by Call-ID, From tag and CSeq: the same request by another way
        self.merged: dict[ServerKey, ServerTransaction] = {}
        #: by Call-ID, To tag and CSeq number: INVITEs answered with 2xx
        self.acks: dict[ServerKey, ServerTransaction] = {}


TransactionT = TypeVar("TransactionT", bound="Transaction")
_Act = Callable[[TransactionT, float, Any], None]


class _Node(Generic[TransactionT]):
    """A `Row` with its actions and next states resolved, so that a step is one look-up."""

    __slots__ = ("end", "repeat", "state", "transitions")

    def __init__(self, state: State, repeat: Timer | None, end: Timer | None) -> None:
        self.state = state
        self.repeat = repeat
        self.end = end
        self.transitions: dict[str, tuple[_Node[TransactionT], tuple[_Act[TransactionT], ...]]] = {}


def _compile(machine: Machine, transaction: type[TransactionT]) -> dict[State, _Node[TransactionT]]:
    nodes: dict[State, _Node[TransactionT]] = {
        state: _Node(state, row.repeat, row.end) for state, row in machine.items()
    }
    for state, row in machine.items():
        for what, (following, actions) in row.transitions.items():
            acts = tuple(getattr(transaction, f"_{action}") for action in actions)
            nodes[state].transitions[what] = (nodes[following], acts)
    return nodes


class Transaction:
    """What clients and servers have in common.

    `request` is the request that started it, `flow` the connection it belongs to (as given by whoever owns
    the connections), `user` is free for the transaction user.
    """

    __slots__ = (
        "_context",
        "_durations",
        "_end",
        "_interval",
        "_key",
        "_node",
        "_repeat",
        "flow",
        "is_internal",
        "method",
        "request",
        "user",
    )

    def __init__(
        self,
        context: Context,
        request: Request,
        flow: Hashable,
        durations: Durations,
        *,
        internal: bool,
    ) -> None:
        self._context = context
        self._durations = durations
        #: made by the layer for its own purposes (a CANCEL, a 482): nothing is told about it
        self.is_internal = internal
        self._repeat: Deadline[Transaction] | None = None
        self._end: Deadline[Transaction] | None = None
        self._interval = 0.0
        self.request = request
        self.method: str = request.method
        self.flow = flow
        self.user: Any = None
        self._node: _Node[Any]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.state} {self.request.branch}>"

    @property
    def state(self) -> State:
        """Where the transaction is."""
        return self._node.state

    @property
    def is_terminated(self) -> bool:
        """Whether it is over."""
        return self._node.state is State.TERMINATED

    # --- the machine ---------------------------------------------------------------------------------------

    def _start(self, node: _Node[Any], now: float) -> None:
        self._node = node
        self._start_timers(node, now)

    def _step(self, what: str, now: float, message: Request | Response | None = None) -> bool:
        """Feed one input. False when the state does not care for it."""
        node = self._node
        transition = node.transitions.get(what)
        if transition is None:
            return False
        following, actions = transition
        for act in actions:
            act(self, now, message)
        if following is not node:
            self._enter(following, now)
        return True

    def _enter(self, node: _Node[Any], now: float) -> None:
        old, self._node = self._node, node
        if self._repeat is not None and node.repeat is not old.repeat:
            self._stop_repeat()
        if self._end is not None and node.end is not old.end:
            self._stop_end()
        if node.state is State.TERMINATED:
            self._forget()
            if not self.is_internal:
                self._context.events.append(TransactionTerminated(self))
        else:
            self._start_timers(node, now)

    def _start_timers(self, node: _Node[Any], now: float) -> None:
        repeat, end = node.repeat, node.end
        if repeat is not None and self._repeat is None:
            interval = self._durations[repeat]
            if interval is not None:
                self._interval = interval
                self._repeat = self._context.deadlines.start(now + interval, self, repeat)
        if end is not None and self._end is None:
            duration = self._durations[end]
            if duration == 0.0:
                self._step(end, now)
            elif duration is not None:
                self._end = self._context.deadlines.start(now + duration, self, end)

    def _stop_end(self) -> None:
        if self._end is not None:
            self._context.deadlines.cancel(self._end)
            self._end = None

    def _forget(self) -> None:
        raise NotImplementedError

    def fire(self, timer: str, now: float) -> None:
        """A deadline of this transaction has come. For the layer."""
        if timer == self._node.repeat:
            self._repeat = None
        else:
            self._end = None
        self._step(timer, now)

    def fail(self, now: float) -> None:
        """The connection is gone. For the layer."""
        self._step(Input.TRANSPORT_ERROR, now)

    # --- actions: named in transaction_states.Action -------------------------------------------------------

    def _stop_repeat(self, now: float = 0.0, message: object = None) -> None:
        if self._repeat is not None:
            self._context.deadlines.cancel(self._repeat)
            self._repeat = None

    def _repeat_after(self, interval: float, now: float) -> None:
        self._interval = interval
        timer = self._node.repeat
        assert timer is not None
        self._repeat = self._context.deadlines.start(now + interval, self, timer)

    def _double(self, now: float, message: object) -> None:
        self._repeat_after(self._interval * 2, now)

    def _double_to_t2(self, now: float, message: object) -> None:
        self._repeat_after(min(self._interval * 2, self._context.timers.t2), now)

    def _every_t2(self, now: float, message: object) -> None:
        self._repeat_after(self._context.timers.t2, now)

    def _tell_timeout(self, now: float, message: object) -> None:
        if not self.is_internal:
            self._context.events.append(TransactionTimedOut(self))

    def _tell_transport_error(self, now: float, message: object) -> None:
        if not self.is_internal:
            self._context.events.append(TransportFailed(self))


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
        self._key: ClientKey = (branch, self.method)
        context.clients[self._key] = self
        context.messages.append((request, flow))
        self._start(_START_INVITE_CLIENT if self.method == "INVITE" else _START_NON_INVITE_CLIENT, now)

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

    def receive(self, response: Response, now: float) -> None:
        """A response to this request. For the layer."""
        self._step(_CLASS_OF_STATUS[response.code // 100], now, response)
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
        cancel = self._cancel
        if cancel is None:
            return
        self._cancel = None
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


class ServerTransaction(Transaction):
    """A request that was received, until nothing about it can come any more. The user answers: `respond`."""

    __slots__ = ("_ack_key", "_merge_key", "_to_tag", "cancelled", "is_acknowledged", "last_response")

    def __init__(
        self,
        context: Context,
        request: Request,
        key: ServerKey,
        flow: Hashable,
        durations: Durations,
        now: float,
        *,
        proxy: bool = False,
        merge_key: ServerKey | None = None,
        internal: bool = False,
    ) -> None:
        super().__init__(context, request, flow, durations, internal=internal)
        #: what was sent last, provisional or final
        self.last_response: Response | None = None
        #: whether a CANCEL came in time
        self.cancelled = False
        #: whether the ACK to a 2xx came
        self.is_acknowledged = False
        self._to_tag = request.to_tag
        self._key = key
        self._ack_key: ServerKey | None = None
        self._merge_key = merge_key
        context.servers[key] = self
        if merge_key is not None:
            context.merged[merge_key] = self
        if self.method != "INVITE":
            self._start(_START_NON_INVITE_SERVER, now)
        else:
            self._start(_START_INVITE_SERVER_PROXY if proxy else _START_INVITE_SERVER, now)

    @property
    def to_tag(self) -> str:
        """The To tag of our responses: the request's, or one made here (:rfc:`3261#section-8.2.6.2`)."""
        tag = self._to_tag
        if tag is None:
            tag = self._to_tag = new_tag(self._context.rand)
        return tag

    @to_tag.setter
    def to_tag(self, tag: str) -> None:
        self._to_tag = tag

    def respond(self, response: Response, now: float) -> bool:
        """Send a response. False when it is too late or must not be; nothing is sent then.

        A 2xx to an INVITE is repeated until its ACK comes (:rfc:`3261#section-13.3.1.4`), other final
        responses as the transport demands. A request other than INVITE gets no provisional response but 100,
        and no 408, which could only come too late (:rfc:`4320#section-4`).
        """
        code = response.code
        if self.method != "INVITE" and (code == 408 or 100 < code < 200):
            return False
        return self._step(_CLASS_OF_STATUS[code // 100], now, response)

    def reply(
        self,
        now: float,
        code: int,
        phrase: str | None = None,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> bool:
        """Make the response to the request, with our To tag unless it is a 100, and `respond` with it."""
        tag = None if code == 100 else self.to_tag
        response = make_response(
            self.request, code, phrase, to_tag=tag, headers=headers, body=body, content_type=content_type
        )
        return self.respond(response, now)

    @property
    def is_answered(self) -> bool:
        """Whether it has its final response, or cannot get one any more."""
        return self._node.state not in (State.TRYING, State.PROCEEDING)

    def acknowledged(self) -> None:
        """Stop repeating the 2xx: the peer is known to have it, even if no ACK says so (it sent BYE)."""
        self.is_acknowledged = True
        if self._node.state is State.ACCEPTED:
            self._stop_repeat()

    def receive(self, request: Request, now: float) -> None:
        """The request again, or the ACK to what was answered. For the layer."""
        self._step(Input.ACK if request.method == "ACK" else Input.REQUEST, now, request)

    def _forget(self) -> None:
        context = self._context
        del context.servers[self._key]
        if self._merge_key is not None:
            del context.merged[self._merge_key]
        if self._ack_key is not None and context.acks.get(self._ack_key) is self:
            del context.acks[self._ack_key]

    def _resend(self, now: float, message: object) -> None:
        if self.last_response is not None:
            self._context.messages.append((self.last_response, self.flow))

    def _respond(self, now: float, response: Response) -> None:
        self.last_response = response
        self._context.messages.append((response, self.flow))

    def _accept(self, now: float, response: Response) -> None:
        self._respond(now, response)
        key = (self.request.call_id, response.to_tag, self.request.cseq.sequence)
        self._ack_key = key
        self._context.acks[key] = self

    def _send_trying(self, now: float, message: object) -> None:
        self._respond(now, make_response(self.request, 100))

    def _confirm(self, now: float, ack: Request) -> None:
        if not self.is_acknowledged:
            self.acknowledged()
            self._context.events.append(AckReceived(self, ack))

    def _tell_no_ack(self, now: float, message: object) -> None:
        if not self.is_acknowledged:
            self._context.events.append(AckTimedOut(self))


_START_INVITE_CLIENT: Final = _compile(INVITE_CLIENT, ClientTransaction)[State.CALLING]
_START_NON_INVITE_CLIENT: Final = _compile(NON_INVITE_CLIENT, ClientTransaction)[State.TRYING]
_START_INVITE_SERVER: Final = _compile(INVITE_SERVER, ServerTransaction)[State.PROCEEDING]
_START_INVITE_SERVER_PROXY: Final = _compile(INVITE_SERVER_PROXY, ServerTransaction)[State.PROCEEDING]
_START_NON_INVITE_SERVER: Final = _compile(NON_INVITE_SERVER, ServerTransaction)[State.TRYING]
