"""When a node is open, as parcels' dates and a wave's room rest on it."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from engine.lanes import DAY_MS, open_within_a_day, ready_at
from engine.stock import Node

HOUR_MS = 3_600_000
#: 1970-01-05, a Monday, at midnight.
MONDAY = 4 * DAY_MS
WEEKDAYS = [1, 2, 3, 4, 5]


def node(*opening: list[Any], **members: Any) -> Node:
    return Node("n1", {"opening": list(opening), **members})


def test_a_node_without_hours_is_open_all_day() -> None:
    assert open_within_a_day(node(), MONDAY) == DAY_MS


def test_hours_are_counted_from_when_it_is_open_next() -> None:
    """Six to ten with an hour's break, Monday to Friday."""
    office = node([WEEKDAYS, 360, 480], [WEEKDAYS, 540, 600])
    day = 3 * HOUR_MS
    assert open_within_a_day(office, MONDAY) == day
    assert open_within_a_day(office, MONDAY + 12 * HOUR_MS) == day
    # In the middle of it: the rest of today, and tomorrow until the same hour.
    assert open_within_a_day(office, MONDAY + 7 * HOUR_MS) == day
    # Friday, the last half hour: Saturday is no day of work.
    friday = MONDAY + 4 * DAY_MS
    assert open_within_a_day(office, friday + 9 * HOUR_MS + HOUR_MS // 2) == HOUR_MS // 2
    assert open_within_a_day(office, friday + 12 * HOUR_MS) == day


def test_a_node_that_is_never_open_has_no_hour() -> None:
    assert open_within_a_day(node([[], 0, 600]), MONDAY) == 0


@given(
    st.integers(0, 14 * DAY_MS // 60_000),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(1, 7), st.integers(0, 22), st.integers(1, 8)), max_size=4),
)
def test_handling_takes_as_long_as_the_node_is_open(
    minute: int, hours: int, opening: list[tuple[int, int, int]]
) -> None:
    """Between hearing of a line and having it ready lie just so many open minutes."""
    days = {day: [[day], at * 60, min(at + long, 24) * 60] for day, at, long in opening}
    place = node(*days.values(), handling_hours=hours)
    began = MONDAY + minute * 60_000
    ready = ready_at(place, began)
    if not days:
        assert ready == began + hours * HOUR_MS
        return

    def is_open(at: int) -> bool:
        day, of_day = at // 1_440 % 7 + 1, at % 1_440
        return any(day in on and begins <= of_day < ends for on, begins, ends in place.opening)

    assume(sum(map(is_open, range(minute, minute + 13 * 1_440))) > hours * 60)
    assert sum(map(is_open, range(minute, (ready - MONDAY) // 60_000))) == hours * 60
