"""The network as the hot routes need it: pools, zones and channels, kept close and fresh.

Asked for while it is in use, at most ``FRESH_S`` old; what this worker changes itself it sees at
once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from engine import commands
from engine.commands import Reply
from engine.limits import VIEW_AGE_MS_MAX
from engine.outcome import Outcome
from engine.record import unpack
from gateway.ports import Owners
from gateway.views import FRESH_S

#: Kinds of elements that hot routes look at: lanes, pools, channels, bundles.
_KINDS: Final = "lphb"
Ready = Callable[[Reply | None], None]


class NetworkView:
    """What ``net`` has said of the network."""

    def __init__(self, client: Owners, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._version = 0
        self._read_at = -1.0
        self._asking = False
        self._waiting: list[Ready] = []
        self.pools: dict[str, frozenset[str]] = {}
        self.zones: dict[str, frozenset[str]] = {}  # Nodes that send there.
        self.channels: dict[str, dict[str, Any]] = {}
        self.bundles: dict[str, dict[str, Any]] = {}
        self.version = 0  # Changes with anything above.

    def forget(self) -> None:
        """It has changed: the next question asks anew."""
        self._read_at = -1.0

    def see(self, ready: Ready) -> None:
        """Have it fresh; ``ready`` is called once, perhaps at once, with a refusal or None."""
        if self._loop.time() - self._read_at <= FRESH_S and not self._asking:
            ready(None)
            return
        self._waiting.append(ready)
        if not self._asking:
            self._ask(self._loop.time())

    def _ask(self, began_at: float) -> None:
        self._asking = True
        self._client.submit(
            self._client.net,
            commands.read_network(self._version, _KINDS),
            self._loop.time() + VIEW_AGE_MS_MAX / 1000,
            lambda reply: self._told(reply, began_at),
        )

    def _told(self, reply: Reply, began_at: float) -> None:
        refusal: Reply | None = None
        if reply[0] == Outcome.OK:
            _ok, self._version, elements, latest = reply
            for name, value in elements.items():
                self._take(name[0], name[2:], value)
            self.version += bool(elements)
            if self._version < latest:
                self._ask(began_at)
                return
            self._read_at = began_at
        else:
            refusal = reply
        self._asking = False
        waiting, self._waiting = self._waiting, []
        for ready in waiting:
            ready(refusal)

    def _take(self, kind: str, name: str, value: Any) -> None:
        if kind == "p":
            self.pools[name] = frozenset(value)
        elif kind == "l":
            self.zones[name] = frozenset(unpack(value))
        elif kind == "h":
            self.channels[name] = value
        else:
            self.bundles[name] = value
