"""Low stock is said once in the batch where it happens, and again only after it was over."""

from typing import Any

from engine import commands
from engine.commands import Command
from engine.events import Event
from engine.ledger import Ledger
from engine.record import unpack
from engine.store.memory import MemoryServer, MemoryStore
from tests.builders import NOW_MS, Owner, adjust, count, receive, reserve, run, stocked_ledger
from tests.property.machine import image


def threshold(units: int | None, sku: str = "A") -> Command:
    return commands.define_sku(
        sku, [sku, 0, None, *([] if units is None else [{"low_stock": units}])]
    )


def sealed_facts(ledger: Ledger) -> list[tuple[str, Any]]:
    """Subject and payload of what the batch has said about low stock."""
    sealed = ledger.seal()
    facts = unpack(sealed.events)[3] if sealed is not None else []
    return [
        (facts[at + 1], facts[at + 2])
        for at in range(0, len(facts), 3)
        if facts[at] == Event.STOCK_LOW
    ]


def after(ledger: Ledger, *batch: Command) -> list[tuple[str, Any]]:
    ledger.decide_all(batch, NOW_MS)
    return sealed_facts(ledger)


def test_low_is_said_once_and_again_after_it_was_over_by_a_margin() -> None:
    ledger = stocked_ledger({"A": {"w1": 15, "w2": 15}, "B": {"w1": 1}})
    assert after(ledger, threshold(20)) == []
    assert after(ledger, reserve("a", ("A", 10))) == []  # 20 are not below 20.
    assert after(ledger, reserve("b", ("A", 1)), reserve("c", ("A", 2))) == [("A", [17, 20])]
    assert after(ledger, reserve("d", ("A", 1))) == []
    assert after(ledger, receive("A", 5)) == []  # 21: over the threshold, not by enough.
    assert after(ledger, reserve("e", ("A", 2))) == []
    assert after(ledger, receive("A", 3)) == [("A", None)]  # 22
    assert after(ledger, count("A", 0), count("A", 0, "w2")) == [("A", [0, 20])]


def test_a_threshold_above_what_is_there_is_said_at_once_and_none_ends_it() -> None:
    ledger = stocked_ledger({"A": {"w1": 5}})
    assert after(ledger, threshold(6)) == [("A", [5, 6])]
    assert after(ledger, threshold(None)) == [("A", None)]
    assert not ledger.books["A"].is_low
    assert after(ledger, reserve("a", ("A", 5))) == []


def test_safety_stock_is_not_for_sale_and_zero_is_never_low() -> None:
    ledger = stocked_ledger({"A": {"w1": 9}, "B": {"w1": 1}})
    assert after(ledger, threshold(5), threshold(0, "B")) == []
    assert after(ledger, adjust(("A", "w1", None, None, 5))) == [("A", [4, 5])]
    assert after(ledger, reserve("b", ("B", 1))) == []


def test_a_batch_that_is_taken_back_has_said_nothing() -> None:
    ledger = stocked_ledger({"A": {"w1": 5}})
    after(ledger, threshold(5))
    before = image(ledger)
    for batch in ([reserve("a", ("A", 1))], [threshold(9)], [threshold(None)], [threshold(3, "C")]):
        ledger.decide_all(batch, NOW_MS)
        first = ledger.seal()
        ledger.take_back(first)
        assert image(ledger) == before
        ledger.decide_all(batch, NOW_MS)
        second = ledger.seal()
        assert first is not None
        assert second is not None
        assert (first.changes, first.events) == (second.changes, second.events)
        ledger.take_back(second)


def test_the_next_owner_knows_what_was_said() -> None:
    async def steps() -> None:
        server = MemoryServer(1)
        owner = await Owner.of(MemoryStore(server))
        stock = stocked_commands()
        await owner.do(*stock)
        await owner.do(reserve("a", ("A", 3)))
        next_one = await Owner.of(MemoryStore(server), epoch=2)
        assert next_one.ledger.books["A"].is_low
        next_one.ledger.decide(reserve("b", ("A", 1)), NOW_MS)
        assert sealed_facts(next_one.ledger) == []
        next_one.ledger.decide(receive("A", 10), NOW_MS)
        assert sealed_facts(next_one.ledger) == [("A", None)]

    run(steps())


def stocked_commands() -> list[Command]:
    node = commands.take_network(0, 1, {"n|w1": {"kind": "warehouse"}})
    return [node, threshold(5), receive("A", 7)]
