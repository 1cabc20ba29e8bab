"""Programs given as arrays are solved, and what cannot be solved says why."""

import numpy as np
import pytest

from solver.errors import SolverFault
from solver.mip import Engine, Limits, Program, solve


def knapsack(limit: float) -> Program:
    """At least two of three things are taken, for as little as may be, below a weight."""
    return Program(
        cost=np.array([3.0, 2.0, 2.0]),
        lower=np.zeros(3),
        upper=np.ones(3),
        integer=np.ones(3, bool),
        row_lower=np.array([2.0, -np.inf]),
        row_upper=np.array([np.inf, limit]),
        entry_row=np.array([0, 0, 0, 1, 1, 1]),
        entry_column=np.array([0, 1, 2, 0, 1, 2]),
        entry_value=np.array([1.0, 1.0, 1.0, 1.0, 2.0, 2.0]),
    )


@pytest.mark.parametrize("engine", list(Engine))
def test_every_engine_finds_the_optimum(engine: Engine) -> None:
    found = solve(knapsack(3.0), Limits(10.0, seed=1), engine=engine)
    assert found is not None
    assert found.optimal
    assert found.objective == pytest.approx(5.0)
    assert found.values.sum() == pytest.approx(2.0)


@pytest.mark.parametrize("interior", [False, True])
def test_a_linear_program_comes_with_its_duals(interior: bool) -> None:
    program = Program(
        cost=np.array([1.0, 3.0]),
        lower=np.zeros(2),
        upper=np.array([4.0, np.inf]),
        integer=np.zeros(2, bool),
        row_lower=np.array([6.0]),
        row_upper=np.array([np.inf]),
        entry_row=np.array([0, 0]),
        entry_column=np.array([0, 1]),
        entry_value=np.array([1.0, 1.0]),
    )
    found = solve(program, Limits(10.0), interior=interior)
    assert found is not None
    assert found.values.tolist() == pytest.approx([4.0, 2.0])
    assert found.duals.tolist() == pytest.approx([3.0])


def test_what_no_values_satisfy_is_a_fault_that_says_so() -> None:
    with pytest.raises(SolverFault, match="no solution: infeasible"):
        solve(knapsack(1.0), Limits(10.0))


def test_a_refused_program_names_the_engine() -> None:
    program = knapsack(3.0)
    program.entry_value[0] = np.nan
    with pytest.raises(SolverFault, match="highs refused the program"):
        solve(program, Limits(10.0))
