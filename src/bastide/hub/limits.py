"""How often somebody may do something.

In: a key and the time. Out: whether it may now. Holds: bounded: the least used keys are forgotten first, and a
forgotten key begins with a full allowance.
"""

from __future__ import annotations

from collections import OrderedDict


class Limiter:
    """An allowance of `burst`, refilled by `rate` a second, for each key."""

    def __init__(self, *, rate: float, burst: float, keys: int = 10_000) -> None:
        self._rate, self._burst, self._keys = rate, burst, keys
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float, cost: float = 1.0) -> bool:
        """Spend; False, and nothing is spent, when there is not enough left."""
        left = self.left(key, now)
        allowed = left >= cost
        self._left[key] = (left - cost if allowed else left, now)
        self._left.move_to_end(key)
        if len(self._left) > self._keys:
            self._left.popitem(last=False)
        return allowed

    def left(self, key: str, now: float) -> float:
        """What there is to spend."""
        left, since = self._left.get(key, (self._burst, now))
        return min(self._burst, left + max(0.0, now - since) * self._rate)
