"""Who is served next, however many were promised units and have gone since."""

import random

from engine.promised import Promised


def test_the_earliest_is_served_first_and_who_has_no_date_last() -> None:
    """By field where dates are the same."""
    promised = Promised()
    dates = {"b": 5, "a": 5, "d": None, "c": 3, "e": 9}
    for field, by_ms in dates.items():
        promised.add(field, by_ms, dates)
    assert [field for _, field in promised.latest(2)] == ["d", "e"]
    assert [field for _, field in promised.earliest(2, 9)] == ["c", "a"]
    served = [promised.pop() for _ in range(3)]
    assert [field for _, field in served] == ["c", "a", "b"]
    promised.put_back(served)
    assert [promised.pop()[1] for _ in range(5)] == ["c", "a", "b", "e", "d"]
    assert promised.first() is None


def test_holds_that_come_and_go_leave_nothing_behind() -> None:
    """A supply may be waited for for weeks while thousands of holds on it expire."""
    promised, draw, here = Promised(), random.Random(1), dict.fromkeys(["stays"])
    promised.add("stays", 7, here)
    for number in range(50_000):
        here[f"k{number}"] = None
        promised.add(f"k{number}", draw.randint(1, 9), here)
        del here[f"k{number}"]
    assert len(promised.latest(10**9)) < 3_000
    assert (7, "stays") in promised.latest(10**9)
