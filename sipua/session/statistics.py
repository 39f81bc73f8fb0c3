"""The ``stats`` event of a call: every few seconds, while it has media."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua import events

if TYPE_CHECKING:
    from sipua.media.interface import MediaSession, MediaStats
    from sipua.session.session import RTCSession

_TIMER = "stats"


def begin(session: RTCSession, media: MediaSession) -> None:
    """Tell as often as the options of `media` say, until the call is over."""
    if (interval := media.options.stats_interval) is not None:
        _wait(session, media, interval, None)


def _wait(session: RTCSession, media: MediaSession, interval: float, before: MediaStats | None) -> None:
    session._set_timer(_TIMER, interval, lambda: _tell(session, media, interval, before))


def _tell(session: RTCSession, media: MediaSession, interval: float, before: MediaStats | None) -> None:
    stats = before
    if media.state not in ("new", "connecting"):
        stats = media.stats()
        audio = stats.audio
        quality = audio.quality_since(before.audio if before is not None else None) if audio else None
        session.emit("stats", events.Stats(stats, before, quality))
    if not session.is_ended():
        _wait(session, media, interval, stats)
