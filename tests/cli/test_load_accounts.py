"""``sipua load --also`` and ``--accounts``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sipua.cli.account import other_accounts
from sipua.cli.accounts import AccountOptions
from sipua.cli.exits import ExitCode, Failure
from sipua.cli.load_accounts import read_accounts
from tests.cli.commands import command, server, sipua

if TYPE_CHECKING:
    from pathlib import Path

FIRST = AccountOptions(
    uri="sip:alice@example.com", server=("wss://example.com/ws",), password="secret", auth_user="al"
)


def read(path: Path, text: str) -> list[tuple[str, str | None, str | None, tuple[str, ...]]]:
    file = path / "accounts"
    file.write_text(text)
    return [(a.uri, a.password, a.auth_user, a.server) for a in read_accounts(file, FIRST)]


def test_user_and_password_a_line(tmp_path: Path) -> None:
    found = read(tmp_path, "# ours\nbob: builder \r\n\ncarol:with:colon\ndave@example.org:x\n")
    assert found == [
        ("sip:bob@example.com", "builder", None, FIRST.server),
        ("sip:carol@example.com", "with:colon", None, FIRST.server),
        ("sip:dave@example.org", "x", None, FIRST.server),
    ]


def test_csv(tmp_path: Path) -> None:
    text = 'uri, password, auth_user, server, team\nsip:bob@example.org, "a,b", 100, wss://example.org/, x\ncarol,,,,\n'
    assert read(tmp_path, text) == [
        ("sip:bob@example.org", "a,b", "100", ("wss://example.org/",)),
        ("sip:carol@example.com", "secret", None, FIRST.server),
    ]
    assert read(tmp_path, "User\nbob\n") == [("sip:bob@example.com", "secret", None, FIRST.server)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": no account in it; a line looks like alice:secret"),
        ("uri,password\n", ": no account in it"),
        ("bob:x\nhunter2\n", ":2: no account; a line looks like alice:secret, or begin with: uri,password"),
        ("bob:x\nbob:y\n", ":2: sip:bob@example.com is there twice"),
        ("uri,password\nbob\n", ":2: has 1 cells; the first line names 2 columns"),
        ("uri,password\n,x\n", ":2: no user; its cell is empty"),
        ("uri,server\nbob,http://x\n", ":2: http://x: "),
        ("uri\nsip:@\n", ":2: sip:@"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(Failure) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"--accounts {tmp_path / 'accounts'}{expected}")
    assert "hunter2" not in str(caught.value)
    assert caught.value.code == ExitCode.USAGE


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name, why in (("nope", "No such file"), ("binary", "not text in UTF-8"), (".", "Is a directory")):
        with pytest.raises(Failure, match=why):
            read_accounts(tmp_path / name, FIRST)


def test_accounts_of_the_settings(config: Path) -> None:
    base = ("--uri", "sip:alice@localhost", "--server", "ws://127.0.0.1:1/", "--rate", "1")
    done = command("load", "600", *base, "--also", "nobody")
    assert done.code == ExitCode.USAGE
    assert "--also nobody: no such account" in done.err


def test_passwords_of_further_accounts(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(
        '[accounts.bob]\nuri = "sip:bob@h"\nserver = "ws://h/"\npassword = "own"\n'
        '[accounts.carol]\nuri = "sip:carol@h"\nserver = "ws://h/"\n'
    )
    config.chmod(0o600)
    assert [other.password for other in other_accounts(FIRST, ("ALL",))] == ["own", None]
    monkeypatch.setenv("SIPUA_PASSWORD", "common")
    assert [other.password for other in other_accounts(FIRST, ("ALL",))] == ["own", "common"]


@pytest.mark.realtime
@pytest.mark.parametrize("processes", ["1", "2"])
async def test_calls_are_spread_over_the_accounts(tmp_path: Path, processes: str) -> None:
    file = tmp_path / "accounts"
    file.write_text("alice:secret\nbob:secret\n")
    async with server() as s:
        first = ("--uri", "sip:alice@localhost", "--password", "secret", "--server", s.url)
        done = await sipua(
            *("load", "600", *first, "--accounts", str(file), "--processes", processes),
            *("--register", "--calls", "4", "--rate", "20", "--talk", "0.1", "--json"),
        )
        assert done.code == ExitCode.OK, done
        assert done.event("load_result")["passed"] == 4
        file.write_text("bob:wrong\n")
        done = await sipua(
            *("load", "600", *first, "--accounts", str(file), "--processes", processes),
            *("--register", "--calls", "4", "--rate", "20"),
        )
    assert done.code == ExitCode.UNAUTHORISED
    assert done.err.count("\n") == 1
    assert "sip:bob@localhost: " in done.err
    assert "wrong user name or password" in done.err
