"""How long packets have to be waited for, by how they have come so far. Pure: the time is an argument (s)."""

from __future__ import annotations

__all__ = ["DelayEstimator"]

_BIN = 0.005
# So much more than what is asked for: as much as a playout may be short of the target, but for a trifle.
_MARGIN = 0.004
# Each packet weighs this much more than the one before it: a memory of about 200 packets.
_GROWTH = 1 + 1 / 200
_HEAVY = 1e100
# One packet in a hundred that comes too late is as bad as 60 ms more delay: so many seconds for all of them.
_PRICE = 6.0
# A change may be heard: so many seconds are to be gained by a longer delay, and by a shorter one. The price of a
# single late packet, 30 ms, is not enough for a longer one.
_LONGER, _SHORTER = 0.025, 0.002
# A stream begins as if so many packets had come in time.
_TRUST = 200.0
_REFRESH = 5
_BASE_WINDOW = 2.0


class DelayEstimator:
    """How much later than the fastest packets do packets come, and which delay is worth its while.

    The transit of a packet is its arrival minus its timestamp, both in seconds; only differences mean anything.
    The fastest transit of the last two to four seconds is the base, so that it follows the drift of the
    sender's clock and changes of the path. `target` is the delay above the base where waiting longer would cost
    more than it saves of late packets, by how recent packets have come; it is between `min_delay` and `max_delay`.
    What many packets need is waited for, and what comes again every few seconds; a single late packet is not.
    """

    __slots__ = (
        "_bins",
        "_count",
        "_current",
        "_last",
        "_place",
        "_previous",
        "_reserve",
        "_reserved_until",
        "_since",
        "_total",
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
        self._bins[0] = self._total = _TRUST
        self._count = 0
        # The delay is enough for so many bins.
        self._place = 1
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
        if self._count >= _REFRESH or place >= self._place:
            if self._reserve and now > self._reserved_until:
                self._reserve = 0.0
            self._aim()

    def reserve(self, seconds: float, until: float) -> None:
        """Aim at so much more delay than arrivals ask for, for a while."""
        self._reserve = seconds
        self._reserved_until = until

    def _turn(self, transit: float, now: float) -> None:
        self._previous, self._current = self._current, transit
        self.base = min(self._previous, transit)
        self._since = now

    def _aim(self) -> None:
        """Weigh delay against late packets, both counted in seconds."""
        self._count = 0
        price = _PRICE / self._total
        beyond = self._total
        best = present = float("inf")
        chosen = 1
        for place, weight in enumerate(self._bins, 1):
            beyond -= weight
            late = beyond * price
            cost = place * _BIN + late
            if cost < best:
                best, chosen = cost, place
            if place == self._place:
                present = cost
            if late < _BIN and place >= self._place:
                # From here on more delay costs more than all that it could save.
                break
        if present - best > (_LONGER if chosen > self._place else _SHORTER):
            self._place = chosen
        self.target = min(max(self._place * _BIN + _MARGIN, self.min_delay) + self._reserve, self.max_delay)
        if self._weight > _HEAVY:
            self._bins = [weight / _HEAVY for weight in self._bins]
            self._total /= _HEAVY
            self._weight /= _HEAVY
