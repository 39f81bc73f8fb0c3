"""A client's connection, as the server knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipua.transport import Connection


class Flow:
    """One connection (a flow, :rfc:`5626#section-2`).

    `id` is unguessable: whoever knows it has been told by us. Requests on a `trusted` flow need no credentials; what
    passes over one that is not `traced` is the server's talk with itself.
    """

    __slots__ = ("bad_messages", "connection", "id", "pending", "traced", "trusted")

    def __init__(
        self, id: str, connection: Connection, *, trusted: bool = False, traced: bool = True
    ) -> None:
        self.id = id
        self.connection = connection
        self.trusted = trusted
        self.traced = traced
        self.bad_messages = 0
        """How many of the last messages, in a row, were not SIP."""
        self.pending = 0
        """How many requests have no final response yet."""

    def __str__(self) -> str:
        return self.connection.peer
