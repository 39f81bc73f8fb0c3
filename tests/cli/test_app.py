from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from sipua import __version__
from sipua.cli import PACKAGES, main
from sipua.cli.app import COMMANDS, run
from sipua.cli.exits import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = ("--uri", "sip:alice@localhost", "--server", "ws://127.0.0.1:1/")


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err.strip()


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_the_commands(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([option]) == ExitCode.OK
    text = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert name in text
        assert summary in text
    assert "130 interrupted" in text


def test_no_command_shows_the_help_and_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == ExitCode.USAGE
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    if name not in ("config", "completion"):  # groups, and what prints something for a shell
        assert "--json" in text
        assert "-v, --verbose" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out == f"sipua {__version__}\n"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["cal"], "sipua: no command 'cal'; did you mean call? (sipua --help shows how)"),
        (
            ["xyz"],
            f"sipua: no command 'xyz'; there are {', '.join(COMMANDS)} (sipua --help shows how)",
        ),
        (["call", *ACCOUNT], "sipua call: Missing argument 'TARGET' (sipua call --help shows how)"),
        (["register", "--uri", "x"], "sipua register: Missing option '--server'"),
        (["call", "600", *ACCOUNT, "--header", "x"], "'--header': 'x': not a header; it looks like"),
        (["call", "600", *ACCOUNT, "--dtmf", "1E"], "'--dtmf': '1E' has a character that is none of"),
        (["call", "600", *ACCOUNT, "--timeout", "x"], "'--timeout': 'x' is not a time; it looks like"),
        (["call", "600", *ACCOUNT, "--tone", "0"], "'--tone': 0.0 is not in the range"),
        (["call", "600", *ACCOUNT, "--codec", "g729"], "'--codec': 'g729' is not one of 'opus'"),
        (["call", "600", *ACCOUNT, "--tone", "5", "--echo"], "--tone and --echo: only one of them"),
        (["call", "600", *ACCOUNT, "--say", ""], "--say '': there is no word in it that can be said"),
        (["call", "600", *ACCOUNT, "--play", ""], "'--play': the name of the file is empty"),
        (["call", "600", *ACCOUNT, "--hold-for", "1"], "--hold-for: goes with --hold-after"),
        (
            ["call", "600", *ACCOUNT, "--record", "x.wav", "--trace", "x.wav"],
            "--record and --trace: both are x.wav; give two files",
        ),
        (
            ["call", "600", *ACCOUNT, "--hold-after", "10", "--duration", "2"],
            "--hold-after 10: the call is over by then, with --duration 2",
        ),
        (["call", "600", *ACCOUNT, "--expect-within", "1"], "--expect-within: goes with --expect-dtmf or"),
        (["answer", *ACCOUNT, "--code", "486", "--reason", "a\nb"], r"--reason 'a\nb': has a character that"),
        (["call", "600", *ACCOUNT, "--attended"], "--attended: goes with --transfer"),
        (["call", "", *ACCOUNT], "sipua call: '': not a target"),
        (["call", "600", *ACCOUNT, "--transfer", ""], "sipua call: '': not a target"),
        (
            ["call", "sip:bob@b?Subject=x", *ACCOUNT],
            "it carries headers; leave out what follows the '?' and give them with --header",
        ),
        (["call", "sip:a b@c", *ACCOUNT], "not a target; an address looks like sip:bob@example.com"),
        (["call", "600", *ACCOUNT, "--script", "x", "--junit", "/"], "--junit /: is a directory"),
        (["call", "600", *ACCOUNT, "--loop"], "--loop: there is nothing to repeat"),
        (
            ["call", "a b", *ACCOUNT],
            "sipua call: 'a b': not a target; give a user name, a number or a SIP address",
        ),
        (
            ["call", "600", *ACCOUNT, "--play", "/nope.wav"],
            "/nope.wav: no such file or directory; check the path",
        ),
        (["call", "600", *ACCOUNT, "--play", __file__], "test_app.py: not an audio file"),
        (["call", "600", *ACCOUNT, "--record", "/nope/x.wav"], "/nope/x.wav: directory /nope does not exist"),
        (["call", "600", *ACCOUNT, "--record", "x.flac"], "x.flac: recordings are wav, ogg or mp3"),
        (
            ["call", "600", *ACCOUNT, "--trace", "/nope/x"],
            "sipua call: --trace /nope/x: No such file or directory; check the path",
        ),
        (["call", "600", *ACCOUNT, "--ca-file", __file__], "--ca-file"),
        (
            ["call", "600", "--uri", "sip:x@", "--server", "ws://h/"],
            "sipua call: --uri sip:x@: not a SIP address",
        ),
        (
            ["register", "--uri", "alice", "--server", "ws://h/"],
            "--uri alice: no user part; it looks like sip:alice@",
        ),
        (["register", "--uri", "sip:a@b", "--server", "http://h"], "--server http://h: not a WebSocket URL"),
        (["register", *ACCOUNT, "--keep", "--duration", "5"], "--keep and --duration: give one of them"),
        (["answer", *ACCOUNT, "--code", "200"], "'--code': 200 is not in the range 300<=x<=699"),
        (["answer", *ACCOUNT, "--reason", "x"], "--reason: goes with --code"),
        (
            ["answer", *ACCOUNT, "--code", "486", "--tone", "440", "--record-stereo", "x.wav"],
            "--code: no call is taken, so --tone and --record-stereo would do nothing",
        ),
        (["answer", *ACCOUNT, "--once", "--count", "2"], "--once and --count: give one of them"),
        (["call", "600", "--nonsense"], "sipua call: No such option"),
        (["call", "600", "--timeout"], "sipua call: Option '--timeout' requires an argument"),
        (["config", "add", "--expires"], "sipua config add: Option '--expires' requires an argument"),
        (["--nonsense"], "sipua: No such option"),
        (
            ["subscribe", "a/b", "bob", *ACCOUNT],
            "sipua subscribe: 'a/b': not an event package; it is presence",
        ),
        (["subscribe", "presence", *ACCOUNT], "sipua subscribe: Missing argument 'TARGET'"),
        (["subscribe", "presence", "a", *ACCOUNT, "--once", "--count", "2"], "--once and --count: give one"),
        (["publish", "away", *ACCOUNT], "'{open|closed}': 'away' is not one of"),
        (["publish", "open", *ACCOUNT, "--activity", "a b"], "--activity: 'a b': not an activity such as"),
        (
            ["publish", "open", *ACCOUNT, "--keep", "--duration", "1"],
            "--keep and --duration: give one of them",
        ),
        (["call", "600", *ACCOUNT, "--transfer", "a b"], "sipua call: 'a b': not a target"),
        (["call", "600", *ACCOUNT, "--expect-dtmf", "1,2"], "'--expect-dtmf': '1,2' has a comma"),
        (["serve"], "no accounts: give --account alice:secret, or --accounts FILE"),
        (["serve", "--account", "secret"], "no user name, colon and password; it looks like alice:secret"),
        (["serve", "--account", "a:1", "--account", "a:2"], "--account a: is there twice"),
        (
            ["serve", "--account", "600:x"],
            "take another, or --no-apps",
        ),
        (["serve", "--accounts", "/nope"], "--accounts /nope: cannot be read (No such file or directory)"),
        (
            ["serve", "--account", "a:1", "--port", "0", "--tls-cert", "/nope"],
            "--tls-cert /nope: cannot be read",
        ),
        (["serve", "--account", "a:1", "--port", "70000"], "'--port': 70000 is not in the range"),
    ],
)
def test_wrong_usage_is_one_line(args: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == ExitCode.USAGE
    line = complaint(capsys)
    assert line.startswith("sipua")
    assert expected in line


def test_password_is_not_in_the_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    run(["serve", "--account", ":topsecret"])
    assert "topsecret" not in complaint(capsys)
    run(["register", *ACCOUNT, "--password", "top\nsecret"])
    assert "secret" not in complaint(capsys)


def test_options_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIPUA_URI", "sip:alice@localhost")
    monkeypatch.setenv("SIPUA_SERVER", "ftp://one ws://two/")
    assert run(["register"]) == ExitCode.USAGE
    assert "--server ftp://one: not a WebSocket URL" in complaint(capsys)


def test_recording_of_before_is_kept_when_nothing_was_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.wav"
    file.write_bytes(b"precious")
    assert run(["call", "600", *ACCOUNT, "--record", str(file)]) == ExitCode.FAILED
    assert "connection refused" in complaint(capsys)
    assert file.read_bytes() == b"precious"


@pytest.mark.parametrize("package", PACKAGES)
def test_without_its_packages_one_line_says_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert str(exit_.value.code).endswith('pip install "sipua-webrtc[cli]"')


def test_start_is_light_and_quick() -> None:
    script = (
        "import sys\nfrom sipua.cli import PACKAGES, main\n"
        "try: main(['--help'])\n"
        "except SystemExit as exit: assert exit.code == 0\n"
        "heavy = {'aiortc', 'av', 'numpy', 'websockets', 'rich', 'cryptography', 'tomlkit', 'textual'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    took = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - started)
    # 0.35 s is wanted; this machine may have other things to do.
    assert min(took) < 1.0


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sipua", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"sipua {__version__}\n"
