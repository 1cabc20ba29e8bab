"""The network: nodes, lanes, pools, channels, bundles; and SKUs, which lie with their shards.

The ``net`` shard owns the elements and counts their versions; every other shard holds a version of
them, taken over by a command, so that each decision is a function of what was committed.
"""

from collections.abc import Mapping
from typing import Any

from engine.changes import enter, leave
from engine.commands import Command, Reply
from engine.events import Event
from engine.lanes import table_of
from engine.limits import NETWORK_BYTES_MAX
from engine.outcome import Outcome
from engine.record import pack
from engine.state import ShardState
from engine.stock import Book, Node

OK = Outcome.OK
#: Value of an element: members of a node or channel, packed lanes of a zone, nodes of a pool …
Elements = Mapping[str, Any]


def define_sku(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Make a SKU known, or replace its members; see ``commands.define_sku``."""
    _, sku, members = command
    book = state.books.get(sku)
    if book is None:
        state.books[sku] = Book(sku, members)
        enter(state, sku)
        state.undo(lambda: _forget_sku(state, sku))
    elif book.members == members:
        return [OK]
    else:
        before = book.members
        state.undo(lambda: book.define(before))
        book.define(members)
    state.effects.seen[sku] = None
    state.marked = state.marked or state.books[sku].low_stock is not None
    state.field(f"k|{sku}", pack(members))
    state.fact(Event.SKU_DEFINED, sku, members)
    return [OK]


def _forget_sku(state: ShardState, sku: str) -> None:
    del state.books[sku]
    leave(state, sku)


def read_sku(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.read_sku``."""
    book = state.books.get(command[1])
    return [OK, book.members] if book is not None else [Outcome.UNKNOWN_SKU, [command[1]]]


def define(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.network.define``: a new version of the network, where anything is new."""
    changed = {name: value for name, value in command[1].items() if _differs(state, name, value)}
    named = {node for name in changed if name[0] == "p" for node in changed[name]}
    unknown = sorted(named - state.nodes.keys())
    if unknown:
        return [Outcome.UNKNOWN_NODE, unknown]
    if changed:
        _enter(state, state.network + 1, changed)
    return [OK, state.network, changed]


def _differs(state: ShardState, name: str, value: Any) -> bool:
    return name not in state.elements or bool(state.elements[name][1] != value)


def define_lanes(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.network.define_lanes``."""
    rows = command[1]
    unknown = sorted({row[0] for row in rows} - state.nodes.keys())
    if unknown:
        return [Outcome.UNKNOWN_NODE, unknown]
    tables: dict[str, dict[str, list[Any]]] = {}
    for node, zone, *lane in rows:
        if zone not in tables:
            known = state.lanes.get(zone, {})
            tables[zone] = {name: list(way) for name, way in known.items()}
        tables[zone][node] = lane
    elements = {f"l|{zone}": pack(table) for zone, table in tables.items()}
    reply = define(state, [command[0], elements], now_ms)
    return [*reply, sum(map(len, state.lanes.values()))]


def take_network(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Come from version ``since`` to ``version``; see ``commands.take_network``."""
    _, since, version, elements = command
    if version <= state.network:
        return [OK, state.network]
    if since > state.network:
        return [Outcome.GAP, state.network]
    _enter(state, version, elements)
    return [OK, version]


def _enter(state: ShardState, version: int, elements: Elements) -> None:
    network = state.network
    before = {name: state.elements.get(name) for name in elements}

    def restore() -> None:
        state.network = network
        for name, entry in before.items():
            if entry is None:
                state.elements.pop(name, None)
                _derive(state, name, None)
            else:
                state.elements[name] = entry
                _derive(state, name, entry[1])
        _replace(state, elements)

    state.undo(restore)
    state.network = version
    for name, value in elements.items():
        state.elements[name] = (version, value)
        _derive(state, name, value)
        state.field(name, pack([version, value]))
    _replace(state, elements)
    state.field("N", pack(version))
    state.fact(Event.NETWORK, str(version), dict(elements))


def _derive(state: ShardState, name: str, value: Any) -> None:
    """Let the state see an element as decisions need it; None: there is none."""
    kind, _, subject = name.partition("|")
    kinds: dict[str, Any] = {
        "n": state.nodes, "l": state.lanes, "p": state.pools, "h": state.channels,
        "b": state.bundles,
    }  # fmt: skip
    places: dict[str, Any] = kinds[kind]
    if value is None:
        places.pop(subject, None)
    elif kind == "n":
        places[subject] = Node(subject, value)
    elif kind == "l":
        places[subject] = table_of(value)
    elif kind == "p":
        places[subject] = frozenset(value)
    else:
        places[subject] = value


def load_element(state: ShardState, name: str, unpacked: list[Any]) -> None:
    """Take an element in from the store."""
    version, element = unpacked
    if name[0] == "l":
        element = element.encode("utf-8", "surrogateescape")
    state.elements[name] = (version, element)
    _derive(state, name, element)


def _replace(state: ShardState, elements: Elements) -> None:
    """Let the positions at changed nodes see their members, and what is ranked be ranked anew."""
    nodes = {name[2:] for name in elements if name[0] == "n"}
    for book in state.books.values():
        book.forget_orders()
        book.stir()
        touched = [position for position in book.positions.values() if position.node in nodes]
        for position in touched:
            if position.node in state.nodes:
                position.place = state.nodes[position.node]
                position.withhold()
        if touched:
            book.reorder()
            state.effects.seen[book.sku] = None


def read_network(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.read_network``."""
    _, since, kinds = command
    newer = sorted(
        (version, name, value)
        for name, (version, value) in state.elements.items()
        if version > since and name[0] in kinds
    ) if since < state.network else []  # fmt: skip
    elements: dict[str, Any] = {}
    size, reached = 0, state.network
    for at, (version, name, value) in enumerate(newer):
        if size > NETWORK_BYTES_MAX and newer[at - 1][0] != version:
            reached = newer[at - 1][0]
            break
        elements[name] = value
        size += len(pack(value))
    return [OK, reached, elements, state.network]
