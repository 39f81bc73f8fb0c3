"""Saying no to what a peer asks for in a call: the same arguments everywhere, by position or by name."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from sipua import InvalidHeaderError, events
from sipua.session.referred import IncomingRefer
from sipua.session.replaces import Replacement
from sipua.ua.outofdialog import Incoming
from tests.session.calls import ALLOW, call_out
from tests.wire import ANSWER, OFFER, Wire, user_agent

REJECTS = [
    events.Reinvite.reject,
    events.Update.reject,
    events.Refer.reject,
    events.Replaces.reject,
    IncomingRefer.reject,
    Replacement.reject,
    Incoming.reject,
]


@pytest.mark.parametrize("reject", REJECTS, ids=lambda function: function.__qualname__)
def test_signature(reject: Any) -> None:
    code, phrase, headers = list(inspect.signature(reject).parameters.values())[1:]
    assert (code.name, phrase.name, headers.name) == ("status_code", "reason_phrase", "extra_headers")
    assert code.kind is phrase.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert headers.kind is inspect.Parameter.KEYWORD_ONLY


ASKED = {
    "reinvite": ("INVITE", f"Content-Type: application/sdp\r\n{ALLOW[0]}: {ALLOW[1]}\r\n", OFFER),
    "update": ("UPDATE", "Content-Type: application/sdp\r\n", OFFER),
    "refer": ("REFER", "Refer-To: <sip:carol@example.com>\r\n", ""),
}
ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((486, "No time"), {"extra_headers": ["X-A: 1"]}),
    ((), {"status_code": 486, "reason_phrase": "No time", "extra_headers": {"X-A": "1"}}),
]


@pytest.mark.parametrize("event", ASKED)
@pytest.mark.parametrize(("args", "kwargs"), ARGUMENTS, ids=["position", "name"])
async def test_in_a_call(event: str, args: Any, kwargs: Any) -> None:
    method, headers, body = ASKED[event]
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        call.on(event, lambda payload: payload.reject(*args, **kwargs))
        wire.from_callee(
            method, invite, extra=f"Contact: <sip:peer@192.0.2.1;transport=ws>\r\n{headers}", body=body
        )
        response = await wire.response(486, method)
        assert (response.phrase, response.headers["X-A"]) == ("No time", "1")
        assert call.is_established()
        if method == "INVITE":
            wire.from_callee("ACK", invite)
        call.terminate()
        wire.reply(await wire.request("BYE"), 200)


@pytest.mark.parametrize(("args", "kwargs"), ARGUMENTS, ids=["position", "name"])
async def test_replacement(args: Any, kwargs: Any) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)
        call.on("replaces", lambda payload: payload.reject(*args, **kwargs))
        wire.invite(
            ua, extra=f"Replaces: {invite.call_id};to-tag={invite.from_tag};from-tag=peer\r\n", sdp=ANSWER
        )
        response = await wire.response(486, "INVITE")
        assert (response.phrase, response.headers["X-A"]) == ("No time", "1")
        call.terminate()
        wire.reply(await wire.request("BYE"), 200)


@pytest.mark.parametrize("event", ["refer", "reinvite"])
async def test_what_must_not_go_out_is_refused_and_may_be_said_again(event: str) -> None:
    method, headers, body = ASKED[event]
    wire = Wire()
    async with user_agent(wire) as ua:
        call, invite = await call_out(wire, ua)

        def say_no(payload: Any) -> None:
            with pytest.raises(ValueError):
                payload.reject(200)
            with pytest.raises(InvalidHeaderError):
                payload.reject(486, "No\r\nX: y")
            with pytest.raises(InvalidHeaderError):
                payload.reject(486, extra_headers=["Via: x"])
            payload.reject(486)

        call.on(event, say_no)
        wire.from_callee(
            method, invite, extra=f"Contact: <sip:peer@192.0.2.1;transport=ws>\r\n{headers}", body=body
        )
        await wire.response(486, method)
        if method == "INVITE":
            wire.from_callee("ACK", invite)
        call.terminate()
        wire.reply(await wire.request("BYE"), 200)
