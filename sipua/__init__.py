"""sipua: a SIP-over-WebSocket user agent whose calls carry real WebRTC media.

The public face, and nothing else. `UA` is where to begin.
"""

from sipua import errors, events
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
    TransportError,
)
from sipua.events import Cause
from sipua.session import RTCSession
from sipua.sip import URI, NameAddr, Request, Response
from sipua.transport import WebSocketInterface
from sipua.ua import UA, Configuration

__all__ = [
    "UA",
    "URI",
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
    "CertificateError",
    "Configuration",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectTimeout",
    "InvalidHeaderError",
    "InvalidStateError",
    "InvalidTargetError",
    "MediaError",
    "MediaFileError",
    "MediaNegotiationError",
    "MediaTransportError",
    "NameAddr",
    "NotConnected",
    "ParseError",
    "RTCSession",
    "RegistrationFailed",
    "RegistrationUnauthorized",
    "Request",
    "RequestFailed",
    "RequestTimeout",
    "Response",
    "SipuaError",
    "SubprotocolError",
    "TransportError",
    "WebSocketInterface",
    "__version__",
    "errors",
    "events",
]
