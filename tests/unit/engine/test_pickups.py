"""Orders to be collected are ready when their store gets to them, not all at once."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine import commands
from engine.commands import Command, Reply, network
from engine.lanes import DAY_MS, HOUR_MS, MINUTE_MS, open_until
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import COSTS, PICKUP, PICKUP_UNTIL, SUPERSEDES, Reservation
from engine.stock import Node
from tests.builders import NOW_MS, WAREHOUSE, founding, reserve, stocked_ledger

#: Prepares an order in a quarter of an hour.
STORE: dict[str, Any] = {**WAREHOUSE, "capacity_per_hour": 4, "handling_hours": 1}
QUARTER_MS = HOUR_MS // 4


def shop(**members: Any) -> Ledger:
    return stocked_ledger({"A": {"s": 99}, "B": {"s": 99}}, {"s": {**STORE, **members}})


def order(key: str, *skus: str, **extra: Any) -> Command:
    return reserve(key, *((sku, 1, "s") for sku in skus or "A"), **{PICKUP: True, **extra})


def ready(reply: Reply) -> int:
    """When all of an order is ready."""
    assert reply[0] == Outcome.OK, reply
    at: int = max(told[0] for told in Reservation(reply[1]).extra[COSTS].values())
    return at


def quarters(ledger: Ledger, key: str, *skus: str, now_ms: int = NOW_MS) -> float:
    """How many orders it stands behind."""
    at = ready(ledger.decide(order(key, *skus), now_ms))
    return (at - now_ms - HOUR_MS) / QUARTER_MS


def test_a_store_prepares_one_after_the_other() -> None:
    ledger = shop()
    assert [quarters(ledger, f"k{number}") for number in range(3)] == [0, 1, 2]
    assert quarters(ledger, "both", "A", "B") == 3  # One parcel, whatever is in it.
    # Half an hour later two are through.
    assert quarters(ledger, "later", now_ms=NOW_MS + 2 * QUARTER_MS) == 2


def test_of_a_store_that_has_not_said_what_it_can_do_nobody_waits() -> None:
    ledger = shop(capacity_per_hour=None)
    assert [quarters(ledger, f"k{number}") for number in range(3)] == [0, 0, 0]
    assert not ledger.queues.news()


def test_nobody_stands_in_line_for_what_is_sent() -> None:
    ledger = shop()
    for number in range(3):
        ledger.decide(reserve(f"k{number}", ("A", 1, "s")), NOW_MS)
    assert quarters(ledger, "k") == 0


def test_whoever_goes_before_his_turn_makes_room() -> None:
    ledger = shop()
    for number in range(4):
        quarters(ledger, f"k{number}")
    ledger.decide(commands.release("k1"), NOW_MS)
    ledger.decide(commands.confirm("k2"), NOW_MS)
    ledger.decide(commands.cancel("k2"), NOW_MS)
    assert quarters(ledger, "next") == 2
    # Who has been prepared for has cost the store its time.
    late_ms = NOW_MS + HOUR_MS + MINUTE_MS
    ledger.decide(commands.release("k0"), late_ms)
    assert ledger.queues.news()["s"] == [5, 2]


def test_a_new_version_of_a_cart_does_not_stand_behind_itself() -> None:
    ledger = shop()
    quarters(ledger, "cart")
    assert ready(ledger.decide(order("again", **{SUPERSEDES: "cart"}), NOW_MS)) == NOW_MS + HOUR_MS
    assert quarters(ledger, "next") == 1


def test_it_is_kept_from_when_it_is_ready() -> None:
    ledger = shop(pickup_hold_hours=24)
    for number in range(8):
        quarters(ledger, f"k{number}")
    paid = Reservation(ledger.decide(commands.confirm("k7"), NOW_MS)[1])
    assert paid.extra[PICKUP_UNTIL] == NOW_MS + HOUR_MS + 7 * QUARTER_MS + 24 * HOUR_MS


def test_a_piece_stands_in_line_and_leaves_it_when_it_is_dropped() -> None:
    ledger = shop()
    for nonce in (b"1" * 16, b"2" * 16):
        taken = commands.take("001.k", nonce, 1, [["A", "s", 1]], {PICKUP: True}, None)
        assert ready(ledger.decide(taken, NOW_MS)) == NOW_MS + HOUR_MS
        ledger.decide(commands.drop("001.k", nonce), NOW_MS)
    assert ledger.queues.news() == {"s": [2, 2]}


def test_what_other_shards_have_promised_counts_once() -> None:
    ledger = shop()
    for _ in range(2):
        assert ledger.decide(network.queued_elsewhere([["s", 3, 0]]), NOW_MS) == [Outcome.OK]
    assert quarters(ledger, "a") == 3
    ledger.decide(network.queued_elsewhere([["s", 4, 2], ["unknown", 1, 0]]), NOW_MS)
    ledger.decide(network.queued_elsewhere([["s", 1, 0]]), NOW_MS)  # Not all have been heard.
    assert quarters(ledger, "b") == 3
    assert ledger.queues.news() == {"s": [2, 0]}
    assert not ledger.queues.news()
    ledger.queues.tell_again(["s"])
    assert ledger.queues.news() == {"s": [2, 0]}


def test_a_batch_that_is_taken_back_stood_in_no_line() -> None:
    ledger = shop()
    quarters(ledger, "kept")
    ledger.seal()
    ledger.queues.news()
    quarters(ledger, "refused")
    ledger.decide(network.queued_elsewhere([["s", 9, 0]]), NOW_MS)
    ledger.take_back(None)
    assert ledger.queues.news() == {"s": [1, 0]}
    assert quarters(ledger, "next") == 1


def test_a_line_outlives_its_owner() -> None:
    ledger = shop()
    for number in range(3):
        quarters(ledger, f"k{number}")
    ledger.decide(network.queued_elsewhere([["s", 2, 0]]), NOW_MS)
    sealed = ledger.seal()
    assert sealed is not None
    successor = Ledger(0, 1, ledger.level)
    successor.decide_all(founding({"A": {"s": 99}}, {"s": STORE}), NOW_MS)
    fields = sealed.effects.fields.items()
    successor.load_state((name, value) for name, value in fields if name[0] == "P" and value)
    assert quarters(successor, "next") == 5
    assert successor.queues.news() == {"s": [4, 0]}


spans = st.tuples(st.integers(1, 7), st.integers(0, 22), st.integers(1, 8))


@given(
    st.integers(0, 14 * DAY_MS // MINUTE_MS),
    st.integers(0, 200),
    st.integers(0, 60),
    st.lists(spans, min_size=1, max_size=4),
)
def test_so_much_is_done_while_it_is_open_and_no_more(
    minute: int, hours: int, minutes: int, opening: list[tuple[int, int, int]]
) -> None:
    """However many weeks it takes."""
    days = {day: (at * 60, min(at + long, 24) * 60) for day, at, long in opening}
    place = Node("s", {"opening": [[[day], *hours] for day, hours in days.items()]})
    began, work = minute * MINUTE_MS, hours * HOUR_MS + minutes * MINUTE_MS
    done = open_until(place, began, work)

    def is_open(at: int) -> bool:
        opens, closes = days.get((at // DAY_MS + 3) % 7 + 1, (0, 0))
        return opens <= at % DAY_MS // MINUTE_MS < closes

    assert sum(map(is_open, range(began, done, MINUTE_MS))) * MINUTE_MS == work
