"""Random commands of every kind, the same for the same seed."""

import random
from collections.abc import Callable
from typing import Any, Final

from engine import commands
from engine.commands import Command
from engine.record import CHANNEL
from tests.builders import (
    NOW_MS,
    WAREHOUSE,
    adjust,
    count,
    founding,
    fulfil,
    reserve,
    reserve_partly,
)

SKUS: Final = ("A", "B", "C")
NODES: Final = ("w1", "w2", "w3")
HOUR_MS: Final = 3_600_000


class Script:
    """Random commands of every kind, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.keys: list[str] = []
        self.asked: list[Command] = []
        self.now_ms = NOW_MS
        self.made = 0
        self.steps: list[Callable[[], Command]] = [
            self.reserve, self.reserve, self.reserve, self.partly, self.again, self.verb, self.verb,
            self.verb, self.ship, self.adjust, self.count, self.piece, self.piece, self.sweep,
            self.tidy, self.place, self.define, self.read, self.seal,
        ]  # fmt: skip

    def batches(self, count: int) -> list[tuple[int, list[Command]]]:
        """(now, commands) of so many batches."""
        made: list[tuple[int, list[Command]]] = [(self.now_ms, _founding())]
        for _ in range(count):
            self.now_ms += self.random.choice((0, 1, 250, 4_000, 300_000, 3 * HOUR_MS))
            size = self.random.choice((1, 1, 2, 8))
            made.append((self.now_ms, [self.random.choice(self.steps)() for _ in range(size)]))
        return made

    def new(self) -> str:
        """A key that is remembered."""
        self.made += 1
        self.keys.append(f"k{self.made}")
        return self.keys[-1]

    def known(self) -> str:
        """One of the last keys, or one that never was."""
        return self.random.choice([*self.keys[-12:], "never"])

    def line(self) -> tuple[Any, ...]:
        """Units of a SKU, at some node or anywhere."""
        sku, units = self.random.choice((*SKUS, *SKUS, "unknown")), self.random.randint(1, 6)
        node = self.random.choice((*NODES, None, None, None))
        return (sku, units) if node is None else (sku, units, node)

    def lines(self) -> list[tuple[Any, ...]]:
        """One line for each (sku, node)."""
        drawn = [self.line() for _ in range(self.random.choice((1, 1, 2, 3)))]
        return list({(line[0], *line[2:]): line for line in drawn}.values())

    def reserve(self) -> Command:
        """Of a channel or of none."""
        extra = {CHANNEL: "live"} if self.random.random() < 0.3 else {}
        hold_ms = self.random.choice((1, 500, 60_000, 4 * HOUR_MS))
        made = reserve(self.new(), *self.lines(), hold_ms=hold_ms, **extra)
        self.asked.append(made)
        return made

    def partly(self) -> Command:
        """What there is."""
        return reserve_partly(self.new(), *self.lines())

    def again(self) -> Command:
        """The same request, or a key that was used with whatever body."""
        if self.asked and self.random.random() < 0.6:
            return self.random.choice(self.asked[-12:])
        return reserve(self.known(), *self.lines())

    def verb(self) -> Command:
        """Confirm, release, extend or cancel."""
        key = self.known()
        kind = self.random.choice(("confirm", "confirm", "release", "extend", "cancel"))
        if kind == "extend":
            return commands.extend(key, 60_000)
        made: Command = getattr(commands, kind)(key)
        return made

    def ship(self) -> Command:
        """All that is left, or a line of it."""
        parcel = f"parcel-{self.random.randint(1, 2)}"
        if self.random.random() < 0.5:
            return fulfil(self.known(), parcel)
        row = (self.random.choice(SKUS), self.random.choice(NODES), self.random.randint(1, 2))
        return fulfil(self.known(), parcel, row)

    def adjust(self) -> Command:
        """Units that came or went, and safety stock."""
        safety = self.random.choice((None, None, 2))
        row = (self.random.choice(SKUS), self.random.choice(NODES), self.random.choice((-3, 4, 9)))
        return adjust((*row, None, safety), reference=f"po-{self.random.randint(1, 40)}")

    def count(self) -> Command:
        """What somebody has counted: less than was promised, at times."""
        return count(self.random.choice(SKUS), self.random.randint(0, 12),
                     self.random.choice(NODES))  # fmt: skip

    def piece(self) -> Command:
        """A part of a reservation whose home is elsewhere."""
        key = f"00f.p{self.random.randint(1, 4)}"
        nonce = bytes([self.random.randint(200, 202)]) * 16
        status = self.random.choice((0, 1, 2, 3, 4, 5))
        drawn = [line for line in self.lines() if line[0] != "unknown"] or [("A", 1)]
        lines = [[sku, node[0] if node else None, units] for sku, units, *node in drawn]
        lost = [["A", None, 2, self.random.choice(NODES), 2]]
        return self.random.choice((
            commands.take(key, nonce, 15, lines, None),
            commands.take(key, nonce, 15, lines, {"p": True}),
            commands.drop(key, nonce),
            commands.tell(key, nonce, status, self.now_ms + 9_000, None),
            commands.tell(key, nonce, status, 0, None, lost),
            commands.ask(key[4:], nonce),
        ))  # fmt: skip

    def seal(self) -> Command:
        """A reservation of which this shard is home and holds every line."""
        nonce = bytes([self.random.randint(200, 202)]) * 16
        dry = self.random.random() < 0.2
        lines = [[self.random.choice(SKUS), None, self.random.randint(1, 4)]]
        return commands.seal(self.new(), nonce, b"d" * 16, lines, [], 60_000, None, dry=dry)

    def sweep(self) -> Command:
        """All that may be due."""
        return commands.expire(self.keys[-20:])

    def tidy(self) -> Command:
        """Forget what is older than a day."""
        return commands.tidy()

    def place(self) -> Command:
        """A new version of a node."""
        members = {**WAREHOUSE, "priority": self.random.randint(1, 3)}
        if self.random.random() < 0.3:
            members["channels"] = ["live"]
        return commands.define_node(self.random.choice(NODES), members)

    def define(self) -> Command:
        """A SKU, or other members of it."""
        return commands.define_sku(self.random.choice(SKUS), ["", self.random.randint(0, 1), None])

    def read(self) -> Command:
        """Reads are decided like the rest."""
        return self.random.choice((
            commands.read(self.known()), commands.stock(self.random.choice(SKUS)),
            commands.view(list(SKUS), 0), commands.hint("A", 0, 0), commands.read_network(0),
        ))  # fmt: skip


def _founding() -> list[Command]:
    return founding({sku: dict.fromkeys(NODES, 6) for sku in SKUS})
