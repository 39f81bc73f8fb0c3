"""A client's connection, as the server knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.errors import NotConnected

if TYPE_CHECKING:
    from sipua.sip import Request, Response
    from sipua.transport import Connection


class Flow:
    """One connection (a flow, :rfc:`5626#section-2`).

    `id` is unguessable: whoever knows it has been told by us. Requests on a `trusted` flow need no credentials.
    """

    __slots__ = ("bad_messages", "connection", "id", "pending", "trusted")

    def __init__(self, id: str, connection: Connection, *, trusted: bool = False) -> None:
        self.id = id
        self.connection = connection
        self.trusted = trusted
        self.bad_messages = 0
        self.pending = 0
        """How many requests have no final response yet."""

    def __str__(self) -> str:
        return self.connection.peer

    def send(self, message: Request | Response) -> bool:
        """Send one message; False when the connection does not take it any more."""
        try:
            self.connection.send(message.frame())
        except NotConnected:
            return False
        return True
