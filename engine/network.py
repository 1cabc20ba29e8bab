"""SKUs and nodes. The ``net`` shard owns the nodes; every other shard holds a version of them."""

from typing import Any

from engine.commands import Command, Reply
from engine.events import Event
from engine.outcome import Outcome
from engine.record import pack
from engine.state import ShardState
from engine.stock import Book, Node

OK = Outcome.OK


def define_sku(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Make a SKU known, or replace its members; see ``commands.define_sku``."""
    _, sku, members = command
    book = state.books.get(sku)
    if book is None:
        state.books[sku] = Book(sku, members)
        state.effects.seen[sku] = None
        state.undo(lambda: state.books.pop(sku, None))
    elif book.members == members:
        return [OK]
    else:
        before = book.members

        def restore() -> None:
            book.members = before

        state.undo(restore)
        book.members = members
    state.field(f"k|{sku}", pack(members))
    state.fact(Event.SKU_DEFINED, sku, members)
    return [OK]


def read_sku(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.read_sku``."""
    book = state.books.get(command[1])
    return [OK, book.members] if book is not None else [Outcome.UNKNOWN_SKU, [command[1]]]


def define_node(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Make a node known, or replace its members: a new version of the network."""
    _, node, members = command
    known = state.nodes.get(node)
    if known is None or known.members != members:
        _enter(state, state.network + 1, {node: members})
    return [OK, state.network]


def take_network(state: ShardState, command: Command, now_ms: int) -> Reply:
    """Come from version ``since`` to ``version``; see ``commands.take_network``."""
    _, since, version, nodes = command
    if version <= state.network:
        return [OK, state.network]
    if since > state.network:
        return [Outcome.GAP, state.network]
    _enter(state, version, nodes)
    return [OK, version]


def _enter(state: ShardState, version: int, nodes: dict[str, dict[str, Any]]) -> None:
    network = state.network
    before = {node: state.nodes.get(node) for node in nodes}
    versions = {node: state.node_versions.get(node) for node in nodes}

    def restore() -> None:
        state.network = network
        for node, place in before.items():
            changed_at = versions[node]
            if place is None or changed_at is None:
                state.nodes.pop(node, None)
                state.node_versions.pop(node, None)
            else:
                state.nodes[node] = place
                state.node_versions[node] = changed_at
        _replace(state, nodes)

    state.undo(restore)
    state.network = version
    for node, members in nodes.items():
        state.nodes[node] = Node(node, members)
        state.node_versions[node] = version
        state.field(f"n|{node}", pack([version, members]))
    _replace(state, nodes)
    state.field("N", pack(version))
    state.fact(Event.NETWORK, str(version), nodes)


def _replace(state: ShardState, nodes: dict[str, dict[str, Any]]) -> None:
    """Let the positions at these nodes see their members."""
    for book in state.books.values():
        touched = [position for position in book.positions.values() if position.node in nodes]
        for position in touched:
            if position.node in state.nodes:
                position.place = state.nodes[position.node]
        if touched:
            book.reorder()
            state.effects.seen[book.sku] = None


def read_network(state: ShardState, command: Command, now_ms: int) -> Reply:
    """See ``commands.read_network``."""
    since = command[1]
    nodes = {
        node: state.nodes[node].members
        for node, version in state.node_versions.items()
        if version > since
    }
    return [OK, state.network, nodes]
