"""Candidates that come after their description, as INFO requests in the call's dialogs (:rfc:`8840`).

Theory of operation. Whether the next offer or answer waits for candidates is decided before media makes it
(`Trickle.prepare`). What media finds after that is told in INFO requests, each with all candidates of this ICE
generation so far, one at a time per dialog, and only to a peer that has listed the package in Recv-Info
(:rfc:`6086#section-4.2.1`). A dialog is open for that as soon as both sides know it: for the caller with the first
response that makes it, for the called side with the PRACK, the ACK or the first INFO of the caller. A provisional
response that carries our answer and nobody acknowledges is repeated until then (:rfc:`8840#section-4.3.2`).

What the peer tells is kept until its description is in force, and given to media in order; candidates of another ICE
generation never get there. A peer that got an incomplete offer and knows nothing of all this is offered the rest in a
re-INVITE, unless media has found a way without.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua import events
from sipua.bodies import TrickleFragment
from sipua.media.trickle import has_news, trickles
from sipua.session.host import NoResponse
from sipua.session.multipart import part_of
from sipua.session.peer import option_tags
from sipua.session.reply import respond
from sipua.session.states import State
from sipua.session.trickle_peers import PACKAGE, RemoteCandidates

if TYPE_CHECKING:
    from sipua.media.interface import MediaSession, TrickleIce
    from sipua.session.session import RTCSession
    from sipua.sip import Dialog, Request, Response, ServerTransaction

logger = logging.getLogger("sipua.session")

#: Seconds in which what is found goes into one INFO.
PACE = 0.02
#: Seconds until the first repetition of an unreliable answer, and how many of these until it is given up.
T1 = 0.5
GIVE_UP = 64

_STATES = (
    State.INVITE_SENT,
    State.PROCEEDING,
    State.INCOMING,
    State.ANSWERING,
    State.WAITING_FOR_ACK,
    State.CONFIRMED,
)


@dataclass(slots=True)
class _Branch:
    """One dialog in which candidates are told."""

    dialog: Dialog
    told: str = ""
    """The last fragment that was sent."""
    busy: bool = False
    """An INFO is under way."""
    refused: bool = False
    due: bool = False
    """An INFO is to be sent even if it tells nothing new."""


class Trickle:
    """Trickle ICE of one call."""

    __slots__ = ("_branches", "_remote", "_resorted", "_session", "_unsupported")

    def __init__(self, session: RTCSession) -> None:
        self._session = session
        self._branches: dict[str, _Branch] = {}
        self._remote = RemoteCandidates(session)
        self._unsupported = False
        self._resorted = False

    @property
    def mode(self) -> TrickleIce:
        """What this call's media, or else the user agent, is configured to do."""
        media = self._session._media
        return media.options.trickle_ice if media is not None else self._session._host.trickle_ice

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Allow, Supported, User-Agent and Recv-Info of this call's messages."""
        standard = self._session._host.standard_headers()
        if self.mode == "off":
            return tuple(
                (name, _without(value) if name == "Supported" else value) for name, value in standard
            )
        named = tuple((name, _with(value) if name == "Supported" else value) for name, value in standard)
        return (*named, ("Recv-Info", PACKAGE))

    def mark(self, request: Request) -> None:
        """Say in our INVITE what this call can do."""
        for name, value in self.headers():
            if name in ("Supported", "Recv-Info"):
                request.headers.set(name, value)

    # --- what this side finds ------------------------------------------------------------------------------

    def prepare(self, offer: str | None = None) -> None:
        """Decide whether the description that media makes next waits for candidates: the answer to `offer`, or ours."""
        session = self._session
        assert session._media is not None
        known = session._peer.receives(PACKAGE) and (offer is None or trickles(offer))
        if session.status is State.OFFERING and offer is None:  # nothing was heard of the peer in this call
            known = self.mode == "full" or session.request.uri in session._host.trickle_peers
        session._media.trickle = known and self.mode != "off"

    def found(self) -> None:
        """Media has found a candidate, or found that there are no more."""
        if self._branches or self._unsupported:
            self._soon()

    def open(self, dialog: Dialog | None) -> None:
        """The caller has acknowledged a response of ours: it knows this dialog."""
        session = self._session
        if dialog is not None and self.mode != "off" and session._peer.receives(PACKAGE):
            self._branch(dialog)
            self._soon()

    def heard(self, response: Response, dialog: Dialog | None) -> None:
        """A response to our INVITE made or confirmed this dialog."""
        if dialog is None or self.mode == "off" or self._session._media is None:
            return
        if response.code >= 200:
            self._session._host.trickle_peers.learn(response)
        if PACKAGE in option_tags(response, "Recv-Info"):
            known = dialog.remote_tag in self._branches
            branch = self._branch(dialog)
            # The called side has no other sign that its answer came (RFC 8840 section 4.3.2).
            unreliable = response.code < 200 and "RSeq" not in response.headers
            branch.due = branch.due or (unreliable and not known)
            self._soon()
        elif response.code >= 200:
            self._unsupported = True
            self._soon()

    def _branch(self, dialog: Dialog) -> _Branch:
        branch = self._branches.setdefault(dialog.remote_tag, _Branch(dialog))
        branch.dialog = dialog
        return branch

    def _soon(self) -> None:
        session = self._session
        if not session.is_ended() and "trickle" not in session._timers:
            session._set_timer("trickle", PACE, self._tell)

    def _tell(self) -> None:
        session, media = self._session, self._session._media
        if session.is_ended() or session.status not in _STATES or media is None:
            return
        alive = {d.remote_tag for d in (session._dialog, *session._early_dialogs.values()) if d is not None}
        self._branches = {tag: branch for tag, branch in self._branches.items() if tag in alive}
        fragment = media.local_fragment()
        if fragment is None:
            return
        news = has_news(fragment, media.local_description or "")
        text = str(fragment)
        for branch in self._branches.values():
            if not branch.busy and not branch.refused and (branch.due or (news and text != branch.told)):
                self._send(branch, text)
        if self._unsupported:
            self._resort(media, fragment, news=news)

    def _send(self, branch: _Branch, text: str) -> None:
        branch.told, branch.busy, branch.due = text, True, False
        headers = (
            ("Info-Package", PACKAGE),
            ("Content-Type", TrickleFragment.content_type),
            ("Content-Disposition", "Info-Package"),
        )
        request = branch.dialog.request("INFO", headers=headers, body=text.encode())
        session = self._session

        def received(result: Response | NoResponse) -> None:
            if isinstance(result, NoResponse) or result.code >= 200:
                session._post(lambda: self._on_result(branch, result), urgent=True)

        session._host.send_request(request, received, next_cseq=branch.dialog.next_cseq)

    def _on_result(self, branch: _Branch, result: Response | NoResponse) -> None:
        branch.busy = False
        if isinstance(result, NoResponse) or result.code >= 300:
            branch.refused = True
            why = result.cause if isinstance(result, NoResponse) else result.code
            logger.warning("%s: the peer does not take candidates by INFO: %s", self._session, why)
            self._unsupported = self._unsupported or branch.dialog is self._session._dialog
        self.found()

    def _resort(self, media: MediaSession, fragment: TrickleFragment, *, news: bool) -> None:
        """Offer what the peer could not be told, once; it may have found us without."""
        session = self._session
        complete = all(line.is_complete for line in fragment.media)
        confirmed = session.status is State.CONFIRMED and session._confirmed.done()
        if self._resorted or not (complete and news and confirmed) or media.state == "connected":
            return
        self._resorted = True
        session.renegotiate()

    # --- an answer in a provisional response that nobody acknowledges ---------------------------------------

    def early_headers(self, sdp: str) -> tuple[tuple[str, str], ...]:
        """What an unreliable provisional response that carries `sdp` must say, to a peer that trickles."""
        if not sdp or self.mode == "off" or not self._session._peer.receives(PACKAGE) or not trickles(sdp):
            return ()
        return tuple(pair for pair in self.headers() if pair[0] in ("Supported", "Recv-Info"))

    def repeat(self, response: Response, sdp: str) -> None:
        """Repeat an incomplete answer until the first INFO says that it has come (:rfc:`8840#section-4.3.2`)."""
        if self.early_headers(sdp) and "a=end-of-candidates" not in sdp:
            self._repeat(response, T1, 1)

    def _repeat(self, response: Response, interval: float, waited: int) -> None:
        session = self._session

        def again() -> None:
            if session.status is State.INCOMING and session._transaction is not None and not self._branches:
                session._host.respond(session._transaction, response)
                if waited * 4 <= GIVE_UP:
                    self._repeat(response, interval * 2, waited * 2)

        session._set_timer("early answer", interval, again)

    # --- what the peer tells -------------------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction, request: Request) -> None:
        """An INFO of this package. What is wrong with it leaves the call as it was.

        :raises ParseError: its body breaks the grammar; the answer is 400.
        """
        session = self._session
        body = _fragment_in(request)
        if body is None:
            respond(session, transaction, request, 415, (("Accept", TrickleFragment.content_type),))
            return
        fragment = TrickleFragment.parse(body)
        respond(session, transaction, request, 200)
        session._clear_timer("early answer")
        if session.direction == "incoming":
            self.open(session._dialog)
        self._remote.take(fragment)

    def deliver(self) -> None:
        """Media has done something: a description may be in force now that the peer's candidates waited for."""
        self._remote.deliver()


def tell_candidate(session: RTCSession, line: str, media: MediaSession) -> None:
    """Media has found a local candidate: for the application, and for the peer."""
    if session.has_handlers("icecandidate"):
        session.emit("icecandidate", events.IceCandidate(line, media.end_gathering))
    session._trickle.found()


def bad_package(session: RTCSession, transaction: ServerTransaction, request: Request) -> None:
    """Refuse an INFO of a package that we never asked for (:rfc:`6086#section-4.2.2`)."""
    ours = PACKAGE if session._trickle.mode != "off" else ""
    respond(session, transaction, request, 469, (("Recv-Info", ours),))


def package_of(request: Request) -> str:
    """The Info Package of an INFO, in lower case; empty for one from before :rfc:`6086`."""
    return (request.headers.get("Info-Package") or "").partition(";")[0].strip().lower()


def _fragment_in(request: Request) -> bytes | None:
    """The fragment in an INFO, also inside multipart; empty when it has no body, None when it has only others."""
    return part_of(request, TrickleFragment.content_type) if request.body else b""


def _with(supported: str) -> str:
    return supported if PACKAGE in supported else ", ".join(filter(None, (supported, PACKAGE)))


def _without(supported: str) -> str:
    return ", ".join(name for name in supported.split(", ") if name != PACKAGE)
