"""What gateways read: what has changed, and whether a SKU may be called sold out."""

import pytest

from engine import commands, takers
from engine import ledger as ledger_module
from engine.filter import Filter
from engine.ledger import Ledger
from engine.limits import CLOSED_BUCKET_MS, CLOSED_WINDOW_MS, HINT_MS
from engine.outcome import Outcome
from tests.builders import (
    NOW_MS,
    WAREHOUSE,
    count,
    define_node,
    receive,
    reserve,
    reserve_partly,
    stocked_ledger,
)


def seen(ledger: Ledger, since: int, *named: str) -> dict[str, object]:
    """SKUs of a view: those named and those changed since."""
    reply = ledger.decide(commands.view(list(named), since), NOW_MS)
    assert reply[0] == Outcome.OK
    found: dict[str, object] = {sku: of_it and of_it[0] for sku, of_it in reply[4].items()}
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
    ledger.decide(define_node("w1", {**WAREHOUSE, "channels": ["live"]}), NOW_MS)
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
    assert ledger.decide(commands.hint("A", 0, 0), NOW_MS) == [Outcome.SHORT]
    ledger.decide(reserve("b", ("A", 1)), NOW_MS)
    _, epoch, seq, version, bits = ledger.decide(commands.hint("A", 0, 0), NOW_MS)
    assert (epoch, seq) == (0, 1)
    assert all(key in Filter.from_bytes(bits) for key in ("a", "b"))
    assert ledger.decide(commands.hint("A", 0, version), NOW_MS)[4] is None
    ledger.decide(receive("A", 1), NOW_MS)
    assert ledger.decide(commands.hint("A", 0, version), NOW_MS) == [Outcome.SHORT]
    assert ledger.decide(commands.hint("B", 0, 0), NOW_MS) == [Outcome.UNKNOWN_SKU, ["B"]]


def test_while_a_hint_holds_no_single_line_takes_units() -> None:
    """They are back, but a gateway may be calling the SKU sold out; baskets are never told so."""
    ledger = stocked_ledger({"A": {"w1": 2}, "B": {"w1": 9}})
    ledger.decide(reserve("a", ("A", 2)), NOW_MS)
    assert ledger.decide(commands.hint("A", 0, 0), NOW_MS)[0] == Outcome.OK
    ledger.decide(commands.release("a"), NOW_MS)
    for at_ms in (NOW_MS, NOW_MS + HINT_MS):
        refused = ledger.decide(reserve("b", ("A", 1)), at_ms)
        assert refused == [Outcome.SHORT, [["A", None, 1, 0]], True]
        refused = ledger.decide(reserve("b", ("A", 1, "w1")), at_ms)
        assert refused == [Outcome.SHORT, [["A", "w1", 1, 0]], True]
    assert ledger.decide(reserve("b", ("A", 3)), NOW_MS)[1:] == [[["A", None, 3, 2]], False]
    assert ledger.decide(reserve("basket", ("A", 1), ("B", 1)), NOW_MS)[0] == Outcome.OK
    assert ledger.decide(reserve_partly("partly", ("A", 9)), NOW_MS)[0] == Outcome.OK
    ledger.decide(commands.release("basket"), NOW_MS)
    after_ms = NOW_MS + HINT_MS + 1
    assert ledger.decide(reserve("b", ("A", 1)), after_ms)[0] == Outcome.OK
    assert ledger.books["A"].only is not None, "the short way is open again"


def test_a_hint_that_was_taken_back_holds_nothing_up() -> None:
    """The batch in which the last unit went was refused, and the hint with it."""
    ledger = stocked_ledger({"A": {"w1": 1}})
    ledger.decide_all([reserve("a", ("A", 1)), commands.hint("A", 0, 0)], NOW_MS)
    ledger.take_back(ledger.seal())
    assert ledger.decide(reserve("b", ("A", 1)), NOW_MS)[0] == Outcome.OK
    ledger.decide(commands.hint("A", 0, 0), NOW_MS)
    ledger.decide(commands.release("b"), NOW_MS)
    first = ledger.decide(reserve("c", ("A", 1)), NOW_MS + HINT_MS + 1)
    ledger.take_back(None)
    ledger.decide_all([reserve("b", ("A", 1)), commands.hint("A", 0, 0), commands.release("b")],
                      NOW_MS)  # fmt: skip
    assert ledger.decide(reserve("c", ("A", 1)), NOW_MS)[0] == Outcome.SHORT
    assert ledger.decide(reserve("c", ("A", 1)), NOW_MS + HINT_MS + 1) == first


def test_a_filter_is_sent_anew_by_another_owner() -> None:
    """As many keys are not the same keys."""
    ledger = stocked_ledger({"A": {"w1": 1}})
    ledger.decide(reserve("a", ("A", 1)), NOW_MS)
    ledger.epoch = 7
    version = ledger.decide(commands.hint("A", 7, -1), NOW_MS)[3]
    assert ledger.decide(commands.hint("A", 7, version), NOW_MS)[4] is None
    assert ledger.decide(commands.hint("A", 6, version), NOW_MS)[4] is not None


def test_no_hint_is_given_while_ended_reservations_are_still_being_read() -> None:
    """A retry of one of them must get its reservation, not a no."""
    ledger = stocked_ledger({"A": {"w1": 0}})
    ledger.closed_loaded = False
    assert ledger.decide(commands.hint("A", 0, 0), NOW_MS) == [Outcome.SHORT]


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
    bits = after.decide(commands.hint("A", 0, 0), NOW_MS)[4]
    assert all(key in Filter.from_bytes(bits) for key in ("gone", "piece"))


def hinted(ledger: Ledger, at_ms: int = NOW_MS) -> Filter | None:
    """The filter that comes with a hint, if one is given."""
    reply = ledger.decide(commands.hint("A", 0, -1), at_ms)
    return Filter.from_bytes(reply[4]) if reply[0] == Outcome.OK else None


def test_a_filter_grows_by_what_is_new_and_a_portion_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keys are entered once, or twice where its room has doubled, never all of them at once."""
    entered: list[str] = []
    add = Filter.add

    def counted(self: Filter, key: str) -> None:
        entered.append(key)
        add(self, key)

    monkeypatch.setattr(Filter, "add", counted)
    monkeypatch.setattr(takers, "HINT_KEYS_AT_ONCE", 400)
    ledger = stocked_ledger({"A": {"w1": 1_000}})
    keys = [f"k{n}" for n in range(1_100)]
    ledger.decide_all([reserve(key, ("A", 1)) for key in keys[:1_000]], NOW_MS)
    assert [hinted(ledger) is None for _ in range(3)] == [True, True, False]
    assert entered == keys[:1_000]
    assert hinted(ledger) is not None
    assert len(entered) == 1_000
    ledger.decide(receive("A", 100), NOW_MS)
    later_ms = NOW_MS + HINT_MS + 1
    ledger.decide_all([reserve(key, ("A", 1)) for key in keys[1_000:]], later_ms)
    assert [hinted(ledger, later_ms) is None for _ in range(3)] == [True, True, False]
    found = hinted(ledger, later_ms)
    assert found is not None
    assert all(key in found for key in keys)
    assert len(entered) == 2_100


def test_takers_whose_keys_are_free_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A portion at a time; who is open or has ended in the window stays in the filter."""
    monkeypatch.setattr(ledger_module, "TAKERS_TIDIED_MAX", 30)
    ledger = stocked_ledger({"A": {"w1": 100}, "B": {"w1": 100}})
    for sku in ("A", "B"):
        ledger.decide_all([reserve(f"{sku}{n}", (sku, 1)) for n in range(100)], NOW_MS)
    ledger.decide_all([commands.release(f"A{n}") for n in range(80)], NOW_MS)
    lines = [["A", None, 1]]
    ledger.decide(commands.take("00f.gone", b"n" * 8, 15, lines, None), NOW_MS)
    ledger.decide(commands.tell("00f.gone", b"n" * 8, 3, 0, None), NOW_MS)
    _accept(ledger)
    later_ms = NOW_MS + CLOSED_WINDOW_MS + 2 * CLOSED_BUCKET_MS
    ledger.decide_all([commands.release(f"A{n}") for n in range(80, 90)], later_ms)
    _accept(ledger)
    for _ in range(8):
        ledger.decide(commands.tidy(), later_ms)
        _accept(ledger)
    assert ledger.books["A"].takers == [f"A{n}" for n in range(80, 100)]
    assert len(ledger.books["B"].takers) == 100
    ledger.decide(count("A", 0), later_ms)
    found = hinted(ledger, later_ms)
    assert found is not None
    assert all(f"A{n}" in found for n in range(80, 100))
    assert sum(f"A{n}" in found for n in range(80)) < 20


def _accept(ledger: Ledger) -> None:
    sealed = ledger.seal()
    if sealed is not None:
        ledger.accepted(sealed)
