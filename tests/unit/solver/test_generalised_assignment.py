"""Items go to agents as cheaply as trying everything finds, and no bound is above that."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.effort import Clock, Effort
from solver.errors import ProblemFault, SolverFault
from solver.mip import Limits
from solver.published.generalised_assignment import (
    NOBODY,
    Agents,
    bound,
    completed,
    improved,
    program,
    solve,
)
from solver.published.knapsack import near_best, pack
from solver.published.watched import Watched


@st.composite
def problems(draw: st.DrawFn) -> Agents:
    agents, items = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    numbers = st.lists(st.integers(0, 20), min_size=agents * items, max_size=agents * items)
    return Agents(
        np.array(draw(numbers)).reshape(agents, items),
        np.array(draw(numbers)).reshape(agents, items),
        np.array(draw(st.lists(st.integers(20, 60), min_size=agents, max_size=agents))),
    )


def cost_of(problem: Agents, agent: tuple[int, ...]) -> int | None:
    """None where an agent has too much."""
    load = [0] * len(problem.capacity)
    for item, who in enumerate(agent):
        load[who] += int(problem.weight[who, item])
    if any(one > most for one, most in zip(load, problem.capacity, strict=True)):
        return None
    return sum(int(problem.cost[who, item]) for item, who in enumerate(agent))


def cheapest(problem: Agents) -> int | None:
    agents, items = problem.cost.shape
    every = (cost_of(problem, one) for one in itertools.product(range(agents), repeat=items))
    return min((one for one in every if one is not None), default=None)


@settings(max_examples=60)
@given(problems())
def test_the_answer_is_the_best_there_is(solver: Watched, problem: Agents) -> None:
    best = cheapest(problem)
    if best is None:
        with pytest.raises(SolverFault, match="no solution"):
            solve(problem, Clock(Effort(seconds=5)), solver)
        return
    found = solve(problem, Clock(Effort(seconds=5)), solver)
    assert found is not None
    assert found.closed
    assert found.cost == best == cost_of(problem, tuple(found.agent.tolist()))
    assert found.bound <= best


@given(problems(), st.lists(st.integers(-50, 50), min_size=6, max_size=6))
def test_no_price_lifts_the_bound_above_the_optimum(problem: Agents, price: list[int]) -> None:
    best = cheapest(problem)
    low, taken = bound(problem, np.array(price[: problem.cost.shape[1]], float))
    assert best is None or low <= best
    assert ((taken * problem.weight).sum(axis=1) <= problem.capacity).all()


@given(problems())
def test_completed_and_improved_assignments_keep_the_capacities(problem: Agents) -> None:
    start = completed(problem, np.full(problem.cost.shape[1], NOBODY))
    if start is not None:
        before, after = (cost_of(problem, tuple(a)) for a in (start, improved(problem, start)))
        assert before is not None
        assert after is not None
        assert after <= before


def test_an_agent_with_too_much_gives_everything_back() -> None:
    problem = Agents(np.array([[1, 1], [2, 5]]), np.array([[3, 3], [3, 3]]), np.array([3, 3]))
    agent = completed(problem, np.array([0, 0]))
    assert agent is not None
    assert agent.tolist() == [1, 0]


@given(st.lists(st.tuples(st.integers(-5, 30), st.integers(0, 9)), max_size=8), st.integers(0, 30))
def test_a_knapsack_holds_the_best_that_fits(things: list[tuple[int, int]], capacity: int) -> None:
    gain = np.array([one for one, _ in things], float)
    weight = np.array([heavy for _, heavy in things], np.int64)
    taken = pack(gain, weight, capacity)
    every = (np.array(one, bool) for one in itertools.product((0, 1), repeat=len(things)))
    best = max(gain[one].sum() for one in every if weight[one].sum() <= capacity)
    assert gain[taken].sum() == best
    assert weight[taken].sum() <= capacity


@given(
    st.lists(st.tuples(st.integers(-5, 30), st.integers(0, 9)), max_size=7),
    st.integers(0, 30),
    st.integers(0, 20),
)
def test_sets_near_the_best_are_all_listed_and_no_others(
    things: list[tuple[int, int]], capacity: int, slack: int
) -> None:
    gain = np.array([one for one, _ in things], float)
    weight = np.array([heavy for _, heavy in things], np.int64)
    every = [np.array(one, bool) for one in itertools.product((0, 1), repeat=len(things))]
    fitting = [one for one in every if weight[one].sum() <= capacity]
    best = max(gain[one].sum() for one in fitting)
    near = {tuple(one.tolist()) for one in fitting if gain[one].sum() >= best - slack}
    listed = near_best(gain, weight, capacity, slack, most=1_000)
    assert listed is not None
    assert len(listed) == len(near)
    assert {tuple(one.tolist()) for one in listed} == near


def test_sets_near_the_best_are_not_listed_where_they_are_many() -> None:
    gain, weight = np.ones(12), np.ones(12, np.int64)
    assert near_best(gain, weight, 6, 0.0, most=100) is None
    assert near_best(gain, weight, 10**7, 0.0, most=100) is None


@pytest.mark.parametrize("seed", range(4))
def test_whoever_settles_it_the_optimum_is_that_of_the_whole_program(
    solver: Watched, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    cost, weight = rng.integers(15, 26, (4, 24)), rng.integers(5, 26, (4, 24))
    problem = Agents(cost, weight, np.full(4, round(0.75 * 15 * 24 / 4)))
    best = solver.solve(program(problem), Limits(20.0))
    found = solve(problem, Clock(Effort(seconds=20)), solver)
    assert best is not None
    assert best.optimal
    assert found is not None
    assert found.closed
    assert (found.cost, found.bound <= found.cost) == (round(best.objective), True)


def test_a_large_knapsack_is_coarse_and_worth_no_less() -> None:
    weight = np.array([60_001, 60_001, 90_000])
    taken = pack(np.array([3.0, 3.0, 5.0]), weight, 120_001)
    # The two of 3 weigh 120,002 together: by a hair too much, and the unit is coarser than that.
    assert taken.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (Agents(np.ones((1, 2), int), np.ones((1, 1), int), np.ones(1, int)), "do not fit"),
        (Agents(np.array([[1, -1]]), np.ones((1, 2), int), np.ones(1, int)), r"cost\[0, 1\] is -1"),
        (Agents(np.ones((2, 1), int), np.full((2, 1), 3), np.ones(2, int)), "item 0 is too heavy"),
    ],
)
def test_what_makes_no_sense_is_refused(solver: Watched, problem: Agents, told: str) -> None:
    with pytest.raises(ProblemFault, match=told):
        solve(problem, Clock(Effort()), solver)
