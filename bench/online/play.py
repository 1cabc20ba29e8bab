"""One policy plays a case: every order is a reservation at a ledger, as in production.

Network, store and other shards are left out: what is timed is the decision.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from actors.waves.pricing import named
from bench.online.case import Case
from engine import commands
from engine.commands import Command, bids, network
from engine.ids import digest
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import DELIVER_BY, PARTIAL, ZONE, Durability, Reservation
from solver import costs
from solver.bids import bid_prices
from solver.problem import Ints, Problem, first_lines

Say = Callable[[str], None]

_NOW_MS: Final = 1_790_000_000_000
_HOUR_MS: Final = 3_600_000
_HOLD_MS: Final = 900_000
#: Reservations decided between two commits.
_BATCH: Final = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How often prices are found while the orders come, from how many draws; never: 0."""

    name: str
    times: int = 0
    scenarios: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What a policy came to: cents, lines short of units, parcels.

    `single_us` and `several_us` are medians of a decision about one line and about more,
    `pricing_s` all seconds that finding prices took.
    """

    name: str
    cost: int
    unserved_lines: int
    parcels: int
    single_us: float
    several_us: float
    pricing_s: float


def play(case: Case, policy: Policy, say: Say, seed: int) -> Entry:
    """Let all orders of `case` come to a new ledger."""
    problem = case.future
    ledger = _ledger(problem)
    asked = _reservations(problem)
    turns = np.array_split(np.arange(len(asked)), max(1, policy.times))
    took: dict[bool, list[int]] = {True: [], False: []}
    records: list[bytes | None] = []
    pricing = 0.0
    for number, turn in enumerate(turns):
        if policy.times:
            say(f"{policy.name}: prices {number + 1} of {policy.times}")
            started = time.perf_counter()
            left = dataclasses.replace(case.past, stock=_free(ledger, problem))
            to_come = len(asked) - int(turn[0])
            prices = bid_prices(left, orders=to_come, scenarios=policy.scenarios, seed=seed)
            _put(ledger, bids.price(number + 1, 0, 1, *named(problem, prices)))
            pricing += time.perf_counter() - started
        say(f"{policy.name}: orders from {turn[0]:,} on")
        for at in turn.tolist():
            command = asked[at]
            started_ns = time.perf_counter_ns()
            reply = ledger.decide(command, _NOW_MS)
            took[len(command[3]) == 1].append(time.perf_counter_ns() - started_ns)
            records.append(reply[1] if reply[0] == Outcome.OK else None)
            if at % _BATCH == 0:
                _put(ledger)
    cost, unserved, parcels = judged(problem, records)
    single, several = (statistics.median(took[one]) / 1000 if took[one] else 0.0
                       for one in (True, False))  # fmt: skip
    return Entry(policy.name, cost, unserved, parcels, single, several, pricing)


def _put(ledger: Ledger, *asked: Command) -> None:
    for command in asked:
        assert ledger.decide(command, _NOW_MS)[0] == Outcome.OK
    sealed = ledger.seal()
    if sealed is not None:
        ledger.accepted(sealed)


def _ledger(problem: Problem) -> Ledger:
    """A ledger with the network and stock of `problem`."""
    ledger = Ledger(0, 1, Durability.FSYNC)
    net = problem.network
    nodes = {
        f"n|{node}": {
            "kind": "warehouse",
            "settlement_cents": int(net.handling[at]),
            "handling_hours": float(net.departure[at]),
        }
        for at, node in enumerate(net.nodes)
    }
    _put(ledger, commands.take_network(0, 1, nodes))
    for zone_at, zone in enumerate(net.zones):
        rows: list[list[Any]] = [
            [
                node, zone, int(net.lane_fixed[at, zone_at]), int(net.lane_kg[at, zone_at]),
                round(net.transit[at, zone_at] * _HOUR_MS), None, [],
            ]
            for at, node in enumerate(net.nodes)
        ]  # fmt: skip
        _put(ledger, network.define_lanes(rows))
    for at, sku in enumerate(problem.skus):
        there = [
            [sku, net.nodes[node], int(problem.stock[at, node]), None, None, None]
            for node in np.flatnonzero(problem.stock[at])
        ]
        _put(
            ledger,
            commands.define_sku(sku, [sku, int(problem.unit_grams[at]), None]),
            *([commands.adjust(f"founding-{sku}", 0, digest([], 0, None), there)] if there else ()),
        )
    return ledger


def _reservations(problem: Problem) -> list[Command]:
    """A reservation for each order, of as much as there is."""
    orders, first = problem.orders, first_lines(problem)
    made = []
    for at in range(len(orders.ids)):
        lines: list[list[Any]] = [
            [problem.skus[orders.line_sku[line]], None, int(orders.quantity[line])]
            for line in range(first[at], first[at + 1])
        ]
        extra = {
            ZONE: problem.network.zones[orders.zone[at]],
            DELIVER_BY: _NOW_MS + round(orders.due[at] * _HOUR_MS),
            PARTIAL: True,
        }
        made.append(
            commands.reserve(f"o{at}", digest(lines, _HOLD_MS, extra), lines, _HOLD_MS, extra)
        )
    return made


def _free(ledger: Ledger, problem: Problem) -> Any:
    """(S x N) what may still be promised."""
    stock = np.zeros_like(problem.stock)
    node_of = {node: at for at, node in enumerate(problem.network.nodes)}
    for at, sku in enumerate(problem.skus):
        for position in ledger.books[sku].positions.values():
            stock[at, node_of[position.node]] = position.sellable
    return stock


def judged(problem: Problem, records: list[bytes | None]) -> tuple[int, int, int]:
    """What was granted costs so many cents by the rules of waves; lines short; parcels."""
    net, orders, first = problem.network, problem.orders, first_lines(problem)
    node_of = {node: at for at, node in enumerate(net.nodes)}
    rows: list[tuple[int, int, int, int]] = []  # order, line, node, units
    for number, record in enumerate(records):
        for place, granted in enumerate(Reservation(record).lines if record else ()):
            rows += [
                (number, int(first[number]) + place, node_of[node], units)
                for node, units in zip(granted[3::2], granted[4::2], strict=True)
            ]
    table = np.array(rows, np.int64).reshape(-1, 4)
    order, line, node, taken = table.T
    grams = taken * problem.unit_grams[orders.line_sku[line]]
    carried = costs.carriage(net, node, orders.zone[order], grams)
    handled = net.handling[node] * taken
    parcel = np.unique(order * len(net.nodes) + node)
    of_order: Ints = parcel // len(net.nodes)
    parts = costs.parcel_parts(problem, of_order, (parcel % len(net.nodes))[:, None])
    split = (len(parcel) - len(np.unique(of_order))) * problem.weights.split
    served = np.bincount(line, taken, minlength=len(orders.line_order))
    short = served < orders.quantity
    left = costs.unserved_costs(problem)[short].sum()
    total = carried.sum() + handled.sum() + (parts.lane + parts.lateness).sum() + split + left
    return int(total), int(short.sum()), len(parcel)
