"""How good a call sounds, estimated from what is measured: the E-model of ITU-T G.107.

`rating` is the whole narrowband model. For wideband and fullband codecs the scale is longer (G.107.1: 129, G.107.2:
148); of these models it is the parts for codec, lost packets and delay, all else being 0 by default. Delays are in
ms, losses in percent, levels in dB, as in the recommendations.

Where the numbers come from: the defaults of `Connection` from G.107 (06/2015), table 2; the Ie and Bpl of a codec from
G.113 where it has them, as said beside each. They are planning values: good for comparing calls, not measurements
of one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CODEC_DELAYS",
    "CodecQuality",
    "Connection",
    "Model",
    "burst_ratio",
    "codec_quality",
    "delay_impairment",
    "effective_impairment",
    "estimate",
    "mos",
    "rating",
]

Model = Literal["G.107", "G.107.1", "G.107.2"]
"""The narrowband (300 to 3400 Hz), the wideband (50 to 7000 Hz) and the fullband (20 to 20000 Hz) E-model."""

# Ro: the best rating of the longer scales (G.107.1 and G.107.2, 7.2, with their default noise). A MOS is that of
# R * 100 / Ro (annex A of both), and Idd is so much larger (7.4 of both).
_BEST: dict[Model, float] = {"G.107.1": 129.0, "G.107.2": 148.0}
# What Ie,eff tends to when everything is lost (7.5 of each): wideband has kept the 95 of narrowband.
_WORST: dict[Model, float] = {"G.107": 95.0, "G.107.1": 95.0, "G.107.2": 132.0}

#: Milliseconds that a codec adds to the length of its packet: of G.722 its two filter banks (24 taps each, 23 samples
#: at 16 kHz in all), of Opus the look-ahead (:rfc:`6716`, section 2).
CODEC_DELAYS: Mapping[str, float] = {"pcmu": 0.0, "pcma": 0.0, "g722": 1.5, "opus": 6.5}


# --- the narrowband model ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connection:
    """The parameters of G.107, table 2, under their names there and with their default values."""

    slr: float = 8.0
    """Send loudness rating (dB)."""
    rlr: float = 2.0
    """Receive loudness rating (dB)."""
    stmr: float = 15.0
    """Sidetone masking rating (dB)."""
    ds: float = 3.0
    """D-value of the telephone, send side."""
    dr: float = 3.0
    """D-value of the telephone, receive side."""
    telr: float = 65.0
    """Talker echo loudness rating (dB)."""
    wepl: float = 110.0
    """Weighted echo path loss (dB)."""
    t: float = 0.0
    """Mean one-way delay of the echo path (ms)."""
    tr: float = 0.0
    """Round-trip delay in a 4-wire loop (ms)."""
    ta: float = 0.0
    """Absolute delay in echo-free connections (ms)."""
    qdu: float = 1.0
    """Quantization distortion units."""
    ie: float = 0.0
    """Equipment impairment factor."""
    bpl: float = 4.3
    """Packet-loss robustness factor."""
    ppl: float = 0.0
    """Packet-loss probability (%)."""
    burst_r: float = 1.0
    """Burst ratio: 1 when packets are lost at random."""
    nc: float = -70.0
    """Circuit noise referred to the 0 dBr point (dBm0p)."""
    nfor: float = -64.0
    """Noise floor at the receive side (dBmp)."""
    ps: float = 35.0
    """Room noise at the send side (dB(A))."""
    pr: float = 35.0
    """Room noise at the receive side (dB(A))."""
    a: float = 0.0
    """Advantage factor."""


def rating(connection: Connection) -> float:
    """The transmission rating factor R (G.107, 7.1): 93.2 with all defaults; may be less than 0."""
    c = connection
    noise = _noise(c)
    ro = 15.0 - 1.5 * (c.slr + noise)
    ie_eff = effective_impairment(c.ie, c.bpl, c.ppl, c.burst_r)
    return ro - _simultaneous(c, ro, noise) - _delayed(c, ro, noise) - ie_eff + c.a


def _power(*levels: float) -> float:
    return 10.0 * math.log10(math.fsum(math.pow(10.0, level / 10.0) for level in levels))


def _soft(x: float, n: int) -> float:
    """1 for a small `x`, `x` for a large one, the sharper between them the higher `n`."""
    return math.pow(1.0 + math.pow(x, n), 1.0 / n)


def _noise(c: Connection) -> float:
    """No (7.2): all noise, referred to the 0 dBr point."""
    olr = c.slr + c.rlr
    nos = c.ps - c.slr - c.ds - 100.0 + 0.004 * (c.ps - olr - c.ds - 14.0) ** 2
    pre = c.pr + 10.0 * math.log10(1.0 + math.pow(10.0, (10.0 - (c.stmr + c.dr)) / 10.0))
    nor = c.rlr - 121.0 + pre + 0.008 * (pre - 35.0) ** 2
    return _power(c.nc, nos, nor, c.nfor + c.rlr)


def _simultaneous(c: Connection, ro: float, noise: float) -> float:
    """Is (7.3): what spoils speech while it is spoken."""
    xolr = c.slr + c.rlr + 0.2 * (64.0 + noise - c.rlr)
    iolr = 20.0 * (_soft(xolr / 8.0, 8) - xolr / 8.0)
    q = 37.0 - 15.0 * math.log10(c.qdu)
    g = 1.07 + 0.258 * q + 0.0602 * q * q
    y = (ro - 100.0) / 15.0 + 46.0 / 8.4 - g / 9.0
    z = 46.0 / 30.0 - g / 40.0
    iq = 15.0 * math.log10(1.0 + math.pow(10.0, y) + math.pow(10.0, z))
    return iolr + _sidetone(c) + iq


def _sidetone(c: Connection) -> float:
    """Ist (7.3): sidetone that is not right."""
    echo = math.exp(-c.t / 4.0) * math.pow(10.0, -c.telr / 10.0)
    stmro = -10.0 * math.log10(math.pow(10.0, -c.stmr / 10.0) + echo)
    return (
        12.0 * _soft((stmro - 13.0) / 6.0, 8)
        - 28.0 * _soft((stmro + 1.0) / 19.4, 35)
        - 13.0 * _soft((stmro - 3.0) / 33.0, 13)
        + 29.0
    )


def _delayed(c: Connection, ro: float, noise: float) -> float:
    """Id (7.4): talker echo, listener echo, and too long a delay."""
    idte = 0.0
    if c.t >= 1.0:
        terv = c.telr - 40.0 * math.log10((1.0 + c.t / 10.0) / (1.0 + c.t / 150.0))
        terv += 6.0 * math.exp(-0.3 * c.t * c.t)
        if c.stmr < 9.0:
            terv += _sidetone(c) / 2.0
        off = -1.5 * (noise - c.rlr) - (80.0 + 2.5 * (terv - 14.0))
        idte = (off / 2.0 + math.sqrt(off * off / 4.0 + 100.0) - 1.0) * (1.0 - math.exp(-c.t))
        if c.stmr > 20.0:
            idte = math.hypot(idte, _sidetone(c))
    off = ro - 10.5 * (c.wepl + 7.0) / math.pow(c.tr + 1.0, 0.25)
    idle = off / 2.0 + math.sqrt(off * off / 4.0 + 169.0)
    return idte + idle + delay_impairment(c.ta)


# --- what is common to all three models -------------------------------------------------------------------


def delay_impairment(ta: float) -> float:
    """Idd (G.107, 7.4): what an absolute delay of `ta` ms costs, echo apart; nothing up to 100 ms.

    On the scale of G.107. On those of G.107.1 and G.107.2 it is 1.29 and 1.48 times as much.
    """
    if ta <= 100.0:
        return 0.0
    x = math.log2(ta / 100.0)
    return 25.0 * (_soft(x, 6) - 3.0 * _soft(x / 3.0, 6) + 2.0)


def effective_impairment(
    ie: float, bpl: float, ppl: float, burst_r: float = 1.0, *, worst: float = 95.0
) -> float:
    """Ie,eff (G.107, 7.5): a codec that loses `ppl` percent of its packets."""
    return ie + (worst - ie) * ppl / (ppl / burst_r + bpl) if ppl > 0.0 else ie


def mos(r: float) -> float:
    """The mean opinion score, 1 to 4.5, for a rating on the scale that ends at 100 (G.107, annex B)."""
    if r <= 0.0:
        return 1.0
    if r >= 100.0:
        return 4.5
    # Between 0 and 6.5 the curve goes a little below 1.
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)


def burst_ratio(lost: int, bursts: int, expected: int) -> float:
    """How much longer runs of lost packets are than they were if the same share was lost at random (G.107, 3.2.3).

    1 to 8, for which the formula of Ie,eff holds; 1 when nothing was lost.
    """
    if not 0 < bursts <= lost or lost >= expected:
        return 1.0
    return min(8.0, max(1.0, lost / bursts * (1.0 - lost / expected)))


# --- codecs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CodecQuality:
    """What the E-model knows of a codec: which model it is of, Ie and Bpl."""

    model: Model
    ie: float
    bpl: float


# G.113, tables I.1 and I.2: G.711 with packet-loss concealment (G.711, appendix I; ours is of its kind), random loss.
# Without concealment it is 4.3.
_G711 = CodecQuality("G.107", 0.0, 25.1)
# G.113, table IV.1: G.722 at 64 kbit/s. It has no Bpl for G.722: this is the default of G.107.1, and what table IV.4
# has for another wideband codec (AMR-WB: 4.3 to 4.9).
_G722 = CodecQuality("G.107.1", 13.0, 4.3)

# G.113 has nothing on Opus. Alahmadi, Pocta, Melvin: An Adaptive Bitrate Switching Algorithm for Speech Applications in
# Context of WebRTC, ACM TOMM 17 (4), 2021 (doi:10.1145/3458751), and the authors' tables of Opus_emodel.js: Ie and Bpl
# (random loss) with variable bit rate, by kbit/s, in each audio bandwidth, rounded.
_Table = tuple[tuple[float, float, float], ...]
_OPUS_NARROW: _Table = ((6, 23.00, 24.56), (7, 21.26, 22.46), (8, 16.02, 20.26), (9, 11.74, 18.91))
_OPUS_WIDE: _Table = ((11, 28.41, 23.94), (12, 23.30, 22.22), (13, 19.96, 19.50))
_OPUS_SUPERWIDE: _Table = (
    (14, 38.06, 16.51),
    (15, 34.12, 15.00),
    (16, 30.16, 11.83),
    (19, 23.81, 10.67),
    (22, 20.22, 10.47),
    (25, 20.21, 11.28),
    (28, 18.48, 10.63),
    (31, 16.83, 10.44),
    (34, 14.76, 10.12),
    (37, 12.08, 10.38),
    (40, 10.67, 9.79),
)


def codec_quality(name: str, bitrate: float | None = None, sample_rate: int = 48000) -> CodecQuality | None:
    """What is known of a codec, by its name in rtpmap; None: nothing.

    `bitrate` (bit/s) and `sample_rate` (Hz) are the most that Opus may have; None: more than makes a difference.
    """
    name = name.lower()
    if name in ("pcmu", "pcma"):
        return _G711
    if name == "g722":
        return _G722
    return _opus(math.inf if bitrate is None else bitrate / 1000.0, sample_rate) if name == "opus" else None


def _opus(kbps: float, sample_rate: int) -> CodecQuality:
    if sample_rate <= 12000 or kbps < _OPUS_WIDE[0][0]:
        return CodecQuality("G.107", *_between(_OPUS_NARROW, kbps))
    if sample_rate <= 16000 or kbps < _OPUS_SUPERWIDE[0][0]:
        return CodecQuality("G.107.1", *_between(_OPUS_WIDE, kbps))
    return CodecQuality("G.107.2", *_between(_OPUS_SUPERWIDE, kbps))


def _between(table: _Table, kbps: float) -> tuple[float, float]:
    """Interpolated; beyond the ends of the table, its ends."""
    index = bisect_left(table, kbps, key=lambda row: row[0])
    if index == 0:
        return table[0][1:]
    if index == len(table):
        return table[-1][1:]
    (low, ie_low, bpl_low), (high, ie_high, bpl_high) = table[index - 1 : index + 1]
    share = (kbps - low) / (high - low)
    return ie_low + share * (ie_high - ie_low), bpl_low + share * (bpl_high - bpl_low)


def estimate(codec: CodecQuality, *, delay: float, loss: float, burst: float = 1.0) -> tuple[float, float]:
    """R and MOS of a call without echo: `delay` is mouth to ear in ms, `loss` in percent of the packets.

    R is on the scale of the codec's model, the MOS is that of listeners who know nothing better than its bandwidth.
    """
    if codec.model == "G.107":
        r = rating(Connection(ta=delay, ie=codec.ie, bpl=codec.bpl, ppl=loss, burst_r=burst))
        return r, mos(r)
    best, worst = _BEST[codec.model], _WORST[codec.model]
    r = best - delay_impairment(delay) * best / 100.0
    r -= effective_impairment(codec.ie, codec.bpl, loss, burst, worst=worst)
    return r, mos(r * 100.0 / best)
