"""Call-progress tones by country: what a caller hears while a call is made, rings, or comes to nothing.

Frequencies and cadences are those that administrations have published for ITU-T E.180 (Supplement 2, "Various tones
used in national networks"); ``eu`` is what CEPT T/CS 20-15 recommends, for countries that are not in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from sipua.errors import ConfigurationError
from sipua.media.interface import AudioSource, PcmStream

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COUNTRIES", "Burst", "ProgressTone", "ProgressToneName", "cadence"]

ProgressToneName: TypeAlias = Literal[
    "dial", "ringback", "busy", "congestion", "waiting", "special_information"
]


class Burst(NamedTuple):
    """A part of a cadence: frequencies that sound together (none: a pause), and for how long."""

    frequencies: tuple[float, ...]
    seconds: float | None
    """None: for ever."""
    modulation: float = 0.0
    """Hz at which its loudness goes up and down; 0 for a steady tone."""


def _bursts(text: str) -> tuple[Burst, ...]:
    """``440+480/2 -/4``: frequencies in Hz (``400*25``: modulated) and seconds, one after the other."""
    made = []
    for part in text.split():
        tone, _, seconds = part.partition("/")
        carrier, _, modulation = tone.partition("*")
        frequencies = () if tone == "-" else tuple(float(f) for f in carrier.split("+"))
        made.append(Burst(frequencies, float(seconds) if seconds else None, float(modulation or 0)))
    return tuple(made)


# E.180 section 12: three tones of 330 ms, then a pause of a second.
_SPECIAL = "950/0.33 1400/0.33 1800/0.33 -/1"
_UK_RING = "400+450/0.4 -/0.2 400+450/0.4 -/2"

# dial, ringback, busy, congestion, waiting, special information
_TABLE: Mapping[str, tuple[str, str, str, str, str, str]] = {
    "eu": ("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.2 -/0.2", "425/0.2 -/0.6 425/0.2 -/3", _SPECIAL),
    "at": (
        "420",
        "420/1 -/5",
        "420/0.4 -/0.4",
        "420/0.2 -/0.2",
        "420/0.04 -/1.95",
        "950/0.33 1450/0.33 1850/0.33 -/1",
    ),
    "au": (
        "413+438",
        "413+438/0.4 -/0.2 413+438/0.4 -/2",
        "425/0.375 -/0.375",
        "425/0.375 -/0.375 420/0.375 -/0.375",
        "425/0.2 -/0.2 425/0.2 -/4.4",
        "425/2.5 -/0.5",
    ),
    "be": (
        "425",
        "425/1 -/3",
        "425/0.5 -/0.5",
        "425/0.167 -/0.167",
        "1400/0.175 -/0.175 1400/0.175 -/3.5",
        "900/0.33 1400/0.33 1800/0.33 -/1",
    ),
    "br": (
        "425",
        "425/1 -/4",
        "425/0.25 -/0.25",
        "425/0.25 -/0.25 425/0.75 -/0.25",
        "425/0.05 -/1",
        _SPECIAL,
    ),
    "ch": ("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.2 -/0.2", "425/0.2 -/0.2 425/0.2 -/4", _SPECIAL),
    "cn": (
        "450",
        "450/1 -/4",
        "450/0.35 -/0.35",
        "450/0.7 -/0.7",
        "450/0.4 -/4",
        "450/0.1 -/0.1 450/0.1 -/0.1 450/0.1 -/0.1 450/0.4 -/0.4",
    ),
    "de": ("425", "425/1 -/4", "425/0.48 -/0.48", "425/0.24 -/0.24", "425/0.2 -/0.2 425/0.2 -/5", _SPECIAL),
    "es": (
        "425",
        "425/1.5 -/3",
        "425/0.2 -/0.2",
        "425/0.2 -/0.2 425/0.2 -/0.2 425/0.2 -/0.6",
        "425/0.175 -/0.175 425/0.175 -/3.5",
        _SPECIAL,
    ),
    "fr": ("440", "440/1.5 -/3.5", "440/0.5 -/0.5", "440/0.25 -/0.25", "440/0.3 -/10", _SPECIAL),
    "gb": (
        "350+440",
        _UK_RING,
        "400/0.375 -/0.375",
        "400/0.4 -/0.35 400/0.225 -/0.525",
        "400/0.1 -/4",
        _SPECIAL,
    ),
    "in": (
        "400*25",
        "400*25/0.4 -/0.2 400*25/0.4 -/2",
        "400/0.75 -/0.75",
        "400/0.25 -/0.25",
        "400/0.2 -/0.1 400/0.2 -/7.5",
        _SPECIAL,
    ),
    "it": (
        "425/0.2 -/0.2 425/0.6 -/1",
        "425/1 -/4",
        "425/0.5 -/0.5",
        "425/0.2 -/0.2",
        "425/0.4 -/0.1 425/0.25 -/0.1 425/0.15 -/14",
        _SPECIAL,
    ),
    "jp": ("400", "400*16/1 -/2", "400/0.5 -/0.5", "400/0.5 -/0.5", "400*16/0.5 -/8", _SPECIAL),
    "nl": ("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.25 -/0.25", "425/0.5 -/9.5", _SPECIAL),
    "nz": (
        "400",
        _UK_RING,
        "400/0.5 -/0.5",
        "400/0.25 -/0.25",
        "400/0.2 -/3 400/0.2 -/3 400/0.2 -/3 400/0.2",
        "400/0.75 -/0.1 400/0.75 -/0.1 400/0.75 -/0.1 400/0.75 -/0.4",
    ),
    "pl": ("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.5 -/0.5", "425/0.15 -/0.15 425/0.15 -/4", _SPECIAL),
    "se": ("425", "425/1 -/5", "425/0.25 -/0.25", "425/0.25 -/0.75", "425/0.2 -/0.5 425/0.2", _SPECIAL),
    "us": (
        "350+440",
        "440+480/2 -/4",
        "480+620/0.5 -/0.5",
        "480+620/0.25 -/0.25",
        "440/0.3 -/10",
        _SPECIAL,
    ),
}
_ALIASES = {"uk": "gb", "ca": "us"}

#: Country codes (ISO 3166, small letters), with ``uk`` for ``gb``, and ``eu`` for where no other fits.
COUNTRIES: tuple[str, ...] = tuple(sorted({*_TABLE, *_ALIASES}))


def cadence(name: str, country: str) -> tuple[Burst, ...]:
    """The bursts that a tone repeats. Raises ConfigurationError for names that are not in the table."""
    names = get_args(ProgressToneName)
    if name not in names:
        raise ConfigurationError("name", name, f"must be one of {', '.join(names)}")
    code = country.lower()
    row = _TABLE.get(_ALIASES.get(code, code))
    if row is None:
        raise ConfigurationError("country", country, f"must be one of {', '.join(COUNTRIES)}")
    return _bursts(row[names.index(name)])


class ProgressTone(AudioSource):
    """A call-progress tone: ``dial``, ``ringback``, ``busy``, ``congestion``, ``waiting`` or ``special_information``.

    `country` is one of `COUNTRIES`. It is repeated for `seconds`, or (None) for ever; `level` is that of the sounding
    parts in dBov, by default a comfortable one.
    """

    def __init__(
        self,
        name: ProgressToneName,
        country: str = "eu",
        *,
        level: float = -16.0,
        seconds: float | None = None,
    ) -> None:
        self.cadence = cadence(name, country)
        if not level <= 0:
            raise ConfigurationError("level", level, "must be at most 0 dB")
        if seconds is not None and not seconds > 0:
            raise ConfigurationError("seconds", seconds, "must be above 0, or None for ever")
        self.name = name
        self.country = country
        self.level = level
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"ProgressTone({self.name!r}, {self.country!r})"

    def open(self, rate: int) -> PcmStream:
        """A stream from the beginning of the cadence."""
        return _CadenceStream(self, rate)


class _CadenceStream(PcmStream):
    def __init__(self, tone: ProgressTone, rate: int) -> None:
        self._tone = tone
        self._rate = rate
        self._position = 0
        # Where each burst begins, in samples: rounded in one place, so that it does not drift.
        self._edges = [0]
        end = 0.0
        for burst in tone.cadence:
            end += burst.seconds if burst.seconds is not None else 1.0
            self._edges.append(round(end * rate))
        self._steady = tone.cadence[0].seconds is None
        self._end = None if tone.seconds is None else round(tone.seconds * rate)

    def read(self, samples: int) -> bytes:
        if self._end is not None:
            samples = max(0, min(samples, self._end - self._position))
        parts = []
        while samples > 0:
            part = self._part(samples)
            parts.append(part)
            samples -= len(part) // 2
        return b"".join(parts)

    def _part(self, samples: int) -> bytes:
        """Up to the end of the present burst."""
        position = self._position
        if self._steady:
            self._position += samples
            return _wave(self._tone.cadence[0], position, samples, self._rate, self._tone.level, None)
        inside = position % self._edges[-1]
        index = next(i for i in range(len(self._edges) - 1) if inside < self._edges[i + 1])
        begin, end = self._edges[index], self._edges[index + 1]
        samples = min(samples, end - inside)
        self._position += samples
        burst = self._tone.cadence[index]
        return _wave(burst, inside - begin, samples, self._rate, self._tone.level, end - begin)


# Seconds in which a burst comes and goes.
_EDGE = 0.005


def _wave(burst: Burst, begin: int, samples: int, rate: int, level: float, length: int | None) -> bytes:
    import numpy as np

    if not burst.frequencies:
        return bytes(2 * samples)
    place = np.arange(begin, begin + samples)
    time = place / rate
    wave = sum((np.sin(2 * np.pi * f * time) for f in burst.frequencies), np.zeros(samples))
    if burst.modulation:
        wave *= (1 + 0.6 * np.sin(2 * np.pi * burst.modulation * time)) / np.sqrt(1.18)
    edge = _EDGE * rate
    rising = np.clip((place + 1) / edge, 0, 1)
    falling = np.clip((length - place) / edge, 0, 1) if length is not None else np.ones(samples)
    ramp = np.sin(np.pi / 2 * np.minimum(rising, falling)) ** 2
    amplitude = 32767 * 10 ** (level / 20) * np.sqrt(2 / len(burst.frequencies))
    return bytes(np.clip(amplitude * ramp * wave, -32768, 32767).astype("<i2"))
