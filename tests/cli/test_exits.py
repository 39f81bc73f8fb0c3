from __future__ import annotations

import errno
import os

import click
import pytest

from sipua import errors
from sipua.cli.exits import ExitCode, Failure, exit_code, file_trouble, one_line
from sipua.events import Cause
from sipua.media.sources import AudioFile, Tone
from sipua.transport import WebSocketInterface
from sipua.ua import UA


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("uri", "x", "y"), ExitCode.USAGE),
        (errors.InvalidTargetError("x"), ExitCode.USAGE),
        (errors.InvalidHeaderError("x"), ExitCode.USAGE),
        (errors.MediaFileError("a.wav", "x"), ExitCode.USAGE),
        (click.UsageError("x"), ExitCode.USAGE),
        (errors.RegistrationUnauthorized("x", status_code=401), ExitCode.UNAUTHORISED),
        (errors.CallUnauthorized("x", status_code=407), ExitCode.UNAUTHORISED),
        (errors.AuthenticationError("x"), ExitCode.UNAUTHORISED),
        (errors.CallBusy("x", status_code=486), ExitCode.BUSY),
        (errors.CallTimeout("x", status_code=408), ExitCode.TIMEOUT),
        (errors.ConnectTimeout("wss://x", "y"), ExitCode.TIMEOUT),
        (errors.RequestTimeout("x"), ExitCode.TIMEOUT),
        (errors.CallRejected("x", status_code=603), ExitCode.REJECTED),
        (errors.CallNotFound("x", status_code=404), ExitCode.REJECTED),
        (errors.CallUnavailable("x", status_code=480), ExitCode.REJECTED),
        (errors.RegistrationFailed("x", status_code=503), ExitCode.REJECTED),
        (errors.CallUnavailable("x", cause=Cause.CONNECTION_ERROR), ExitCode.FAILED),
        (errors.ConnectFailed("wss://x", "y"), ExitCode.FAILED),
        (errors.SubprotocolError("wss://x", "y"), ExitCode.FAILED),
        (errors.CertificateError("wss://x", "y"), ExitCode.FAILED),
        (RuntimeError("x"), ExitCode.FAILED),
        (Failure("x", ExitCode.TIMEOUT), ExitCode.TIMEOUT),
    ],
)
def test_code_of_error(error: Exception, code: ExitCode) -> None:
    assert exit_code(error) is code


def test_values_of_the_codes() -> None:
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 130]


def test_lines_name_options_not_arguments() -> None:
    with pytest.raises(errors.ConfigurationError) as bad:
        UA("sip:alice@example.com", sockets="http://example.com")
    assert one_line(bad.value).startswith("--server http://example.com: ")
    with pytest.raises(errors.ConfigurationError) as bad:
        UA("example.com", sockets="ws://example.com")
    assert one_line(bad.value).startswith("--uri example.com: ")
    with pytest.raises(errors.ConfigurationError) as bad:
        Tone(-1)
    assert one_line(bad.value).startswith("--tone -1: ")
    with pytest.raises(errors.ConfigurationError) as bad:
        WebSocketInterface("wss://x", ca_file="/nowhere.pem")
    assert one_line(bad.value) == "--ca-file /nowhere.pem: cannot be read (No such file or directory)"


def test_lines_have_the_remedy() -> None:
    from sipua.transport.ws_errors import CERTIFICATE_TROUBLES

    wrong = errors.RegistrationUnauthorized("sip:h: REGISTER: 401 Unauthorized", status_code=401)
    assert one_line(wrong) == (
        "sip:h: REGISTER: 401 Unauthorized; wrong user name or password: "
        "check --uri, --auth-user and --password (or SIPUA_PASSWORD)"
    )
    for why in CERTIFICATE_TROUBLES.values():
        line = one_line(errors.CertificateError("wss://x", why))
        assert "ca_file" not in line
        assert "insecure=" not in line
    line = one_line(errors.CertificateError("wss://x", CERTIFICATE_TROUBLES[18]))
    assert "--ca-file" in line
    assert "--insecure" in line


def test_lines_are_single_and_say_what_is_a_bug() -> None:
    assert one_line(Failure("a\n  b")) == "a b"
    assert one_line(KeyError("x")) == "internal error: KeyError: 'x' (-v shows where)"
    with pytest.raises(errors.MediaFileError) as bad:
        AudioFile("/nowhere.wav").check()
    assert one_line(bad.value).startswith("/nowhere.wav: no such file or directory")


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.ENOENT, "No such file or directory; check the path"),
        (errno.EISDIR, "Is a directory; give a file"),
        (errno.EACCES, "Permission denied; check its permissions"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_file_that_cannot_be_used(number: int, line: str) -> None:
    assert file_trouble(OSError(number, os.strerror(number))) == line


def test_an_error_without_a_number() -> None:
    assert file_trouble(OSError("gone")) == "gone"
