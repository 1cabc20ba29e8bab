"""A solver in a process of its own: it answers as it would here, and keeps nobody waiting."""

import os
import signal
import time

import numpy as np
import pytest

from solver.errors import SolverFault
from solver.mip import Limits, Program
from solver.published import watched
from solver.published.watched import Watched


def least(row_lower: float) -> Program:
    """The least number that is at least `row_lower`, and at most 5."""
    return Program(
        cost=np.ones(1),
        lower=np.zeros(1),
        upper=np.full(1, 5.0),
        integer=np.ones(1, bool),
        row_lower=np.full(1, row_lower),
        row_upper=np.full(1, np.inf),
        entry_row=np.zeros(1, np.int64),
        entry_column=np.zeros(1, np.int64),
        entry_value=np.ones(1),
    )


def test_it_answers_and_tells_faults_and_answers_again() -> None:
    with Watched() as solver:
        for _ in range(2):
            found = solver.solve(least(2.5), Limits(5.0))
            assert found is not None
            assert found.values.tolist() == [3.0]
            with pytest.raises(SolverFault, match="no solution"):
                solver.solve(least(6.0), Limits(5.0))


def test_one_that_does_not_answer_is_ended_and_the_next_one_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watched, "_GRACE_S", 0.1)
    with Watched() as solver:
        solver.wait()
        os.kill(solver.pid, signal.SIGSTOP)
        began_at = time.monotonic()
        assert solver.solve(least(1.0), Limits(0.2)) is None
        assert time.monotonic() - began_at < 2.0
        monkeypatch.setattr(watched, "_GRACE_S", 5.0)
        assert solver.solve(least(1.0), Limits(5.0)) is not None


def test_one_that_dies_is_a_fault_and_the_next_one_answers() -> None:
    with Watched() as solver:
        solver.wait()
        os.kill(solver.pid, signal.SIGKILL)
        with pytest.raises(SolverFault, match="ended by itself"):
            solver.solve(least(1.0), Limits(5.0))
        assert solver.solve(least(1.0), Limits(5.0)) is not None
