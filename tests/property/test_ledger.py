"""The ledger against a model of two dicts: whatever callers do, the books balance.

Rules draw from few keys, nodes and units, so that repeats, collisions and shortages are common.
"""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from engine import commands
from engine.commands import Command
from engine.ids import digest
from engine.limits import CLOSED_WINDOW_MS, DUE_MS, ON_HAND_MAX
from engine.outcome import Outcome
from engine.pieces import attempt, ended_piece
from engine.record import CHANNEL, OWES, PARTIAL, Reservation, Status, line_units
from engine.state import PIECE
from tests.builders import WAREHOUSE, adjust, define_node, fulfil
from tests.property.machine import (
    ASK_AGAIN_MS,
    NODES,
    REMOTE,
    SKUS,
    Machine,
    as_lines,
    looked_after,
)
from tests.property.model import Line, Record

HOUR_MS = 3_600_000
KEYS = st.sampled_from([f"k{number}" for number in range(4)])
NONCES = st.sampled_from([bytes([200 + number]) * 16 for number in range(3)])
PIECES = st.sampled_from(["00f.p1", "00f.p2"])
HOLDS = st.sampled_from([400, 60_000, 60_000, 900_000, 4 * HOUR_MS])
UNITS = st.sampled_from([1, 1, 2, 3, 5, 9])
SKU = st.sampled_from([*(SKUS[:2] * 8), SKUS[2], "unknown"])
WISH = st.sampled_from([*([None] * 8), *(NODES * 3), "nowhere"])
LINES = st.lists(
    st.tuples(SKU, WISH, UNITS), min_size=1, max_size=2, unique_by=lambda line: line[:2]
)
OWN_LINES = st.lists(
    st.tuples(st.sampled_from(SKUS[:2]), st.sampled_from([None, "w1"]), st.integers(1, 4)),
    min_size=1, max_size=2, unique_by=lambda line: line[:2],
)  # fmt: skip
ROWS = st.lists(
    st.tuples(
        st.sampled_from([*SKUS, "unknown"]),
        st.sampled_from([*NODES, "w4", "nowhere"]),
        st.sampled_from([None, None, -9, -2, 3, 9, ON_HAND_MAX]),
        st.sampled_from([0, 1, 5, 12]),
        st.sampled_from([None, None, 0, 3]),
    ),
    min_size=1, max_size=3, unique_by=lambda row: row[:2],
)  # fmt: skip


class LedgerMachine(Machine):
    """The same steps for the ledger and the model."""

    @initialize()
    def ready(self) -> None:
        """Two SKUs with eight units at each of two nodes; a third SKU is known to nobody yet."""
        self.asked: list[tuple[Command, str | None, bool]] = []

    # Holds

    @rule(key=KEYS, lines=LINES, hold_ms=HOLDS, live=st.booleans(), partial=st.booleans())
    def reserve(
        self, key: str, lines: list[tuple[str, str | None, int]], hold_ms: int,
        live: bool, partial: bool,
    ) -> None:  # fmt: skip
        extra: dict[str, Any] = {**({CHANNEL: "live"} if live else {})}
        extra |= {PARTIAL: True} if partial else {}
        wanted = [list(line) for line in lines]
        sum_of = digest(wanted, hold_ms, extra)
        command = commands.reserve(key, sum_of, wanted, hold_ms, extra or None)
        self.asked.append((command, "live" if live else None, partial))
        self.reserve_now(*self.asked[-1])

    @rule(which=st.integers(0, 5))
    def reserve_again(self, which: int) -> None:
        """The very same request: one effect, whatever has become of it."""
        if self.asked:
            self.reserve_now(*self.asked[-1 - which % len(self.asked)])

    def reserve_now(self, command: Command, channel: str | None, partial: bool) -> None:
        _, key, sum_of, wanted, hold_ms, _ = command
        lines = as_lines(wanted)
        short = self.model.short(lines, channel)
        outcome = self.model.reserve(
            key, sum_of, lines, self.now_ms + hold_ms, channel, partial=partial
        )
        reply = self.ask(command)
        self.check(reply, outcome, self.model.records.get(key))
        if outcome in (Outcome.SHORT, Outcome.CONTENDED):
            assert reply[1] == short
            assert reply[2] == (len(lines) == 1 and short[0][3] == 0)

    @rule(key=KEYS, verb=st.sampled_from(["confirm", "confirm", "release", "extend", "cancel"]))
    def verb(self, key: str, verb: str) -> None:
        known = self.model.records.get(key)
        short: list[Any] = []
        if known is not None and verb == "confirm" and known.as_of(self.now_ms) is Status.EXPIRED:
            before, known.status = known.status, Status.EXPIRED
            again = [Line(line.sku, line.wish, line.units) for line in known.lines if line.units]
            short = self.model.short(again, known.channel)
            known.status = before
        until = self.now_ms + 60_000
        outcome = self.model.verb(verb, key, self.now_ms, until)
        extended = commands.extend(key, 60_000)
        reply = self.ask(extended if verb == "extend" else getattr(commands, verb)(key))
        self.check(reply, outcome, self.model.records.get(key))
        if outcome is Outcome.NOT_HELD:
            assert reply[1:] == [self.model.records[key].status, short]

    @rule(key=KEYS)
    def read(self, key: str) -> None:
        known = self.model.records.get(key)
        self.check(
            self.ask(commands.read(key)), Outcome.OK if known else Outcome.UNKNOWN_RESERVATION,
            known,
        )  # fmt: skip

    @rule(
        key=KEYS, name=st.sampled_from(["parcel-1", "parcel-2"]), over_shards=st.booleans(),
        rows=st.none() | st.lists(st.tuples(st.sampled_from([*SKUS[:2], REMOTE]),
                                            st.sampled_from(["w1", "w2", "rw"]),
                                            st.integers(1, 3)), min_size=1, max_size=3),
    )  # fmt: skip
    def ship(
        self, key: str, name: str, rows: list[tuple[str, str, int]] | None, over_shards: bool
    ) -> None:
        command = fulfil(key, name, *(rows or ()))
        command[5] = over_shards
        outcome = self.model.fulfil(key, name, command[3], rows, over_shards=over_shards)
        self.check(self.ask(command), outcome, self.model.records.get(key))

    @rule()
    def sweep(self) -> None:
        """After it no hold is open whose time was over a moment ago."""
        fields = self.ledger.due(self.now_ms)
        holds = [name for name in fields if name[0] != "/"]
        ended = self.model.expire(holds, self.now_ms)
        assert self.ask(commands.expire(holds)) == [Outcome.OK, ended]
        for name, record in self.model.records.items():
            if record.status is Status.HELD and name[0] != "/":
                assert record.expires_at_ms + DUE_MS > self.now_ms
        for name in self.ledger.pieces_due(fields):
            self.ledger.schedule(name, self.now_ms + ASK_AGAIN_MS)  # Nobody has answered.

    # The world

    @rule(rows=ROWS, name=st.sampled_from([f"po-{number}" for number in range(8)]))
    def correct(self, rows: list[tuple[Any, ...]], name: str) -> None:
        """Counts (where no delta is drawn), receipts, losses, safety stock."""
        made = [
            [s, n, delta, None if delta else on_hand, kept] for s, n, delta, on_hand, kept in rows
        ]
        command = adjust(*made, reference=name)
        outcome, refused = self.model.adjust(f"{name}|0", command[3], made, self.now_ms)
        reply = self.ask(command)
        self.check(reply, outcome)
        for (sku, node, *_), row, found in zip(made, refused, reply[1:], strict=False):
            if row is not Outcome.OK:
                assert found == [row, sku, node]
                continue
            place = (sku, node)
            free = self.model.free(place)
            assert found[:4] == [sku, node, self.model.on_hand[place],
                                 self.model.safety.get(place, 0)]  # fmt: skip
            assert found[4:] == [self.model.reserved(place), self.model.committed(place), 0,
                                 self.model.sellable(place), max(0, -free), 0]  # fmt: skip

    @rule(weight=st.integers(0, 1))
    def define_sku(self, weight: int) -> None:
        self.model.skus.add(SKUS[2])
        self.check(self.ask(commands.define_sku(SKUS[2], [SKUS[2], weight, None])), Outcome.OK)

    @rule(
        node=st.sampled_from([*NODES, "w4"]), priority=st.sampled_from([1, 100]), live=st.booleans()
    )
    def define_node(self, node: str, priority: int, live: bool) -> None:
        """A new version of the network; some nodes serve one channel only."""
        channels = ["live"] if live else []
        members = {**WAREHOUSE, "priority": priority, "channels": channels}
        self.model.nodes[node] = (priority, frozenset(channels))
        self.check(self.ask(define_node(node, members)), Outcome.OK)

    # Pieces of others

    @rule(name=PIECES, nonce=NONCES, lines=OWN_LINES, partial=st.booleans(), follows=st.booleans())
    def take(
        self, name: str, nonce: bytes, lines: list[tuple[str, str | None, int]],
        partial: bool, follows: bool,
    ) -> None:  # fmt: skip
        live = self.model.records.get(f"/{name}")
        ends = live.digest if live is not None and follows else None
        outcome = self.model.take(
            f"/{name}", nonce, as_lines(lines), self.now_ms, partial=partial, ends=ends
        )
        wanted = [list(line) for line in lines]
        extra = {PARTIAL: True} if partial else None
        reply = self.ask(commands.take(name, nonce, 15, wanted, extra, ends))
        self.check(reply, outcome)
        if outcome is Outcome.OK and f"/{name}" in self.model.records:
            kept = self.model.records[f"/{name}"]
            assert Reservation(reply[1]).lines == [line.flat() for line in kept.lines]

    @rule(name=PIECES, nonce=NONCES)
    def drop(self, name: str, nonce: bytes) -> None:
        self.model.drop(f"/{name}", nonce)
        self.check(self.ask(commands.drop(name, nonce)), Outcome.OK)

    @rule(
        name=PIECES, nonce=NONCES, status=st.sampled_from(range(6)), ships=st.booleans(),
        lines=st.lists(st.tuples(st.sampled_from([*SKUS[:2] * 4, SKUS[2]]),
                                 st.sampled_from(["w1", "w1", "w2", "w4"]), st.integers(1, 4)),
                       min_size=1, max_size=2, unique_by=lambda line: line[:2]),
    )  # fmt: skip
    def tell(
        self, name: str, nonce: bytes, status: int, ships: bool, lines: list[tuple[str, str, int]]
    ) -> None:
        """News in whatever order; a home ships what is there, each parcel once.

        Of what is not there it says what it was.
        """
        piece = self.model.records.get(f"/{name}")
        known = piece is not None and piece.digest == nonce
        lost = [Line(sku, node, units, [(node, units)]) for sku, node, units in lines]
        mine = piece if piece is not None and known else Record(Status.HELD, 0, nonce, lost)
        shipped, left = dict(mine.shipped), mine.left()
        if ships and left and status in (Status.CONFIRMED, Status.FULFILLED, Status.CANCELLED):
            (sku, node), units = next(iter(left.items()))
            shipped[f"parcel-{len(shipped)}"] = (b"d", [(sku, node, (units + 1) // 2)])
        until = self.now_ms + 9_000
        outcome = self.model.tell(f"/{name}", nonce, Status(status), until, shipped, lost)
        sent = {ref: ["00", [list(line) for line in rows]] for ref, (_, rows) in shipped.items()}
        flat = [line.flat() for line in lost]
        reply = self.ask(commands.tell(name, nonce, status, until, sent or None, lines=flat))
        self.check(reply, outcome)

    # As a home

    @rule(key=KEYS, nonce=NONCES, lines=OWN_LINES, late=st.booleans(), dry=st.booleans())
    def seal(
        self, key: str, nonce: bytes, lines: list[tuple[str, str | None, int]],
        late: bool, dry: bool,
    ) -> None:  # fmt: skip
        """Lines here and one elsewhere, whose piece has taken two units."""
        known = self.model.records.get(key)
        if late and known is not None and known.pieces:
            wanted = [
                Line(line.sku, line.wish, line.units,
                     list(line.backings) if line.sku == REMOTE else [])
                for line in known.lines if line.units
            ]  # fmt: skip
        else:
            late = late and known is None
            wanted = [*as_lines(lines), Line(REMOTE, None, 2, [("rw", 2)])]
        sent = [line.flat() for line in wanted]
        outcome = self.model.seal(
            key, nonce, b"d" * 16, wanted, self.now_ms + 60_000, self.now_ms, late=late, dry=dry
        )
        reply = self.ask(
            commands.seal(key, nonce, b"d" * 16, sent, [1], 60_000, None, late=late, dry=dry)
        )
        whole = len(reply) > 1 and outcome is Outcome.OK
        self.check(reply, outcome, self.model.records.get(key) if whole else None)

    @rule(key=KEYS, nonce=NONCES)
    def ask_home(self, key: str, nonce: bytes) -> None:
        """After RELEASED no seal of that attempt may ever succeed; the model remembers."""
        reply = self.ask(commands.ask(key, nonce))
        assert reply[:2] == [Outcome.OK, self.model.ask(key, nonce)]

    @rule(key=KEYS, stale=st.booleans())
    def settle(self, key: str, stale: bool) -> None:
        """The other shard has heard; of older news it may have heard too."""
        record = self.ledger.reservations.get(key)
        news = Reservation(record).extra.get(OWES, {}).get(1) if record else None
        if news is None or stale:
            assert self.ask(commands.settle(key, 1, [9, 9, None])) == [Outcome.OK]
        else:
            self.model.records[key].owes = ()
            assert self.ask(commands.settle(key, 1, news)) == [Outcome.OK]

    # Time and batches

    @rule(step_ms=st.sampled_from([1, 250, 1_000, 60_000, 60_000, HOUR_MS, 26 * HOUR_MS]))
    def time_moves(self, step_ms: int) -> None:
        """A batch is decided within moments, though it may see an hour end."""
        if step_ms >= HOUR_MS:
            self.end_batch()
            self.accept_all()
        self.now_ms += step_ms

    @rule()
    def tidy(self) -> None:
        """Only what ended a day ago is forgotten; from then on its key is free."""
        assert self.ask(commands.tidy()) == [Outcome.OK]
        self.model.forget_references(self.now_ms)
        known = self.ledger.closed
        for name, record in list(self.model.records.items()):
            if name not in self.ledger.reservations and hash(name) not in known:
                assert self.now_ms - record.ended_at_ms >= CLOSED_WINDOW_MS
                del self.model.records[name]
        ended = self.model.ended_pieces
        kept = {at for at in ended if hash(ended_piece(at[0][1:], at[1])) in known}
        self.model.ended_pieces = kept
        marks = {at for at in self.model.aborted if hash(attempt(*at)) in known}
        self.model.aborted = marks

    @rule()
    def seal_batch(self) -> None:
        self.end_batch()

    @rule()
    def accept(self) -> None:
        """All is accepted: the store must agree."""
        self.end_batch()
        self.accept_all()
        self.the_store_agrees()

    @rule()
    def accept_one_while_the_next_is_being_recalled(self) -> None:
        self.overtaken = True

    @rule(count=st.integers(0, 2))
    def refuse(self, count: int) -> None:
        """Nothing of what the store has refused is left."""
        self.take_back(count)

    @precondition(lambda self: not self.pending and not self.ledger.effects)
    @rule()
    def take_over(self) -> None:
        """A new owner knows all that the last one did."""
        self.ledger = self.rebuilt()
        self.current = self.begun()

    @invariant()
    def nothing_is_oversold_and_the_books_balance(self) -> None:
        self.books_agree()

    @invariant()
    def no_hold_piece_or_debt_is_forgotten(self) -> None:
        looked_after(self.ledger, self.now_ms)

    @invariant()
    def open_reservations_are_counted_without_pieces_and_debts(self) -> None:
        records = self.ledger.reservations.items()
        statuses = [Reservation(record).status for name, record in records if name[0] != PIECE]
        counted = sum(status in (Status.HELD, Status.CONFIRMED) for status in statuses)
        assert self.ledger.open_count() == counted

    @invariant()
    def a_record_has_the_units_it_says(self) -> None:
        for name, record in self.ledger.reservations.items():
            units = [line_units(line) for line in Reservation(record).lines]
            assert units == [line.units for line in self.model.records[name].lines], name


def test_the_ledger_does_what_two_dicts_would() -> None:
    """Promises 1 to 4, 6 and 10 on every path that a few hundred random steps take."""
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=250, stateful_step_count=60)
    )


@pytest.mark.slow
def test_the_ledger_does_so_for_long() -> None:
    """The same, deep."""
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=1_000, stateful_step_count=120)
    )
