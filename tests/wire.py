"""The other end of a user agent's wire: a connection whose frames a test reads and writes as SIP messages.

``Wire`` is a `Connector` for `UA(sockets=...)`. What the user agent sends is compared as messages; what the test
sends is written as text, so that what is tested is the wire and not our own idea of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sipua import UA
from sipua.errors import ConnectFailed, NotConnected, TransportError
from sipua.media import SignallingOnlyMedia
from sipua.sip import Request, Response, make_response, parse_message

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 4962303333179871722 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 40000 UDP/TLS/RTP/SAVPF 111 0",
        "c=IN IP4 127.0.0.1",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host",
        "a=ice-ufrag:Xz9K",
        "a=ice-pwd:8mQ0dQbq0b2m0V7y7wE5cJxC",
        "a=fingerprint:sha-256 " + ":".join(["D2", "FA", "0E", "C3"] * 8),
        "a=setup:actpass",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:0 PCMU/8000",
        "",
    ]
)
ANSWER = OFFER.replace("actpass", "active")


class Wire:
    """A server as a user agent sees it, played by the test."""

    url = "ws://wire.invalid"
    weight = 0
    via_transport = "WS"

    def __init__(self) -> None:
        self.received: list[Request | Response] = []
        self.answer_registers = True
        self.refuse_connections = False
        self.last_received = 0.0
        self.connections = 0
        self._read = 0
        self._arrived = asyncio.Event()
        self._up = False

    # --- as a connector and a connection ------------------------------------------------------------------------------

    async def connect(self, on_message: Any, on_close: Any) -> Wire:
        await asyncio.sleep(0)
        if self.refuse_connections:
            raise ConnectFailed(self.url, "refused")
        self.on_message, self.on_close, self._up = on_message, on_close, True
        self.connections += 1
        return self

    def send(self, data: str | bytes) -> None:
        if not self._up:
            raise NotConnected(self.url, "cut")
        message = parse_message(data)
        if message is None:
            asyncio.get_running_loop().call_soon(self.put, "\r\n")
            return
        if self.answer_registers and isinstance(message, Request) and message.method == "REGISTER":
            contact = message.headers.get("Contact") or ""
            headers = (("Contact", contact),) if "expires=0" not in contact and contact != "*" else ()
            asyncio.get_running_loop().call_soon(self.reply, message, 200, headers)
            return
        self.received.append(message)
        self._arrived.set()

    def ping(self) -> None:
        pass

    async def close(self, code: int = 1000, reason: str = "") -> None:
        if self._up:
            self._up = False
            self.on_close(None)

    def abort(self, error: TransportError) -> None:
        if self._up:
            self._up = False
            self.on_close(error)

    # --- what the test does -------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """The connection breaks."""
        self.abort(ConnectFailed(self.url, "cut"))

    async def next(self) -> Request | Response:
        """The next message that the user agent sends."""
        while self._read >= len(self.received):
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 3600)
        self._read += 1
        return self.received[self._read - 1]

    async def request(self, method: str) -> Request:
        """The next message, which must be a request of this method."""
        message = await self.next()
        assert isinstance(message, Request), f"{message!r}, not a {method}"
        assert message.method == method, f"{message!r}, not a {method}"
        return message

    async def response(self, code: int, method: str | None = None) -> Response:
        """The next message, which must be a response with this code."""
        message = await self.next()
        assert isinstance(message, Response), f"{message!r}, not a {code}"
        assert message.code == code, f"{message!r}, not a {code}"
        if method is not None:
            assert message.cseq.method == method
        return message

    def nothing_sent(self) -> bool:
        """Whether all that the user agent sent was read."""
        return self._read == len(self.received)

    async def settle(self, seconds: float = 0.0) -> None:
        """Let the user agent do what it can, and so much time pass."""
        await asyncio.sleep(seconds)
        for _ in range(20):
            await asyncio.sleep(0)

    def put(self, message: Request | Response | str | bytes) -> None:
        """Send something to the user agent."""
        data = message if isinstance(message, str | bytes) else message.frame()
        self.last_received = asyncio.get_running_loop().time()
        self.on_message(data)

    def reply(
        self,
        request: Request,
        code: int,
        headers: tuple[tuple[str, str], ...] = (),
        *,
        tag: str = "peer",
        sdp: str = "",
        phrase: str | None = None,
    ) -> Response:
        """Answer a request of the user agent."""
        response = make_response(
            request,
            code,
            phrase,
            to_tag=tag if code > 100 else None,
            headers=headers,
            body=sdp.encode(),
            content_type="application/sdp" if sdp else None,
        )
        if request.method == "INVITE" and 100 < code < 300 and "Contact" not in response.headers:
            response.headers.add("Contact", f"<sip:{tag}@192.0.2.1;transport=ws>")
        self.put(response)
        return response

    def invite(
        self, ua: UA, *, sdp: str = OFFER, extra: str = "", call_id: str = "c1", method: str = "INVITE"
    ) -> str:
        """Send an INVITE to the user agent; returns its Call-ID."""
        self.put(
            f"{method} {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS peer.invalid;branch=z9hG4bK{call_id}{method}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:peer@example.com>;tag=peer\r\nTo: <{ua.configuration.uri}>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nContact: <sip:peer@192.0.2.1;transport=ws>\r\n{extra}"
            + (f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}" if sdp else "\r\n")
        )
        return call_id

    def in_dialog(
        self,
        method: str,
        response: Response,
        *,
        sequence: int = 2,
        extra: str = "",
        body: str = "",
        branch: str = "",
    ) -> None:
        """Send a request in the dialog that the user agent's `response` to our INVITE made."""
        contact = response.contact[0].uri if response.contact else "sip:ua@ua.invalid"
        self.put(
            f"{method} {contact} SIP/2.0\r\n"
            f"Via: SIP/2.0/WS peer.invalid;branch=z9hG4bK{branch or method}{sequence}{response.call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: {response.headers['From']}\r\nTo: {response.headers['To']}\r\n"
            f"Call-ID: {response.call_id}\r\nCSeq: {sequence} {method}\r\n"
            f"Contact: <sip:peer@192.0.2.1;transport=ws>\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def from_callee(
        self,
        method: str,
        invite: Request,
        *,
        sequence: int = 1,
        extra: str = "",
        body: str = "",
        tag: str = "peer",
    ) -> None:
        """Send a request in the dialog of the user agent's own INVITE."""
        contact = invite.contact[0].uri
        self.put(
            f"{method} {contact} SIP/2.0\r\n"
            f"Via: SIP/2.0/WS peer.invalid;branch=z9hG4bK{method}{sequence}{tag}{invite.call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: {invite.headers['To']};tag={tag}\r\nTo: {invite.headers['From']}\r\n"
            f"Call-ID: {invite.call_id}\r\nCSeq: {sequence} {method}\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )


def user_agent(wire: Wire, **options: Any) -> UA:
    """A user agent on this wire, with signalling-only media."""
    options.setdefault("media", SignallingOnlyMedia)
    options.setdefault("register", False)
    return UA("sip:alice@example.com", sockets=wire, **options)


class Log:
    """The events of a session or user agent, by name, in order."""

    def __init__(self, emitter: Any) -> None:
        self.names: list[str] = []
        self.payloads: list[Any] = []
        for name in emitter.event_names - {"sdp", "ice_connection_state", "icecandidate"}:
            emitter.on(name, self._handler(name))

    def _handler(self, name: str) -> Any:
        def handle(payload: Any) -> None:
            self.names.append(name)
            self.payloads.append(payload)

        return handle

    def __getitem__(self, name: str) -> Any:
        """The payload of the only event of this name."""
        found = [payload for n, payload in zip(self.names, self.payloads, strict=True) if n == name]
        assert len(found) == 1, f"{len(found)} events {name!r} in {self.names}"
        return found[0]
