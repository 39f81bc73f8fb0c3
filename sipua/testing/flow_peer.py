"""The scripted participant of a flow: writes its messages as the arrows say, and knows what belongs to which dialog."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sipua.sip import URI, Headers, Request, Response, make_response
from sipua.testing.flow_facts import cseq_number
from sipua.testing.flow_steps import description

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sipua.testing.flow_steps import Arrow, Peer

Message = Request | Response

#: Requests that make a dialog when they are answered.
DIALOG_METHODS = ("INVITE", "SUBSCRIBE", "REFER")
#: Messages that carry a Contact: requests, and successful responses to them.
CONTACT_METHODS = (*DIALOG_METHODS, "UPDATE", "NOTIFY")


@dataclass
class Leg:
    """A dialog as the peer sees it."""

    agent: str
    call_id: str
    local: str
    local_tag: str
    remote: str
    remote_tag: str
    target: str
    sequence: int = 0
    invite: Request | None = None
    """The last INVITE of the peer in it."""
    final: int = 0
    """The final response to that."""
    rack: str = ""
    """What a PRACK would acknowledge."""
    confirmed: bool = False
    refused: bool = False
    """Whether its first INVITE was refused: nothing but the ACK belongs to it any more."""


class ScriptedPeer:
    """The state of a `Peer` in a running flow."""

    def __init__(self, name: str, peer: Peer, named: Mapping[str, Message]) -> None:
        self.name = name
        self.address = f"sip:{name}@example.com"
        self.contact = peer.contact or f"sip:{name}@192.0.2.1;transport=ws"
        self._named = named
        self._numbers = itertools.count(1)
        self._legs: list[Leg] = []
        self._received: list[tuple[str, Request]] = []
        self._answered: set[int] = set()

    # --- what it gets ------------------------------------------------------------------------------------------

    def receive(self, agent: str, message: Message) -> None:
        """A message of an agent."""
        contact = str(message.contact[0].uri) if message.contact else ""
        if isinstance(message, Request):
            if message.method != "ACK":
                self._received.append((agent, message))
            for leg in self._legs:
                if leg.call_id == message.call_id and leg.local_tag == message.to_tag and contact:
                    leg.target = contact
            return
        for leg in self._legs:
            if leg.call_id == message.call_id and leg.local_tag == message.from_tag:
                if message.to_tag and message.code > 100 and not leg.remote_tag:
                    leg.remote_tag = message.to_tag
                if contact and message.code < 300:
                    leg.target = contact
                if message.cseq.method == "INVITE":
                    if message.code >= 200:
                        leg.final = message.code
                        leg.confirmed = leg.confirmed or message.code < 300
                        leg.refused = not leg.confirmed
                        leg.remote_tag = message.to_tag or leg.remote_tag
                    if message.rseq is not None:
                        leg.rack = f"{message.rseq} {message.cseq}"

    # --- what it writes ----------------------------------------------------------------------------------------

    def write(self, arrow: Arrow) -> Message:
        """The message that the arrow speaks of."""
        if arrow.same is not None:
            return self._named[arrow.same]
        words = arrow.what.split()
        message: Message
        if words[0].isdigit():
            message = self._response(arrow, int(words[0]), words[1] if len(words) > 1 else "")
        else:
            message = self._request(arrow, words[0])
        self._fill(arrow, message)
        return message

    def _response(self, arrow: Arrow, code: int, method: str) -> Response:
        request = self._request_to_answer(arrow, method)
        if code >= 200:
            self._answered.add(id(request))
        tag = arrow.tag or request.to_tag or self.name
        response = make_response(request, code, to_tag=tag if code > 100 else None)
        if 100 < code < 300 and request.method in CONTACT_METHODS:
            response.headers.add("Contact", f"<{self.contact}>")
        if code == 200 and request.method == "REGISTER":
            for value in request.headers.getlist("Contact"):
                if "expires=0" not in value and value != "*":
                    response.headers.add("Contact", value)
        if 100 < code < 300 and request.method in DIALOG_METHODS and not request.to_tag:
            self._add_leg(arrow.receiver, request, tag)
        return response

    def _request_to_answer(self, arrow: Arrow, method: str) -> Request:
        if arrow.to is not None:
            named = self._named[arrow.to]
            if not isinstance(named, Request):
                raise ValueError(f"{arrow}: {arrow.to} is no request")
            return named
        found = [
            request
            for agent, request in self._received
            if agent == arrow.receiver
            and (method == request.method or (not method and request.method != "CANCEL"))
        ]
        if not found:
            raise ValueError(f"{self.name} has no request of {arrow.receiver} to answer with {arrow.what}")
        waiting = [request for request in found if id(request) not in self._answered]
        return (waiting or found)[-1]

    def _add_leg(self, agent: str, request: Request, tag: str) -> None:
        if any(leg.call_id == request.call_id and leg.local_tag == tag for leg in self._legs):
            return
        headers = request.headers
        self._legs.append(
            Leg(
                agent=agent,
                call_id=request.call_id,
                local=_without_tag(headers["To"]),
                local_tag=tag,
                remote=_without_tag(headers["From"]),
                remote_tag=request.from_tag or "",
                target=str(request.contact[0].uri) if request.contact else f"sip:{agent}@example.com",
            )
        )

    def _request(self, arrow: Arrow, method: str) -> Request:
        leg = self._leg(arrow, method)
        request = Request(method, URI.parse(str(arrow.uri or leg.target)))
        repeated = method in ("ACK", "CANCEL")
        if repeated:
            if leg.invite is None:
                raise ValueError(f"{self.name} has sent {arrow.receiver} no INVITE to {method}")
            number = leg.invite.cseq.sequence
        else:
            leg.sequence += 1
            number = leg.sequence
        if arrow.cseq is not None:
            number = cseq_number(arrow, self._named)
            leg.sequence = max(leg.sequence, number)
        branch = f"z9hG4bK-{self.name}-{next(self._numbers)}"
        invite = leg.invite
        if invite is not None and (method == "CANCEL" or (method == "ACK" and leg.final >= 300)):
            branch = invite.branch or branch
            request.uri = invite.uri
        if arrow.branch is not None:
            branch = self._named[arrow.branch].branch or "" if arrow.branch in self._named else arrow.branch
        to_tag = leg.remote_tag
        if method == "CANCEL" and invite is not None:
            to_tag = invite.to_tag or ""
        add = request.headers.add
        add("Via", f"SIP/2.0/WS {self.name}.invalid;branch={branch}")
        add("Max-Forwards", "70")
        add("From", f"{leg.local};tag={leg.local_tag}")
        add("To", f"{leg.remote};tag={to_tag}" if to_tag else leg.remote)
        add("Call-ID", leg.call_id)
        add("CSeq", f"{number} {method}")
        if method in CONTACT_METHODS:
            add("Contact", f"<{self.contact}>")
        if method == "PRACK":
            add("RAck", leg.rack)
        if method == "INVITE":
            leg.invite, leg.final = request, 0
        return request

    def _leg(self, arrow: Arrow, method: str) -> Leg:
        legs = [leg for leg in self._legs if leg.agent == arrow.receiver]
        if arrow.dialog == "new":
            legs = []
        elif arrow.dialog is not None:
            legs = [leg for leg in legs if leg.call_id == self._named[arrow.dialog].call_id]
        if arrow.tag is not None:
            legs = [leg for leg in legs if leg.local_tag == arrow.tag]
        if method != "ACK":
            legs = [leg for leg in legs if not leg.refused]
        if legs:
            return legs[-1]
        number = next(self._numbers)
        leg = Leg(
            agent=arrow.receiver,
            call_id=f"{self.name}-{number}",
            local=f"<{self.address}>",
            local_tag=arrow.tag or f"{self.name}{number}",
            remote=f"<sip:{arrow.receiver}@example.com>",
            remote_tag="",
            target=f"sip:{arrow.receiver}@example.com",
        )
        if method in DIALOG_METHODS:
            self._legs.append(leg)
        return leg

    def _fill(self, arrow: Arrow, message: Message) -> None:
        """What the arrow says goes before everything else."""
        if arrow.sdp not in (None, False):
            text = str(arrow.sdp)
            if not text.startswith("v="):
                offers = isinstance(message, Request) and message.method != "ACK"
                text = description(text, setup="actpass" if offers else "active")
            message.headers.set("Content-Type", "application/sdp")
            message.body = text.encode()
        if arrow.body is not None:
            message.body = str(arrow.body).encode()
        for name, value in arrow.headers.items():
            _put(message.headers, name, value(self._named) if callable(value) else value)


def _put(headers: Headers, name: str, value: Any) -> None:
    if value is None:
        headers.remove(name)
    elif isinstance(value, str):
        headers.set(name, value)
    else:
        headers.setlist(name, list(value))


def _without_tag(value: str) -> str:
    return value.partition(";tag=")[0]
