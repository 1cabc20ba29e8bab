"""At ``net``: which SKU a supply is of. Its id must find its shard, and names one supply only.

Supplies that a shard makes by itself it names itself, see ``to_store``.
"""

from engine.commands import Command, Reply
from engine.events import Event
from engine.outcome import Outcome
from engine.record import pack
from engine.state import ShardState

OK = Outcome.OK


def name_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.name_supply``."""
    _, name, sku, digest = command
    known = state.supply_names.get(name)
    if known is not None:
        return [Outcome.REPEATED if known[1] == digest.hex() else Outcome.KEY_REUSED, name]
    _name(state, name, [sku, digest.hex()])
    return [OK]


def unname_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.unname_supply``."""
    _, name, digest = command
    known = state.supply_names.get(name)
    if known is not None and known[1] == digest.hex():
        _name(state, name, None)
    return [OK]


def name_here(state: ShardState, name: str, sku: str | None) -> None:
    """Know a supply that this shard has made by itself; None: no more."""
    _name(state, name, None if sku is None else [sku, ""])


def _name(state: ShardState, name: str, entry: list[str] | None) -> None:
    names, before = state.supply_names, state.supply_names.get(name)

    def put(value: list[str] | None) -> None:
        if value is None:
            names.pop(name, None)
        else:
            names[name] = value

    state.undo(lambda: put(before))
    put(entry)
    state.field(f"U|{name}", None if entry is None else pack(entry))
    state.fact(Event.SUPPLY_NAMED, name, entry)


def find_supply(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.supplies.find_supply``."""
    known = state.supply_names.get(command[1])
    return [Outcome.UNKNOWN_SUPPLY, [command[1]]] if known is None else [OK, known[0]]
