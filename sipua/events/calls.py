"""What happens to a call, from its first request to its last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.events.causes import Cause, Originator
    from sipua.sip import URI, Address, Request, Response


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
