"""Suppositions of a dry run: the same wave on nodes that send more, over lanes that are faster."""

import dataclasses
from typing import Any, Final

import numpy as np

from solver.problem import UNBOUNDED, Floats, Ints, Problem

_DAY_H: Final = 24.0


class NotThere(Exception):
    """A supposition about a node that does not exist; the text names it."""


@dataclasses.dataclass(frozen=True, slots=True)
class WhatIf:
    """``capacity_percent`` of today's parcels, of every node or by node; days less on each lane.

    None, or a node that is not named, is as today.
    """

    capacity_percent: int | dict[str, int] | None = None
    days_faster: int | None = None

    @classmethod
    def told(cls, asked: dict[str, Any]) -> "WhatIf":
        """As it travels beside the other members of a wave that is asked for."""
        return cls(asked["capacity_percent"], asked["days_faster"])

    def applied(self, problem: Problem) -> Problem:
        """``problem`` with what is supposed; itself where nothing is. Raises ``NotThere``."""
        if self == WhatIf():
            return problem
        net = problem.network
        return dataclasses.replace(
            problem,
            network=dataclasses.replace(
                net,
                capacity=self._capacity(net.nodes, net.dock_node, net.capacity),
                transit=self._transit(net.transit),
            ),
        )

    def _capacity(self, nodes: tuple[str, ...], dock_node: Ints, capacity: Ints) -> Ints:
        """Parcels by dock, rounded down; a node without a bound has none either way."""
        given = self.capacity_percent
        by_node = given if isinstance(given, dict) else {}
        unknown = sorted(by_node.keys() - set(nodes))
        if unknown:
            raise NotThere(f"capacity_percent: no node {unknown[0]}")
        others = given if isinstance(given, int) else 100
        percent = np.array([by_node.get(name, others) for name in nodes], np.int64)[dock_node]
        return np.where(capacity >= UNBOUNDED, capacity, capacity * percent // 100)

    def _transit(self, transit: Floats) -> Floats:
        return np.maximum(0.0, transit - _DAY_H * (self.days_faster or 0))
