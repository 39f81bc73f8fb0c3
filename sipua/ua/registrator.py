"""Keeping our binding at the registrar (:rfc:`3261#section-10.2`, :rfc:`5626`, :rfc:`5627`, :rfc:`3608`)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from sipua import events
from sipua.errors import RegistrationFailed, RegistrationUnauthorized, RequestFailed
from sipua.events import Cause, cause_of_status
from sipua.session.host import NoResponse
from sipua.session.outcome import failure_of
from sipua.sip import URI, Address, ParseError, Response, new_call_id
from sipua.ua.requests import new_request

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sipua.session.headers import HeaderPairs
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.registration")

T = TypeVar("T")

#: Pauses between failed tries, in seconds: doubled each time, within these bounds (:rfc:`5626#section-4.5`).
RETRY_MIN, RETRY_MAX = 30.0, 1800.0
#: Answers after which trying again the same way makes no sense: the application or the user has to do something.
LASTING = frozenset(
    {400, 401, 403, 404, 405, 406, 407, 410, 416, 420, 485, 493, 501, 505, 600, 603, 604, 606}
)
#: So many seconds before the binding expires ``registration_expiring`` is told to an application that refreshes itself.
EXPIRING_WARNING = 5.0


class Registrator:
    """The registration of one user agent. All times are in seconds.

    `register` and `unregister` may be called at any time; while one request is under way the next one waits.
    """

    def __init__(self, ua: UA) -> None:
        configuration = ua.configuration
        self._ua = ua
        self._loop = ua.loop
        self._expires = configuration.register_expires
        self._call_id = new_call_id()
        self._sequence = 0
        self._extra_headers = configuration.extra_headers
        self._contact_params: dict[str, str | None] = {}
        self._wanted = False
        self._busy = False
        self._again: bool | None = None
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[None] | None = None
        self.registered = False
        self.expires_at = 0.0
        self.pub_gruu: str | None = None
        """A public address of just this instance (:rfc:`5627`), from the registrar."""
        self.temp_gruu: str | None = None
        """One that does not tell who we are."""
        self.service_route: tuple[str, ...] = ()
        """Route for our requests (:rfc:`3608`)."""
        self.path: tuple[str, ...] = ()
        """What lies between the registrar and us (:rfc:`3327`)."""

    # --- what the application asks for ---------------------------------------------------------------------

    def set_extra_headers(self, headers: HeaderPairs) -> None:
        """Headers for every REGISTER from now on."""
        self._extra_headers = headers

    def set_extra_contact_params(self, params: dict[str, str | None]) -> None:
        """Parameters of the Contact in every REGISTER from now on."""
        self._contact_params = dict(params)

    def register(self) -> asyncio.Future[None]:
        """Register, or refresh the registration now."""
        self._wanted = True
        return self._request(remove=False)

    def unregister(self, *, all: bool = False) -> asyncio.Future[None]:
        """Remove our binding, or with `all` every binding of our address (:rfc:`3261#section-10.2.2`)."""
        self._wanted = False
        return self._request(remove=True, all_bindings=all)

    def connection_lost(self) -> None:
        """The flow of our binding is gone; a new connection registers anew."""
        self._cancel_timers()
        self._set_unregistered(None, Cause.CONNECTION_ERROR)

    def connected(self) -> None:
        """There is a connection (again)."""
        if self._wanted:
            self._failures = 0
            self._request(remove=False)

    def close(self) -> None:
        """Nothing more is sent."""
        self._wanted = False
        self._cancel_timers()

    # --- one REGISTER --------------------------------------------------------------------------------------

    def _request(self, *, remove: bool, all_bindings: bool = False) -> asyncio.Future[None]:
        if self._done is None or self._done.done():
            self._done = self._loop.create_future()
        done = self._done
        if self._busy:
            self._again = remove
        else:
            self._send(remove, all_bindings)
        return done

    def _send(self, remove: bool, all_bindings: bool = False) -> None:
        self._busy = True
        self._cancel_timer()
        self._sequence += 1
        configuration = self._ua.configuration
        expires = 0 if remove else self._expires
        contact = "*" if all_bindings else f"{self._contact()};expires={expires}"
        aor = self._ua.identity.from_value()
        trail = configuration.register_from_tag_trail
        request = new_request(
            "REGISTER",
            configuration.registrar,
            from_=aor,
            to=aor,
            route=self._ua.identity.route(),
            headers=(
                ("Contact", contact),
                ("Expires", str(expires)),
                *((name, value) for name, value in self._ua.standard_headers() if name != "Supported"),
                ("Supported", "path, gruu, outbound"),
                *self._extra_headers,
            ),
            call_id=self._call_id,
            sequence=self._sequence,
        )
        suffix = trail() if callable(trail) else trail
        if suffix:
            request.headers.set("From", f"{request.headers['From']}{suffix}")
        self._ua.endpoint.send_request(
            request, lambda result: self._on_result(result, remove), next_cseq=self._next_sequence
        )

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _contact(self) -> str:
        params = "".join(f";{k}" if v is None else f";{k}={v}" for k, v in self._contact_params.items())
        instance = self._ua.configuration.instance_id
        return f'<{self._ua.contact_uri}>;+sip.instance="<urn:uuid:{instance}>";reg-id=1{params}'

    def _on_result(self, result: Response | NoResponse, remove: bool) -> None:
        if isinstance(result, Response) and result.code < 200:
            return
        self._busy = False
        if isinstance(result, NoResponse):
            self._failed(result.cause, result, remove)
        elif result.code < 300:
            self._succeeded(result, remove)
        else:
            least = _legible(lambda: result.min_expires) or 0
            if result.code == 423 and not remove and least > self._expires:
                self._expires = least  # RFC 3261 §10.2.8
                self._send(remove)
                return
            self._failed(cause_of_status(result.code), result, remove)
        again, self._again = self._again, None
        if again is not None and not self._busy:
            if self._done is None or self._done.done():
                self._done = self._loop.create_future()
            self._send(again)

    # --- outcome -------------------------------------------------------------------------------------------

    def _succeeded(self, response: Response, remove: bool) -> None:
        self._failures = 0
        if remove:
            self._cancel_timers()
            self._set_unregistered(response, None)
            self._settle(None)
            return
        ours = self._our_binding(response)
        if ours is None:
            logger.warning(
                "%s: the registrar answered %d without our binding: nobody can call us",
                self._ua.configuration.registrar,
                response.code,
            )
            self._failed(Cause.UNAVAILABLE, response, remove)
            return
        expires = self._granted(ours, response)
        self.pub_gruu, self.temp_gruu = _gruu(ours, "pub-gruu"), _gruu(ours, "temp-gruu")
        self.service_route = tuple(response.headers.values("Service-Route"))
        self.path = tuple(response.headers.values("Path"))
        self.registered = True
        self.expires_at = self._loop.time() + expires
        self._schedule_refresh(expires)
        self._settle(None)
        self._ua.emit("registered", events.Registered(response, expires))

    def _our_binding(self, response: Response) -> Address | None:
        instance = f"<urn:uuid:{self._ua.configuration.instance_id}>"
        contacts = _legible(lambda: response.contact) or []
        for contact in contacts:
            if (contact.parameters.get("+sip.instance") or "").strip('"') == instance:
                return contact
        # Without instance it is known by its address; registrars change the case and parameters of what they list.
        ours = URI.parse(self._ua.contact_uri)
        return next((c for c in contacts if (c.uri.user, c.uri.host) == (ours.user, ours.host)), None)

    def _granted(self, binding: Address, response: Response) -> float:
        value = binding.parameters.get("expires")
        if value is not None and value.isdecimal():
            return float(min(int(value), 2**31))
        expires = _legible(lambda: response.expires)
        return float(expires if expires is not None else self._expires)

    def _schedule_refresh(self, expires: float) -> None:
        """Well before the end, and not all user agents of a building at once."""
        self._cancel_timers()
        if self._ua.has_handlers("registration_expiring"):
            self._timer = self._loop.call_later(
                max(expires - EXPIRING_WARNING, expires / 2), self._tell_expiring
            )
        else:
            latest = expires - 32.0 if expires > 64.0 else expires * 0.75
            self._timer = self._loop.call_later(self._ua.rand.uniform(expires / 2, latest), self._refresh)
        self._expiry = self._loop.call_later(expires, self._expired)

    def _tell_expiring(self) -> None:
        self._ua.emit("registration_expiring", events.RegistrationExpiring())

    def _refresh(self) -> None:
        self._timer = None
        if self._wanted and not self._busy:
            self._send(False)

    def _expired(self) -> None:
        self._expiry = None
        self._set_unregistered(None, Cause.EXPIRES)

    def _failed(self, cause: Cause, result: Response | NoResponse, remove: bool) -> None:
        response = result if isinstance(result, Response) else None
        unauthorized = cause is Cause.AUTHENTICATION_ERROR
        failure = failure_of("REGISTER", result)
        text = str(failure) if failure is not None else "REGISTER: answered without our binding"
        kind = RegistrationUnauthorized if unauthorized else RegistrationFailed
        error = kind(
            f"{self._ua.configuration.registrar}: {text}",
            cause=cause,
            status_code=response.code if response is not None else None,
            response=response,
        )
        if remove:
            self._cancel_timers()
            self._set_unregistered(response, cause)
            self._settle(None if cause is Cause.CONNECTION_ERROR else error)
            return
        delay = self._retry_delay(cause, response)
        still = self.registered and self._loop.time() < self.expires_at
        if response is not None or not still:
            self._set_unregistered(response, cause)
        self._cancel_timer()
        if delay is not None:
            self._timer = self._loop.call_later(delay, self._refresh)
        logger.warning("%s", error)
        self._settle(error)
        self._ua.emit("registration_failed", events.RegistrationFailed(cause, response, delay))

    def _retry_delay(self, cause: Cause, response: Response | None) -> float | None:
        """Seconds until the next try; None: not before somebody asks for it, or the connection is back."""
        if cause is Cause.CONNECTION_ERROR or not self._wanted:
            return None
        if response is not None and response.code in LASTING:
            return None
        self._failures += 1
        asked = _legible(lambda: response.retry_after) if response is not None else None
        if asked is not None:
            return float(asked.delay)
        ceiling = min(RETRY_MIN * 2.0 ** (self._failures - 1), RETRY_MAX)
        return self._ua.rand.uniform(ceiling / 2, ceiling)

    def _set_unregistered(self, response: Response | None, cause: Cause | None) -> None:
        was, self.registered = self.registered, False
        self.pub_gruu = self.temp_gruu = None
        if was or (response is not None and cause is None):
            self._ua.emit("unregistered", events.Unregistered(response, cause))

    def _settle(self, error: RequestFailed | None) -> None:
        done = self._done
        if done is None or done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
            done.exception()  # nobody has to wait for it

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cancel_timers(self) -> None:
        self._cancel_timer()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None


def _legible(read: Callable[[], T]) -> T | None:
    """What `read` finds in a header of the registrar's; None if it cannot be made out."""
    try:
        return read()
    except ParseError as error:
        logger.warning("%s", error)
        return None


def _gruu(binding: Address, name: str) -> str | None:
    value = binding.parameters.get(name)
    return value.strip('"') if value else None
