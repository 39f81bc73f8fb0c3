"""sipua: a SIP-over-WebSocket user agent whose calls carry real WebRTC media.

The public face, and nothing else. `UA` is where to begin.
"""

from typing import TYPE_CHECKING, Any

from sipua import bodies, errors, events
from sipua._version import __version__
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
from sipua.passport.interface import IdentityCheck, IdentityStatus
from sipua.session import RTCSession
from sipua.sip import URI, NameAddr, Request, Response
from sipua.transport import WebSocketInterface
from sipua.ua import UA, Configuration, Notifier, Publication, Subscriber

if TYPE_CHECKING:
    from sipua.media.sinks import NullSink, OggFile, PcmCallback, WavFile
    from sipua.media.sources import AudioFile, Pcm, Silence, Tone
    from sipua.media.video.sources import TestPattern, VideoFile
    from sipua.passport.signer import IdentitySigner
    from sipua.passport.sources import CertificateDirectory, HttpsCertificates
    from sipua.passport.verifier import IdentityVerifier

#: What is loaded when it is asked for, because av and numpy, or cryptography, come with it.
_LAZY = {
    **dict.fromkeys(("AudioFile", "Pcm", "Silence", "Tone"), "sipua.media.sources"),
    **dict.fromkeys(("NullSink", "OggFile", "PcmCallback", "WavFile"), "sipua.media.sinks"),
    **dict.fromkeys(("TestPattern", "VideoFile"), "sipua.media.video.sources"),
    **dict.fromkeys(("CertificateDirectory", "HttpsCertificates"), "sipua.passport.sources"),
    "IdentitySigner": "sipua.passport.signer",
    "IdentityVerifier": "sipua.passport.verifier",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "UA",
    "URI",
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
    "MediaError",
    "MediaFileError",
    "MediaNegotiationError",
    "MediaTransportError",
    "NameAddr",
    "NotConnected",
    "Notifier",
    "NullSink",
    "OggFile",
    "ParseError",
    "Pcm",
    "PcmCallback",
    "Publication",
    "RTCSession",
    "RegistrationFailed",
    "RegistrationUnauthorized",
    "Request",
    "RequestFailed",
    "RequestTimeout",
    "Response",
    "SignallingOnlyMedia",
    "Silence",
    "SipuaError",
    "SubprotocolError",
    "Subscriber",
    "TestPattern",
    "Tone",
    "TransferFailed",
    "TransportError",
    "VideoFile",
    "WavFile",
    "WebSocketInterface",
    "__version__",
    "bodies",
    "errors",
    "events",
]
