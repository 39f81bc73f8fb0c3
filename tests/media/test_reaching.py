"""Asking STUN and TURN servers on loopback, good ones and bad ones."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest

from sipua.media.ice_servers import parse_servers
from sipua.media.interface import IceServer
from sipua.media.reaching import IceServerError, Reached, reach, why
from tests.cli.doctor.relay import PASSWORD, RELAYED, USER, Relay, relay, relay_over_tcp
from tests.transport.conftest import Certificates, certificates  # noqa: F401 - a fixture

pytestmark = pytest.mark.realtime


async def ask(
    url: str, user: str | None = None, password: str | None = None, timeout: float = 5.0
) -> Reached:
    (server,) = parse_servers([IceServer(url, user, password)])
    return await reach(server, timeout)


async def fault_of(url: str, *credentials: str, timeout: float = 5.0) -> tuple[str, str]:
    with pytest.raises(IceServerError) as caught:
        await ask(url, *credentials, timeout=timeout)
    return caught.value.fault, caught.value.detail


async def test_stun_tells_our_address() -> None:
    async with relay() as (_, where):
        reached = await ask(f"stun:{where}")
    assert reached.mapped[0] == "127.0.0.1"
    assert reached.relayed is None
    assert f"{reached.server[0]}:{reached.server[1]}" == where


async def test_turn_relays_and_the_allocation_is_given_back() -> None:
    async with relay() as (server, where):
        reached = await ask(f"turn:{where}", USER, PASSWORD)
        assert reached.relayed == RELAYED
        allocating = [request for request in server.requests if request != "BINDING"]
        assert allocating == ["ALLOCATE", "ALLOCATE", "REFRESH"]
        assert server.allocations == 0


async def test_turn_over_tcp() -> None:
    async with relay_over_tcp() as (server, where):
        reached = await ask(f"turn:{where}?transport=tcp", USER, PASSWORD)
        assert reached.relayed == RELAYED
        assert server.allocations == 0


ipv6 = pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="this machine has no IPv6")


@ipv6
async def test_ipv6_is_for_turn_only() -> None:
    async with relay(host="::1") as (server, where):
        reached = await ask(f"turn:{where}", USER, PASSWORD)
        assert (reached.server[0], reached.mapped[0], reached.relayed) == ("::1", "::1", RELAYED)
        server.requests.clear()
        assert await fault_of(f"stun:{where}") == (
            "family",
            "it has an IPv6 address, and STUN servers are asked over IPv4 only",
        )
        assert server.requests == []


async def test_credentials() -> None:
    async with relay() as (_, where):
        assert await fault_of(f"turn:{where}", USER, "wrong") == ("credentials", "401 Unauthorized")
        assert await fault_of(f"turn:{where}") == ("no credentials", "401 Unauthorized")


@pytest.mark.parametrize("scheme", ["stun", "turn"])
async def test_refusal(scheme: str) -> None:
    async with relay(lambda: Relay((486, "Allocation Quota Reached"))) as (_, where):
        assert await fault_of(f"{scheme}:{where}", USER, PASSWORD) == (
            "refusal",
            "486 Allocation Quota Reached",
        )


@pytest.mark.parametrize("scheme", ["stun", "turn"])
async def test_silence(scheme: str) -> None:
    async with relay(lambda: Relay(mute=True)) as (_, where):
        assert await fault_of(f"{scheme}:{where}", USER, PASSWORD, timeout=0.2) == (
            "silence",
            "no answer within 0.2 s",
        )


def closed_port(kind: socket.SocketKind) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_nothing_there() -> None:
    port = closed_port(socket.SOCK_DGRAM)
    assert await fault_of(f"stun:127.0.0.1:{port}") == ("refused", "connection refused")
    # The network says so at once: nobody waits for the timeout.
    assert await fault_of(f"turn:127.0.0.1:{port}", USER, PASSWORD, timeout=60) == (
        "refused",
        "connection refused",
    )
    port = closed_port(socket.SOCK_STREAM)
    fault = await fault_of(f"turn:127.0.0.1:{port}?transport=tcp", USER, PASSWORD)
    assert fault == ("refused", "connection refused")


async def test_answer_without_an_address() -> None:
    async with relay(lambda: Relay(mapped=False)) as (_, where):
        fault, _ = await fault_of(f"stun:{where}")
        assert fault == "nonsense"


async def test_no_tls_at_a_turns_port() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"this is no TLS record, as everybody can see\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(garbage, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        fault, _ = await fault_of(f"turns:127.0.0.1:{port}?transport=tcp", USER, PASSWORD)
        assert fault == "tls"


async def test_turns_with_a_certificate_of_our_own(certificates: Certificates) -> None:  # noqa: F811
    async with relay_over_tcp(certificates.server("localhost")) as (_, where):
        url = f"turns:{where.replace('127.0.0.1', 'localhost')}"
        fault, detail = await fault_of(url, USER, PASSWORD)
        assert (fault, detail) == ("tls", "unable to get local issuer certificate")
        for trust in ({"ca_file": certificates.ca_file}, {"insecure": True}):
            (server,) = parse_servers([IceServer(url, USER, PASSWORD, **trust)])
            assert (await reach(server, 5.0)).relayed == RELAYED


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("XOR-MAPPED-ADDRESS"), "its answer lacks XOR-MAPPED-ADDRESS"),
        (
            ConnectionError("TURN allocation response is missing LIFETIME"),
            "TURN allocation response is missing LIFETIME",
        ),
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('192.0.2.1', 1)"),
            "connection refused",
        ),
        (OSError("Multiple exceptions: [Errno 111]"), "Multiple exceptions: [Errno 111]"),
        (ConnectionResetError(), "it hung up"),
        (TimeoutError(), "no answer within 3 s"),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "its name is not known (Name or service not known)",
        ),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_what_is_wrong_in_words(error: Exception, said: str) -> None:
    (server,) = parse_servers([IceServer("turn:t.example.com", "u", "p")])
    assert str(why(server, error, 3.0)) == said


async def test_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    assert await fault_of("stun:stun.invalid") == ("name", "Name or service not known")
