"""Calls that are up, for tests of what happens in them."""

from __future__ import annotations

from sipua import UA, RTCSession
from sipua.sip import Request, Response
from tests.wire import ANSWER, OFFER, Wire

ALLOW = ("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE, PRACK")
SDP_TYPE = "Content-Type: application/sdp\r\n"


def directed(sdp: str, direction: str) -> str:
    """The description with this direction instead of sendrecv."""
    return sdp.replace("a=sendrecv", f"a={direction}")


def direction_of(message: Request | Response) -> str:
    """The direction in the description of `message`."""
    return next(
        name for name in ("sendrecv", "sendonly", "recvonly", "inactive") if f"a={name}\r\n" in message.text
    )


async def call_out(
    wire: Wire, ua: UA, *headers: tuple[str, str], allow: bool = True
) -> tuple[RTCSession, Request]:
    """A call of ours that is confirmed, and its INVITE."""
    call = ua.call("bob")
    invite = await wire.request("INVITE")
    wire.reply(invite, 200, (*((ALLOW,) if allow else ()), *headers), sdp=ANSWER)
    await wire.request("ACK")
    await call.wait_confirmed()
    return call, invite


async def call_in(wire: Wire, ua: UA, *, sdp: str = OFFER, extra: str = "") -> tuple[RTCSession, Response]:
    """A call of the peer that is confirmed, and our 200."""
    calls: list[RTCSession] = []
    ua.once("new_rtc_session", lambda event: calls.append(event.session))
    wire.invite(ua, sdp=sdp, extra=f"{ALLOW[0]}: {ALLOW[1]}\r\n{extra}")
    calls[0].answer()
    ok = await wire.next()
    while not (isinstance(ok, Response) and ok.code == 200):
        ok = await wire.next()
    wire.in_dialog("ACK", ok, sequence=1)
    await calls[0].wait_confirmed()
    return calls[0], ok
