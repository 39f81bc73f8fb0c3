"""MESSAGE and OPTIONS of ours: what the object that is returned tells."""

from __future__ import annotations

from typing import Any

import pytest

from sipua import Cause, InvalidHeaderError, RequestFailed, RequestTimeout, events
from sipua.ua.outofdialog import OutgoingMessage, OutgoingOptions
from tests.wire import Wire, user_agent


async def test_message_that_is_taken() -> None:
    wire = Wire()
    told: list[Any] = []

    async def slowly(event: events.RequestSucceeded) -> None:
        told.append(event)

    async with user_agent(wire) as ua:
        ua.on("new_message", told.append)
        sent = ua.send_message(
            "bob",
            "hello",
            event_handlers={"succeeded": slowly, "failed": told.append},
            from_user_name="sales",
            from_display_name="Sales",
        )
        assert isinstance(sent, OutgoingMessage)
        assert (told[0].originator, told[0].message) == ("local", sent)
        request = await wire.request("MESSAGE")
        sender = request.from_address
        assert (sender.name, str(sender.uri)) == ("Sales", "sip:sales@example.com")
        wire.reply(request, 100)
        await wire.settle()
        assert len(told) == 1
        wire.reply(request, 202)
        assert (await sent).code == 202
        assert (await sent).code == 202  # as often as one likes
        await wire.settle()
        assert told[1] == events.RequestSucceeded("remote", await sent)
        assert len(told) == 2
        assert (sent.direction, sent.body) == ("outgoing", "hello")
        assert sent.remote_identity.uri.user == "bob"
        assert sent.local_identity.uri.user == "sales"


async def test_message_that_is_refused() -> None:
    wire = Wire()
    told: list[Any] = []
    async with user_agent(wire) as ua:
        sent = ua.send_message("bob", "hello")
        sent.on("failed", told.append)
        wire.reply(await wire.request("MESSAGE"), 404)
        with pytest.raises(RequestFailed, match="404"):
            await sent
        (event,) = told
        assert (event.originator, event.response.code, event.cause) == ("remote", 404, Cause.NOT_FOUND)


async def test_options_without_answer() -> None:
    wire = Wire()
    told: list[Any] = []
    async with user_agent(wire) as ua:
        ua.on("new_options", told.append)
        sent = ua.send_options("bob", "v=0\r\n", event_handlers={"failed": told.append})
        assert isinstance(sent, OutgoingOptions)
        assert told[0].options is sent
        assert (await wire.request("OPTIONS")).headers["Content-Type"] == "application/sdp"
        with pytest.raises(RequestTimeout):
            await sent
        assert told[1] == events.RequestFailed("system", None, Cause.REQUEST_TIMEOUT)


async def test_arguments_that_make_no_sense() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        for send in (ua.send_message, ua.send_options):
            with pytest.raises(ValueError, match="no event 'answered'"):
                send("bob", "x", event_handlers={"answered": print})  # type: ignore[operator]
            with pytest.raises(InvalidHeaderError):
                send("bob", "x", content_type="text/plain\r\nX: y")  # type: ignore[operator]
            with pytest.raises(TypeError):
                send("bob", 5)  # type: ignore[operator]
        await wire.settle()
        assert wire.nothing_sent()


async def test_incoming_ones_know_both_ends() -> None:
    wire = Wire()
    told: list[Any] = []
    async with user_agent(wire) as ua:
        ua.on("new_message", told.append)
        wire.invite(ua, method="MESSAGE", sdp="")
        await wire.response(200)
        message = told[0].message
        assert message.direction == "incoming"
        assert str(message.local_identity.uri) == "sip:alice@example.com"
        assert str(message.remote_identity.uri) == "sip:peer@example.com"
