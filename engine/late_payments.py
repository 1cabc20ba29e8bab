"""Payments that come after expiry: what the channel does with them, and what they would need."""

from engine.commands import Reply
from engine.outcome import Outcome
from engine.record import CHANNEL, Line, Reservation, line_units
from engine.shortfalls import others
from engine.state import ShardState

_WITH_LINES = (Outcome.SHORT, Outcome.CONTENDED, Outcome.OVER_QUOTA)
#: A campaign that is over, a limit: a late payment needs them as a new request does.
_BY_RULE = (Outcome.UNKNOWN_CAMPAIGN, Outcome.CAMPAIGN_NOT_OPEN, Outcome.OVER_LIMIT)
#: What channels do with payments after expiry; the third is ``refuse``.
HOLD_AGAIN, ALTERNATIVES = "hold_again", "alternatives"


def late_policy(state: ShardState, reservation: Reservation) -> str:
    """What the channel does with payments that come too late."""
    channel = state.channels.get(reservation.extra.get(CHANNEL, ""))
    return HOLD_AGAIN if channel is None else str(channel["late_payment"])


def instead(state: ShardState, reservation: Reservation, policy: str) -> list[Line]:
    """Short lines of a late payment that is refused, with what else could be had if told so."""
    return [
        [line[0], line[1], line_units(line), 0,
         others(state.books[line[0]]) if policy == ALTERNATIVES else []]
        for line in reservation.lines
        if line[0] in state.books
    ]  # fmt: skip


def short_again(lines: list[Line], refused: Reply) -> list[Line]:
    """What is short for a late payment: by stock, or by a rule, which then leaves nothing.

    Empty where the reply says nothing about units.
    """
    if refused[0] in _WITH_LINES:
        short: list[Line] = refused[1]
        return short
    return [[*line, 0] for line in lines] if refused[0] in _BY_RULE else []


def wanted_again(reservation: Reservation) -> list[Line]:
    """Lines of an ended hold with the units that it had, in answer order."""
    return [[line[0], line[1], line_units(line)] for line in reservation.lines if line_units(line)]
