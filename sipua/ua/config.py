"""The configuration of a user agent: JsSIP's keys, checked when the user agent is made.

A wrong key or value raises `ConfigurationError`, which names both; nothing is silently ignored or corrected.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypedDict

from sipua._version import __version__
from sipua.errors import ConfigurationError, InvalidHeaderError, InvalidTargetError
from sipua.session.headers import HeaderLike, header_list
from sipua.session.timers import MINIMUM
from sipua.sip import URI
from sipua.transport import Connector, WebSocketInterface

if TYPE_CHECKING:
    from sipua.media.interface import MediaFactory

#: Options for the WebSocket connections themselves.
_CONNECTION_KEYS = ("ca_file", "insecure", "connect_timeout")

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
    allow_events: Sequence[str]
    subscription_min_expires: int
    media: MediaFactory | None
    media_options: Mapping[str, Any]


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
    media: MediaFactory | None = None
    """What makes the media of a call; None: aiortc."""
    media_options: Mapping[str, Any] = field(default_factory=dict)
    """Defaults for every call's media, such as ``ice_servers`` (see `MediaOptions`)."""

    @property
    def authentication_user(self) -> str:
        """The user name for authentication."""
        return self.authorization_user or self.uri.user or ""

    @property
    def registrar(self) -> URI:
        """The Request-URI of REGISTER (:rfc:`3261#section-10.2`)."""
        return self.registrar_server or URI.parse(f"{self.uri.scheme}:{_host_port(self.uri)}")


def _host_port(uri: URI) -> str:
    return uri.host if uri.port is None else f"{uri.host}:{uri.port}"


def configure(uri: str | URI, options: UAOptions) -> Configuration:
    """Check `uri` and `options` and make the configuration of them.

    :raises ConfigurationError: a key that does not exist, or a value that cannot be used.
    """
    given: dict[str, Any] = dict(options)
    if "servers" in given:
        if "sockets" in given:
            raise ConfigurationError("servers", given["servers"], "the same as sockets: give one of them")
        given["sockets"] = given.pop("servers")
    connection: dict[str, Any] = {key: given.pop(key) for key in _CONNECTION_KEYS if key in given}
    known = {f.name for f in fields(Configuration)}
    for key in given:
        if key not in known:
            raise ConfigurationError(key, given[key], "there is no such key")
    if "sockets" not in given:
        raise ConfigurationError(
            "sockets", None, "at least one WebSocket URL is needed, such as wss://example.com/ws"
        )
    values: dict[str, Any] = {"uri": _address_of_record(uri)}
    given["sockets"] = _sockets(given["sockets"], connection)
    for key, value in given.items():
        values[key] = _CHECKS[key](key, value) if key in _CHECKS and value is not None else value
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
    return uri


def _registrar(key: str, value: object) -> URI:
    text = str(value)
    return _uri(key, text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}")


def _sockets(value: object, connection: Mapping[str, Any]) -> tuple[Connector, ...]:
    single = isinstance(value, str | Connector) or (
        isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int)
    )
    if not single and not isinstance(value, Sequence):
        raise ConfigurationError("sockets", value, "neither a URL, nor (URL, weight), nor a list of these")
    items: Sequence[Any] = [value] if single else list(value)  # type: ignore[call-overload]
    if not items:
        raise ConfigurationError("sockets", value, "at least one WebSocket URL is needed")
    connectors: list[Connector] = []
    for item in items:
        url, weight = item if isinstance(item, tuple) else (item, 0)
        if isinstance(url, str):
            if not re.match(r"wss?://[^/\s]+", url):
                raise ConfigurationError(
                    "sockets", url, "not a WebSocket URL; it looks like wss://example.com/ws"
                )
            try:
                connectors.append(WebSocketInterface(url, weight=weight, **connection))
            except ConfigurationError:
                raise
            except (ValueError, OSError) as error:
                raise ConfigurationError("sockets", url, str(error)) from None
        elif isinstance(url, Connector):
            connectors.append(url)
        else:
            raise ConfigurationError(
                "sockets", item, "neither a URL, nor (URL, weight), nor a transport object"
            )
    return tuple(connectors)


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or re.search(r"[\x00-\x1f\x7f]", value):
        raise ConfigurationError(key, value, "not a text of printable characters")
    return value


def _secret(key: str, value: object) -> str:
    if not isinstance(value, str) or re.search(r"[\x00-\x1f\x7f]", value):
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


def _seconds(key: str, value: object) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not value > 0
        or not math.isfinite(value)
    ):
        raise ConfigurationError(key, value, "not a positive number of seconds")
    return float(value)


def _whole_seconds(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise ConfigurationError(key, value, "not a positive whole number of seconds")
    return value


def _count(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(key, value, "not a number of calls of 1 or more")
    return value


def _session_interval(key: str, value: object) -> int:
    seconds = _whole_seconds(key, value)
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
    return value if callable(value) else _text(key, value)


def _callable(key: str, value: object) -> Any:
    if not callable(value):
        raise ConfigurationError(key, value, "not callable")
    return value


def _mapping(key: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(key, value, "not a mapping")
    return value


def _headers(key: str, value: Any) -> tuple[tuple[str, str], ...]:
    try:
        return header_list(value)
    except (InvalidHeaderError, TypeError, IndexError) as error:
        raise ConfigurationError(key, value, str(error)) from None


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "password": _secret,
    "authorization_user": _text,
    "realm": _text,
    "ha1": _ha1,
    "authorization_jwt": _secret,
    "display_name": _text,
    "contact_uri": _uri,
    "instance_id": _instance_id,
    "use_preloaded_route": _flag,
    "session_timers": _flag,
    "session_timers_refresh_method": _refresh_method,
    "session_timers_force_refresher": _flag,
    "session_timers_expires": _session_interval,
    "no_answer_timeout": _seconds,
    "register": _flag,
    "register_expires": _whole_seconds,
    "register_from_tag_trail": _trail,
    "registrar_server": _registrar,
    "connection_recovery_min_interval": _seconds,
    "connection_recovery_max_interval": _seconds,
    "extra_headers": _headers,
    "user_agent": _text,
    "max_calls": _count,
    "allow_events": _packages,
    "subscription_min_expires": _whole_seconds,
    "keep_alive_interval": _seconds,
    "media": _callable,
    "media_options": _mapping,
}


def normalize_target(target: str | URI, domain: URI) -> URI:
    """What the user typed, as a URI: a SIP, SIPS or tel URI as it is, a name or number at our own `domain`.

    Visual separators are taken out of numbers (``+1 (555) 123-4567``).

    :raises InvalidTargetError: it is none of these.
    """
    if isinstance(target, URI):
        return target
    text = str(target).strip()
    if not text or re.search(r"[\x00-\x1f\x7f]", text):
        raise InvalidTargetError(f"{target!r}: not a target; give a user name, a number or a SIP address")
    scheme, colon, _ = text.partition(":")
    if colon and scheme.lower() in ("sip", "sips", "tel"):
        candidate = text
    else:
        user, at, host = text.rpartition("@")
        if not at:
            user, host = text, _host_port(domain)
        if re.fullmatch(r"\+?[\d\s().\-*#]*\d[\d\s().\-*#]*", user):
            user = re.sub(r"[\s().\-]", "", user)
        if not user or re.search(r"[\s<>\"@]", user):
            raise InvalidTargetError(f"{target!r}: not a target; give a user name, a number or a SIP address")
        candidate = f"{domain.scheme}:{user.replace('#', '%23')}@{host}"
    try:
        uri = URI.parse(candidate)
    except ValueError as error:
        raise InvalidTargetError(f"{target!r}: not a target ({error})") from None
    if uri.scheme != "tel" and not uri.host:
        raise InvalidTargetError(f"{target!r}: not a target: no host")
    return uri
