"""What gateways read: what has changed, and whether a SKU may be called sold out."""

from engine import commands
from engine.filter import Filter
from engine.ledger import Ledger
from engine.outcome import Outcome
from tests.builders import NOW_MS, WAREHOUSE, receive, reserve, stocked_ledger


def seen(ledger: Ledger, since: int, *named: str) -> dict[str, object]:
    """SKUs of a view: those named and those changed since."""
    reply = ledger.decide(commands.view(list(named), since), NOW_MS)
    assert reply[0] == Outcome.OK
    found: dict[str, object] = reply[4]
    return found


def test_a_view_tells_what_was_named_and_what_has_changed_since() -> None:
    """Nodes with something to sell, by id; None for what is not known."""
    ledger = stocked_ledger({"A": {"w2": 2, "w1": 5}, "B": {"w1": 0}})
    assert seen(ledger, 1, "A", "B", "C") == {
        "A": [["w1", 5, []], ["w2", 2, []]], "B": [], "C": None,
    }  # fmt: skip
    ledger.decide(reserve("k", ("A", 5)), NOW_MS)
    ledger.seal()
    assert seen(ledger, 1) == {"A": [["w2", 2, []]]}
    assert seen(ledger, 2) == {}


def test_a_new_sku_and_a_changed_node_are_changes() -> None:
    """A gateway that has seen "unknown", or another channel, must hear of it."""
    ledger = stocked_ledger({"A": {"w1": 5}, "B": {"w2": 1}})
    ledger.decide(commands.define_sku("C", ["C", 0, None]), NOW_MS)
    ledger.seal()
    assert seen(ledger, 1) == {"C": []}
    ledger.decide(commands.define_node("w1", {**WAREHOUSE, "channels": ["live"]}), NOW_MS)
    ledger.seal()
    assert seen(ledger, 2) == {"A": [["w1", 5, ["live"]]]}


def test_nothing_may_be_promised_of_a_sku_whose_sales_are_stopped() -> None:
    """What a reservation would be refused is not shown as available."""
    ledger = stocked_ledger({"A": {"w1": 5}, "B": {"w1": 5}})
    assert ledger.stop_where_books_differ({"A|w1": 4, "B|w1": 5}) == ["A|w1"]
    assert seen(ledger, 1, "A", "B") == {"A": [], "B": [["w1", 5, []]]}
    assert ledger.decide(reserve("k", ("A", 1)), NOW_MS)[0] == Outcome.SHORT


def test_a_hint_holds_the_keys_that_took_the_sku() -> None:
    """Given only when nothing is left; the filter is sent once."""
    ledger = stocked_ledger({"A": {"w1": 2}})
    ledger.decide(reserve("a", ("A", 1)), NOW_MS)
    assert ledger.decide(commands.hint("A", 0), NOW_MS) == [Outcome.SHORT]
    ledger.decide(reserve("b", ("A", 1)), NOW_MS)
    _, epoch, seq, takers, bits = ledger.decide(commands.hint("A", 0), NOW_MS)
    assert (epoch, seq, takers) == (0, 1, 2)
    assert all(key in Filter.from_bytes(bits) for key in ("a", "b"))
    assert ledger.decide(commands.hint("A", 2), NOW_MS)[4] is None
    ledger.decide(receive("A", 1), NOW_MS)
    assert ledger.decide(commands.hint("A", 2), NOW_MS) == [Outcome.SHORT]
    assert ledger.decide(commands.hint("B", 0), NOW_MS) == [Outcome.UNKNOWN_SKU, ["B"]]


def test_no_hint_is_given_while_ended_reservations_are_still_being_read() -> None:
    """A retry of one of them must get its reservation, not a no."""
    ledger = stocked_ledger({"A": {"w1": 0}})
    ledger.closed_loaded = False
    assert ledger.decide(commands.hint("A", 0), NOW_MS) == [Outcome.SHORT]


def test_keys_that_ended_before_a_takeover_are_in_the_hint_after_it() -> None:
    """The index of ended reservations brings them back, pieces under the key of their basket."""
    before = stocked_ledger({"A": {"w1": 1}})
    before.decide_all([reserve("gone", ("A", 1)), commands.release("gone")], NOW_MS)
    lines = [["A", None, 1]]
    before.decide(commands.take("00f.piece", b"n" * 8, 15, lines, None), NOW_MS)
    before.decide(commands.tell("00f.piece", b"n" * 8, 3, 0, None), NOW_MS)
    sealed = before.seal()
    assert sealed is not None
    after = stocked_ledger({"A": {"w1": 0}})
    after.load_closed(sealed.closed_bucket, sealed.effects.closed.items())
    bits = after.decide(commands.hint("A", 0), NOW_MS)[4]
    assert all(key in Filter.from_bytes(bits) for key in ("gone", "piece"))
