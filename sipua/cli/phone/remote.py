"""Where controllers of the phone come from: a Unix socket, or loopback TCP with a token."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from sipua.cli.exits import ExitCode, Failure
from sipua.cli.output import JsonOutput
from sipua.cli.phone.control import Controller, read_id, read_object
from sipua.cli.phone.lines import LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import TextIO

    from sipua.cli.output import Output
    from sipua.cli.phone.phone import Phone

__all__ = ["Door", "parse_door", "serve"]

#: Seconds that a TCP client has to give the token, and bytes that one may leave unread.
LOGIN_TIMEOUT, UNREAD = 10.0, 1 << 20


@dataclass(frozen=True)
class Door:
    """Where controllers come from."""

    kind: Literal["stdio", "unix", "tcp"]
    path: Path = Path()
    host: str = "127.0.0.1"
    port: int = 0


def parse_door(text: str) -> Door:
    """``stdio``, ``unix:PATH``, ``tcp:PORT`` or ``tcp:HOST:PORT`` with a loopback address.

    :raises ValueError: none of these; it says why.
    """
    kind, _, rest = text.partition(":")
    if text == "stdio":
        return Door("stdio")
    if kind == "unix" and rest:
        return Door("unix", Path(rest).expanduser())
    if kind == "tcp":
        host, _, port = rest.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"
        if not port.isdecimal() or not 0 <= int(port) <= 65535:
            raise ValueError(f"{text!r}: the port is a number from 0 to 65535, such as tcp:5080")
        if host != "localhost" and not _is_loopback(host):
            raise ValueError(f"{text!r}: only loopback addresses, such as 127.0.0.1; for others use ssh")
        return Door("tcp", host="127.0.0.1" if host == "localhost" else host, port=int(port))
    raise ValueError(f"{text!r} is none of stdio, unix:PATH, tcp:PORT")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.asynccontextmanager
async def serve(phone: Phone, door: Door, token_file: Path) -> AsyncIterator[None]:
    """Let controllers in while inside. Over TCP each has to give the token first.

    :param token_file: where the token is written for them, readable by its owner only, unless ``SIPUA_REMOTE_TOKEN``
        has it.
    :raises Failure: the address cannot be used.
    """
    clients = _Clients(phone)
    ours = None
    if door.kind == "unix":
        server, url = await _listen_unix(clients, door.path), f"unix:{door.path}"
        ours = _identity(door.path)
    else:
        clients.token = _token(token_file)
        server = await _listen_tcp(clients, door)
        host = f"[{door.host}]" if ":" in door.host else door.host
        url = f"tcp:{host}:{server.sockets[0].getsockname()[1]}"
    text = f"remote control at {url}"
    if clients.token is not None and "SIPUA_REMOTE_TOKEN" not in os.environ:
        text += f", with the token in {token_file}"
    phone.bulletin.event("listening", text, urls=[url])
    try:
        yield
    finally:
        server.close()
        await clients.close()
        if ours is not None and _identity(door.path) == ours:  # another phone's may be there by now
            door.path.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _token(path: Path) -> str:
    if given := os.environ.get("SIPUA_REMOTE_TOKEN"):
        return given
    token = secrets.token_urlsafe(24)
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}; set SIPUA_REMOTE_TOKEN instead") from None
    return token


async def _listen_unix(clients: _Clients, path: Path) -> asyncio.Server:
    _make_way(path)
    before = os.umask(0o177)  # for its owner only, from the beginning
    try:
        return await asyncio.start_unix_server(clients.serve, str(path), limit=LIMIT)
    except OSError as error:
        raise Failure(f"--remote unix:{path}: {error.strerror or error}", ExitCode.USAGE) from None
    finally:
        os.umask(before)


def _make_way(path: Path) -> None:
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                path.unlink(missing_ok=True)  # of a phone that is gone
            else:
                raise Failure(f"--remote unix:{path}: in use by another phone", ExitCode.USAGE)
    elif path.exists():
        raise Failure(f"--remote unix:{path}: exists and is no socket", ExitCode.USAGE)


async def _listen_tcp(clients: _Clients, door: Door) -> asyncio.Server:
    try:
        return await asyncio.start_server(clients.serve, door.host, door.port, limit=LIMIT)
    except OSError as error:
        why = error.strerror or error
        raise Failure(f"--remote tcp:{door.host}:{door.port}: {why}", ExitCode.USAGE) from None


class _Clients:
    """The connections of one door. With a `token`, each has to give it first."""

    def __init__(self, phone: Phone) -> None:
        self.token: str | None = None
        self._phone = phone
        self._tasks: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One of them, to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        stream = _Stream(writer)
        output = JsonOutput(cast("TextIO", stream), cast("TextIO", stream))
        controller = Controller(self._phone, output)
        try:
            if self.token is None or await self._logged_in(reader, output):
                controller.begin()
                while line := await reader.readline():
                    controller.take(line.decode(errors="replace"))
                await controller.finish()
        except (ValueError, asyncio.LimitOverrunError):
            output.event("reply", id=None, command=None, ok=False, error=f"a line of more than {LIMIT} bytes")
        except OSError:
            pass  # it is gone
        except asyncio.CancelledError:
            pass  # the phone ends
        finally:
            self._tasks.discard(task)
            controller.end()
            writer.close()

    async def _logged_in(self, reader: asyncio.StreamReader, output: Output) -> bool:
        """Whether the first line is ``{"command": "login", "token": …}`` with the right one."""
        assert self.token is not None
        number = None
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT):
                line = (await reader.readline()).decode(errors="replace")
            given = read_object(line)
            number = read_id(given)
            token = given.get("token")
            fits = isinstance(token, str) and hmac.compare_digest(token.encode(), self.token.encode())
            if given.get("command") != "login" or not fits:
                raise Failure(
                    'the first line has to be {"command": "login", "token": …} with the right token'
                )
        except (Failure, TimeoutError) as error:
            why = str(error) or f"no token within {LOGIN_TIMEOUT:g} s"
            output.event("reply", id=number, command="login", ok=False, error=why)
            return False
        output.event("reply", id=number, command="login", ok=True, result=None)
        return True

    async def close(self) -> None:
        """Send all of them away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Stream:
    """A text stream into a connection. One that does not read is cut off, and holds up nobody."""

    encoding = "utf-8"

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def write(self, text: str) -> int:
        transport = self._writer.transport
        if transport.is_closing():
            return len(text)
        if transport.get_write_buffer_size() > UNREAD:
            transport.abort()
            return len(text)
        self._writer.write(text.encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        """Nothing waits here."""
