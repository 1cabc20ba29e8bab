"""Commands about the network, at ``net``. Elements are named by kind: ``n|node``, ``l|zone``,

``p|pool``, ``h|channel``, ``b|bundle``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from engine.commands import Command, Op


def define(elements: Mapping[str, Any]) -> Command:
    """Make elements known or replace them. → OK, the version that has them, those that are new;

    or UNKNOWN_NODE.
    """
    return [Op.DEFINE, elements]


def define_lanes(rows: Sequence[Sequence[Any]]) -> Command:
    """Add or replace lanes: ``[node, zone, *lanes.Lane]``. → as ``define``, then how many lanes."""
    return [Op.DEFINE_LANES, rows]


def queued_elsewhere(rows: Sequence[Sequence[Any]]) -> Command:
    """Tell how many orders have joined stores' queues on other shards, and left them early.

    ``[node, joined, left]``: each is the sum since ever, see ``pickups``. → OK
    """
    return [Op.QUEUED_ELSEWHERE, rows]
