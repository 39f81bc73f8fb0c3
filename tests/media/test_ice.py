"""Sorting datagrams among the branches of a call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aioice import Candidate, Connection, stun

from sipua.media.ice import SharedSockets

A, B, STRANGER = ("192.0.2.1", 4000), ("192.0.2.2", 4000), ("203.0.113.9", 666)


class FakeTransport(asyncio.DatagramTransport):
    """A socket that keeps what is sent on it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[bytes, Any]] = []
        self.closed = False
        self.owner: Any = None
        self.max_size = 256 * 1024

    def sendto(self, data: Any, addr: Any = None) -> None:
        self.sent.append((bytes(data), addr))

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.owner.connection_lost, None)


async def gathered() -> tuple[SharedSockets, Connection, Any, FakeTransport]:
    """A connection with one socket that is shared from now on."""
    from aioice.ice import StunProtocol

    connection = Connection(ice_controlling=True, local_username="mine", local_password="p" * 22)
    protocol, transport = StunProtocol(connection), FakeTransport()
    transport.owner = protocol
    protocol.connection_made(transport)
    protocol.local_candidate = Candidate("1", 1, "udp", 1, "192.0.2.9", 5000, "host")
    connection._protocols.append(protocol)
    connection._local_candidates.append(protocol.local_candidate)
    connection._local_candidates_start = connection._local_candidates_end = True
    shared = SharedSockets()
    shared.adopt(protocol)
    return shared, connection, protocol, transport


async def branch(shared: SharedSockets, source: Connection) -> Connection:
    connection = Connection(ice_controlling=True, local_username="mine", local_password="p" * 22)
    shared.lend(connection, source)
    await connection.gather_candidates()
    await connection.gather_candidates()
    return connection


async def talks_to(
    shared: SharedSockets, connection: Connection, username: str, address: tuple[str, int]
) -> None:
    connection.remote_username, connection.remote_password = username, "q" * 22
    await connection.add_remote_candidate(Candidate("1", 1, "udp", 1, *address, "host"))
    shared.expect(username, connection)


def check(remote: str) -> bytes:
    """A connectivity check of the peer with this user name."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"mine:{remote}"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLED"] = 7
    request.add_message_integrity(b"p" * 22)
    return bytes(request)


def answers(transport: FakeTransport) -> list[tuple[Any, Any]]:
    return [(stun.parse_message(data).message_class, address) for data, address in transport.sent]


async def test_data_goes_to_the_branch_whose_peer_sent_it() -> None:
    shared, one, protocol, _ = await gathered()
    two = await branch(shared, one)
    await talks_to(shared, one, "a", A)
    await talks_to(shared, two, "b", B)
    protocol.datagram_received(b"\x80 from a", A)
    protocol.datagram_received(b"\x80 from b", B)
    protocol.datagram_received(b"\x80 from nobody", STRANGER)
    protocol.datagram_received(b"", A)
    assert [one._queue.get_nowait()[0]] == [b"\x80 from a"]
    assert [two._queue.get_nowait()[0]] == [b"\x80 from b"]
    assert one._queue.empty()
    assert two._queue.empty()
    await one.close()
    await two.close()


async def test_what_nobody_takes_does_not_pile_up() -> None:
    """Before DTLS begins, and after it has ended, nobody reads."""
    shared, one, protocol, _ = await gathered()
    await talks_to(shared, one, "a", A)
    for _ in range(600):
        protocol.datagram_received(b"\x80" * 1500, A)
        protocol.datagram_received(b"\x16" * 1500, A)
    assert one._queue.qsize() == 1000
    one._queue.get_nowait()
    protocol.datagram_received(b"\x17 next", A)
    assert one._queue.qsize() == 1000
    await one.close()


async def test_what_srtp_cannot_take_is_cut() -> None:
    shared, one, protocol, transport = await gathered()
    assert transport.max_size == 1500
    await talks_to(shared, one, "a", A)
    protocol.datagram_received(b"\x80" * 4000, A)  # from a TURN allocation, which has no such limit
    assert one._queue.get_nowait()[0] == b"\x80" * 1500
    await one.close()


async def test_an_ipv6_address_with_scope_is_recognised() -> None:
    shared, one, protocol, _ = await gathered()
    await talks_to(shared, one, "a", ("2001:db8::1", 4000))
    protocol.datagram_received(b"\x80 hello", ("2001:db8::1", 4000, 0, 0))
    assert one._queue.get_nowait()[0] == b"\x80 hello"
    await one.close()


async def test_checks_go_by_user_name() -> None:
    shared, one, protocol, transport = await gathered()
    two = await branch(shared, one)
    await talks_to(shared, one, "a", A)
    await talks_to(shared, two, "b", B)
    protocol.datagram_received(check("b"), STRANGER)  # b may come from an address that nobody knows yet
    assert answers(transport) == [(stun.Class.RESPONSE, STRANGER)]
    assert [early[1] for early in two._early_checks] == [STRANGER]
    assert not one._early_checks
    await one.close()
    await two.close()


async def test_checks_of_a_peer_that_has_not_answered_yet_wait_for_its_answer() -> None:
    shared, one, protocol, transport = await gathered()
    await talks_to(shared, one, "a", A)
    for _ in range(50):
        protocol.datagram_received(check("b"), B)
    assert transport.sent == []  # above all, no refusal
    two = await branch(shared, one)
    await talks_to(shared, two, "b", B)
    assert answers(transport) == [(stun.Class.RESPONSE, B)] * 16
    assert two._early_checks
    await one.close()
    await two.close()


async def test_unknown_peers_cannot_fill_the_memory() -> None:
    shared, one, protocol, transport = await gathered()
    for n in range(1000):
        protocol.datagram_received(check(f"peer{n}"), STRANGER)
    assert len(shared._early) == 16
    assert transport.sent == []
    protocol.datagram_received(check(""), STRANGER)
    protocol.datagram_received(b"\0\1\0\x08\x21\x12\xa4\x42" + bytes(20), STRANGER)
    assert len(shared._early) == 16
    await one.close()


async def test_responses_go_to_the_branch_that_asked() -> None:
    shared, one, protocol, transport = await gathered()
    two = await branch(shared, one)
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    asking = asyncio.ensure_future(two._protocols[0].request(request, B))
    await asyncio.sleep(0)
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
    assert len(transport.sent) == 1
    protocol.datagram_received(bytes(response), B)
    message, address = await asking
    assert (message.transaction_id, address) == (request.transaction_id, B)
    protocol.datagram_received(bytes(response), B)  # again: nobody waits for it
    await one.close()
    await two.close()


@pytest.mark.parametrize("first_leaves", [True, False])
async def test_the_socket_is_closed_with_its_last_user(first_leaves: bool) -> None:
    shared, one, protocol, transport = await gathered()
    two = await branch(shared, one)
    await talks_to(shared, one, "a", A)
    await talks_to(shared, two, "b", B)
    leaving, staying = (one, two) if first_leaves else (two, one)
    shared.forget(leaving)
    await leaving.close()
    assert not transport.closed
    assert shared.usable
    protocol.datagram_received(b"\x80 still there", B if first_leaves else A)
    assert staying._queue.get_nowait()[0] == b"\x80 still there"
    await staying.close()
    assert transport.closed
    assert not shared.usable


async def test_a_lost_socket_is_told_to_all() -> None:
    shared, one, protocol, _ = await gathered()
    two = await branch(shared, one)
    lost: list[Connection] = []
    for connection in (one, two):
        connection.protocol_lost = lambda p, c=connection: lost.append(c)  # type: ignore[method-assign,misc]
    protocol.connection_lost(OSError("gone"))
    assert set(lost) == {one, two}


async def test_a_socket_that_comes_late_is_lent_to_the_branches_that_are_there() -> None:
    from aioice.ice import StunProtocol

    shared, source, _, _ = await gathered()
    other, gone = await branch(shared, source), await branch(shared, source)
    await talks_to(shared, other, "bob", ("192.0.2.1", 4000))
    shared.forget(gone)
    relay, transport = StunProtocol(source), FakeTransport()
    transport.owner = relay
    relay.connection_made(transport)
    relay.local_candidate = Candidate("9", 1, "udp", 1, "198.51.100.1", 6000, "relay")
    source._protocols.append(relay)
    shared.adopt(relay)
    assert [p.local_candidate.type for p in other._protocols] == ["host", "relay"]
    assert {pair.local_candidate.type for pair in other._check_list} == {"host", "relay"}
    assert len(gone._protocols) == 1
    await gone.close()
    await source.close()
    assert not transport.closed  # the other branch uses it
    await other.close()
    assert transport.closed
