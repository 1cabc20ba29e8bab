"""Shares, supplies and lanes under random commands: what must hold after every single one.

The commands are those of ``warehouse_scripts``, decided one batch after the other; now and then
a batch is taken back, and a copy loaded from the store must be the ledger it was loaded from.
"""

import random
from collections import Counter
from typing import Any

import pytest

from engine.backings import units_left
from engine.demand import demand_of
from engine.ledger import Ledger
from engine.limits import ON_HAND_MAX
from engine.ranking import Order
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    DELIVER_BY,
    PREORDER,
    ZONE,
    Durability,
    Reservation,
    Status,
)
from engine.shares import room
from engine.sourcing import choose
from engine.store.memory import MemoryServer
from engine.store.protocol import Right
from tests.scripts import SHARDS
from tests.warehouse_scripts import WarehouseScript

RIGHT = Right(0, 1, "token")
SEEDS = 64
BATCHES = 120


def promised(ledger: Ledger) -> tuple[Counter[str], Counter[str]]:
    """Units by backing held and confirmed, summed from the records."""
    held: Counter[str] = Counter()
    confirmed: Counter[str] = Counter()
    for record in ledger.reservations.values():
        reservation = Reservation(record)
        for (sku, slot), units in units_left(reservation).items():
            if sku not in ledger.books:
                continue
            if reservation.status in (Status.HELD, Status.TAKEN):
                held[f"{sku}|{slot}"] += units
            elif reservation.status is Status.CONFIRMED:
                confirmed[f"{sku}|{slot}"] += units
    return held, confirmed


def check(ledger: Ledger) -> None:
    """All that is true of a ledger, whatever has been asked of it."""
    held, confirmed = promised(ledger)
    for book in ledger.books.values():
        aside: Counter[str] = Counter()
        for share in book.shares.values():
            assert share.placed == sum(share.aside.values()) <= share.left, share.name
            assert all(units > 0 for units in share.aside.values())
            assert min(share.held, share.confirmed, share.shipped) >= 0
            aside.update(share.aside)
        for slot, position in book.positions.items():
            at = position.backing
            assert position.aside == aside[slot], at
            assert (position.reserved, position.committed) == (held[at], confirmed[at]), at
            missing = ledger.shortfalls[at][1] if at in ledger.shortfalls else 0
            assert max(0, -position.free) == missing, at
            kept = position.safety_stock if position.supply is None else 0
            assert position.aside <= max(0, position.free - kept), at
            assert room(position) == position.sellable
        claims = sum(aside.values())
        free = sum(max(0, position.free) for position in book.positions.values())
        assert claims <= free, "more is set aside than is there"


def check_orders(ledger: Ledger) -> None:
    """What is kept in order is in the order that it would be made in now."""
    for book in ledger.books.values():
        there = sum(max(0, at.on_hand - at.safety_stock) for at in book.here())
        assert book.there == there, book.sku
        assert book.restricted == sum(bool(at.place.channels) for at in book.here())
        for key, order in book.orders.items():
            anew = Order(book, order._fixed, order._units, order._need, fullest=order._fullest)
            kept = order.first(ON_HAND_MAX, len(book.positions))
            assert kept == anew.first(ON_HAND_MAX, len(book.positions)), (book.sku, key)


def chosen(ledger: Ledger, now_ms: int) -> dict[str, list[Any]]:
    """Where units for all kinds of demands would come from."""
    demands = [
        demand_of(ledger, extra, now_ms)
        for extra in ({}, {CHANNEL: "live"}, {CHANNEL: "shop", ZONE: "north"}, {ZONE: "south"},
                      {CAMPAIGN: "drop"}, {CAMPAIGN: "sale", ZONE: "north"}, {PREORDER: True},
                      {DELIVER_BY: now_ms + 3_600_000, ZONE: "north"})
    ]  # fmt: skip
    return {
        f"{sku}, {units}, {demand}": [(at.slot, part) for at, part in choose(book, units, demand)]
        for sku, book in ledger.books.items()
        for demand in demands
        for units in (1, 4)
    }


def image(ledger: Ledger) -> dict[str, Any]:
    """What decisions rest on."""
    return {
        "positions": {
            position.backing: (position.counts(), position.aside, position.withheld)
            for book in ledger.books.values()
            for position in book.positions.values()
        },
        "shares": {
            (sku, name): (share.exclusive, share.terms, share.held, share.confirmed,
                          share.shipped, share.aside, share.by_customer)
            for sku, book in ledger.books.items()
            for name, share in book.shares.items()
            if share.terms.defined or share.taken
        },
        "supplies": {
            position.backing: position.supply.members
            for book in ledger.books.values()
            for position in book.supplies.values()
            if position.supply is not None
        },
        "kept": (ledger.shortfalls, ledger.late, ledger.campaigns, ledger.supply_names),
        "network": (ledger.network, ledger.elements, ledger.lanes, ledger.pools),
        "work": (ledger.arriving, ledger.untold),
    }  # fmt: skip


def loaded(server: MemoryServer) -> Ledger:
    """A ledger from the store alone."""
    ledger = Ledger(0, SHARDS, Durability.MEMORY)
    hashes = server.shards[0].hashes
    ledger.load_state(hashes["state"].items())
    ledger.load_records(hashes["reservations"].items())
    for name, ended in hashes.items():
        if name.startswith("closed:"):
            ledger.load_closed(int(name.partition(":")[2]), ended.items())
    return ledger


@pytest.mark.parametrize("first", range(0, SEEDS, 8))
def test_what_is_set_aside_is_there_and_a_copy_is_the_same(first: int) -> None:
    for seed in range(first, first + 8):
        chance = random.Random(seed)
        server = MemoryServer(SHARDS)
        acquired = server.acquire(RIGHT, 1)
        ledger = Ledger(0, SHARDS, Durability.MEMORY)
        ledger.seq, ledger.head = acquired.seq, acquired.head
        for now_ms, batch in WarehouseScript(seed).batches(BATCHES):
            before = image(ledger)
            ledger.effects.now_ms = now_ms
            for command in batch:
                ledger.decide(command, now_ms)
                check(ledger)
                if chance.random() < 0.3:  # Looking brings them up to date.
                    check_orders(ledger)
            sealed = ledger.seal()
            ledger.refused()
            if sealed is None:
                continue
            if chance.random() < 0.2:
                ledger.take_back(sealed)
                assert image(ledger) == before, f"seed {seed}"
                check(ledger)
                check_orders(ledger)
                continue
            server.commit(RIGHT, sealed)
            ledger.accepted(sealed)
        copy = loaded(server)
        check(copy)
        assert chosen(copy, now_ms) == chosen(ledger, now_ms), f"seed {seed}"
        assert image(copy)["positions"] == image(ledger)["positions"], f"seed {seed}"
        assert image(copy)["shares"] == image(ledger)["shares"], f"seed {seed}"
        for name in ("supplies", "kept", "network", "work"):
            assert image(copy)[name] == image(ledger)[name], f"seed {seed}: {name}"
