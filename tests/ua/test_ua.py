"""The user agent outside of calls: life, connection, requests to it, messages, options."""

from __future__ import annotations

import asyncio

import pytest

from sipua import (
    Cause,
    ConnectFailed,
    InvalidStateError,
    RequestFailed,
    RequestTimeout,
)
from sipua.events import NewMessage
from tests.wire import ANSWER, Log, Wire, user_agent


def plain(method: str, uri: str, *, extra: str = "", body: str = "", number: int = 1) -> str:
    """A request outside of dialogs."""
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:peer@example.com>;tag=p\r\nTo: <sip:alice@example.com>\r\nCall-ID: {method}{number}\r\n"
        f"CSeq: 1 {method}\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    )


async def test_dead_server_is_told_at_once() -> None:
    wire = Wire()
    wire.refuse_connections = True
    with pytest.raises(ConnectFailed, match="refused"):
        async with user_agent(wire):
            pass


async def test_events_of_a_life() -> None:
    wire = Wire()
    ua = user_agent(wire, register=True)
    log = Log(ua)
    async with ua:
        assert ua.is_connected()
    assert log.names == [
        "connecting",
        "connected",
        "new_transaction",
        "registered",
        "transaction_destroyed",
        "new_transaction",
        "unregistered",
        "transaction_destroyed",
        "disconnected",
    ]


async def test_can_be_started_again() -> None:
    wire = Wire()
    ua = user_agent(wire, register=True)
    for _ in range(2):
        async with ua:
            assert ua.is_registered()
        assert not ua.is_connected()
    assert wire.connections == 2


async def test_needs_to_be_started() -> None:
    ua = user_agent(Wire())
    with pytest.raises(InvalidStateError):
        ua.call("bob")
    with pytest.raises(InvalidStateError):
        ua.register()
    with pytest.raises(InvalidStateError):
        ua.send_message("bob", "hi")
    with pytest.raises(InvalidStateError):
        await ua.ready()
    await ua.stop()


async def test_request_for_somebody_else_gets_404() -> None:
    wire = Wire()
    async with user_agent(wire):
        wire.put(plain("OPTIONS", "sip:mallory@example.com"))
        await wire.response(404)


@pytest.mark.parametrize("method", ["DANCE", "PUBLISH"])
async def test_method_that_is_not_known_gets_405(method: str) -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.put(plain(method, ua.contact_uri))
        assert "INVITE" in (await wire.response(405)).allow


async def test_bye_outside_of_a_dialog_gets_481() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.put(plain("BYE", ua.contact_uri))
        await wire.response(481)


async def test_extension_that_is_not_known_gets_420() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.put(plain("OPTIONS", ua.contact_uri, extra="Require: teleport, outbound\r\n"))
        assert (await wire.response(420)).headers["Unsupported"] == "teleport"


async def test_scheme_that_is_not_known_gets_416() -> None:
    wire = Wire()
    async with user_agent(wire):
        wire.put(plain("OPTIONS", "nobody:here"))
        await wire.response(416)


async def test_malformed_request_gets_400_and_ends_nothing() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.put(plain("OPTIONS", ua.contact_uri).replace("Content-Length: 0", "Content-Length: 9"))
        wire.put("no SIP at all")
        wire.put(b"\xff\xfe\x00")
        wire.put(plain("OPTIONS", ua.contact_uri, number=2))
        await wire.response(400)
        await wire.response(200)


async def test_merged_request_gets_482() -> None:
    """RFC 3261 §8.2.2.2: the same request by two ways."""
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("new_rtc_session", lambda event: None)
        wire.invite(ua)
        await wire.response(180)
        wire.put(
            f"INVITE {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS peer.invalid;branch=z9hG4bKother\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:peer@example.com>;tag=peer\r\nTo: <sip:alice@example.com>\r\n"
            "Call-ID: c1\r\nCSeq: 1 INVITE\r\nContact: <sip:peer@192.0.2.1>\r\n\r\n"
        )
        await wire.response(482)


async def test_stray_ack_is_absorbed() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.put(plain("ACK", ua.contact_uri))
        await wire.settle()
        assert wire.nothing_sent()


async def test_message_to_us() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        log = Log(ua)
        wire.put(plain("MESSAGE", ua.contact_uri, extra="Content-Type: text/plain\r\n", body="hello"))
        await wire.response(200, "MESSAGE")
        event = log["new_message"]
        assert event.originator == "remote"
        assert (event.message.body, event.message.content_type) == ("hello", "text/plain")
        assert str(event.message.remote_identity.uri) == "sip:peer@example.com"


async def test_message_nobody_reads_gets_480() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.put(plain("MESSAGE", ua.contact_uri, body="x"))
        await wire.response(480)


async def test_message_rejected_and_deferred() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        deferred = []

        @ua.on("new_message")
        def handle(event: NewMessage) -> None:
            if event.message.body == "spam":
                event.message.reject(603, "No")
            else:
                event.message.defer()
                deferred.append(event.message)

        wire.put(plain("MESSAGE", ua.contact_uri, body="spam"))
        assert (await wire.response(603)).phrase == "No"
        wire.put(plain("MESSAGE", ua.contact_uri, body="later", number=2))
        await wire.settle()
        assert wire.nothing_sent()
        deferred[0].accept(extra_headers=["X-Seen: yes"])
        assert (await wire.response(200)).headers["X-Seen"] == "yes"
        with pytest.raises(InvalidStateError):
            deferred[0].accept()


async def test_options_to_us() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        wire.put(plain("OPTIONS", ua.contact_uri))
        ok = await wire.response(200)
        assert "MESSAGE" in ok.allow
        assert "application/sdp" in ok.headers["Accept"]


async def test_message_from_us() -> None:
    wire = Wire()
    async with user_agent(wire, display_name='The "boss"') as ua:
        sent = ua.send_message("bob", "hällo", extra_headers=["X-A: 1"])
        message = await wire.request("MESSAGE")
        assert (message.text, message.headers["Content-Type"]) == ("hällo", "text/plain")
        assert message.from_address.name == 'The "boss"'
        assert "Contact" not in message.headers  # RFC 3428 §4
        wire.reply(message, 202)
        assert (await sent).code == 202
        refused = ua.send_message("bob", "x")
        wire.reply(await wire.request("MESSAGE"), 404)
        with pytest.raises(RequestFailed, match="404") as caught:
            await refused
        assert caught.value.cause is Cause.NOT_FOUND


async def test_options_from_us() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        sent = ua.send_options("bob")
        options = await wire.request("OPTIONS")
        assert options.headers["Accept"] == "application/sdp"
        wire.reply(options, 200)
        assert (await sent).code == 200
        with pytest.raises(RequestTimeout):
            await ua.send_options("bob")


async def test_requests_under_way_fail_with_the_connection() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        sent = ua.send_message("bob", "x")
        await wire.request("MESSAGE")
        wire.cut()
        with pytest.raises(RequestFailed) as caught:
            await sent
        assert caught.value.cause is Cause.CONNECTION_ERROR


async def test_a_server_that_keeps_asking_is_given_up() -> None:
    wire = Wire()
    async with user_agent(wire, password="x") as ua:
        sent = asyncio.ensure_future(ua.send_options("bob"))
        tries = 0
        while not sent.done():
            tries += 1
            challenge = (("WWW-Authenticate", f'Digest realm="r", nonce="n{tries}", qop="auth"'),)
            wire.reply(await wire.request("OPTIONS"), 401, challenge)
            await wire.settle()
        assert tries <= 6
        with pytest.raises(RequestFailed, match="401"):
            await sent


async def test_407_then_401_are_both_answered() -> None:
    wire = Wire()
    async with user_agent(wire, password="x") as ua:
        sent = ua.send_options("bob")
        wire.reply(
            await wire.request("OPTIONS"), 407, (("Proxy-Authenticate", 'Digest realm="p", nonce="1"'),)
        )
        wire.reply(await wire.request("OPTIONS"), 401, (("WWW-Authenticate", 'Digest realm="s", nonce="2"'),))
        third = await wire.request("OPTIONS")
        assert "Authorization" in third.headers
        assert "Proxy-Authorization" in third.headers
        wire.reply(third, 200)
        assert (await sent).code == 200


async def test_trace_shows_both_directions() -> None:
    wire = Wire()
    seen: list[tuple[str, str]] = []
    async with user_agent(wire) as ua:
        ua.trace(lambda direction, data: seen.append((direction, str(data).split(" ")[0])))
        wire.put(plain("OPTIONS", ua.contact_uri))
        await wire.settle()
    assert seen == [("in", "OPTIONS"), ("out", "SIP/2.0")]


async def test_nothing_is_left_after_many_calls() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        for _ in range(50):
            call = ua.call("bob")
            invite = await wire.request("INVITE")
            wire.reply(invite, 180)
            wire.reply(invite, 200, sdp="")
            await wire.request("ACK")
            wire.reply(await wire.request("BYE"), 200)
            await call.wait_ended()
        await wire.settle(40)
        assert set(ua.counts().values()) == {0}


async def test_coroutines_may_refuse_a_message() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:

        @ua.on("new_message")
        async def refuse(event: NewMessage) -> None:
            await asyncio.sleep(1)
            event.message.reject(403)

        wire.put(plain("MESSAGE", ua.contact_uri, body="x"))
        await wire.response(403)


async def test_message_in_a_call_is_for_the_application() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        log = Log(ua)
        call = ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        await call.wait_confirmed()
        wire.from_callee("MESSAGE", invite, extra="Content-Type: text/plain\r\n", body="psst")
        await wire.response(200, "MESSAGE")
        assert log["new_message"].message.body == "psst"


async def test_stop_comes_to_its_end_whoever_is_cancelled() -> None:
    wire = Wire()
    ua = user_agent(wire)
    async with ua:
        ua.on("new_rtc_session", lambda event: None)
        ua.call("bob")
        invite = await wire.request("INVITE")
        wire.reply(invite, 180)
        await wire.settle()
        stopping = asyncio.ensure_future(ua.stop())
        await wire.request("CANCEL")
        stopping.cancel()
        await wire.settle()
        for forbidden in (ua.start, lambda: ua.call("bob"), lambda: ua.send_message("bob", "x")):
            with pytest.raises(InvalidStateError, match="stopping"):
                forbidden()
        wire.invite(ua, call_id="late")
        await wire.response(480)
        await ua.stop()
        assert not ua.is_connected()
        ua.start()
        await ua.ready()


async def test_plain_handlers_may_return_what_is_awaitable(caplog: pytest.LogCaptureFixture) -> None:
    """Such as the documented ``lambda event: event.session.answer()``, also when that comes to nothing."""
    wire = Wire()
    async with user_agent(wire) as ua:
        ua.on("new_rtc_session", lambda event: event.session.answer())
        wire.invite(ua)
        wire.in_dialog("BYE", await wire.response(200))
        await wire.response(200, "BYE")
        await wire.settle(1)
        assert "raised" not in caplog.text


async def test_handler_that_is_cancelled_leaves_nobody_waiting() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:

        async def cancelled(event: NewMessage) -> None:
            raise asyncio.CancelledError

        ua.on("new_message", cancelled)
        wire.put(plain("MESSAGE", ua.contact_uri, body="x"))
        await wire.response(200, "MESSAGE")
