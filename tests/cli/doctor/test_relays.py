"""STUN and TURN servers that are broken in one way each."""

from __future__ import annotations

import socket
import time

import pytest

from sipua.cli.exits import ExitCode
from tests.cli.commands import account, server
from tests.cli.doctor.examining import check, doctor, wrong
from tests.cli.doctor.relay import PASSWORD, USER, Relay, relay, relay_over_tcp
from tests.transport.conftest import Certificates, certificates  # noqa: F401 - a fixture

pytestmark = pytest.mark.realtime


async def test_dead_stun_server() -> None:
    async with server() as s, relay(lambda: Relay(mute=True)) as (_, where):
        done = await doctor(*account(s), "--ice-server", f"stun:{where}", "--timeout", "0.6")
    detail, remedy = wrong(done, "STUN")
    assert detail == "no answer within 0.6 s"
    assert "firewall" in remedy
    assert done.code == ExitCode.TIMEOUT


async def test_stun_server_with_an_ipv6_address() -> None:
    async with server() as s:
        done = await doctor(*account(s), "--ice-server", "stun:[::1]:3478")
    detail, remedy = wrong(done, "STUN")
    assert detail == "it has an IPv6 address, and STUN servers are asked over IPv4 only"
    assert remedy.startswith("give an IPv4 address, or a name that has one")


async def test_turn_server_that_does_not_take_the_password() -> None:
    async with server() as s, relay() as (_, where):
        turn = ("--ice-server", f"turn:{where}")
        done = await doctor(*account(s), *turn, "--ice-user", USER, "--ice-password", "wrong")
        without = await doctor(*account(s), *turn)
    detail, remedy = wrong(done, "TURN")
    assert detail == "it does not take user name and password (401 Unauthorized)"
    assert "--ice-password" in remedy
    assert done.code == ExitCode.UNAUTHORISED
    assert check(done, "candidates")["state"] == "warning"
    assert "none by TURN" in check(done, "candidates")["detail"]
    assert done.all("warning") == []  # the check has told it
    assert done.err == ""
    detail, _ = wrong(without, "TURN")
    assert detail == "it wants user name and password (401 Unauthorized)"


async def test_turn_credentials_whose_time_is_over() -> None:
    async with server() as s, relay() as (_, where):
        turn = ("--ice-server", f"turn:{where}", "--ice-password", "x")
        done = await doctor(*account(s), *turn, "--ice-user", "1700000000:alice")
        valid = await doctor(*account(s), *turn, "--ice-user", "9999999999:alice")
    detail, remedy = wrong(done, "TURN")
    assert detail.endswith("(401 Unauthorized): by the user name they were valid until 2023-11-14 22:13 UTC")
    assert remedy.startswith("get new credentials")
    assert wrong(valid, "TURN")[0] == "it does not take user name and password (401 Unauthorized)"


async def test_turn_server_where_nothing_listens() -> None:
    """Refused is told at once, silence after the time-out; all servers are asked together."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe, socket.socket() as mute:
        probe.bind(("127.0.0.1", 0))
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port, silent = probe.getsockname()[1], mute.getsockname()[1]
        probe.close()
        urls = [f"turn:127.0.0.1:{port}", *2 * [f"turn:127.0.0.1:{silent}?transport=tcp"]]
        more = [argument for url in urls for argument in ("--ice-server", url)]
        async with server() as s:
            began = time.monotonic()
            done = await doctor(
                *account(s), *more, "--ice-user", "a", "--ice-password", "b", "--timeout", "1"
            )
            assert time.monotonic() - began < 10
    refused, *silence = [event for event in done.all("check") if event["check"] == "TURN"]
    assert refused["detail"] == "connection refused"
    assert refused["remedy"].startswith("nothing listens there")
    for event in silence:
        assert event["detail"] == "no answer within 1 s"
        assert "firewall let TCP" in event["remedy"]
        assert 0.9 < event["seconds"] < 4
    assert done.code == ExitCode.FAILED


@pytest.mark.parametrize(
    ("name", "said", "to_do"),
    [
        ("localhost", "signed by Test CA, which is not trusted here", "give --ca-file"),
        ("expired", "the certificate expired on ", "renew it on the server"),
        ("other", "is for sip.example.com, and not for localhost", "use that name in --ice-server"),
    ],
)
async def test_certificate_of_a_turn_server(
    certificates: Certificates,  # noqa: F811
    name: str,
    said: str,
    to_do: str,
) -> None:
    trusted = ("--ca-file", certificates.ca_file) if name != "localhost" else ()
    async with server() as s, relay_over_tcp(certificates.server(name)) as (_, where):
        turn = ("--ice-server", f"turns:{where.replace('127.0.0.1', 'localhost')}")
        credentials = ("--ice-user", USER, "--ice-password", PASSWORD)
        done = await doctor(*account(s), *turn, *credentials, *trusted)
        insecure = await doctor(*account(s), *turn, *credentials, "--insecure")
        plain = await doctor(
            *account(s), "--ice-server", turn[1].replace("turns:", "turn:"), *credentials, "--timeout", "1"
        )
    detail, remedy = wrong(done, "TURN")
    assert said in detail
    assert to_do in remedy
    assert check(insecure, "TURN")["state"] == "warning"
    assert "not checked (--insecure)" in check(insecure, "TURN")["detail"]
    assert check(plain, "TURN")["state"] == "failed"


async def test_no_tls_at_the_port_of_a_turn_server() -> None:
    async with server() as s:
        turn = f"turns:{s.url.removeprefix('ws://').rstrip('/')}"
        done = await doctor(*account(s), "--ice-server", turn, "--ice-user", "a", "--ice-password", "b")
    detail, remedy = wrong(done, "TURN")
    assert "does not speak TLS" in detail or "hung up during the handshake" in detail
    assert "turn:" in remedy


async def test_turn_server_that_is_full() -> None:
    async with server() as s, relay(lambda: Relay((486, "Allocation Quota Reached"))) as (_, where):
        done = await doctor(
            *account(s), "--ice-server", f"turn:{where}", "--ice-user", "a", "--ice-password", "b"
        )
    detail, remedy = wrong(done, "TURN")
    assert detail == "it refuses: 486 Allocation Quota Reached"
    assert "too many allocations" in remedy
    assert done.code == ExitCode.REJECTED
