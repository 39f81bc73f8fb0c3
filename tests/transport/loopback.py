"""Servers on loopback that do what they are told: proper ones, rude ones and silent ones."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
from contextlib import asynccontextmanager

from websockets.asyncio.server import serve

from sipua.transport import WebSocketInterface

HOST = "127.0.0.1"


class Record(list):
    """What a connection brought: messages, and how it ended in `closed`."""

    def __init__(self):
        self.closed = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()

    def append(self, item):
        super().append(item)
        self._news.set()

    def ended(self, error):
        if not self.closed.done():
            self.closed.set_result(error)

    async def until(self, count):
        """Wait for so many messages."""
        async with asyncio.timeout(5):
            while len(self) < count:
                self._news.clear()
                await self._news.wait()
        return list(self)

    async def end(self):
        """Wait for the end of the connection; the error, or None."""
        return await asyncio.wait_for(asyncio.shield(self.closed), 5)


async def connect(url, **options):
    """Connect with the interface. Gives the connection and its `Record`."""
    record = Record()
    connection = await WebSocketInterface(url, **options).connect(record.append, record.ended)
    return connection, record


@asynccontextmanager
async def websocket_server(handler=None, *, scheme="ws", **options):
    """A server of the websockets library; gives its URL. Without handler it sends everything back."""

    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    options = {"subprotocols": ["sip"], "compression": None, "close_timeout": 0.2} | options
    async with serve(handler or echo, HOST, 0, **options) as server:
        yield f"{scheme}://{HOST}:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def tcp_server(handler):
    """A bare TCP server; `handler(reader, writer)`. Gives its port."""
    tasks = set()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    server = await asyncio.start_server(handle, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def upgrade(reader, writer, extra=b""):
    """Accept a WebSocket by hand; `extra` leaves in the same write as the answer."""
    request = await reader.readuntil(b"\r\n\r\n")
    key = next(
        line.split(b":")[1].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    )
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\nSec-WebSocket-Protocol: sip\r\n\r\n" + extra
    )


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return sock.getsockname()[1]
