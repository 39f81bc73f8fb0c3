"""The configuration of a user agent: JsSIP's keys, checked when the user agent is made.

A wrong key or value raises `ConfigurationError`, which names both; nothing is silently ignored or corrected.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, TypedDict, cast

from sipua._version import __version__
from sipua.errors import ConfigurationError, InvalidHeaderError
from sipua.media.checks import check_option
from sipua.session.headers import HeaderLike, header_list
from sipua.session.timers import MINIMUM
from sipua.sip import URI
from sipua.transport import Connector, WebSocketInterface
from sipua.ua.targets import CONTROLS, host_port

if TYPE_CHECKING:
    from sipua.media.interface import MediaFactory
    from sipua.passport.interface import Signer, Verifier

SocketLike = str | tuple[str, int] | Connector


class UAOptions(TypedDict, total=False):
    """The keyword arguments of `UA`, beside its address."""

    sockets: SocketLike | Sequence[SocketLike]
    servers: SocketLike | Sequence[SocketLike]
    password: str | None
    authorization_user: str | None
    realm: str | None
    ha1: str | None
    authorization_jwt: str | None
    display_name: str | None
    contact_uri: str | None
    instance_id: str | None
    use_preloaded_route: bool
    session_timers: bool
    session_timers_refresh_method: str
    session_timers_force_refresher: bool
    session_timers_expires: int
    no_answer_timeout: float
    register: bool
    register_expires: int
    register_from_tag_trail: str | Callable[[], str]
    registrar_server: str | None
    connection_recovery_min_interval: float
    connection_recovery_max_interval: float
    extra_headers: HeaderLike
    user_agent: str | None
    ca_file: str | None
    insecure: bool
    connect_timeout: float
    keep_alive_interval: float | None
    max_calls: int | None
    options_interval: float | None
    allow_events: Sequence[str]
    subscription_min_expires: int
    media: MediaFactory | None
    media_options: Mapping[str, Any]
    identity_signer: Signer | None
    identity_verifier: Verifier | None


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a user agent goes by. Times are in seconds. Made by `configure`, which checks every value."""

    uri: URI
    """Our address of record, such as ``sip:alice@example.com``."""
    sockets: tuple[Connector, ...]
    """The servers: URL strings, ``(url, weight)`` pairs, or transport objects. A higher weight is tried first."""
    password: str | None = field(default=None, repr=False)
    authorization_user: str | None = None
    """User name for authentication when it is not the user part of `uri`."""
    realm: str | None = None
    """Answer challenges of this realm only."""
    ha1: str | None = field(default=None, repr=False)
    """MD5 of ``user:realm:password``, instead of the password (with `realm`)."""
    authorization_jwt: str | None = field(default=None, repr=False)
    """A token sent as ``Authorization: Bearer`` (:rfc:`8898`)."""
    display_name: str | None = None
    contact_uri: URI | None = None
    """Contact address, instead of a random one under ``.invalid`` (:rfc:`7118#appendix-B`)."""
    instance_id: str = ""
    """UUID of this instance for ``+sip.instance`` (:rfc:`5626#section-4.1`); random when not given."""
    use_preloaded_route: bool = False
    """Send initial requests with a Route to the server."""
    session_timers: bool = True
    session_timers_refresh_method: str = "UPDATE"
    session_timers_force_refresher: bool = False
    session_timers_expires: int = 1800
    """The session interval to ask for (:rfc:`4028`): 90 or more."""
    no_answer_timeout: float = 60.0
    """Time after which an unanswered call is given up: incoming ones with 408, outgoing ones with CANCEL."""
    register: bool = True
    """Register when started."""
    register_expires: int = 600
    register_from_tag_trail: str | Callable[[], str] = ""
    registrar_server: URI | None = None
    """Where to REGISTER; the domain of `uri` when not given."""
    connection_recovery_min_interval: float = 2.0
    connection_recovery_max_interval: float = 30.0
    extra_headers: tuple[tuple[str, str], ...] = ()
    """Headers for every REGISTER."""
    user_agent: str = f"sipua/{__version__}"
    allow_events: tuple[str, ...] = ()
    """The event packages that others may subscribe to, told in Allow-Events (:rfc:`6665#section-8.2.2`); a SUBSCRIBE
    for another gets 489. Without any, all are told to the handlers of ``new_subscribe``."""
    subscription_min_expires: int = 1
    """A SUBSCRIBE for less seconds than this gets 423."""
    max_calls: int | None = None
    """With so many calls up, the next incoming one gets 486; None: no limit."""
    keep_alive_interval: float | None = 25.0
    options_interval: float | None = None
    """Time between OPTIONS to the registrar's address; without any answer to one, the next server is tried. None: none
    are sent."""
    media: MediaFactory | None = None
    """What makes the media of a call; None: aiortc."""
    media_options: Mapping[str, Any] = field(default_factory=dict)
    """Defaults for every call's media, such as ``ice_servers`` (see `MediaOptions`)."""
    identity_signer: Signer | None = None
    """What signs our INVITEs (:rfc:`8224`), such as `IdentitySigner`."""
    identity_verifier: Verifier | None = None
    """What checks the signatures of incoming ones, such as `IdentityVerifier`."""

    @property
    def authentication_user(self) -> str:
        """The user name for authentication."""
        return self.authorization_user or self.uri.user or ""

    @property
    def registrar(self) -> URI:
        """The Request-URI of REGISTER (:rfc:`3261#section-10.2`)."""
        return self.registrar_server or URI.parse(f"{self.uri.scheme}:{host_port(self.uri)}")

    def answer_limit(self, no_answer_timeout: float | None, expires: int | None) -> float:
        """Seconds that a call may stay unanswered: what it asks for itself, and no longer than its Expires.

        :raises ConfigurationError: one of them is no duration.
        """
        limit = self.no_answer_timeout
        if no_answer_timeout is not None:
            limit = check_seconds("no_answer_timeout", no_answer_timeout)
        return limit if expires is None else min(limit, check_whole_seconds("expires", expires))


def configure(uri: str | URI, options: UAOptions) -> Configuration:
    """Check `uri` and `options` and make the configuration of them.

    :raises ConfigurationError: a key that does not exist, or a value that cannot be used.
    """
    given: dict[str, Any] = dict(options)
    if "servers" in given:
        if "sockets" in given:
            raise ConfigurationError("servers", given["servers"], "the same as sockets: give one of them")
        given["sockets"] = given.pop("servers")
    connection: dict[str, Any] = {
        key: _checked(key, given.pop(key)) for key in _CONNECTION_KEYS if key in given
    }
    known = {f.name for f in fields(Configuration)}
    for key in given:
        if key not in known:
            raise ConfigurationError(key, given[key], "there is no such key")
    if "sockets" not in given:
        raise ConfigurationError(
            "sockets", None, "at least one WebSocket URL is needed, such as wss://example.com/ws"
        )
    values: dict[str, Any] = {"uri": _address_of_record(uri)}
    values["sockets"] = _sockets(given.pop("sockets"), connection)
    for key, value in given.items():
        values[key] = _checked(key, value)
    values["instance_id"] = values.get("instance_id") or str(uuid.uuid4())
    if values.get("user_agent", "") is None:
        del values["user_agent"]
    return _consistent(Configuration(**values))


#: What may be changed in a user agent that runs: JsSIP's list.
CHANGEABLE = (
    "authorization_user",
    "password",
    "realm",
    "ha1",
    "authorization_jwt",
    "display_name",
    "extra_headers",
)


def changed(configuration: Configuration, key: str, value: Any) -> Configuration:
    """The configuration with another value for one key.

    :raises ConfigurationError: a key that does not exist or cannot be changed, or a value that cannot be used.
    """
    if key not in CHANGEABLE:
        raise ConfigurationError(key, value, f"cannot be changed; what can is {', '.join(CHANGEABLE)}")
    if value is None:
        value = next(f.default for f in fields(Configuration) if f.name == key)
    else:
        value = _CHECKS[key](key, value)
    return _consistent(replace(configuration, **{key: value}))


def _consistent(configuration: Configuration) -> Configuration:
    """Check what one value says of another."""
    low, high = configuration.connection_recovery_min_interval, configuration.connection_recovery_max_interval
    if high < low:
        raise ConfigurationError("connection_recovery_max_interval", high, f"less than the minimum, {low}")
    if configuration.ha1 and not configuration.realm:
        raise ConfigurationError("realm", None, "ha1 holds for one realm only: give it")
    return configuration


def _checked(key: str, value: Any) -> Any:
    if value is None:
        if key not in _OPTIONAL:
            raise ConfigurationError(key, value, "needs a value; without the key it has its default")
        return None
    return _CHECKS[key](key, value)


def _address_of_record(value: str | URI) -> URI:
    text = str(value)
    if ":" not in text.split("@")[0]:
        text = f"sip:{text}"
    uri = _uri("uri", text)
    if not uri.user:
        raise ConfigurationError("uri", str(value), "no user part; it looks like sip:alice@example.com")
    return uri


def _uri(key: str, value: object) -> URI:
    try:
        uri = URI.parse(str(value))
    except ValueError as error:
        raise ConfigurationError(key, str(value), f"not a SIP address ({error})") from None
    if uri.scheme not in ("sip", "sips") or not uri.host:
        raise ConfigurationError(key, str(value), "not a SIP address; it looks like sip:alice@example.com")
    if uri.headers:
        raise ConfigurationError(key, str(value), "an address has no headers; leave out what follows the '?'")
    return uri


def _registrar(key: str, value: object) -> URI:
    text = str(value) if isinstance(value, str | URI) else ""
    return _uri(key, text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}")


def _sockets(value: object, connection: Mapping[str, Any]) -> tuple[Connector, ...]:
    single = isinstance(value, str | Connector) or (
        isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int)
    )
    if not single and not (isinstance(value, Sequence) and not isinstance(value, bytes)):
        raise ConfigurationError("sockets", value, "neither a URL, nor (URL, weight), nor a list of these")
    items: Sequence[Any] = [value] if single else list(value)  # type: ignore[call-overload]
    if not items:
        raise ConfigurationError("sockets", value, "at least one WebSocket URL is needed")
    return tuple(_socket(item, connection) for item in items)


def _socket(item: Any, connection: Mapping[str, Any]) -> Connector:
    if isinstance(item, Connector):
        return item
    url, weight = item if isinstance(item, tuple) and len(item) == 2 else (item, 0)
    if not isinstance(url, str) or isinstance(weight, bool) or not isinstance(weight, int):
        raise ConfigurationError("sockets", item, "neither a URL, nor (URL, weight), nor a transport object")
    if not re.match(r"wss?://[^/\s]+", url):
        raise ConfigurationError("sockets", url, "not a WebSocket URL; it looks like wss://example.com/ws")
    try:
        return WebSocketInterface(url, weight=weight, **connection)
    except ConfigurationError:
        raise
    except (ValueError, OSError) as error:
        raise ConfigurationError("sockets", url, str(error)) from None


def check_text(key: str, value: object) -> str:
    """`value`, which must be a text that can stand in a header.

    :raises ConfigurationError: it is none.
    """
    if not isinstance(value, str) or CONTROLS.search(value):
        raise ConfigurationError(key, value, "not a text of printable characters")
    return value


def _secret(key: str, value: object) -> str:
    if not isinstance(value, str) or CONTROLS.search(value):
        raise ConfigurationError(key, "…", "not a text of printable characters")
    return value


def _ha1(key: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{64}", value):
        raise ConfigurationError(key, "…", "not a hexadecimal hash of 32 or 64 digits")
    return value.lower()


def _packages(key: str, value: object) -> tuple[str, ...]:
    names = value if isinstance(value, Sequence) and not isinstance(value, str) else None
    if names is None or not all(
        isinstance(n, str) and re.fullmatch(r"[\w\-!%*+`'~.]+", n, re.ASCII) for n in names
    ):
        raise ConfigurationError(key, value, "not a list of event packages such as presence")
    return tuple(names)


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(key, value, "neither True nor False")
    return value


def check_seconds(key: str, value: object) -> float:
    """`value`, which must be a positive, finite number of seconds.

    :raises ConfigurationError: it is none.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not value > 0
        or not math.isfinite(value)
    ):
        raise ConfigurationError(key, value, "not a positive number of seconds")
    return float(value)


def check_whole_seconds(key: str, value: object) -> int:
    """`value`, which must be a positive whole number of seconds, below 2**31.

    :raises ConfigurationError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise ConfigurationError(key, value, "not a positive whole number of seconds")
    return value


def _count(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(key, value, "not a number of calls of 1 or more")
    return value


def _session_interval(key: str, value: object) -> int:
    seconds = check_whole_seconds(key, value)
    if seconds < MINIMUM:
        raise ConfigurationError(key, value, f"less than {MINIMUM} seconds (RFC 4028 section 5)")
    return seconds


def _refresh_method(key: str, value: object) -> str:
    if value not in ("UPDATE", "INVITE"):
        raise ConfigurationError(key, value, "neither UPDATE nor INVITE")
    return str(value)


def _instance_id(key: str, value: object) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise ConfigurationError(key, value, "not a UUID") from None


def _trail(key: str, value: object) -> str | Callable[[], str]:
    return value if callable(value) else check_text(key, value)


def check_callable(key: str, value: object) -> Any:
    """`value`, which must be something to call.

    :raises ConfigurationError: it is not.
    """
    if not callable(value):
        raise ConfigurationError(key, value, "not callable")
    return value


def check_signer(key: str, value: Any) -> Signer:
    """`value`, which must have the method ``sign``.

    :raises ConfigurationError: it has not.
    """
    if not callable(getattr(value, "sign", None)):
        raise ConfigurationError(key, value, "not a signer; see IdentitySigner")
    return cast("Signer", value)


def _verifier(key: str, value: Any) -> Verifier:
    if not all(callable(getattr(value, name, None)) for name in ("verify", "refusal")):
        raise ConfigurationError(key, value, "not a verifier; see IdentityVerifier")
    return cast("Verifier", value)


def _media_options(key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(key, value, "not a mapping")
    for name, setting in value.items():
        # One by one: what goes together shows when the call has added its own.
        check_option(name, setting)
    return dict(value)


def _file(key: str, value: object) -> str:
    if not isinstance(value, str | PathLike):
        raise ConfigurationError(key, value, "not a path")
    return str(value)


def _headers(key: str, value: Any) -> tuple[tuple[str, str], ...]:
    try:
        return header_list(value)
    except InvalidHeaderError as error:
        raise ConfigurationError(key, value, str(error)) from None


#: The keys that None may be given for; for all others it would mean nothing.
_OPTIONAL = frozenset({
    "password", "authorization_user", "realm", "ha1", "authorization_jwt", "display_name", "contact_uri", "instance_id",
    "registrar_server", "user_agent", "ca_file", "keep_alive_interval", "max_calls", "media", "identity_signer",
    "identity_verifier", "options_interval",
})  # fmt: skip
#: Options for the WebSocket connections themselves.
_CONNECTION_KEYS = ("ca_file", "insecure", "connect_timeout")

_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "ca_file": _file,
    "insecure": _flag,
    "connect_timeout": check_seconds,
    "password": _secret,
    "authorization_user": check_text,
    "realm": check_text,
    "ha1": _ha1,
    "authorization_jwt": _secret,
    "display_name": check_text,
    "contact_uri": _uri,
    "instance_id": _instance_id,
    "use_preloaded_route": _flag,
    "session_timers": _flag,
    "session_timers_refresh_method": _refresh_method,
    "session_timers_force_refresher": _flag,
    "session_timers_expires": _session_interval,
    "no_answer_timeout": check_seconds,
    "register": _flag,
    "register_expires": check_whole_seconds,
    "register_from_tag_trail": _trail,
    "registrar_server": _registrar,
    "connection_recovery_min_interval": check_seconds,
    "connection_recovery_max_interval": check_seconds,
    "extra_headers": _headers,
    "user_agent": check_text,
    "max_calls": _count,
    "allow_events": _packages,
    "subscription_min_expires": check_whole_seconds,
    "keep_alive_interval": check_seconds,
    "options_interval": check_seconds,
    "media": check_callable,
    "media_options": _media_options,
    "identity_signer": check_signer,
    "identity_verifier": _verifier,
}
