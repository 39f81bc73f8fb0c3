"""``sipua register`` against the embedded server, over real sockets on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.server import serve as websocket_server

from sipua.cli.exits import ExitCode
from sipua.server import Server
from tests.cli.commands import (
    account,
    server,
    sipua,
    waiting,
)

pytestmark = pytest.mark.realtime


async def test_register_says_what_was_granted_and_leaves_nothing_behind() -> None:
    async with server() as s:
        done = await sipua("register", *account(s))
        assert done == (
            ExitCode.OK,
            f"connected to {s.url}\nregistered as sip:alice@localhost for 600 s\nnot registered any more\n",
            "",
        )
        assert s.registrations() == {}


async def test_register_stays_as_long_as_asked() -> None:
    async with server() as s:
        task = asyncio.ensure_future(
            sipua("register", *account(s), "--duration", "0.8", "--expires", "120", "--json")
        )
        await asyncio.sleep(0.5)
        assert list(s.registrations()) == ["alice"]
        done = await task
        assert done.code == ExitCode.OK
        assert done.event("registered")["expires"] == 120
        assert [event["event"] for event in done.events] == [
            "connecting",
            "connected",
            "registered",
            "unregistered",
            "disconnected",
            "done",
        ]
        assert {event["schema"] for event in done.events} == {"sipua/1"}


async def test_wrong_password() -> None:
    async with server() as s:
        done = await sipua("register", *account(s, password="wrong"))
        assert done.code == ExitCode.UNAUTHORISED
        assert done.err.startswith("sipua register: ")
        assert "401 Unauthorized; wrong user name or password: check --uri" in done.err
        assert done.err.count("\n") == 1
        call = await sipua("call", "600", *account(s, password="wrong"), "--json")
        assert call.code == ExitCode.UNAUTHORISED
        assert call.event("failed")["status"] == 407
        assert call.event("error")["exit_code"] == ExitCode.UNAUTHORISED
        assert call.event("done")["exit_code"] == ExitCode.UNAUTHORISED


async def test_dead_server() -> None:
    done = await sipua("register", "--uri", "sip:a@b", "--server", "ws://127.0.0.1:1/")
    assert done == (
        ExitCode.FAILED,
        "",
        "sipua register: ws://127.0.0.1:1/: connection refused: is the server running, and is it this port?\n",
    )


async def test_second_server_is_used_when_the_first_is_dead() -> None:
    async with server() as s:
        done = await sipua("register", "--server", "ws://127.0.0.1:1/", *account(s), "--timeout", "20")
        assert done.code == ExitCode.OK
        assert f"connected to {s.url}" in done.out


async def test_server_that_accepts_and_says_nothing() -> None:
    silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with silent:
        done = await sipua(
            "register", "--uri", "sip:a@b", "--server", f"ws://127.0.0.1:{port}/", "--timeout", "0.5"
        )
    assert done.code == ExitCode.TIMEOUT
    assert f"127.0.0.1:{port}" in done.err
    assert "0.5 s" in done.err
    assert done.err.count("\n") == 1


async def test_server_without_the_sub_protocol() -> None:
    async with websocket_server(lambda connection: connection.wait_closed(), "127.0.0.1", 0) as other:
        port = next(iter(other.sockets)).getsockname()[1]
        done = await sipua("register", "--uri", "sip:a@b", "--server", f"ws://127.0.0.1:{port}/")
    assert done.code == ExitCode.FAILED
    assert "did not select the sub-protocol sip" in done.err
    assert done.err.count("\n") == 1


async def test_certificates(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    async with Server({"alice": "secret"}, port=None, certificate=cert, private_key=key, apps=False) as s:
        url = s.url.replace("127.0.0.1", "localhost")
        args = ("register", "--uri", "sip:alice@localhost", "--password", "secret", "--server", url)
        untrusted = await sipua(*args)
        assert untrusted.code == ExitCode.FAILED
        assert "certificate not trusted" in untrusted.err
        assert "--ca-file" in untrusted.err
        assert "--insecure" in untrusted.err
        assert untrusted.err.count("\n") == 1
        assert (await sipua(*args, "--ca-file", str(cert))).code == ExitCode.OK
        insecure = await sipua(*args, "--insecure")
        assert insecure.code == ExitCode.OK
        assert "insecure: certificates are not checked" in insecure.out


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody has signed, and its key."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


def written(config: Path, mode: int, text: str) -> None:
    config.write_text(text)
    config.chmod(mode)


async def test_duration_of_the_account(config: Path) -> None:
    async with server() as s:
        text = f'[accounts.a]\nuri = "sip:alice@localhost"\nserver = "{s.url}"\npassword = "secret"\nexpires = 90\n'
        written(config, 0o600, text)
        assert "registered as sip:alice@localhost for 90 s\n" in (await sipua("register")).out
        longer = await sipua("register", "--expires", "120")
        assert "registered as sip:alice@localhost for 120 s\n" in longer.out
        written(config, 0o644, text)
        warned = await sipua("register")
        assert warned.out.startswith(f"{config}: others may read the password in it; chmod 600 {config}\n")


async def test_no_password_at_all() -> None:
    async with server() as s:
        done = await sipua("register", "--uri", "sip:alice@localhost", "--server", s.url)
        assert done.code == ExitCode.UNAUTHORISED
        assert (
            "401 Unauthorized; it wants a password: set SIPUA_PASSWORD, or give --password-file" in done.err
        )


async def test_messages_are_shown_as_long_as_it_stays() -> None:
    async with server() as s:
        task = asyncio.ensure_future(sipua("register", *account(s), "--duration", "1.5", "--json"))
        await waiting(s, "alice")
        sent = await sipua("message", "alice", "red \x1b[31malert", *account(s, "bob"))
        assert sent.code == ExitCode.OK, sent
        heard = (await task).event("message")
        assert (heard["remote"], heard["local"]) == ("sip:bob@localhost", "sip:alice@localhost")
        assert (heard["content_type"], heard["body"]) == ("text/plain", "red \x1b[31malert")
