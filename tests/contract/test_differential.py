"""The memory store is the specification: real servers do the same with all a ledger decides."""

from typing import Any

import pytest

from engine.commands import Command, Reply
from engine.store.protocol import ShardStore, StreamEntry
from tests.builders import Backend, Owner, ServerBackend, run, scanned
from tests.scripts import Script


async def played(
    store: ShardStore, script: list[tuple[int, list[Command]]]
) -> tuple[list[Reply], dict[str, Any], list[StreamEntry]]:
    """Replies, hashes and events of a script on a store."""
    owner = await Owner.of(store)
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
    script = Script(seed).batches(count)
    expected = await played(await Backend().store(), script)
    found = await played(await server.store(), script)
    for name, there, here in zip(("replies", "hashes", "events"), expected, found, strict=True):
        assert there == here, f"seed {seed}: {name} differ"


@pytest.mark.parametrize("seed", range(12))
def test_a_server_answers_and_keeps_what_the_memory_store_does(
    server: ServerBackend, seed: int
) -> None:
    """The whole command set at random: identical replies, hashes and events, byte for byte."""
    run(compare(server, seed, 60))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1_000, 1_020))
def test_a_long_script_leaves_the_same_in_every_store(server: ServerBackend, seed: int) -> None:
    """The same over days of shard time."""
    run(compare(server, seed, 1_500))
