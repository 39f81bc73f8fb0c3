"""Calls: `RTCSession` and what drives it."""

from sipua.session.referred import IncomingRefer
from sipua.session.replaces import Replacement
from sipua.session.session import RTCSession
from sipua.session.states import State
from sipua.session.subscriber import ReferSubscriber

__all__ = ["IncomingRefer", "RTCSession", "ReferSubscriber", "Replacement", "State"]
