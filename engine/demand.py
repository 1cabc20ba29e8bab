"""What a request asks for beyond its lines, as far as it decides which units may serve it."""

from typing import Final, NamedTuple

from engine.record import CHANNEL, PARTIAL, Extra


class Demand(NamedTuple):
    """Who asks, and how."""

    channel: str | None = None
    partial: bool = False  # As much as there is will do.


#: A request without anything rare.
PLAIN: Final = Demand()


def demand_of(extra: Extra | None) -> Demand:
    """The demand of a request's rarer members."""
    if not extra:
        return PLAIN
    return Demand(extra.get(CHANNEL), bool(extra.get(PARTIAL)))
