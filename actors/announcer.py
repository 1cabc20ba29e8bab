"""Has a host's owners tell what channels may sell; see ``engine.announcing``."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from engine import changes
from engine.announcing import channels_of
from engine.commands import Reply, shares
from engine.outcome import Outcome, but_for_copies

if TYPE_CHECKING:
    import asyncio

    from actors.host import HostCore
    from actors.owner import ShardOwner

_EVERY_S: Final = 1.0
#: Figures (of a SKU and channel) looked at for one command: some milliseconds.
_FIGURES_MAX: Final = 500


@dataclass(slots=True)
class _Reader:
    """How far one owner has told; all anew where the network is another."""

    place: changes.Place | None = None
    network: int = -1
    next_at: float = 0.0
    busy: bool = False


class Announcer:
    """Goes on telling, a portion at a time; a SKU that has changed is told of once a second."""

    def __init__(self, host: "HostCore") -> None:
        self._host = host
        self._readers: WeakKeyDictionary[ShardOwner, _Reader] = WeakKeyDictionary()

    def tell(self, owner: "ShardOwner") -> None:
        """The next portion, if it is time for it and some channel is to be told of."""
        channels = channels_of(owner.ledger)
        if not channels or owner.right.shard == self._host.shards:
            return
        reader = self._readers.setdefault(owner, _Reader())
        if reader.busy or time.monotonic() < reader.next_at:
            return
        if reader.network != owner.ledger.network:
            reader.place, reader.network = None, owner.ledger.network
        reader.busy = True
        command = shares.announce(reader.place, max(1, _FIGURES_MAX // len(channels)))

        def told(done: "asyncio.Future[Reply]") -> None:
            _told(reader, but_for_copies(done.result()))

        self._host.ask(owner.right.shard, command).add_done_callback(told)


def _told(reader: _Reader, reply: Reply) -> None:
    reader.busy = False
    more = False
    if reply[0] == Outcome.OK:
        reader.place = reply[1]
        more = bool(reply[1][2])  # It names a SKU: there are others behind it.
    elif reply[0] == Outcome.GAP:
        reader.place = None
    reader.next_at = 0.0 if more else time.monotonic() + _EVERY_S
