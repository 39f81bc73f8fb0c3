"""Requests that were received (:rfc:`3261#section-17.2`), and the 2xx to an INVITE until its ACK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .identifiers import new_tag
from .message import Request, Response, make_response
from .transaction import CLASS_OF_STATUS, Context, ServerKey, Transaction, compile_machine
from .transaction_events import AckReceived, AckTimedOut
from .transaction_states import (
    INVITE_SERVER,
    INVITE_SERVER_PROXY,
    NON_INVITE_SERVER,
    Durations,
    Input,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

__all__ = ["ServerTransaction"]


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
            self._start(_NON_INVITE, now)
        else:
            self._start(_INVITE_OF_PROXY if proxy else _INVITE, now)

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
        return self._step(CLASS_OF_STATUS[code // 100], now, response)

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

    def release(self) -> None:
        """See `Transaction.release`. Does nothing before the ACK has come: until then the 2xx is repeated."""
        if self.is_acknowledged:
            super().release()
            self.last_response = self.user = None
            self._forget_indexes()

    def receive(self, request: Request, now: float) -> None:
        """The request again, or the ACK to what was answered. For the layer."""
        self._step(Input.ACK if request.method == "ACK" else Input.REQUEST, now, request)

    def _forget(self) -> None:
        del self._context.servers[self._key]
        self._forget_indexes()

    def _forget_indexes(self) -> None:
        context = self._context
        if self._merge_key is not None:
            del context.merged[self._merge_key]
        if self._ack_key is not None and context.acks.get(self._ack_key) is self:
            del context.acks[self._ack_key]
        self._merge_key = self._ack_key = None

    def _resend(self, now: float, message: object) -> None:
        if self.last_response is not None:
            self._context.messages.append((self.last_response, self.flow))

    def _respond(self, now: float, response: Response) -> None:
        self.last_response = response
        self._context.messages.append((response, self.flow))

    def _accept(self, now: float, response: Response) -> None:
        self._respond(now, response)
        tag = self._to_tag
        if tag is None or not response.headers.get("To", "").endswith(f";tag={tag}"):
            tag = response.to_tag  # the user's own; to find that out takes parsing
        request = self.request
        key = (request.call_id, request.from_tag, tag, request.cseq.sequence)
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


_INVITE: Final = compile_machine(INVITE_SERVER, ServerTransaction)[State.PROCEEDING]
_INVITE_OF_PROXY: Final = compile_machine(INVITE_SERVER_PROXY, ServerTransaction)[State.PROCEEDING]
_NON_INVITE: Final = compile_machine(NON_INVITE_SERVER, ServerTransaction)[State.TRYING]
