"""The registrar, by messages (RFC 3261 section 10.3, RFC 5626, RFC 5627)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipua.server import Account, RegistrarPolicy, Server
from sipua.sip import Response
from tests.server.client import Client, connected, running

INSTANCE = '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'


def contacts(response: Response) -> list[str]:
    return response.headers.getlist("Contact")


async def test_exact_messages() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        alice.put(
            "REGISTER sip:example.com SIP/2.0\r\n"
            "Via: SIP/2.0/WS alice.invalid;branch=z9hG4bK!%*x;rport\r\n"
            "From: Alice <sip:alice@example.com>;tag=1\r\n"
            "To: Alice <sip:alice@example.com>\r\n"
            "Call-ID: reg1\r\n"
            "CSeq: 1 REGISTER\r\n"
            "Contact: <sip:alice@alice.invalid;transport=ws>;reg-id=1;"
            '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"\r\n'
            "Supported: path, outbound, gruu\r\n"
            "\r\n"
        )
        challenge = await alice.response(401)
        nonce = challenge.www_authenticate.parameters["nonce"]  # type: ignore[union-attr]
        tag = challenge.to_tag
        assert alice.raw.pop() == (
            "SIP/2.0 401 Unauthorized\r\n"
            "Via: SIP/2.0/WS alice.invalid;branch=z9hG4bK!%*x;rport\r\n"
            "From: Alice <sip:alice@example.com>;tag=1\r\n"
            f"To: Alice <sip:alice@example.com>;tag={tag}\r\n"
            "Call-ID: reg1\r\n"
            "CSeq: 1 REGISTER\r\n"
            f'WWW-Authenticate: Digest realm="example.com", nonce="{nonce}", algorithm=SHA-256, qop="auth"\r\n'
            f'WWW-Authenticate: Digest realm="example.com", nonce="{nonce}", algorithm=MD5, qop="auth"\r\n'
            "Server: sipua/0.1.0\r\n"
            "Content-Length: 0\r\n"
            "\r\n"
        )
        ok = await alice.register(
            f"<sip:alice@alice.invalid;transport=ws>;reg-id=1;{INSTANCE};q=0.5;+x.y=z",
            fields=(("Supported", "path, outbound, gruu"),),
        )
        lines = alice.raw.pop().split("\r\n")
        gruu = str(ok.contact[0].parameters["temp-gruu"])
        assert lines[0] == "SIP/2.0 200 OK"
        assert lines[6:] == [
            "Require: outbound",
            "Supported: outbound, gruu",
            f"Contact: <sip:alice@alice.invalid;transport=ws>;reg-id=1;{INSTANCE};q=0.5;+x.y=z;expires=600;"
            'pub-gruu="sip:alice@example.com;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";'
            f'temp-gruu="{gruu}"',
            "Server: sipua/0.1.0",
            "Content-Length: 0",
            "",
            "",
        ]
        assert gruu.startswith("sip:tgruu.")
        assert gruu.endswith("@example.com;gr")


# --- authentication ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithms", "offered"),
    [(("SHA-256", "MD5"), ["SHA-256", "MD5"]), (("MD5",), ["MD5"]), (("SHA-512-256",), ["SHA-512-256"])],
)
async def test_algorithms_of_the_server(algorithms: tuple[str, ...], offered: list[str]) -> None:
    async with running(algorithms=algorithms) as server:
        alice = await Client(server).connect()
        alice.send("REGISTER", "sip:example.com", to=f"<{alice.aor}>")
        challenges = (await alice.response(401)).www_authenticate_all
        assert [challenge.parameters["algorithm"] for challenge in challenges] == offered
        await alice.register()
        assert server.registrations() == {"alice": ["sip:alice@alice.invalid;transport=ws"]}


async def test_algorithms_of_an_account() -> None:
    async with running(accounts={"alice": Account("wonderland", ("MD5",)), "bob": "builder"}) as server:
        alice, bob = await Client(server).connect(), await Client(server, "bob").connect()
        for client, offered in ((alice, ["MD5"]), (bob, ["SHA-256", "MD5"])):
            client.send("REGISTER", "sip:example.com", to=f"<{client.aor}>")
            challenges = (await client.response(401)).www_authenticate_all
            assert [challenge.parameters["algorithm"] for challenge in challenges] == offered
            await client.register()


async def test_a_wrong_password_is_challenged_again(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        alice = await Client(server, password="hunter2").connect()
        await alice.ask(
            "REGISTER", "sip:example.com", to=f"<{alice.aor}>", fields=(("Contact", alice.contact),)
        )
        response = await alice.response(401)
        assert all("stale" not in challenge.parameters for challenge in response.www_authenticate_all)
        assert server.registrations() == {}
    assert "wrong credentials" in caplog.text
    assert "hunter2" not in caplog.text
    assert "response=" not in caplog.text


async def test_an_unknown_user_looks_like_a_wrong_password() -> None:
    async with running() as server:
        mallory = await Client(server, "mallory").connect()
        await mallory.ask("REGISTER", "sip:example.com", to=f"<{mallory.aor}>")
        await mallory.response(401)


async def test_an_old_nonce_is_stale_and_not_wrong() -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")
        await asyncio.sleep(301)
        await alice.ask("REGISTER", "sip:example.com", to=f"<{alice.aor}>", sequence=50)
        response = await alice.response(401)
        assert [c.parameters["stale"] for c in response.www_authenticate_all] == ["true", "true"]


async def test_nobody_registers_as_somebody_else() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        await alice.ask(
            "REGISTER", "sip:example.com", to="<sip:bob@example.com>", fields=(("Contact", "<sip:a@b>"),)
        )
        response = await alice.response(403)
        assert response.phrase == "Not Your Address"
        assert server.registrations() == {}


@pytest.mark.parametrize(
    ("uri", "to"),
    [("sip:elsewhere.org", "sip:alice@example.com"), ("sip:example.com", "sip:alice@elsewhere.org")],
)
async def test_another_domain(uri: str, to: str) -> None:
    async with running() as server:
        alice = await Client(server).connect()
        alice.send("REGISTER", uri, to=f"<{to}>")
        assert (await alice.response(404)).phrase == "Unknown Domain"


async def test_without_a_domain_any_name_will_do() -> None:
    async with running(domain=None) as server:
        alice = await Client(server).connect()
        await alice.ask(
            "REGISTER", "sip:one.example", to="<sip:alice@two.example>", fields=(("Contact", alice.contact),)
        )
        await alice.response(200)
        assert list(server.registrations()) == ["alice"]


# --- bindings ---------------------------------------------------------------------------------------------------------


async def test_several_contacts_and_query() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        both = await alice.register("<sip:a@a.invalid>;expires=100", '"A, B" <sip:b@b.invalid>')
        expected = ["<sip:a@a.invalid>;expires=100", '"A, B" <sip:b@b.invalid>;expires=600']
        assert contacts(both) == expected
        await asyncio.sleep(10.5)
        await alice.ask("REGISTER", "sip:example.com", to=f"<{alice.aor}>")
        query = await alice.response(200)
        assert contacts(query) == ["<sip:a@a.invalid>;expires=90", '"A, B" <sip:b@b.invalid>;expires=590']


async def test_two_devices() -> None:
    async with running() as server:
        desk, mobile = await Client(server).connect(), await Client(server).connect()
        await desk.register("<sip:a@desk.invalid>")
        assert contacts(await mobile.register("<sip:a@mobile.invalid>")) == [
            "<sip:a@desk.invalid>;expires=600",
            "<sip:a@mobile.invalid>;expires=600",
        ]


async def test_one_contact_is_removed_by_expires_0() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        await alice.register("<sip:a@a.invalid>", "<sip:b@b.invalid>")
        rest = await alice.register("<sip:a@a.invalid>;expires=0", sequence=10)
        assert contacts(rest) == ["<sip:b@b.invalid>;expires=600"]
        assert contacts(await alice.register("<sip:b@b.invalid>", expires=0, sequence=20)) == []
        assert contacts(await alice.register("<sip:never@b.invalid>", expires=0, sequence=30)) == []


async def test_all_contacts_are_removed_by_a_star() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        await alice.register("<sip:a@a.invalid>", "<sip:b@b.invalid>")
        assert contacts(await alice.register("*", expires=0, sequence=10)) == []
        assert server.registrations() == {}


@pytest.mark.parametrize(
    "fields",
    [
        (("Contact", "*"), ("Expires", "600")),
        (("Contact", "*"),),
        (("Contact", "*"), ("Contact", "<sip:a@a.invalid>"), ("Expires", "0")),
        (("Contact", "<mailto:a@a.invalid>"),),
        (("Contact", "<sip:a@a.invalid"),),
    ],
)
async def test_bad_contacts(fields: Any) -> None:
    async with running() as server:
        (alice,) = await connected(server, "alice")
        await alice.ask("REGISTER", "sip:example.com", to=f"<{alice.aor}>", sequence=10, fields=fields)
        await alice.response(400)
        assert server.registrations() == {"alice": ["sip:alice@alice.invalid;transport=ws"]}


async def test_the_same_instance_replaces_its_binding() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        await alice.register(f"<sip:a@a.invalid>;{INSTANCE};reg-id=1")
        again = await Client(server).connect()
        assert contacts(await again.register(f"<sip:b@b.invalid>;{INSTANCE};reg-id=1")) == [
            f"<sip:b@b.invalid>;{INSTANCE};reg-id=1;expires=600"
        ]
        await alice.connection.close()
        await again.silence()
        assert server.registrations() == {"alice": ["sip:b@b.invalid"]}


# --- times ------------------------------------------------------------------------------------------------------------


async def test_default_and_longest_and_shortest_time() -> None:
    policy = RegistrarPolicy(min_expires=30, max_expires=300, default_expires=200)
    async with running(policy=policy) as server:
        alice = await Client(server).connect()
        await alice.ask(
            "REGISTER", "sip:example.com", to=f"<{alice.aor}>", fields=(("Contact", "<sip:a@a.invalid>"),)
        )
        assert contacts(await alice.response(200)) == ["<sip:a@a.invalid>;expires=200"]
        assert contacts(await alice.register("<sip:a@a.invalid>", expires=9999, sequence=10)) == [
            "<sip:a@a.invalid>;expires=300"
        ]
        await alice.ask(
            "REGISTER",
            "sip:example.com",
            to=f"<{alice.aor}>",
            sequence=20,
            fields=(("Contact", "<sip:new@a.invalid>"), ("Contact", "<sip:a@a.invalid>;expires=29")),
        )
        refused = await alice.response(423)
        assert refused.min_expires == 30
        assert server.registrations() == {"alice": ["sip:a@a.invalid"]}


async def test_bindings_expire(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sipua.server")
    async with running() as server:
        alice = await Client(server).connect()
        await alice.register("<sip:a@a.invalid>;expires=60", "<sip:b@b.invalid>;expires=90")
        await asyncio.sleep(59.9)
        assert server.registrations() == {"alice": ["sip:a@a.invalid", "sip:b@b.invalid"]}
        await asyncio.sleep(0.2)
        assert server.registrations() == {"alice": ["sip:b@b.invalid"]}
        await alice.register("<sip:b@b.invalid>;expires=90", sequence=10)
        await asyncio.sleep(89)
        assert server.registrations() == {"alice": ["sip:b@b.invalid"]}
        await asyncio.sleep(2)
        assert server.counts()["bindings"] == 0
    lines = [record.getMessage() for record in caplog.records if record.name == "sipua.server"]
    assert [line.split(" (")[0] for line in lines] == [
        "alice registered at sip:a@a.invalid",
        "alice registered at sip:b@b.invalid",
        "alice unregistered from sip:a@a.invalid: expired",
        "alice unregistered from sip:b@b.invalid: expired",
    ]


# --- order ------------------------------------------------------------------------------------------------------------


async def test_what_was_overtaken_changes_nothing() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        await alice.register("<sip:a@a.invalid>", call_id="one", sequence=10)
        for fields in (
            (("Contact", "<sip:new@a.invalid>"), ("Contact", "<sip:a@a.invalid>;expires=0")),
            (("Contact", "*"), ("Expires", "0")),
        ):
            await alice.ask(
                "REGISTER", "sip:example.com", to=f"<{alice.aor}>", call_id="one", sequence=10, fields=fields
            )
            await alice.response(500)
            assert server.registrations() == {"alice": ["sip:a@a.invalid"]}
        assert contacts(await alice.register("<sip:a@a.invalid>", expires=0, call_id="two", sequence=1)) == []


async def test_too_many_contacts() -> None:
    async with running(policy=RegistrarPolicy(max_contacts=2)) as server:
        alice = await Client(server).connect()
        await alice.register("<sip:a@a.invalid>", "<sip:b@b.invalid>")
        await alice.ask(
            "REGISTER",
            "sip:example.com",
            to=f"<{alice.aor}>",
            sequence=10,
            fields=(("Contact", "<sip:c@c.invalid>"),),
        )
        assert (await alice.response(403)).phrase == "Too Many Contacts"
        exchanged = await alice.register("<sip:a@a.invalid>;expires=0", "<sip:c@c.invalid>", sequence=20)
        assert [contact.uri.user for contact in exchanged.contact] == ["b", "c"]


async def test_what_the_registrar_does_not_know() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        alice.send(
            "REGISTER", "sip:example.com", to=f"<{alice.aor}>", fields=(("Require", "gruu, teleport"),)
        )
        assert (await alice.response(420)).unsupported == ["teleport"]


async def test_outbound_is_required_only_of_those_who_can() -> None:
    async with running() as server:
        alice = await Client(server).connect()
        plain = await alice.register(f"<sip:a@a.invalid>;{INSTANCE};reg-id=1")
        assert "Require" not in plain.headers
        assert "pub-gruu" not in plain.contact[0].parameters


# --- connections ------------------------------------------------------------------------------------------------------


async def test_bindings_end_with_their_connection() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        server.network.server("ws://server.invalid/").connections[0].cut()  # type: ignore[union-attr]
        await bob.silence()
        assert alice.closed
        assert server.registrations() == {"bob": ["sip:bob@bob.invalid;transport=ws"]}


async def test_a_binding_moves_with_its_user() -> None:
    async with running() as server:
        first = await Client(server).connect()
        await first.register()
        second = await Client(server).connect()
        await second.register()
        await first.connection.close()
        await second.silence()
        assert server.registrations() == {"alice": ["sip:alice@alice.invalid;transport=ws"]}


async def test_a_server_that_starts_again_knows_nobody() -> None:
    server = Server({"alice": "wonderland"}, port=None, apps=False, domain="example.com")
    for _ in range(2):
        async with server:
            assert server.registrations() == {}
            alice = await Client(server).connect()
            await alice.register()
            assert list(server.registrations()) == ["alice"]
        assert alice.closed
