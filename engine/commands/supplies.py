"""Commands about units on their way: purchase orders, returns, transfers."""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.commands import Command, Op


def name_supply(supply: str, sku: str, digest: bytes) -> Command:
    """At ``net``: the id belongs to this SKU's supply. → OK, REPEATED, or KEY_REUSED."""
    return [Op.NAME_SUPPLY, supply, sku, digest]


def unname_supply(supply: str, digest: bytes) -> Command:
    """At ``net``: it came to nothing, the id is free again. → OK."""
    return [Op.UNNAME_SUPPLY, supply, digest]


def find_supply(supply: str) -> Command:
    """At ``net``. → OK with the SKU, or UNKNOWN_SUPPLY."""
    return [Op.FIND_SUPPLY, supply]


def open_supply(sku: str, node: str, supply: str, members: Sequence[Any]) -> Command:
    """``members``: those of ``stock.Supply``. A transfer's units leave ``from_node`` at once.

    → OK or REPEATED with the supply, UNKNOWN_SKU, UNKNOWN_NODE, SHORT, or OUT_OF_RANGE.
    """
    return [Op.OPEN_SUPPLY, sku, node, supply, members]


def receive(
    sku: str, supply: str, reference: str, digest: bytes, units: int, *, final: bool
) -> Command:
    """Units have come, once for each reference; promises move with them, earliest first.

    → OK or REPEATED with the supply and its shortfalls, UNKNOWN_SUPPLY, SUPPLY_CLOSED, KEY_REUSED,
    or OUT_OF_RANGE.
    Promises beyond a slice move with ``arrive``.
    """
    return [Op.RECEIVE, sku, supply, reference, digest, units, final]


def arrive(sku: str, supply: str) -> Command:
    """Go on with what has come and is not yet on hand. → OK with the supply and its shortfalls."""
    return [Op.ARRIVE, sku, supply]


def delay(sku: str, supply: str, available_at_ms: int) -> Command:
    """→ OK with the supply and its shortfalls, UNKNOWN_SUPPLY, or SUPPLY_CLOSED."""
    return [Op.DELAY, sku, supply, available_at_ms]


def cancel_supply(sku: str, supply: str) -> Command:
    """A transfer's units go back to where they came from. → as ``delay``, or IN_PROGRESS."""
    return [Op.CANCEL_SUPPLY, sku, supply]


def read_supply(sku: str, supply: str) -> Command:
    """→ OK with the supply and its shortfalls, or UNKNOWN_SUPPLY."""
    return [Op.READ_SUPPLY, sku, supply]


def forget_supply(sku: str, supply: str) -> Command:
    """It ended long ago and ``net`` has forgotten its id. → OK, also where it is still needed."""
    return [Op.FORGET_SUPPLY, sku, supply]


def reback(
    key: str, nonce: bytes, lines: Sequence[Any], costs: Mapping[str, list[Any]], count: int
) -> Command:
    """At home: units of a piece stand on other backings now, with what is told of these.

    ``count``: the number of that change, see ``rebacking``. → OK, also where it is too late.
    """
    return [Op.REBACK, key, nonce, lines, costs, count]


def told(field: str, record: bytes) -> Command:
    """A piece's home knows its backings as this record has them. → OK."""
    return [Op.TOLD, field, record]


def shortfalls(after: str, most: int) -> Command:
    """→ OK, then up to ``most`` rows of ``shortfalls.SHORTFALL_MEMBERS`` behind an id, by id."""
    return [Op.SHORTFALLS, after, most]
