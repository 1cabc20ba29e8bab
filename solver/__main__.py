"""``python -m solver PROBLEM RESULT``: solve a saved problem apart from whoever asked.

The result is a plan: of everything, or with ``--touched`` the one that stands, mended; or with
``--bids`` bid prices for so many orders to come.

A process of its own can be given little of the machine, and be ended, without a trace in its
asker. Every step is a line of JSON on standard output.
"""

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np

from solver.bids import SCENARIOS, bid_prices
from solver.effort import Effort, Step
from solver.giving_way import give_way
from solver.repair import repair
from solver.saved import load_problem, save_bids, save_plan
from solver.solve import solve

_ASKER = os.getppid()


def _go_on() -> None:
    if os.getppid() != _ASKER:
        sys.exit("whoever asked is gone")


def _say(step: Step) -> None:
    _go_on()
    sys.stdout.write(json.dumps(dataclasses.asdict(step)) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Solve what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m solver")
    parser.add_argument("problem", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--touched", type=Path, help="an array: whether each order is")
    parser.add_argument("--bids", type=int, metavar="ORDERS")
    parser.add_argument("--scenarios", type=int, default=SCENARIOS)
    parser.add_argument("--give-way", action="store_true", help="to whoever sells here")
    told = parser.parse_args()
    if told.give_way:
        give_way()
    problem = load_problem(told.problem)
    if told.bids is not None:
        prices = bid_prices(
            problem, orders=told.bids, scenarios=told.scenarios, seed=told.seed, before_draw=_go_on
        )
        save_bids(prices, told.result)
        return
    effort = Effort(seconds=told.seconds, seed=told.seed)
    if told.touched is None:
        plan = solve(problem, effort, _say)
    else:
        touched = np.load(told.touched, allow_pickle=False)
        plan = repair(problem, problem.standing, touched, np.zeros_like(touched), effort)
    save_plan(plan, told.result)


main()
