"""What a parcel and a line cost, for some orders and docks at once.

A parcel from dock d to order o: lane, lateness and the price of a split,
`A[o, d] = fixed + lateness_day * priority * days late + split`; a line from it:
`B[l, d] = kilograms * rate + quantity * handling`, both in whole cents, carriage rounded up. The
rate is that of the lane, or of the heaviest of its steps that the line's weight reaches. The first
parcel of an order is no split: who adds parcels up takes `split` off once.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from solver.problem import NOWHERE, Floats, Ints, Network, Problem

# Dearer than anything that can be chosen, and still exact beside cents in a float.
FORBIDDEN = 1e12


@dataclasses.dataclass(frozen=True, slots=True)
class ParcelParts:
    """The parts of `A` beside the split: (orders x docks), cents; `allowed` where it may be.

    `days` is how many days the parcel comes after the promise, what `lateness` is the price of.
    """

    lane: Floats
    lateness: Floats
    allowed: npt.NDArray[np.bool_]
    days: Floats


def parcel_parts(problem: Problem, orders: Ints, docks: Ints) -> ParcelParts:
    """The cost parts of a parcel for `orders` (m) from `docks`: (k) for all, or (m x k)."""
    net, all_orders = problem.network, problem.orders
    docks = np.broadcast_to(docks, (len(orders), docks.shape[-1]))
    node = net.dock_node[docks]
    zone = all_orders.zone[orders][:, None]
    fixed = net.lane_fixed[node, zone]
    pickup = all_orders.pickup[orders][:, None]
    carried = pickup == NOWHERE
    kinds = all_orders.kinds[orders][:, None]
    allowed = np.where(carried, fixed >= 0, pickup == node) & ((kinds >> net.kind[node]) & 1 == 1)
    arrival = net.departure[docks] + np.where(carried, net.transit[node, zone], 0.0)
    late = np.maximum(0.0, arrival - all_orders.due[orders][:, None]) / 24.0
    rate = problem.weights.lateness_day * all_orders.priority[orders][:, None]
    return ParcelParts(np.where(carried, fixed, 0), np.rint(late * rate), allowed, late)


def parcel_costs(problem: Problem, orders: Ints, docks: Ints) -> Floats:
    """`A` for `orders` (m) and `docks` (k or m x k): (m x k); FORBIDDEN where a rule says so."""
    parts = parcel_parts(problem, orders, docks)
    return np.where(parts.allowed, parts.lane + parts.lateness + problem.weights.split, FORBIDDEN)


def line_costs(problem: Problem, lines: Ints, docks: Ints) -> tuple[Floats, Floats]:
    """Carriage by weight and handling of `lines` (m) from `docks` (k or m x k): each (m x k)."""
    net, orders = problem.network, problem.orders
    docks = np.broadcast_to(docks, (len(lines), docks.shape[-1]))
    node = net.dock_node[docks]
    order = orders.line_order[lines]
    quantity = orders.quantity[lines]
    grams = (quantity * problem.unit_grams[orders.line_sku[lines]])[:, None]
    carried = (orders.pickup[order] == NOWHERE)[:, None]
    weight = np.where(carried, carriage(net, node, orders.zone[order][:, None], grams), 0.0)
    return weight, (net.handling[node] * quantity[:, None]).astype(np.float64)


def carriage(net: Network, node: Ints, zone: Ints, grams: Ints) -> Floats:
    """What lines of these weights cost beyond a lane's fixed part: cents, in the common shape."""
    rate = net.lane_kg[node, zone]
    for step in range(net.lane_steps.shape[2]):
        begins, cents = (net.lane_steps[node, zone, step, part] for part in (0, 1))
        rate = np.where(grams >= begins, cents, rate)
    return np.ceil(rate * grams / 1000.0)


def lacking(problem: Problem, lines: Ints, docks: Ints) -> npt.NDArray[np.bool_]:
    """Where a dock cannot serve a line: too few units, or another node must. (m x k)"""
    orders = problem.orders
    docks = np.broadcast_to(docks, (len(lines), docks.shape[-1]))
    node = problem.network.dock_node[docks]
    sku, only = orders.line_sku[lines][:, None], orders.only[lines][:, None]
    short: npt.NDArray[np.bool_] = problem.stock[sku, node] < orders.quantity[lines][:, None]
    elsewhere: npt.NDArray[np.bool_] = (only != NOWHERE) & (only != node)
    return short | elsewhere


def unserved_costs(problem: Problem) -> Floats:
    """What it costs to leave a line for later: (L), cents."""
    priority = problem.orders.priority[problem.orders.line_order]
    stands = problem.standing != NOWHERE
    weights = problem.weights
    left: Floats = weights.unserved_line * priority + weights.displaced_line * stands.astype(float)
    return left
