"""Faults of files and problems as the last line of a command."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.cli_output import ExitCode, Stop


@contextmanager
def faults_told() -> Iterator[None]:
    """Raises Stop for a file that is none, a problem that is wrong, or a solver that failed."""
    # What these come with costs a tenth of a second, which only such commands should wait for.
    from gateway.importing.rows import Unreadable
    from solver.errors import ProblemFault, SolverFault

    try:
        yield
    except (Unreadable, ProblemFault) as wrong:
        raise Stop(ExitCode.USAGE, str(wrong)) from wrong
    except SolverFault as fault:
        raise Stop(ExitCode.NOT_FINE, str(fault)) from fault
