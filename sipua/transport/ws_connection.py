"""One WebSocket connection that carries SIP (:rfc:`7118`), at either end.

websockets' own connection hands messages to a task that waits in ``recv()``, and writes each message by
itself. A SIP message is small and its handling synchronous, so both ways are shorter here: an incoming
frame is handed up within ``data_received``, and what is sent in one turn of the event loop leaves in one
write.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection as WSConnection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidState
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import SEND_EOF, State

from sipua.errors import ConnectionLost, NotConnected, TransportError
from sipua.transport.ws_errors import lost_error

if TYPE_CHECKING:
    from websockets.protocol import Event

    from sipua.transport.interface import CloseHandler, Data, MessageHandler

logger = logging.getLogger("sipua.transport")

# Bytes that may wait for a peer that does not read. More means that it is dead or hostile.
SEND_LIMIT = 4 * 1024 * 1024


class WebSocketConnection:
    """A `sipua.transport.Connection` over a WebSocket.

    Text frames come up as ``str``, binary ones as ``bytes``; so do text frames that are not UTF-8, which a
    WebSocket would have to be failed for, because one wrong display name must not end all calls. Going out,
    ``str`` and UTF-8 ``bytes`` are text frames and anything else, or everything with `binary`, binary ones.
    """

    def __init__(
        self,
        ws: DirectConnection,
        *,
        url: str,
        peer: str,
        via_transport: str,
        on_message: MessageHandler,
        on_close: CloseHandler,
        binary: bool = False,
    ) -> None:
        self.url = url
        self.peer = peer
        self.via_transport = via_transport
        self.on_message = on_message
        self.on_close = on_close
        self.last_received = ws.loop.time()
        self._ws = ws
        self._binary = binary
        self._open = True
        self._over = False
        self.wanted = False  # that it ends
        self._error: TransportError | None = None
        self._fragments: list[Frame] = []
        self._flush: asyncio.Handle | None = None
        ws.attach(self)

    # --- out ----------------------------------------------------------------------------------------------

    def send(self, data: Data) -> None:
        """Queue one message. See `Connection.send`."""
        if not self._open:
            raise NotConnected(self.url, "the connection is closed")
        ws = self._ws
        payload, text = _encode(data)
        try:
            if text and not self._binary:
                ws.protocol.send_text(payload)
            else:
                ws.protocol.send_binary(payload)
        except InvalidState:
            raise NotConnected(self.url, "the connection is being closed") from None
        self._flush_soon()
        if ws.paused and (waiting := ws.transport.get_write_buffer_size()) > SEND_LIMIT:
            why = f"{self.peer} takes nothing any more, {waiting} bytes are waiting"
            self.abort(ConnectionLost(self.url, why))
            raise NotConnected(self.url, why)

    def ping(self) -> None:
        """Send a WebSocket ping (:rfc:`6455#section-5.5.2`)."""
        try:
            self._ws.protocol.send_ping(b"")
        except InvalidState:
            return
        self._flush_soon()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what is queued, then the close frame, and wait for the end."""
        self._open = False
        self.wanted = True
        limit = self._ws.close_timeout or 0.0
        try:
            # The library's own time-out begins when the close frame is sent: never, if the peer reads nothing.
            async with asyncio.timeout(2 * limit):
                await self._ws.close(code, reason)
        except TimeoutError:
            self._ws.transport.abort()
            await self._ws.wait_closed()
        except asyncio.CancelledError:
            self._ws.transport.abort()
            raise

    def abort(self, error: TransportError) -> None:
        """Drop the connection at once."""
        if self._ws.state is not State.CLOSED:
            self._open = False
            self._error = self._error or error
            self._ws.transport.abort()

    def _flush_soon(self) -> None:
        if self._flush is None and not self._ws.receiving:
            self._flush = self._ws.loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flush = None
        self._ws.send_data()

    # --- in -----------------------------------------------------------------------------------------------

    def receive(self, frame: Frame) -> None:
        """A data frame has come. The protocol below has checked its order and the size of the whole."""
        if not frame.fin or self._fragments:
            self._fragments.append(frame)
            if not frame.fin:
                return
            frame = Frame(self._fragments[0].opcode, b"".join(f.data for f in self._fragments))
            self._fragments.clear()
        data: Data
        if frame.opcode is Opcode.TEXT:
            try:
                data = str(frame.data, "utf-8")
            except UnicodeDecodeError:
                data = bytes(frame.data)
        else:
            data = bytes(frame.data)
        try:
            self.on_message(data)
        except Exception:
            logger.exception("%s: a message could not be handled", self.peer)

    def ended(self) -> None:
        """The connection is closed, by whomever."""
        if self._over:
            return
        self._over = True
        self._open = False
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        error = None if self.wanted else self._error or lost_error(self._ws.close_exc, self.url)
        try:
            self.on_close(error)
        except Exception:
            logger.exception("%s: the end of the connection could not be handled", self.peer)


class DirectConnection(WSConnection):
    """websockets' connection without its queues; the two below are its ends."""

    sip: WebSocketConnection | None = None
    is_made = False
    receiving = False
    _reaper: asyncio.TimerHandle | None = None

    def attach(self, sip: WebSocketConnection) -> None:
        """From now on frames go to `sip`; those that came with the opening handshake follow at once."""
        self.sip = sip
        if self.early or self.protocol.state is State.CLOSED:
            self.loop.call_soon(self._catch_up)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        self.early: list[Frame] = []
        self.is_made = True
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        super().connection_lost(exc)
        if self._reaper is not None:
            self._reaper.cancel()
        self._catch_up()

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        if self.sip is not None:
            self.sip.last_received = self.loop.time()
        self.receiving = True
        try:
            super().data_received(data)
        finally:
            self.receiving = False
        self.send_data()
        if self.protocol.close_expected() and self._reaper is None:
            self._closing()

    def process_event(self, event: Event) -> None:
        """A frame has come, or the HTTP request or response of the opening handshake."""
        if type(event) is not Frame or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif self.sip is None or self.early:
            self.early.append(event)
        else:
            self.sip.receive(event)

    def send_data(self) -> None:
        """Write everything that is due in one go."""
        writes = self.protocol.data_to_send()
        if not writes:
            return
        at_end = writes[-1] == SEND_EOF
        if data := writes[0] if len(writes) == 1 else b"".join(writes):
            self.transport.write(data)
        if at_end:
            if self.transport.can_write_eof():
                self.transport.write_eof()
            else:
                self.transport.close()

    def _closing(self) -> None:
        """A close frame has come, or one is owed to a peer that broke the rules. Neither may hang."""
        self._reaper = self.loop.call_later(self.close_timeout or 0.0, self.transport.abort)
        if self.protocol.close_rcvd is None and not (self.sip and self.sip.wanted):
            self.transport.close()

    def _catch_up(self) -> None:
        if self.sip is None:
            return
        early, self.early = self.early, []
        for frame in early:
            self.sip.receive(frame)
        if self.protocol.state is State.CLOSED:
            self.sip.ended()


class DirectClientConnection(DirectConnection, ClientConnection):
    """The client's end."""


class DirectServerConnection(DirectConnection, ServerConnection):
    """The server's end."""


def _encode(data: Data) -> tuple[bytes, bool]:
    """The bytes of a message, and whether they are UTF-8."""
    if isinstance(data, str):
        try:
            return data.encode(), True
        except UnicodeEncodeError:
            pass
        try:
            # What was decoded from other bytes than UTF-8 goes out as those bytes.
            return data.encode("utf-8", "surrogateescape"), False
        except UnicodeEncodeError:
            return data.encode("utf-8", "replace"), True
    if data.isascii():
        return data, True
    try:
        data.decode()
    except UnicodeDecodeError:
        return data, False
    return data, True
