"""UPDATE (:rfc:`3311`): a new offer without a three-way handshake, or with no offer at all, to refresh the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.session import early, hold
from sipua.session.host import NoResponse
from sipua.session.negotiation import sdp_of
from sipua.session.reinvite import IncomingRequest, refusal
from sipua.session.renegotiation import REFUSALS, Step
from sipua.session.reoffer import Reoffer
from sipua.session.reply import respond, retry_later

if TYPE_CHECKING:
    from sipua.session.session import RTCSession
    from sipua.sip import Dialog, Request, Response, ServerTransaction


def on_update(session: RTCSession, dialog: Dialog, transaction: ServerTransaction, request: Request) -> None:
    """Refuse it at once if it must not be now (:rfc:`3311#section-5.2`); else answer it."""
    wrong = refusal(session, request)
    if wrong is not None:
        respond(session, transaction, request, *wrong)
        return
    offer = sdp_of(request)
    renegotiation = session._renegotiation
    code: int | None = None
    if any(other.method == "UPDATE" for other in renegotiation.unanswered.values()):
        code = 500
    elif offer:
        code = early.refusal(session, dialog) or REFUSALS.get(renegotiation.phase)
    if code is not None:
        respond(session, transaction, request, code, retry_later(session, code))
        return
    update = IncomingUpdate(session, transaction, request)
    if offer:
        incoming = renegotiation.incoming
        if incoming is not None:  # it overtook the ACK of the peer's re-INVITE
            incoming.transaction.acknowledged()
            renegotiation.incoming = None
        renegotiation.step(Step.OFFER_IN)
    session._post(update.begin)


class IncomingUpdate(IncomingRequest):
    """One UPDATE until its answer."""

    event = "update"

    def __init__(self, session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
        super().__init__(session, transaction, request)
        self._offer = sdp_of(request)

    def begin(self) -> None:
        """Its turn has come."""
        session = self.session
        if session.is_ended():
            return
        if self._offer:
            self.media.direction = session._renegotiation.wanted()
        if self._offer or session.has_handlers("update"):
            session._do(self._work(), self._done, self._failed)
        else:
            self._done("")

    async def _work(self) -> str:
        await self.ask()
        return await self.answer(self._offer) if self._offer else ""

    def _done(self, sdp: str) -> None:
        session = self.session
        self.accept(sdp)
        if self._offer:
            hold.heard(session, "offer", self._offer)
        self.tell()
        self._over()

    def _failed(self, error: Exception) -> None:
        self.refuse(error)
        self._over()

    def _over(self) -> None:
        if self._offer and not self.session.is_ended():
            self.session._renegotiation.step(Step.ANSWER)


def refresh(session: RTCSession, method: str) -> None:
    """Refresh the session (:rfc:`4028#section-7.4`): an UPDATE without offer, or a re-INVITE if there must be one."""
    dialog = session._dialog
    assert dialog is not None
    if method != "UPDATE" or not session._peer.allows("UPDATE"):
        session._renegotiation.add(Reoffer(session, "refresh"))
        return
    request = dialog.request(
        "UPDATE",
        headers=(
            ("Contact", session.contact),
            *session._headers(),
            *session._timer.request_headers(),
        ),
    )

    def received(result: Response | NoResponse) -> None:
        session._post(lambda: _on_result(session, request, result))

    session._host.send_request(request, received, next_cseq=dialog.next_cseq)


def _on_result(session: RTCSession, request: Request, result: Response | NoResponse) -> None:
    if session.is_ended() or (not isinstance(result, NoResponse) and result.code < 200):
        return
    if isinstance(result, NoResponse) or result.code >= 300:
        if not isinstance(result, NoResponse):
            if result.code == 422 and session._timer.raised(result):
                refresh(session, "UPDATE")
                return
            if result.code in (405, 501):
                refresh(session, "INVITE")
                return
        session._timer.refused(result)
        return
    assert session._dialog is not None
    session._dialog.refresh(result)
    session._peer.learn(result)
    session._timer.answered(request, result)
