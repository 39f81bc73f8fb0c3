"""sipua: a SIP-over-WebSocket user agent whose calls carry real WebRTC media.

The public face, and nothing else. `UA` is where to begin.
"""

from typing import TYPE_CHECKING, Any

from sipua._version import __version__

if TYPE_CHECKING:
    from sipua import bodies, errors, events
    from sipua.errors import (
        AuthenticationError,
        CallBusy,
        CallCanceled,
        CallFailed,
        CallIncompatible,
        CallNotFound,
        CallRejected,
        CallTimeout,
        CallUnauthorized,
        CallUnavailable,
        CertificateError,
        ConfigurationError,
        ConnectFailed,
        ConnectionLost,
        ConnectTimeout,
        InvalidHeaderError,
        InvalidStateError,
        InvalidTargetError,
        MediaDeviceBusy,
        MediaDeviceError,
        MediaDeviceLost,
        MediaDeviceNotFound,
        MediaError,
        MediaFileError,
        MediaNegotiationError,
        MediaTransportError,
        NotConnected,
        ParseError,
        RegistrationFailed,
        RegistrationUnauthorized,
        RequestFailed,
        RequestTimeout,
        SipuaError,
        SubprotocolError,
        TransferFailed,
        TransportError,
    )
    from sipua.events import Cause
    from sipua.media import SignallingOnlyMedia
    from sipua.media.conference import Conference
    from sipua.media.devices import AudioDevice, Microphone, Speaker, list_devices
    from sipua.media.levels import VoiceDetector
    from sipua.media.progress import ProgressTone
    from sipua.media.recording import Recording
    from sipua.media.sinks import Mp3File, NullSink, OggFile, PcmCallback, WavFile
    from sipua.media.sources import AudioFile, Pcm, Silence, Tone
    from sipua.media.video.sources import TestPattern, VideoFile
    from sipua.passport.interface import IdentityCheck, IdentityStatus
    from sipua.passport.signer import IdentitySigner
    from sipua.passport.sources import CertificateDirectory, HttpsCertificates
    from sipua.passport.verifier import IdentityVerifier
    from sipua.session import RTCSession
    from sipua.sip import URI, NameAddr, Request, Response
    from sipua.transport import WebSocketInterface
    from sipua.ua import UA, Configuration, Notifier, Publication, Subscriber

#: Where the names live that are no errors. They are loaded when they are asked for, with what they need: the command's
#: help waits for nothing, and only who plays a file or signs a call waits for av and numpy, or cryptography.
_HOMES = {
    "Cause": "sipua.events",
    "SignallingOnlyMedia": "sipua.media",
    "Conference": "sipua.media.conference",
    **dict.fromkeys(("AudioDevice", "Microphone", "Speaker", "list_devices"), "sipua.media.devices"),
    "VoiceDetector": "sipua.media.levels",
    "ProgressTone": "sipua.media.progress",
    "Recording": "sipua.media.recording",
    **dict.fromkeys(("Mp3File", "NullSink", "OggFile", "PcmCallback", "WavFile"), "sipua.media.sinks"),
    **dict.fromkeys(("AudioFile", "Pcm", "Silence", "Tone"), "sipua.media.sources"),
    **dict.fromkeys(("IdentityCheck", "IdentityStatus"), "sipua.passport.interface"),
    **dict.fromkeys(("TestPattern", "VideoFile"), "sipua.media.video.sources"),
    "IdentitySigner": "sipua.passport.signer",
    **dict.fromkeys(("CertificateDirectory", "HttpsCertificates"), "sipua.passport.sources"),
    "IdentityVerifier": "sipua.passport.verifier",
    "RTCSession": "sipua.session",
    **dict.fromkeys(("URI", "NameAddr", "Request", "Response"), "sipua.sip"),
    "WebSocketInterface": "sipua.transport",
    **dict.fromkeys(("UA", "Configuration", "Notifier", "Publication", "Subscriber"), "sipua.ua"),
}
_MODULES = frozenset({"bodies", "errors", "events"})


def __getattr__(name: str) -> Any:
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"sipua.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "sipua.errors")
    found = globals()[name] = getattr(importlib.import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "UA",
    "URI",
    "AudioDevice",
    "AudioFile",
    "AuthenticationError",
    "CallBusy",
    "CallCanceled",
    "CallFailed",
    "CallIncompatible",
    "CallNotFound",
    "CallRejected",
    "CallTimeout",
    "CallUnauthorized",
    "CallUnavailable",
    "Cause",
    "CertificateDirectory",
    "CertificateError",
    "Conference",
    "Configuration",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionLost",
    "HttpsCertificates",
    "IdentityCheck",
    "IdentitySigner",
    "IdentityStatus",
    "IdentityVerifier",
    "InvalidHeaderError",
    "InvalidStateError",
    "InvalidTargetError",
    "MediaDeviceBusy",
    "MediaDeviceError",
    "MediaDeviceLost",
    "MediaDeviceNotFound",
    "MediaError",
    "MediaFileError",
    "MediaNegotiationError",
    "MediaTransportError",
    "Microphone",
    "Mp3File",
    "NameAddr",
    "NotConnected",
    "Notifier",
    "NullSink",
    "OggFile",
    "ParseError",
    "Pcm",
    "PcmCallback",
    "ProgressTone",
    "Publication",
    "RTCSession",
    "Recording",
    "RegistrationFailed",
    "RegistrationUnauthorized",
    "Request",
    "RequestFailed",
    "RequestTimeout",
    "Response",
    "SignallingOnlyMedia",
    "Silence",
    "SipuaError",
    "Speaker",
    "SubprotocolError",
    "Subscriber",
    "TestPattern",
    "Tone",
    "TransferFailed",
    "TransportError",
    "VideoFile",
    "VoiceDetector",
    "WavFile",
    "WebSocketInterface",
    "__version__",
    "bodies",
    "errors",
    "events",
    "list_devices",
]
