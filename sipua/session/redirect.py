"""3xx to our INVITE (:rfc:`3261#section-8.1.3.4`): the application says whether to call who is named there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipua import events
from sipua.errors import InvalidStateError, InvalidTargetError
from sipua.events import Cause, cause_of_status
from sipua.session import outgoing
from sipua.session.host import NoResponse
from sipua.session.states import Event, State
from sipua.sip import URI, Address, ParseError, Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sipua.session.session import RTCSession

logger = logging.getLogger("sipua.session")

#: At most so many targets are called one after the other.
MAX_TARGETS = 10
#: Redirections that are never followed unasked: to another service (:rfc:`3261#section-21.3.5`), or through a proxy.
NOT_AUTOMATIC = frozenset({305, 380})
_CALLABLE = frozenset({"sip", "sips", "tel"})


class Redirection:
    """Where an outgoing call was redirected to, what of that was tried, and what is left."""

    __slots__ = ("_left", "_offered", "_rejected", "_response", "_session", "_tried", "automatic")

    def __init__(self, session: RTCSession) -> None:
        self.automatic = False
        self._session = session
        self._tried: list[URI] = []
        self._left: list[URI] = []
        self._response: Response | None = None
        self._offered: tuple[Address, ...] | None = None  # while the application is asked
        self._rejected = False

    def on_failure(self, result: Response | NoResponse) -> bool:
        """Whether the call goes on after this final answer, or none, to its INVITE."""
        session = self._session
        if session.status not in (State.INVITE_SENT, State.PROCEEDING) or session.is_ended():
            return False
        if isinstance(result, Response) and 300 <= result.code < 400:
            return self._redirected(result)
        no_use = (
            result.cause is not Cause.REQUEST_TIMEOUT
            if isinstance(result, NoResponse)
            else result.code >= 600
        )
        if no_use or not self._left:
            return False
        session._advance(Event.REDIRECTED)
        self._call_next()
        return True

    def _redirected(self, response: Response) -> bool:
        session = self._session
        self._remember(session.request.uri)
        targets = self._targets(response)
        asked = session.has_handlers("redirect")
        automatic = self.automatic and response.code not in NOT_AUTOMATIC
        if not targets or not (asked or automatic):
            if not self._left:
                return False
            targets = ()
        session._advance(Event.REDIRECTED)
        if not targets:
            self._call_next()
            return True
        self._response, self._offered, self._rejected = response, targets, False
        session.emit_then(
            "redirect",
            events.Redirect(response, targets, self),
            lambda: session._post(lambda: self._asked(automatic=automatic), urgent=True),
        )
        return True

    def _targets(self, response: Response) -> tuple[Address, ...]:
        """The Contacts that can be called and were not, by preference. A call to a sips URI stays secure."""
        try:
            contacts = response.contact
        except ParseError as error:
            logger.warning("%s: %d: %s", self._session, response.code, error)
            return ()
        secure = self._session.request.uri.scheme == "sips"
        usable = (c for c in contacts if c.uri.scheme in (("sips",) if secure else _CALLABLE))
        fresh = [contact for contact in usable if not self._was_tried(_plain(contact.uri))]
        room = max(MAX_TARGETS - len(self._tried) - len(self._left), 0)
        return tuple(sorted(fresh, key=lambda contact: -contact.q)[:room])

    def _was_tried(self, uri: URI) -> bool:
        return any(uri.matches(known) for known in (*self._tried, *self._left))

    def _remember(self, uri: URI) -> None:
        if not any(uri.matches(known) for known in self._tried):
            self._tried.append(uri)

    # --- what the application says -------------------------------------------------------------------------

    def follow(self, targets: Iterable[Address | URI | str]) -> None:
        """What `events.Redirect.follow` does.

        :raises InvalidStateError: it was decided already, or the call is over.
        :raises InvalidTargetError: not a SIP, SIPS or tel URI.
        """
        if self._offered is None or self._session.is_ended():
            raise InvalidStateError("follow", self._session.status.value)
        chosen = [_uri(target) for target in targets] or [contact.uri for contact in self._offered]
        self._offered = None
        self._left[:0] = [_plain(uri) for uri in chosen]
        self._session._post(self._go, urgent=True)

    def reject(self) -> None:
        """What `events.Redirect.reject` does."""
        self._rejected = True

    def _asked(self, *, automatic: bool) -> None:
        """The handlers have returned."""
        if self._offered is None or self._session.is_ended():
            return
        if automatic and not self._rejected:
            self.follow(())
            return
        self._offered = None
        self._left.clear()
        self._give_up()

    def _go(self) -> None:
        if self._session.status is State.OFFERING and not self._session.is_ended():
            self._call_next()

    def _call_next(self) -> None:
        session = self._session
        uri = self._left.pop(0)
        request = outgoing.next_invite(session)
        if self._response is not None and self._response.code == 305:
            request.headers.prepend("Route", f"<{_loose(uri)}>")
        else:
            request.uri = uri
        self._response = None
        self._remember(uri)
        logger.info("%s: redirected to %s", session, uri)
        outgoing.send_redirected(session, request)

    def _give_up(self) -> None:
        response = self._response
        assert response is not None
        self._session.response = response
        outgoing.refused(self._session, cause_of_status(response.code), response)


def _uri(target: Address | URI | str) -> URI:
    if isinstance(target, Address):
        return target.uri
    try:
        uri = URI.parse(str(target))
    except ParseError:
        raise InvalidTargetError(f"{target!r}: not a target; give a SIP, SIPS or tel URI") from None
    if uri.scheme not in _CALLABLE:
        raise InvalidTargetError(f"{target!r}: not a target; give a SIP, SIPS or tel URI")
    return uri


def _plain(uri: URI) -> URI:
    """As a Request-URI (:rfc:`3261#section-19.1.1`): without headers and method, which the redirector has no say in."""
    if not uri.headers and "method" not in uri.parameters:
        return uri
    parameters = {name: value for name, value in uri.parameters.items() if name != "method"}
    return uri.replace(headers={}, parameters=parameters)


def _loose(uri: URI) -> URI:
    return uri if "lr" in uri.parameters else uri.replace(parameters={**uri.parameters, "lr": None})
