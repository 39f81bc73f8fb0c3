"""SIP over WebSocket: the client's connection, the choice among servers, recovery and keep-alive.

`Transport` keeps one `Connection` up to one of several `Connector` objects, usually `WebSocketInterface`.
"""

from sipua.transport.interface import Connection, ConnectionLost, Connector, Data
from sipua.transport.transport import Transport
from sipua.transport.websocket import WebSocketInterface

__all__ = ["Connection", "ConnectionLost", "Connector", "Data", "Transport", "WebSocketInterface"]
