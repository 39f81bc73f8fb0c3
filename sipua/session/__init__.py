"""Calls: `RTCSession` and what drives it."""

from sipua.session.session import RTCSession
from sipua.session.states import State

__all__ = ["RTCSession", "State"]
