"""Dialogs (:rfc:`3261#section-12`): what two user agents remember about each other between requests.

A UAC makes one `Dialog` per To tag that answers its INVITE, so that an INVITE that forked on its way has
several; a UAS makes one when it answers. The dialog then builds requests (`request`, `ack`), checks the order
of those that arrive (`receive_request`) and keeps the remote target up to date (:rfc:`6141#section-4`)::

    UAC                                   UAS
    Dialog.from_uac(invite, response)     Dialog.from_uas(invite, to_tag)
    dialog.refresh(…)            dialog.receive_request(…), dialog.refused(…)

Time, transactions and media are none of its business.
"""

from __future__ import annotations

import enum
import random
from typing import TYPE_CHECKING, Final, NamedTuple

from .errors import ParseError, SipuaError
from .headers import Headers
from .message import Request, Response
from .values import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .uri import URI

__all__ = ["Dialog", "DialogId", "DialogState", "OutOfOrder", "dialog_id"]

#: requests that may bring a new Contact (:rfc:`3261#section-12.2`, :rfc:`3311`, :rfc:`6665#section-4.4.1`)
_TARGET_REFRESH: Final = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})

#: :rfc:`3261#section-8.1.1.5`
_CSEQ_LIMIT: Final = 2**31

_SYSTEM_RANDOM: Final = random.SystemRandom()


class OutOfOrder(SipuaError):
    """A request in a dialog with a CSeq that is not above the last one. `status` is the answer to it."""

    status: Final = 500


class DialogState(enum.StrEnum):
    """Early from a 1xx on, confirmed from a 2xx on."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class DialogId(NamedTuple):
    """What tells a dialog from all others, as seen from this side. A missing tag (RFC 2543) is empty."""

    call_id: str
    local_tag: str
    remote_tag: str


def dialog_id(message: Request | Response, *, outgoing: bool | None = None) -> DialogId:
    """The id of the dialog a message belongs to.

    A request is taken to come from the peer, and a response to answer a request of ours; `outgoing` says
    otherwise: True for a request of ours or the answer to it, False for the peer's.
    """
    ours = isinstance(message, Response) if outgoing is None else outgoing
    from_tag, to_tag = message.from_tag or "", message.to_tag or ""
    if ours:
        return DialogId(message.call_id, from_tag, to_tag)
    return DialogId(message.call_id, to_tag, from_tag)


class Dialog:
    """One dialog (:rfc:`3261#section-12`). Made by `from_uac` or `from_uas`.

    `route_set` holds the Route values to send, `local_cseq` the last CSeq sent and `remote_cseq` the last
    received (None: none yet). `secure` means that only sips will do.
    """

    __slots__ = (
        "_from",
        "_local",
        "_previous_target",
        "_rand",
        "_remote",
        "_remote_target",
        "_request_uri",
        "_route_set",
        "_routes",
        "_settled_cseq",
        "_to",
        "id",
        "is_uac",
        "local_cseq",
        "remote_cseq",
        "secure",
        "state",
    )

    def __init__(
        self,
        *,
        id: DialogId,
        local_uri: Address,
        remote_uri: Address,
        remote_target: URI,
        route_set: Iterable[str] = (),
        local_cseq: int | None = None,
        remote_cseq: int | None = None,
        state: DialogState = DialogState.EARLY,
        secure: bool = False,
        is_uac: bool = True,
        rand: random.Random | None = None,
    ) -> None:
        self.id = id
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.state = state
        self.secure = secure
        self.is_uac = is_uac
        self._rand = rand or _SYSTEM_RANDOM
        self._local = local_uri
        self._remote = remote_uri
        self._from = _tagged(local_uri, id.local_tag)
        self._to = _tagged(remote_uri, id.remote_tag)
        self._set_route(remote_target, [*route_set])
        #: the branch of the last target refresh request received, and the target before it
        self._previous_target: tuple[str | None, URI] | None = None
        #: the CSeq of our last target refresh request that got its 2xx: repeated responses change nothing
        self._settled_cseq = local_cseq if state is DialogState.CONFIRMED and local_cseq is not None else 0

    def __repr__(self) -> str:
        return f"<Dialog {self.state} {self._local.uri} -> {self._remote_target} {tuple(self.id)}>"

    # --- making one ----------------------------------------------------------------------------------------

    @classmethod
    def from_uac(cls, request: Request, response: Response, *, rand: random.Random | None = None) -> Dialog:
        """The dialog that a response (101-299) to our request makes (:rfc:`3261#section-12.1.2`).

        Raises `ParseError` for a 1xx without Contact: it makes no dialog. A 2xx without one, which must not
        be and is, leaves us the URI that we called.
        """
        target = _contact_uri(response)
        if target is None:
            if response.code < 200:
                raise ParseError(f"a {response.code} without Contact makes no dialog")
            target = request.uri
        return cls(
            id=DialogId(request.call_id, request.from_tag or "", response.to_tag or ""),
            local_uri=request.from_address,
            remote_uri=response.to_address,
            remote_target=target,
            route_set=reversed(response.headers.values("Record-Route")),
            local_cseq=request.cseq.sequence,
            state=_state_after(response),
            secure=request.uri.scheme.lower() == "sips",
            is_uac=True,
            rand=rand,
        )

    @classmethod
    def from_uas(
        cls, request: Request, response: Response | str, *, rand: random.Random | None = None
    ) -> Dialog:
        """The dialog that our response to a request makes, early if all that is known of it is its To tag.

        :rfc:`3261#section-12.1.1`
        """
        local_tag = response if isinstance(response, str) else response.to_tag or ""
        return cls(
            id=DialogId(request.call_id, local_tag, request.from_tag or ""),
            local_uri=request.to_address,
            remote_uri=request.from_address,
            remote_target=_contact_uri(request) or request.from_address.uri,
            route_set=request.headers.values("Record-Route"),
            remote_cseq=request.cseq.sequence,
            state=DialogState.EARLY if isinstance(response, str) else _state_after(response),
            secure=request.uri.scheme.lower() == "sips",
            is_uac=False,
            rand=rand,
        )

    # --- what it holds -------------------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.id.call_id

    @property
    def local_tag(self) -> str:
        """Our tag: in From of our requests."""
        return self.id.local_tag

    @property
    def remote_tag(self) -> str:
        """The peer's tag; empty if it has none."""
        return self.id.remote_tag

    @property
    def local_uri(self) -> Address:
        """Who we are in this dialog, without tag."""
        return self._local.with_tag(None)

    @property
    def remote_uri(self) -> Address:
        """Who the peer is in this dialog, without tag."""
        return self._remote.with_tag(None)

    @property
    def remote_target(self) -> URI:
        """The peer's Contact: where requests are for."""
        return self._remote_target

    @remote_target.setter
    def remote_target(self, uri: URI) -> None:
        self._set_route(uri, self._route_set)

    @property
    def route_set(self) -> list[str]:
        """The values of Record-Route in the order in which our requests pass them."""
        return self._route_set

    @route_set.setter
    def route_set(self, routes: Iterable[str]) -> None:
        self._set_route(self._remote_target, [*routes])

    def _set_route(self, target: URI, route_set: list[str]) -> None:
        """Take over target and route set, and find out what our requests need (:rfc:`3261#section-12.2.1.1`).

        Raises `ParseError`, and changes nothing, when the first route cannot be read.
        """
        target = _as_request_uri(target)
        request_uri, routes = target, route_set
        if route_set:
            first = Address.parse(route_set[0]).uri
            if "lr" not in first.parameters:
                # A strict router: it wants to be the Request-URI itself, and the target is the last stop.
                request_uri = _as_request_uri(first)
                routes = [*route_set[1:], f"<{target}>"]
        self._remote_target = target
        self._route_set = route_set
        self._request_uri = request_uri
        self._routes = routes

    # --- our requests --------------------------------------------------------------------------------------

    def next_cseq(self) -> int:
        """Count our CSeq up, and return it."""
        if self.local_cseq is None:
            self.local_cseq = self._rand.randrange(1, 2**16)
        elif self.local_cseq >= _CSEQ_LIMIT - 1:
            raise OverflowError("the dialog has used up its CSeq numbers")
        else:
            self.local_cseq += 1
        return self.local_cseq

    def request(
        self,
        method: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """A request within the dialog, with the next CSeq; without Via, and without Contact."""
        return self._build(method, self.next_cseq(), headers, body, content_type)

    def ack(
        self,
        invite: Request | int,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """The ACK to a 2xx: `invite` is our INVITE, whose credentials it repeats, or only its CSeq number.

        :rfc:`3261#section-13.2.2.4`
        """
        if isinstance(invite, int):
            return self._build("ACK", invite, headers, body, content_type)
        credentials = [
            (name, value)
            for name in ("Authorization", "Proxy-Authorization")
            for value in invite.headers.getlist(name)
        ]
        return self._build("ACK", invite.cseq.sequence, [*credentials, *headers], body, content_type)

    def _build(
        self, method: str, cseq: int, extra: Iterable[tuple[str, str]], body: bytes, content_type: str | None
    ) -> Request:
        headers = Headers()
        add = headers.add
        for route in self._routes:
            add("Route", route)
        add("Max-Forwards", "70")
        add("From", self._from)
        add("To", self._to)
        add("Call-ID", self.id.call_id)
        add("CSeq", f"{cseq} {method}")
        for name, value in extra:
            add(name, value)
        if content_type is not None:
            add("Content-Type", content_type)
        return Request(method, self._request_uri, body, headers)

    # --- the peer's requests -------------------------------------------------------------------------------

    def receive_request(self, request: Request) -> None:
        """Check the CSeq of the peer's request, and take over its Contact if it is a target refresh.

        Raises `OutOfOrder` (500) for one that is not above the last: it is late, or a copy
        (:rfc:`3261#section-12.2.2`). Gaps are allowed. ACK and CANCEL are not counted. A Contact that cannot
        be read raises `ParseError` (400) and changes nothing.
        """
        method = request.method
        if method in ("ACK", "CANCEL"):
            return
        sequence = request.cseq.sequence
        if self.remote_cseq is not None and sequence <= self.remote_cseq:
            raise OutOfOrder(f"{method} has CSeq {sequence} after {self.remote_cseq}")
        target = _contact_uri(request) if method in _TARGET_REFRESH else None
        self.remote_cseq = sequence
        if target is not None:
            self._previous_target = (request.branch, self._remote_target)
            self.remote_target = target

    def refused(self, request: Request) -> None:
        """We answered the peer's request with an error: its Contact is void (:rfc:`6141#section-4.6`)."""
        previous = self._previous_target
        if previous is not None and previous[0] == request.branch:
            self._previous_target = None
            self.remote_target = previous[1]

    # --- the peer's responses ------------------------------------------------------------------------------

    def matches(self, message: Request | Response) -> bool:
        """Whether the peer's message belongs to this dialog."""
        return dialog_id(message) == self.id

    def refresh(self, response: Response) -> None:
        """Take over what a response to our request says about the dialog.

        The first 2xx to the INVITE confirms it and sets the route set anew (:rfc:`3261#section-13.2.2.4`). A
        2xx or a reliable 1xx to a target refresh brings a new remote target, an unreliable 1xx does not
        (:rfc:`6141#section-4.7`).
        """
        code = response.code
        cseq = response.cseq
        if cseq.method not in _TARGET_REFRESH or code >= 300 or cseq.sequence <= self._settled_cseq:
            return
        if code >= 200 and self.state is DialogState.EARLY and cseq.method == "INVITE":
            self.confirm(response)
            return
        if code < 200 and not response.headers.get("RSeq"):
            return
        try:
            target = _contact_uri(response)
        except ParseError:
            target = None  # a Contact that cannot be read changes nothing
        if target is not None:
            self._previous_target = None
            self.remote_target = target
        if code >= 200:
            self._settled_cseq = cseq.sequence

    def confirm(self, response: Response | None = None) -> None:
        """The INVITE was answered with 2xx. A UAC gives the response: it may differ from the 1xx before."""
        if response is not None and self.is_uac:
            target = _contact_uri(response) or self._remote_target
            self._set_route(target, response.headers.values("Record-Route")[::-1])
            self._settled_cseq = response.cseq.sequence
        if self.state is DialogState.EARLY:
            self.state = DialogState.CONFIRMED

    def terminate(self) -> None:
        """The dialog is over."""
        self.state = DialogState.TERMINATED


def _tagged(address: Address, tag: str) -> str:
    """As it came, for it may be compared literally by an RFC 2543 peer; and with this tag."""
    given = address.tag
    if not tag or given == tag:
        return str(address)
    return f"{address};tag={tag}" if given is None else str(address.with_tag(tag))


def _contact_uri(message: Request | Response) -> URI | None:
    contacts = message.contact
    return contacts[0].uri if contacts else None


def _state_after(response: Response) -> DialogState:
    return DialogState.EARLY if response.code < 200 else DialogState.CONFIRMED


def _as_request_uri(uri: URI) -> URI:
    """Without what a Request-URI must not have (:rfc:`3261#section-19.1.1`)."""
    if not uri.headers and "method" not in uri.parameters:
        return uri
    return uri.replace(headers=None, parameters=uri.parameters.without("method"))
