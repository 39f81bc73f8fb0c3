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
    command's last line.
    """

    def __init__(self, output: Output, ua: UA, trace: Trace | None) -> None:
        self.ready = False
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
        self._output.event("connected", f"connected to {event.url}", url=event.url)

    def _disconnected(self, event: events.Disconnected) -> None:
        reason = str(event.error) if event.error else None
        text = f"no connection: {reason}" if reason and (self.ready or self._several) else None
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
