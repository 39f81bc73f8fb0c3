"""Telling what happens to a user agent's connection and registration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipua import events
    from sipua.cli.output import Output
    from sipua.trace.recorder import Trace
    from sipua.ua import UA


class Following:
    """Follows one user agent from before its start.

    Until `ready` is set, a failure that ends the command is told to programs only: people get it once, as the
    command's last line. From then on they are told of an outage once, not of each attempt to end it.
    """

    def __init__(self, output: Output, ua: UA, trace: Trace | None) -> None:
        self.ready = False
        self._is_cut_off = False
        self._output = output
        self._who = str(ua.configuration.uri)
        self._several = len(ua.configuration.sockets) > 1
        ua.on("connecting", self._connecting)
        ua.on("connected", self._connected)
        ua.on("disconnected", self._disconnected)
        ua.on("registered", self._registered)
        ua.on("unregistered", self._unregistered)
        ua.on("registration_failed", self._registration_failed)
        if trace is not None:
            trace.follow(ua)

    def _connecting(self, event: events.Connecting) -> None:
        self._output.event("connecting", url=event.url, attempt=event.attempt)

    def _connected(self, event: events.Connected) -> None:
        self._is_cut_off = False
        self._output.event("connected", f"connected to {event.url}", url=event.url)

    def _disconnected(self, event: events.Disconnected) -> None:
        reason = str(event.error) if event.error else None
        text = None
        if reason and self.ready and not self._is_cut_off:
            self._is_cut_off = True
            text = f"no connection: {reason}; it is tried again"
        elif reason and not self.ready and self._several:
            text = f"no connection: {reason}"
        self._output.event("disconnected", text, url=event.url, reason=reason)

    def _registered(self, event: events.Registered) -> None:
        text = f"registered as {self._who} for {event.expires:g} s"
        self._output.event("registered", text, uri=self._who, expires=event.expires)

    def _unregistered(self, event: events.Unregistered) -> None:
        cause = str(event.cause) if event.cause else None
        text = f"not registered any more{f': {cause}' if cause else ''}"
        self._output.event("unregistered", text, uri=self._who, cause=cause)

    def _registration_failed(self, event: events.RegistrationFailed) -> None:
        response = event.response
        status, reason = (response.code, response.phrase) if response is not None else (None, None)
        text = f"registration failed: {event.cause}{f' ({status} {reason})' if status else ''}"
        if event.retry_after is not None:
            text += f"; next try in {event.retry_after:.0f} s"
        self._output.event(
            "registration_failed",
            text if self.ready else None,
            uri=self._who,
            cause=str(event.cause),
            status=status,
            reason=reason,
            retry_after=event.retry_after,
        )


def tell_messages(output: Output, ua: UA) -> None:
    """From now on, text messages that come are taken and told."""

    def told(event: events.NewMessage) -> None:
        message = event.message
        if event.originator != "remote":
            return
        remote, kind = str(message.remote_identity.uri), message.content_type
        text = message.body if kind.startswith("text/") else f"({kind})"
        output.event(
            "message",
            f"message from {remote}: {text}",
            remote=remote,
            local=str(message.local_identity.uri),
            content_type=kind,
            body=message.body,
        )

    ua.on("new_message", told)
