"""SIP over WebSocket: the client's connection, the choice among servers, recovery and keep-alive.

`Transport` keeps one `Connection` up to one of several `Connector` objects, usually `WebSocketInterface`.
"""

from sipua.errors import ConnectionLost
from sipua.transport.interface import Connection, Connector, Data
from sipua.transport.transport import Transport
from sipua.transport.websocket import WebSocketInterface

__all__ = ["Connection", "ConnectionLost", "Connector", "Data", "Transport", "WebSocketInterface"]
