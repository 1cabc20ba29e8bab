"""Orders from files: positions and expected demand in, steps out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from gateway.planning.expected import Expected
from gateway.planning.files import OrderedRow
from gateway.planning.step import Step, after, id_of
from solver.errors import ProblemFault
from solver.planning.replenishment import Approval, Positions, levels, newsvendor_service, propose


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds where a row says nothing else. `review_days` is until the next plan."""

    lead_days: float = 7.0
    cover_days: float = 7.0
    review_days: float = 1.0
    service: float = 0.95


def steps(
    rows: Sequence[OrderedRow], demand: Expected, terms: Terms, approval: Approval, on: date
) -> list[Step]:
    """What to order, the position with the fewest days of stock first. Raises `ProblemFault`."""
    positions = _positions(rows, demand, terms)
    proposals = propose(positions, approval)
    goal = levels(positions)
    made = []
    for one in proposals:
        row = rows[one.row]
        lead = _given(row.lead_days, terms.lead_days)
        why = {
            "stock": row.on_hand + row.on_order - row.promised,
            "reorder": int(goal.reorder[one.row]),
            "up_to": int(goal.up_to[one.row]),
            "daily": round(float(positions.daily[one.row]), 3),
            "below_safety": one.short,
        }
        made.append(
            Step(
                id=id_of(on, "order", row.sku, row.node),
                kind="order",
                sku=row.sku,
                from_node=None,
                node=row.node,
                quantity=one.quantity,
                cents=one.cents,
                available_on=after(on, lead),
                needs_approval=one.needs_approval,
                why=why,
            )
        )
    return made


def _given(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _service(row: OrderedRow, terms: Terms) -> float:
    """The row's own share, or what its costs make pay, or everybody's."""
    if row.shortage_cents is None or row.holding_cents is None:
        return _given(row.service, terms.service)
    if not row.holding_cents:
        message = f"holding_cents of {row.sku} at {row.node}: above 0, or nothing is ever enough"
        raise ProblemFault(message)
    # Where a unit left over costs more than one short, no safety stock is held; none below that.
    return max(0.5, newsvendor_service(row.shortage_cents, row.holding_cents))


def _positions(rows: Sequence[OrderedRow], demand: Expected, terms: Terms) -> Positions:
    each = [demand.of(row.sku, row.node) for row in rows]
    names = [f"{row.sku} at {row.node}" for row in rows]
    pools: dict[Any, int] = {}
    pool = [
        pools.setdefault((row.sku, row.pool) if row.pool else name, len(pools))
        for name, row in zip(names, rows, strict=True)
    ]

    def units(field: str) -> Any:
        return np.array([getattr(row, field) for row in rows], np.int64)

    return Positions(
        names=tuple(names),
        pool=np.array(pool, np.int64),
        daily=np.array([mean for mean, _ in each], float),
        deviation=np.array([deviation for _, deviation in each], float),
        lead=np.array(
            [_given(row.lead_days, terms.lead_days) + terms.review_days for row in rows], float
        ),
        lead_deviation=np.array([row.lead_deviation_days for row in rows], float),
        cover=np.array([_given(row.cover_days, terms.cover_days) for row in rows], float),
        service=np.array([_service(row, terms) for row in rows], float),
        on_hand=units("on_hand"),
        on_order=units("on_order"),
        promised=units("promised"),
        pack=units("pack"),
        minimum=units("minimum"),
        cost=units("unit_cents"),
    )
