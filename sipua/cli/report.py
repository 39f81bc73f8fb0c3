"""Telling what happens to calls: their events, and live lines with their figures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sipua.cli.reasons import reason_text
from sipua.events import Cause

if TYPE_CHECKING:
    from sipua import events
    from sipua.cli.output import Output
    from sipua.cli.recordings import Captured, Recorded
    from sipua.media.interface import MediaStats
    from sipua.session import RTCSession

#: Seconds between two refreshes of the live lines, and between two ``stats`` events for programs.
REFRESH, STATS_EVERY = 0.25, 1.0


class Board:
    """The live lines of all calls that are going on."""

    #: More calls than this are counted, not shown.
    SHOWN = 8

    def __init__(self, output: Output) -> None:
        self._output = output
        self._calls: list[Report] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, report: Report) -> None:
        """Show this one too."""
        self._calls.append(report)
        if self._timer is None:
            self._refresh()

    def remove(self, report: Report) -> None:
        """It is over."""
        self._calls.remove(report)
        if not self._calls:
            self.close()

    def close(self) -> None:
        """Show nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._output.live(())

    def _refresh(self) -> None:
        lines = []
        for report in self._calls:
            lines.append(report.live_line())
            report.tell_stats()
        if len(lines) > self.SHOWN:
            lines[self.SHOWN :] = [f"… and {len(lines) - self.SHOWN} more"]
        self._output.live(lines)
        self._timer = asyncio.get_running_loop().call_later(REFRESH, self._refresh)


class Report:
    """Tells what happens to one call. `number` counts the calls of this run of the command, from 1.

    :param replaces: the number of the call whose place it takes, after a transfer.
    """

    def __init__(
        self,
        output: Output,
        board: Board,
        call: RTCSession,
        number: int = 1,
        *,
        replaces: int | None = None,
    ) -> None:
        self.call = call
        self.number = number
        self.answered: float | None = None
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._before = "calling" if call.direction == "outgoing" else "answering"
        self.stats: MediaStats | None = None
        self._output = output
        self._board = board
        self._next_stats = 0.0
        who = str(call.remote_identity.uri)
        self._who = who
        outgoing = call.direction == "outgoing"
        self._tell(
            "call",
            f"calling {who}" if outgoing else f"call from {who}",
            direction=call.direction,
            remote=who,
            local=str(call.local_identity.uri),
            call_id=call.request.call_id,
            **({} if replaces is None else {"replaces": replaces}),
        )
        for event, handler in (
            ("progress", self._on_progress),
            ("accepted", self._on_accepted),
            ("confirmed", self._on_confirmed),
            ("new_dtmf", self._on_dtmf),
            ("hold", self._on_hold),
            ("unhold", self._on_unhold),
            ("ice_connection_state", self._on_media_state),
            ("media_failed", self._on_media_failed),
            ("ended", self._on_ended),
            ("failed", self._on_failed),
        ):
            call.on(event, handler)
        board.add(self)

    def _tell(self, event: str, text: str | None = None, **fields: Any) -> None:
        self._output.event(event, text, call=self.number, **fields)

    @property
    def seconds(self) -> float:
        """Since the answer."""
        return 0.0 if self.answered is None else self._now() - self.answered

    def live_line(self) -> str:
        """The call at this moment."""
        if self.answered is None:
            return f"{self._who}  {self._before} {clock(self._now() - self._began)}"
        stats = self._read_stats()
        state = "connected" if stats is None or stats.state == "connected" else f"media {stats.state}"
        return f"{self._who}  {state}  {clock(self.seconds)}  {figures(stats)}"

    def tell_stats(self) -> None:
        """For programs, once a second."""
        if self.answered is None or self.seconds < self._next_stats:
            return
        self._next_stats += STATS_EVERY
        stats = self._read_stats()
        if stats is not None:
            self._tell("stats", seconds=round(self.seconds, 3), **stats_fields(stats))

    def _read_stats(self) -> MediaStats | None:
        if self.call.media is not None:
            self.stats = self.call.stats()
        return self.stats

    # --- events -------------------------------------------------------------------------------------------

    def _on_progress(self, event: events.Progress) -> None:
        response = event.response
        text = f"{response.code} {response.phrase}".strip() if event.originator == "remote" else None
        if text and response.body:
            text += ", with early media"
        if text:
            self._before = response.phrase.lower() or "ringing"
        self._tell(
            "progress",
            text,
            originator=event.originator,
            status=response.code,
            reason=response.phrase,
            early_media=bool(response.body),
        )

    def _on_accepted(self, event: events.Accepted) -> None:
        self._tell("accepted", None, originator=event.originator)

    def _on_confirmed(self, event: events.Confirmed) -> None:
        self.answered = self._now()
        stats = self._read_stats()
        codec = stats.codec if stats is not None else None
        self._tell("confirmed", f"answered{f', {codec}' if codec else ''}", codec=codec)

    def _on_dtmf(self, event: events.NewDTMF) -> None:
        whose = "sent" if event.originator == "local" else "received"
        self._tell(
            "dtmf",
            f"digit {event.tone} {whose}",
            originator=event.originator,
            tone=event.tone,
            duration=event.duration,
            transport=event.transport,
        )

    def _on_hold(self, event: events.Hold) -> None:
        text = "the peer is on hold" if event.originator == "local" else "the peer has put us on hold"
        self._tell("hold", text, originator=event.originator)

    def _on_unhold(self, event: events.Hold) -> None:
        text = "the peer is off hold" if event.originator == "local" else "the peer has taken us off hold"
        self._tell("unhold", text, originator=event.originator)

    def _on_media_state(self, event: events.IceConnectionState) -> None:
        self._tell("media", None, state=event.state)

    def _on_media_failed(self, event: events.MediaFailed) -> None:
        self._tell("warning", f"media: {event.error}", message=str(event.error))

    def _on_ended(self, event: events.Ended) -> None:
        seconds = self.seconds
        stats = self._read_stats()
        self._board.remove(self)
        who = {"local": "hung up", "remote": "the peer hung up"}.get(event.originator, "ended")
        normal = event.cause is Cause.BYE
        reason = reason_text(event.reason)
        why = reason if normal else ": ".join(filter(None, (str(event.cause), reason)))
        text = f"{who} after {clock(seconds)}{f' ({why})' if why else ''}"
        if stats is not None:
            text += f"; {figures(stats)}{sound(stats)}"
        fields = stats_fields(stats) if stats is not None else {}
        self._tell(
            "ended",
            text,
            originator=event.originator,
            cause=str(event.cause),
            reason=event.reason,
            seconds=round(seconds, 3),
            **fields,
        )

    def _on_failed(self, event: events.Failed) -> None:
        self._board.remove(self)
        status, phrase = getattr(event.message, "code", None), getattr(event.message, "phrase", "")
        text = None
        if self.call.direction == "incoming":
            refused = event.originator == "local" and status is not None
            text = f"refused: {status} {phrase}".rstrip() if refused else f"the call failed: {event.cause}"
        self._tell(
            "failed",
            text,
            originator=event.originator,
            cause=str(event.cause),
            status=status,
            reason=event.reason or phrase or None,
        )

    def tell_recording(self, recording: Recorded) -> None:
        """After the call: where the recording is, if there was anything to record.

        Why it broke off has been told when it did.
        """
        if recording.error is not None or not recording.made:
            return
        seconds = None if recording.seconds is None else round(recording.seconds, 3)
        length = "" if seconds is None else f" ({seconds:.1f} s)"
        self._tell(
            "recorded", f"recorded to {recording.path}{length}", path=str(recording.path), seconds=seconds
        )

    def tell_capture(self, captured: Captured) -> None:
        """The same of the packets."""
        if captured.error is None and captured.made:
            self._tell("captured", f"captured to {captured.path}", path=str(captured.path))


def clock(seconds: float) -> str:
    """``1:02:03``, or ``02:03`` for less than an hour."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def figures(stats: MediaStats | None) -> str:
    """Codec, packets and loss, for people."""
    if stats is None:
        return ""
    expected = stats.packets_received + stats.packets_lost
    share = f" ({100 * stats.packets_lost / expected:.1f} %)" if stats.packets_lost and expected else ""
    return (
        f"{stats.codec or 'no codec'}  sent {stats.packets_sent}  received {stats.packets_received}  "
        f"lost {stats.packets_lost}{share}"
    )


def sound(stats: MediaStats) -> str:
    """What follows the figures at the end: how it sounded; nothing when nothing was heard."""
    if stats.mos is None:
        return ""
    trip = f"  round trip {1000 * stats.rtt:.0f} ms" if stats.rtt is not None else ""
    return f"  jitter {1000 * stats.jitter:.0f} ms{trip}  MOS {stats.mos:.1f}"


def stats_fields(stats: MediaStats) -> dict[str, Any]:
    """The same and more, for programs."""
    return {
        "state": stats.state,
        "codec": stats.codec,
        "packets_sent": stats.packets_sent,
        "packets_received": stats.packets_received,
        "packets_lost": stats.packets_lost,
        "packets_discarded": stats.packets_discarded,
        "jitter": round(stats.jitter, 6),
        "rtt": stats.rtt,
        "r_factor": round(stats.quality.r_factor, 1) if stats.quality is not None else None,
        "mos": round(stats.quality.mos, 2) if stats.quality is not None else None,
    }
