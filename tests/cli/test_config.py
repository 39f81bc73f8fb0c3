"""``sipua config``, ``sipua completion``, ``sipua devices``."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from sipua.cli.exits import ExitCode
from sipua.cli.settings import load_settings
from sipua.media.devices import AudioDevice
from tests.cli.commands import command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.realtime  # the events are looked at

ADD = ("config", "add", "work", "--uri", "sip:alice@example.com", "--server", "wss://example.com/ws")


def test_from_nothing_to_an_account(config: Path) -> None:
    assert command("config", "path").out == f"{config}\n"
    assert "no accounts in" in command("config", "list").out
    assert command("config", "init").out == f"made {config}\n"
    assert command("config", "init").err == (
        f"sipua config init: {config}: is there already; sipua config add adds an account\n"
    )
    added = command(*ADD, "--password-env", "PW", "--default", "--json")
    assert added.code == ExitCode.OK, added
    assert added.event("account") == {
        **added.event("account"),
        "name": "work",
        "uri": "sip:alice@example.com",
        "servers": ["wss://example.com/ws"],
        "default": True,
        "password": "env",
    }
    assert config.stat().st_mode & 0o777 == 0o600
    assert command("config", "list").out == (
        "* work  sip:alice@example.com  wss://example.com/ws  password: env\n"
    )
    assert 'uri = "sip:alice@example.com"' in command("config", "show", "work").out


def test_all_that_can_be_said_of_an_account(config: Path, tmp_path: Path) -> None:
    done = command(
        *(*ADD, "--server", "ws://b/", "--auth-user", "1001", "--display-name", "Alice", "--expires", "90"),
        *("--password-file", "~/secret", "--insecure", "--ice-server", "stun:s"),
    )
    assert done.code == ExitCode.OK, done
    account = load_settings().account("work")
    assert account["server"] == ["wss://example.com/ws", "ws://b/"]
    assert account["password_file"].startswith("/")
    assert (account["auth_user"], account["display_name"], account["expires"]) == ("1001", "Alice", 90)
    assert account["insecure"] is True
    assert account["ice_servers"] == ["stun:s"]


def test_changes(config: Path) -> None:
    command(*ADD)
    again = command(*ADD, "--auth-user", "x")
    assert again.code == ExitCode.USAGE
    assert "work: is there already; --replace puts this one in its place" in again.err
    assert command(*ADD, "--auth-user", "x", "--replace").code == ExitCode.OK
    assert load_settings().account("work")["auth_user"] == "x"
    command("config", "add", "home", "--uri", "sip:b@h", "--server", "ws://h/")
    assert load_settings().default is None
    assert command("config", "default", "home").out.startswith("* home")
    assert load_settings().default == "home"
    assert command("config", "remove", "home").out == "removed home\n"
    assert list(load_settings().accounts) == ["work"]
    assert command("config", "remove", "home").code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("a b", "--uri", "sip:a@b", "--server", "ws://h/"), "'a b': not a name for an account"),
        (("a", "--server", "ws://h/"), "Missing option '--uri'"),
        (("a", "--uri", "sip:a@b"), "Missing option '--server'"),
        (("a", "--uri", "sip:a@b", "--server", ""), "--server: is empty; it looks like wss://"),
        (("a", "--uri", "alice", "--server", "ws://h/"), "--uri alice: no user part; it looks like"),
        (("a", "--uri", "sip:a@b", "--server", "h"), "--server h: not a WebSocket URL"),
        (
            ("a", "--uri", "sip:a@b", "--server", "ws://h/", "--keyring", "--password-prompt"),
            "--keyring and --password-prompt: give one of them",
        ),
        (
            ("a", "--uri", "sip:a@b", "--server", "ws://h/", "--store-password"),
            "--store-password: there is no terminal to ask at",
        ),
    ],
)
def test_wrong_accounts_are_not_written(args: tuple[str, ...], complaint: str, config: Path) -> None:
    done = command("config", "add", *args)
    assert done.code == ExitCode.USAGE
    assert complaint in done.err
    assert done.err.count("\n") == 1
    assert not config.exists()


def test_what_is_not_given_is_asked_for(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["sip:a@b", "ws://h/", "topsecret"])
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.prompt", lambda *args, **options: next(answers))
    done = command("config", "add", "a", "--store-password")
    assert done.code == ExitCode.OK, done
    assert load_settings().account("a") == {"uri": "sip:a@b", "server": "ws://h/", "password": "topsecret"}
    shown = command("config", "show", "a", "--json").out + command("config", "show", "a").out
    assert "topsecret" not in shown
    assert 'password = "[hidden]"' in shown


def test_file_that_is_not_there(config: Path) -> None:
    done = command("config", "check")
    assert done == (
        ExitCode.USAGE,
        "",
        f"sipua config check: {config}: there is no file; sipua config add makes it\n",
    )


def test_path_of_a_file_that_is_wrong(config: Path) -> None:
    config.write_text("account = \n")
    done = command("config", "path")
    assert (done.code, done.out) == (ExitCode.OK, f"{config}\n")
    assert f"{config}:1:11: not TOML: " in done.err


def test_turn_server(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = (*ADD, "--ice-server", "turn:t", "--ice-user", "u")
    done = command(*add, "--store-ice-password")
    assert "--store-ice-password: there is no terminal to ask at" in done.err
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))

    def prompt(text: str, **options: object) -> str:
        asked.append(text)
        return "hush"

    monkeypatch.setattr("click.prompt", prompt)
    assert command(*add, "--store-ice-password").code == ExitCode.OK
    assert asked == ["Password of u at the TURN servers"]
    account = load_settings().account("work")
    assert (account["ice_user"], account["ice_password"]) == ("u", "hush")
    config.chmod(0o644)
    checked = command("config", "check")
    assert f"{config}: others may read the password in it" in checked.out
    assert checked.out.endswith("1 account, 1 warning\n")


def test_show_tells_programs_all(config: Path) -> None:
    command(*ADD, "--expires", "90", "--auth-user", "u")
    config.write_text(config.read_text() + 'password = "topsecret"\n')
    shown = command("config", "show", "work", "--json")
    keys = shown.event("account")["keys"]
    assert (keys["expires"], keys["auth_user"], keys["password"]) == (90, "u", "[hidden]")
    assert "topsecret" not in shown.out


def test_password_file_that_others_may_read(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text("secret\n")
    file.chmod(0o640)
    command(*ADD, "--password-file", str(file))
    assert (
        f"accounts.work: {file}: others may read the password in it; chmod 600 {file}"
        in command("config", "check").out
    )
    file.chmod(0o600)
    assert command("config", "check").out.endswith("1 account, nothing wrong\n")


def test_check(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(*ADD, "--password-env", "PW")
    missing = command("config", "check").err
    assert f"{config}:4: accounts.work.password_env: the environment has no PW; set it" in missing
    monkeypatch.setenv("PW", "x")
    assert command("config", "check").out.endswith(f"{config}: 1 account, nothing wrong\n")
    assert command("config", "check", "work").code == ExitCode.OK
    config.write_text(config.read_text().replace('password_env = "PW"', 'password = "x"'))
    config.chmod(0o644)
    assert (
        f"{config}: others may read the password in it; chmod 600 {config}" in command("config", "check").out
    )
    config.write_text(config.read_text() + "insecure = true\n")
    config.chmod(0o600)
    assert "certificates are not checked" in command("config", "check").out
    config.write_text(config.read_text() + "nonsense = true\n")
    wrong = command("config", "check")
    assert wrong.code == ExitCode.USAGE
    assert f"{config}:6: accounts.work.nonsense: no such key" in wrong.err


def test_without_a_subcommand_there_is_help() -> None:
    done = command("config")
    assert done.code == ExitCode.USAGE
    assert "Commands:" in done.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = command("completion", shell)
    assert done.code == ExitCode.OK
    assert "_SIPUA_COMPLETE" in done.out


def test_completion_works(config: Path) -> None:
    command(*ADD)
    for words, number, expected in (
        ("sipua reg", 1, "plain,register\n"),
        ("sipua call --acc", 2, "plain,--account\n"),
        ("sipua call --account w", 3, "plain,work\n"),
        ("sipua config show ", 3, "plain,work\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "sipua"],
            env={
                "_SIPUA_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(number),
                "SIPUA_CONFIG": str(config),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == expected, done


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        AudioDevice(0, "Card", "ALSA", 2, 1, 48000, True, False),
        AudioDevice(1, "TV", "ALSA", 0, 2, 44100, False, True),
    ]
    monkeypatch.setattr("sipua.media.devices.list_devices", lambda: found)
    assert command("devices").out == (
        "  0  Card  [ALSA]  microphone (default), speaker  48000 Hz\n"
        "  1  TV  [ALSA]  speaker (default)  44100 Hz\n"
    )
    assert [event["name"] for event in command("devices", "--json").all("device")] == ["Card", "TV"]
    found.clear()
    assert "there are no sound devices; calls work with files and tones" in command("devices").out


def test_devices_without_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    done = command("devices")
    assert done.code != ExitCode.OK
    assert 'pip install "sipua-webrtc[audio]"' in done.err


def test_accounts_that_are_added_at_the_same_time_are_all_there(config: Path) -> None:
    names = [f"at{number}" for number in range(4)]
    adding = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "sipua", "config", "add", name),
                *("--uri", f"sip:{name}@example.com", "--server", "wss://example.com/ws"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]
    assert [process.wait() for process in adding] == [0] * len(names)
    assert sorted(load_settings(config).accounts) == names
