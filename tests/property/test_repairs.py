"""Whatever differs at a place: a repair that is proposed makes all copies agree."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors import repairs
from engine.record import pack

UNITS = st.integers(0, 4)
#: Quarantined and damaged units.
ASIDE = st.tuples(st.integers(0, 1), st.integers(0, 1))


class Place:
    """The copies of one position's units, as hands and defects have left them."""

    def __init__(self, owner: int, store: int, guard: int, events: int) -> None:
        self.owner, self.store, self.guard, self.events = owner, store, guard, events

    def move(self, units: int) -> None:
        """A receipt or a parcel: each copy takes it from where it stands."""
        self.owner, self.store = self.owner + units, self.owner + units
        self.guard += units
        self.events += units

    def count(self, on_hand: int) -> None:
        """What an adjustment writes: the guard by the change, all others as they are then."""
        self.guard += on_hand - self.owner
        self.owner = self.store = self.events = on_hand

    def agree(self, promised: int) -> bool:
        return self.owner == self.store == self.events == self.guard + promised


def findings(at: Place, promised: int, aside: tuple[Any, Any]) -> list[dict[str, Any]]:
    """What an audit finds; ``aside``: quarantined and damaged, by owner and by events."""
    mine, told = [at.owner, *aside[0]], [at.events, *aside[1]]
    place = {"shard": 0, "sku": "A", "node": "w1", "reservation": None}
    found: list[dict[str, Any]] = []
    if at.owner - promised != at.guard:
        found.append({**place, "kind": "free", "owner": at.owner - promised, "store": at.guard})
    if at.owner != at.store:
        packed = [pack([units, 0, *aside[0]]).hex() for units in (at.owner, at.store)]
        found.append({**place, "kind": "state", "owner": packed[0], "store": packed[1]})
    if mine != told:
        events = {"kind": "events", "owner": mine, "store": told, "events": told, "last_seq": 3}
        found.append({**place, **events})
    return found


@given(UNITS, UNITS, st.integers(-2, 4), UNITS, st.integers(0, 2), ASIDE, ASIDE, st.integers(0, 3))
def test_a_repair_makes_all_copies_agree(
    owner: int, store: int, guard: int, events: int, promised: int,
    aside: tuple[int, int], told_aside: tuple[int, int], moved: int,
) -> None:  # fmt: skip
    """Also where units have moved between the audit and the repair."""
    at = Place(owner, store, guard, events)
    found = findings(at, promised, (aside, told_aside))
    told: dict[str, Any] = {
        "source": "stream", "broken": None, "at_ms": 7, "differing": [], "seen": {},
        "touched": {"A|w1": 3}, "stock": {"A|w1": [events, *told_aside]},
    }  # fmt: skip
    repairs.explain(found, {0: told})
    assert all(finding["advice"] for finding in found)
    proposed = [finding["repair"] for finding in found if finding["repair"]]
    assert len(proposed) <= 1
    if any("the store's copy is loaded" in finding["advice"] for finding in found):
        assert not proposed
        assert store == events == guard + promised, "a start finds all as it should be"
    elif store == events == guard + promised and aside == told_aside:
        assert owner == events or not found, "else it is said that a start mends it"
    for repair in proposed:
        assert repair["as_of_ms"] == 7
        assert repair["units"] > 0
        at.move(moved)
        at.count(repair["on_hand"] + moved)
        assert at.agree(promised)


@given(UNITS, UNITS)
def test_without_the_events_no_repair_is_proposed(owner: int, store: int) -> None:
    """Nor where they say nothing: two that differ are no evidence."""
    silent = {"source": "nothing", "base_seq": 0, "since_ms": None}
    broken = {"source": "base", "broken": [4, None, None], "touched": {}, "stock": {}, "seen": {}}
    for told in ({}, {0: silent}, {0: {**broken, "differing": []}}):
        found = findings(Place(owner, store, owner, owner), 0, ((0, 0), (0, 0)))
        repairs.explain(found, told)
        assert all(finding["repair"] is None and finding["advice"] for finding in found)


@given(st.lists(st.tuples(UNITS, UNITS, st.integers(1, 9)), min_size=2, max_size=5, unique=True))
def test_each_finding_has_a_reference_of_its_own(seen: list[tuple[int, int, int]]) -> None:
    """And the same finding the same one: a repair sent twice is made once."""
    references = []
    for live, events, seq in seen:
        for _ in range(2):
            at = {"shard": 0, "kind": "events", "sku": "A", "node": "w1", "reservation": None,
                  "owner": [live, 0, 0], "store": [events, 0, 0], "events": [events, 0, 0],
                  "last_seq": seq}  # fmt: skip
            told: dict[str, Any] = {
                "source": "base",
                "broken": None,
                "at_ms": seq,
                "differing": [],
                "seen": {},
            }
            repairs.explain([at], {0: told})
            references.append(at["repair"]["reference"])  # type: ignore[index]
    assert references[::2] == references[1::2]
    assert len(set(references)) == len(seen)
