"""What may still come for an INVITE when its call is over (:rfc:`6026`, :rfc:`3261#section-13.2.2.4`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.sip import Dialog, ParseError, Request, Response, ResponseReceived, parse_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sipua.session.host import NoResponse, SessionHost
    from sipua.session.session import RTCSession


class Leftovers:
    """What still comes for an INVITE whose call is over: 2xx that want their ACK, of this branch or another.

    It lives as long as the transaction, 32 s, and a busy user agent has thousands of them: so it keeps the
    ACKs, as text, and nothing else of the call.
    """

    __slots__ = ("_acks", "_host")

    def __init__(self, host: SessionHost, acks: Iterable[Request]) -> None:
        self._host = host
        self._acks = tuple(ack.frame() for ack in acks)

    def on_transaction_event(self, event: object) -> None:
        """Acknowledge a 2xx, and hang up one of a branch that is new."""
        if isinstance(event, ResponseReceived) and 200 <= event.response.code < 300:
            self._acknowledge(event.response)

    def _acknowledge(self, result: Response) -> None:
        acks = [ack for text in self._acks if isinstance(ack := parse_message(text), Request)]
        for ack in acks:
            if (ack.to_tag or "") == (result.to_tag or ""):
                self._host.send_ack(ack)
                return
        try:
            # From, To, Call-ID and CSeq of an ACK are those of the INVITE.
            dialog = Dialog.from_uac(acks[0], result)
        except ParseError:
            return
        ack = dialog.ack(acks[0])
        self._host.send_ack(ack)
        self._acks += (ack.frame(),)
        self._host.send_request(dialog.request("BYE"), _ignore, next_cseq=dialog.next_cseq)


def _ignore(result: Response | NoResponse) -> None:
    """The answer to a BYE in a dialog that never was a call."""


def retire(session: RTCSession) -> None:
    """The call is over; the INVITE's transaction may live on."""
    if session._invite is not None:
        acks = session._acks.values()
        session._invite.retire(Leftovers(session._host, acks) if acks else None)
