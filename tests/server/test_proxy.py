"""The proxy, by messages: what is forwarded, to whom, and what is refused (RFC 3261 section 16)."""

from __future__ import annotations

import pytest

from tests.server.client import SDP, Client, connected, running

BOB = "sip:bob@example.com"


# --- exactness --------------------------------------------------------------------------------------------------------


async def test_requests_and_responses_pass_to_the_letter() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        # Leaves a nonce for the request written by hand.
        await alice.ask("MESSAGE", BOB)
        bob.reply(await bob.request("MESSAGE"), 200)
        await alice.response(200)
        fields = (
            "v: SIP/2.0/WS behind.invalid:5099;branch=z9hG4bK%!;received=[2001:db8::1];rport=7\r\n"
            'f: "Alic\\e, \\"A\\"" <sip:alice@example.com;x=y>;tag=a;day=monday\r\n'
            "t: <sip:bob@example.com>\r\n"
            "i: exact@1\r\n"
            "CSEQ:   7    MESSAGE\r\n"
            'm: <sip:alice@alice.invalid;transport=ws;ob>;+sip.instance="<urn:uuid:0-0>";q=.5\r\n'
            'Authorization: Digest username="a", realm="elsewhere", nonce="n", uri="sip:x", response="r"\r\n'
            "X-Folded: one\r\n two\r\n"
            "X-Bytes: gr\u00fc\u00dfe \u20ac\r\n"
            "subject:no space\r\n"
            "Record-Route: <sip:foreign.example;lr>\r\n"
            "l: 4\r\n"
            "\r\n"
            "body"
        )
        request = alice.build("MESSAGE", BOB, sequence=7)
        assert alice.digest.preload(request)
        credentials = request.headers["Proxy-Authorization"]
        alice.put(
            "MESSAGE sip:bob@example.com SIP/2.0\r\n"
            "Via: SIP/2.0/WS alice.invalid;branch=z9hG4bK!%*x;rport\r\n"
            f"Proxy-Authorization: {credentials}\r\n"
            f"Max-Forwards: 9\r\n{fields}"
        )
        via = (await bob.request("MESSAGE")).headers["Via"]
        assert bob.raw[-1] == (
            "MESSAGE sip:bob@bob.invalid;transport=ws SIP/2.0\r\n"
            f"Via: {via}\r\n"
            "Via: SIP/2.0/WS alice.invalid;branch=z9hG4bK!%*x;rport\r\n"
            f"Max-Forwards: 8\r\n{fields}"
        )
        assert via.startswith("SIP/2.0/WS example.com;branch=z9hG4bK")

        answer = (
            "Via: SIP/2.0/WS alice.invalid;branch=z9hG4bK!%*x;rport\r\n"
            "v: SIP/2.0/WS behind.invalid:5099;branch=z9hG4bK%!;received=[2001:db8::1];rport=7\r\n"
            "f: <sip:alice@example.com>;tag=a\r\n"
            't: <sip:bob@example.com>;tag=b;x="y z"\r\n'
            "i: exact@1\r\n"
            "CSeq: 7 MESSAGE\r\n"
            "x-unknown : kept\r\n"
            "l: 2\r\n"
            "\r\n"
            "ok"
        )
        bob.put(f"SIP/2.0 202 Will Do, Perhaps\r\nVia: {via}\r\n{answer}")
        await alice.response(202)
        assert alice.raw[-1] == f"SIP/2.0 202 Will Do, Perhaps\r\n{answer}"


async def test_several_vias_in_one_line() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("MESSAGE", BOB)
        message = await bob.request("MESSAGE")
        vias = message.headers.getlist("Via")
        bob.put(
            f"SIP/2.0 200 OK\r\nVia: {', '.join(vias)}\r\nFrom: {message.headers['From']}\r\n"
            f"To: {message.headers['To']};tag=b\r\nCall-ID: {message.call_id}\r\n"
            f"CSeq: {message.headers['CSeq']}\r\n\r\n"
        )
        assert (await alice.response(200)).headers.getlist("Via") == vias[1:]


async def test_max_forwards_is_added_when_there_is_none() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        request = alice.build("MESSAGE", BOB)
        request.headers.remove("Max-Forwards")
        await alice.answer_challenge(request)
        assert (await bob.request("MESSAGE")).max_forwards == 70


# --- a call, both ways ------------------------------------------------------------------------------------------------


async def test_a_call_from_invite_to_bye() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        assert str(invite.uri) == "sip:bob@bob.invalid;transport=ws"
        assert invite.body == SDP.encode()
        assert "Proxy-Authorization" not in invite.headers
        (route,) = invite.record_route
        assert route.uri.host == "example.com"
        assert "lr" in route.uri.parameters

        bob.reply(invite, 100)
        bob.reply(invite, 180)
        ringing = await alice.response(180)
        assert ringing.headers.getlist("Via") == sent.headers.getlist("Via")
        assert ringing.headers["Record-Route"] == invite.headers["Record-Route"]
        bob.reply(invite, 200)
        ok = await alice.response(200)
        alice.in_dialog("ACK", sent, ok)
        ack = await bob.request("ACK")
        assert str(ack.uri) == "sip:bob@bob.invalid;transport=ws"
        assert "Route" not in ack.headers
        assert len(ack.headers.getlist("Via")) == 2

        info = bob.in_dialog("INFO", invite, ok)
        received = await alice.request("INFO")
        assert str(received.uri) == "sip:alice@alice.invalid;transport=ws"
        assert "Route" not in received.headers
        assert "Record-Route" not in received.headers
        alice.reply(received, 200)
        assert (await bob.response(200)).call_id == info.call_id

        bye = alice.in_dialog("BYE", sent, ok, sequence=30)
        bob.reply(await bob.request("BYE"), 200)
        assert (await alice.response(200, "BYE")).cseq.sequence == bye.cseq.sequence
        await bob.silence()


async def test_the_2xx_is_repeated_by_the_ends_and_not_by_the_proxy() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.invite(BOB)
        invite = await bob.request("INVITE")
        ok = bob.reply(invite, 200)
        await alice.response(200)
        await alice.silence(3)
        for _ in range(2):
            bob.put(ok)
            await alice.response(200)
        await bob.silence(40)
        bob.put(ok)
        await alice.silence()


async def test_in_dialog_requests_need_no_credentials_from_members_only() -> None:
    async with running() as server:
        alice, bob, carol = await connected(server, "alice", "bob", "carol")
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        bob.reply(invite, 200)
        ok = await alice.response(200)
        # Somebody who has seen the messages of the call, but is no end of it.
        stranger = alice.build(
            "BYE",
            "sip:bob@bob.invalid;transport=ws",
            to=ok.headers["To"],
            call_id=sent.call_id,
            fields=(("Route", ok.headers["Record-Route"]),),
        )
        carol.put(stranger)
        await carol.response(407)
        # A token does not help outside of dialogs.
        alice.send(
            "MESSAGE", "sip:bob@bob.invalid;transport=ws", fields=(("Route", ok.headers["Record-Route"]),)
        )
        await alice.response(407)
        await bob.silence()


async def test_in_dialog_credentials_can_be_asked_for() -> None:
    async with running(authenticate_in_dialog=True) as server:
        alice, bob = await connected(server, "alice", "bob")
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        bob.reply(invite, 200)
        ok = await alice.response(200)
        alice.in_dialog("ACK", sent, ok)
        await bob.request("ACK")
        bob.in_dialog("BYE", invite, ok)
        await bob.response(407)


async def test_remaining_routes_are_kept() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        ok = bob.reply(invite, 200)
        ok = await alice.response(200)
        foreign = '"B2B, UA" <sip:far.example;lr;x=%41>;p="1,2"'
        request = alice.in_dialog("ACK", sent, ok)
        await bob.request("ACK")
        request.headers.add("Route", foreign)
        request.headers.set("Via", "SIP/2.0/WS alice.invalid;branch=z9hG4bKnew")
        alice.put(request)
        assert (await bob.request("ACK")).headers.getlist("Route") == [foreign]


async def test_strict_router() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        bob.reply(invite, 200)
        ok = await alice.response(200)
        bye = alice.build(
            "BYE",
            str(ok.record_route[0].uri),
            to=ok.headers["To"],
            call_id=sent.call_id,
            sequence=9,
            fields=(("Route", "<sip:bob@bob.invalid;transport=ws>"),),
        )
        bye.headers.set("From", sent.headers["From"])
        alice.put(bye)
        received = await bob.request("BYE")
        assert str(received.uri) == "sip:bob@bob.invalid;transport=ws"
        assert "Route" not in received.headers


@pytest.mark.parametrize(
    "route",
    [
        "<sip:example.com;lr>",
        "<sip:server.invalid;lr>",
        "<sip:127.0.0.1:5060;lr>",
        "<sip:by.another.name:8080;transport=ws;lr>, <sip:example.com;lr>",
    ],
)
async def test_a_preloaded_route_to_the_server(route: str) -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("MESSAGE", BOB, fields=(("Route", route),))
        assert "Route" not in (await bob.request("MESSAGE")).headers


async def test_a_route_to_elsewhere() -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")
        alice.send("MESSAGE", BOB, fields=(("Route", "<sip:far.example;lr>"),))
        assert (await alice.response(404)).phrase == "No Way To The Next Hop"


# --- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER", "NOTIFY", "FOO"])
async def test_every_request_needs_credentials(method: str) -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        alice.send(method, BOB)
        challenge = await alice.response(407)
        algorithms = [c.parameters["algorithm"] for c in challenge.proxy_authenticate_all]
        assert algorithms == ["SHA-256", "MD5"]
        assert {c.parameters["realm"] for c in challenge.proxy_authenticate_all} == {"example.com"}
        await bob.silence()


async def test_only_our_credentials_are_taken_off() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        other = 'Digest username="a", realm="other.example", nonce="n", uri="sip:x", response="00"'
        await alice.ask("MESSAGE", BOB, fields=(("Proxy-Authorization", other),))
        assert (await bob.request("MESSAGE")).headers.getlist("Proxy-Authorization") == [other]


async def test_nobody_calls_under_anothers_name(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("MESSAGE", BOB, from_="<sip:carol@example.com>")
        assert (await alice.response(403)).phrase == "Not Your Address"
        await alice.ask("MESSAGE", BOB, from_='"Anonymous" <sip:anonymous@anonymous.invalid>')
        await bob.request("MESSAGE")
    assert "alice may not send MESSAGE as carol" in caplog.text


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "code", "phrase"),
    [
        ("sip:nobody@example.com", 404, "Not Found"),
        ("sip:carol@example.com", 480, "Temporarily Unavailable"),
        ("sip:bob@elsewhere.org", 404, "Unknown Domain"),
        ("sip:example.com", 404, "Not Found"),
        ("sip:bob@unknown.invalid;transport=ws", 404, "Unknown Domain"),
        ("sip:carol@example.com;gr=urn:uuid:1", 480, "Temporarily Unavailable"),
        ("sip:tgruu.1@example.com;gr", 404, "Not Found"),
        ("tel:+15551234", 404, "Not Found"),
    ],
)
async def test_targets_that_are_not_there(uri: str, code: int, phrase: str) -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")
        sent = await alice.invite(uri)
        response = await alice.response(code)
        assert response.phrase == phrase
        alice.put(alice.ack(sent, response))
        await alice.silence(40)
        assert server.counts()["transactions"] == 0


@pytest.mark.parametrize(
    ("uri", "fields", "code", "header"),
    [
        (BOB, (("Proxy-Require", "teleport, foo"),), 420, ("Unsupported", "teleport, foo")),
        ("mailto:bob@example.com", (), 416, None),
        (BOB, (("Max-Forwards", "0"),), 483, None),
        (BOB, (("Route", "<sip:unclosed"),), 400, None),
    ],
)
async def test_requests_that_are_no_good(
    uri: str, fields: tuple[tuple[str, str], ...], code: int, header: tuple[str, str] | None
) -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        request = alice.build("MESSAGE", uri)
        for name, value in fields:
            request.headers.set(name, value)
        alice.put(str(request))
        response = await alice.response(code)
        assert header is None or response.headers[header[0]] == header[1]
        await bob.silence()


async def test_require_is_between_the_ends() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("MESSAGE", BOB, fields=(("Require", "teleport"),))
        assert (await bob.request("MESSAGE")).require == ["teleport"]


async def test_a_loop() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("MESSAGE", BOB)
        message = await bob.request("MESSAGE")
        # Bob sends it back to where it came from, as a proxy would.
        message.uri = alice.build("MESSAGE", BOB).uri
        message.headers.prepend("Via", "SIP/2.0/WS bob.invalid;branch=z9hG4bKloop")
        bob.put(message)
        await bob.response(482)
        # For somebody else it may pass, if Bob says who he is.
        message.uri = alice.build("MESSAGE", "sip:carol@example.com").uri
        message.headers.remove_first("Via")
        message.headers.prepend("Via", "SIP/2.0/WS bob.invalid;branch=z9hG4bKspiral")
        bob.put(message)
        await bob.response(407)


async def test_options_to_the_server_itself() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        alice.send("OPTIONS", "sip:example.com")
        await alice.response(200, "OPTIONS")


# --- GRUUs and numbers ------------------------------------------------------------------------------------------------


async def test_gruus_lead_to_one_instance() -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")
        desk, mobile = await Client(server, "bob").connect(), await Client(server, "bob").connect()
        await desk.register("<sip:b@desk.invalid>")
        ok = await mobile.register(
            '<sip:b@mobile.invalid>;+sip.instance="<urn:uuid:1>";reg-id=1', fields=(("Supported", "gruu"),)
        )
        parameters = ok.contact[-1].parameters
        for gruu in (parameters["pub-gruu"], parameters["temp-gruu"]):
            await alice.ask("MESSAGE", str(gruu))
            assert str((await mobile.request("MESSAGE")).uri) == "sip:b@mobile.invalid"
        await desk.silence()


async def test_a_telephone_number_may_be_an_account() -> None:
    accounts = {"alice": "wonderland", "+15551234": "x"}
    async with running(accounts=accounts) as server:
        (alice,) = await connected(server, "alice")
        phone = await Client(server, "+15551234", "x").connect()
        await phone.register()
        await alice.ask("MESSAGE", "tel:+15551234")
        assert (await phone.request("MESSAGE")).headers["To"] == "<tel:+15551234>"


async def test_sips_stays_sips() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.invite("sips:bob@example.com")
        assert (await bob.request("INVITE")).record_route[0].uri.scheme == "sips"


# --- connections that come and go -------------------------------------------------------------------------------------


async def test_a_call_goes_on_when_an_end_has_connected_anew() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        bob.reply(invite, 200)
        ok = await alice.response(200)
        alice.in_dialog("ACK", sent, ok)
        await bob.request("ACK")
        await bob.connection.close()
        await alice.silence()

        alice.in_dialog("INFO", sent, ok, sequence=40)
        await alice.response(430)  # nobody knows where Bob is

        again = await Client(server, "bob").connect()
        await again.register()
        alice.in_dialog("INFO", sent, ok, sequence=41)
        again.reply(await again.request("INFO"), 200)
        await alice.response(200)

        # And from the new connection, which is no part of the dialog's route: Bob has to show who he is.
        request = again.in_dialog("UPDATE", invite, ok, sequence=5)
        challenge = await again.response(407)
        request.headers.set("Via", "SIP/2.0/WS bob.invalid;branch=z9hG4bKagain")
        assert again.digest.authorize(request, challenge)
        again.put(request)
        alice.reply(await alice.request("UPDATE"), 200)
        await again.response(200, "UPDATE")


async def test_an_end_comes_back_and_the_other_is_not_registered() -> None:
    async with running() as server:
        (bob,) = await connected(server, "bob")
        alice = await Client(server).connect()
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        bob.reply(invite, 200)
        ok = await alice.response(200)
        await bob.connection.close()
        again = await Client(server, "bob").connect()
        await again.invite("sip:nobody@example.com")  # leaves a nonce
        await again.response(404)
        request = again.build("BYE", "sip:alice@alice.invalid;transport=ws", call_id=sent.call_id, sequence=7)
        request.headers.set("From", ok.headers["To"])
        request.headers.set("To", ok.headers["From"])
        request.headers.add("Route", ok.headers["Record-Route"])
        assert again.digest.preload(request)
        again.put(request)
        alice.reply(await alice.request("BYE"), 200)
        await again.response(200, "BYE")
        await alice.connection.close()
        request.headers.set("Via", "SIP/2.0/WS bob.invalid;branch=z9hG4bKlast")
        request.headers.remove("Proxy-Authorization")
        assert again.digest.preload(request)
        again.put(request)
        await again.response(430)


async def test_the_way_to_an_end_that_never_registered() -> None:
    async with running() as server:
        (bob,) = await connected(server, "bob")
        alice = await Client(server).connect()
        sent = await alice.invite(BOB)
        invite = await bob.request("INVITE")
        bob.reply(invite, 200)
        ok = await alice.response(200)
        bob.in_dialog("BYE", invite, ok)
        alice.reply(await alice.request("BYE"), 200)
        await bob.response(200)
        assert sent.call_id == ok.call_id


async def test_stray_acks_and_responses_are_dropped() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        alice.send("ACK", "sip:nobody@example.com", to="<sip:nobody@example.com>;tag=x")
        spent = alice.build("ACK", BOB, to="<sip:bob@example.com>;tag=x")
        spent.headers.set("Max-Forwards", "0")
        alice.put(spent)
        message = alice.build("MESSAGE", BOB)
        alice.reply(message, 200)
        alice.send("ACK", "sip:bob@bob.invalid;transport=ws", to="<sip:bob@example.com>;tag=x")
        await bob.request("ACK")
        await bob.silence()
        await alice.silence()


async def test_a_response_that_leads_nowhere_is_dropped() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("MESSAGE", BOB)
        message = await bob.request("MESSAGE")
        vias = message.headers.getlist("Via")
        message.headers.setlist("Via", vias[:1])
        bob.reply(message, 200)
        await alice.silence(1)
        message.headers.setlist("Via", vias)
        # The transaction had its final response, such as it was.
        bob.reply(message, 200)
        await alice.silence(1)


async def test_forwarding_to_oneself() -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")
        await alice.ask("MESSAGE", "sip:alice@example.com")
        alice.reply(await alice.request("MESSAGE"), 200)
        await alice.response(200)


async def test_nothing_is_left_behind() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        for _ in range(3):
            sent = await alice.invite(BOB)
            invite = await bob.request("INVITE")
            bob.reply(invite, 200)
            ok = await alice.response(200)
            alice.in_dialog("ACK", sent, ok)
            await bob.request("ACK")
        await alice.silence(40)
        assert server.counts() == {"connections": 2, "bindings": 2, "transactions": 0, "deadlines": 0}
        assert server._exchange.proxy._on_their_way == {}
        assert server._exchange.core._pending == {}
