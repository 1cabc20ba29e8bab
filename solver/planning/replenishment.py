"""When to order how much: reorder points and order-up-to levels, pooled over nodes that cover.

Times are days, stock is whole units, money whole cents. A *position* is one SKU at one node. What
is proposed is a proposal: orders up to a limit may be placed by a machine, others wait for a
person.
"""

import dataclasses
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from solver.errors import ProblemFault
from solver.problem import Bools, Floats, Ints

# Above it a normal deviate is a guess about a tail that nobody has seen.
SERVICE_MOST = 0.9999


@dataclasses.dataclass(frozen=True, slots=True)
class Positions:
    """SKUs at nodes, one row each; every array is of one length.

    `names` are for messages, unique. `pool` numbers rows that cover for each other (one SKU at
    nodes that may serve each other's customers); a row alone has a number of its own. `daily` and
    `deviation` are demand in units a day; `lead` and `lead_deviation` are days from the decision
    to the goods, the time until the next decision included; `cover` is days that an order lasts
    beyond the reorder point. `service` is the share of order cycles without a shortage.
    `on_hand`, `on_order`, `promised` are units; `pack` is units of a case, `minimum` the least
    units of an order, `cost` cents a unit.
    """

    names: tuple[str, ...]
    pool: Ints
    daily: Floats
    deviation: Floats
    lead: Floats
    lead_deviation: Floats
    cover: Floats
    service: Floats
    on_hand: Ints
    on_order: Ints
    promised: Ints
    pack: Ints
    minimum: Ints
    cost: Ints


@dataclasses.dataclass(frozen=True, slots=True)
class Approval:
    """What may be ordered without a person: `order` cents a position, `total` cents in all."""

    order: int
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class Levels:
    """Per position, in units: `safety` stock, `reorder` point, order `up_to`."""

    safety: Ints
    reorder: Ints
    up_to: Ints


@dataclasses.dataclass(frozen=True, slots=True)
class Proposal:
    """Units to order at a row of the positions, and what they cost."""

    row: int
    quantity: int
    cents: int
    needs_approval: bool
    short: bool  # What is there and on order is below the safety stock already.


def newsvendor_service(shortage: int, holding: int) -> float:
    """The service that pays: b / (b + h), for cents lost by a unit short and by one left over.

    The critical ratio of the newsvendor (Arrow, Harris and Marschak 1951; Silver, Pyke and Thomas,
    "Inventory and Production Management in Supply Chains", ch. 9).
    """
    if shortage < 0 or holding <= 0:
        message = f"shortage {shortage}, holding {holding}: cents, not negative, holding above 0"
        raise ProblemFault(message)
    return min(shortage / (shortage + holding), SERVICE_MOST)


def _refuse(bad: Bools, field: str, names: Sequence[str], remedy: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        row = int(rows[0])
        raise ProblemFault(
            f"{field} of {names[row]} (row {row}): {remedy}; {rows.size} rows in all"
        )


def validate(positions: Positions) -> Positions:
    """`positions` itself, once nothing in it is wrong; else `ProblemFault` names field and row."""
    names = positions.names
    for field in dataclasses.fields(positions):
        array: Any = getattr(positions, field.name)
        if len(array) != len(names):
            message = f"{field.name} has {len(array)} rows: there are {len(names)} names"
            raise ProblemFault(message)
        if field.name == "names":
            continue
        _refuse(~np.isfinite(array), field.name, names, "a number")
        _refuse(array < 0, field.name, names, "not negative")
    if len(set(names)) != len(names):
        twice = next(name for row, name in enumerate(names) if name in names[:row])
        message = f"names: {twice} stands twice; one row for each SKU at a node"
        raise ProblemFault(message)
    _refuse(positions.pack < 1, "pack", names, "units of a case, at least 1")
    _refuse(
        (positions.service < 0.5) | (positions.service > SERVICE_MOST),
        "service", names, f"a share from 0.5 to {SERVICE_MOST}",
    )  # fmt: skip
    return positions


def levels(positions: Positions) -> Levels:
    """Reorder point and order-up-to level of each position.

    R = d L + k sqrt(L s_d^2 + d^2 s_L^2), S = R + d x cover (Silver, Pyke and Thomas, sec. 6.10,
    after Hadley and Whitin 1963), k the normal deviate of the service. Demand of nodes in a pool
    is taken as independent (Eppen 1979, "Effects of centralization on expected costs in a
    multi-location newsboy problem"), late suppliers as late for all of them:

        s_pool^2 = sum L s_d^2 + (sum d s_L)^2

    and each position holds its part of k s_pool, s_pool's own derivative by it (Euler's theorem),
    so that the parts sum up to the whole. A pool of one is the formula above.
    """
    count = int(positions.pool.max(initial=-1)) + 1
    late = positions.daily * positions.lead_deviation
    late_pool = np.bincount(positions.pool, late, count)[positions.pool]
    part = positions.lead * positions.deviation**2 + late * late_pool
    whole = np.sqrt(np.bincount(positions.pool, part, count))[positions.pool]
    spread = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    deviate = np.array([NormalDist().inv_cdf(share) for share in positions.service])
    safety = deviate * spread
    reorder = positions.daily * positions.lead + safety
    up_to = reorder + positions.daily * positions.cover
    return Levels(
        safety=np.ceil(safety).astype(np.int64),
        reorder=np.ceil(reorder).astype(np.int64),
        up_to=np.ceil(up_to).astype(np.int64),
    )


def _parts(total: int, wants: Ints) -> Ints:
    """`total` units over `wants`, in proportion, none above its want; largest remainder."""
    if wants.sum() <= total:
        return wants
    exact = wants * total
    parts = exact // wants.sum()
    left = total - int(parts.sum())
    first = np.argsort(-(exact % wants.sum()), kind="stable")[:left]
    parts[first] += 1
    return np.asarray(parts)


def quantities(positions: Positions, goal: Levels) -> Ints:
    """Units to order per position; 0 where the pool's stock is above its reorder point.

    A pool orders what it lacks in all, where it lacks it: a node is not filled up while another
    has more than it needs, which is what transfers are for. Orders are whole cases, and at least
    the minimum.
    """
    stock = positions.on_hand + positions.on_order - positions.promised
    wanted = np.zeros_like(stock)
    order = np.argsort(positions.pool, kind="stable")
    starts = np.flatnonzero(np.diff(positions.pool[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        if stock[rows].sum() > goal.reorder[rows].sum():
            continue
        lack = int((goal.up_to[rows] - stock[rows]).sum())
        wanted[rows] = _parts(max(0, lack), np.maximum(0, goal.up_to[rows] - stock[rows]))
    least = np.maximum(wanted, positions.minimum)
    packed = -(-least // positions.pack) * positions.pack
    return np.where(wanted > 0, packed, 0)


def propose(positions: Positions, approval: Approval) -> list[Proposal]:
    """Orders for all positions that need one, the one with the fewest days of stock first.

    An order above `approval.order` waits for a person, and so does whatever comes after the
    orders placed without one have reached `approval.total`. Raises `ProblemFault`.
    """
    if min(approval.order, approval.total) < 0:
        message = f"approval: {approval} is in cents, not negative"
        raise ProblemFault(message)
    goal = levels(validate(positions))
    units = quantities(positions, goal)
    stock = positions.on_hand + positions.on_order - positions.promised
    lasts = np.where(
        positions.daily > 0, stock / np.where(positions.daily > 0, positions.daily, 1), math.inf
    )
    proposals: list[Proposal] = []
    placed = 0
    rows = np.flatnonzero(units)
    for row in rows[np.argsort(lasts[rows], kind="stable")].tolist():
        cents = int(units[row]) * int(positions.cost[row])
        alone = cents <= approval.order and placed + cents <= approval.total
        placed += cents if alone else 0
        short = bool(stock[row] < goal.safety[row])
        proposals.append(Proposal(row, int(units[row]), cents, not alone, short))
    return proposals
