"""What an application gives that makes no sense is refused then and there, and the call goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sipua import RTCSession
from tests.session.calls import call_out
from tests.wire import Wire, user_agent

BAD: dict[str, Callable[[Any], Any]] = {
    "duration": lambda call: call.send_dtmf("1", duration="100"),
    "duration=None": lambda call: call.send_dtmf("1", duration=None),
    "duration=100.5": lambda call: call.send_dtmf("1", duration=100.5),
    "inter_tone_gap=None": lambda call: call.send_dtmf("1", inter_tone_gap=None),
    "inter_tone_gap=inf": lambda call: call.send_dtmf("1", inter_tone_gap=float("inf")),
    "inter_tone_gap=10000000000": lambda call: call.send_dtmf("1", inter_tone_gap=10**10),
    "tones=None": lambda call: call.send_dtmf(None),
    "content_type=None": lambda call: call.send_info(None),
    "content_type='text/plain\\\\r": lambda call: call.send_info("text/plain\r\n;X: y"),
    "Content-Type": lambda call: call.send_info("text/plain", "x", extra_headers={"Content-Type": "a/b"}),
    "status_code='486'": lambda call: call.terminate(status_code="486"),
    "status_code=486.5": lambda call: call.terminate(status_code=486.5),
    "'nope' is not a valid Cause": lambda call: call.terminate(cause="nope"),
    "body: needs a Content-Type": lambda call: call.terminate(body="why"),
    "5: not a text": lambda call: call.terminate(status_code=486, reason_phrase=5),
    "replaces='x'": lambda call: call.refer("carol", replaces="x"),
    "direction=.'x'.": lambda call: call.renegotiate(direction=["x"]),
}


@pytest.mark.parametrize("naming", BAD)
async def test_refused_at_the_call(naming: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        with pytest.raises(ValueError, match=naming):
            BAD[naming](call)
        await wire.settle(1)
        assert wire.nothing_sent()
        assert call.is_established()


async def test_handler_that_cannot_be_called() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call, _ = await call_out(wire, ua)
        with pytest.raises(TypeError, match="ended"):
            call.on("ended", 5)


async def test_goodbye_with_a_body() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call: RTCSession
        call, _ = await call_out(wire, ua)
        call.terminate(body="why", extra_headers={"Content-Type": "text/plain"})
        bye = await wire.request("BYE")
        assert bye.headers.getlist("Content-Type") == ["text/plain"]
        assert bye.text == "why"
        wire.reply(bye, 200)


@pytest.mark.parametrize("method", ["send_message", "send_options"])
@pytest.mark.parametrize("kind", ["nope", "a/b\r\nX: y", None])
async def test_content_type_outside_of_calls(method: str, kind: Any) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        with pytest.raises(ValueError, match="content_type"):
            getattr(ua, method)("bob", "x", content_type=kind)
        with pytest.raises(ValueError, match="Content-Type"):
            getattr(ua, method)("bob", "x", extra_headers={"Content-Type": "a/b"})
        assert wire.nothing_sent()


async def test_publication_with_a_content_type_that_is_none() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        publication = ua.publish("presence", "x", "text/plain")
        publish = await wire.request("PUBLISH")
        wire.reply(publish, 200, (("SIP-ETag", "1"), ("Expires", "3600")))
        with pytest.raises(ValueError, match="content_type"):
            publication.update("y", "nope\r\n")
        with pytest.raises(TypeError, match="not int"):
            publication.update(5)  # type: ignore[arg-type]
        await wire.settle(1)
        assert wire.nothing_sent()
        gone = publication.unpublish()
        wire.reply(await wire.request("PUBLISH"), 200)
        await gone
