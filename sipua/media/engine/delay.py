"""How long packets have to be waited for, by how they have come so far. Pure: the time is an argument (s)."""

from __future__ import annotations

__all__ = ["DelayEstimator"]

_BIN = 0.005
# Each packet weighs this much more than the one before it: a memory of about 100 packets.
_GROWTH = 1.01
_HEAVY = 1e100
# Of all packets this share may come too late.
_LATE_SHARE = 0.03
# A stream begins as if so many packets had come in time, until a second one is late: one is no share yet.
_TRUST = 34.0
_REFRESH = 5
_BASE_WINDOW = 2.0


class DelayEstimator:
    """How much later than the fastest packets do packets come, and which delay is enough for nearly all.

    The transit of a packet is its arrival minus its timestamp, both in seconds; only differences mean anything.
    The fastest transit of the last two to four seconds is the base, so that it follows the drift of the
    sender's clock and changes of the path. `target` is the delay above the base that 97 % of recent packets
    would have met, between `min_delay` and `max_delay`.
    """

    __slots__ = (
        "_bins",
        "_count",
        "_current",
        "_last",
        "_previous",
        "_reserve",
        "_reserved_until",
        "_since",
        "_surprises",
        "_total",
        "_trust",
        "_weight",
        "base",
        "jitter",
        "max_delay",
        "min_delay",
        "target",
    )

    def __init__(self, min_delay: float, max_delay: float) -> None:
        self.min_delay = min_delay
        self.max_delay = max(max_delay, min_delay)
        self.reset()

    def reset(self) -> None:
        """Another stream, of which nothing is known."""
        self._bins = [0.0] * (int(self.max_delay / _BIN) + 1)
        self._weight = 1.0
        self._bins[0] = self._total = self._trust = _TRUST
        self._count = self._surprises = 0
        self._reserve = 0.0
        self._reserved_until = 0.0
        self.target = self.min_delay
        self.jitter = 0.0
        self._last: float | None = None
        self.base = 0.0
        self._previous = self._current = float("inf")
        self._since = 0.0

    def rebase(self) -> None:
        """The timestamps go on from elsewhere; how regularly packets come has not changed."""
        self._last = None

    def arrived(self, transit: float, now: float) -> None:
        """A packet with this transit (s)."""
        last = self._last
        self._last = transit
        if last is None:
            self._previous = self._current = self.base = transit
            self._since = now
            return
        # RFC 3550 6.4.1
        self.jitter += (abs(transit - last) - self.jitter) / 16
        if transit < self._current:
            self._current = transit
            if transit < self.base:
                self.base = transit
        if now - self._since > _BASE_WINDOW or now < self._since:
            self._turn(transit, now)
        bins = self._bins
        place = int((transit - self.base) / _BIN)
        weight = self._weight = self._weight * _GROWTH
        bins[place if place < len(bins) else -1] += weight
        self._total += weight
        self._count += 1
        # The one that is late counts at once.
        late = place * _BIN > self.target
        if late and self._trust:
            self._doubt()
        if self._count >= _REFRESH or late:
            if self._reserve and now > self._reserved_until:
                self._reserve = 0.0
            self._aim()

    def _doubt(self) -> None:
        self._surprises += 1
        if self._surprises > 1:
            self._bins[0] -= self._trust
            self._total -= self._trust
            self._trust = 0.0

    def reserve(self, seconds: float, until: float) -> None:
        """Aim at so much more delay than arrivals ask for, for a while."""
        self._reserve = seconds
        self._reserved_until = until

    def _turn(self, transit: float, now: float) -> None:
        self._previous, self._current = self._current, transit
        self.base = min(self._previous, transit)
        self._since = now

    def _aim(self) -> None:
        """The smallest delay that only `_LATE_SHARE` of packets exceed."""
        self._count = 0
        allowed = self._total * _LATE_SHARE
        beyond = 0.0
        place = len(self._bins)
        for weight in reversed(self._bins):
            beyond += weight
            if beyond > allowed:
                break
            place -= 1
        self.target = min(max(place * _BIN, self.min_delay) + self._reserve, self.max_delay)
        if self._weight > _HEAVY:
            self._bins = [weight / _HEAVY for weight in self._bins]
            self._total /= _HEAVY
            self._trust /= _HEAVY
            self._weight /= _HEAVY
