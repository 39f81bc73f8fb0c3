"""The accounts that ``sipua load --accounts FILE`` calls with, beside that of the command line."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from sipua.cli.accounts import fault
from sipua.cli.exits import ExitCode, Failure, file_trouble

if TYPE_CHECKING:
    from pathlib import Path

    from sipua.cli.accounts import AccountOptions

#: What a column may be called, by the field of the account that it fills.
COLUMNS = {
    "uri": "uri",
    "user": "uri",
    "password": "password",
    "auth_user": "auth_user",
    "server": "server",
}


def read_accounts(path: Path, pattern: AccountOptions) -> list[AccountOptions]:
    """The accounts of a file: ``user:password`` a line, or CSV with names of columns (see docs/load.md).

    :param pattern: the account that says what the file does not: domain, server, password.
    :raises Failure: a file that cannot be read, or a line that cannot be used; names file and line.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Failure(f"--accounts {path}: {file_trouble(error)}", ExitCode.USAGE) from None
    except UnicodeDecodeError:
        raise Failure(
            f"--accounts {path}: not text in UTF-8; is it the right file?", ExitCode.USAGE
        ) from None
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    head = _columns(lines[0][1]) if lines else None
    rows = [_row(path, number, line, head) for number, line in (lines[1:] if head else lines)]
    if not rows:
        raise Failure(f"--accounts {path}: no account in it; a line looks like alice:secret", ExitCode.USAGE)
    accounts: dict[str, AccountOptions] = {}
    for (number, _), row in zip(lines[1:] if head else lines, rows, strict=True):
        account = _account(path, number, row, pattern)
        if account.uri in accounts:
            _wrong(path, number, f"{account.uri} is there twice")
        accounts[account.uri] = account
    return list(accounts.values())


def _columns(line: str) -> list[str] | None:
    """The fields that the first line names; None: it names none."""
    names = [cell.strip().lower() for cell in line.split(",")]
    if not {"uri", "user"} & set(names):
        return None
    return [COLUMNS.get(name, "") for name in names]


def _row(path: Path, number: int, line: str, head: list[str] | None) -> dict[str, str]:
    if head is None:
        user, colon, password = (part.strip() for part in line.partition(":"))
        # What is no account may be a password: it is not shown.
        if not colon or not user or user == "sip" or not password:
            _wrong(path, number, "no account; a line looks like alice:secret, or begin with: uri,password")
        return {"uri": user, "password": password}
    cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
    if len(cells) != len(head):
        _wrong(path, number, f"has {len(cells)} cells; the first line names {len(head)} columns")
    return {field: cell for field, cell in zip(head, cells, strict=True) if field and cell}


def _account(path: Path, number: int, row: dict[str, str], pattern: AccountOptions) -> AccountOptions:
    if "uri" not in row:
        _wrong(path, number, "no user; its cell is empty")
    uri = row["uri"]
    if ":" not in uri:
        domain = pattern.uri.rpartition("@")[2]
        uri = f"sip:{uri}" if "@" in uri else f"sip:{uri}@{domain}"
    account = replace(
        pattern,
        name=None,
        uri=uri,
        password=row.get("password", pattern.password),
        # The name that the command line gives is that of its own account.
        auth_user=row.get("auth_user"),
        server=(row["server"],) if "server" in row else pattern.server,
    )
    if (found := fault(account)) is not None:
        _wrong(path, number, found[1])
    return account


def _wrong(path: Path, number: int, why: str) -> NoReturn:
    raise Failure(f"--accounts {path}:{number}: {why}", ExitCode.USAGE)
