"""The lab itself: the servers are up, are the ones that are meant, speak SIP, and can be trusted."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake

from sipua.media import IceServer
from sipua.media.ice_servers import parse_servers
from sipua.media.reaching import IceServerError, reach

if TYPE_CHECKING:
    from tests.lab.peers import AsteriskPeer, CoturnPeer, KamailioPeer, Peer

MODULES = Path(__file__).parents[1] / "lab" / "asterisk" / "modules.conf"
OPTIONS = """\
OPTIONS sip:{domain} SIP/2.0
Via: SIP/2.0/WS lab-check.invalid;branch=z9hG4bK-lab-check
Max-Forwards: 10
From: <sip:alice@{domain}>;tag=lab-check
To: <sip:{domain}>
Call-ID: lab-check@lab-check.invalid
CSeq: 1 OPTIONS
Content-Length: 0

""".replace("\n", "\r\n")


async def test_is_the_server_that_is_meant(server: Peer) -> None:
    version = await server.version()
    print(version)
    assert re.match({"asterisk": r"Asterisk 22\.", "kamailio": r"kamailio [56]\."}[server.name], version)


async def test_speaks_sip(server: Peer) -> None:
    async with connect(server.ws, subprotocols=["sip"], proxy=None) as socket:
        assert socket.subprotocol == "sip"
        await socket.send(OPTIONS.format(domain=server.domain))
        answer = str(await socket.recv())
    assert re.match(r"SIP/2\.0 (200|401|407) ", answer)
    assert re.search(r"^Call-ID: lab-check@", answer, re.MULTILINE)


async def test_refuses_a_websocket_without_sip(kamailio: KamailioPeer) -> None:
    with pytest.raises(InvalidHandshake):
        await connect(kamailio.ws, subprotocols=["xmpp"], proxy=None)


async def test_certificate_verifies_with_the_labs_authority(server: Peer) -> None:
    context = ssl.create_default_context(cafile=server.ca_file)
    for url in (server.wss, server.wss.replace("127.0.0.1", "localhost")):
        async with connect(url, subprotocols=["sip"], ssl=context, proxy=None) as socket:
            assert socket.subprotocol == "sip"


async def test_certificate_is_not_trusted_without_it(server: Peer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(server.wss, subprotocols=["sip"], ssl=ssl.create_default_context(), proxy=None)


async def test_asterisk_loaded_all_it_was_told_to(asterisk: AsteriskPeer) -> None:
    configured = re.findall(r"^load = (\S+)", MODULES.read_text(), re.MULTILINE)
    loaded = await asterisk.ask("module show")
    assert len(configured) > 50
    assert [name for name in configured if not re.search(rf"^{name} .* Running ", loaded, re.MULTILINE)] == []


async def test_asterisk_has_its_accounts_and_numbers(asterisk: AsteriskPeer) -> None:
    endpoints = await asterisk.ask("pjsip show endpoints")
    for user in asterisk.accounts:
        assert re.search(rf"^ Endpoint: +{user}/{user} ", endpoints, re.MULTILINE)
    numbers = await asterisk.ask("dialplan show numbers")
    assert {str(number) for number in (*range(600, 617), 620, 621, 700)} <= set(
        re.findall(r"'(\d+)' =>", numbers)
    )
    assert await asterisk.channels() == []


async def test_nobody_is_registered_at_first(server: Peer) -> None:
    assert await server.bindings("erin") == []


async def test_coturn_relays_over_every_transport(coturn: CoturnPeer) -> None:
    servers = [
        IceServer(list(coturn.turn.values()), coturn.user, coturn.password, str(coturn.ca_file)),
        IceServer(coturn.with_secret, *coturn.credentials(60)),
    ]
    for server in parse_servers([coturn.stun, *servers]):
        reached = await reach(server, 5.0)
        assert (reached.relayed is None) == (server.scheme == "stun")
        # Asterisk and browsers use no loopback addresses.
        assert reached.relayed is None or reached.relayed[0].startswith("10.77.0.")


async def test_coturn_refuses_others(coturn: CoturnPeer) -> None:
    for url, user, password in (
        (coturn.turn["udp"], coturn.user, "wrong"),
        (coturn.turn["tcp"], *coturn.credentials(60)),
        (coturn.with_secret, coturn.user, coturn.password),
        (coturn.with_secret, *coturn.credentials(-60)),
    ):
        (server,) = parse_servers([IceServer(url, user, password)])
        with pytest.raises(IceServerError, match="401"):
            await reach(server, 5.0)
    (server,) = parse_servers([IceServer(coturn.turn["tls"], coturn.user, coturn.password)])
    with pytest.raises(IceServerError, match="unable to get local issuer certificate"):
        await reach(server, 5.0)
