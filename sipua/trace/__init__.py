"""Traces: what user agents sent, received, told and measured, to look at afterwards.

::

    with Trace("call.trace") as trace:
        trace.follow(ua)
        …
    write_page(read_trace("call.trace").records, "call.html")

A file for each call: `CallTraces`. One call of several: `records_of_call`. docs/trace.md has the format of the file.
"""

from sipua.trace.folder import CallTraces
from sipua.trace.page import make_page, write_page
from sipua.trace.pcap import write_pcap
from sipua.trace.reading import TraceError, TraceFile, read_trace
from sipua.trace.recorder import Trace, write_trace
from sipua.trace.records import Record, TracedEvent, TracedMessage, TracedStats
from sipua.trace.story import Story, records_of_call

__all__ = [
    "CallTraces",
    "Record",
    "Story",
    "Trace",
    "TraceError",
    "TraceFile",
    "TracedEvent",
    "TracedMessage",
    "TracedStats",
    "make_page",
    "read_trace",
    "records_of_call",
    "write_page",
    "write_pcap",
    "write_trace",
]
