"""An INVITE that wants to take the place of a call that we have (:rfc:`3891`): attended transfer, pick-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipua import events
from sipua.errors import InvalidStateError
from sipua.session import incoming
from sipua.session.headers import checked_phrase, checked_status, response_header_list
from sipua.session.refer import hang_up_after
from sipua.session.states import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.session.session import RTCSession
    from sipua.sip import Replaces, Request

#: Refused with it when nobody listens, and for a call that is over: other devices must not ring for it, either.
DECLINE = 603


def dialog_ids(replaces: Replaces) -> tuple[tuple[str, str, str], ...]:
    """The dialogs that a Replaces header may mean: Call-ID, local tag, remote tag (:rfc:`3891#section-3`).

    A tag of zero may be no tag (:rfc:`2543`). The tags the wrong way round come last: that is how JsSIP writes them for
    a call that it received, and all three parts must be known to somebody in the call either way.
    """
    to_tag, from_tag = replaces.to_tag, replaces.from_tag
    pairs = [(to_tag, from_tag), (to_tag, ""), ("", from_tag), ("", ""), (from_tag, to_tag)]
    return tuple(
        (replaces.call_id, local, remote)
        for local, remote in pairs
        if (local or to_tag == "0") and (remote or from_tag == "0")
    )


def refusal(session: RTCSession, replaces: Replaces) -> int | None:
    """The status that refuses the replacement of this call; None when the application may decide.

    :rfc:`3891#section-3`
    """
    if session.is_ended():
        return DECLINE
    if session.status in (State.WAITING_FOR_ACK, State.CONFIRMED):
        if replaces.early_only:
            return 486
    elif session.direction == "incoming":
        return 481  # an early dialog that we did not begin
    if not session.has_handlers("replaces"):
        return DECLINE
    return None


class Replacement:
    """An INVITE that would take the place of a call. `accept` or `reject` it, now or later.

    Undecided, it rings: the caller may give up, and it ends with ``no_answer_timeout`` as other calls do. It is
    declined when the call that it would replace ends first.
    """

    def __init__(
        self, session: RTCSession, new: RTCSession, request: Request, announce: Callable[[], None]
    ) -> None:
        self.request = request
        """The INVITE."""
        self.session = session
        """The call that would be replaced."""
        self._new = new
        self._announce = announce
        self._decision = ""
        session.on("ended", self._on_over)
        session.on("failed", self._on_over)
        new.on("failed", self._on_given_up)

    def accept(self, **answer_options: Any) -> RTCSession:
        """Answer the new call, and hang up the old one as soon as the new one is up.

        ``new_rtc_session`` tells it first; a handler that answers it itself does so with options of its own. When the
        new call does not come about, the old one is as it was.

        :param answer_options: as for `RTCSession.answer`.
        :returns: the new call.
        :raises InvalidStateError: already decided, given up by the caller, or the old call is over.
        """
        self._decide("accept")
        new, old = self._new, self.session
        new.on("confirmed", lambda event: hang_up_after(old, 0))
        self._announce()
        if new.status is State.INCOMING and not new.is_ended():
            try:
                new.answer(**answer_options)
            except Exception:
                new.terminate(status_code=500)
                raise
        return new

    def reject(
        self, status_code: int = 486, reason_phrase: str | None = None, *, extra_headers: Any = ()
    ) -> None:
        """Refuse; the old call goes on.

        :param status_code: 300 to 699.
        :param extra_headers: also Contact, with a 3xx: where else to try.
        :raises InvalidStateError: already decided or given up.
        :raises ValueError: no such status code.
        """
        checked_status(status_code)
        headers = response_header_list(extra_headers, status_code)
        phrase = checked_phrase(reason_phrase)
        self._decide("reject")
        self._new.terminate(status_code=status_code, reason_phrase=phrase, extra_headers=headers)

    def _decide(self, what: str) -> None:
        if self._decision:
            raise InvalidStateError(what, self._decision)
        self._decision = f"{what}ed"

    def _on_over(self, event: object) -> None:
        if not self._decision:
            self._decision = "over"
            self._new.terminate(status_code=DECLINE)

    def _on_given_up(self, event: object) -> None:
        self._decision = self._decision or "given up"


def receive(session: RTCSession, new: RTCSession, request: Request, announce: Callable[[], None]) -> None:
    """Ask the application whether `new` may take the place of `session`; `announce` tells it of `new`, if so."""
    replacement = Replacement(session, new, request, announce)
    session.emit("replaces", events.Replaces(replacement, request))
    incoming.ring(new)
