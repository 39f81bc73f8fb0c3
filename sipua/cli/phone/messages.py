"""Text messages outside of calls (:rfc:`3428`)."""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sipua.cli.exits import ExitCode, Failure, one_line
from sipua.errors import RequestFailed

if TYPE_CHECKING:
    from sipua import events
    from sipua.cli.phone.line import Line
    from sipua.cli.phone.phone import Phone

__all__ = ["Messages", "TextMessage"]

#: How many are kept.
KEPT = 1000


@dataclass
class TextMessage:
    """A message that came or went."""

    time: datetime.datetime
    direction: Literal["incoming", "outgoing"]
    remote: str
    body: str
    account: str
    """The name of ours."""
    state: str = ""
    """Of one that went: ``sending``, ``sent``, or why it was not."""


class Messages:
    """The messages of a phone, the latest last in `all`."""

    def __init__(self, phone: Phone) -> None:
        self.all: list[TextMessage] = []
        self._phone = phone

    def send(self, target: str, text: str, account: str | None = None) -> None:
        """Send a text message; an event tells whether it arrived.

        :raises Failure: no such account, no text, or no connection.
        :raises InvalidTargetError: not a target.
        """
        line = self._phone.line(account)
        to = self._phone.book.target_of(target)
        if not text.strip():
            raise Failure("the message is empty", ExitCode.USAGE)
        uri = str(line.ua.normalize_target(to))
        line.check_connected()
        self._phone.spawn(self._deliver(line, to, uri, text))

    async def _deliver(self, line: Line, to: str, uri: str, text: str) -> None:
        message = TextMessage(
            datetime.datetime.now().astimezone(), "outgoing", uri, text, line.name, "sending"
        )
        self._keep(message)
        loop = asyncio.get_running_loop()
        began = loop.time()
        status: int | None
        try:
            response = await line.ua.send_message(to, text)
            status, reason, message.state = response.code, response.phrase, "sent"
        except RequestFailed as error:
            status, reason, message.state = error.status_code, one_line(error), one_line(error)
        shown = f"message to {uri}: {'sent' if message.state == 'sent' else 'not sent: ' + message.state}"
        self._phone.bulletin.event(
            "response",
            shown,
            method="MESSAGE",
            target=uri,
            status=status,
            reason=reason,
            seconds=round(loop.time() - began, 3),
        )

    def _keep(self, message: TextMessage) -> None:
        self.all.append(message)
        del self.all[:-KEPT]

    def receive(self, line: Line, event: events.NewMessage) -> None:
        """A message of ours or of somebody else."""
        if event.originator != "remote":
            return
        message = event.message
        remote = str(message.remote_identity.uri)
        text = message.body if message.content_type == "text/plain" else f"({message.content_type})"
        self._keep(TextMessage(datetime.datetime.now().astimezone(), "incoming", remote, text, line.name))
        self._phone.bulletin.event(
            "message",
            f"{line.prefix}message from {remote}: {_indented(text)}",
            remote=remote,
            local=str(message.local_identity.uri),
            content_type=message.content_type,
            body=message.body,
        )


def _indented(text: str) -> str:
    """Further lines of a message look like nothing that the phone tells itself."""
    return "\n    ".join(text.splitlines())
