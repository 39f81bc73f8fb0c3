"""Reading lines from a file descriptor without waiting in a thread: terminals, pipes, sockets, and files."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from sipua.cli.exits import ExitCode, Failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["LIMIT", "read_lines"]

#: Bytes of the longest line.
LIMIT = 65536


async def read_lines(descriptor: int) -> AsyncIterator[str]:
    """The lines, without their ends, until the end of the file. Bytes that are no UTF-8 are replaced.

    :raises Failure: a line of more than `LIMIT` bytes.
    """
    rest = b""
    while chunk := await _read(descriptor):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode(errors="replace")
        if len(rest) > LIMIT:
            raise Failure(f"standard input: a line of more than {LIMIT} bytes", ExitCode.USAGE)
    if rest:
        yield rest.decode(errors="replace")


async def _read(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        if not readable.done():
            readable.set_result(None)

    try:
        loop.add_reader(descriptor, ready)
    except PermissionError:
        # A file on a disk: it is always readable, and epoll does not take it.
        await asyncio.sleep(0)
        return _now(descriptor)
    try:
        await readable
    finally:
        loop.remove_reader(descriptor)
    return _now(descriptor)


def _now(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, LIMIT)
    except BlockingIOError:
        return b""
    except OSError:
        return b""  # the terminal is gone
