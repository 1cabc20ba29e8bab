"""What a plan leaves: the same problem with less stock and capacity, for some of its orders."""

import dataclasses

import numpy as np

from solver.plan import parcels_of
from solver.problem import NOWHERE, Bools, Ints, Problem


def without(problem: Problem, line_dock: Ints, freed: Bools) -> Problem:
    """`problem` with the stock and capacity that the orders not `freed` (O) do not take."""
    net, orders = problem.network, problem.orders
    kept = np.flatnonzero((line_dock != NOWHERE) & ~freed[orders.line_order])
    stock = problem.stock.copy()
    cell = orders.line_sku[kept], net.dock_node[line_dock[kept]]
    np.subtract.at(stock, cell, orders.quantity[kept])
    order, dock = parcels_of(problem, line_dock)
    used = np.bincount(dock[~freed[order]], minlength=len(net.dock_node))
    return dataclasses.replace(
        problem, stock=stock, network=dataclasses.replace(net, capacity=net.capacity - used)
    )
