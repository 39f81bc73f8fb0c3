"""An account that is ready for use, and those of the file of settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sipua.cli.exits import reason_of
from sipua.cli.passwords import PasswordSource, exposed, of_account
from sipua.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.cli.settings import Settings


@dataclass(frozen=True, kw_only=True)
class AccountOptions:
    """One account, ready for use. `name` is that of the file; None for one of the command line."""

    uri: str
    server: tuple[str, ...]
    password: str | None = None
    auth_user: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    display_name: str | None = None
    expires: int | None = None
    ice_servers: tuple[str, ...] = ()
    ice_user: str | None = None
    ice_password: str | None = None
    name: str | None = None
    exposed: Path | None = None
    """The file with its password, when others on this machine may read it."""

    def __repr__(self) -> str:
        return f"AccountOptions({self.uri}, {', '.join(self.server)})"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not as it should be with it, for people."""
        found = []
        if self.insecure:
            found.append("insecure: certificates are not checked, anybody may listen in")
        if self.exposed is not None:
            found.append(f"{self.exposed}: others may read the password in it; chmod 600 {self.exposed}")
        return tuple(found)

    def user_agent_options(self) -> dict[str, Any]:
        """The arguments of `UA` that are the account's, beside its address."""
        options: dict[str, Any] = {
            "sockets": list(self.server),
            "password": self.password,
            "authorization_user": self.auth_user,
            "ca_file": self.ca_file,
            "insecure": self.insecure,
        }
        if self.display_name is not None:
            options["display_name"] = self.display_name
        if self.expires is not None:
            options["register_expires"] = self.expires
        if self.ice_servers:
            options["media_options"] = {"ice_servers": self.ice_server_list()}
        return options

    def ice_server_list(self) -> list[Any]:
        """STUN and TURN servers as media takes them: URLs, and `IceServer` where credentials belong to it."""
        from sipua.media.interface import IceServer

        relays = [url for url in self.ice_servers if url.startswith("turn")]
        others: list[Any] = [url for url in self.ice_servers if url not in relays]
        trust = (self.ca_file, self.insecure)
        return others + [IceServer(url, self.ice_user, self.ice_password, *trust) for url in relays]


#: The library's names for what has another one in the file.
_KEYS = {
    "sockets": "server",
    "url": "server",
    "authorization_user": "auth_user",
    "register_expires": "expires",
    "media_options": "ice_servers",
}


def account_of_settings(settings: Settings, name: str) -> AccountOptions:
    """An account of the file, without its password (`with_password` gets that).

    :raises Failure: there is none of this name, or it cannot be used.
    """
    account = unchecked(settings, name)
    if (found := fault(account)) is not None:
        settings.wrong(("accounts", name, found[0]), found[1])
    return account


def unchecked(settings: Settings, name: str) -> AccountOptions:
    """An account as it stands in the file; its values have their types, and may be wrong (see `fault`).

    :raises Failure: there is none of this name.
    """
    given = settings.account(name)
    return AccountOptions(
        name=name,
        uri=given["uri"],
        server=_texts(given["server"]),
        auth_user=given.get("auth_user"),
        ca_file=str(settings.path_of(given["ca_file"])) if "ca_file" in given else None,
        insecure=given.get("insecure", False),
        display_name=given.get("display_name"),
        expires=given.get("expires"),
        ice_servers=_texts(given.get("ice_servers", ())),
        ice_user=given.get("ice_user"),
        ice_password=given.get("ice_password"),
        exposed=settings.path if "ice_password" in given and exposed(settings.path) else None,
    )


def with_password(account: AccountOptions, source: PasswordSource | None) -> AccountOptions:
    """The account with the password of `source`.

    :raises Failure: there is none there.
    """
    if source is None:
        return account
    return replace(account, password=source.read(account.uri), exposed=source.exposed or account.exposed)


def load_account(settings: Settings, name: str) -> AccountOptions:
    """An account of the file with its password, wherever that is kept.

    :raises Failure: there is none of this name, or it cannot be used.
    """
    return with_password(
        account_of_settings(settings, name), of_account(settings, name, settings.account(name))
    )


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def fault(account: AccountOptions) -> tuple[str, str] | None:
    """The key of an account that cannot be used, and why; None when all can."""
    from sipua.ua.config import configure

    try:
        configure(account.uri, account.user_agent_options())  # type: ignore[arg-type]
        if account.ice_servers:
            from sipua.media.ice_servers import parse_servers

            parse_servers(account.ice_server_list())
    except ConfigurationError as error:
        return _KEYS.get(error.key, error.key), f"{error.value}: {reason_of(error)}"
    return None
