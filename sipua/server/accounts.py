"""Who may register and call: user names with their passwords, from a mapping or a file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sipua.errors import ConfigurationError
from sipua.sip import DigestServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

__all__ = ["Account", "check_accounts", "load_accounts"]

# What may stand in the user part of a SIP URI without an escape (RFC 3261 section 25.1, user-unreserved included).
_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Account:
    """A password, and the digest algorithms to offer to this user (None: those of the server)."""

    password: str = field(repr=False)
    algorithms: tuple[str, ...] | None = None


def check_accounts(accounts: Mapping[str, str | Account]) -> dict[str, Account]:
    """The accounts of a mapping from user name to password or `Account`.

    :raises ConfigurationError: a user name or password that cannot be used; the password is not shown.
    """
    checked: dict[str, Account] = {}
    for user, given in accounts.items():
        account = given if isinstance(given, Account) else Account(given)
        if (why := _wrong_user(user) or _wrong_password(account.password)) is not None:
            raise ConfigurationError("accounts", user, why)
        if account.algorithms is not None:
            check_algorithms(account.algorithms)
        checked[user] = account
    return checked


def check_algorithms(algorithms: tuple[str, ...]) -> tuple[str, ...]:
    """The algorithms as they are, in order of preference.

    :raises ConfigurationError: none, or one that is not available here.
    """
    if not algorithms:
        raise ConfigurationError("algorithms", algorithms, "at least one is needed, such as SHA-256")
    for name in algorithms:
        try:
            DigestServer("", lambda user: None, algorithms=(name,))
        except ValueError:
            raise ConfigurationError(
                "algorithms", name, "not a digest algorithm that is available here"
            ) from None
    return tuple(algorithms)


def load_accounts(path: str | PathLike[str]) -> dict[str, str]:
    """Accounts from a UTF-8 text file with one ``user:password`` a line.

    The password is everything behind the first colon, without white space around it. Empty lines and lines
    that begin with ``#`` are skipped.

    :raises ConfigurationError: a file that cannot be read, or a line that cannot be used; names file and line.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError("accounts", str(file), f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        bad_line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError("accounts", f"{file}:{bad_line}", "not UTF-8 text") from None
    accounts: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip()
        if entry and not entry.startswith("#"):
            user, password = _entry(f"{file}:{number}", entry)
            if user in accounts:
                raise ConfigurationError("accounts", f"{file}:{number}", f"user {user} is there twice")
            accounts[user] = password
    if not accounts:
        raise ConfigurationError("accounts", str(file), "no account in it; a line looks like alice:secret")
    return accounts


def _entry(place: str, entry: str) -> tuple[str, str]:
    user, colon, password = (part.strip() for part in entry.partition(":"))
    if not colon:  # perhaps a password: it is not shown
        raise ConfigurationError("accounts", place, "no colon; a line looks like alice:secret")
    if (why := _wrong_user(user) or _wrong_password(password)) is not None:
        raise ConfigurationError("accounts", place, why)
    return user, password


def _wrong_user(user: object) -> str | None:
    if not isinstance(user, str) or not _USER.fullmatch(user):
        return "not a user name; it has letters, digits and -_.!~*'()&=+$,;?/ only"
    return None


def _wrong_password(password: object) -> str | None:
    if not isinstance(password, str) or not password:
        return "an account needs a password"
    return "the password has a control character in it" if _CONTROL.search(password) else None
