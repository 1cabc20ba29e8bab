"""Keys that have lately led to a reservation, to notice one that comes back with another home."""

from typing import Final

from engine.limits import RECENT_KEYS_MAX


class RecentKeys:
    """key → home of at least the last ``RECENT_KEYS_MAX`` keys, of at most twice as many.

    Two generations instead of an order by age: dropping the oldest entry of a dict one by one
    gets slower with each.
    """

    def __init__(self, at_least: int = RECENT_KEYS_MAX) -> None:
        self._generation: Final = at_least
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def remember(self, key: str, home: int) -> None:
        """``key`` has led to a reservation at ``home``."""
        young = self._young
        young[key] = home
        if len(young) >= self._generation:
            self._old = young
            self._young = {}

    def home_of(self, key: str) -> int | None:
        """The home of a key remembered."""
        home = self._young.get(key)
        return self._old.get(key) if home is None else home
