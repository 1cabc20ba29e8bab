"""Ids of supplies: each names one supply, whoever asks for it at the same time."""

from collections.abc import Callable
from threading import Thread
from typing import Any

from actors import supplies as over_shards
from engine import commands
from engine.commands import Command, Op, Reply, supplies
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.stock import SupplyMembers
from tests.builders import NOW_MS, adjust, empty_ledger, run, stocked_ledger

MEMBERS = SupplyMembers("transfer", 5, NOW_MS, b"d".hex(), "w1")
Between = Callable[[], None]


class Shards:
    """One shard and ``net``; a test may come between two calls."""

    shards, net = 1, 1

    def __init__(self, on_hand: int) -> None:
        self.ledgers: list[Ledger] = [
            stocked_ledger({"A": {"w1": on_hand, "w2": 0}}), empty_ledger(1),
        ]  # fmt: skip
        self.before: dict[int, Between] = {}

    async def call(self, shard: int, command: Command, deadline_at: float) -> Reply:
        """See ``actors.supplies.Shards``."""
        between = self.before.pop(command[0], None)
        if between is not None:
            between()
        return self.ledgers[shard].decide(command, NOW_MS)

    def open(self, members: SupplyMembers = MEMBERS) -> Reply:
        """As a gateway does."""
        return run(over_shards.open_supply(self, "tr-1", "A", "w2", members, 0.0))

    def found(self) -> Any:
        """What the id names."""
        return run(over_shards.ask(self, "tr-1", lambda sku: supplies.read_supply(sku, "tr-1"), 0))


def test_an_id_whose_supply_came_to_nothing_is_free_again() -> None:
    """Another body may take it."""
    shards = Shards(3)
    assert shards.open()[0] == Outcome.SHORT
    assert shards.found() == [Outcome.UNKNOWN_SUPPLY, ["tr-1"]]
    fewer = MEMBERS._replace(quantity=3, digest=b"e".hex())
    assert shards.open(fewer)[0] == Outcome.OK
    assert shards.open()[0] == Outcome.KEY_REUSED


def test_the_id_stays_where_the_same_request_had_more_luck_before_it_was_let_go() -> None:
    """Units came between the refusal of the first and its second thought."""
    shards = Shards(3)

    def another() -> None:
        shards.ledgers[0].decide(adjust(("A", "w1", 9)), NOW_MS)
        assert shards.open()[0] == Outcome.OK

    shards.before[Op.UNNAME_SUPPLY] = lambda: _in_thread(another)
    assert shards.open()[0] == Outcome.SHORT
    assert shards.found()[1][0] == "tr-1"


def test_the_id_is_taken_again_where_it_was_let_go_meanwhile() -> None:
    """The first was refused and lets go while the second, which found the id taken, succeeds."""
    shards = Shards(9)
    digest = bytes.fromhex(MEMBERS.digest)
    shards.ledgers[1].decide(supplies.name_supply("tr-1", "A", digest), NOW_MS)

    def let_go() -> None:
        shards.ledgers[1].decide(supplies.unname_supply("tr-1", digest), NOW_MS)

    shards.before[Op.OPEN_SUPPLY] = let_go
    assert shards.open()[0] == Outcome.OK
    assert shards.found()[1][0] == "tr-1"
    assert shards.ledgers[0].decide(commands.stock("A"), NOW_MS)[5][0][0] == "tr-1"


def _in_thread(work: Between) -> None:
    """A loop of its own, for a caller that runs on one."""
    thread = Thread(target=work)
    thread.start()
    thread.join()
