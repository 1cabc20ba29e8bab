"""Commands that say what could be had."""

from collections.abc import Sequence

from engine.commands import Command, Op
from engine.record import Extra, Line


def candidates(lines: Sequence[Line], extra: Extra | None, *, explain: bool) -> Command:
    """Where lines of this shard could come from. → refusals of ``commands.reserve``, or OK and

    for each line ``[promising.Candidate …, promising.EXPLAINED …]``.
    """
    return [Op.CANDIDATES, lines, extra, explain]
