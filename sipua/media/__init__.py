"""Media: what a session needs of it as an interface, and what carries real audio behind it.

Importing this package loads neither aiortc nor av; :func:`default_media_factory` does so at its first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipua.media.interface import (
    Applied,
    AudioPort,
    AudioReader,
    AudioSink,
    AudioSource,
    IceServer,
    MediaFactory,
    MediaOptions,
    MediaSession,
    MediaStats,
    OpusOptions,
    Playback,
    Utterance,
)
from sipua.media.quality import Quality
from sipua.media.signalling import SignallingOnlyMedia
from sipua.media.statistics import MediumStats

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Applied",
    "AudioPort",
    "AudioReader",
    "AudioSink",
    "AudioSource",
    "IceServer",
    "MediaFactory",
    "MediaOptions",
    "MediaSession",
    "MediaStats",
    "MediumStats",
    "OpusOptions",
    "Playback",
    "Quality",
    "SignallingOnlyMedia",
    "Utterance",
    "default_media_factory",
]


def default_media_factory(options: MediaOptions) -> MediaSession:
    """Real audio through aiortc. The first call imports aiortc (about 0.2 s)."""
    global _make
    if _make is None:
        from sipua.media.rtc import RtcMedia

        _make = RtcMedia
    return _make(options)


_make: Callable[[MediaOptions], MediaSession] | None = None
