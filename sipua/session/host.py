"""What a session needs of the user agent that it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    import random

    from sipua.events import Cause
    from sipua.media.interface import MediaOptions, MediaSession, TrickleIce
    from sipua.session.timers import TimerPolicy
    from sipua.session.trickle_peers import KnownPeers
    from sipua.sip import URI, ClientTransaction, Request, Response, ServerTransaction


@dataclass(frozen=True, slots=True)
class NoResponse:
    """A request that got no final response: `cause` says why (time-out, connection, credentials).

    `response` is the challenge that could not be answered, when that is the reason.
    """

    cause: Cause
    response: Response | None = None


Receiver = Callable[["Response | NoResponse"], None]


class TransactionUser(Protocol):
    """What a transaction's `user` must be."""

    def on_transaction_event(self, event: object) -> None:
        """Something happened to the transaction."""


class SentRequest(Protocol):
    """A request under way, through all its re-sendings with credentials."""

    request: Request
    """As it was last sent."""
    transaction: ClientTransaction | None

    def retire(self, user: TransactionUser | None) -> None:
        """The call is over: what still comes is for `user`."""

    def cancel(self, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Send a CANCEL, now or after the first provisional response (:rfc:`3261#section-9.1`)."""


class DialogUser(Protocol):
    """Whoever gets the requests of a dialog: a call, or a subscription outside of calls."""

    def receive_request(self, transaction: ServerTransaction, request: Request) -> None:
        """A request of the peer in the dialog, neither ACK nor CANCEL; it must be answered."""

    def close(self) -> None:
        """The user agent stops: nothing can be sent any more, stop all timers."""


class SessionHost(Protocol):
    """The user agent, as its sessions see it."""

    loop: asyncio.AbstractEventLoop
    session_timers: TimerPolicy
    trickle_peers: KnownPeers

    @property
    def rand(self) -> random.Random:
        """Where chance comes from."""

    @property
    def trickle_ice(self) -> TrickleIce:
        """What calls do that have no media yet (`MediaOptions.trickle_ice`)."""

    def contact(self, *, anonymous: bool = False) -> str:
        """The Contact header value for requests and responses that make or refresh a dialog."""

    def standard_headers(self) -> tuple[tuple[str, str], ...]:
        """Allow, Supported and User-Agent."""

    def send_request(
        self, request: Request, receiver: Receiver, *, next_cseq: Callable[[], int] | None = None
    ) -> SentRequest:
        """Send `request`; answer its challenges. `receiver` gets each response and, at the end, perhaps a NoResponse.

        It is never called before this returns.
        """

    def send_ack(self, request: Request) -> None:
        """Send an ACK to a 2xx: a transaction of its own that has no answer."""

    def call(self, target: str | URI, **options: Any) -> Any:
        """Make a call; see `UA.call`."""

    def normalize_target(self, target: str | URI) -> URI:
        """What the application gave as a target, as a URI."""

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Answer a request."""

    def release(self, transaction: ServerTransaction) -> None:
        """The call is over: let go of what its INVITE's transaction keeps."""

    def new_media(self, options: MediaOptions | dict[str, Any], factory: Any = None) -> MediaSession:
        """The media of a call. `factory` is the call's own, when it has one."""

    def add_dialog(self, dialog_id: tuple[str, str, str], user: DialogUser) -> None:
        """From now on in-dialog requests with this identification are the user's.

        An empty remote tag stands for any: a NOTIFY that comes before the response which tells the tag.
        """

    def remove_dialog(self, dialog_id: tuple[str, str, str]) -> None:
        """Such requests get 481 from now on."""

    def session_over(self, session: Any) -> None:
        """The session has ended; forget it."""

    def check_connection(self) -> None:
        """Find out now whether the connection to the server is alive."""

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` as a task that the user agent waits for when it stops."""
