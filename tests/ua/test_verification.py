"""Signed identity in calls: what the caller's user agent sends, and what the called one makes of it."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import pytest

from sipua import (
    UA,
    CallRejected,
    ConfigurationError,
    IdentityCheck,
    IdentitySigner,
    IdentityStatus,
    IdentityVerifier,
    SignallingOnlyMedia,
)
from sipua.passport import token
from sipua.session.negotiation import sdp_of
from sipua.sip import URI, Request
from sipua.testing import MemoryNetwork
from tests.passport.authority import NOW, Holder, domain
from tests.server.client import ACCOUNTS, running
from tests.wire import ANSWER, OFFER, Log, Wire, user_agent

URL = "https://certs.example.com/alice.pem"
ROOT = Holder("root", ca=True)
ALICE = Holder("example.com", domain("example.com"), issuer=ROOT)


def signer(**options: Any) -> IdentitySigner:
    return IdentitySigner(ALICE.key_pem, URL, clock=lambda: NOW, **options)


def verifier(source: Any = lambda url: ALICE.pem, **options: Any) -> IdentityVerifier:
    return IdentityVerifier(ROOT.pem, source, clock=lambda: NOW, **options)


def incoming_headers(**options: Any) -> str:
    """Date and Identity of an INVITE of `Wire.invite`."""
    request = Request("INVITE", URI.parse("sip:alice@example.com"))
    request.headers.add("From", "<sip:peer@example.com>;tag=peer")
    request.headers.add("To", "<sip:alice@example.com>")
    return "".join(f"{name}: {value}\r\n" for name, value in signer(**options).sign(request, OFFER))


# --- a whole call ----------------------------------------------------------------------------------------


async def test_call_from_end_to_end() -> None:
    """Through a registrar and proxy; both challenge nothing away, and the fingerprints are those of the offer."""
    async with running() as server:

        def agent(name: str, **options: Any) -> UA:
            return UA(
                f"sip:{name}@example.com",
                sockets=server.connector(),
                password=ACCOUNTS[name],
                media=SignallingOnlyMedia,
                **options,
            )

        checks: list[IdentityCheck] = []
        async with (
            agent("alice", identity_signer=signer()) as alice,
            agent("bob", identity_verifier=verifier(policy="require")) as bob,
        ):

            def on_call(event: Any) -> None:
                checks.append(event.session.remote_identity_check)
                event.session.answer()

            bob.on("new_rtc_session", on_call)
            async with alice.call("bob") as call:
                assert call.remote_identity_check.status is IdentityStatus.NONE
                offered = sdp_of(call.request)
            with pytest.raises(CallRejected) as caught:
                await alice.call("bob", identity_signer=False).wait_confirmed()
            assert (caught.value.status_code, len(checks)) == (428, 1)
        (check,) = checks
        assert check.is_valid
        assert check.covers_media
        assert check.claims is not None
        assert check.claims.orig.value == "sip:alice@example.com"
        assert check.claims.fingerprints == token.fingerprints_of(offered)
        assert check.certificate_subject == "CN=example.com"


# --- the caller ------------------------------------------------------------------------------------------


async def test_what_goes_out_is_signed_as_it_goes_out() -> None:
    """Also what a handler changed, and anew with each INVITE."""
    times = iter(range(NOW, NOW + 10))
    wire = Wire()
    async with user_agent(
        wire, identity_signer=IdentitySigner(ALICE.key_pem, URL, clock=lambda: next(times))
    ) as ua:
        call = ua.call("bob")
        call.on("sdp", lambda event: setattr(event, "sdp", event.sdp.replace("sha-256 ", "sha-256 AB:")))
        invite = await wire.request("INVITE")
        passport = token.parse(str(invite.headers["Identity"]).partition(";")[0])
        assert passport.claims.iat == NOW
        assert passport.claims.fingerprints[0].dig.startswith("AB")
        assert invite.date == datetime.datetime.fromtimestamp(NOW, datetime.UTC)
        wire.reply(invite, 422, (("Min-SE", "3600"),))
        await wire.request("ACK")
        again = await wire.request("INVITE")
        assert len(again.headers.getlist("Identity")) == len(again.headers.getlist("Date")) == 1
        assert token.parse(str(again.headers["Identity"]).partition(";")[0]).claims.iat == NOW + 1
        wire.reply(again, 200, sdp=ANSWER)
        await wire.request("ACK")
        call.terminate()
        wire.reply(await wire.request("BYE"), 200)


async def test_late_offer_has_no_fingerprints_to_sign() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        call = ua.call("bob", late_offer=True, identity_signer=signer(compact=True))
        invite = await wire.request("INVITE")
        assert str(invite.headers["Identity"]).startswith("..")
        call.terminate()
        wire.reply(invite, 487)
        await wire.request("ACK")


async def test_compact_form_that_does_not_arrive_as_it_was_is_followed_by_the_full_one() -> None:
    """RFC 8224 §6.1.1: once."""
    wire = Wire()
    async with user_agent(wire, identity_signer=signer(compact=True)) as ua:
        call = ua.call("bob")
        first = await wire.request("INVITE")
        assert str(first.headers["Identity"]).startswith("..")
        wire.reply(first, 438)
        await wire.request("ACK")
        second = await wire.request("INVITE")
        assert second.cseq.sequence == first.cseq.sequence + 1
        assert token.parse(str(second.headers["Identity"]).partition(";")[0]).claims.iat == NOW
        wire.reply(second, 438)
        await wire.request("ACK")
        with pytest.raises(CallRejected) as caught:
            await call.wait_confirmed()
        assert caught.value.status_code == 438


async def test_anonymous_calls_are_not_signed() -> None:
    wire = Wire()
    async with user_agent(wire, identity_signer=signer()) as ua:
        call = ua.call("bob", anonymous=True)
        invite = await wire.request("INVITE")
        assert "Identity" not in invite.headers
        call.terminate()
        wire.reply(invite, 487)
        await wire.request("ACK")


# --- the called ------------------------------------------------------------------------------------------


async def test_incoming_call() -> None:
    wire = Wire()
    async with user_agent(wire, identity_verifier=verifier()) as ua:
        calls: list[Any] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua, extra=incoming_headers())
        await wire.response(180)
        assert calls[0].remote_identity_check.covers_media
        calls[0].terminate()
        await wire.response(480)
        wire.invite(ua, call_id="c2")
        await wire.response(180)
        assert calls[1].remote_identity_check.status is IdentityStatus.NONE
        calls[1].terminate()
        await wire.response(480)


async def test_without_verifier_nobody_looks() -> None:
    wire = Wire()
    async with user_agent(wire) as ua:
        calls: list[Any] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua, extra=incoming_headers())
        await wire.response(180)
        check = calls[0].remote_identity_check
        assert (check.status, check.reason) == (IdentityStatus.UNVERIFIABLE, "no certificate source")
        calls[0].terminate()
        await wire.response(480)


@pytest.mark.parametrize(
    ("policy", "headers", "code", "phrase"),
    [
        ("require", "", 428, "Use Identity Header"),
        (
            "reject",
            incoming_headers().replace("Date", "X-Date").replace("alg=ES256", "alg=RS256"),
            437,
            "Unsup",
        ),
        ("reject", "Identity: rubbish\r\n", 438, "Invalid Identity Header"),
    ],
)
async def test_calls_that_are_refused(policy: Any, headers: str, code: int, phrase: str) -> None:
    wire = Wire()
    async with user_agent(wire, identity_verifier=verifier(policy=policy)) as ua:
        log = Log(ua)
        wire.invite(ua, extra=headers)
        response = await wire.response(code)
        assert response.phrase.startswith(phrase)
        await wire.settle()
        assert "new_rtc_session" not in log.names
        assert ua.sessions == frozenset()


async def slow(url: str) -> bytes:
    await asyncio.sleep(2)
    return ALICE.pem


async def test_the_caller_gives_up_during_the_check() -> None:
    wire = Wire()
    async with user_agent(wire, identity_verifier=verifier(slow)) as ua:
        log = Log(ua)
        wire.invite(ua, extra=incoming_headers())
        await wire.response(100)
        wire.put(
            f"CANCEL {ua.contact_uri} SIP/2.0\r\nVia: SIP/2.0/WS peer.invalid;branch=z9hG4bKc1INVITE\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:peer@example.com>;tag=peer\r\nTo: <{ua.configuration.uri}>\r\n"
            "Call-ID: c1\r\nCSeq: 1 CANCEL\r\n\r\n"
        )
        await wire.response(200, "CANCEL")
        await wire.response(487, "INVITE")
        await wire.settle(5)
        assert "new_rtc_session" not in log.names
        assert ua.counts()["tasks"] == 0


async def test_the_user_agent_stops_during_the_check() -> None:
    wire = Wire()
    async with user_agent(wire, identity_verifier=verifier(slow)) as ua:
        log = Log(ua)
        wire.invite(ua, extra=incoming_headers())
        await wire.response(100)
    await wire.response(480)
    assert "new_rtc_session" not in log.names


class Broken:
    async def verify(self, request: Any, sdp: str) -> IdentityCheck:
        raise OSError("no way")

    def refusal(self, check: IdentityCheck) -> None:
        return None


async def test_verifier_that_raises_leaves_it_open() -> None:
    wire = Wire()
    async with user_agent(wire, identity_verifier=Broken()) as ua:
        calls: list[Any] = []
        ua.on("new_rtc_session", lambda event: calls.append(event.session))
        wire.invite(ua, extra=incoming_headers())
        await wire.response(180)
        check = calls[0].remote_identity_check
        assert (check.status, check.reason) == (IdentityStatus.UNVERIFIABLE, "no way")
        calls[0].terminate()
        await wire.response(480)


async def test_replacing_invite_is_checked_first() -> None:
    wire = Wire()
    async with user_agent(wire, identity_verifier=verifier(slow)) as ua:
        old = ua.call("bob")
        old.on("replaces", lambda event: event.accept())
        invite = await wire.request("INVITE")
        wire.reply(invite, 200, sdp=ANSWER)
        await wire.request("ACK")
        wanted = f"Replaces: {invite.call_id};to-tag={invite.from_tag};from-tag=peer\r\n"
        wire.invite(ua, extra=wanted + incoming_headers())
        await wire.response(100)
        old.terminate()
        wire.reply(await wire.request("BYE"), 200)
        await wire.response(603)


async def test_configuration() -> None:
    network = MemoryNetwork()
    for key, value in (("identity_signer", "key.pem"), ("identity_verifier", object())):
        with pytest.raises(ConfigurationError, match=key):
            UA("sip:a@example.com", sockets=network.connector("ws://a.invalid/"), **{key: value})  # type: ignore[misc]
    async with user_agent(Wire()) as ua:
        with pytest.raises(ConfigurationError, match="identity_signer"):
            ua.call("bob", identity_signer="key.pem")  # type: ignore[arg-type]
