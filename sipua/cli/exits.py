"""Exit codes, and every error as one line that names the thing and the remedy."""

from __future__ import annotations

import builtins
import enum
import errno

import click

from sipua import errors
from sipua.errors import ConfigurationError, SipuaError


class ExitCode(enum.IntEnum):
    """What the command tells its caller. These never change their meaning."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REJECTED = 3
    UNAUTHORISED = 4
    TIMEOUT = 5
    BUSY = 6
    INTERRUPTED = 130


class Failure(Exception):
    """The command cannot go on, and this line says all there is to say."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
        self.ctx = click.get_current_context(silent=True)
        """The command that it happened in; None: while it ran."""


# The first that fits counts: special ones before general ones.
_CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (errors.ConfigurationError, ExitCode.USAGE),
    (errors.InvalidTargetError, ExitCode.USAGE),
    (errors.InvalidHeaderError, ExitCode.USAGE),
    (errors.MediaFileError, ExitCode.USAGE),
    (errors.MediaDeviceNotFound, ExitCode.USAGE),
    (errors.RegistrationUnauthorized, ExitCode.UNAUTHORISED),
    (errors.CallUnauthorized, ExitCode.UNAUTHORISED),
    (errors.AuthenticationError, ExitCode.UNAUTHORISED),
    (errors.CallBusy, ExitCode.BUSY),
    (TimeoutError, ExitCode.TIMEOUT),
)

#: Refusals of requests outside of calls that are more than "no".
_STATUS: dict[int | None, ExitCode] = {
    401: ExitCode.UNAUTHORISED,
    407: ExitCode.UNAUTHORISED,
    408: ExitCode.TIMEOUT,
    486: ExitCode.BUSY,
    600: ExitCode.BUSY,
}

CREDENTIALS = "wrong user name or password: check --uri, --auth-user and --password (or SIPUA_PASSWORD)"
#: The same when none was given.
NO_PASSWORD = "it wants a password: set SIPUA_PASSWORD, or give --password-file or --password-prompt"

_REMEDIES: tuple[tuple[type[Exception], str], ...] = (
    (errors.RegistrationUnauthorized, CREDENTIALS),
    (errors.CallUnauthorized, CREDENTIALS),
    (errors.CallNotFound, "check the target"),
    (errors.CallTimeout, "try again later, or wait longer with --timeout"),
    (errors.RequestTimeout, "the server does not answer SIP: check --server"),
)

_FILE_REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "give a file",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EROFS: "give another place",
    errno.ENOSPC: "make room there, or give another place",
    errno.EDQUOT: "make room there, or give another place",
}

#: Which option sets what the library calls so.
_OPTIONS = {
    "uri": "--uri",
    "sockets": "--server",
    "url": "--server",
    "ca_file": "--ca-file",
    "password": "--password",
    "authorization_user": "--auth-user",
    "frequency": "--tone",
    "audio": "--play",
    "record": "--record",
    "codecs": "--codec",
    "ramp": "--ramp",
    "fail_if": "--fail-if",
    "accounts": "--account",
    "ice_servers": "--ice-server",
    "certificate": "--tls-cert",
    "private_key": "--tls-key",
    "host": "--host",
    "domain": "--domain",
    "port": "--port",
}

#: The library's remedies are for programs; these are the same for the command line.
_WORDING = (
    ("is not a valid integer range", "is not a whole number"),
    ("and give extra_headers", "and give them with --header"),
    ("pass ca_file= with", "pass --ca-file with"),
    (", or insecure=True to trust any", ", or --insecure to trust any"),
    ("insecure=True would", "--insecure would"),
    ("; proxy=None connects directly", "; unset https_proxy to connect directly"),
    (", or proxy=None", ", or unset https_proxy"),
    (", or headers={'Authorization': …}", ""),
    (": pass headers={'Origin': …}", ""),
    (", or apps=False", ", or --no-apps"),
    (", or presence=False", ", or --no-presence"),
)


def file_trouble(error: OSError) -> str:
    """What is wrong with a file, and the remedy."""
    remedy = _FILE_REMEDIES.get(error.errno or 0)
    return f"{error.strerror or error}{f'; {remedy}' if remedy else ''}"


def exit_code(error: BaseException) -> ExitCode:
    """The exit code for what ended a command."""
    if isinstance(error, Failure):
        return error.code
    if isinstance(error, click.UsageError):
        return ExitCode.USAGE
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    # Somebody said no, as against something that did not work.
    if isinstance(error, errors.CallFailed | errors.RequestFailed) and error.status_code is not None:
        return _STATUS.get(error.status_code, ExitCode.REJECTED)
    return ExitCode.FAILED


def failure_elsewhere(message: str, kind: str) -> Failure:
    """What another process has told of, with the exit code and the remedy of its exception, whose name is `kind`."""
    found = getattr(errors, kind, getattr(builtins, kind, Exception))
    code = next((code for base, code in _CODES if issubclass(found, base)), ExitCode.FAILED)
    remedy = next((remedy for base, remedy in _REMEDIES if issubclass(found, base)), None)
    return Failure(f"{message}; {remedy}" if remedy else message, code)


def one_line(error: BaseException) -> str:
    """What went wrong and what to do about it, in one line without the command's name."""
    if isinstance(error, click.ClickException):
        text = error.format_message().rstrip(".")
    elif isinstance(error, ConfigurationError):
        text = _configuration_error(error)
    elif isinstance(error, Failure | SipuaError | OSError):
        text = str(error)
    else:
        text = f"internal error: {type(error).__name__}: {error} (-v shows where)"
    for ours, theirs in _WORDING:
        text = text.replace(ours, theirs)
    remedy = next((remedy for kind, remedy in _REMEDIES if isinstance(error, kind)), None)
    if remedy is None and isinstance(error, errors.RequestFailed) and error.status_code in (401, 407):
        remedy = CREDENTIALS
    return " ".join(f"{text}; {remedy}".split() if remedy else text.split())


def _configuration_error(error: ConfigurationError) -> str:
    option = _OPTIONS.get(error.key, error.key)
    shown = option if error.value in (None, "…") else f"{option} {error.value}"
    return f"{shown}: {reason_of(error)}"


def reason_of(error: ConfigurationError) -> str:
    """Why a value cannot be used, without the library's name for it."""
    return str(error).removeprefix(f"{error.key}={error.value!r}: ")
