"""Sans-I/O SIP: bytes and time in, messages and actions out. No sockets, no clock, no event loop.

Messages and their values are those of `sipmessage`, subclassed: they take what is really sent and give back
what they were given.
"""

from __future__ import annotations

from .acceptance import check_request
from .auth import AuthChallenge, AuthCredentials, AuthParameters
from .codec import Limits, parse_message
from .dialog import Dialog, DialogId, DialogState, OutOfOrder, dialog_id
from .digest import Credentials
from .digest_client import DigestClient
from .digest_server import DigestServer
from .digest_server import Failure as DigestFailure
from .digest_server import Verdict as DigestVerdict
from .errors import AuthenticationError, InvalidHeaderError, InvalidTargetError, ParseError, SipuaError
from .extensions import (
    Event,
    RAck,
    Reason,
    Replaces,
    RetryAfter,
    SessionExpires,
    SubscriptionState,
)
from .headers import Headers
from .identifiers import MAGIC_COOKIE, new_branch, new_call_id, new_tag
from .layer import TransactionLayer
from .message import METHODS, Message, Request, Response, make_response
from .parameters import Parameters, URIHeaders, URIParameters
from .status import REASON_PHRASES, reason_phrase
from .timers import Timers
from .transaction_client import ClientTransaction
from .transaction_events import (
    AckReceived,
    AckTimedOut,
    Cancelled,
    RequestReceived,
    ResponseReceived,
    TimerC,
    TransactionTerminated,
    TransactionTimedOut,
    TransportFailed,
)
from .transaction_server import ServerTransaction
from .transaction_states import State as TransactionState
from .uri import URI
from .values import Address, CSeq, MediaType, NameAddr, Via

__all__ = [
    "MAGIC_COOKIE",
    "METHODS",
    "REASON_PHRASES",
    "URI",
    "AckReceived",
    "AckTimedOut",
    "Address",
    "AuthChallenge",
    "AuthCredentials",
    "AuthParameters",
    "AuthenticationError",
    "CSeq",
    "Cancelled",
    "ClientTransaction",
    "Credentials",
    "Dialog",
    "DialogId",
    "DialogState",
    "DigestClient",
    "DigestFailure",
    "DigestServer",
    "DigestVerdict",
    "Event",
    "Headers",
    "InvalidHeaderError",
    "InvalidTargetError",
    "Limits",
    "MediaType",
    "Message",
    "NameAddr",
    "OutOfOrder",
    "Parameters",
    "ParseError",
    "RAck",
    "Reason",
    "Replaces",
    "Request",
    "RequestReceived",
    "Response",
    "ResponseReceived",
    "RetryAfter",
    "ServerTransaction",
    "SessionExpires",
    "SipuaError",
    "SubscriptionState",
    "TimerC",
    "Timers",
    "TransactionLayer",
    "TransactionState",
    "TransactionTerminated",
    "TransactionTimedOut",
    "TransportFailed",
    "URIHeaders",
    "URIParameters",
    "Via",
    "check_request",
    "dialog_id",
    "make_response",
    "new_branch",
    "new_call_id",
    "new_tag",
    "parse_message",
    "reason_phrase",
]
