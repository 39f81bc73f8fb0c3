"""Opens the client's WebSocket, and tells what went wrong if it did."""

from __future__ import annotations

import logging
import urllib.parse
from typing import TYPE_CHECKING, Any, cast

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidProxy
from websockets.proxy import get_proxy, parse_proxy
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from sipua._version import __version__
from sipua.errors import SubprotocolError
from sipua.transport.websocket import SUBPROTOCOL
from sipua.transport.ws_connection import DirectClientConnection, WebSocketConnection
from sipua.transport.ws_errors import NO_TCP, NO_TLS, NO_UPGRADE, connect_error

if TYPE_CHECKING:
    from sipua.transport.interface import CloseHandler, MessageHandler
    from sipua.transport.websocket import WebSocketInterface

logger = logging.getLogger("sipua.transport.websockets")
# At DEBUG the library writes down headers and frames, and with them Authorization.
logger.setLevel(logging.INFO)

# Seconds after which the next address of a host name is tried beside the first one (:rfc:`8305#section-5`).
NEXT_ADDRESS_DELAY = 0.25


async def open_connection(
    server: WebSocketInterface, on_message: MessageHandler, on_close: CloseHandler
) -> WebSocketConnection:
    """Connect to `server`. See `WebSocketInterface.connect`."""
    made: list[DirectClientConnection] = []

    def make(*args: Any, **kwargs: Any) -> DirectClientConnection:
        made.append(DirectClientConnection(*args, **kwargs))
        return made[-1]

    proxy: str | None = None
    context = server.tls()
    tls: dict[str, Any] = {"ssl": context, "ssl_shutdown_timeout": server.close_timeout} if context else {}
    try:
        setting = server.proxy_setting()
        proxy = get_proxy(parse_uri(server.full_url)) if setting is True else setting
        ws = await connect(
            server.full_url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            additional_headers=server.headers,
            user_agent_header=f"sipua/{__version__}",
            proxy=proxy,
            open_timeout=server.connect_timeout,
            close_timeout=server.close_timeout,
            ping_interval=None,  # the transport has a keep-alive of its own
            max_size=server.max_size,
            logger=logger,
            create_connection=cast("Any", make),
            happy_eyeballs_delay=NEXT_ADDRESS_DELAY,
            **tls,
        )
    except Exception as error:
        raise connect_error(
            error, server.url, stage=_stage(made), timeout=server.connect_timeout, proxy=_shown(proxy)
        ) from error
    assert isinstance(ws, DirectClientConnection)
    if ws.subprotocol != SUBPROTOCOL:
        ws.transport.abort()
        why = "the server did not select the sub-protocol sip: is it a SIP server, and is the path right?"
        raise SubprotocolError(server.url, why)
    return WebSocketConnection(
        ws,
        url=server.url,
        peer=server.url,
        via_transport=server.via_transport,
        on_message=on_message,
        on_close=on_close,
        binary=server.binary,
    )


def _stage(made: list[DirectClientConnection]) -> str:
    """How far we have come: asyncio makes the protocol object for a TCP connection that is up."""
    if not made:
        return NO_TCP
    if not made[-1].is_made:
        return NO_TLS
    return NO_UPGRADE


def _shown(proxy: str | None) -> str | None:
    """The proxy's address without its password."""
    if proxy is None:
        return None
    try:
        parsed = parse_proxy(proxy)
    except InvalidProxy:
        return urllib.parse.urlsplit(proxy).hostname or proxy
    return f"{parsed.scheme}://{parsed.host}:{parsed.port}"
