"""Every private part of aiortc and aioice that sipua uses, held against the installed versions.

If one of these tests fails, the library has changed under us. Read what changed there, mend
`sipua.media.internals` (or `ice`, `srtp`, `gathering`, `paths`), run the tests of tests/media, and only then bring the
list and the digests here up to date. The last part shows faults that sipua works around: when such a test fails, the
library has mended it, and the work-around can go.
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import importlib
import importlib.metadata
import inspect
from pathlib import Path
from typing import Any

import aioice.ice
import aiortc
import pylibsrtp
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from av.error import EOFError as AvEOFError

from sipua.media import internals
from tests.media.calls import until

MEDIA = Path(internals.__file__).parent
TOUCHING = {"internals.py", "ice.py", "srtp.py", "gathering.py", "paths.py", "video/internals.py"}
# Names of the standard library's that type checkers know only with an underscore.
STANDARD = {"_NamedFuncPointer"}
NAMES = {name for names in internals.PRIVATE_PARTS.values() for name in names}

# Functions whose inner workings the work-arounds rely on: the first digits of the SHA-256 of their source.
DIGESTS = {
    "aiortc.RTCPeerConnection.close": "7e2df1bb95eb",
    "aiortc.RTCPeerConnection.setLocalDescription": "ff409406ce1d",
    "aiortc.RTCPeerConnection.setRemoteDescription": "42c5e2eb7ca5",
    "aiortc.RTCPeerConnection._RTCPeerConnection__connect": "9199a73a7cde",
    "aiortc.RTCPeerConnection._RTCPeerConnection__setSignalingState": "216a5a501a7f",
    "aiortc.RTCPeerConnection._RTCPeerConnection__createTransceiver": "00201d6e03cc",
    "aiortc.RTCPeerConnection._RTCPeerConnection__updateConnectionState": "737e50373bd6",
    "aiortc.RTCPeerConnection.createAnswer": "f535f80c96a1",
    "aiortc.RTCPeerConnection.createOffer": "3aa9df8d9449",
    "aiortc.RTCRtpSender.send": "3969482b77a2",
    "aiortc.RTCRtpSender._next_encoded_frame": "89dd9fa4fb33",
    "aiortc.RTCRtpSender._run_rtp": "ff597a1d554c",
    "aiortc.RTCRtpReceiver._handle_rtp_packet": "4e54983d021a",
    "aiortc.RTCRtpReceiver._handle_disconnect": "8dfa058c843f",
    "aiortc.RTCRtpReceiver._handle_rtcp_packet": "ec9f46214c34",
    "aiortc.rtcdtlstransport.RTCDtlsTransport._handle_rtp_data": "5def9061cc3d",
    "aiortc.RTCRtpSender.stop": "38c1e92baf8e",
    "aiortc.RTCRtpReceiver.__init__": "3e3b7b5cefba",
    "aiortc.RTCRtpReceiver.receive": "d6d8d8d7a0bf",
    "aiortc.RTCRtpReceiver.stop": "63734b6894ce",
    "aiortc.RTCRtpTransceiver._setCurrentDirection": "631d442772cf",
    "aiortc.rtcrtpreceiver.RemoteStreamTrack.recv": "e572e045f1d6",
    "aiortc.rtcdtlstransport.RTCDtlsTransport._handle_rtcp_data": "5469e786d77b",
    "aiortc.rtcdtlstransport.RTCDtlsTransport._recv_next": "998076720c05",
    "aiortc.rtcdtlstransport.RTCDtlsTransport._send_rtp": "763b02bceb0b",
    "aiortc.rtcdtlstransport.RTCDtlsTransport._setup_srtp": "75cc6ec308f1",
    "aiortc.rtcdtlstransport.RtpRouter.register_receiver": "39d2f892b0ef",
    "aiortc.rtcicetransport.RTCIceGatherer.gather": "147d15cd640f",
    "aiortc.rtcicetransport.RTCIceTransport.addRemoteCandidate": "16d24c05bd36",
    "aiortc.rtcicetransport.RTCIceTransport.start": "54279d028c0e",
    "aiortc.rtcicetransport.RTCIceTransport.stop": "21ec0a44c16c",
    "aiortc.rtcicetransport.RTCIceTransport._monitor": "f74bb1193339",
    "aioice.ice.Connection.build_request": "cd68d42d3765",
    "aioice.ice.Connection.close": "25dcfac536f5",
    "aioice.ice.Connection.connect": "da51be461901",
    "aioice.ice.Connection.data_received": "5631b17fab71",
    "aioice.ice.Connection.get_event": "c6b498f52ee9",
    "aioice.ice.Connection._emit_event": "aa9ce9ddf2a5",
    "aioice.ice.Connection.recvfrom": "676acc01e4a9",
    "aioice.ice.Connection.gather_candidates": "d33db28d4d1e",
    "aioice.ice.Connection.get_component_candidates": "118597a9fcb7",
    "aioice.ice.Connection.protocol_lost": "447ed44956b6",
    "aioice.ice.Connection.query_consent": "fe49173a650a",
    "aioice.ice.Connection.request_received": "dcdc9a3862c1",
    "aioice.ice.StunProtocol.close": "8153fbee5bf2",
    "aioice.ice.StunProtocol.connection_lost": "6d64b0e6f5b6",
    "aioice.ice.StunProtocol.datagram_received": "ff4c8b910d45",
    "aioice.ice.StunProtocol.request": "97991c38f65e",
    "aioice.ice.relayed_candidate": "271e25be8724",
    "aioice.ice.server_reflexive_candidate": "76dd55584717",
}


def resolve(path: str) -> Any:
    module, _, rest = path.partition(".")
    found: Any = importlib.import_module(module)
    for name in rest.split("."):
        found = getattr(found, name, None) or importlib.import_module(f"{found.__name__}.{name}")
    return found


def digest(path: str) -> str:
    return hashlib.sha256(inspect.getsource(resolve(path)).encode()).hexdigest()[:12]


def quiet() -> RTCConfiguration:
    return RTCConfiguration(iceServers=[])


def test_versions() -> None:
    assert importlib.metadata.version("aiortc").startswith("1.16.")
    assert importlib.metadata.version("aioice").startswith("0.13.")


async def test_every_part_is_there() -> None:
    pc = RTCPeerConnection(quiet())
    transceiver = pc.addTransceiver("audio")
    transport = transceiver.receiver.transport
    connection = transport.transport._connection
    candidate = aioice.Candidate("1", 1, "udp", 1, "192.0.2.1", 1, "host")
    protocol = aioice.ice.StunProtocol(connection)
    protocol.local_candidate = candidate
    client = aioice.turn.TurnClientUdpProtocol(("192.0.2.1", 3478), None, None, 600, 500)
    client.connection_made(asyncio.DatagramTransport())
    objects: dict[str, Any] = {
        "aiortc.RTCPeerConnection": pc,
        "aiortc.RTCRtpTransceiver": transceiver,
        "aiortc.RTCRtpSender": transceiver.sender,
        "aiortc.RTCRtpReceiver": transceiver.receiver,
        "aiortc.rtcrtpreceiver.RemoteStreamTrack": RemoteStreamTrack("audio"),
        "aiortc.rtcdtlstransport.RTCDtlsTransport": transport,
        "aiortc.rtcdtlstransport.RtpRouter": transport._rtp_router,
        "aiortc.rtcicetransport.RTCIceGatherer": transport.transport.iceGatherer,
        "aiortc.rtcicetransport.RTCIceTransport": transport.transport,
        "aioice.ice.Connection": connection,
        "aioice.ice.CandidatePair": aioice.ice.CandidatePair(protocol, candidate),
        "aioice.ice.StunProtocol": protocol,
        "aioice.candidate.Candidate": candidate,
        "aioice.turn.TurnTransport": aioice.turn.TurnTransport(None),  # type: ignore[arg-type]
        "aioice.turn.TurnClientUdpProtocol": client,
    }
    assert objects.keys() == internals.PRIVATE_PARTS.keys()
    for path, names in internals.PRIVATE_PARTS.items():
        # A protocol has its transport only when it is connected.
        missing = [n for n in names if n != "transport" and not hasattr(objects[path], n)]
        assert not missing, f"{path} has no {missing} any more"
    assert {"local_candidate", "transport"} <= aioice.ice.StunProtocol.__annotations__.keys()
    await pc.close()


@pytest.mark.parametrize("path", DIGESTS)
def test_what_the_work_arounds_rely_on_is_unchanged(path: str) -> None:
    assert digest(path) == DIGESTS[path], f"{path} has changed: read it again"


def accessed(tree: ast.AST) -> set[str]:
    """Names with an underscore that are looked up on anything but self."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }


def defined(tree: ast.AST) -> set[str]:
    """Names with an underscore that the classes and functions of a module define."""
    names = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    }
    names |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name for name in names if name.startswith("_")}


def mangled(tree: ast.AST) -> set[str]:
    """The names with two underscores, as others see them."""
    return {
        f"_{kind.name.lstrip('_')}{name}"
        for kind in ast.walk(tree)
        if isinstance(kind, ast.ClassDef)
        for name in defined(kind)
        if name.startswith("__") and not name.endswith("__")
    }


def theirs() -> set[str]:
    """Every private name of aiortc's and aioice's."""
    names: set[str] = set()
    for library in (aiortc, aioice):
        for path in Path(str(library.__file__)).parent.rglob("*.py"):
            tree = ast.parse(path.read_text())
            names |= defined(tree) | mangled(tree)
    return names


def test_nothing_private_is_used_that_is_not_listed() -> None:
    sources = {str(path.relative_to(MEDIA)): ast.parse(path.read_text()) for path in MEDIA.rglob("*.py")}
    ours = set().union(*map(defined, sources.values()))
    foreign_names = theirs()
    assert {name for name in NAMES if name.startswith("_")} <= foreign_names
    for name, tree in sources.items():
        if name in TOUCHING:
            # Here every private name is one of theirs.
            unlisted = accessed(tree) - NAMES
            assert not unlisted, f"{name} uses {unlisted}, which is not listed"
        else:
            foreign = accessed(tree) - defined(tree) - STANDARD
            assert not foreign - ours, f"{name} uses {foreign - ours}; private parts belong into internals"
            alike = foreign & foreign_names
            assert not alike, f"{name} uses {alike}: of ours or of theirs? Theirs belong into internals"


def test_everything_listed_is_used() -> None:
    used: set[str] = set()
    for name in TOUCHING:
        for node in ast.walk(ast.parse((MEDIA / name).read_text())):
            if isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.Call):
                # getattr(…, "name")
                used |= {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    used |= set(internals._DESCRIPTIONS)
    assert not NAMES - used


def test_no_other_floor_touches_them() -> None:
    for path in MEDIA.parent.rglob("*.py"):
        if MEDIA not in path.parents:
            assert not {
                n for n in accessed(ast.parse(path.read_text())) if n.startswith(("_RTC", "_Turn"))
            }, path


# --- faults that are worked around ------------------------------------------------------------------------


async def answered() -> tuple[RTCPeerConnection, RTCPeerConnection]:
    a, b = RTCPeerConnection(quiet()), RTCPeerConnection(quiet())
    a.addTransceiver("audio")
    b.addTransceiver("audio")
    await a.setLocalDescription(await a.createOffer())
    await b.setRemoteDescription(a.localDescription)
    await b.setLocalDescription(await b.createAnswer())
    return a, b


@pytest.mark.realtime
async def test_aiortc_rollback_changes_nothing() -> None:
    a, b = await answered()
    with pytest.raises(ValueError, match="type"):
        RTCSessionDescription("", "no such type")
    before = a.localDescription.sdp
    await a.setRemoteDescription(RTCSessionDescription(b.localDescription.sdp, "rollback"))
    assert a.signalingState == "have-local-offer"
    assert a.localDescription.sdp == before
    await a.close()
    await b.close()


@pytest.mark.realtime
async def test_aiortc_refuses_a_second_answer() -> None:
    a, b = await answered()
    await a.setRemoteDescription(b.localDescription)
    with pytest.raises(aiortc.InvalidStateError):
        await a.setRemoteDescription(b.localDescription)
    await a.close()
    await b.close()


@pytest.mark.realtime
async def test_aiortc_ignores_an_ice_restart() -> None:
    a, b = await answered()
    await a.setRemoteDescription(b.localDescription)
    await until(lambda: a.connectionState == b.connectionState == "connected")
    other = RTCPeerConnection(quiet())
    other.addTransceiver("audio")
    await other.setLocalDescription(await other.createOffer())
    await a.setRemoteDescription(other.localDescription)
    await a.setLocalDescription(await a.createAnswer())
    first = next(line for line in b.remoteDescription.sdp.splitlines() if "ice-ufrag" in line)
    assert first in a.localDescription.sdp  # the same credentials: no restart
    for pc in (a, b, other):
        await pc.close()


@pytest.mark.realtime
async def test_aiortc_makes_session_ids_of_the_time() -> None:
    pc = RTCPeerConnection(quiet())
    pc.addTransceiver("audio")
    origin = (await pc.createOffer()).sdp.splitlines()[1].split()
    assert origin[1] == origin[2]
    await pc.close()


def test_aiortc_means_a_public_server_by_none() -> None:
    assert aiortc.RTCConfiguration().iceServers is None
    urls = [server.urls for server in aiortc.RTCIceGatherer.getDefaultIceServers()]
    assert urls == ["stun:stun.l.google.com:19302"]


def test_aioice_leaves_out_loopback() -> None:
    assert "127.0.0.1" not in aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)


def test_an_empty_payload_ends_a_decoder() -> None:
    codec = next(c for c in aiortc.codecs.CODECS["audio"] if c.name == "PCMU")
    decoder = get_decoder(codec)
    assert decoder.decode(JitterFrame(b"\xff" * 160, 0))
    decoder.decode(JitterFrame(b"", 160))
    with pytest.raises(AvEOFError):
        decoder.decode(JitterFrame(b"\xff" * 160, 320))


def test_srtp_raises_what_aiortc_does_not_expect_for_long_packets() -> None:
    """aiortc's receiving task expects pylibsrtp.Error, and ends: `ice` cuts what is longer."""
    policy = pylibsrtp.Policy(key=bytes(30), ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND)
    session = pylibsrtp.Session(policy)
    with pytest.raises(pylibsrtp.Error):
        session.unprotect(b"\x80" * 1500)
    with pytest.raises(ValueError, match="too long"):
        session.unprotect(b"\x80" * 1501)


def test_telephone_events_have_no_decoder() -> None:
    with pytest.raises(ValueError, match="No decoder"):
        get_decoder(aiortc.RTCRtpCodecParameters("audio/telephone-event", 8000, 1, 101))


@pytest.mark.realtime
async def test_aiortc_opens_closed_doors() -> None:
    """A sender started after its connection was closed lives for ever."""
    a, b = await answered()
    sender = a.getSenders()[0]
    await a.close()
    await b.close()
    before = len(asyncio.all_tasks())
    parameters = RTCRtpSendParameters(codecs=[aiortc.codecs.CODECS["audio"][0]])
    sender.replaceTrack(AudioStreamTrack())
    await sender.send(parameters)
    assert len(asyncio.all_tasks()) == before + 2
    await sender.stop()
