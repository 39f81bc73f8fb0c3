"""A call in a conference: how it sounds there, and what it hears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from sipua.errors import InvalidStateError, MediaError
from sipua.media.conference.mixer import RATES
from sipua.media.conference.resampling import Down, Up, pcm_of, samples_of
from sipua.media.conference.sound import checked_source
from sipua.media.conference.voice import Voice
from sipua.media.fades import fade_in, fade_out, ratio
from sipua.media.interface import AudioSink, AudioSource, PcmStream
from sipua.media.outlet import Outlet
from sipua.media.pcm import SAMPLE_BYTES, samples_per_frame, silence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sipua.media.interface import AudioPort, Playback

__all__ = ["Call", "Member", "Seat"]


class Call(Protocol):
    """What a conference needs of a call; an `RTCSession` is one."""

    @property
    def audio(self) -> AudioPort:
        """What the peer hears and says."""

    def is_ended(self) -> bool:
        """Whether it is over."""

    def is_on_hold(self) -> Mapping[str, bool]:
        """Who holds whom, as ``local`` and ``remote``."""

    def on(self, event: str, handler: Callable[[Any], Any]) -> Any:
        """Call `handler` at each `event`."""

    def off(self, event: str, handler: Callable[[Any], Any]) -> None:
        """Do so no more."""


class Member:
    """One call of a conference. Its attributes may be set at any time, without a click."""

    def __init__(self, call: Any, on_error: Callable[[MediaError], None]) -> None:
        self.call = call
        """As it was given to `join`."""
        self.muted = False
        """Whether the others are kept from hearing it. The call is not told, and hears on."""
        self.deaf = False
        """Whether it is kept from hearing the others."""
        self._gain, self._factor = 0.0, 1.0
        self._end: Callable[[Any], None] = _stay
        self._seat = Seat(self, call.audio, on_error)

    def __repr__(self) -> str:
        return f"<Member {self.call}>"

    @property
    def gain(self) -> float:
        """How much louder the others hear it, in dB; 0 as it is."""
        return self._gain

    @gain.setter
    def gain(self, decibels: float) -> None:
        if not -100 <= decibels <= 40:
            raise ValueError(f"gain={decibels!r}: must be from -100 to 40 dB")
        self._gain, self._factor = decibels, ratio(decibels)

    @property
    def held(self) -> bool:
        """Whether its peer has put us on hold: then nothing of it is heard, such as music."""
        return bool(self.call.is_on_hold()["remote"])

    @property
    def talking(self) -> bool:
        """Whether it is heard now: not muted, and not silent for 0.3 s."""
        return self._seat.voice.talking

    @property
    def level(self) -> float:
        """How loud the others hear it now, in dBov (:rfc:`6464`): 0 at most, -127 silence."""
        power = self._seat.voice.power
        return max(-127.0, 10 * math.log10(power)) if power > 0 else -127.0

    @property
    def volume(self) -> float:
        """The factor that `gain`, `muted` and `held` come to."""
        return 0.0 if self.muted or self.held else self._factor

    def play(self, source: AudioSource | str | Path) -> Playback:
        """Let this one hear `source`, over the others; in the place of what is being played to it.

        :raises MediaFileError: a file that cannot be played.
        """
        return self._seat.play(source)


class Seat:
    """A member's place in the mix: takes what the call says, and gives it what it hears.

    Audio is never queued here: what a call says in a tick is mixed in that tick, or not at all, and what it is given
    is sent in that tick.
    """

    def __init__(self, member: Member, port: AudioPort, on_error: Callable[[MediaError], None]) -> None:
        self.voice = Voice()
        self._member = member
        self._port = port
        self._ear, self._feed = _Ear(self), _Feed(self)
        self._aside = Outlet(on_error)
        self._said: bytes | None = None
        self._said_rate = self._heard_rate = 0
        self._up: Up | None = None
        self._down: Down | None = None
        self._mixed: bytes | None = None
        self._taken = self._stale = self._deaf = False

    def attach(self) -> None:
        """Listen to the call, and let it listen. InvalidStateError: it is in another conference."""
        if isinstance(self._port.source, _Feed):
            raise InvalidStateError("join", "in another conference")
        self._port.add_sink(self._ear)
        self._port.play(self._feed)

    def detach(self) -> None:
        """Leave the call alone; it hears silence, if nothing else is played to it. Idempotent."""
        self._aside.close()
        self._port.remove_sink(self._ear)
        if self._port.source is self._feed:
            self._port.source = None

    def play(self, source: AudioSource | str | Path) -> Playback:
        """What this one alone hears."""
        return self._aside.play(checked_source(source))

    # --- the mix ------------------------------------------------------------------------------------------

    def collect(self) -> None:
        """What goes into the mix now."""
        if self._stale or self._port.source is None:
            # The call has another codec; or what was played to it in the place of the conference is over.
            self._stale = False
            self._port.play(self._feed)
        voice, rate = self.voice, max(self._said_rate, self._heard_rate)
        if rate != voice.rate:
            self._set_rate(rate)
        said, self._said = self._said, None
        if self._up is not None and (said is not None or self._up.ringing):
            said = pcm_of(self._up(samples_of(said or silence(samples_per_frame(self._said_rate))))).tobytes()
        voice.pcm = said
        voice.volume = self._member.volume
        # What it hears fades out or in once.
        voice.deaf = self._member.deaf and self._deaf
        voice.aside = self._whisper() if rate else None

    def _whisper(self) -> bytes | None:
        aside = self._aside
        if aside.source is None and self.voice.aside is None:
            return None
        pcm = aside.pull()
        return pcm if aside.source is not None or pcm != silence(len(pcm) // SAMPLE_BYTES) else None

    def deliver(self) -> None:
        """What came out of it."""
        mixed, deaf = self.voice.mixed, self._member.deaf
        if deaf is not self._deaf:
            mixed = (fade_out if deaf else fade_in)(mixed, self.voice.rate)
            self._deaf = deaf
        if self._down is not None:
            mixed = pcm_of(self._down(samples_of(mixed))).tobytes()
        self._mixed, self._taken = mixed or None, False

    def _set_rate(self, rate: int) -> None:
        """The higher one of its two codecs' rates."""
        self.voice.rate = rate
        self.voice.forget()
        self._aside.set_rate(rate)
        said, heard = self._said_rate or rate, self._heard_rate or rate
        self._up = Up(rate // said) if said < rate else None
        self._down = Down(rate // heard) if heard < rate else None

    # --- the call -----------------------------------------------------------------------------------------

    def hear(self, pcm: bytes, rate: int) -> None:
        """The call says this in this tick. The last counts: there may be silence before it, for ticks left out."""
        size = samples_per_frame(rate)
        if len(pcm) != size * SAMPLE_BYTES:
            return
        if pcm == silence(size):
            # Says nothing of the rate either: that of a stream that has not begun is a guess.
            self._said = None
            return
        if rate != self._said_rate:
            _check_rate(rate)
            self._said_rate = rate
            self.voice.rate = 0  # decided anew
        self._said = pcm

    def begin(self, rate: int) -> None:
        """The call will hear at this rate."""
        if rate != self._heard_rate:
            _check_rate(rate)
            self._heard_rate = rate
            self.voice.rate = 0

    def take(self, samples: int) -> bytes:
        """What the call hears in this tick, or the end of that; whoever asks twice gets silence."""
        mixed, self._mixed = self._mixed, None
        if mixed is None:
            # Read once per tick, unless it is read at a rate other than its own: it is to be opened again.
            self._stale = self._taken and samples == samples_per_frame(self._heard_rate)
            return silence(samples)
        self._taken = True
        return mixed[-samples * SAMPLE_BYTES :].ljust(samples * SAMPLE_BYTES, b"\0")


class _Ear(AudioSink):
    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def __repr__(self) -> str:
        return "conference"

    def write(self, pcm: bytes, rate: int) -> None:
        self._seat.hear(pcm, rate)


class _Feed(AudioSource):
    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def __repr__(self) -> str:
        return "conference"

    def open(self, rate: int) -> PcmStream:
        self._seat.begin(rate)
        return _FeedStream(self._seat)


class _FeedStream(PcmStream):
    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def read(self, samples: int) -> bytes:
        return self._seat.take(samples)


def _stay(event: object) -> None:
    """Until the conference says what the end of the call means."""


def _check_rate(rate: int) -> None:
    if rate not in RATES:
        raise MediaError(f"a conference cannot mix audio at {rate} Hz")
