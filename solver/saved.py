"""Problems, plans and cases as files: arrays of NumPy, nothing that runs when it is read."""

import dataclasses
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from solver import plan as plans
from solver.case import Case
from solver.errors import ProblemFault
from solver.plan import Plan
from solver.problem import Network, Orders, Problem, Weights, validate

if TYPE_CHECKING:  # It brings the linear program, which who only looks at a plan never needs.
    from solver.bids import BidPrices

_PARTS = {"network": Network, "orders": Orders, "weights": Weights}


def save_problem(problem: Problem, path: Path) -> None:
    """Write `problem`; the file is a NumPy archive."""
    np.savez_compressed(path, **_arrays(problem))


def _arrays(problem: Problem) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for field in dataclasses.fields(problem):
        value = getattr(problem, field.name)
        if field.name in _PARTS:
            for part in dataclasses.fields(value):
                arrays[f"{field.name}.{part.name}"] = _array(getattr(value, part.name))
        else:
            arrays[field.name] = _array(value)
    return arrays


def _array(value: Any) -> Any:
    return np.array(value, np.str_) if isinstance(value, tuple) else np.asarray(value)


def load_problem(path: Path) -> Problem:
    """The problem that `save_problem` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return _problem({name: archive[name] for name in archive.files})


def _problem(arrays: Mapping[str, Any]) -> Problem:
    made = {name: _value(array) for name, array in arrays.items() if "." not in name}
    for name, kind in _PARTS.items():
        made[name] = kind(**{key: _value(array) for key, array in _below(name, arrays).items()})
    return Problem(**made)


def _below(name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays whose names begin with `name` and a dot, without these."""
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
    }


def _value(array: Any) -> Any:
    if array.dtype.kind in "US":
        return tuple(array.tolist())
    return array.item() if array.ndim == 0 else array


def save_plan(plan: Plan, path: Path) -> None:
    """Write what of `plan` cannot be computed anew."""
    np.savez_compressed(path, **_essence(plan))


def _essence(plan: Plan) -> dict[str, Any]:
    return {
        "line_dock": plan.line_dock,
        "bound": np.float64(plan.bound),
        "seed": np.int64(plan.seed),
        "version": np.str_(plan.version),
    }


def load_plan(problem: Problem, path: Path) -> Plan:
    """The plan of `problem` that `save_plan` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return _plan(problem, archive)


def _plan(problem: Problem, arrays: Mapping[str, Any]) -> Plan:
    return plans.make(
        problem,
        arrays["line_dock"],
        float(arrays["bound"]),
        int(arrays["seed"]),
        str(arrays["version"]),
    )


def pack_case(case: Case) -> bytes:
    """`case` as a NumPy archive, to travel."""
    arrays = {f"problem.{name}": array for name, array in _arrays(case.problem).items()}
    arrays |= {f"plan.{name}": array for name, array in _essence(case.plan).items()}
    arrays |= {"origin": case.origin, "latitude": case.latitude, "longitude": case.longitude}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpack_case(data: bytes) -> Case:
    """The case that `pack_case` packed. Raises `ProblemFault` for bytes that are no case."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        problem = validate(_problem(_below("problem", arrays)))
        return Case(
            problem=problem,
            plan=_plan(problem, _below("plan", arrays)),
            origin=arrays["origin"],
            latitude=arrays["latitude"],
            longitude=arrays["longitude"],
        )
    except (ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as wrong:
        raise ProblemFault(f"this is no wave's file, export it again: {wrong}") from wrong


def save_bids(prices: "BidPrices", path: Path) -> None:
    """Write `prices`."""
    np.savez_compressed(path, units=prices.units, parcels=prices.parcels)


def load_bids(path: Path) -> "BidPrices":
    """What `save_bids` wrote."""
    from solver.bids import BidPrices

    with np.load(path, allow_pickle=False) as archive:
        return BidPrices(archive["units"], archive["parcels"])
