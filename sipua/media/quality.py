"""How a call sounds, from what was counted of it: the inputs of the E-model, and what it makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipua.media import emodel

if TYPE_CHECKING:
    from sipua.media.statistics import ReceivedStats

__all__ = ["Quality", "losses"]


@dataclass(frozen=True, slots=True)
class Quality:
    """How the call sounds, estimated by the E-model, and what that comes from."""

    r_factor: float
    """The transmission rating: 93.2 at best with a narrowband codec, 129 wideband, 148 fullband."""
    mos: float
    """1 (bad) to 4.5 (excellent), among calls of the same bandwidth."""
    model: emodel.Model
    """The recommendation: ``G.107`` narrowband, ``G.107.1`` wideband, ``G.107.2`` fullband."""
    delay: float
    """From mouth to ear: packet, codec, half of the round trip, jitter buffer."""
    loss: float
    """Share of the packets that could not be played, 0 to 1."""
    burst_ratio: float
    """1: lost at random; more: one after the other."""
    ie: float
    """Equipment impairment factor of the codec (G.113)."""
    bpl: float
    """Packet-loss robustness factor of the codec (G.113)."""

    @classmethod
    def estimate(
        cls, codec: emodel.CodecQuality, *, delay: float, loss: float, burst_ratio: float = 1.0
    ) -> Quality:
        """Of a call with this codec; the rest as in the fields."""
        r, mos = emodel.estimate(codec, delay=1000.0 * delay, loss=100.0 * loss, burst=burst_ratio)
        return cls(r, mos, codec.model, delay, loss, burst_ratio, codec.ie, codec.bpl)


def losses(now: ReceivedStats, earlier: ReceivedStats | None = None) -> tuple[float, float]:
    """The share of packets that could not be played since `earlier`, and their burst ratio.

    While nobody listens, nothing is played: then it is those that never came.
    """
    due, missing, bursts = now.due, now.missing, now.bursts
    lost, packets = now.lost, now.packets
    if earlier is not None:
        due, missing, bursts = due - earlier.due, missing - earlier.missing, bursts - earlier.bursts
        lost, packets = lost - earlier.lost, packets - earlier.packets
    if due > 0:
        missing = min(due, max(0, missing))
        return missing / due, emodel.burst_ratio(missing, bursts, due)
    lost = max(0, lost)
    return (lost / (lost + packets) if lost + packets > 0 else 0.0), 1.0
