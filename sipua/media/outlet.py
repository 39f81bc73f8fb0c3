"""What the peer hears: one endless stream of 20 ms, whatever plays in it.

The packet clock pulls; nothing here waits for anything. In order: silence while muted or while nothing may be sent,
music while the peer is on hold, what the application wrote, the source, silence. So files, mute and hold come and go
without the RTP stream noticing, and without a click: where one gives way to another, they are joined by a short
fade. Within one of them, and from one write to the next, not a bit is changed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

from sipua.media.fades import Gain, fade_samples, join
from sipua.media.faults import FAULTS, told
from sipua.media.pcm import SAMPLE_BYTES, samples_per_frame, silence
from sipua.media.playback import SourcePlayback
from sipua.media.written import WriteQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipua.errors import MediaError
    from sipua.media.interface import AudioSource

__all__ = ["Outlet"]

logger = logging.getLogger(__name__)

_Voice: TypeAlias = "SourcePlayback | WriteQueue | None"
_ZERO = bytes(SAMPLE_BYTES)


class Outlet:
    """Hands out 20 ms of PCM at a time, at `rate` Hz."""

    def __init__(
        self,
        on_error: Callable[[MediaError], None],
        replace: Callable[[bytes, int], bytes] = lambda pcm, rate: pcm,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.rate = 48000
        self.muted = False
        self.enabled = True
        """Whether anything may be sent, by what was agreed (hold)."""
        self.gain = Gain()
        """Of everything but in-band tones."""
        self.written = WriteQueue(clock=clock)
        self.playback: SourcePlayback | None = None
        self.music: SourcePlayback | None = None
        """What a peer on hold hears, instead of anything else."""
        self._on_error = on_error
        self._replace = replace  # in-band tones go over everything, also while muted
        self._closed = False
        self._voice: _Voice = None
        self._tail = b""
        self._last = _ZERO

    @property
    def source(self) -> AudioSource | None:
        """What plays."""
        playback = self.playback
        return playback.source if playback is not None and not playback.finished else None

    def set_rate(self, rate: int) -> None:
        """Choose the rate; a source that has been opened already keeps to the old one, resampled."""
        if rate != self.rate:
            self.rate = rate
            self._tail = b""

    def pull(self) -> bytes:
        """The next 20 ms."""
        samples = samples_per_frame(self.rate)
        voice = self._choose()
        if voice is None and self._voice is None and not self._tail:
            pcm = silence(samples)
        else:
            pcm = self.gain(self._go_on(voice, samples))
        self._pass(voice, samples)
        return self._replace(pcm, self.rate)

    def _choose(self) -> _Voice:
        if self.muted or not self.enabled:
            return None
        if self.music is not None:
            return self.music
        if self.written:
            return self.written
        return self._playing()

    def _playing(self) -> SourcePlayback | None:
        playback = self.playback
        return playback if playback is not None and not playback.finished and not playback.paused else None

    def _go_on(self, voice: _Voice, samples: int) -> bytes:
        before, tail = self._voice, self._tail
        changed = voice is not before or bool(tail)
        if changed and not tail:
            tail = self._continuation(before) or self._last
        pcm = self._read(voice, samples)
        missing = samples - len(pcm) // SAMPLE_BYTES
        if missing > 0:
            # The end of a sound may be anywhere in the wave.
            rest = join(pcm[-SAMPLE_BYTES:] or self._last, silence(missing), self.rate)
            pcm = pcm + rest if pcm else rest
            voice = None
        if changed:
            pcm = join(tail, pcm, self.rate)
        self._voice, self._tail, self._last = voice, b"", pcm[-SAMPLE_BYTES:]
        return pcm

    def _pass(self, voice: _Voice, samples: int) -> None:
        """Time passes also for what is not heard."""
        if voice is not self.written:
            self.written.idle()
        if self.muted or not self.enabled:
            playback = self._playing()
            if playback is not None and self.music is None:
                self._read(playback, samples)

    def _read(self, voice: _Voice, samples: int) -> bytes:
        if voice is None:
            return b""
        if isinstance(voice, WriteQueue):
            return voice.take(samples, self.rate)
        try:
            pcm = voice.read(samples, self.rate)
        except FAULTS as error:
            self._end(voice, completed=False)
            self._on_error(told(f"audio source {voice.source!r}", error))
            return b""
        if len(pcm) < samples * SAMPLE_BYTES:
            self._end(voice, completed=True)
        return pcm

    # --- changes ------------------------------------------------------------------------------------------

    def play(self, source: AudioSource | None) -> SourcePlayback:
        """Put `source` in the place of the present one. It is opened when it is first heard."""
        self._replace_playback()
        playback = SourcePlayback(source, self)
        if self._closed or source is None:
            playback.end(completed=False)
        else:
            self.playback = playback
        return playback

    def stop(self, playback: SourcePlayback) -> None:
        """Silence, if this is what plays."""
        if playback is self.playback or playback is self.music:
            self.interrupt(playback)
            self._end(playback, completed=False)

    def hold(self, music: AudioSource | None) -> None:
        """Let the peer hear only this; all else waits where it is. None: as before."""
        before, self.music = self.music, None
        if before is not None:
            self.interrupt(before)
            self._end(before, completed=False)
        if music is not None and not self._closed:
            self.music = SourcePlayback(music, self)

    def clear(self) -> float:
        """Drop what was written and not taken yet; returns its seconds."""
        self.interrupt(self.written)
        return self.written.clear()

    def interrupt(self, voice: SourcePlayback | WriteQueue) -> None:
        """It will not go on as it would have: keep how that would be, to fade it out."""
        if voice is self._voice and not self._tail:
            self._tail = self._continuation(voice) or self._last

    def _continuation(self, voice: _Voice) -> bytes:
        if voice is None:
            return b""
        wanted = fade_samples(self.rate)
        if isinstance(voice, WriteQueue):
            return voice.peek(wanted, self.rate)
        return voice.tail(wanted, self.rate)

    def close(self) -> None:
        """End everything that waits for sound to be heard."""
        self._closed = True
        self._replace_playback()
        self.hold(None)
        self.written.close()

    def _replace_playback(self) -> None:
        if self.playback is not None:
            self.interrupt(self.playback)
            self._end(self.playback, completed=False)

    def _end(self, playback: SourcePlayback, *, completed: bool) -> None:
        stream = playback.end(completed=completed)
        if playback is self.music:
            self.music = None
        if stream is not None:
            try:
                stream.close()
            except FAULTS:
                logger.warning("audio source did not close", exc_info=True)
