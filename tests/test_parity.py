"""What JsSIP 3.13.8 has, sipua has under the name that follows from it: camelCase becomes snake_case, nothing else.

One row for each name of JsSIP's public face. Where JsSIP's own shape makes no sense in Python (constraints of a
browser), the row says what stands for it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import re
from typing import Any

import pytest

import sipua
from sipua import UA, Cause, RTCSession, events
from sipua.media import SignallingOnlyMedia
from sipua.media.interface import MediaOptions
from sipua.session.refer import ReferSubscriber
from sipua.testing import MemoryNetwork
from sipua.ua.config import UAOptions
from sipua.ua.notifier import Notifier
from sipua.ua.subscription import Subscriber


def snake(name: str) -> str:
    """The name that follows from JsSIP's: ``sendDTMF`` → ``send_dtmf``, ``newRTCSession`` → ``new_rtc_session``."""
    name = name.replace(":", "_")
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


def test_the_rule() -> None:
    rows = {
        "sendDTMF": "send_dtmf",
        "newRTCSession": "new_rtc_session",
        "isReadyToReOffer": "is_ready_to_re_offer",
        "peerconnection:createofferfailed": "peerconnection_createofferfailed",
        "hold": "hold",
    }
    assert {name: snake(name) for name in rows} == rows


# --- JsSIP.UA ------------------------------------------------------------------------------------------------

UA_CONFIGURATION = [
    "uri",
    "sockets",
    "authorization_user",
    "authorization_jwt",
    "password",
    "realm",
    "ha1",
    "display_name",
    "contact_uri",
    "instance_id",
    "use_preloaded_route",
    "session_timers",
    "session_timers_refresh_method",
    "session_timers_force_refresher",
    "no_answer_timeout",
    "register",
    "register_expires",
    "register_from_tag_trail",
    "registrar_server",
    "connection_recovery_min_interval",
    "connection_recovery_max_interval",
    "extra_headers",
    "user_agent",
]

UA_METHODS = [
    "start",
    "stop",
    "register",
    "unregister",
    "isRegistered",
    "isConnected",
    "registrator",
    "call",
    "sendMessage",
    "sendOptions",
    "subscribe",
    "notify",
    "terminateSessions",
    "normalizeTarget",
    "get",
    "set",
    "on",
    "once",
    "off",
    "emit",
    "configuration",
    "contact",
]

REGISTRATOR_METHODS = ["setExtraHeaders", "setExtraContactParams"]

UA_EVENTS = [
    "connecting",
    "connected",
    "disconnected",
    "registered",
    "unregistered",
    "registrationFailed",
    "registrationExpiring",
    "newRTCSession",
    "newMessage",
    "newOptions",
    "newSubscribe",
    "sipEvent",
    "newTransaction",
    "transactionDestroyed",
]

UA_CALL_OPTIONS = {
    "extraHeaders": "extra_headers",
    "eventHandlers": "event_handlers",
    "anonymous": "anonymous",
    "fromUserName": "from_user_name",
    "fromDisplayName": "from_display_name",
    "sessionTimersExpires": "session_timers_expires",
}

#: Options of the user agent's other methods.
UA_OPTIONS = {
    "unregister": {"all": "all"},
    "sendMessage": {
        "target": "target",
        "body": "body",
        "contentType": "content_type",
        "eventHandlers": "event_handlers",
        "extraHeaders": "extra_headers",
        "fromUserName": "from_user_name",
        "fromDisplayName": "from_display_name",
    },
    "sendOptions": {
        "target": "target",
        "body": "body",
        "contentType": "content_type",
        "eventHandlers": "event_handlers",
        "extraHeaders": "extra_headers",
    },
    "subscribe": {
        "target": "target",
        "eventName": "event",
        "accept": "accept",
        "expires": "expires",
        "contentType": "content_type",
        "allowEvents": "allow_events",
        "extraHeaders": "extra_headers",
    },
    "notify": {
        "subscribe": "subscribe",
        "contentType": "content_type",
        "pending": "pending",
        "allowEvents": "allow_events",
        "extraHeaders": "extra_headers",
    },
    "terminateSessions": {"options": "options"},
    "normalizeTarget": {"target": "target"},
    "get": {"parameter": "key"},
    "set": {"parameter": "key", "value": "value"},
}

MESSAGE_MEMBERS = {
    "IncomingMessage": "direction local_identity remote_identity accept reject data",
    "IncomingOptions": "direction local_identity remote_identity accept reject data",
    "OutgoingMessage": "direction local_identity remote_identity data on",
    "OutgoingOptions": "direction local_identity remote_identity data on",
}

REGISTRATOR_OF_JSSIP = ["register", "unregister", "registered", "setExtraHeaders", "setExtraContactParams"]

#: What a transport object has: JsSIP's Socket.
SOCKET_MEMBERS = {"url": "url", "via_transport": "via_transport", "weight": "weight", "connect": "connect"}

#: What stands for the constraints and objects of a browser.
MEDIA_OPTIONS = {
    "mediaConstraints": "audio",
    "mediaStream": "audio",
    "pcConfig": "ice_servers",
    "rtcOfferConstraints": "direction",
    "rtcAnswerConstraints": "direction",
    "rtcConstraints": "codecs",
}


@pytest.mark.parametrize("name", UA_CONFIGURATION)
def test_configuration(name: str) -> None:
    assert name in {field.name for field in dataclasses.fields(sipua.Configuration)}
    assert name == "uri" or name in UAOptions.__annotations__


@pytest.mark.parametrize("name", UA_METHODS)
async def test_user_agent(name: str) -> None:
    ua = UA("sip:alice@example.com", sockets=MemoryNetwork().connector("ws://a.invalid/"))
    assert hasattr(ua, snake(name))


@pytest.mark.parametrize("name", REGISTRATOR_METHODS)
def test_registrator(name: str) -> None:
    """In JsSIP they are the registrator's; here the user agent has them, too."""
    returned = inspect.signature(UA.registrator).return_annotation
    assert returned == "Registrator"
    assert callable(getattr(sipua.ua.registrator.Registrator, snake(name)))
    assert callable(getattr(UA, snake(name)))


@pytest.mark.parametrize("name", UA_EVENTS)
def test_user_agent_event(name: str) -> None:
    assert snake(name) in UA.event_names
    assert dataclasses.is_dataclass(_payload(name))


@pytest.mark.parametrize("name", UA_CALL_OPTIONS)
def test_call_option(name: str) -> None:
    assert snake(name) == UA_CALL_OPTIONS[name]
    assert snake(name) in inspect.signature(UA.call).parameters


@pytest.mark.parametrize(
    ("method", "option"), [(method, option) for method, row in UA_OPTIONS.items() for option in row]
)
def test_user_agent_option(method: str, option: str) -> None:
    assert UA_OPTIONS[method][option] in inspect.signature(getattr(UA, snake(method))).parameters


@pytest.mark.parametrize("name", MESSAGE_MEMBERS)
async def test_messages(name: str) -> None:
    kind = getattr(sipua.ua.outofdialog, name)
    ua = UA("sip:alice@example.com", sockets=MemoryNetwork().connector("ws://a.invalid/"))
    ua.loop = asyncio.get_running_loop()
    request = sipua.Request("MESSAGE", sipua.URI.parse("sip:bob@example.com"))
    for header in ("From", "To"):
        request.headers.add(header, "<sip:bob@example.com>")
    made = kind(ua, request, None) if name.startswith("Out") else kind(ua, None, request)
    for member in MESSAGE_MEMBERS[name].split():
        assert hasattr(made, member), member
    if name.startswith("Out"):
        assert kind.event_names == {"succeeded", "failed"}


@pytest.mark.parametrize("name", REGISTRATOR_OF_JSSIP)
async def test_registrator_member(name: str) -> None:
    ua = UA("sip:alice@example.com", sockets=MemoryNetwork().connector("ws://a.invalid/"), register=False)
    ua.start()
    assert hasattr(ua.registrator(), snake(name))
    await ua.stop()


@pytest.mark.parametrize("name", SOCKET_MEMBERS)
def test_socket(name: str) -> None:
    assert hasattr(sipua.WebSocketInterface("wss://a.invalid/", weight=2), SOCKET_MEMBERS[name])


@pytest.mark.parametrize(
    "sockets",
    [
        "wss://a.invalid/",
        ["wss://a.invalid/", ("wss://b.invalid/", 5)],
        [sipua.WebSocketInterface("wss://a.invalid/", weight=2), "ws://b.invalid/"],
    ],
)
def test_sockets_in_each_way(sockets: Any) -> None:
    assert UA("sip:alice@example.com", sockets=sockets).configuration.sockets[0].url == "wss://a.invalid/"


@pytest.mark.parametrize("name", MEDIA_OPTIONS)
def test_media_option(name: str) -> None:
    assert MEDIA_OPTIONS[name] in {field.name for field in dataclasses.fields(MediaOptions)}


def test_own_factory_stands_for_a_ready_peer_connection() -> None:
    assert "media" in inspect.signature(UA.call).parameters


# --- JsSIP.RTCSession ----------------------------------------------------------------------------------------

SESSION_MEMBERS = [
    "connection",
    "direction",
    "local_identity",
    "remote_identity",
    "start_time",
    "end_time",
    "data",
    "contact",
    "id",
    "status",
    "causes",
    "isInProgress",
    "isEstablished",
    "isEnded",
    "isReadyToReOffer",
    "isMuted",
    "isOnHold",
    "answer",
    "terminate",
    "sendDTMF",
    "sendInfo",
    "hold",
    "unhold",
    "renegotiate",
    "refer",
    "mute",
    "unmute",
    "on",
    "once",
    "off",
]

SESSION_EVENTS = [
    "peerconnection",
    "connecting",
    "sending",
    "progress",
    "accepted",
    "confirmed",
    "ended",
    "failed",
    "newDTMF",
    "newInfo",
    "hold",
    "unhold",
    "muted",
    "unmuted",
    "reinvite",
    "update",
    "refer",
    "replaces",
    "sdp",
    "icecandidate",
    "getusermediafailed",
    "peerconnection:createofferfailed",
    "peerconnection:createanswerfailed",
    "peerconnection:setlocaldescriptionfailed",
    "peerconnection:setremotedescriptionfailed",
]

REFER_EVENTS = ["requestSucceeded", "requestFailed", "trying", "progress", "accepted", "failed"]

#: Options of methods: JsSIP's names. ``None``: has no meaning here.
SESSION_OPTIONS: dict[str, dict[str, str | None]] = {
    "answer": {
        "extraHeaders": "extra_headers",
        "sessionTimersExpires": "session_timers_expires",
        "mediaConstraints": "media_options",
        "mediaStream": "media_options",
        "pcConfig": "media_options",
    },
    "terminate": {
        "extraHeaders": "extra_headers",
        "status_code": "status_code",
        "reason_phrase": "reason_phrase",
        "body": "body",
        "cause": "cause",
    },
    "sendDTMF": {
        "tones": "tones",
        "duration": "duration",
        "interToneGap": "inter_tone_gap",
        "extraHeaders": "extra_headers",
        "transportType": "transport_type",
    },
    "sendInfo": {"contentType": "content_type", "body": "body", "extraHeaders": "extra_headers"},
    "hold": {"useUpdate": "use_update", "extraHeaders": "extra_headers"},
    "unhold": {"useUpdate": "use_update", "extraHeaders": "extra_headers"},
    "renegotiate": {
        "useUpdate": "use_update",
        "extraHeaders": "extra_headers",
        "rtcOfferConstraints": "direction",
    },
    "refer": {
        "target": "target",
        "extraHeaders": "extra_headers",
        "eventHandlers": "event_handlers",
        "replaces": "replaces",
    },
    "mute": {"audio": "audio", "video": "video"},
    "unmute": {"audio": "audio", "video": "video"},
}

#: What JsSIP's events carry, and the attribute of the payload that has it.
PAYLOADS = {
    "newRTCSession": "originator session request",
    "newMessage": "originator message request",
    "newOptions": "originator request",
    "newSubscribe": "event subscribe request",
    "sipEvent": "event request",
    "registered": "response",
    "unregistered": "response cause",
    "registrationFailed": "response cause",
    "newTransaction": "transaction",
    "transactionDestroyed": "transaction",
    "connecting": "url",
    "connected": "url",
    "disconnected": "url error code reason",
    "peerconnection": "peerconnection",
    "sending": "request",
    "progress": "originator response",
    "accepted": "originator response",
    "confirmed": "originator ack",
    "ended": "originator message cause",
    "failed": "originator message cause",
    "newDTMF": "originator tone duration request",
    "newInfo": "originator request body",
    "hold": "originator",
    "muted": "audio video",
    "reinvite": "request callback reject",
    "update": "request callback reject",
    "refer": "request accept reject",
    "replaces": "request accept reject",
    "sdp": "originator type sdp",
    "icecandidate": "candidate ready",
    "getusermediafailed": "error",
    "createOfferFailed": "error",
    "createAnswerFailed": "error",
    "setLocalDescriptionFailed": "error",
    "setRemoteDescriptionFailed": "error",
}


@pytest.fixture(params=SESSION_MEMBERS)
def member(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_session(member: str) -> None:
    network = MemoryNetwork()
    network.listen("ws://a.invalid/", lambda connection: None)
    ua = UA(
        "sip:alice@example.com",
        sockets=network.connector("ws://a.invalid/"),
        register=False,
        media=SignallingOnlyMedia,
    )
    async with ua:
        call = ua.call("bob")
        assert hasattr(call, snake(member))
        call.terminate()


async def test_hold_and_mute_say_who_and_what() -> None:
    network = MemoryNetwork()
    network.listen("ws://a.invalid/", lambda connection: None)
    async with UA(
        "sip:alice@example.com",
        sockets=network.connector("ws://a.invalid/"),
        register=False,
        media=SignallingOnlyMedia,
    ) as ua:
        call = ua.call("bob")
        assert set(call.is_on_hold()) == {"local", "remote"}
        assert set(call.is_muted()) == {"audio", "video"}
        call.terminate()


@pytest.mark.parametrize("name", SESSION_EVENTS)
def test_session_event(name: str) -> None:
    assert snake(name) in RTCSession.event_names


@pytest.mark.parametrize("name", REFER_EVENTS)
def test_refer_event(name: str) -> None:
    assert snake(name) in ReferSubscriber.event_names


@pytest.mark.parametrize(
    ("method", "option"), [(method, option) for method, row in SESSION_OPTIONS.items() for option in row]
)
def test_session_option(method: str, option: str) -> None:
    ours = SESSION_OPTIONS[method][option]
    assert ours in inspect.signature(getattr(RTCSession, snake(method))).parameters


@pytest.mark.parametrize("name", PAYLOADS)
def test_payload(name: str) -> None:
    kind = _payload(name)
    fields = {field.name for field in dataclasses.fields(kind)}
    for attribute in PAYLOADS[name].split():
        assert attribute in fields or hasattr(kind, attribute), attribute


def _payload(name: str) -> Any:
    wanted = {"hold": "Hold", "connecting": "Connecting"}.get(name, name[0].upper() + name[1:])
    spelled = {
        "Peerconnection": "PeerConnection",
        "Icecandidate": "IceCandidate",
        "Getusermediafailed": "GetUserMediaFailed",
    }
    wanted = spelled.get(wanted, wanted)
    return getattr(events, wanted)


# --- JsSIP.Subscriber and JsSIP.Notifier ---------------------------------------------------------------------

EVENTING: dict[str, tuple[type, str, str]] = {
    "Subscriber": (
        Subscriber,
        "pending accepted active terminated notify dialogCreated",
        "subscribe terminate state id",
    ),
    "Notifier": (Notifier, "subscribe terminated", "start setActiveState notify terminate state id"),
}


@pytest.mark.parametrize("name", EVENTING)
def test_subscriptions(name: str) -> None:
    kind, event_names, members = EVENTING[name]
    assert {snake(event) for event in event_names.split()} <= kind.event_names
    for member in members.split():
        assert hasattr(kind, snake(member)), member


# --- the rest of the module ----------------------------------------------------------------------------------

MODULE = {
    "UA": "UA",
    "URI": "URI",
    "NameAddrHeader": "NameAddr",
    "WebSocketInterface": "WebSocketInterface",
    "C": "Cause",
    "Exceptions": "errors",
    "version": "__version__",
}

CAUSES = {
    "CONNECTION_ERROR": "Connection Error",
    "REQUEST_TIMEOUT": "Request Timeout",
    "SIP_FAILURE_CODE": "SIP Failure Code",
    "INTERNAL_ERROR": "Internal Error",
    "BUSY": "Busy",
    "REJECTED": "Rejected",
    "REDIRECTED": "Redirected",
    "UNAVAILABLE": "Unavailable",
    "NOT_FOUND": "Not Found",
    "ADDRESS_INCOMPLETE": "Address Incomplete",
    "INCOMPATIBLE_SDP": "Incompatible SDP",
    "MISSING_SDP": "Missing SDP",
    "AUTHENTICATION_ERROR": "Authentication Error",
    "BYE": "Terminated",
    "WEBRTC_ERROR": "WebRTC Error",
    "CANCELED": "Canceled",
    "NO_ANSWER": "No Answer",
    "EXPIRES": "Expires",
    "NO_ACK": "No ACK",
    "DIALOG_ERROR": "Dialog Error",
    "USER_DENIED_MEDIA_ACCESS": "User Denied Media Access",
    "BAD_MEDIA_DESCRIPTION": "Bad Media Description",
    "RTP_TIMEOUT": "RTP Timeout",
}


@pytest.mark.parametrize("name", MODULE)
def test_module(name: str) -> None:
    assert hasattr(sipua, MODULE[name])
    assert MODULE[name] == "errors" or MODULE[name] in {*sipua.__all__, "__version__", "errors"}


@pytest.mark.parametrize("name", CAUSES)
def test_cause(name: str) -> None:
    assert Cause[name].value == CAUSES[name]


def test_causes_are_all_there() -> None:
    assert {cause.name: cause.value for cause in Cause} == CAUSES
