"""Registration on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sipua import UA, Cause, RegistrationFailed, RegistrationUnauthorized
from sipua.sip import Request
from tests.wire import Log, Wire, user_agent


@contextlib.asynccontextmanager
async def registering(wire: Wire, **options: Any) -> AsyncIterator[UA]:
    """A user agent whose REGISTERs the test answers; not started yet."""
    wire.answer_registers = False
    ua = user_agent(wire, register=True, instance_id="f81d4fae-7dec-11d0-a765-00a0c91e6bf6", **options)
    try:
        yield ua
    finally:
        await ua.stop()


def grant(
    wire: Wire, request: Request, expires: int = 600, *headers: tuple[str, str], params: str = ""
) -> None:
    contact = request.headers["Contact"].rpartition(";expires=")[0]
    wire.reply(request, 200, (("Contact", f"{contact};expires={expires}{params}"), *headers))


async def unregister(wire: Wire, ua: UA) -> None:
    stopping = asyncio.ensure_future(ua.stop())
    request = await wire.request("REGISTER")
    assert request.headers["Expires"] == "0"
    wire.reply(request, 200)
    await stopping


async def test_register_refresh_unregister() -> None:
    """RFC 3665 §2.1, §2.2, §2.4."""
    wire = Wire()
    async with registering(wire) as ua:
        log = Log(ua)
        ua.off("registration_expiring", ua._handlers["registration_expiring"][0][0])
        ua.start()
        first = await wire.request("REGISTER")
        assert str(first.uri) == "sip:example.com"
        assert first.headers["Contact"] == (
            f'<{ua.contact_uri}>;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";reg-id=1;expires=600'
        )
        assert set(first.supported) >= {"path", "gruu", "outbound"}
        grant(wire, first, 600)
        await ua.ready()
        assert ua.is_registered()
        start = ua.loop.time()
        second = await wire.request("REGISTER")
        assert 300 <= ua.loop.time() - start <= 568
        assert second.call_id == first.call_id
        assert second.cseq.sequence == first.cseq.sequence + 1
        grant(wire, second)
        await wire.settle()
        await unregister(wire, ua)
        assert not ua.is_registered()
        assert [name for name in log.names if name.endswith("registered")] == [
            "registered",
            "registered",
            "unregistered",
        ]


async def test_short_lifetimes_are_refreshed_in_time() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        grant(wire, await wire.request("REGISTER"), 20)
        start = ua.loop.time()
        await wire.request("REGISTER")
        assert 10 <= ua.loop.time() - start <= 15


async def test_application_that_refreshes_itself() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.on("registration_expiring", lambda event: ua.register())
        ua.start()
        grant(wire, await wire.request("REGISTER"), 600)
        start = ua.loop.time()
        await wire.request("REGISTER")
        assert ua.loop.time() - start == pytest.approx(595)


async def test_401_is_answered() -> None:
    wire = Wire()
    async with registering(wire, password="secret", authorization_user="alice-login") as ua:
        ua.start()
        wire.reply(
            await wire.request("REGISTER"),
            401,
            (("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),),
        )
        again = await wire.request("REGISTER")
        assert 'username="alice-login"' in again.headers["Authorization"]
        assert "secret" not in str(again)
        grant(wire, again)
        await ua.ready()


async def test_wrong_password_is_told_and_not_tried_for_ever() -> None:
    wire = Wire()
    async with registering(wire, password="wrong") as ua:
        ua.start()
        challenge = (("WWW-Authenticate", 'Digest realm="r", nonce="{}", qop="auth"'),)
        for number in range(2):
            request = await wire.request("REGISTER")
            wire.reply(request, 401, tuple((name, value.format(number)) for name, value in challenge))
        with pytest.raises(RegistrationUnauthorized, match="401"):
            await ua.ready()
        await wire.settle(3600)
        assert wire.nothing_sent()


async def test_interval_too_brief() -> None:
    """RFC 3261 §10.2.8: 423 with Min-Expires."""
    wire = Wire()
    async with registering(wire, register_expires=60) as ua:
        ua.start()
        wire.reply(await wire.request("REGISTER"), 423, (("Min-Expires", "1800"),))
        again = await wire.request("REGISTER")
        assert again.headers["Expires"] == "1800"
        grant(wire, again, 1800)
        await ua.ready()


async def test_503_with_retry_after() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        log = Log(ua)
        ua.start()
        wire.reply(await wire.request("REGISTER"), 503, (("Retry-After", "45"),))
        with pytest.raises(RegistrationFailed, match="503"):
            await ua.ready()
        assert log["registration_failed"].retry_after == 45
        start = ua.loop.time()
        again = await wire.request("REGISTER")
        assert ua.loop.time() - start == pytest.approx(45)
        grant(wire, again)
        await wire.settle()
        assert ua.is_registered()


async def test_timeouts_back_off() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        times = []
        for _ in range(4):
            await wire.request("REGISTER")
            times.append(ua.loop.time())
        gaps = [later - earlier - 32 for earlier, later in itertools.pairwise(times)]
        for gap, ceiling in zip(gaps, (30, 60, 120), strict=True):
            assert ceiling / 2 <= gap <= ceiling


async def test_lasting_refusal_waits_for_the_application() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        wire.reply(await wire.request("REGISTER"), 403)
        with pytest.raises(RegistrationFailed, match="403"):
            await ua.ready()
        await wire.settle(7200)
        assert wire.nothing_sent()
        done = ua.register()
        grant(wire, await wire.request("REGISTER"))
        await done


async def test_200_without_our_binding_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire()
    async with registering(wire) as ua:
        log = Log(ua)
        ua.start()
        wire.reply(
            await wire.request("REGISTER"), 200, (("Contact", "<sip:somebody@else.invalid>;expires=60"),)
        )
        with pytest.raises(RegistrationFailed):
            await ua.ready()
        assert not ua.is_registered()
        assert log["registration_failed"].response.code == 200
        assert "without our binding" in caplog.text


async def test_registers_anew_after_a_reconnection() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        log = Log(ua)
        ua.start()
        grant(wire, await wire.request("REGISTER"))
        await wire.settle()
        wire.cut()
        await wire.settle()
        assert not ua.is_registered()
        assert log["unregistered"].cause is Cause.CONNECTION_ERROR
        grant(wire, await wire.request("REGISTER"))
        await wire.settle()
        assert ua.is_registered()


async def test_all_bindings_are_removed() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        grant(wire, await wire.request("REGISTER"))
        await wire.settle()
        done = ua.unregister(all=True)
        request = await wire.request("REGISTER")
        assert (request.headers["Contact"], request.headers["Expires"]) == ("*", "0")
        wire.reply(request, 200)
        await done
        assert not ua.is_registered()


async def test_gruu_service_route_and_path_are_used() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        gruus = ';pub-gruu="sip:alice@example.com;gr=urn:uuid:x";temp-gruu="sip:tgruu.7@example.com;gr"'
        route = ("Service-Route", "<sip:edge.example.com;lr>")
        path = ("Path", "<sip:edge.example.com;lr;ob>")
        grant(wire, await wire.request("REGISTER"), 600, route, path, params=gruus)
        await ua.ready()
        ua.call("bob")
        invite = await wire.request("INVITE")
        assert invite.headers["Contact"] == "<sip:alice@example.com;gr=urn:uuid:x>"
        assert invite.headers["Route"] == "<sip:edge.example.com;lr>"
        ua.call("bob", anonymous=True)
        assert (await wire.request("INVITE")).headers["Contact"] == "<sip:tgruu.7@example.com;gr>"
        assert ua.registrator().path == ("<sip:edge.example.com;lr;ob>",)
        wire.put(
            "OPTIONS sip:tgruu.7@example.com;gr SIP/2.0\r\nVia: SIP/2.0/WS p.invalid;branch=z9hG4bKo\r\n"
            "From: <sip:p@x.example>;tag=p\r\nTo: <sip:alice@example.com>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
        await wire.response(200, "OPTIONS")


async def test_extra_headers_contact_parameters_and_tag_trail() -> None:
    wire = Wire()
    async with registering(wire, extra_headers={"X-Tenant": "t1"}, register_from_tag_trail=";x=1") as ua:
        ua.start()
        first = await wire.request("REGISTER")
        assert first.headers["X-Tenant"] == "t1"
        assert first.headers["From"].endswith(";x=1")
        grant(wire, first)
        await wire.settle()
        ua.set_extra_headers(["X-Tenant: t2"])
        ua.set_extra_contact_params({"pn-provider": "acme", "flag": None})
        ua.register()
        second = await wire.request("REGISTER")
        assert second.headers["X-Tenant"] == "t2"
        assert ";pn-provider=acme;flag;expires=600" in second.headers["Contact"]


async def test_register_while_one_is_under_way_waits() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        first = await wire.request("REGISTER")
        ua.register()
        await wire.settle()
        assert wire.nothing_sent()
        grant(wire, first)
        grant(wire, await wire.request("REGISTER"))
        await wire.settle()
        assert ua.is_registered()


async def test_expired_binding_is_told() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        log = Log(ua)
        ua.start()
        grant(wire, await wire.request("REGISTER"), 60)
        await wire.settle(59)
        assert ua.is_registered()
        await wire.settle(2)
        assert not ua.is_registered()
        assert log["unregistered"].cause is Cause.EXPIRES


async def test_binding_is_recognised_without_its_instance() -> None:
    """Asterisk lists contacts without +sip.instance and with ``transport=WS``."""
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        request = await wire.request("REGISTER")
        contact = ua.contact_uri.replace("transport=ws", "transport=WS")
        wire.reply(request, 200, (("Contact", f"<{contact}>;expires=59"),))
        await ua.ready()
        assert ua.is_registered()


async def test_answers_that_are_not_legible_are_failures_not_accidents(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        wire.reply(await wire.request("REGISTER"), 200, (("Contact", "<<>;;"),))
        with pytest.raises(RegistrationFailed):
            await ua.ready()
        wire.reply(await wire.request("REGISTER"), 503, (("Retry-After", "soon"),))
        wire.reply(await wire.request("REGISTER"), 423, (("Min-Expires", "long"),))
        grant(wire, await wire.request("REGISTER"))
        await wire.settle()
        assert ua.is_registered()
        assert "Traceback" not in caplog.text
