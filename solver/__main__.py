"""``python -m solver PROBLEM PLAN``: solve a saved problem apart from whoever asked.

A process of its own can be given little of the machine, and be ended, without a trace in its
asker. Every step is a line of JSON on standard output.
"""

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

from solver.effort import Effort, Step
from solver.saved import load_problem, save_plan
from solver.solve import solve

_ASKER = os.getppid()


def _say(step: Step) -> None:
    if os.getppid() != _ASKER:
        sys.exit("whoever asked is gone")
    sys.stdout.write(json.dumps(dataclasses.asdict(step)) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Solve what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m solver")
    parser.add_argument("problem", type=Path)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0)
    told = parser.parse_args()
    os.nice(told.nice)
    plan = solve(load_problem(told.problem), Effort(seconds=told.seconds, seed=told.seed), _say)
    save_plan(plan, told.plan)


main()
