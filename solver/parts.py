"""Some orders of a wave as a problem of their own, so that another process can work on them.

A part has the stock and capacity that all other orders do not take. Parts that are worked at the
same time share what nobody takes.
"""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from solver import columns, residual
from solver.bound import Proof
from solver.columns import Columns
from solver.problem import Bools, Floats, Ints, Problem
from solver.search import Search


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Some orders as a problem: `lines` are their lines' numbers in the whole one."""

    problem: Problem
    lines: Ints
    line_dock: Ints
    mu: Floats
    nu: Floats
    pool: Columns
    proof: Proof
    warmth: float


def _rows(problem: Problem, rows: Ints) -> Bools:
    inside = np.zeros(len(problem.orders.ids), bool)
    inside[rows] = True
    return inside


def _shared(spare: npt.NDArray[Any], parts: int, index: int, turn: Ints) -> npt.NDArray[Any]:
    """What part `index` of `parts` gets of `spare`: what does not divide goes by `turn`.

    `turn` (of the shape of `spare`) says who is first: a last unit is worth more to one part whole
    than to none.
    """
    return spare // parts + ((index + turn) % parts < spare % parts)


def extract(state: Search, blocks: list[Ints], rng: np.random.Generator) -> list[Part]:
    """A part for each of `blocks` (order numbers, ascending), to be worked at the same time."""
    problem = state.problem
    skus, nodes = problem.stock.shape
    asked = np.zeros((len(blocks), skus), bool)
    everyone = np.zeros(len(problem.orders.ids), bool)
    for index, rows in enumerate(blocks):
        inside = _rows(problem, rows)
        everyone |= inside
        asked[index, problem.orders.line_sku[inside[problem.orders.line_order]]] = True
    spare = residual.without(problem, state.line_dock, np.zeros(len(everyone), bool))
    turn = rng.integers(0, len(blocks), (skus, nodes))
    dock_turn = rng.integers(0, len(blocks), len(problem.network.capacity))
    alone = asked.sum(axis=0) <= 1
    made = []
    for index, rows in enumerate(blocks):
        inside = _rows(problem, rows)
        left = residual.without(problem, state.line_dock, inside)
        share = _shared(spare.stock, len(blocks), index, turn)
        share[alone] = spare.stock[alone]
        rooms = _shared(spare.network.capacity, len(blocks), index, dock_turn)
        network = dataclasses.replace(
            left.network, capacity=left.network.capacity - spare.network.capacity + rooms
        )
        stock = (left.stock - spare.stock + share).astype(np.int32)
        mine = dataclasses.replace(problem, stock=stock, network=network)
        made.append(_part(state, mine, rows, inside))
    return made


def apart(left: Problem, rows: Ints) -> tuple[Problem, Ints]:
    """The orders `rows` (ascending) as a problem with the stock and capacity of `left`.

    With it the numbers of its lines in `left`. Only SKUs that its orders ask for are in it.
    """
    orders = left.orders
    lines = np.flatnonzero(_rows(left, rows)[orders.line_order])
    skus, line_sku = np.unique(orders.line_sku[lines], return_inverse=True)
    per_order = ("zone", "due", "priority", "most_parcels", "complete", "kinds", "pickup")
    problem = dataclasses.replace(
        left,
        skus=tuple(left.skus[sku] for sku in skus.tolist()),
        unit_grams=left.unit_grams[skus],
        stock=left.stock[skus],
        standing=left.standing[lines],
        orders=dataclasses.replace(
            orders,
            ids=tuple(orders.ids[row] for row in rows.tolist()),
            **{name: getattr(orders, name)[rows] for name in per_order},
            line_order=np.searchsorted(rows, orders.line_order[lines]),
            line_sku=line_sku,
            quantity=orders.quantity[lines],
            together=orders.together[lines],
            only=orders.only[lines],
        ),
    )
    return problem, lines


def _part(state: Search, left: Problem, rows: Ints, inside: Bools) -> Part:
    """The orders `rows` as a part of their own, with the stock and capacity of `left`."""
    part, lines = apart(left, rows)
    skus = np.unique(left.orders.line_sku[lines])
    known = columns.taken(state.pool, inside[state.pool.order])
    pool = dataclasses.replace(
        known,
        order=np.searchsorted(rows, known.order),
        line=np.searchsorted(lines, known.line),
    )
    # Its own share of the bound is not known; what its orders could cost at best is.
    proof = state.proof
    if len(proof.value):
        proof = dataclasses.replace(
            proof, bound=-np.inf, value=proof.value[rows], mu=proof.mu[skus]
        )
    return Part(
        part, lines, state.line_dock[lines], state.mu[skus], state.nu, pool, proof, state.warmth
    )
