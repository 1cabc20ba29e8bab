"""A wave and its plan as one file, for who looks at them elsewhere."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from actors.waves.merging import heads
from actors.waves.problem import Wave
from engine.stock import Node
from solver.case import Case
from solver.plan import Plan
from solver.problem import Floats
from solver.saved import pack_case


def case_file(wave: Wave, plan: Plan, nodes: Mapping[str, Node]) -> bytes:
    """The file: problem and plan, where lines stood, and where the nodes lie."""
    problem, names = wave.problem, wave.problem.network.nodes
    ids = tuple(wave.orders[at].id for at in heads(wave.party))
    orders = dataclasses.replace(problem.orders, ids=ids)
    return pack_case(
        Case(
            problem=dataclasses.replace(problem, orders=orders),
            plan=plan,
            origin=wave.stood,
            latitude=_degrees("latitude", names, nodes),
            longitude=_degrees("longitude", names, nodes),
        )
    )


def _degrees(member: str, names: tuple[str, ...], nodes: Mapping[str, Node]) -> Floats:
    told = [nodes[name].members.get(member) for name in names]
    return np.array([np.nan if value is None else value for value in told], np.float64)
