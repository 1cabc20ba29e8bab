"""Linear and mixed-integer programs given as arrays, solved through MathOpt.

MathOpt's Python model is built term by term, which costs more than the solve at our sizes; its
wire form is filled from arrays here in a tenth of the time. HiGHS is the default for everything;
SCIP and CP-SAT stand beside it for comparison.
"""

import dataclasses
import datetime as dt
import enum
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from ortools.math_opt import (
    callback_pb2,
    model_parameters_pb2,
    model_pb2,
    parameters_pb2,
    result_pb2,
    solution_pb2,
)
from ortools.math_opt.core.python import solver as core
from pybind11_abseil.status import StatusNotOk

from solver.errors import SolverFault

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# At the default level and with one worker CP-SAT never sees the structure of these models.
CP_SAT_LINEARIZATION = 2

# How near an interior point must be. At HiGHS's defaults (1e-7, 1e-7, 1e-8) it ends without an
# answer more often than not; a thousandth of a cent in a dual price is near enough for us.
_INTERIOR_TOLERANCES = {
    "primal_feasibility_tolerance": 1e-5,
    "dual_feasibility_tolerance": 1e-3,
    "ipm_optimality_tolerance": 1e-6,
}


class Engine(enum.Enum):
    """Which solver behind MathOpt does the work."""

    HIGHS = "highs"
    SCIP = "scip"
    CP_SAT = "cp-sat"


_TYPES = {
    Engine.HIGHS: parameters_pb2.SOLVER_TYPE_HIGHS,
    Engine.SCIP: parameters_pb2.SOLVER_TYPE_GSCIP,
    Engine.CP_SAT: parameters_pb2.SOLVER_TYPE_CP_SAT,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """Minimise `cost · x` with `row_lower ≤ A x ≤ row_upper`, `lower ≤ x ≤ upper`.

    `A` is given by its nonzeros: `entry_row`, `entry_column`, `entry_value`, in any order, no
    place twice. `integer` says which columns take whole values.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    integer: npt.NDArray[np.bool_]
    row_lower: Floats
    row_upper: Floats
    entry_row: Ints
    entry_column: Ints
    entry_value: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """When a search stops: after `seconds` of wall time, or at a relative gap."""

    seconds: float
    relative_gap: float = 0.0
    seed: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Solution:
    """What a solver found: `values` per column; `duals` per row for a linear program, else empty.

    `bound` is the solver's own word on the optimum. It is not proof: HiGHS was seen to return its
    incumbent as bound at a time limit.
    """

    optimal: bool
    objective: float
    bound: float
    values: Floats
    duals: Floats


def _model(program: Program) -> model_pb2.ModelProto:
    model = model_pb2.ModelProto()
    columns, rows = len(program.cost), len(program.row_lower)
    model.variables.ids.extend(range(columns))
    model.variables.lower_bounds.extend(program.lower.tolist())
    model.variables.upper_bounds.extend(program.upper.tolist())
    model.variables.integers.extend(program.integer.tolist())
    priced = np.flatnonzero(program.cost)
    model.objective.linear_coefficients.ids.extend(priced.tolist())
    model.objective.linear_coefficients.values.extend(program.cost[priced].tolist())
    model.linear_constraints.ids.extend(range(rows))
    model.linear_constraints.lower_bounds.extend(program.row_lower.tolist())
    model.linear_constraints.upper_bounds.extend(program.row_upper.tolist())
    order = np.lexsort((program.entry_column, program.entry_row))
    matrix = model.linear_constraint_matrix
    matrix.row_ids.extend(program.entry_row[order].tolist())
    matrix.column_ids.extend(program.entry_column[order].tolist())
    matrix.coefficients.extend(program.entry_value[order].tolist())
    return model


def _parameters(
    engine: Engine, limits: Limits, interior: bool
) -> parameters_pb2.SolveParametersProto:
    parameters = parameters_pb2.SolveParametersProto(random_seed=limits.seed)
    parameters.time_limit.FromTimedelta(dt.timedelta(seconds=limits.seconds))
    parameters.relative_gap_tolerance = limits.relative_gap
    if interior:
        parameters.highs.string_options["solver"] = "ipm"
        parameters.highs.string_options["run_crossover"] = "off"
        parameters.highs.double_options.update(_INTERIOR_TOLERANCES)
    if engine is Engine.CP_SAT:
        # One worker: its portfolio wants eight, and several are not reproducible.
        parameters.threads = 1
        parameters.cp_sat.linearization_level = CP_SAT_LINEARIZATION
    return parameters


def _hint(values: Floats | None) -> model_parameters_pb2.ModelSolveParametersProto:
    given = model_parameters_pb2.ModelSolveParametersProto()
    if values is not None:
        hint = given.solution_hints.add()
        hint.variable_values.ids.extend(range(len(values)))
        hint.variable_values.values.extend(values.tolist())
    return given


def solve(
    program: Program,
    limits: Limits,
    *,
    engine: Engine = Engine.HIGHS,
    hint: Floats | None = None,
    interior: bool = False,
) -> Solution | None:
    """Solve `program` within `limits`, from `hint` (a value per column) where one is given.

    `interior` solves a linear program by HiGHS's interior point method and stays inside the face
    of optima: duals in its middle instead of at a corner, and values that are less often whole.
    Where that ends short of an optimum, the simplex method has another `limits` of time.
    None where no feasible point was found in time; raises `SolverFault` where there is none, or
    where the solver refuses the program.
    """
    try:
        result = core.solve(
            _model(program),
            _TYPES[engine],
            parameters_pb2.SolverInitializerProto(),
            _parameters(engine, limits, interior),
            _hint(hint),
            None,
            callback_pb2.CallbackRegistrationProto(),
            None,
            None,
        )
    except StatusNotOk as fault:
        if interior:
            # It ended near an optimum, but not as near as it must: a corner is found for certain.
            return solve(program, limits, engine=engine, hint=hint)
        message = f"{engine.value} refused the program: {fault}"
        raise SolverFault(message) from fault
    return _solution(result, len(program.cost), len(program.row_lower))


def _dense(sparse: Any, size: int) -> Floats:
    values = np.zeros(size)
    values[np.fromiter(sparse.ids, np.int64)] = np.fromiter(sparse.values, np.float64)
    return values


def _solution(result: result_pb2.SolveResultProto, columns: int, rows: int) -> Solution | None:
    reason = result.termination.reason
    if reason in {
        result_pb2.TERMINATION_REASON_INFEASIBLE,
        result_pb2.TERMINATION_REASON_UNBOUNDED,
        result_pb2.TERMINATION_REASON_INFEASIBLE_OR_UNBOUNDED,
        result_pb2.TERMINATION_REASON_NUMERICAL_ERROR,
        result_pb2.TERMINATION_REASON_OTHER_ERROR,
    }:
        name = result_pb2.TerminationReasonProto.Name(reason).removeprefix("TERMINATION_REASON_")
        message = f"the program has no solution: {name.lower()} {result.termination.detail}".strip()
        raise SolverFault(message)
    feasible = [
        one
        for one in result.solutions
        if one.primal_solution.feasibility_status == solution_pb2.SOLUTION_STATUS_FEASIBLE
    ]
    if not feasible:
        return None
    best = feasible[0]
    duals = np.zeros(0)
    if best.HasField("dual_solution"):
        duals = _dense(best.dual_solution.dual_values, rows)
    bound = result.termination.objective_bounds.dual_bound
    return Solution(
        reason == result_pb2.TERMINATION_REASON_OPTIMAL,
        best.primal_solution.objective_value,
        bound if math.isfinite(bound) else -math.inf,
        _dense(best.primal_solution.variable_values, columns),
        duals,
    )
