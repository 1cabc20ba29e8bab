"""Which docks can serve an order at all: they have a line of it, a lane to it, and a room.

No other dock stands in a cheapest pattern: it would serve nothing and its parcel costs something,
so leaving it out proves as much as looking at it. Of thousands of nodes few hold a given SKU.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from solver import costs
from solver.problem import NOWHERE, Bools, Ints, Problem, first_lines


@dataclasses.dataclass(frozen=True, slots=True)
class Able:
    """Some orders and their docks.

    `at` (m) their places among the rows asked about, `docks` (m x k), `real` (m x k: False where
    an order has fewer docks; the dock there is 0).
    """

    at: Ints
    docks: Ints
    real: Bools


def _ranges(begin: Ints, count: Ints) -> Ints:
    """`begin[i]`, `begin[i] + 1`, ... for `count[i]` numbers, one range after the other."""
    ends = np.cumsum(count)
    return np.repeat(begin - (ends - count), count) + np.arange(ends[-1] if len(ends) else 0)


def _holders(problem: Problem, lines: Ints) -> tuple[Ints, Ints]:
    """(line, node) of every node that has the units of one of `lines`, by place in `lines`."""
    orders = problem.orders
    skus, which = np.unique(orders.line_sku[lines], return_inverse=True)
    stock = problem.stock[skus]
    sku, node = np.nonzero(stock)
    count = np.bincount(sku, minlength=len(skus))
    line = np.repeat(np.arange(len(lines)), count[which])
    node = node[_ranges((np.cumsum(count) - count)[which], count[which])]
    enough = stock[which[line], node] >= orders.quantity[lines[line]]
    only = orders.only[lines[line]]
    kept = enough & ((only == NOWHERE) | (only == node))
    return line[kept], node[kept]


def _pairs(problem: Problem, rows: Ints) -> tuple[Ints, Ints]:
    """(order, dock), ascending, of every dock that can serve a line of one of `rows`, by place."""
    net = problem.network
    first = first_lines(problem)
    count = first[rows + 1] - first[rows]
    line, node = _holders(problem, _ranges(first[rows], count))
    place = np.repeat(np.arange(len(rows)), count)[line]
    nodes = len(net.nodes)
    # A node serves an order or does not, by whichever line.
    once = np.unique(place * nodes + node)
    place, node = once // nodes, once % nodes
    by_node = np.argsort(net.dock_node, kind="stable")
    docks = np.bincount(net.dock_node, minlength=nodes)
    place = np.repeat(place, docks[node])
    dock = by_node[_ranges((np.cumsum(docks) - docks)[node], docks[node])]
    allowed = costs.parcel_parts(problem, rows[place], dock[:, None]).allowed[:, 0]
    kept = allowed & (net.capacity[dock] > 0)
    return place[kept], dock[kept]


def able(problem: Problem, rows: Ints, portion: int) -> Iterator[Able]:
    """The docks that can serve the orders `rows`, some orders at a time.

    Orders with about as many docks come together, lines x docks at most `portion` at a time
    (or one order).
    """
    place, dock = _pairs(problem, rows)
    count = np.bincount(place, minlength=len(rows))
    begin = np.cumsum(count) - count
    first = first_lines(problem)
    lines = first[rows + 1] - first[rows]
    turn = np.argsort(-count, kind="stable")
    start = 0
    while start < len(turn):
        wide = max(1, int(count[turn[start]]))
        cells = np.cumsum(lines[turn[start:]]) * wide
        some = turn[start : start + max(1, int(np.searchsorted(cells, portion, side="right")))]
        real = np.arange(wide) < count[some][:, None]
        docks = np.zeros(real.shape, np.int64)
        docks[real] = dock[_ranges(begin[some], count[some])]
        yield Able(some, docks, real)
        start += len(some)
