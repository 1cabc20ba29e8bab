"""A reservation as asked for, after its shape was checked: what a coordinator works from."""

from msgspec import Struct, structs

from engine.record import LIMITS, Extra, Line
from engine.totals import Limits


class Reserve(Struct, frozen=True, gc=False):
    """One request to hold units.

    ``lines`` are ``[sku, node or None, units]``, one for each (sku, node), in order of first
    appearance. ``extra`` has the keys of ``record``; what has its default is left out.
    """

    key: str
    digest: bytes
    lines: list[Line]
    hold_ms: int
    extra: Extra | None
    partial: bool
    #: The deciding shard, where it is not that of the smallest SKU.
    home: int | None = None

    def under(self, limits: Limits) -> "Reserve":
        """The same request, counted under limits over several SKUs too; see ``totals``."""
        extra = self.extra or {}
        known = {**extra.get(LIMITS, {}), **limits}
        return structs.replace(self, extra={**extra, LIMITS: known})
