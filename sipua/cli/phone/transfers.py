"""Transfers: those that we ask peers for, and those that they ask us for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipua.cli.exits import ExitCode, Failure
from sipua.cli.phone.finding import short
from sipua.errors import TransferFailed

if TYPE_CHECKING:
    from sipua import events
    from sipua.cli.phone.call import PhoneCall
    from sipua.cli.phone.phone import Phone

__all__ = ["Transfers"]


class Transfers:
    """The transfers of a phone. How each goes is told as ``transfer`` events of its call."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def blind(self, target: str, number: int | None = None) -> None:
        """Send the peer to somebody else (blind). When that works, this call is over.

        :raises InvalidTargetError: not a target.
        """
        call = self._phone.talking(number)
        to = self._phone.book.target_of(target)
        self._transfer(call, str(call.line.ua.normalize_target(to)), target=to)

    def attended(self, other: int, number: int | None = None) -> None:
        """Connect the peers of two calls with each other (attended). When that works, both calls are over.

        :raises Failure: no such calls.
        """
        call, consultation = self._phone.talking(number), self._phone.talking(other)
        if call is consultation:
            raise Failure("the other call has to be another one", ExitCode.USAGE)
        self._transfer(call, consultation.remote, replaces=consultation.session)

    def _transfer(self, call: PhoneCall, shown: str, **how: Any) -> None:
        subscriber = call.session.refer(**how)

        def tell(state: str, text: str, status: int | None = None, reason: str | None = None) -> None:
            call.tell("transfer", text, target=shown, state=state, status=status, reason=reason)

        async def follow() -> None:
            try:
                await subscriber
            except TransferFailed as error:
                why = str(error).removeprefix(f"{subscriber}: ")  # the request, of many lines when attended
                tell("failed", f"the transfer to {shown} failed: {why}", error.status_code)
            else:
                tell("succeeded", f"transferred to {shown}", 200)

        subscriber.on("request_succeeded", lambda event: tell("trying", "the peer has taken the request"))
        tell("asked", f"asked the peer to call {shown}")
        self._phone.spawn(follow(), call)

    def accept(self, number: int | None = None) -> PhoneCall:
        """Call whom the peer asks us to call.

        :raises Failure: it does not ask.
        """
        call = self._asked(number)
        refer, call.refer = call.refer, None
        assert refer is not None
        session = refer.accept(**self._phone.media_options)
        new = next(call for call in self._phone.calls if call.session is session)
        self._phone.select(new.number)
        return new

    def refuse(self, number: int | None = None) -> None:
        """Do not call whom the peer asks us to call; the call goes on.

        :raises Failure: it does not ask.
        """
        call = self._asked(number)
        refer, call.refer = call.refer, None
        assert refer is not None
        refer.reject()
        call.tell("warning", "the transfer was refused", message="the transfer was refused")

    def _asked(self, number: int | None) -> PhoneCall:
        if number is None:
            found = [call for call in self._phone.calls if call.refer is not None]
            if found:
                return found[0]
        elif self._phone.call(number).refer is not None:
            return self._phone.call(number)
        raise Failure("no peer has asked us to call somebody else", ExitCode.USAGE)

    def asked(self, call: PhoneCall, event: events.Refer) -> None:
        """The peer of `call` asks us to call somebody else: wait for `accept` or `refuse`."""
        call.refer = event
        by = event.refer.referred_by
        to = str(event.refer.uri)
        call.tell(
            "refer",
            f"the peer asks us to call {short(to)}: accept or refuse",
            target=to,
            referred_by=str(by.uri) if by is not None else None,
        )

    def replaced(self, call: PhoneCall, event: events.Replaces) -> None:
        """Whom `call` is with has transferred it: the new call takes its place (:rfc:`3891`)."""
        session = event.accept(**self._phone.media_options)
        for new in self._phone.calls:
            if new.session is session and call is self._phone.selected:
                self._phone.select(new.number)
