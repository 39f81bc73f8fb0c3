"""Transactions (:rfc:`3261#section-17`): what drives a machine of `transaction_states`, and what all share.

The layer (`sipua.sip.layer`) makes `ClientTransaction` and `ServerTransaction` objects and finds them when a
message arrives. What a transaction has to send and to tell goes to two queues of the layer, so that none ever
calls its user.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from .timers import Deadline, Deadlines, Timers
from .transaction_events import Event, TransactionTerminated, TransactionTimedOut, TransportFailed
from .transaction_states import Durations, Input, Machine, State, Timer

if TYPE_CHECKING:
    import random

    from .message import Request, Response
    from .transaction_client import ClientTransaction
    from .transaction_server import ServerTransaction

__all__ = ["CLASS_OF_STATUS", "ClientKey", "Context", "Node", "ServerKey", "Transaction", "compile_machine"]

#: what a response is to a machine, by the first digit of its code
CLASS_OF_STATUS: Final = (Input.FAILURE, Input.PROVISIONAL, Input.SUCCESS, *[Input.FAILURE] * 4)

#: The branch, and for a CANCEL, which has that of its INVITE, its method besides.
ClientKey = str | tuple[str, str]
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
        #: by branch
        self.clients: dict[ClientKey, ClientTransaction] = {}
        #: by branch, sent-by and method, or what RFC 2543 had instead
        self.servers: dict[ServerKey, ServerTransaction] = {}
        #: by Call-ID, From tag and CSeq: the same request by another way
        self.merged: dict[ServerKey, ServerTransaction] = {}
        #: by Call-ID, tags and CSeq number: INVITEs answered with 2xx
        self.acks: dict[ServerKey, ServerTransaction] = {}


TransactionT = TypeVar("TransactionT", bound="Transaction")
_Act = Callable[[TransactionT, float, Any], None]


class Node(Generic[TransactionT]):
    """A `Row` with its actions and next states resolved, so that a step is one look-up."""

    __slots__ = ("end", "repeat", "state", "transitions")

    def __init__(self, state: State, repeat: Timer | None, end: Timer | None) -> None:
        self.state = state
        self.repeat = repeat
        self.end = end
        self.transitions: dict[str, tuple[Node[TransactionT], tuple[_Act[TransactionT], ...]]] = {}


def compile_machine(machine: Machine, transaction: type[TransactionT]) -> dict[State, Node[TransactionT]]:
    """The nodes of a machine whose actions are the methods of `transaction`, by state."""
    nodes: dict[State, Node[TransactionT]] = {
        state: Node(state, row.repeat, row.end) for state, row in machine.items()
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
        self._node: Node[Any]

    def __repr__(self) -> str:
        branch = self.request.branch if hasattr(self, "request") else "(released)"
        return f"<{type(self).__name__} {self.method} {self.state} {branch}>"

    def release(self) -> None:
        """Let go of the messages of an INVITE that has its 2xx and its ACK.

        It lives on for 64*T1 (:rfc:`6026`), only to recognise what comes again, and a busy user agent has
        thousands of those. There is no `request` afterwards.
        """
        if self.state is State.ACCEPTED and hasattr(self, "request"):
            del self.request

    @property
    def state(self) -> State:
        """Where the transaction is."""
        return self._node.state

    # --- the machine ---------------------------------------------------------------------------------------

    def _start(self, node: Node[Any], now: float) -> None:
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

    def _enter(self, node: Node[Any], now: float) -> None:
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

    def _start_timers(self, node: Node[Any], now: float) -> None:
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
        """Leave the indexes."""
        raise NotImplementedError  # pragma: no cover - clients and servers have their own

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
