"""The payload of every event: one frozen dataclass each, and the causes of what failed or ended.

Handlers get exactly one of these. `originator` says who did it: ``"local"`` this side, ``"remote"`` the peer,
``"system"`` the stack itself (a timer, the media path, the transport).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.sip import URI, Address, Request, Response

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


# --- user agent -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connecting:
    """A WebSocket connection is being tried (`attempt` counts from 1 since the last one that worked)."""

    url: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Connected:
    """The WebSocket connection is up."""

    url: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ended or could not be made. `error` is None after a wanted close."""

    url: str
    error: Exception | None = None
    code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar holds our binding for `expires` seconds more."""

    response: Response | None
    expires: float


@dataclass(frozen=True, slots=True)
class Unregistered:
    """Our binding is gone: removed by us, refused, expired, or lost with the connection."""

    response: Response | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """A REGISTER did not succeed. The next try is in `retry_after` seconds; None: there is none."""

    cause: Cause
    response: Response | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class RegistrationExpiring:
    """The binding runs out soon; sent only when the application registered a handler, which then calls register()."""


@dataclass(frozen=True, slots=True)
class NewRTCSession:
    """A call, incoming or outgoing, before anything was done with it."""

    originator: Originator
    session: Any
    request: Request


@dataclass(frozen=True, slots=True)
class NewMessage:
    """An out-of-dialog MESSAGE (:rfc:`3428`). An incoming one is answered 200 unless `message` is rejected.

    `message` is an `IncomingMessage` or an `OutgoingMessage`.
    """

    originator: Originator
    message: Any
    request: Request


@dataclass(frozen=True, slots=True)
class NewOptions:
    """An out-of-dialog OPTIONS (:rfc:`3261#section-11`): `options` is an `IncomingOptions` or an `OutgoingOptions`."""

    originator: Originator
    options: Any
    request: Request


@dataclass(frozen=True, slots=True)
class RequestSucceeded:
    """A MESSAGE or OPTIONS of ours was answered with 2xx."""

    originator: Originator
    response: Response


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A MESSAGE or OPTIONS of ours was refused, or got no answer: then `response` is None, or a challenge."""

    originator: Originator
    response: Response | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class NewSubscribe:
    """Somebody wants to be told of `event`, a package such as ``presence`` (:rfc:`6665#section-4.2`).

    Take it with `UA.notify`, or reject `subscribe`; one that nobody takes gets 489.
    """

    event: str
    subscribe: Any
    request: Request


@dataclass(frozen=True, slots=True)
class SipEvent:
    """A NOTIFY that nobody subscribed to. It gets 200 unless `notify` is rejected.

    `event` is its package; `content` its body as one of `sipua.bodies`, None when it is none of these.
    """

    event: str
    notify: Any
    request: Request
    content: Any = None


@dataclass(frozen=True, slots=True)
class SubscriptionAccepted:
    """The SUBSCRIBE was answered with 2xx: the subscription is for `expires` seconds."""

    response: Response
    expires: int


@dataclass(frozen=True, slots=True)
class SubscriptionDialogCreated:
    """The first NOTIFY of a notifier made the subscription's dialog (:rfc:`6665#section-4.4.1`)."""

    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionPending:
    """There is a subscription, and somebody still has to allow it."""

    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionActive:
    """The subscription was allowed."""

    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionNotify:
    """A NOTIFY of a subscription.

    `content` is its body as one of `sipua.bodies`; None when it is none of these, or cannot be read.
    """

    is_final: bool
    request: Request
    body: str
    content_type: str
    content: Any = None


@dataclass(frozen=True, slots=True)
class SubscriptionForked:
    """The SUBSCRIBE reached one more notifier: `subscriber` is the subscription there (:rfc:`6665#section-4.4.1`)."""

    subscriber: Any
    request: Request


@dataclass(frozen=True, slots=True)
class SubscriptionTerminated:
    """A subscription is over.

    `reason` and `retry_after` are the notifier's (:rfc:`6665#section-4.1.3`), as far as it said. With `resubscribing`
    the user agent subscribes anew by itself, as soon as that makes sense. `message` is the NOTIFY or response that
    ended it.
    """

    originator: Originator
    cause: Cause
    reason: str | None = None
    retry_after: float | None = None
    resubscribing: bool = False
    message: Request | Response | None = None


@dataclass(frozen=True, slots=True)
class SubscribeReceived:
    """A SUBSCRIBE of a subscriber of ours: the first one, a refresh, or the end (`is_unsubscribe`).

    A NOTIFY must follow each: the last body is repeated, unless the handler calls `Notifier.notify` itself.
    """

    is_unsubscribe: bool
    request: Request
    body: str
    content_type: str


@dataclass(frozen=True, slots=True)
class NotifierTerminated:
    """A subscription to us is over."""

    originator: Originator
    cause: Cause


@dataclass(frozen=True, slots=True)
class Published:
    """The server holds what we published for `expires` seconds more, under this entity tag."""

    response: Response
    expires: float
    etag: str | None


@dataclass(frozen=True, slots=True)
class PublishFailed:
    """A PUBLISH did not succeed. The next try is in `retry_after` seconds; None: there is none."""

    cause: Cause
    response: Response | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unpublished:
    """What we published is gone: removed by us, or expired."""

    response: Response | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class NewTransaction:
    """A client or server transaction was made."""

    transaction: Any


@dataclass(frozen=True, slots=True)
class TransactionDestroyed:
    """A transaction is over."""

    transaction: Any


# --- session ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PeerConnection:
    """The media session was made: `peerconnection` is aiortc's RTCPeerConnection (None without media)."""

    peerconnection: Any


@dataclass(frozen=True, slots=True)
class SessionConnecting:
    """Before candidates are gathered for the first INVITE or the 200 to it."""

    request: Request


@dataclass(slots=True)
class Sending:
    """Just before the first INVITE goes out; `request` may be changed."""

    request: Request


@dataclass(frozen=True, slots=True)
class Progress:
    """A 1xx above 100, received or sent."""

    originator: Originator
    response: Response


@dataclass(frozen=True, slots=True)
class Accepted:
    """A 2xx to the INVITE, received or sent."""

    originator: Originator
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK was sent or received: the call is up."""

    originator: Originator
    ack: Request | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """An established call is over."""

    originator: Originator
    cause: Cause
    message: Request | Response | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A call ended before it was established."""

    originator: Originator
    cause: Cause
    message: Request | Response | None = None
    reason: str = ""


@dataclass(slots=True)
class Sdp:
    """A session description about to be used; `sdp` may be changed by the handler."""

    originator: Originator
    type: Literal["offer", "answer"]
    sdp: str


@dataclass(frozen=True, slots=True)
class IceConnectionState:
    """The media path's state: ``connecting``, ``connected``, ``disconnected``, ``failed`` or ``closed``."""

    state: str


@dataclass(frozen=True, slots=True)
class Stats:
    """What the call's media has done so far, every `stats_interval` seconds (a media option).

    `stats` is a :class:`sipua.media.MediaStats`, `previous` that of the last event, None in the first; `quality` is how
    the peer sounded between the two (:class:`sipua.media.Quality`), None when nothing was heard.
    """

    stats: Any
    previous: Any = None
    quality: Any = None


@dataclass(frozen=True, slots=True)
class Track:
    """The peer's audio or video arrived: `track` is aiortc's remote track."""

    kind: str
    track: Any


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """A step of the negotiation, a source, a sink or a recording failed. It has been dealt with: this tells of it."""

    error: Exception


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A local candidate was found. `ready()` ends the search at once: what there is is used."""

    candidate: str
    """The ``candidate:…`` line (:rfc:`8839#section-5.1`)."""
    ready: Callable[[], None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class GetUserMediaFailed:
    """A file to play or record to cannot be used; the call or answer that named it raises `error`."""

    error: Exception


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step of the media negotiation failed, told before what follows from it (``failed``, a refusal)."""

    error: Exception


@dataclass(frozen=True, slots=True)
class CreateOfferFailed(StepFailed):
    """Media could not make an offer."""


@dataclass(frozen=True, slots=True)
class CreateAnswerFailed(StepFailed):
    """Media could not make an answer."""


@dataclass(frozen=True, slots=True)
class SetLocalDescriptionFailed(StepFailed):
    """Media could not use its own description: no candidates could be gathered, for instance."""


@dataclass(frozen=True, slots=True)
class SetRemoteDescriptionFailed(StepFailed):
    """Media cannot use the peer's description."""


@dataclass(frozen=True, slots=True)
class Muted:
    """What the mute or unmute was about."""

    audio: bool = False
    video: bool = False


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """Somebody has begun to speak, or has ceased (`speaks`): the peer, or what it is sent by this side.

    Told with the media option ``voice_activity=True``.
    """

    originator: Originator
    speaks: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """A side has put the other on hold (``hold``), or takes it off again (``unhold``): told when it is agreed."""

    originator: Originator


@dataclass(slots=True)
class Reinvite:
    """A re-INVITE of the peer, before it is answered. What is not rejected is accepted if media can.

    The handler may be a coroutine function and take its time: 20 s at most, with the work of media. `callback`, if the
    handler sets it, is called without arguments once the change is in force.
    """

    request: Request
    _refuse: Callable[[int, str | None, Any], None] = field(repr=False)
    callback: Callable[[], Any] | None = None

    def reject(
        self, status_code: int = 403, reason_phrase: str | None = None, *, extra_headers: Any = ()
    ) -> None:
        """Refuse it; the call goes on as it is.

        :param status_code: 300 to 699.
        :raises ValueError: no such status code.
        :raises InvalidStateError: it was answered already.
        """
        self._refuse(status_code, reason_phrase, extra_headers)


@dataclass(slots=True)
class Update(Reinvite):
    """An UPDATE of the peer (:rfc:`3311`), before it is answered; see `Reinvite`."""


@dataclass(frozen=True, slots=True)
class NewDTMF:
    """One DTMF tone (``0``–``9``, ``*``, ``#``, ``A``–``D``), received or sent; `duration` is in milliseconds.

    Tones in the audio (`transport` ``RFC4733`` or ``INBAND``) are told when they are over, and have no `request`.
    """

    originator: Originator
    tone: str
    duration: int
    request: Request | None
    transport: Literal["INFO", "RFC4733", "INBAND"] = "INFO"


@dataclass(frozen=True, slots=True)
class Refer:
    """The peer asks to call somebody (:rfc:`3515`): `refer` says whom. `accept` or `reject` it."""

    refer: Any
    request: Request

    def accept(self, **options: Any) -> Any:
        """Follow it; returns the new call (see `IncomingRefer.accept`)."""
        return self.refer.accept(**options)

    def reject(
        self, status_code: int = 603, reason_phrase: str | None = None, *, extra_headers: Any = ()
    ) -> None:
        """Do not follow it (see `IncomingRefer.reject`)."""
        self.refer.reject(status_code, reason_phrase, extra_headers=extra_headers)


@dataclass(frozen=True, slots=True)
class Replaces:
    """Somebody wants to take the peer's place in this call (:rfc:`3891`). `accept` or `reject` it."""

    replacement: Any
    request: Request

    def accept(self, **options: Any) -> Any:
        """Take the new call in place of this one; returns it (see `Replacement.accept`)."""
        return self.replacement.accept(**options)

    def reject(
        self, status_code: int = 486, reason_phrase: str | None = None, *, extra_headers: Any = ()
    ) -> None:
        """Refuse; this call goes on (see `Replacement.reject`)."""
        self.replacement.reject(status_code, reason_phrase, extra_headers=extra_headers)


@dataclass(frozen=True, slots=True)
class Redirect:
    """The call was redirected (:rfc:`3261#section-8.1.3.4`): `follow` it, or else it fails.

    `targets` are the Contacts of the 3xx that can be called and were not, the preferred one first.
    """

    response: Response
    targets: tuple[Address, ...]
    redirection: Any

    def follow(self, *targets: Address | URI | str) -> None:
        """Call these one after the other until one answers; all of `targets` unless some are given."""
        self.redirection.follow(targets)

    def reject(self) -> None:
        """Do not follow it, even if the call was made with ``follow_redirects``."""
        self.redirection.reject()


@dataclass(frozen=True, slots=True)
class ReferRequestSucceeded:
    """The peer takes our REFER: it will try."""

    response: Response


@dataclass(frozen=True, slots=True)
class ReferRequestFailed:
    """The peer does not take our REFER; `response` is None when there was none."""

    response: Response | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class ReferStatus:
    """How far the call that we asked for is: the status line of the response to its INVITE.

    `request` is the NOTIFY that told it; None when the peer left us without an answer (`status_code` 408).
    """

    request: Request | None
    status_code: int
    reason_phrase: str
    reason: str = ""

    @property
    def status_line(self) -> str:
        """As in the NOTIFY, such as ``SIP/2.0 200 OK``."""
        return f"SIP/2.0 {self.status_code} {self.reason_phrase}"


@dataclass(frozen=True, slots=True)
class Notify:
    """A NOTIFY in the call's dialog that belongs to no subscription, such as ``talk`` and ``hold``.

    `event` is the package; `body` its content of type `content_type`.
    """

    event: str
    content_type: str
    body: bytes
    request: Request


@dataclass(frozen=True, slots=True)
class NewInfo:
    """An INFO that is no DTMF, received or sent; `body` is its content of type `content_type`."""

    originator: Originator
    content_type: str
    body: bytes
    request: Request


# --- conference -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A call has joined the conference; `member.call` is it."""

    member: Any


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A call has left the conference: it was asked to, or is over."""

    member: Any


@dataclass(frozen=True, slots=True)
class SpeakerChanged:
    """Another member is speaking now; None: nobody has been for 2 s."""

    member: Any
