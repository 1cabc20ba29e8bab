"""Transfers judged without the optimiser: one unit and one rule at a time, in plain Python.

Shares no arithmetic with `rebalancing`, so that an error in one is not repeated in the other.
"""

from collections import Counter
from collections.abc import Iterable

from solver.planning.rebalancing import Lanes, Moves, Stocks, Transfer


def worth_of(stocks: Stocks, sku: int, node: int, units: int) -> int:
    """What so many units of a SKU at a node are worth in all, in cents."""
    total, left = 0, units
    steps = zip(stocks.room[sku, node].tolist(), stocks.worth[sku, node].tolist(), strict=True)
    for room, worth in steps:
        taken = min(left, room)
        total += taken * worth
        left -= taken
    return total


def earned(stocks: Stocks, lanes: Lanes, transfers: Iterable[Transfer]) -> int:
    """Worth gained by the transfers, in cents, nothing taken off."""
    change: Counter[tuple[int, int]] = Counter()
    for one in transfers:
        change[one.sku, int(lanes.origin[one.lane])] -= one.quantity
        change[one.sku, int(lanes.target[one.lane])] += one.quantity
    return sum(
        worth_of(stocks, sku, node, int(stocks.stock[sku, node]) + units)
        - worth_of(stocks, sku, node, int(stocks.stock[sku, node]))
        for (sku, node), units in change.items()
    )


def costs(lanes: Lanes, transfers: Iterable[Transfer], trucks: Iterable[int]) -> int:
    """What units and trucks cost, in cents."""
    by_unit = sum(one.quantity * int(lanes.unit[one.lane]) for one in transfers)
    return by_unit + sum(
        number * int(cents) for number, cents in zip(trucks, lanes.truck, strict=True)
    )


def findings(stocks: Stocks, lanes: Lanes, moves: Moves) -> list[str]:
    """What is wrong with `moves`, in words; empty where nothing is."""
    found = _rules(stocks, lanes, moves)
    trucks = moves.trucks.tolist()
    gain = earned(stocks, lanes, moves.transfers) - costs(lanes, moves.transfers, trucks)
    if gain != moves.gain:
        found.append(f"a gain of {moves.gain} cents is told, it is {gain}")
    return found + _idle(stocks, lanes, moves, gain)


def _rules(stocks: Stocks, lanes: Lanes, moves: Moves) -> list[str]:
    found = []
    given: Counter[tuple[int, int]] = Counter()
    load: Counter[int] = Counter()
    for one in moves.transfers:
        if one.quantity < 1:
            found.append(f"{one}: no units")
        given[one.sku, int(lanes.origin[one.lane])] += one.quantity
        load[one.lane] += one.quantity * int(stocks.volume[one.sku])
    for (sku, node), units in given.items():
        left = int(stocks.stock[sku, node]) - units
        if left < int(stocks.keep[sku, node]):
            found.append(f"{stocks.skus[sku]} at {stocks.nodes[node]}: {left} are left, "
                         f"{stocks.keep[sku, node]} must stay")  # fmt: skip
    for lane, trucks in enumerate(moves.trucks.tolist()):
        if int(lanes.load[lane]) and load[lane] > trucks * int(lanes.load[lane]):
            found.append(f"lane {lane}: {load[lane]} ml in {trucks} trucks")
        if trucks > int(lanes.trucks[lane]):
            found.append(f"lane {lane}: {trucks} trucks, there are {lanes.trucks[lane]}")
    return found


def _idle(stocks: Stocks, lanes: Lanes, moves: Moves, gain: int) -> list[str]:
    """Transfers, and lanes, without which the rest would earn as much."""
    found = []
    for number, one in enumerate(moves.transfers):
        rest = moves.transfers[:number] + moves.transfers[number + 1 :]
        less = earned(stocks, lanes, moves.transfers) - earned(stocks, lanes, rest)
        if less <= one.quantity * int(lanes.unit[one.lane] + lanes.risk[one.lane]):
            found.append(f"{one}: earns {less} cents, no more than its costs and its risk")
    for lane in sorted({one.lane for one in moves.transfers}):
        rest = tuple(one for one in moves.transfers if one.lane != lane)
        trucks = [0 if row == lane else int(n) for row, n in enumerate(moves.trucks)]
        risk = sum(one.quantity * int(lanes.risk[lane])
                   for one in moves.transfers if one.lane == lane)  # fmt: skip
        if gain - risk <= earned(stocks, lanes, rest) - costs(lanes, rest, trucks):
            found.append(f"lane {lane}: without it as much would be earned")
    return found
