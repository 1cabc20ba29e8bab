"""The memory store is the specification: real servers do the same with all a ledger decides."""

from typing import Any, Final

import pytest

from engine import waiting
from engine.commands import Command, Op, Reply
from engine.events import Event
from engine.outcome import DECISIONS, Outcome
from engine.record import unpack
from engine.store.protocol import ShardStore, StreamEntry
from tests.builders import Backend, Owner, ServerBackend, run, scanned
from tests.scripts import SHARDS
from tests.warehouse_scripts import WarehouseScript


async def played(
    store: ShardStore, script: list[tuple[int, list[Command]]]
) -> tuple[list[Reply], dict[str, Any], list[StreamEntry]]:
    """Replies, hashes and events of a script on a store."""
    owner = await Owner.of(store, shards=SHARDS)
    replies: list[Reply] = []
    for now_ms, batch in script:
        replies += await owner.do(*batch, now_ms=now_ms)
    hours = await store.closed_hours(0)
    names = ["state", "free", "reservations", *(f"closed:{hour}" for hour in hours)]
    hashes = {name: await scanned(store, 0, name) for name in names}
    free = {name: int(units) for name, units in hashes["free"].items()}
    live = owner.ledger.free_units()
    assert {name: units for name, units in live.items() if units} == {
        name: units for name, units in free.items() if units
    }
    events = await store.events(0, 0, 100_000)
    await store.close()
    return replies, hashes, events


async def compare(server: ServerBackend, seed: int, count: int) -> None:
    """A script on the memory store and on a server."""
    script = WarehouseScript(seed).batches(count)
    expected = await played(await Backend().store(SHARDS), script)
    found = await played(await server.store(SHARDS), script)
    for name, there, here in zip(("replies", "hashes", "events"), expected, found, strict=True):
        assert there == here, f"seed {seed}: {name} differ"


SEEDS: Final = range(48)
BATCHES: Final = 160


def test_the_scripts_are_of_the_whole_command_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command with success, every answer a ledger can give, every fact it can state."""
    monkeypatch.setattr(waiting, "WAITING_MAX", 3)  # Nobody plays a thousand customers.
    done: set[Op] = set()
    answers: set[Outcome] = set()
    facts: set[Event] = set()
    for seed in SEEDS:
        script = WarehouseScript(seed).batches(BATCHES)
        replies, _, entries = run(played(run(Backend().store(SHARDS)), script))
        commands = [command for _, batch in script for command in batch]
        for command, (outcome, *members) in zip(commands, replies, strict=True):
            answers.add(Outcome(outcome))
            if outcome == Outcome.OK:
                done.add(Op(command[0]))
            if command[0] == Op.ADJUST and outcome == Outcome.OK:
                answers.update(Outcome(row[0]) for row in members if len(row) == 3)
            if command[0] == Op.MOVE:
                answers.update(map(Outcome, members[0]))
        for entry in entries:
            facts.update(map(Event, unpack(entry.events)[3][::3]))
    assert done == set(Op)
    assert answers == DECISIONS
    assert facts == set(Event)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_answers_and_keeps_what_the_memory_store_does(
    server: ServerBackend, seed: int
) -> None:
    """The whole command set at random: identical replies, hashes and events, byte for byte."""
    run(compare(server, seed, BATCHES))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1_000, 1_020))
def test_a_long_script_leaves_the_same_in_every_store(server: ServerBackend, seed: int) -> None:
    """The same over days of shard time."""
    run(compare(server, seed, 1_500))
