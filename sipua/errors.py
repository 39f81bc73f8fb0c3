"""Every exception of sipua.

::

    SipuaError
    ├── ConfigurationError (ValueError)        a configuration key or value; names both
    ├── InvalidTargetError (ValueError)        not a callable target
    ├── InvalidHeaderError (ValueError)        a header name or value that must not go on the wire
    ├── InvalidStateError (RuntimeError)       an operation that the session's state does not allow; names both
    ├── ParseError (ValueError)                not valid SIP; .status says how to answer
    ├── AuthenticationError                    a challenge that cannot be answered
    ├── TransportError (OSError)               .url
    │   ├── ConnectFailed                      refused, unreachable, unknown host, HTTP error
    │   ├── ConnectTimeout (TimeoutError)      nothing within the connect time-out
    │   ├── CertificateError                   TLS: untrusted, expired, wrong name
    │   ├── SubprotocolError                   a WebSocket server that does not speak ``sip``
    │   ├── ConnectionLost                     a connection that was up has ended; .code .reason
    │   └── NotConnected                       something to send and no connection
    ├── RequestFailed                          .cause .status_code .response; final answer ≥ 300 or none
    │   ├── RegistrationFailed
    │   │   └── RegistrationUnauthorized
    │   ├── TransferFailed                     a REFER that was refused, or whose call did not come about
    │   └── RequestTimeout (TimeoutError)
    ├── CallFailed                             .cause .status_code .response; a call that did not come about
    │   ├── CallBusy                           486, 600
    │   ├── CallRejected                       403, 603, and refusals without a class of their own
    │   ├── CallNotFound                       404, 410, 484, 604
    │   ├── CallUnavailable                    480, 503 …
    │   ├── CallUnauthorized                   401, 407 that could not be answered
    │   ├── CallTimeout (TimeoutError)         408, no answer
    │   ├── CallCanceled                       cancelled by either side before it was answered
    │   └── CallIncompatible                   488, 606, or SDP that media refused
    └── MediaError
        ├── MediaFileError                     unreadable, not audio, cannot be written
        ├── MediaDeviceError                   a microphone or speaker that cannot be used; .device
        │   ├── MediaDeviceNotFound            no such device
        │   ├── MediaDeviceBusy                in use by another program, or not allowed
        │   └── MediaDeviceLost                unplugged while it was used
        ├── MediaNegotiationError              SDP that cannot be applied
        └── MediaTransportError                ICE or DTLS did not come up, or fell silent
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.sip.errors import (
    AuthenticationError,
    InvalidHeaderError,
    InvalidTargetError,
    ParseError,
    SipuaError,
)

if TYPE_CHECKING:
    from sipua.events import Cause
    from sipua.sip import Response

__all__ = [
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
    "CertificateError",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionLost",
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
    "NotConnected",
    "ParseError",
    "RegistrationFailed",
    "RegistrationUnauthorized",
    "RequestFailed",
    "RequestTimeout",
    "SipuaError",
    "SubprotocolError",
    "TransferFailed",
    "TransportError",
]


class ConfigurationError(SipuaError, ValueError):
    """A configuration key or value that cannot be used. `key` and `value` say which."""

    def __init__(self, key: str, value: object, why: str) -> None:
        super().__init__(f"{key}={value!r}: {why}")
        self.key = key
        self.value = value


class InvalidStateError(SipuaError, RuntimeError):
    """An operation that the present state does not allow. `operation` and `state` say which."""

    def __init__(self, operation: str, state: str) -> None:
        super().__init__(f"{operation} is not possible in state {state}")
        self.operation = operation
        self.state = state


class TransportError(SipuaError, OSError):
    """Something between us and the server. `url` names the server."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"{url}: {why}")
        self.url = url
        self.why = why


class ConnectFailed(TransportError):
    """Refused, unreachable, unknown host name, or an HTTP answer that is no WebSocket upgrade."""


class ConnectTimeout(TransportError, TimeoutError):
    """No WebSocket connection within the connect time-out."""


class CertificateError(TransportError):
    """The server's TLS certificate is not trusted, is out of date or is for another name."""


class SubprotocolError(TransportError):
    """The server accepted the WebSocket but did not select the sub-protocol ``sip`` (:rfc:`7118#section-4`)."""


class ConnectionLost(TransportError):
    """A connection that was up has ended, and not because we closed it.

    `code` and `reason` are those of the WebSocket close frame (:rfc:`6455#section-7.4.1`); the code is 1006
    when there was none.
    """

    def __init__(self, url: str, why: str, *, code: int = 1006, reason: str = "") -> None:
        super().__init__(url, why)
        self.code = code
        self.reason = reason


class NotConnected(TransportError):
    """There is something to send and no connection to send it on."""


class _Refused(SipuaError):
    def __init__(
        self,
        message: str,
        *,
        cause: Cause | None = None,
        status_code: int | None = None,
        response: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.status_code = status_code
        self.response = response


class RequestFailed(_Refused):
    """A request outside of calls that got a final answer ≥ 300, or none (`cause`, `status_code`, `response`)."""


class RegistrationFailed(RequestFailed):
    """The registrar refused us."""


class RegistrationUnauthorized(RegistrationFailed):
    """The registrar did not accept user name and password."""


class TransferFailed(RequestFailed):
    """A REFER that was refused, or whose call did not come about.

    `status_code` is that of the refusal, or what the new call ended with; None when nothing was heard.
    """


class RequestTimeout(RequestFailed, TimeoutError):
    """No final response in time (timer B or F of :rfc:`3261#section-17.1`)."""


class CallFailed(_Refused):
    """A call that did not come about (`cause`, `status_code`, `response`)."""


class CallBusy(CallFailed):
    """486 Busy Here, 600 Busy Everywhere."""


class CallRejected(CallFailed):
    """403, 603, and every refusal without a class of its own."""


class CallNotFound(CallFailed):
    """404, 410, 484, 604."""


class CallUnavailable(CallFailed):
    """480, 503 and other temporary conditions; also a connection that was lost."""


class CallUnauthorized(CallFailed):
    """401 or 407 that could not be answered."""


class CallTimeout(CallFailed, TimeoutError):
    """408, no response at all, or nobody answered in time."""


class CallCanceled(CallFailed):
    """Cancelled before it was answered, by either side."""


class CallIncompatible(CallFailed):
    """488, 606, or an offer or answer that media cannot work with."""


class MediaError(SipuaError):
    """Something in the media path."""


class MediaFileError(MediaError):
    """A file that cannot be read, is not audio, or cannot be written. `path` says which."""

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


class MediaDeviceError(MediaError):
    """A microphone or speaker that cannot be used. `device` says which."""

    def __init__(self, device: str, why: str) -> None:
        super().__init__(f"{device}: {why}")
        self.device = device


class MediaDeviceNotFound(MediaDeviceError):
    """There is no such device."""


class MediaDeviceBusy(MediaDeviceError):
    """Another program uses it, or the system does not allow it."""


class MediaDeviceLost(MediaDeviceError):
    """It was unplugged, or has stopped by itself."""


class MediaNegotiationError(MediaError):
    """SDP that cannot be applied. `status` is the SIP answer to it (488 unless said)."""

    def __init__(self, message: str, *, status: int = 488) -> None:
        super().__init__(message)
        self.status = status


class MediaTransportError(MediaError):
    """ICE or DTLS did not come up in time, failed, or the peer fell silent; or there is no address to offer."""
