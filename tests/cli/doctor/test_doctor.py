"""``sipua doctor`` against set-ups that are broken in one way each, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from sipua.cli.doctor import connection, echo
from sipua.cli.exits import ExitCode
from sipua.media import SignallingOnlyMedia
from sipua.server import Server
from sipua.session import RTCSession
from sipua.ua import UA
from tests.cli.commands import LOOPBACK, Result, account, child, line_with, server, sipua
from tests.cli.doctor.relay import PASSWORD, USER, Relay, relay, relay_over_tcp
from tests.transport.conftest import Certificates, certificates  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.realtime

WHO = ("--uri", "sip:alice@localhost", "--password", "secret")


@pytest.fixture(autouse=True)
def _log_of_the_server_is_not_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("sipua.server"), "propagate", False)


@pytest.fixture(autouse=True)
def _short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "LENGTH", 1.4)


async def doctor(*args: str) -> Result:
    return await sipua("doctor", "--loopback", *args, "--json")


def check(done: Result, name: str) -> dict[str, Any]:
    (found,) = [event for event in done.all("check") if event["check"] == name]
    return found


def wrong(done: Result, name: str) -> tuple[str, str]:
    """What is wrong by this check, and the remedy; what comes before it is well."""
    checks = done.all("check")
    names = [event["check"] for event in checks]
    assert [event["state"] for event in checks[: names.index(name)]] == ["ok"] * names.index(name)
    found = check(done, name)
    assert found["state"] == "failed", found
    assert done.code == done.event("diagnosis")["exit_code"] != 0
    assert found["remedy"]
    return found["detail"], found["remedy"]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- nothing wrong ----------------------------------------------------------------------------------------


async def test_all_is_well() -> None:
    async with server() as s, relay() as (_, where):
        servers = ("--ice-server", f"stun:{where}", "--ice-server", f"turn:{where}")
        done = await doctor(
            *account(s), *servers, "--ice-user", USER, "--ice-password", PASSWORD, "--call", "600"
        )
        assert s.registrations() == {}
    assert [(event["check"], event["state"]) for event in done.all("check")] == [
        ("name", "ok"),
        ("TCP", "ok"),
        ("WebSocket", "ok"),
        ("register", "ok"),
        ("STUN", "ok"),
        ("TURN", "ok"),
        ("candidates", "ok"),
        ("call", "ok"),
    ]
    assert check(done, "candidates")["detail"] == "1 own, 1 by STUN, 1 by TURN"
    assert check(done, "call")["detail"].startswith("the echo is there: opus/48000, ")
    assert all(event["seconds"] is not None for event in done.all("check"))
    assert done.code == ExitCode.OK
    assert done.event("diagnosis")["failed"] == 0


async def test_for_people() -> None:
    async with server() as s:
        done = await sipua("doctor", "--loopback", *account(s, password="wrong"))
    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["✓", "name"],
        ["✓", "TCP"],
        ["✓", "WebSocket"],
        ["✗", "register"],
    ]
    assert lines[4].lstrip().startswith("→ check --uri and the password")
    assert lines[5].startswith("! candidates")
    assert lines[-1] == "1 thing is wrong; begin with the first one"
    assert (done.code, done.err) == (ExitCode.UNAUTHORISED, "")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--uri", "nonsense"), "--uri nonsense: "),
        (("--server", "http://localhost/"), "--server http://localhost/: not a WebSocket URL"),
        (("--server", "ws://localhost:0/"), "--server ws://localhost:0/: port 0"),
        (("--timeout", "0"), "'--timeout': '0' is not a time"),
        (("--timeout", "soon"), "'--timeout': 'soon' is not a time"),
        (("--call", ""), "''"),
        (("--call", "sip:a b"), "'sip:a b'"),
        (("--ice-server", "foo"), "--ice-server foo: no URL of a STUN or TURN server"),
        (("--ice-server", "stun:x?transport=tcp"), "--ice-server stun:x?transport=tcp: no URL of"),
        (("--ice-server", "turn:x:70000"), "--ice-server turn:x:70000: ports go from 1 to 65535"),
        (("--ca-file", "/nonexistent"), "--ca-file /nonexistent: cannot be read"),
        (("--loud",), "No such option"),
        (("extra",), "unexpected extra argument"),
    ],
)
async def test_bad_input_is_told_in_one_line_before_anything_is_done(
    args: tuple[str, ...], said: str
) -> None:
    done = await sipua("doctor", "--server", "ws://localhost/", *WHO, *args)
    assert done.code == ExitCode.USAGE
    assert said in done.err
    assert done.err.startswith("sipua doctor: ")
    assert done.err.count("\n") == 1
    assert done.out == ""


async def test_ctrl_c() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as listening:
        url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        args = (
            "doctor",
            *WHO,
            "--server",
            url,
            "--ice-server",
            "stun:127.0.0.1:9",
            "--timeout",
            "60",
            "--json",
        )
        async with child(*args) as process:
            await line_with(process, '"TCP"')
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(10):
                out, err = await process.communicate()
            assert process.returncode == ExitCode.INTERRUPTED
            assert b'"interrupted"' in out
            assert b'"exit_code": 130' in out
            assert err == b""


# --- the way to the server --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "said", "to_do"),
    [
        (socket.EAI_NONAME, "the name is not known (no answer for it)", "check the spelling in --server"),
        (
            socket.EAI_AGAIN,
            "the name cannot be looked up (no answer for it)",
            "the name server does not answer",
        ),
    ],
)
async def test_unknown_name(monkeypatch: pytest.MonkeyPatch, number: int, said: str, to_do: str) -> None:
    real = asyncio.BaseEventLoop.getaddrinfo

    async def unknown(loop: Any, host: Any, *args: Any, **options: Any) -> Any:
        if host == "sip.invalid":
            raise socket.gaierror(number, "no answer for it")
        return await real(loop, host, *args, **options)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", unknown)
    done = await doctor(*WHO, "--server", "wss://sip.invalid/ws")
    detail, remedy = wrong(done, "name")
    assert detail == said
    assert to_do in remedy
    assert check(done, "register")["state"] == "skipped"
    assert done.code == ExitCode.FAILED


async def test_closed_port() -> None:
    done = await doctor(*WHO, "--server", f"ws://127.0.0.1:{closed_port()}/", "--call", "600")
    detail, remedy = wrong(done, "TCP")
    assert detail == "connection refused"
    assert "is the server running" in remedy
    assert check(done, "call")["state"] == "skipped"


async def test_firewall_that_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: Any, **options: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(connection, "open_connection", never)
    done = await doctor(*WHO, "--server", "ws://127.0.0.1/", "--timeout", "0.2")
    detail, remedy = wrong(done, "TCP")
    assert detail == "no answer"
    assert remedy.startswith("a firewall on the way drops it")
    assert done.code == ExitCode.TIMEOUT


async def test_server_that_waits_for_something_else_than_tls() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        done = await doctor(*WHO, "--server", f"wss://127.0.0.1:{port}/", "--timeout", "0.3")
        plain = await doctor(*WHO, "--server", f"ws://127.0.0.1:{port}/", "--timeout", "0.3")
    detail, remedy = wrong(done, "TLS")
    assert detail == "no answer to the handshake within 0.3 s"
    assert "ws://" in remedy
    detail, remedy = wrong(plain, "WebSocket")
    assert detail == "no answer within 0.3 s (connected, but no answer to the WebSocket upgrade)"
    assert remedy == "is it a WebSocket server, and does it still work?"
    assert plain.code == ExitCode.TIMEOUT


async def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "no_proxy", "NO_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{closed_port()}")
    done = await doctor(*WHO, "--server", "wss://sip.example.com/ws")
    detail, _ = wrong(done, "WebSocket")
    assert check(done, "proxy")["target"].startswith("127.0.0.1:")
    assert "through the proxy" in detail or "through the proxy" in check(done, "WebSocket")["remedy"]
    assert "secret" not in done.out


@contextlib.asynccontextmanager
async def tls_server(certificates: Certificates, name: str) -> AsyncIterator[str]:  # noqa: F811
    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    context = certificates.server(name)
    async with serve_websocket(handler, "127.0.0.1", 0, ssl=context) as listening:
        yield f"wss://localhost:{next(iter(listening.sockets)).getsockname()[1]}/"


@pytest.mark.parametrize(
    ("name", "said", "to_do"),
    [
        ("expired", "the certificate expired on ", "renew it on the server"),
        ("future", "the certificate is not valid before ", "check the clock"),
        ("self", "the certificate of localhost is self-signed: nobody vouches for it", "give --ca-file"),
        (
            "other",
            "the certificate is for sip.example.com, and not for localhost",
            "use that name in --server",
        ),
    ],
)
async def test_certificates(certificates: Certificates, name: str, said: str, to_do: str) -> None:  # noqa: F811
    async with tls_server(certificates, name) as url:
        done = await doctor(*WHO, "--server", url, "--ca-file", certificates.ca_file)
    detail, remedy = wrong(done, "TLS")
    assert detail.startswith(said)
    assert to_do in remedy


async def test_authority_that_is_not_known(certificates: Certificates) -> None:  # noqa: F811
    async with tls_server(certificates, "localhost") as url:
        done = await doctor(*WHO, "--server", url)
        insecure = await doctor(*WHO, "--server", url, "--insecure")
        trusted = await doctor(*WHO, "--server", url, "--ca-file", certificates.ca_file)
    detail, remedy = wrong(done, "TLS")
    assert detail == "the certificate is signed by Test CA, which is not trusted here"
    assert "--ca-file with the certificate of Test CA" in remedy
    assert check(insecure, "TLS")["state"] == "warning"
    # It is valid for a day: that is told, too.
    assert check(trusted, "TLS")["state"] == "warning"
    assert "certificate valid until" in check(trusted, "TLS")["detail"]


async def test_no_tls_at_that_port() -> None:
    async with server() as s:
        done = await doctor(*WHO, "--server", s.url.replace("ws://", "wss://"))
    detail, remedy = wrong(done, "TLS")
    assert "does not speak TLS" in detail or "hung up during the handshake" in detail
    assert "ws://" in remedy


async def test_web_server_that_has_no_websocket() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        done = await doctor(*WHO, "--server", f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
    detail, remedy = wrong(done, "WebSocket")
    assert detail == "the server answered HTTP 404 Not Found"
    assert "Asterisk has /ws" in remedy


@pytest.mark.parametrize(
    ("status", "to_do"),
    [
        ("200 OK", "it does not offer a WebSocket here"),
        ("401 Unauthorized", "it wants HTTP authentication: user:password@ before the host"),
        ("403 Forbidden", "not allowed; perhaps it checks the header Origin"),
        ("502 Bad Gateway", "the server behind it is down"),
    ],
)
async def test_what_web_servers_say(status: str, to_do: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        done = await doctor(*WHO, "--server", f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
    assert wrong(done, "WebSocket") == (f"the server answered HTTP {status}", to_do)
    assert done.code == ExitCode.FAILED


async def test_tls_where_the_url_says_that_there_is_none(certificates: Certificates) -> None:  # noqa: F811
    async with tls_server(certificates, "self") as url:
        done = await doctor(*WHO, "--server", url.replace("wss://", "ws://"))
    assert wrong(done, "WebSocket") == ("the server speaks TLS at this port", "begin the URL with wss://")


async def test_websocket_without_the_sub_protocol() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve_websocket(handler, "127.0.0.1", 0) as listening:
        done = await doctor(
            *WHO, "--server", f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/"
        )
    detail, remedy = wrong(done, "WebSocket")
    assert detail == "a WebSocket, but its server does not speak the sub-protocol sip"
    assert "path" in remedy


# --- registration -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "said", "to_do"),
    [
        (
            ("--password", "wrong"),
            "the server does not take alice with this password (401)",
            "check --uri and the password",
        ),
        ((), "the server wants a password", "--password-prompt"),
    ],
)
async def test_password(password: tuple[str, ...], said: str, to_do: str) -> None:
    async with server() as s:
        done = await doctor("--uri", "sip:alice@localhost", *password, "--server", s.url)
    detail, remedy = wrong(done, "register")
    assert detail.startswith(said)
    assert to_do in remedy
    assert done.code == ExitCode.UNAUTHORISED


async def test_server_that_says_nothing() -> None:
    async def handler(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async with serve_websocket(handler, "127.0.0.1", 0, subprotocols=["sip"]) as listening:  # type: ignore[list-item]
        url = f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/"
        done = await doctor(*WHO, "--server", url, "--timeout", "0.5")
    detail, remedy = wrong(done, "register")
    assert detail == "the WebSocket is up, but no answer to REGISTER came"
    assert "is there a SIP server behind it?" in remedy
    assert done.code == ExitCode.TIMEOUT


# --- STUN and TURN ----------------------------------------------------------------------------------------


async def test_dead_stun_server() -> None:
    async with server() as s, relay(lambda: Relay(mute=True)) as (_, where):
        done = await doctor(*account(s), "--ice-server", f"stun:{where}", "--timeout", "0.6")
    detail, remedy = wrong(done, "STUN")
    assert detail == "no answer within 0.6 s"
    assert "firewall" in remedy
    assert done.code == ExitCode.TIMEOUT


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
                *account(s), *more, "--ice-user", "a", "--ice-password", "b", "--timeout", "2"
            )
            assert time.monotonic() - began < 10
    refused, *silence = [event for event in done.all("check") if event["check"] == "TURN"]
    assert (refused["detail"], refused["seconds"] < 1.5) == ("connection refused", True)
    assert refused["remedy"].startswith("nothing listens there")
    for event in silence:
        assert event["detail"] == "no answer within 2 s"
        assert "firewall let TCP" in event["remedy"]
        assert 1.9 < event["seconds"] < 4
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


# --- the call ---------------------------------------------------------------------------------------------


async def test_echo_that_is_not_there() -> None:
    async with server() as s:
        done = await doctor(*account(s), "--call", "nobody")
    assert check(done, "call")["detail"] == "not answered: 404 Not Found"
    assert check(done, "call")["remedy"].startswith("there is no such number")
    assert done.code == ExitCode.REJECTED


@contextlib.asynccontextmanager
async def bob(s: Server, answer: Any) -> AsyncIterator[None]:
    ua = UA("sip:bob@localhost", sockets=s.url, password="secret", media_options=LOOPBACK)
    ua.on("new_rtc_session", lambda event: answer(event.session))
    async with ua:
        yield


async def test_echo_that_refuses() -> None:
    def refuse(call: RTCSession) -> None:
        call.terminate(status_code=486)

    async with server() as s, bob(s, refuse):
        done = await doctor(*account(s), "--call", "bob")
    assert check(done, "call")["detail"] == "not answered: 486 Busy Here"
    assert done.code == ExitCode.BUSY


async def test_no_echo_but_silence() -> None:
    async with server() as s, bob(s, lambda call: call.answer()):
        done = await doctor(*account(s), "--call", "bob")
    assert check(done, "call")["state"] == "failed"
    assert "only silence" in check(done, "call")["detail"]
    assert check(done, "call")["remedy"].startswith(
        "it gets our sound, by its reports: is the target an echo"
    )
    assert done.code == ExitCode.FAILED


async def test_sound_that_does_not_get_through() -> None:
    async with server() as s:
        nowhere = UA("sip:bob@localhost", sockets=s.url, password="secret", media=SignallingOnlyMedia)
        nowhere.on("new_rtc_session", lambda event: event.session.answer())
        async with nowhere:
            done = await doctor(*account(s), "--call", "bob")
    fault = check(done, "call")
    assert fault["state"] == "failed"
    assert done.code == ExitCode.FAILED
