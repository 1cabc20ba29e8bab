"""The life of a reservation as a table: which verb does what in which state."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from engine.record import Status


class Verb(Enum):
    """What callers may ask of a reservation."""

    CONFIRM = auto()
    RELEASE = auto()
    EXTEND = auto()
    CANCEL = auto()


class AnswerTo(Enum):
    """What becomes of a verb."""

    DO = auto()  # Move on.
    SAME = auto()  # It has been done: the same answer again.
    REFUSE = auto()
    AGAIN = auto()  # A payment after expiry: hold the units anew if they can be had.


_DO, _SAME, _REFUSE, _AGAIN = AnswerTo.DO, AnswerTo.SAME, AnswerTo.REFUSE, AnswerTo.AGAIN

MOVES: Final[Mapping[Status, Mapping[Verb, AnswerTo]]] = {
    status: dict(zip(Verb, answers, strict=True))
    for status, answers in {
        #                    confirm  release  extend   cancel
        Status.HELD:      (_DO,     _DO,     _DO,     _DO),
        Status.CONFIRMED: (_SAME,   _REFUSE, _REFUSE, _DO),
        Status.FULFILLED: (_SAME,   _REFUSE, _REFUSE, _REFUSE),
        Status.RELEASED:  (_REFUSE, _SAME,   _REFUSE, _REFUSE),
        Status.EXPIRED:   (_AGAIN,  _SAME,   _REFUSE, _REFUSE),
        Status.CANCELLED: (_REFUSE, _REFUSE, _REFUSE, _SAME),
    }.items()
}  # fmt: skip


def answer(status: Status, verb: Verb) -> AnswerTo:
    """What a verb does to a reservation in this state."""
    return MOVES[status][verb]
