"""One account of the phone: its user agent, connection and registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sipua.cli.exits import Failure

if TYPE_CHECKING:
    from sipua import events
    from sipua.cli.account import AccountOptions
    from sipua.cli.phone.bulletin import Bulletin
    from sipua.ua import UA

__all__ = ["Line", "LineState"]

LineState = Literal["connecting", "no connection", "connected", "registered", "refused", "unregistered"]


class Line:
    """Follows a user agent from before its start. People are told of an outage once, not of each attempt to end it."""

    def __init__(self, account: AccountOptions, ua: UA, bulletin: Bulletin) -> None:
        self.account = account
        self.ua = ua
        self.name = account.name or (ua.configuration.uri.user or str(ua.configuration.uri))
        self.state: LineState = "connecting"
        self.detail = ""
        """Why there is no connection or registration, or to which server there is one."""
        self.prefix = ""
        """Before each line for people; the phone sets it when there are several accounts."""
        self._bulletin = bulletin
        self._told: str | None = None
        for name in ("connecting", "connected", "disconnected"):
            ua.on(name, getattr(self, f"_{name}"))
        for name in ("registered", "unregistered", "registration_failed"):
            ua.on(name, getattr(self, f"_{name}"))

    @property
    def is_settling(self) -> bool:
        """Whether it is not known yet how the first attempt to connect and register ends."""
        return self.state in ("connecting", "connected")

    @property
    def uri(self) -> str:
        """Our address."""
        return str(self.ua.configuration.uri)

    def check_connected(self) -> None:
        """Refuse what needs a server while there is none.

        :raises Failure: there is none.
        """
        if not self.ua.is_connected():
            why = f": {self.detail}" if self.detail else "; it is being tried"
            raise Failure(f"{self.name}: not connected to a server{why}")

    async def register(self) -> None:
        """Register now, and say so also when we are registered already.

        :raises RegistrationFailed: the server refused; that has been told.
        """
        if self.state == "registered":
            self.state = "connected"
        await self.ua.register()

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"account": self.name, "uri": self.uri, "state": self.state, "detail": self.detail}

    def _tell(self, name: str, text: str | None = None, **fields: Any) -> None:
        line = None if text is None else self.prefix + text
        self._bulletin.event(name, line, account=self.name, **fields)

    def _once(self, text: str) -> str | None:
        """`text`, unless it was told last."""
        if text == self._told:
            return None
        self._told = text
        return text

    def _connecting(self, event: events.Connecting) -> None:
        if self.state != "no connection":
            self.state = "connecting"
        self._tell("connecting", url=event.url, attempt=event.attempt)

    def _connected(self, event: events.Connected) -> None:
        self.state, self.detail, self._told = "connected", event.url, None
        self._tell("connected", f"connected to {event.url}", url=event.url)

    def _disconnected(self, event: events.Disconnected) -> None:
        reason = str(event.error) if event.error else None
        self.state, self.detail = "no connection", reason or ""
        text = None
        if reason and self._told is None:
            self._told = text = f"no connection: {reason}; it is tried again"
        self._tell("disconnected", text, url=event.url, reason=reason)

    def _registered(self, event: events.Registered) -> None:
        first = self.state != "registered"
        self.state, self.detail, self._told = "registered", "", None
        text = f"registered as {self.uri} for {event.expires:g} s" if first else None
        self._tell("registered", text, uri=self.uri, expires=event.expires)

    def _unregistered(self, event: events.Unregistered) -> None:
        cause = str(event.cause) if event.cause else None
        if self.state == "registered":
            self.state = "unregistered"
        text = None if cause else "not registered any more"
        self._tell("unregistered", text, uri=self.uri, cause=cause)

    def _registration_failed(self, event: events.RegistrationFailed) -> None:
        response = event.response
        status, reason = (response.code, response.phrase) if response is not None else (None, None)
        why = f"{event.cause}{f' ({status} {reason})' if status else ''}"
        if self.ua.is_connected():
            self.state, self.detail = "refused", why
        text = self._once(f"registration failed: {why}") if self.state == "refused" else None
        if text is not None and event.retry_after is None:
            text += "; mend the account, then: register"
        self._tell(
            "registration_failed",
            text,
            uri=self.uri,
            cause=str(event.cause),
            status=status,
            reason=reason,
            retry_after=event.retry_after,
        )
