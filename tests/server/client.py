"""Clients of the server that write and read SIP messages themselves, over connections in memory."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sipua.server import Server
from sipua.sip import Credentials, DigestClient, Request, Response, make_response, parse_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from sipua.errors import TransportError
    from sipua.transport import Connection

ACCOUNTS = {"alice": "wonderland", "bob": "builder", "carol": "christmas"}
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

Fields = tuple[tuple[str, str], ...]


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Server]:
    """A server without sockets and call apps, and with predictable chance."""
    settings = {"port": None, "apps": False, "domain": "example.com", "rand": random.Random(1), **options}
    async with Server(settings.pop("accounts", ACCOUNTS), **settings) as server:
        yield server


class Client:
    """One connection of one user. What arrives waits in order until a test reads it."""

    _numbers = itertools.count(1)

    def __init__(self, server: Server, user: str = "alice", password: str | None = None) -> None:
        self.server = server
        self.user = user
        self.aor = f"sip:{user}@example.com"
        self.host = f"{user.strip('+')}.invalid"
        self.contact = f"<sip:{user}@{self.host};transport=ws>"
        credentials = Credentials(user, password or ACCOUNTS.get(user, "none"))
        self.digest = DigestClient(credentials, rand=random.Random(2))
        """For the proxy; what is known of the registrar's nonces is apart, so as not to send them along."""
        self.registrar_digest = DigestClient(credentials, rand=random.Random(3))
        self.raw: list[str] = []
        self.closed: list[TransportError | None] = []
        self._messages: asyncio.Queue[Request | Response] = asyncio.Queue()
        self.connection: Connection

    async def connect(self) -> Client:
        self.connection = await self.server.connector().connect(self._receive, self.closed.append)
        return self

    def _receive(self, data: str | bytes) -> None:
        text = data if isinstance(data, str) else data.decode()
        self.raw.append(text)
        if (message := parse_message(text)) is not None:
            self._messages.put_nowait(message)

    # --- reading ------------------------------------------------------------------------------------------------------

    async def next(self) -> Request | Response:
        return await asyncio.wait_for(self._messages.get(), 3600)

    async def request(self, method: str) -> Request:
        message = await self.next()
        assert isinstance(message, Request), f"{message!r}, not a {method}"
        assert message.method == method, f"{message!r}, not a {method}"
        return message

    async def response(self, code: int, method: str | None = None) -> Response:
        message = await self.next()
        assert isinstance(message, Response), f"{message!r}, not a {code}"
        assert message.code == code, f"{message!r}, not a {code}"
        if method is not None:
            assert message.cseq.method == method
        return message

    async def silence(self, seconds: float = 0.05) -> None:
        """Nothing arrives for so long."""
        await asyncio.sleep(seconds)
        assert self._messages.empty(), f"{self._messages.get_nowait()!r}"

    # --- writing ------------------------------------------------------------------------------------------------------

    def put(self, message: Request | Response | str | bytes) -> None:
        self.connection.send(message if isinstance(message, str | bytes) else message.frame())

    def build(
        self,
        method: str,
        uri: str,
        *,
        to: str | None = None,
        from_: str | None = None,
        from_tag: str | None = None,
        call_id: str | None = None,
        sequence: int = 1,
        fields: Iterable[tuple[str, str]] = (),
        body: str = "",
    ) -> Request:
        """A request of this user; Route and others in `fields`."""
        number = next(self._numbers)
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/WS {self.host};branch=z9hG4bK{self.user}{number}",
            "Max-Forwards: 70",
            f"From: {from_ or f'<{self.aor}>'};tag={from_tag or f'{self.user}{number}'}",
            f"To: {to or f'<{uri}>'}",
            f"Call-ID: {call_id or f'{self.user}-{number}'}",
            f"CSeq: {sequence} {method}",
            *(f"{name}: {value}" for name, value in fields),
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        message = parse_message("\r\n".join(lines))
        assert isinstance(message, Request)
        return message

    def send(self, method: str, uri: str, **options: Any) -> Request:
        """Send a request as it is, without credentials."""
        request = self.build(method, uri, **options)
        self.put(request)
        return request

    async def ask(self, method: str, uri: str, **options: Any) -> Request:
        """Send a request and answer the challenge to it; returns what was sent last."""
        request = self.build(method, uri, **options)
        if self._digest(request).preload(request):
            self.put(request)
            return request
        return await self.answer_challenge(request)

    def _digest(self, request: Request) -> DigestClient:
        return self.registrar_digest if request.method == "REGISTER" else self.digest

    async def answer_challenge(self, request: Request) -> Request:
        self.put(request)
        challenge = await self.next()
        assert isinstance(challenge, Response)
        assert challenge.code in (401, 407), challenge
        if request.method == "INVITE":
            self.put(self.ack(request, challenge))
        again = request.copy()
        again.headers.set("CSeq", f"{request.cseq.sequence + 1} {request.method}")
        again.headers.set("Via", f"{request.headers['Via']}a")
        assert self._digest(again).authorize(again, challenge)
        self.put(again)
        return again

    async def register(
        self, *contacts: str, expires: int = 600, fields: Fields = (), **options: Any
    ) -> Response:
        """Register and return the 200."""
        await self.ask(
            "REGISTER",
            "sip:example.com",
            to=f"<{self.aor}>",
            fields=(
                *(("Contact", contact) for contact in contacts or (self.contact,)),
                ("Expires", str(expires)),
                *fields,
            ),
            **options,
        )
        return await self.response(200, "REGISTER")

    async def invite(self, uri: str, *, fields: Fields = (), **options: Any) -> Request:
        """Send an INVITE with credentials; returns it as it was accepted for forwarding."""
        return await self.ask("INVITE", uri, fields=(("Contact", self.contact), *fields), body=SDP, **options)

    def reply(
        self,
        request: Request,
        code: int,
        *,
        tag: str | None = None,
        fields: Fields = (),
        phrase: str | None = None,
    ) -> Response:
        """Answer a request that was received."""
        response = make_response(
            request, code, phrase, to_tag=None if code == 100 else (tag or self.user), headers=fields
        )
        if 100 < code < 300 and request.method == "INVITE":
            response.headers.add("Contact", self.contact)
        self.put(response)
        return response

    def ack(self, invite: Request, response: Response) -> Request:
        """The ACK to a final response ≥ 300."""
        ack = self.build(
            "ACK",
            str(invite.uri),
            to=response.headers["To"],
            call_id=invite.call_id,
            sequence=invite.cseq.sequence,
        )
        ack.headers.set("From", invite.headers["From"])
        ack.headers.set("Via", invite.headers["Via"])
        return ack

    def cancel(self, invite: Request, fields: Fields = ()) -> Request:
        cancel = self.build(
            "CANCEL",
            str(invite.uri),
            to=invite.headers["To"],
            call_id=invite.call_id,
            sequence=invite.cseq.sequence,
            fields=fields,
        )
        cancel.headers.set("From", invite.headers["From"])
        cancel.headers.set("Via", invite.headers["Via"])
        self.put(cancel)
        return cancel

    def in_dialog(
        self,
        method: str,
        invite: Request,
        response: Response,
        *,
        sequence: int | None = None,
        fields: Fields = (),
    ) -> Request:
        """Send a request in the dialog that `response` to `invite` made: as its caller, or else as the called."""
        caller = invite.from_address.uri.user == self.user
        routes = response.headers.values("Record-Route")
        target = (response if caller else invite).contact[0].uri
        request = self.build(
            method,
            str(target),
            call_id=invite.call_id,
            sequence=sequence or invite.cseq.sequence + (method not in ("ACK",)),
            fields=(*(("Route", route) for route in (reversed(routes) if caller else routes)), *fields),
        )
        ends = ("From", "To") if caller else ("To", "From")
        request.headers.set("From", response.headers[ends[0]])
        request.headers.set("To", response.headers[ends[1]])
        self.put(request)
        return request


async def connected(server: Server, *users: str) -> list[Client]:
    """A registered client for each of these users."""
    clients = [await Client(server, user).connect() for user in users]
    for client in clients:
        await client.register()
    return clients
