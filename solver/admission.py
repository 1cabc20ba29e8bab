"""Wishes of orders, admitted one by one as far as they fit together.

All of them were made by looking at one book; what the first got, the next may not count on.
"""

import dataclasses
import itertools

import numpy as np

from solver.displacing import Book, Displaced, at_least
from solver.problem import NOWHERE, Bools, Floats, Ints, Problem


@dataclasses.dataclass(frozen=True, slots=True)
class Wishes:
    """Lines that would move, those of one wish together: V lines of W wishes.

    `begin` (W + 1) says where a wish's lines begin; `line` (V), `dock` (V, -1: left), its `cell`
    (V) and the units `short` (V) there, which a displaced line makes room for; `fresh` (V): whether
    this is the first line of a parcel that the order does not have yet.
    """

    begin: Ints
    line: Ints
    dock: Ints
    cell: Ints
    short: Ints
    fresh: Bools


@dataclasses.dataclass(slots=True)
class _Free:
    """What is free, as far as it was touched; of `shut` cells a line was displaced."""

    stock: dict[int, int]
    shut: set[int]
    room: list[int]


def admit(problem: Problem, wishes: Wishes, held: Book, by: Displaced, line_dock: Ints) -> int:
    """Carry out in `line_dock` (L) the wishes that fit, the first first; how many did."""
    orders, net = problem.orders, problem.network
    short = wishes.short > 0
    victim = by.line[at_least(wishes.short, len(by.line)), np.maximum(wishes.cell, 0)]
    victim = np.where(short, victim, NOWHERE)
    goes = np.where(short, by.to[victim], NOWHERE)
    cell = orders.line_sku[victim] * len(net.nodes) + net.dock_node[goes]
    cell[goes == NOWHERE] = NOWHERE
    # A line that only changes its dock at one node takes its units along.
    takes = np.where(wishes.cell == held.cell[wishes.line], 0, orders.quantity[wishes.line])
    takes[wishes.dock == NOWHERE] = 0
    room = np.where(wishes.fresh, wishes.dock, NOWHERE)
    asked = zip(
        wishes.cell.tolist(),
        takes.tolist(),
        held.free[np.maximum(wishes.cell, 0)].tolist(),
        room.tolist(),
        cell.tolist(),
        np.where(short, orders.quantity[victim], 0).tolist(),
        held.free[np.maximum(cell, 0)].tolist(),
        strict=True,
    )
    rows = list(asked)
    free = _Free({}, set(), held.room.tolist())
    admitted = np.zeros(len(wishes.line), bool)
    edges = wishes.begin.tolist()
    count = 0
    for begin, end in itertools.pairwise(edges):
        if _fits(rows[begin:end], free):
            admitted[begin:end] = True
            count += 1
    line_dock[wishes.line[admitted]] = wishes.dock[admitted]
    follows = admitted & short
    line_dock[victim[follows]] = goes[follows]
    return count


_Asked = tuple[int, int, int, int, int, int, int]


def _fits(rows: list[_Asked], free: _Free) -> bool:
    """Whether a wish fits; what it takes is taken then, and nothing otherwise."""
    stock: dict[int, int] = {}
    shut: set[int] = set()
    room: list[int] = []
    for cell, takes, there, dock, other, gives, there_other in rows:
        if dock != NOWHERE:
            if free.room[dock] - room.count(dock) < 1:
                return False
            room.append(dock)
        if not takes:
            continue
        now = stock.get(cell, free.stock.get(cell, there))
        if cell in free.shut or cell in shut or (gives and now != there):
            return False
        if now + gives < takes:
            return False
        stock[cell] = now + gives - takes
        if gives:
            shut.add(cell)
            if other != NOWHERE:
                left = stock.get(other, free.stock.get(other, there_other)) - gives
                if left < 0 or other in free.shut:
                    return False
                stock[other] = left
    free.stock.update(stock)
    free.shut |= shut
    for dock in room:
        free.room[dock] -= 1
    return True


def listed(value: Floats, order: Ints) -> tuple[Ints, Ints]:
    """Rows of `order` (V: which wish each is of) by falling `value` of their wish, and `begin`."""
    wish, first, count = np.unique(order, return_index=True, return_counts=True)
    turn = np.argsort(-value[first], kind="stable")
    rank = np.empty(len(wish), np.int64)
    rank[turn] = np.arange(len(wish))
    rows = np.argsort(rank[np.searchsorted(wish, order)], kind="stable")
    return rows, np.concatenate([[0], np.cumsum(count[turn])])
