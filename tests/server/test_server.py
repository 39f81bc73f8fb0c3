"""The server as an object: addresses, TLS, life; and over real WebSockets."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from sipua import UA, ConfigurationError, ConnectFailed, InvalidStateError
from sipua.media import SignallingOnlyMedia
from sipua.server import Server
from sipua.testing import MemoryNetwork

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.events import NewRTCSession
    from sipua.testing import Passed

ACCOUNTS = {"alice": "wonderland", "bob": "builder"}


def agent(server: Server, user: str, **options: Any) -> UA:
    options = {
        "sockets": server.connector(),
        "password": ACCOUNTS[user],
        "media": SignallingOnlyMedia,
        **options,
    }
    return UA(f"sip:{user}@example.com", **options)


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"accounts": {"600": "x"}}, "accounts"),
        ({"accounts": {"apps": "x"}}, "accounts"),
        ({"accounts": {"a b": "x"}}, "accounts"),
        ({"algorithms": ("ROT13",)}, "algorithms"),
        ({"private_key": "key.pem"}, "private_key"),
        ({"certificate": "nowhere.pem"}, "certificate"),
    ],
)
def test_wrong_options(options: dict[str, Any], key: str) -> None:
    accounts = options.pop("accounts", ACCOUNTS)
    with pytest.raises(ConfigurationError) as caught:
        Server(accounts, **options)
    assert caught.value.key == key


def test_the_numbers_are_free_without_the_apps() -> None:
    Server({"600": "x"}, apps=False)


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "certificate.pem"
    file.write_text("not a certificate")
    with pytest.raises(ConfigurationError, match="no PEM certificate"):
        Server(ACCOUNTS, certificate=file)


# --- in memory --------------------------------------------------------------------------------------------------------


async def test_a_call_between_two_user_agents() -> None:
    async with Server(ACCOUNTS, port=None, apps=False) as server:
        async with agent(server, "alice") as alice, agent(server, "bob") as bob:

            def answer(event: NewRTCSession) -> None:
                event.session.answer()

            bob.on("new_rtc_session", answer)
            async with alice.call("bob") as call:
                assert call.is_established()
            assert call.is_ended()
            await asyncio.sleep(40)
            assert server.counts() == {"connections": 2, "bindings": 2, "transactions": 0, "deadlines": 0}
        assert server.counts()["bindings"] == 0


async def test_without_a_port_there_is_no_url() -> None:
    async with Server(ACCOUNTS, port=None, apps=False) as server:
        with pytest.raises(InvalidStateError):
            server.url


async def test_connections_of_another_network() -> None:
    network = MemoryNetwork()
    network.down.delay = network.up.delay = 0.1
    passed: list[Passed] = []
    network.tap = passed.append
    async with Server(ACCOUNTS, port=None, apps=False) as server:
        network.listen("wss://sip.example.com/ws", server.accept)
        async with agent(server, "alice", sockets=network.connector("wss://sip.example.com/ws")):
            assert list(server.registrations()) == ["alice"]
    assert asyncio.get_running_loop().time() > 0.4
    assert passed


async def test_trace() -> None:
    server = Server(ACCOUNTS, port=None, apps=False)
    seen: list[tuple[str, str, str]] = []
    server.trace(lambda direction, peer, data: seen.append((direction, peer, str(data).split("\r\n")[0])))
    async with server, agent(server, "alice"):
        server.trace(None)
    assert seen == [
        ("in", "client 1", "REGISTER sip:example.com SIP/2.0"),
        ("out", "client 1", "SIP/2.0 401 Unauthorized"),
        ("in", "client 1", "REGISTER sip:example.com SIP/2.0"),
        ("out", "client 1", "SIP/2.0 200 OK"),
    ]


async def test_what_needs_a_running_server() -> None:
    server = Server(ACCOUNTS, port=None, apps=False)
    for question in (server.counts, server.registrations, lambda: server.urls):
        with pytest.raises(InvalidStateError):
            question()
    async with server:
        pass
    ua = agent(server, "alice")
    with pytest.raises(ConnectFailed):
        async with ua:
            pass


async def test_faults_of_the_network_are_not_for_the_apps() -> None:
    async with Server(ACCOUNTS, port=None, media=SignallingOnlyMedia) as server:
        server.network.up.delay = 1.0
        async with agent(server, "alice") as alice, alice.call("600"):
            began = asyncio.get_running_loop().time()
            server.network.server("ws://server.invalid/").cut()  # type: ignore[union-attr]
            assert server.counts()["connections"] == 1
            assert began > 3.0


async def test_stop_twice_and_start_again() -> None:
    server = Server(ACCOUNTS, port=None)
    await server.stop()
    for _ in range(2):
        await server.start()
        await server.stop()
        await server.stop()


async def test_clients_hear_of_the_end() -> None:
    server = Server(ACCOUNTS, port=None, apps=False)
    await server.start()
    alice = agent(server, "alice")
    gone: list[Any] = []
    alice.on("disconnected", gone.append)
    alice.start()
    await alice.ready()
    await server.stop()
    await asyncio.sleep(0.1)
    assert gone[0].code == 1001
    await alice.stop()


# --- over WebSockets --------------------------------------------------------------------------------------------------


@pytest.mark.realtime
async def test_websocket() -> None:
    async with Server(ACCOUNTS) as server:
        assert server.url.startswith("ws://127.0.0.1:")
        assert server.urls == (server.url,)
        async with (
            agent(server, "alice", sockets=server.url) as alice,
            agent(server, "bob", sockets=server.url) as bob,
        ):
            bob.on("new_rtc_session", lambda event: event.session.answer())
            async with alice.call("bob") as call:
                assert call.is_established()


@pytest.mark.realtime
@pytest.mark.parametrize("subprotocols", [None, ["chat"]])
async def test_a_client_that_does_not_speak_sip_is_refused(subprotocols: Any) -> None:
    async with Server(ACCOUNTS, apps=False) as server:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(server.url, subprotocols=subprotocols):
                pass
        assert caught.value.response.status_code == 400


@pytest.mark.realtime
async def test_text_and_binary_frames_and_no_compression() -> None:
    async with (
        Server(ACCOUNTS, apps=False) as server,
        connect(server.url, subprotocols=[Subprotocol("sip")]) as ws,
    ):
        assert ws.subprotocol == "sip"
        assert not ws.protocol.extensions
        for frame in ("\r\n\r\n", b"\r\n\r\n"):
            await ws.send(frame)
            assert await ws.recv() == "\r\n"


@pytest.mark.realtime
async def test_an_address_in_use() -> None:
    async with Server(ACCOUNTS, apps=False) as server:
        port = int(server.url.rstrip("/").rpartition(":")[2])
        with pytest.raises(ConnectFailed, match="cannot listen there"):
            await Server(ACCOUNTS, port=port, apps=False).start()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sipua test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = tmp_path / "server.pem"
    file.write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.mark.realtime
async def test_tls_beside_plain(certificate: Path) -> None:
    async with Server(ACCOUNTS, certificate=certificate) as server:
        plain, secure = server.urls
        assert server.url == plain
        assert secure.startswith("wss://127.0.0.1:")
        async with (
            agent(server, "alice", sockets=plain) as alice,
            agent(server, "bob", sockets=secure, ca_file=str(certificate)) as bob,
        ):
            vias: list[str] = []

            def answer(event: NewRTCSession) -> None:
                vias.extend(via.transport for via in event.session.request.via)
                event.session.answer()

            bob.on("new_rtc_session", answer)
            async with alice.call("bob"):
                pass
            assert vias == ["WSS", "WS"]


@pytest.mark.realtime
async def test_tls_only(certificate: Path) -> None:
    async with Server(ACCOUNTS, port=None, certificate=certificate, apps=False) as server:
        assert server.url.startswith("wss://")
        async with agent(server, "alice", sockets=server.url, ca_file=str(certificate)):
            assert list(server.registrations()) == ["alice"]
