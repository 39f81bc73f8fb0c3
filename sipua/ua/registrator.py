"""Keeping our binding at the registrar (:rfc:`3261#section-10.2`, :rfc:`5626`, :rfc:`5627`, :rfc:`3608`)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sipua import events
from sipua.errors import (
    ConfigurationError,
    InvalidHeaderError,
    RegistrationFailed,
    RegistrationUnauthorized,
)
from sipua.events import Cause, cause_of_status
from sipua.session.headers import header_list
from sipua.session.host import NoResponse
from sipua.session.outcome import failure_of, settle
from sipua.sip import URI, Address, Parameters, ParseError, Request, Response, new_call_id
from sipua.sip.extensions import parse_seconds
from sipua.ua.pacing import REFRESH_MIN, Backoff, asked_delay, refresh_delay
from sipua.ua.requests import new_request
from sipua.ua.targets import CONTROLS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sipua.session.headers import HeaderLike
    from sipua.ua.ua import UA

logger = logging.getLogger("sipua.registration")

T = TypeVar("T")

#: Answers after which trying again the same way makes no sense: the application or the user has to do something.
LASTING = frozenset(
    {400, 401, 403, 404, 405, 406, 407, 410, 416, 420, 485, 493, 501, 505, 600, 603, 604, 606}
)
#: So many seconds before the binding expires ``registration_expiring`` is told to an application that refreshes itself.
EXPIRING_WARNING = 5.0
#: So often in a row we ask for more seconds than before, because of a 423.
MAX_TOO_BRIEF = 2
#: What the Contact says of our binding is not for the application to say.
_OWN_PARAMETERS = frozenset({"expires", "+sip.instance", "reg-id"})


@dataclass(eq=False, slots=True)
class _Operation:
    """What somebody asked for and may wait for: one REGISTER, with its repetitions."""

    remove: bool
    all_bindings: bool
    done: asyncio.Future[None]
    too_brief: int = 0


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
        self._contact_params = ""
        self._wanted = False
        self._current: _Operation | None = None
        self._waiting: deque[_Operation] = deque()
        self._backoff = Backoff(ua.rand)
        self._timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
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

    def set_extra_headers(self, headers: HeaderLike) -> None:
        """Headers for every REGISTER from now on.

        :raises InvalidHeaderError: one that must not go on the wire, or is not the application's to set.
        """
        self._extra_headers = header_list(headers)

    def set_extra_contact_params(self, params: Mapping[str, str | None]) -> None:
        """Parameters of the Contact in every REGISTER from now on.

        :raises InvalidHeaderError: a name or value that cannot stand there.
        """
        self._contact_params = _contact_parameters(params)

    def register(self) -> asyncio.Future[None]:
        """Register, or refresh the registration now."""
        self._wanted = True
        return self._request(remove=False)

    def unregister(self, *, all: bool = False) -> asyncio.Future[None]:
        """Remove our binding, or with `all` every binding of our address (:rfc:`3261#section-10.2.2`)."""
        self._wanted = False
        return self._request(remove=True, all_bindings=all)

    def fetch_bindings(self) -> asyncio.Future[Response]:
        """Ask the registrar for every binding of our address (:rfc:`3261#section-10.2.3`); changes none of them.

        :returns: its 2xx, whose ``contact`` lists them; a `RequestFailed` for another answer, or none.
        """
        done: asyncio.Future[Response] = self._loop.create_future()
        self._ua.endpoint.send_request(
            self._new_request(),
            lambda result: settle(done, "REGISTER", result),
            next_cseq=self._next_sequence,
        )
        return done

    def connection_lost(self) -> None:
        """The flow of our binding is gone; a new connection registers anew."""
        self._cancel_timers()
        self._set_unregistered(None, Cause.CONNECTION_ERROR)

    def connected(self) -> asyncio.Future[None] | None:
        """There is a connection (again): what tells how the registration on it goes, if one is wanted."""
        if not self._wanted:
            return None
        self._backoff.reset()
        if (current := self._current) is not None and not current.remove:
            return current.done
        return self._request(remove=False)

    def close(self) -> None:
        """Nothing more is sent."""
        self._wanted = False
        self._cancel_timers()

    # --- one REGISTER --------------------------------------------------------------------------------------

    def _request(self, *, remove: bool, all_bindings: bool = False) -> asyncio.Future[None]:
        """Do this when what was asked for before is done; the same thing asked for twice in a row is done once."""
        if self._waiting:
            last = self._waiting[-1]
            if (last.remove, last.all_bindings) == (remove, all_bindings) and not last.done.done():
                return last.done
        operation = _Operation(remove, all_bindings, self._loop.create_future())
        if self._current is None:
            self._start(operation)
        else:
            self._waiting.append(operation)
        return operation.done

    def _start(self, operation: _Operation) -> None:
        self._current = operation
        self._cancel_timer()
        try:
            self._ua.endpoint.send_request(
                self._new_request(*self._binding(operation)),
                lambda result: self._on_result(operation, result),
                next_cseq=self._next_sequence,
            )
        except Exception as error:
            logger.exception("%s: REGISTER could not be sent", self._ua.configuration.registrar)
            # Not at once: whoever asked for it is to get the future first.
            self._loop.call_soon(self._broken, operation, error)

    def _binding(self, operation: _Operation) -> tuple[tuple[str, str], ...]:
        expires = 0 if operation.remove else self._expires
        contact = "*" if operation.all_bindings else f"{self._contact()};expires={expires}"
        return ("Contact", contact), ("Expires", str(expires))

    def _new_request(self, *binding: tuple[str, str]) -> Request:
        configuration = self._ua.configuration
        aor = self._ua.identity.from_value()
        request = new_request(
            "REGISTER",
            configuration.registrar,
            from_=aor,
            to=aor,
            route=self._ua.identity.route(),
            headers=(
                *binding,
                *((name, value) for name, value in self._ua.standard_headers() if name != "Supported"),
                ("Supported", "path, gruu, outbound"),
                *self._extra_headers,
            ),
            call_id=self._call_id,
            sequence=self._next_sequence(),
        )
        trail = configuration.register_from_tag_trail
        suffix = trail() if callable(trail) else trail
        if not isinstance(suffix, str):
            raise ConfigurationError("register_from_tag_trail", suffix, "not a text")
        if suffix:
            request.headers.set("From", f"{request.headers['From']}{suffix}")
        return request

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def _contact(self) -> str:
        instance = self._ua.configuration.instance_id
        return (
            f'<{self._ua.contact_uri}>;+sip.instance="<urn:uuid:{instance}>";reg-id=1{self._contact_params}'
        )

    def _on_result(self, operation: _Operation, result: Response | NoResponse) -> None:
        if self._current is not operation or (isinstance(result, Response) and result.code < 200):
            return
        if self._has_longer_interval(operation, result):
            self._start(operation)
            return
        try:
            error = self._outcome(operation, result)
        except Exception as bug:
            logger.exception("%s: the answer to REGISTER", self._ua.configuration.registrar)
            self._broken(operation, bug)
            return
        self._conclude(operation, error)

    def _has_longer_interval(self, operation: _Operation, result: Response | NoResponse) -> bool:
        """Whether the registrar wants us to ask for more seconds, and we shall (:rfc:`3261#section-10.2.8`)."""
        if isinstance(result, NoResponse) or result.code != 423 or operation.remove:
            return False
        least = _legible(lambda: result.min_expires) or 0
        if least <= self._expires or operation.too_brief == MAX_TOO_BRIEF:
            self._expires = self._ua.configuration.register_expires
            return False
        operation.too_brief += 1
        self._expires = least
        return True

    def _broken(self, operation: _Operation, error: Exception) -> None:
        """It failed here, not at the registrar: in a function of the application's, for instance."""
        if self._current is not operation:
            return
        self._tell_failure(operation, Cause.INTERNAL_ERROR, None, error)
        self._conclude(operation, error)

    def _conclude(self, operation: _Operation, error: Exception | None) -> None:
        """Tell who waits for it, and go on with what was asked for next."""
        self._current = None
        done = operation.done
        if not done.done():
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)
                done.exception()  # nobody has to wait for it
        if self._waiting:
            self._start(self._waiting.popleft())

    # --- outcome -------------------------------------------------------------------------------------------

    def _outcome(self, operation: _Operation, result: Response | NoResponse) -> Exception | None:
        """Take note of a final answer, or that there is none; None when what was asked for is done."""
        if isinstance(result, NoResponse):
            return self._failed(operation, result.cause, result)
        if result.code >= 300:
            return self._failed(operation, cause_of_status(result.code), result)
        if operation.remove:
            self._backoff.reset()
            self._cancel_timers()
            self._set_unregistered(result, None)
            return None
        ours = self._our_binding(result)
        if ours is None:
            logger.warning(
                "%s: the registrar answered %d without our binding: nobody can call us",
                self._ua.configuration.registrar,
                result.code,
            )
            return self._failed(operation, Cause.UNAVAILABLE, result)
        self._succeeded(ours, result)
        return None

    def _succeeded(self, ours: Address, response: Response) -> None:
        expires = self._granted(ours, response)
        self._backoff.reset()
        self.pub_gruu, self.temp_gruu = _gruu(ours, "pub-gruu"), _gruu(ours, "temp-gruu")
        self.service_route = tuple(response.headers.values("Service-Route"))
        self.path = tuple(response.headers.values("Path"))
        self.registered = True
        self.expires_at = self._loop.time() + expires
        self._schedule_refresh(expires)
        self._ua.emit("registered", events.Registered(response, expires))

    def _our_binding(self, response: Response) -> Address | None:
        instance = f"<urn:uuid:{self._ua.configuration.instance_id}>"
        listed = _legible(lambda: response.contact) or []
        contacts = [contact for contact in listed if self._granted(contact, response) > 0]
        for contact in contacts:
            if (contact.parameters.get("+sip.instance") or "").strip('"') == instance:
                return contact
        # Without instance it is known by its address; registrars change the case and parameters of what they list.
        ours = URI.parse(self._ua.contact_uri)
        return next((c for c in contacts if (c.uri.user, c.uri.host) == (ours.user, ours.host)), None)

    def _granted(self, binding: Address, response: Response) -> float:
        value = binding.parameters.get("expires")
        expires = _legible(lambda: parse_seconds(value)) if value is not None else None
        if expires is None:
            expires = _legible(lambda: response.expires)
        return float(expires if expires is not None else self._expires)

    def _schedule_refresh(self, expires: float) -> None:
        """Well before the end, and not all user agents of a building at once."""
        self._cancel_timers()
        if self._ua.has_handlers("registration_expiring"):
            delay = max(expires - EXPIRING_WARNING, expires / 2, REFRESH_MIN)
            self._timer = self._loop.call_later(delay, self._tell_expiring)
        else:
            self._timer = self._loop.call_later(refresh_delay(expires, self._ua.rand), self._refresh)
        self._expiry = self._loop.call_later(expires, self._expired)

    def _tell_expiring(self) -> None:
        self._ua.emit("registration_expiring", events.RegistrationExpiring())

    def _refresh(self) -> None:
        self._timer = None
        if self._wanted and self._current is None:
            self._request(remove=False)

    def _expired(self) -> None:
        self._expiry = None
        self._set_unregistered(None, Cause.EXPIRES)

    def _failed(self, operation: _Operation, cause: Cause, result: Response | NoResponse) -> Exception | None:
        response = result if isinstance(result, Response) else None
        failure = failure_of("REGISTER", result)
        text = str(failure) if failure is not None else "REGISTER: answered without our binding"
        kind = RegistrationUnauthorized if cause is Cause.AUTHENTICATION_ERROR else RegistrationFailed
        error = kind(
            f"{self._ua.configuration.registrar}: {text}",
            cause=cause,
            status_code=response.code if response is not None else None,
            response=response,
        )
        self._tell_failure(operation, cause, response, error)
        return None if operation.remove and cause is Cause.CONNECTION_ERROR else error

    def _tell_failure(
        self, operation: _Operation, cause: Cause, response: Response | None, error: Exception
    ) -> None:
        if operation.remove:
            self._cancel_timers()
            self._set_unregistered(response, cause)
            return
        delay = self._retry_delay(cause, response)
        still = self.registered and self._loop.time() < self.expires_at
        if response is not None or not still:
            self._set_unregistered(response, cause)
        self._cancel_timer()
        if delay is not None:
            self._timer = self._loop.call_later(delay, self._refresh)
        logger.warning("%s", error)
        self._ua.emit("registration_failed", events.RegistrationFailed(cause, response, delay))

    def _retry_delay(self, cause: Cause, response: Response | None) -> float | None:
        """Seconds until the next try; None: not before somebody asks for it, or the connection is back."""
        if cause is Cause.CONNECTION_ERROR or not self._wanted:
            return None
        if response is not None and response.code in LASTING:
            return None
        return self._backoff.next(asked_delay(response))

    def _set_unregistered(self, response: Response | None, cause: Cause | None) -> None:
        was, self.registered = self.registered, False
        self.pub_gruu = self.temp_gruu = None
        if was or (response is not None and cause is None):
            self._ua.emit("unregistered", events.Unregistered(response, cause))

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


def _contact_parameters(given: Mapping[Any, Any]) -> str:
    if not isinstance(given, Mapping):
        raise InvalidHeaderError(f"{given!r:.200}: not a mapping from Contact parameters to values")
    for name, value in given.items():
        if not isinstance(name, str) or name.lower() in _OWN_PARAMETERS:
            raise InvalidHeaderError(f"{name!r}: not a Contact parameter for the application to set")
        if value is not None and (not isinstance(value, str) or CONTROLS.search(value)):
            raise InvalidHeaderError(f"{name}={value!r}: not a text of printable characters")
    return str(Parameters(given))


def _gruu(binding: Address, name: str) -> str | None:
    value = binding.parameters.get(name)
    return value.strip('"') if value else None
