"""What the transaction layer tells its user. Taken, in order, by `TransactionLayer.take_events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .message import Request, Response
    from .transaction import Transaction
    from .transaction_client import ClientTransaction
    from .transaction_server import ServerTransaction

__all__ = [
    "AckReceived",
    "AckTimedOut",
    "Cancelled",
    "Event",
    "RequestReceived",
    "ResponseReceived",
    "TimerC",
    "TransactionTerminated",
    "TransactionTimedOut",
    "TransportFailed",
]


@dataclass(slots=True, eq=False)
class RequestReceived:
    """A new request; never an ACK, a CANCEL or a retransmission. To be answered by `transaction.respond`."""

    transaction: ServerTransaction
    request: Request


@dataclass(slots=True, eq=False)
class Cancelled:
    """A CANCEL (`request`) for the INVITE of `transaction`, which has no final response yet.

    The CANCEL is answered already; the INVITE is the user's to answer, with 487 (:rfc:`3261#section-9.2`).
    """

    transaction: ServerTransaction
    request: Request


@dataclass(slots=True, eq=False)
class AckReceived:
    """The first ACK to the 2xx of `transaction`; later ones are absorbed.

    `transaction` is None when the ACK belongs to no INVITE that is known here: a user agent drops it, a proxy
    forwards it.
    """

    transaction: ServerTransaction | None
    request: Request


@dataclass(slots=True, eq=False)
class ResponseReceived:
    """A response: each 1xx, each 2xx to an INVITE (repeated ones want their ACK too), one final otherwise."""

    transaction: ClientTransaction
    response: Response


@dataclass(slots=True, eq=False)
class TransactionTimedOut:
    """No final response in time: timers B and F, or 64*T1 after a CANCEL. For a server: no ACK, timer H."""

    transaction: Transaction


@dataclass(slots=True, eq=False)
class AckTimedOut:
    """A 2xx was repeated for 64*T1 and no ACK came. The user sends BYE (:rfc:`3261#section-13.3.1.4`)."""

    transaction: ServerTransaction


@dataclass(slots=True, eq=False)
class TimerC:
    """The INVITE had provisional responses only for too long (:rfc:`3261#section-16.8`): cancel it."""

    transaction: ClientTransaction


@dataclass(slots=True, eq=False)
class TransportFailed:
    """The connection of a transaction that was not over is gone (:rfc:`3261#section-17.1.4`)."""

    transaction: Transaction


@dataclass(slots=True, eq=False)
class TransactionTerminated:
    """The transaction is over, and nothing in the layer refers to it any more."""

    transaction: Transaction


Event = (
    RequestReceived
    | Cancelled
    | AckReceived
    | ResponseReceived
    | TransactionTimedOut
    | AckTimedOut
    | TimerC
    | TransportFailed
    | TransactionTerminated
)
