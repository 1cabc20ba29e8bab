"""What a host's commits say that orders should be planned anew for."""

from typing import Any

from actors.waves import noticing
from actors.waves.agenda import Automatic, Touched
from actors.waves.noticing import Noticing
from engine import commands
from engine.commands import Command, network, supplies
from engine.ledger import Ledger
from engine.record import DELIVER_BY
from engine.stock import SupplyMembers
from tests.builders import NOW_MS, adjust, reserve, stocked_ledger

HOUR_MS = 3_600_000
NET = 1


class Watched:
    """A ledger whose batches are noticed as they are accepted."""

    def __init__(self, shard: int = 0) -> None:
        self.ledger: Ledger = stocked_ledger({"A": {"w1": 9, "w2": 9}, "B": {"w1": 1}})
        self.shard = shard
        self.noticing = Noticing(Automatic(every_orders=1, repairs=True), NET)

    def do(self, *batch: Command) -> tuple[int, list[Touched]]:
        """What was noticed of a batch."""
        replies = self.ledger.decide_all(batch, NOW_MS)
        assert {reply[0] for reply in replies} == {0}, replies
        sealed = self.ledger.seal()
        assert sealed is not None
        self.noticing.accepted(self.shard, sealed.effects)
        return self.noticing.take()

    def order(self, key: str, *wanted: Any, **extra: Any) -> tuple[int, list[Touched]]:
        return self.do(reserve(key, *wanted, **extra), commands.confirm(key))


def test_orders_are_counted_and_nothing_else_of_them_is_news() -> None:
    watched = Watched()
    assert watched.do(reserve("k", ("A", 1))) == (0, [])
    assert watched.do(commands.confirm("k")) == (1, [])
    assert watched.do(commands.cancel("k")) == (0, [])
    assert watched.order("l", ("A", 1)) == (1, [])


def test_a_shortfall_is_news_when_it_opens_or_grows() -> None:
    watched = Watched()
    watched.order("k", ("A", 5, "w1"))
    lost = ("correction", "w1", "A")
    assert watched.do(adjust(("A", "w1", None, 4))) == (0, [lost])
    assert watched.do(adjust(("A", "w1", None, 3))) == (0, [lost])
    assert watched.do(adjust(("A", "w1", 1))) == (0, [])
    assert watched.do(adjust(("A", "w1", 1))) == (0, [])
    assert watched.do(adjust(("A", "w1", None, 4))) == (0, [lost])


def test_a_place_that_refuses_says_so_by_its_reason() -> None:
    watched = Watched()
    watched.order("k", ("A", 5, "w1"))
    told = watched.do(adjust(("A", "w1", None, 0, None, noticing.REFUSED)))
    assert told == (0, [("refusal", "w1", "A")])


def test_better_stock_is_news_where_orders_stand_elsewhere() -> None:
    watched = Watched()
    assert watched.do(adjust(("A", "w2", 5))) == (0, [])
    watched.order("k", ("A", 5, "w1"))
    assert watched.do(adjust(("A", "w2", 5))) == (0, [("better_stock", "", "A")])
    assert watched.do(adjust(("A", "w2", -1))) == (0, [])
    assert watched.do(adjust(("A", "w1", 5))) == (0, [])  # It stands there.


def test_a_supply_that_is_late_or_does_not_come_is_news() -> None:
    watched = Watched()
    members = SupplyMembers("purchase_order", 5, NOW_MS + HOUR_MS, "d1")
    watched.do(supplies.open_supply("B", "w2", "po", members))
    watched.order("k", ("B", 3), **{DELIVER_BY: NOW_MS + 2 * HOUR_MS})
    late = ("late_receipt", "", "B")
    assert watched.do(supplies.delay("B", "po", NOW_MS + 3 * HOUR_MS)) == (0, [late])
    assert watched.do(supplies.delay("B", "po", NOW_MS + HOUR_MS)) == (0, [])
    received = watched.do(supplies.receive("B", "po", "r", b"r" * 16, 1, final=True))
    assert late in received[1]


def test_a_node_is_out_when_net_says_that_it_sends_nothing() -> None:
    shut = network.define({"n|w1": {"kind": "warehouse", "capacity_per_hour": 0}})
    assert Watched(NET).do(shut) == (0, [("outage", "w1", "")])
    assert Watched().do(shut) == (0, [])
    assert Watched(NET).do(network.define({"n|w1": {"capacity_per_hour": 1}})) == (0, [])


def test_what_is_open_is_told_again_to_a_new_listener() -> None:
    watched = Watched()
    watched.order("k", ("A", 5, "w1"))
    watched.do(adjust(("A", "w1", None, 4)))
    watched.noticing.loaded(watched.ledger)
    watched.noticing.loaded(watched.ledger)
    assert watched.noticing.take() == (0, [("correction", "w1", "A")])


def test_what_could_not_be_told_is_kept_and_bounded(monkeypatch: Any) -> None:
    watched = Watched()
    watched.noticing.put_back(3, [("refusal", "w1", "A")])
    monkeypatch.setattr(noticing, "_KEPT_MAX", 2)
    watched.noticing.put_back(2, [("refusal", f"w{number}", "A") for number in range(1, 9)])
    confirmed, touched = watched.noticing.take()
    assert confirmed == 5
    assert ("refusal", "", "") in touched
    assert len(touched) <= 3
    assert watched.noticing.take() == (0, [])


def test_only_what_is_wanted_is_noticed() -> None:
    watched = Watched()
    watched.noticing = Noticing(Automatic(every_s=1), NET)
    watched.order("k", ("A", 5, "w1"))
    assert watched.do(adjust(("A", "w1", None, 4))) == (0, [])
    watched.noticing.loaded(watched.ledger)
    assert watched.noticing.take() == (0, [])
