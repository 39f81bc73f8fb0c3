"""One call of the phone."""

from __future__ import annotations

import datetime
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from sipua.cli.output import Output
from sipua.cli.phone.book import HistoryEntry
from sipua.cli.report import Board, Report
from sipua.events import Cause

if TYPE_CHECKING:
    from sipua import events
    from sipua.cli.phone.bulletin import Bulletin
    from sipua.cli.phone.line import Line
    from sipua.media.interface import AudioLevels, AudioSink, AudioSource, MediaStats, Playback
    from sipua.media.levels import LevelMeter
    from sipua.media.recording import Recording
    from sipua.session import RTCSession

__all__ = ["CallState", "PhoneCall"]

#: How far back `PhoneCall.recent_loss` looks, in seconds and in looks.
LOSS_SECONDS, _SAMPLES = 10.0, 100

CallState = Literal["calling", "ringing", "incoming", "answering", "connected", "held", "conference", "over"]


class PhoneCall:
    """A call, with what the phone knows of it beside the session. `number` counts the calls, from 1."""

    def __init__(
        self, session: RTCSession, line: Line, number: int, bulletin: Bulletin, board: Board
    ) -> None:
        self.session = session
        self.line = line
        self.number = number
        self.began = datetime.datetime.now(datetime.UTC)
        self.ringing = False
        self.contact: str | None = None
        """The name of the contact that it is with."""
        self.early = False
        """Whether it is heard before it is answered."""
        self.in_conference = False
        self.recording: Recording | None = None
        self.refer: events.Refer | None = None
        """A transfer that the peer asks for and nobody has decided about."""
        self.digits = ""
        """Those that were sent and received, the latest last."""
        self.source: AudioSource | None = None
        """What of the phone's sound the peer hears now."""
        self.playback: Playback | None = None
        self.sink: AudioSink | None = None
        """Where we hear it now."""
        self._meter: LevelMeter | None = None
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=_SAMPLES)
        self._output = _Numbered(bulletin, self)
        self.report = Report(self._output, board, session, number)

    @property
    def remote(self) -> str:
        """Whom we talk to."""
        return str(self.session.remote_identity.uri)

    @property
    def name(self) -> str:
        """That of the contact, else the one that the peer gives itself, in quotes; empty if there is none."""
        given = self.session.remote_identity.name
        return self.contact or (f'"{given}"' if given else "")

    @property
    def direction(self) -> Literal["incoming", "outgoing"]:
        """Who called."""
        return self.session.direction

    @property
    def state(self) -> CallState:
        """What a person would say of it."""
        session = self.session
        if session.is_ended():
            return "over"
        if session.is_established():
            if self.in_conference:
                return "conference"
            return "held" if session.is_on_hold()["local"] else "connected"
        if self.direction == "outgoing":
            return "ringing" if self.ringing else "calling"
        return "incoming" if session.media is None else "answering"

    @property
    def is_up(self) -> bool:
        """Answered and not over."""
        return self.session.is_established()

    @property
    def waits_for_answer(self) -> bool:
        """Whether somebody calls us, and we have not said anything."""
        return self.state == "incoming"

    @property
    def muted(self) -> bool:
        """Whether the peer is kept from hearing us."""
        return self.session.is_muted()["audio"]

    @property
    def held_by_peer(self) -> bool:
        """Whether the peer has put us on hold."""
        return self.session.is_on_hold()["remote"]

    @property
    def seconds(self) -> float:
        """Since the answer."""
        return self.report.seconds

    @property
    def stats(self) -> MediaStats | None:
        """The figures at this moment."""
        return self.session.stats() if self.session.media is not None else None

    @property
    def codec(self) -> str | None:
        """As ``opus/48000``; None before it is negotiated."""
        stats = self.stats
        return stats.codec if stats is not None else None

    @property
    def levels(self) -> AudioLevels | None:
        """How loud both sides are now; None before there is media."""
        if self._meter is None and self.is_up and self.session.media is not None:
            self._meter = self.session.audio.meter()
        return self._meter.levels if self._meter is not None else None

    def recent_loss(self, now: float) -> float | None:
        """The share of packets from the peer that were lost in the last seconds; None: none was due.

        For one who looks again and again, `now` in seconds.
        """
        stats, samples = self.stats, self._samples
        if stats is None:
            return None
        samples.append((now, stats.packets_received, stats.packets_lost))
        while len(samples) > 2 and samples[1][0] <= now - LOSS_SECONDS:
            samples.popleft()
        received, lost = (samples[-1][n] - samples[0][n] for n in (1, 2))
        return max(0, lost) / (received + lost) if received > 0 and received + lost > 0 else None

    @property
    def is_recorded(self) -> bool:
        """Whether a recording goes on."""
        return self.recording is not None and not self.recording.stopped

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        stats = self.stats
        return {
            "call": self.number,
            "account": self.line.name,
            "direction": self.direction,
            "remote": self.remote,
            "name": self.name,
            "state": self.state,
            "seconds": round(self.seconds, 3),
            "muted": self.muted,
            "held_by_peer": self.held_by_peer,
            "recording": str(self.recording.path) if self.recording and self.is_recorded else None,
            "transfer_asked": str(self.refer.refer.uri) if self.refer is not None else None,
            "codec": stats.codec if stats is not None else None,
            "mos": round(stats.mos, 2) if stats is not None and stats.mos is not None else None,
        }

    def tell(self, event: str, text: str | None = None, **fields: Any) -> None:
        """An event of this call."""
        self._output.event(event, text, call=self.number, **fields)

    # --- sound --------------------------------------------------------------------------------------------

    def say(self, source: AudioSource | None) -> None:
        """Let the peer hear `source` from now on; None: nothing of the phone's."""
        if source is self.source:
            return
        before, self.source = self.source, source
        if source is not None:
            self.playback = self.session.audio.play(source)
        elif before is not None and self.session.audio.source is before:
            self.session.audio.source = None

    def listen(self, sink: AudioSink | None) -> None:
        """Let it be heard at `sink` from now on; None: nowhere."""
        before, self.sink = self.sink, None
        if before is not None:
            self.session.audio.remove_sink(before)
        if sink is not None:
            self.session.audio.add_sink(sink)
            self.sink = sink

    # --- its end ------------------------------------------------------------------------------------------

    def history_entry(self) -> HistoryEntry:
        """What is remembered of it."""
        return HistoryEntry(
            self.began.isoformat(timespec="seconds"),
            self.direction,
            self.remote,
            self.line.name,
            round(self.seconds, 1),
            self.outcome,
        )

    @property
    def outcome(self) -> str:
        """Of a call that is over: ``answered``, ``missed``, ``declined``, or why it failed."""
        failure = self.session.failure
        if failure is None:
            return "answered"
        if self.direction == "outgoing":
            return "cancelled" if failure.originator == "local" else str(failure.cause).lower()
        if failure.originator == "local" and failure.cause is not Cause.NO_ANSWER:
            return "declined"
        return "missed"


class _Numbered(Output):
    """Puts the number of the call before each line for people, and finds words where the commands need none."""

    def __init__(self, bulletin: Bulletin, call: PhoneCall) -> None:
        self._bulletin = bulletin
        self._call = call

    def event(self, name: str, text: str | None = None, /, **fields: Any) -> None:
        """Hand it on."""
        if name == "failed":
            text = self._failure(fields)
        self._bulletin.event(name, None if text is None else f"[{self._call.number}] {text}", **fields)

    def error(self, text: str, code: int) -> None:
        """Calls have no errors of the command."""
        self._bulletin.error(text, code)

    def _failure(self, fields: dict[str, Any]) -> str:
        if self._call.direction == "incoming":
            return f"{self._call.outcome} call from {f'{self._call.name} {self._call.remote}'.strip()}"
        if fields["originator"] == "local":
            return "cancelled"
        status = f"{fields['status']} {fields['reason'] or ''}".strip() if fields["status"] else ""
        reason = status or fields["reason"]
        return f"{self._call.remote}: {fields['cause']}{f' ({reason})' if reason else ''}"
