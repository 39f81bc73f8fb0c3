"""Which account a command uses, and where its password comes from."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipua.cli.account import AccountOptions, account_options, complete_account, load_account
from sipua.cli.accounts import fault
from sipua.cli.app import run
from sipua.cli.exits import ExitCode
from sipua.cli.options import OutputOptions
from sipua.cli.settings import ACCOUNT, load_settings

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
account = "work"

[accounts.work]
uri = "sip:alice@example.com"
server = "wss://a/ws"
password = "of the file"
auth_user = "1001"
display_name = "Alice"
expires = 120
ice_servers = ["stun:s", "turn:t"]
ice_user = "u"
ice_password = "p"

[accounts.home]
uri = "sip:bob@localhost"
server = ["ws://a/", "ws://b/"]
"""


@pytest.fixture
def file(config: Path) -> Path:
    config.write_text(FILE)
    return config


def chosen(*args: str) -> AccountOptions:
    """The account of a command line."""
    found: list[AccountOptions] = []

    @click.command("try")
    @account_options
    def command(account: AccountOptions, output: OutputOptions) -> None:
        found.append(account)

    command.main(list(args), standalone_mode=False)
    return found[0]


def test_account_of_the_command_line() -> None:
    account = chosen("--uri", "sip:a@b", "--server", "ws://h/", "--server", "ws://i/", "--password", "x")
    assert account == AccountOptions(uri="sip:a@b", server=("ws://h/", "ws://i/"), password="x")
    assert "x" not in repr(account).removeprefix("AccountOptions")


def test_default_account(file: Path) -> None:
    account = chosen()
    assert (account.name, account.uri, account.password) == ("work", "sip:alice@example.com", "of the file")
    options = account.user_agent_options()
    assert options["authorization_user"] == "1001"
    assert options["display_name"] == "Alice"
    assert options["register_expires"] == 120
    stun, turn = options["media_options"]["ice_servers"]
    assert stun == "stun:s"
    assert (turn.urls, turn.username, turn.credential) == ("turn:t", "u", "p")


def test_account_by_name_and_what_changes_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen("--account", "home").server == ("ws://a/", "ws://b/")
    changed = chosen(
        "--account", "work", "--server", "ws://c/", "--password", "typed", "--ice-server", "stun:x"
    )
    assert (changed.uri, changed.server, changed.password) == ("sip:alice@example.com", ("ws://c/",), "typed")
    assert changed.ice_servers == ("stun:x",)
    monkeypatch.setenv("SIPUA_ACCOUNT", "home")
    assert chosen().name == "home"


def test_what_is_typed_goes_before_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIPUA_URI", "sip:env@b")
    monkeypatch.setenv("SIPUA_SERVER", "ws://env/")
    monkeypatch.setenv("SIPUA_PASSWORD", "env")
    assert (chosen().uri, chosen().password) == ("sip:env@b", "env")
    work = chosen("--account", "work")
    assert (work.uri, work.server, work.password) == (
        "sip:alice@example.com",
        ("wss://a/ws",),
        "of the file",
    )
    assert chosen("--account", "home").password == "env"  # the file says nothing of a password
    monkeypatch.setenv("SIPUA_ACCOUNT", "work")
    assert chosen().uri == "sip:alice@example.com"
    assert chosen("--uri", "sip:typed@b").uri == "sip:typed@b"


@pytest.mark.parametrize(
    ("way", "password"),
    [("password_env", "PW"), ("password_file", "secret.txt")],
)
def test_passwords_from_elsewhere(
    way: str, password: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(f'[accounts.a]\nuri = "sip:a@b"\nserver = "ws://h/"\n{way} = "{password}"\n')
    assert run(["register"]) == ExitCode.USAGE
    monkeypatch.setenv("PW", "found")
    (config.parent / "secret.txt").write_text("found\r\nmore\n")
    assert chosen().password == "found"


def test_password_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account = ("--uri", "sip:a@b", "--server", "ws://h/")
    path = tmp_path / "secret"
    path.write_text("s\n")
    assert chosen(*account, "--password-file", str(path)).password == "s"
    monkeypatch.setattr("sys.stdin", io.StringIO("from stdin\n"))
    assert chosen(*account, "--password-file", "-").password == "from stdin"
    path.write_text("\n")
    for args, complaint in (
        (("--password-file", str(path)), f"--password-file: {path}: no password in its first line"),
        (("--password-file", str(tmp_path)), f"--password-file: {tmp_path}: Is a directory"),
        (("--password-file", "-"), "--password-file: standard input: no password in its first line"),
        (("--password-prompt",), "there is no terminal to ask at; use SIPUA_PASSWORD or --password-file"),
        (("--password-prompt", "--password", "x"), "--password and --password-prompt: give one of them"),
    ):
        assert run(["register", *account, *args]) == ExitCode.USAGE
        err = capsys.readouterr().err
        assert complaint in err
        assert err.count("\n") == 1
        assert err.startswith("sipua register: ")


class Keyring:
    """One that works, as the package keyring has it."""

    class errors:  # noqa: N801 - a module there
        class KeyringError(Exception):
            pass

        class PasswordDeleteError(KeyringError):
            pass

    def __init__(self) -> None:
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, user: str) -> str | None:
        return self.passwords.get((service, user))

    def set_password(self, service: str, user: str, password: str) -> None:
        self.passwords[service, user] = password

    def delete_password(self, service: str, user: str) -> None:
        if (service, user) not in self.passwords:
            raise self.errors.PasswordDeleteError
        del self.passwords[service, user]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    ring = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", ring)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "keyring.errors", ring.errors)  # type: ignore[arg-type]
    return ring


def test_keyring(config: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.prompt", lambda *args, **options: "asked")
    add = ["config", "add", "a", "--uri", "sip:a@b", "--server", "ws://h/", "--keyring"]
    assert run(add) == ExitCode.OK
    assert keyring.passwords == {("sipua", "sip:a@b"): "asked"}
    assert "asked" not in config.read_text()
    assert load_account(load_settings(), "a").password == "asked"
    assert run(["config", "remove", "a"]) == ExitCode.OK
    assert keyring.passwords == {}
    assert run(add) == ExitCode.OK
    keyring.passwords.clear()
    assert run(["config", "remove", "a"]) == ExitCode.OK


def test_keyring_that_is_empty_broken_or_missing(
    config: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text('[accounts.a]\nuri = "sip:a@b"\nserver = "ws://h/"\npassword_keyring = true\n')
    assert run(["register"]) == ExitCode.USAGE
    assert (
        "no password of sip:a@b in the keyring; store it with: keyring set sipua sip:a@b"
        in capsys.readouterr().err
    )

    def locked(service: str, user: str) -> str:
        raise keyring.errors.KeyringError("it is locked")

    monkeypatch.setattr(keyring, "get_password", locked)
    assert run(["register"]) == ExitCode.FAILED
    assert "the keyring cannot be used: it is locked" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert run(["register"]) == ExitCode.USAGE
    assert 'pip install "sipua-webrtc[keyring]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('uri = "sip:b@"', "accounts.a.uri: sip:b@: not a SIP address"),
        ('server = "http://h/"', "accounts.a.server: http://h/: not a WebSocket URL"),
        ('ca_file = "none.pem"', "accounts.a.ca_file: "),
        ('ice_servers = ["stan:s"]', "accounts.a.ice_servers: stan:s: no URL of a STUN"),
        ('display_name = "a\\r\\nVia: b"', "accounts.a.display_name: "),
    ],
)
def test_values_that_no_user_agent_takes(
    line: str, complaint: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = {"uri": 'uri = "sip:a@b"', "server": 'server = "ws://h/"', line.split()[0]: line}
    config.write_text("\n".join(("[accounts.a]", *lines.values())))
    assert run(["register"]) == ExitCode.USAGE
    err = capsys.readouterr().err
    number = list(lines).index(line.split()[0]) + 2
    assert err.startswith(f"sipua register: {config}:{number}: {complaint}")
    assert err.count("\n") == 1


@given(st.text(), st.text(), st.text(), st.text())
def test_whatever_an_account_says_it_is_taken_or_its_key_is_named(
    uri: str, server: str, ice: str, name: str
) -> None:
    for account in (
        AccountOptions(uri=uri, server=(server,), ice_servers=(ice,), display_name=name),
        AccountOptions(uri=f"sip:{uri}", server=(f"ws://{server}",), ice_servers=(f"turn:{ice}",)),
    ):
        found = fault(account)
        assert found is None or found[0] in ACCOUNT


def test_no_account_at_all(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["register"]) == ExitCode.USAGE
    assert (
        "no account; give --uri and --server, or make one with: sipua config add" in capsys.readouterr().err
    )
    config.write_text(FILE.replace('account = "work"', ""))
    assert run(["register"]) == ExitCode.USAGE
    assert "no account; name one with --account: work, home" in capsys.readouterr().err


def test_names_are_completed(file: Path) -> None:
    context, option = click.Context(click.Command("x")), click.Option(["--account"])
    assert [item.value for item in complete_account(context, option, "w")] == ["work"]
    file.write_text("broken")
    assert complete_account(context, option, "") == []
