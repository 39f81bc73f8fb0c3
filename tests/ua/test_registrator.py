"""Registration on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sipua import (
    UA,
    Cause,
    ConfigurationError,
    InvalidHeaderError,
    RegistrationFailed,
    RegistrationUnauthorized,
)
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


# --- what must not stop it, and what it must not be driven to ---------------------------------------------


@pytest.mark.parametrize("broken", [";x\r\ny", 5, RuntimeError("no token"), KeyError("k")])
async def test_a_trail_that_fails_is_told_and_tried_again(
    broken: object, caplog: pytest.LogCaptureFixture
) -> None:
    trails = [broken, ";x=1"]

    def trail() -> Any:
        if isinstance(made := trails.pop(0), Exception):
            raise made
        return made

    wire = Wire()
    async with registering(wire, register_from_tag_trail=trail) as ua:
        log = Log(ua)
        ua.start()
        with pytest.raises(Exception, match=r"x|register_from_tag_trail|no token|k"):
            await ua.ready()
        assert wire.nothing_sent()
        assert log["registration_failed"].cause is Cause.INTERNAL_ERROR
        assert "could not be sent" in caplog.text
        start = ua.loop.time()
        request = await wire.request("REGISTER")
        assert 15 <= ua.loop.time() - start <= 30
        grant(wire, request)
        await wire.settle()
        assert ua.is_registered()


async def test_a_trail_that_fails_does_not_hold_up_what_is_asked_for_next() -> None:
    trails: list[Any] = [";a", None, ";c"]
    wire = Wire()
    async with registering(wire, register_from_tag_trail=lambda: trails.pop(0)) as ua:
        ua.start()
        grant(wire, await wire.request("REGISTER"))
        await ua.ready()
        refresh, removal = ua.register(), ua.unregister()
        with pytest.raises(ConfigurationError, match="register_from_tag_trail=None"):
            await refresh
        request = await wire.request("REGISTER")
        assert request.headers["Expires"] == "0"
        wire.reply(request, 200)
        await removal


@pytest.mark.parametrize("params", [";expires=" + "9" * 5000, ";expires=", ";expires=-1", ";expires=1e3"])
async def test_lifetimes_that_are_no_number_count_for_nothing(params: str) -> None:
    wire = Wire()
    async with registering(wire) as ua:
        log = Log(ua)
        ua.start()
        contact = f"<{ua.contact_uri}>{params}"
        wire.reply(await wire.request("REGISTER"), 200, (("Contact", contact), ("Expires", "300")))
        await ua.ready()
        assert log["registered"].expires == 300
        await unregister(wire, ua)


async def test_an_accident_with_an_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        with monkeypatch.context() as patch:
            patch.setattr(ua.registrator(), "_our_binding", lambda response: 1 / 0)
            grant(wire, await wire.request("REGISTER"))
            with pytest.raises(ZeroDivisionError):
                await ua.ready()
        grant(wire, await wire.request("REGISTER"))
        await wire.settle()
        assert ua.is_registered()


@pytest.mark.parametrize(
    "params",
    [
        {"a\r\nb": "1"},
        {"a b": None},
        {"": "1"},
        {5: "1"},
        ["flag"],
        {"a": "1\r\nVia: x"},
        {"a": "\x01"},
        {"a": "\u2028"},
        {"a": 5},
        {"expires": "0"},
        {"Reg-ID": "2"},
        {"+sip.instance": "x"},
    ],
)
async def test_contact_parameters_are_checked_at_once(params: Any) -> None:
    wire = Wire()
    async with user_agent(wire, register=True) as ua:
        ua.set_extra_contact_params({"q": "0.5", "app": "a;b", "said": '"x y"'})
        with pytest.raises(InvalidHeaderError):
            ua.set_extra_contact_params(params)
        wire.answer_registers = False
        done = ua.register()
        request = await wire.request("REGISTER")
        assert ';q=0.5;app="a;b";said="x y";expires=600' in request.headers["Contact"]
        grant(wire, request)
        await done
        wire.answer_registers = True


async def test_headers_of_the_stack_cannot_be_set_for_register() -> None:
    async with user_agent(Wire(), register=True) as ua:
        for headers in (["m: <sip:x@y.example>"], ["t: <sip:x@y.example>"], [5]):
            with pytest.raises(InvalidHeaderError):
                ua.set_extra_headers(headers)  # type: ignore[arg-type]
            with pytest.raises(InvalidHeaderError):
                ua.registrator().set_extra_headers(headers)  # type: ignore[arg-type]


async def test_a_binding_of_no_seconds_is_none_and_not_asked_for_all_the_time() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        log = Log(ua)
        ua.start()
        times = []
        for _ in range(4):
            grant(wire, await wire.request("REGISTER"), 0)
            times.append(ua.loop.time())
        await wire.settle()
        assert not ua.is_registered()
        assert log.names.count("registration_failed") == 4
        for gap, ceiling in zip((b - a for a, b in itertools.pairwise(times)), (30, 60, 120), strict=True):
            assert ceiling / 2 <= gap <= ceiling


async def test_an_interval_that_is_never_long_enough() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        start = ua.loop.time()
        for seconds in (1000, 2000, 3000):
            wire.reply(await wire.request("REGISTER"), 423, (("Min-Expires", str(seconds)),))
        assert ua.loop.time() == pytest.approx(start, abs=1)
        with pytest.raises(RegistrationFailed, match="423"):
            await ua.ready()
        again = await wire.request("REGISTER")
        assert ua.loop.time() - start >= 15
        assert again.headers["Expires"] == "600"


async def test_503_that_may_be_asked_again_at_once_is_not() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        times = []
        for _ in range(5):
            wire.reply(await wire.request("REGISTER"), 503, (("Retry-After", "0"),))
            times.append(ua.loop.time())
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps[0] == pytest.approx(5)
        for gap, ceiling in zip(gaps[1:], (60, 120, 240), strict=True):
            assert ceiling / 2 <= gap <= ceiling


@pytest.mark.parametrize("by_itself", [True, False])
async def test_tiny_lifetimes_are_no_storm(by_itself: bool) -> None:
    wire = Wire()
    async with registering(wire) as ua:
        if not by_itself:
            ua.on("registration_expiring", lambda event: ua.register())
        ua.start()
        times = []
        for _ in range(10):
            grant(wire, await wire.request("REGISTER"), 1)
            times.append(ua.loop.time())
        assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(times))


async def test_all_bindings_are_removed_after_the_register_under_way() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        first = await wire.request("REGISTER")
        removal = ua.unregister(all=True)
        assert ua.unregister(all=True) is removal
        await wire.settle(1)
        assert wire.nothing_sent()
        grant(wire, first)
        await ua.ready()
        request = await wire.request("REGISTER")
        assert (request.headers["Contact"], request.headers["Expires"]) == ("*", "0")
        await wire.settle(1)
        assert not removal.done()
        wire.reply(request, 200)
        await removal
        assert not ua.is_registered()
        await wire.settle(3600)
        assert wire.nothing_sent()


async def test_everything_asked_for_is_done_in_order_with_its_own_end() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        grant(wire, await wire.request("REGISTER"))
        await ua.ready()
        asked = [ua.register(), ua.unregister(), ua.unregister(all=True), ua.register()]
        ends = []
        for done in asked:
            done.add_done_callback(lambda done: ends.append(asked.index(done)))
        sent = []
        for code in (200, 500, 200, 403):
            request = await wire.request("REGISTER")
            sent.append((request.headers["Contact"] == "*", request.headers["Expires"]))
            if code == 200 and request.headers["Expires"] != "0":
                grant(wire, request)
            else:
                wire.reply(request, code)
        assert sent == [(False, "600"), (False, "0"), (True, "0"), (False, "600")]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert ends == [0, 1, 2, 3]
        assert [getattr(result, "status_code", None) for result in results] == [None, 500, None, 403]


async def test_stopping_during_a_refresh_waits_for_the_removal() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        grant(wire, await wire.request("REGISTER"))
        await ua.ready()
        ua.register()
        refresh = await wire.request("REGISTER")
        stopping = asyncio.ensure_future(ua.stop())
        await wire.settle(1)
        grant(wire, refresh)
        removal = await wire.request("REGISTER")
        assert removal.headers["Expires"] == "0"
        await wire.settle(1)
        assert not stopping.done()
        wire.reply(removal, 200)
        await stopping


async def test_a_lost_connection_ends_everything_asked_for() -> None:
    wire = Wire()
    async with registering(wire) as ua:
        ua.start()
        await wire.request("REGISTER")
        asked = [ua.unregister(), ua.register()]
        wire.cut()
        removed, registered = await asyncio.gather(*asked, return_exceptions=True)
        assert removed is None  # the binding went with the connection
        assert isinstance(registered, RegistrationFailed)
        assert registered.cause is Cause.CONNECTION_ERROR
        grant(wire, await wire.request("REGISTER"))
        await wire.settle()
        assert ua.is_registered()
