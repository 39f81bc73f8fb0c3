"""Candidates from servers that answer, are slow, are dead or are wrong."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aioice.ice
import pytest
from aioice import Candidate, Connection

from sipua.errors import MediaTransportError
from sipua.media.gathering import Gathering, host_addresses
from sipua.media.ice_servers import Server
from sipua.media.interface import IceServer, MediaOptions
from tests.media.calls import until
from tests.media.stun import stun_server


def connection(*servers: object, **options: Any) -> tuple[Connection, Gathering, list[str]]:
    done: list[str] = []
    made = Connection(ice_controlling=True)
    options.setdefault("ice_host_addresses", ("127.0.0.1",))
    options.setdefault("ice_gathering_timeout", 0.5)
    gathering = Gathering(made, MediaOptions(ice_servers=servers, **options), lambda protocol: None)  # type: ignore[arg-type]
    gathering.on_complete = lambda: done.append("gathered")
    return made, gathering, done


@pytest.mark.realtime
async def test_a_server_that_answers() -> None:
    server = await stun_server()
    made, _, done = connection(f"stun:127.0.0.1:{server.port}")
    await made.gather_candidates()
    await made.gather_candidates()
    assert done == ["gathered"]
    assert [(c.type, c.host) for c in made.local_candidates] == [
        ("host", "127.0.0.1"),
        ("srflx", "203.0.113.5"),
    ]
    await made.close()
    server.transport.close()


@pytest.mark.realtime
async def test_all_servers_are_asked_and_the_dead_do_not_hold_up_the_others() -> None:
    dead, one, two = await stun_server(answers=False), await stun_server(), await stun_server()
    turn = IceServer([f"turn:127.0.0.1:{dead.port}", f"turn:127.0.0.1:{dead.port}?transport=tcp"], "u", "p")
    urls = [f"stun:127.0.0.1:{s.port}" for s in (dead, one, two)]
    made, _, _ = connection(*urls, turn, ice_gathering_timeout=0.3)
    started = time.monotonic()
    await made.gather_candidates()
    assert 0.25 < time.monotonic() - started < 0.8
    # Two servers saw the same address: one candidate.
    assert [c.type for c in made.local_candidates] == ["host", "srflx"]
    assert min(dead.requests, one.requests, two.requests) >= 1
    await made.close()
    for server in (dead, one, two):
        server.transport.close()


@pytest.mark.realtime
async def test_gathering_can_be_stopped() -> None:
    dead = await stun_server(answers=False)
    made, gathering, done = connection(
        f"stun:127.0.0.1:{dead.port}",
        IceServer(f"turn:127.0.0.1:{dead.port}", "u", "p"),
        ice_gathering_timeout=30,
    )
    asking = asyncio.ensure_future(made.gather_candidates())
    await asyncio.sleep(0.05)
    gathering.stop()
    await asyncio.wait_for(asking, 1)
    assert done == ["gathered"]
    await made.close()
    dead.transport.close()


@pytest.mark.realtime
async def test_a_relay_that_refuses_and_no_host_candidates_with_the_relay_policy() -> None:
    server = await stun_server()  # no TURN server: its answer to an allocation lacks everything
    made, _, _ = connection(
        IceServer(f"turn:127.0.0.1:{server.port}", "u", "p"), ice_transport_policy="relay"
    )
    with pytest.raises(MediaTransportError, match="no TURN server gave an address"):
        await made.gather_candidates()
    assert made.local_candidates == []
    await made.close()
    server.transport.close()


@pytest.mark.realtime
async def test_a_server_of_no_use_is_named_with_its_fault(caplog: pytest.LogCaptureFixture) -> None:
    dead, good = await stun_server(answers=False), await stun_server()
    turn = IceServer(f"turn:127.0.0.1:{dead.port}?transport=tcp", "u", "secret")
    made, _, _ = connection(
        dead.url, good.url, turn, ice_gathering_timeout=0.2, ice_host_addresses=("127.0.0.1", "127.0.0.2")
    )
    await made.gather_candidates()
    assert sorted(
        record.getMessage() for record in caplog.records if record.name == "sipua.media.gathering"
    ) == [
        f"the ICE server stun:127.0.0.1:{dead.port} is of no use: no answer within 0.2 s",
        f"the ICE server turn:127.0.0.1:{dead.port}?transport=tcp is of no use: connection refused",
    ]
    await made.close()
    for server in (dead, good):
        server.transport.close()


@pytest.mark.realtime
async def test_a_stun_server_with_an_ipv6_address_is_of_no_use(caplog: pytest.LogCaptureFixture) -> None:
    made, _, done = connection("stun:[::1]:3478")
    await made.gather_candidates()
    assert done == ["gathered"]
    assert [c.type for c in made.local_candidates] == ["host"]
    assert [r.getMessage() for r in caplog.records if r.name == "sipua.media.gathering"] == [
        "the ICE server stun:[::1]:3478 is of no use: "
        "it has an IPv6 address, and STUN servers are asked over IPv4 only"
    ]
    await made.close()


@pytest.mark.realtime
async def test_relays_that_were_not_waited_for() -> None:
    dead = await stun_server(answers=False)
    turn = IceServer(f"turn:127.0.0.1:{dead.port}", "u", "p")
    made, gathering, _ = connection(turn, ice_gathering_timeout=10, ice_transport_policy="relay")
    asyncio.get_running_loop().call_later(0.05, gathering.stop)
    with pytest.raises(MediaTransportError, match="were not waited for"):
        await asyncio.wait_for(made.gather_candidates(), 5)
    await made.close()
    dead.transport.close()


@pytest.mark.realtime
async def test_a_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    async def relayed(**kwargs: Any) -> tuple[Candidate, Any]:
        asked.append(kwargs)
        protocol = kwargs["protocol_factory"]()
        protocol.local_candidate = Candidate("9", 1, "udp", 1, "198.51.100.1", 6000, "relay")
        protocol.transport = _Closed(protocol)
        return protocol.local_candidate, protocol

    monkeypatch.setattr(aioice.ice, "relayed_candidate", relayed)
    made, _, _ = connection(
        IceServer("turns:turn.example.com?transport=tcp", "u", "p"), ice_transport_policy="relay"
    )
    await made.gather_candidates()
    assert [c.type for c in made.local_candidates] == ["relay"]
    assert asked[0]["turn_server"] == ("turn.example.com", 5349)
    assert asked[0]["turn_ssl"] is Server("turns", ("", 0)).tls()
    assert (asked[0]["turn_transport"], asked[0]["turn_username"]) == ("tcp", "u")
    assert asked[0]["hide_related_address"]
    assert len(made._protocols) == 1
    await made.close()


class _Closed:
    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def close(self) -> None:
        self.protocol.connection_lost(None)


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["192.0.2.1"])
    assert host_addresses() == ["192.0.2.1"]
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    assert host_addresses() == ["127.0.0.1"]


@pytest.mark.realtime
async def test_a_connection_that_trickles_waits_for_no_server() -> None:
    late, dead = await stun_server(delay=0.1), await stun_server(answers=False)
    made, gathering, done = connection(late.url, dead.url, ice_gathering_timeout=0.3)
    found: list[str] = []
    gathering.on_found = found.append
    gathering.trickles = True
    started = time.monotonic()
    await made.gather_candidates()
    assert time.monotonic() - started < 0.08
    assert [line.split()[7] for line in found] == ["host"]
    assert (gathering.is_complete, done) == (False, [])
    await until(lambda: done)
    assert [line.split()[7] for line in found] == ["host", "srflx"]
    assert gathering.candidates == found
    assert gathering.is_complete
    await made.close()
    for server in (late, dead):
        server.transport.close()


@pytest.mark.realtime
async def test_the_end_of_the_peers_candidates_waits_for_ours() -> None:
    """Or ICE would fail when our host candidates have, before a relay of ours is there."""
    dead = await stun_server(answers=False)
    made, gathering, done = connection(dead.url, ice_gathering_timeout=10)
    gathering.trickles = True
    await made.add_remote_candidate(None)
    await made.gather_candidates()
    assert not made._remote_candidates_end
    gathering.stop()
    await until(lambda: done)
    await until(lambda: made._remote_candidates_end)
    await made.close()
    dead.transport.close()


@pytest.mark.realtime
async def test_a_relay_that_comes_late_is_paired_with_what_the_peer_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = asyncio.Event()

    async def relayed(**kwargs: Any) -> tuple[Candidate, Any]:
        await answer.wait()
        protocol = kwargs["protocol_factory"]()
        protocol.local_candidate = Candidate("9", 1, "udp", 1, "198.51.100.1", 6000, "relay")
        protocol.transport = _Closed(protocol)
        return protocol.local_candidate, protocol

    monkeypatch.setattr(aioice.ice, "relayed_candidate", relayed)
    made, gathering, done = connection(IceServer("turn:turn.example.com", "u", "p"), ice_gathering_timeout=10)
    gathering.trickles = True
    await made.gather_candidates()
    await made.add_remote_candidate(Candidate("1", 1, "udp", 1, "192.0.2.77", 4000, "host"))
    answer.set()
    await until(lambda: done)
    assert [c.type for c in made.local_candidates] == ["host", "relay"]
    assert {pair.local_candidate.type for pair in made._check_list} >= {"relay"}
    await made.close()


@pytest.mark.realtime
async def test_stopped_before_it_has_begun_no_server_is_asked() -> None:
    server = await stun_server()
    made, gathering, done = connection(server.url)
    gathering.on_found = lambda line: gathering.stop()
    await made.gather_candidates()
    assert (server.requests, done, gathering.is_complete) == (0, ["gathered"], True)
    await made.close()
    server.transport.close()


@pytest.mark.realtime
async def test_a_machine_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = ["127.0.0.1", "127.0.0.2"]
    monkeypatch.setattr("sipua.media.gathering.host_addresses", lambda: list(addresses))
    made, gathering, _ = connection(ice_host_addresses=None)
    assert not gathering.has_moved  # nothing was looked for so far
    await made.gather_candidates()
    addresses.append("127.0.0.3")
    assert not gathering.has_moved
    addresses.remove("127.0.0.1")
    assert gathering.has_moved
    await made.close()
