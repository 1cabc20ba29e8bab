"""What can be wrong with a problem, and what a solver may answer instead of a plan."""


class ProblemFault(ValueError):
    """A problem that cannot be solved as given; the message names the field and the row."""


class SolverFault(RuntimeError):
    """The solver refused a program, or proved that it has no solution."""
