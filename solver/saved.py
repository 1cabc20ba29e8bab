"""Problems and plans as files: arrays of NumPy, nothing that runs when it is read."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from solver import plan as plans
from solver.bids import BidPrices
from solver.plan import Plan
from solver.problem import Network, Orders, Problem, Weights

_PARTS = {"network": Network, "orders": Orders, "weights": Weights}


def save_problem(problem: Problem, path: Path) -> None:
    """Write `problem`; the file is a NumPy archive."""
    arrays: dict[str, Any] = {}
    for field in dataclasses.fields(problem):
        value = getattr(problem, field.name)
        if field.name in _PARTS:
            for part in dataclasses.fields(value):
                arrays[f"{field.name}.{part.name}"] = _array(getattr(value, part.name))
        else:
            arrays[field.name] = _array(value)
    np.savez_compressed(path, **arrays)


def _array(value: Any) -> Any:
    return np.array(value, np.str_) if isinstance(value, tuple) else np.asarray(value)


def load_problem(path: Path) -> Problem:
    """The problem that `save_problem` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: _value(archive[name]) for name in archive.files}
    made: dict[str, Any] = {name: value for name, value in arrays.items() if "." not in name}
    for name, kind in _PARTS.items():
        prefix = f"{name}."
        made[name] = kind(
            **{
                key.removeprefix(prefix): value
                for key, value in arrays.items()
                if key.startswith(prefix)
            }
        )
    return Problem(**made)


def _value(array: Any) -> Any:
    if array.dtype.kind in "US":
        return tuple(array.tolist())
    return array.item() if array.ndim == 0 else array


def save_plan(plan: Plan, path: Path) -> None:
    """Write what of `plan` cannot be computed anew."""
    np.savez_compressed(
        path,
        line_dock=plan.line_dock,
        bound=np.float64(plan.bound),
        seed=np.int64(plan.seed),
        version=np.str_(plan.version),
    )


def load_plan(problem: Problem, path: Path) -> Plan:
    """The plan of `problem` that `save_plan` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return plans.make(
            problem,
            archive["line_dock"],
            float(archive["bound"]),
            int(archive["seed"]),
            str(archive["version"]),
        )


def save_bids(prices: BidPrices, path: Path) -> None:
    """Write `prices`."""
    np.savez_compressed(path, units=prices.units, parcels=prices.parcels)


def load_bids(path: Path) -> BidPrices:
    """What `save_bids` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return BidPrices(archive["units"], archive["parcels"])
