"""Why something failed or ended, and who did it."""

from __future__ import annotations

import enum
from typing import Literal

Originator = Literal["local", "remote", "system"]


class Cause(enum.StrEnum):
    """Why a call failed or ended, or a request failed: JsSIP's strings."""

    CONNECTION_ERROR = "Connection Error"
    REQUEST_TIMEOUT = "Request Timeout"
    SIP_FAILURE_CODE = "SIP Failure Code"
    INTERNAL_ERROR = "Internal Error"
    BUSY = "Busy"
    REJECTED = "Rejected"
    REDIRECTED = "Redirected"
    UNAVAILABLE = "Unavailable"
    NOT_FOUND = "Not Found"
    ADDRESS_INCOMPLETE = "Address Incomplete"
    INCOMPATIBLE_SDP = "Incompatible SDP"
    MISSING_SDP = "Missing SDP"
    AUTHENTICATION_ERROR = "Authentication Error"
    BYE = "Terminated"
    WEBRTC_ERROR = "WebRTC Error"
    CANCELED = "Canceled"
    NO_ANSWER = "No Answer"
    EXPIRES = "Expires"
    NO_ACK = "No ACK"
    DIALOG_ERROR = "Dialog Error"
    USER_DENIED_MEDIA_ACCESS = "User Denied Media Access"
    BAD_MEDIA_DESCRIPTION = "Bad Media Description"
    RTP_TIMEOUT = "RTP Timeout"


_CAUSE_OF_STATUS: dict[int, Cause] = {
    300: Cause.REDIRECTED,
    301: Cause.REDIRECTED,
    302: Cause.REDIRECTED,
    305: Cause.REDIRECTED,
    380: Cause.REDIRECTED,
    401: Cause.AUTHENTICATION_ERROR,
    403: Cause.REJECTED,
    404: Cause.NOT_FOUND,
    407: Cause.AUTHENTICATION_ERROR,
    408: Cause.UNAVAILABLE,
    410: Cause.UNAVAILABLE,
    424: Cause.ADDRESS_INCOMPLETE,
    430: Cause.UNAVAILABLE,
    480: Cause.UNAVAILABLE,
    484: Cause.ADDRESS_INCOMPLETE,
    486: Cause.BUSY,
    487: Cause.CANCELED,
    488: Cause.INCOMPATIBLE_SDP,
    600: Cause.BUSY,
    603: Cause.REJECTED,
    604: Cause.NOT_FOUND,
    606: Cause.INCOMPATIBLE_SDP,
}


def cause_of_status(status: int) -> Cause:
    """The cause that a final response with this status code stands for."""
    return _CAUSE_OF_STATUS.get(status, Cause.SIP_FAILURE_CODE)
