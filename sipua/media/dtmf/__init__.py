"""DTMF in a call's audio: as named events (:rfc:`4733`), and as tones in the sound itself."""

from __future__ import annotations

from sipua.media.dtmf.call import CallDtmf
from sipua.media.dtmf.detector import DtmfDetector
from sipua.media.dtmf.inband import DtmfTones
from sipua.media.dtmf.named import DtmfEvent, EventPacket
from sipua.media.dtmf.receiver import EventReceiver
from sipua.media.dtmf.sender import EventSender

__all__ = [
    "CallDtmf",
    "DtmfDetector",
    "DtmfEvent",
    "DtmfTones",
    "EventPacket",
    "EventReceiver",
    "EventSender",
]
