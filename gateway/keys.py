"""Keys that have lately led to a reservation, to notice one that comes back with another home."""

import time
from collections.abc import Callable
from typing import Final

from engine.limits import HOLD_SECONDS_MAX, RECENT_KEYS_MAX

#: No key is free again sooner after it has led to a reservation: no window is shorter.
KNOWN_S: Final = HOLD_SECONDS_MAX


class RecentKeys:
    """key → home of at least the last ``RECENT_KEYS_MAX`` keys, of at most twice as many.

    Two generations instead of an order by age: dropping the oldest entry of a dict one by one
    gets slower with each. A generation that is as old as a key may be free again says nothing.
    """

    def __init__(
        self, at_least: int = RECENT_KEYS_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._generation: Final = at_least
        self._clock = clock
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._young_since = self._old_since = clock()

    def remember(self, key: str, home: int) -> None:
        """``key`` has led to a reservation at ``home``."""
        now = self._clock()
        if len(self._young) >= self._generation or now - self._young_since > KNOWN_S / 2:
            self._old, self._old_since = self._young, self._young_since
            self._young, self._young_since = {}, now
        self._young[key] = home

    def home_of(self, key: str) -> int | None:
        """The home of a key remembered."""
        home, since = self._young.get(key), self._young_since
        if home is None:
            home, since = self._old.get(key), self._old_since
        return home if home is not None and self._clock() - since < KNOWN_S else None
