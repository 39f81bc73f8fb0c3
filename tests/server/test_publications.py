"""PUBLISH at the server, by messages (RFC 3903 section 6)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.bodies import Presence, PresenceTuple
from sipua.server.publications import MAX_PUBLICATIONS
from sipua.sip import Response
from sipua.testing import run_simulated
from tests.server.client import Client, connected, running

if TYPE_CHECKING:
    from sipua.server import Server


ALICE = "sip:alice@example.com"
OPEN = str(Presence(ALICE, (PresenceTuple("t", "open"),)))
ACTIVITY = (
    '<p xmlns="urn:ietf:params:xml:ns:pidf:data-model"><r:activities xmlns:r="urn:ietf:params:xml:ns:pidf:rpid">'
    "<r:a_b/></r:activities></p>"
)
EVENT = (("Event", "presence"), ("Content-Type", "application/pidf+xml"))


async def publish(client: Client, code: int = 200, **more: Any) -> Response:
    """The final response; `etag`, `expires` and `body` as given, other fields as they are."""
    fields = list(more.pop("fields", EVENT))
    if "expires" in more:
        fields.append(("Expires", str(more.pop("expires"))))
    if "etag" in more:
        fields.append(("SIP-If-Match", more.pop("etag")))
    await client.ask("PUBLISH", more.pop("uri", ALICE), fields=fields, body=more.pop("body", OPEN), **more)
    return await client.response(code, "PUBLISH")


def published(server: Server) -> list[Presence]:
    publications = server._exchange.states
    assert publications is not None
    return publications._publications.of("alice", "presence")


async def test_a_publication_from_its_beginning_to_its_end() -> None:
    async with running(presence=True) as server:
        (alice,) = await connected(server, "alice")
        first = await publish(alice, expires=600)
        assert first.headers["Expires"] == "600"
        etag = first.headers["SIP-ETag"]
        again = await publish(alice, etag=etag, body="")  # refreshed, and longer than asked for is not given
        assert again.headers["Expires"] == "3600"
        assert again.headers["SIP-ETag"] != etag
        await publish(alice, 412, etag=etag)
        assert [one.is_open for one in published(server)] == [True]
        closed = OPEN.replace("open", "closed")
        changed = await publish(alice, etag=again.headers["SIP-ETag"], body=closed)
        assert [one.is_open for one in published(server)] == [False]
        await publish(alice, etag=changed.headers["SIP-ETag"], body="", expires=0)
        assert published(server) == []


async def test_it_runs_out() -> None:
    async with running(presence=True) as server:
        (alice,) = await connected(server, "alice")
        await publish(alice, expires=90)
        await publish(alice, expires=60)
        await asyncio.sleep(61)
        assert len(published(server)) == 1
        await asyncio.sleep(30)
        assert published(server) == []


@pytest.mark.parametrize(
    ("more", "code", "header"),
    [
        ({"fields": (("Event", "winfo"), EVENT[1])}, 489, "Allow-Events"),
        ({"fields": (EVENT[1],)}, 489, "Allow-Events"),
        ({"fields": (EVENT[0], ("Content-Type", "text/plain"))}, 415, "Accept"),
        ({"body": "<presence"}, 400, None),
        ({"body": OPEN.replace("</presence>", f"{ACTIVITY}</presence>")}, 400, None),
        ({"body": ""}, 400, None),
        ({"expires": 0}, 400, None),
        ({"expires": 5}, 423, "Min-Expires"),
        ({"etag": "unknown"}, 412, None),
        ({"uri": "sip:bob@example.com"}, 403, None),
        ({"uri": "sip:nobody@example.com"}, 404, None),
    ],
)
async def test_refused(more: dict[str, Any], code: int, header: str | None) -> None:
    async with running(presence=True) as server:
        (alice,) = await connected(server, "alice")
        response = await publish(alice, code, **more)
        assert header is None or header in response.headers
        assert published(server) == []


async def test_of_another_domain() -> None:
    async with running(presence=True) as server:
        (alice,) = await connected(server, "alice")
        alice.send("PUBLISH", "sip:alice@elsewhere.example", fields=EVENT, body=OPEN)
        await alice.response(404)


async def test_not_without_the_password_and_not_another_ones() -> None:
    async with running(presence=True) as server:
        alice, bob = await connected(server, "alice", "bob")
        etag = (await publish(alice)).headers["SIP-ETag"]
        bob.send("PUBLISH", ALICE, fields=EVENT, body=OPEN)
        await bob.response(401)
        await publish(bob, 412, uri="sip:bob@example.com", etag=etag)
        assert len(published(server)) == 1


async def test_a_user_has_so_many_at_most() -> None:
    async with running(presence=True) as server:
        (alice,) = await connected(server, "alice")
        for _ in range(MAX_PUBLICATIONS):
            await publish(alice)
        await publish(alice, 403)
        assert len(published(server)) == MAX_PUBLICATIONS


async def test_without_presence_it_is_the_telephones_business() -> None:
    async with running() as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.ask("PUBLISH", "sip:bob@example.com", fields=EVENT, body=OPEN)
        bob.reply(await bob.request("PUBLISH"), 405)
        await alice.response(405)


@given(body=st.text() | st.builds(lambda text: OPEN.replace("open", text), st.text()))
def test_whatever_is_published_it_is_taken_and_told_or_refused(body: str) -> None:
    async def attempt() -> None:
        async with running(presence=True) as server:
            (alice,) = await connected(server, "alice")
            request = alice.build("PUBLISH", ALICE, fields=EVENT)
            request.body = body.encode("utf-8", "replace")
            await alice.answer_challenge(request)
            response = await alice.next()
            assert isinstance(response, Response)
            assert response.code in (200, 400)
            states = server._exchange.states
            assert states is not None
            assert str(states.packages["presence"]("alice", ALICE, 0))

    run_simulated(attempt())
