"""Random commands of every kind, the same for the same seed.

They are for shard 0 of two: a reservation may have lines on the other one, which is not there.
"""

import random
from collections.abc import Callable
from typing import Any, Final

from engine import commands
from engine.commands import Command
from engine.limits import ON_HAND_MAX
from engine.record import CAMPAIGN, CHANNEL, DELIVER_BY, Status
from tests.builders import (
    NOW_MS,
    WAREHOUSE,
    adjust,
    count,
    define_node,
    founding,
    fulfil,
    reserve,
    reserve_partly,
)

SHARDS: Final = 2
#: This shard's, and one of the other's.
SKUS: Final = ("A", "B", "D")
FOREIGN: Final = "C"
#: What keys of reservations over both shards begin with.
OVER_SHARDS: Final = "s"
NODES: Final = ("w1", "w2", "w3")
HOUR_MS: Final = 3_600_000


class Script:
    """Random commands of every kind, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.keys: list[str] = []
        self.asked: list[Command] = []
        self.paid: list[str] = []  # Or asked to be.
        #: Reservations over both shards: key, lines, and when their hold ends.
        self.sealed: list[tuple[str, list[list[Any]], int]] = []
        #: Pieces with one line each: id and line.
        self.shipping: list[tuple[str, list[Any]]] = []
        self.now_ms = NOW_MS
        self.made = 0
        self.steps: list[Callable[[], Command]] = [
            self.reserve, self.reserve, self.reserve, self.partly, self.again, self.verb, self.verb,
            self.verb, self.ship, self.adjust, self.count, self.piece, self.piece, self.sweep,
            self.tidy, self.place, self.define, self.read, self.read, self.seal, self.seal_over,
            self.seal_over, self.seal_late, self.settle, self.settle, self.follow, self.to_ship,
            self.shipped, self.shipped, self.refer, self.network,
        ]  # fmt: skip

    def batches(self, count: int) -> list[tuple[int, list[Command]]]:
        """(now, commands) of so many batches."""
        made: list[tuple[int, list[Command]]] = [(self.now_ms, _founding())]
        for _ in range(count):
            self.now_ms += self.random.choice((0, 1, 250, 4_000, 300_000, 3 * HOUR_MS))
            size = self.random.choice((1, 1, 2, 8))
            made.append((self.now_ms, [self.random.choice(self.steps)() for _ in range(size)]))
        return made

    def new(self, prefix: str = "k") -> str:
        """A key that is remembered."""
        self.made += 1
        self.keys.append(f"{prefix}{self.made}")
        return self.keys[-1]

    def known(self) -> str:
        """One of the last keys, or one that never was."""
        return self.random.choice([*self.keys[-12:], "never"])

    def line(self) -> tuple[Any, ...]:
        """Units of a SKU, at some node or anywhere."""
        sku, units = self.random.choice((*SKUS, *SKUS, "unknown")), self.random.randint(1, 6)
        node = self.random.choice((*NODES, *NODES, *[None] * 6, "nowhere"))
        return (sku, units) if node is None else (sku, units, node)

    def lines(self) -> list[tuple[Any, ...]]:
        """One line for each (sku, node)."""
        drawn = [self.line() for _ in range(self.random.choice((1, 1, 2, 3)))]
        return list({(line[0], *line[2:]): line for line in drawn}.values())

    def reserve(self) -> Command:
        """Of a channel or of none."""
        extra: dict[str, Any] = {CHANNEL: "live"} if self.random.random() < 0.3 else {}
        if self.random.random() < 0.1:
            extra |= self.random.choice(({CAMPAIGN: "drop"}, {DELIVER_BY: self.now_ms}))
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
        key = self.known()  # Of one over shards only the lines that it has are paid late.
        return reserve(key if key[0] != OVER_SHARDS else self.new(), *self.lines())

    def verb(self) -> Command:
        """Confirm, release, extend or cancel."""
        key = self.known()
        kind = self.random.choice(("confirm", "confirm", "release", "extend", "cancel"))
        if kind == "extend":
            return commands.extend(key, 60_000)
        if kind == "confirm":
            self.paid.append(key)
        made: Command = getattr(commands, kind)(key)
        return made

    def ship(self) -> Command:
        """All that is left, or a line of it."""
        parcel = f"parcel-{self.random.randint(1, 2)}"
        key = self.random.choice([*self.paid[-3:], self.known()])
        if self.random.random() < 0.5:
            return fulfil(key, parcel)
        row = (self.random.choice(SKUS), self.random.choice(NODES), self.random.randint(1, 2))
        return fulfil(key, parcel, row)

    def adjust(self) -> Command:
        """Units that came or went, and safety stock."""
        safety = self.random.choice((None, None, 2))
        sku = self.random.choice((*SKUS, *SKUS, "unknown"))
        node = self.random.choice((*NODES, *NODES, "nowhere"))
        units = self.random.choice((-3, 4, 9, ON_HAND_MAX))
        reference = f"po-{self.random.randint(1, 40)}"
        return adjust((sku, node, units, None, safety), reference=reference)

    def count(self) -> Command:
        """What somebody has counted: less than was promised, at times."""
        return count(self.random.choice(SKUS), self.random.randint(0, 12),
                     self.random.choice(NODES))  # fmt: skip

    def piece(self) -> Command:
        """A part of a reservation whose home is elsewhere."""
        key = f"00f.p{self.random.randint(1, 4)}"
        nonce = self.nonce()
        status = self.random.choice((0, 1, 2, 3, 4, 5))
        drawn = [line for line in self.lines() if line[0] != "unknown"] or [("A", 1)]
        lines = [[sku, node[0] if node else None, units] for sku, units, *node in drawn]
        lost = [["A", None, 2, self.random.choice(NODES), 2]]
        return self.random.choice((
            commands.take(key, nonce, 15, lines, None),
            commands.take(key, nonce, 15, lines, {"p": True}),
            commands.drop(key, nonce),
            commands.tell(key, nonce, status, self.now_ms + 9_000, None),
            commands.tell(key, nonce, status, 0, None, lines=lost),
            commands.ask(self.random.choice((key[4:], f"{OVER_SHARDS}{self.made + 1}")), nonce),
        ))  # fmt: skip

    def seal(self) -> Command:
        """A reservation of which this shard is home and holds every line."""
        nonce = self.nonce()
        dry = self.random.random() < 0.2
        lines = [[self.random.choice(SKUS), None, self.random.randint(1, 4)]]
        return commands.seal(self.new(), nonce, b"d" * 16, lines, [], 60_000, None, dry=dry)

    def nonce(self) -> bytes:
        """One of few, so that they meet."""
        return bytes([self.random.randint(200, 202)]) * 16

    def seal_over(self) -> Command:
        """A reservation with a piece on the other shard; at times one that is known."""
        hold_ms = self.random.choice((1, 60_000, 4 * HOUR_MS))
        if not self.sealed or self.random.random() < 0.8:
            own, elsewhere = [self.random.choice(SKUS), None, 1], [FOREIGN, None, 2, "w1", 2]
            self.sealed.append((self.new(OVER_SHARDS), [own, elsewhere], self.now_ms + hold_ms))
        key, lines, _ = self.random.choice(self.sealed[-3:])
        return commands.seal(key, self.nonce(), b"d" * 16, lines, [1], hold_ms)

    def sealed_before(self) -> tuple[str, list[list[Any]], int]:
        """One of the last that were asked for: key, lines, and when its hold ends."""
        return self.random.choice(self.sealed[-6:] or [("nobody", [["A", None, 1]], 0)])

    def seal_late(self) -> Command:
        """A payment after expiry, if it is one."""
        key, lines, _ = self.sealed_before()
        dry = self.random.random() < 0.2
        return commands.seal(key, self.nonce(), b"d" * 16, lines, [1], 0, late=True, dry=dry)

    def settle(self) -> Command:
        """The other shard has heard something, perhaps what home owes it."""
        key, _, expires_at_ms = self.sealed_before()
        news = [self.random.choice((1, 3, 4, 5)), expires_at_ms, None]
        return commands.settle(key, 1, news)

    def follow(self) -> Command:
        """A piece of a late payment, in place of the one that home has ended."""
        key = f"00f.p{self.random.randint(1, 4)}"
        line = [self.random.choice(SKUS), None, self.random.randint(1, 3)]
        return commands.take(key, self.nonce(), 15, [line], None, self.nonce())

    def to_ship(self) -> Command:
        """A piece of which units will leave: the same take again, or a new one."""
        if not self.shipping or self.random.random() < 0.7:
            line = [self.random.choice(SKUS), self.random.choice(NODES), 3]
            self.shipping.append((f"00f.s{len(self.shipping)}", line))
        key, line = self.shipping[-1]
        return commands.take(key, b"s" * 16, 15, [line], None)

    def shipped(self) -> Command:
        """Home's news: parcels have left, each counts once; with the last or a cancel it ends."""
        key, (sku, node, _) = self.random.choice(self.shipping[-3:] or [("00f.s", ["A", "w1", 0])])
        parcels = {
            f"parcel-{number}": ["d" * 32, [[sku, node, 1], [FOREIGN, "w1", 1]]]
            for number in range(self.random.randint(1, 3))
        }
        ended = Status.FULFILLED if len(parcels) == 3 else Status.CANCELLED
        status = self.random.choice((Status.CONFIRMED, Status.CONFIRMED, ended))
        return commands.tell(key, b"s" * 16, status, 0, parcels)

    def refer(self) -> Command:
        """An adjustment's reference, with one of two bodies."""
        body = bytes([self.random.randint(1, 2)]) * 16
        return commands.reference(f"ref-{self.random.randint(1, 9)}", body)

    def network(self) -> Command:
        """A version of the network: the next, one that is known, or one too far ahead."""
        since = self.random.randint(0, 24)
        nodes = {"n|" + self.random.choice((*NODES, "w4")): {**WAREHOUSE, "priority": since}}
        return commands.take_network(since, since + self.random.randint(1, 3), nodes)

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
        return define_node(self.random.choice(NODES), members)

    def define(self) -> Command:
        """A SKU, or other members of it."""
        return commands.define_sku(self.random.choice(SKUS), ["", self.random.randint(0, 1), None])

    def read(self) -> Command:
        """Reads are decided like the rest."""
        return self.random.choice((
            commands.read(self.known()), commands.stock(self.random.choice(SKUS)),
            commands.view(list(SKUS), 0), commands.hint("A", 0, 0), commands.read_network(0),
            commands.read_sku(self.random.choice((*SKUS, "unknown"))),
            commands.changes(None, 2), commands.changes([1, 0, "", False], 9),
        ))  # fmt: skip


def _founding() -> list[Command]:
    return founding({sku: dict.fromkeys(NODES, 6) for sku in SKUS})
