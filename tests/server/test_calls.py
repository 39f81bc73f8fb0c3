"""Which calls the proxy sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.client import Client, connected, running

if TYPE_CHECKING:
    from sipua.server import Server

BOB = "sip:bob@example.com"


def states(server: Server, user: str) -> list[tuple[str, str, str]]:
    calls = server._exchange.calls
    assert calls is not None
    return [(call.caller, call.called, call.state) for call in calls.of(user)]


async def test_from_ringing_to_the_end() -> None:
    async with running(presence=True) as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.invite(BOB)
        invite = await bob.request("INVITE")
        assert states(server, "bob") == []
        bob.reply(invite, 180)
        await alice.response(180)
        assert states(server, "bob") == states(server, "alice") == [("alice", "bob", "early")]
        bob.reply(invite, 200)
        answer = await alice.response(200)
        assert states(server, "bob") == [("alice", "bob", "confirmed")]
        routes = tuple(("Route", value) for value in reversed(answer.headers.values("Record-Route")))
        alice.send(
            "BYE",
            "sip:bob@bob.invalid;transport=ws",
            to=answer.headers["To"],
            from_tag=answer.from_tag,
            call_id=answer.call_id,
            sequence=9,
            fields=routes,
        )
        bob.reply(await bob.request("BYE"), 200)
        await alice.response(200, "BYE")
        assert states(server, "alice") == states(server, "bob") == []


@pytest.mark.parametrize("code", [486, 603])
async def test_refused(code: int) -> None:
    async with running(presence=True) as server:
        alice, bob = await connected(server, "alice", "bob")
        await alice.invite(BOB)
        invite = await bob.request("INVITE")
        bob.reply(invite, 180)
        await alice.response(180)
        bob.reply(invite, code)
        await alice.response(code)
        assert states(server, "bob") == []


async def call_of(alice: Client, bob: Client) -> None:
    await alice.invite(BOB)
    bob.reply(await bob.request("INVITE"), 200)
    await alice.response(200)


@pytest.mark.parametrize("side", [0, 1])
async def test_a_side_whose_connection_breaks(side: int) -> None:
    async with running(presence=True) as server:
        both = await connected(server, "alice", "bob")
        await call_of(both[0], both[1])
        assert states(server, "bob") == [("alice", "bob", "confirmed")]
        await both[side].connection.close()
        await both[1 - side].silence(1)
        assert states(server, "alice") == states(server, "bob") == []
