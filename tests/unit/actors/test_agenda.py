"""Which wave is due: what fails is repaired first, what comes meanwhile is not forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.waves.agenda import AGAIN_S, GATHER_S, REPAIRS, Agenda, Automatic, Due
from actors.waves.touching import TOUCHED_MAX, Touching

ALL = Automatic(every_s=60, every_orders=100, repairs=True)


def agenda(automatic: Automatic = ALL) -> Agenda:
    """At second 0."""
    made = Agenda(automatic)
    assert made.due(0.0) is None
    return made


def test_nothing_is_due_where_nothing_is_wanted() -> None:
    assert not Automatic().wanted
    made = agenda(Automatic())
    made.hear(10_000, [], 0.0)
    assert made.due(1e9) is None


def test_clock_and_count_begin_anew_with_every_wave_over_all_orders() -> None:
    made = agenda()
    assert made.due(59.9) is None
    assert made.due(60.0) == Due("clock")
    made.began(None, 60.0)
    made.hear(99, [], 61.0)
    made.began(Touching(skus=("A",)), 62.0)  # No wave over all orders.
    assert made.due(63.0) is None
    made.hear(1, [], 64.0)
    assert made.due(64.0) == Due("count")
    made.began(None, 64.0)
    assert made.due(123.9) is None
    assert made.due(124.0) == Due("clock")


def test_what_happens_together_is_one_repair_and_outages_come_first() -> None:
    made = agenda()
    made.hear(100, [("correction", "n1", "A"), ("better_stock", "", "B")], 0.0)
    made.hear(0, [("correction", "n2", "A"), ("outage", "n3", "")], 0.5)
    assert made.due(0.5) == Due("count")  # Nothing has gathered for long enough.
    now = 0.5 + GATHER_S
    assert made.due(now) == Due("outage", Touching(nodes=("n3",)), ("n3",))
    assert made.due(now) == Due("correction", Touching(("n1", "n2"), ("A",)))
    assert made.due(now) == Due("better_stock", Touching(skus=("B",)))
    assert made.due(now) == Due("count")


def test_more_than_a_wave_is_narrowed_to_is_everything() -> None:
    made = agenda()
    made.hear(0, [("correction", "n", f"A{number}") for number in range(TOUCHED_MAX + 1)], 0.0)
    made.hear(0, [("refusal", "n", "A"), ("refusal", "", "")], 0.0)
    assert made.due(GATHER_S) == Due("refusal")
    assert made.due(GATHER_S) == Due("correction")


@pytest.mark.parametrize(
    "due",
    [
        Due("outage", Touching(nodes=("n",)), ("n",)),
        Due("correction", Touching(("n",), ("A", "B"))),
        Due("better_stock"),
    ],
)
def test_a_repair_that_found_a_shard_away_comes_again(due: Due) -> None:
    made = agenda()
    made.again(due, 5.0)
    assert made.due(5.0 + AGAIN_S - 0.1) is None
    assert made.due(5.0 + AGAIN_S) == due


def test_a_wave_over_all_orders_need_not_come_again() -> None:
    made = agenda()
    made.again(Due("clock"), 5.0)
    assert made.due(30.0) is None


HAPPENED = st.tuples(
    st.sampled_from(REPAIRS), st.sampled_from(["n1", "n2"]), st.sampled_from(["A", "B", ""])
)


@given(st.lists(st.one_of(HAPPENED, st.just(None)), max_size=12))
def test_whatever_happens_is_covered_by_a_wave_that_begins_behind_it(
    steps: "list[tuple[str, str, str] | None]",
) -> None:
    """``None`` is a moment at which no wave runs."""
    made, open_ones, now = agenda(Automatic(repairs=True)), set[tuple[str, str, str]](), 0.0
    for step in [*steps, *[None] * len(REPAIRS)]:
        now += GATHER_S
        if step is not None:
            made.hear(0, [step], now)
            open_ones.add(step)
            continue
        due = made.due(now)
        if due is not None:
            open_ones = {one for one in open_ones if not covers(due, one)}
    assert open_ones == set()


def covers(due: Due, happened: tuple[str, str, str]) -> bool:
    kind, node, sku = happened
    at = due.touching or Touching()
    return (
        due.trigger == kind
        and (not at.nodes or node in at.nodes)
        and (not at.skus or (sku != "" and sku in at.skus))
    )
