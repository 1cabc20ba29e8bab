"""From a checked body to what an owner or a coordinator is asked for."""

from typing import Final

from msgspec import Struct

from engine import commands, record
from engine.ids import ID, digest, home_of, shard_of, split_id
from engine.limits import HOLD_SECONDS_DEFAULT, QUANTITY_MAX
from engine.record import Extra, Line
from engine.requests import Reserve
from gateway import times
from gateway.problems import Problem, Refused, invalid
from gateway.reading import checked_id, checked_key
from gateway.schema import FulfilBody, ReservationBody, WishedLine

#: SKUs and nodes that have passed the check of ids; a look-up costs a tenth of a match.
_known_ids: Final[set[str]] = set()
_KNOWN_IDS_MAX: Final = 200_000
#: Requests for one line and nothing rare that are kept: every SKU of a large catalogue.
_KNOWN_ASKS_MAX: Final = 100_000

HEADER_KEY: Final = "header.Idempotency-Key"


def _check(value: str, path: str) -> None:
    checked_id(value, path)
    if len(_known_ids) >= _KNOWN_IDS_MAX:
        _known_ids.clear()
    _known_ids.add(value)


def key_of(given: str | None, header: str | None) -> str:
    """The caller's key, from the header or the body's ``id``; Refused if none, not one, or two."""
    if header is not None:
        checked_key(header, HEADER_KEY)
        if given is not None and given != header:
            raise Refused(invalid("id", "differs from the header Idempotency-Key"))
        return header
    if given is None:
        raise Refused(invalid(HEADER_KEY, "a key is required, here or as the member id"))
    return checked_key(given, "id")


class Ask(Struct, frozen=True, gc=False):
    """What a body asks for, and where: the same for all buyers who ask alike."""

    lines: list[Line]
    digest: bytes
    hold_ms: int
    extra: Extra | None
    partial: bool
    single: bool  # All lines lie on one shard.
    home: int
    tail: bytes  # Of the command, see ``commands.reserve_tail``.

    def of(self, key: str) -> Reserve:
        """The request of the caller with this key."""
        return Reserve(
            key, self.digest, self.lines, self.hold_ms, self.extra, self.partial, self.home
        )


class Asks:
    """Bodies to what they ask for. What many ask for is worked out once."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._known: dict[tuple[str, str | None, int, int | None], Ask] = {}

    def of(self, body: ReservationBody, prefix: str = "") -> Ask:
        """What ``body`` asks for; ``prefix`` begins paths of fields. Refused: 422."""
        extra = _extra(body, prefix)
        if extra is not None or len(body.lines) > 1:
            return self._worked_out(body, prefix, extra)
        line = body.lines[0]
        plain = (line.sku, line.node, line.quantity, body.hold_seconds)
        ask = self._known.get(plain)
        if ask is None:
            ask = self._worked_out(body, prefix, None)
            if len(self._known) >= _KNOWN_ASKS_MAX:
                self._known.clear()
            self._known[plain] = ask
        return ask

    def _worked_out(self, body: ReservationBody, prefix: str, extra: Extra | None) -> Ask:
        lines = merged(body.lines, prefix)
        hold_ms = (body.hold_seconds or HOLD_SECONDS_DEFAULT) * 1000
        if body.campaign is not None and body.hold_seconds is None:
            hold_ms = 0  # As the campaign says.
        partial = extra is not None and record.PARTIAL in extra
        single, home = _place(lines, self._shards)
        if body.supersedes is not None and extra is not None:
            single, home = _follow(body.supersedes, prefix, extra, single, home, self._shards)
        hashed = digest(lines, hold_ms, extra)
        tail = commands.reserve_tail(hashed, lines, hold_ms, extra)
        return Ask(lines, hashed, hold_ms, extra, partial, single, home, tail)


def _follow(
    old: str, prefix: str, extra: Extra, single: bool, home: int, shards: int
) -> tuple[bool, int]:
    """Where a cart's new version is decided: where the old one was."""
    place = split_id(checked_id(old, f"{prefix}supersedes"))
    if place is None or place[0] >= shards:
        raise Refused(invalid(f"{prefix}supersedes", "is no id of a reservation"))
    extra[record.SUPERSEDES] = place[1]
    return single and place[0] == home, place[0]


def _place(lines: list[Line], shards: int) -> tuple[bool, int]:
    """(whether all lines lie on one shard, the home shard)."""
    if len(lines) == 1:
        return True, shard_of(lines[0][0], shards)
    skus = [line[0] for line in lines]
    home = home_of(skus, shards)
    return all(shard_of(sku, shards) == home for sku in skus), home


def merged(lines: list[WishedLine], prefix: str) -> list[Line]:
    """One line for each (sku, node), in order of first appearance."""
    if len(lines) == 1:
        line = lines[0]
        if line.sku not in _known_ids:
            _check(line.sku, f"{prefix}lines[0].sku")
        if line.node is not None and line.node not in _known_ids:
            _check(line.node, f"{prefix}lines[0].node")
        return [[line.sku, line.node, line.quantity]]
    merged: dict[tuple[str, str | None], Line] = {}
    for number, line in enumerate(lines):
        if line.sku not in _known_ids:
            _check(line.sku, f"{prefix}lines[{number}].sku")
        if line.node is not None and line.node not in _known_ids:
            _check(line.node, f"{prefix}lines[{number}].node")
        there = merged.setdefault((line.sku, line.node), [line.sku, line.node, 0])
        there[2] += line.quantity
        if there[2] > QUANTITY_MAX:
            raise Refused(_too_many(f"{prefix}lines[{number}].quantity"))
    return list(merged.values())


def _too_many(path: str) -> Problem:
    return invalid(path, f"lines of the same sku and node exceed {QUANTITY_MAX:,} units together")


def _extra(body: ReservationBody, prefix: str) -> Extra | None:
    """The rarer members that are not their defaults; None where there is none."""
    if (
        body.channel is None
        and body.customer is None
        and body.campaign is None
        and body.destination is None
        and body.deliver_by is None
        and body.fulfilment != "pickup"
        and not body.partial
        and not body.preorder
        and body.supersedes is None
    ):
        return None
    extra: Extra = {}
    if body.channel is not None:
        extra[record.CHANNEL] = checked_id(body.channel, f"{prefix}channel")
    if body.campaign is not None:
        extra[record.CAMPAIGN] = checked_id(body.campaign, f"{prefix}campaign")
    if body.customer is not None:
        extra[record.CUSTOMER] = checked_id(body.customer, f"{prefix}customer")
    if body.destination is not None:
        extra[record.ZONE] = checked_id(body.destination.zone, f"{prefix}destination.zone")
    if body.deliver_by is not None:
        extra[record.DELIVER_BY] = instant(body.deliver_by, f"{prefix}deliver_by")
    if body.fulfilment == "pickup":
        _need_nodes(body.lines, prefix)
        extra[record.PICKUP] = True
    if body.partial:
        extra[record.PARTIAL] = True
    if body.preorder:
        extra[record.PREORDER] = True
    return extra if extra or body.supersedes is not None else None


def _need_nodes(lines: list[WishedLine], prefix: str) -> None:
    for number, line in enumerate(lines):
        if line.node is None:
            raise Refused(invalid(f"{prefix}lines[{number}].node", "is required for pickup"))


def instant(text: str, path: str) -> int:
    """Milliseconds since 1970 of a time in a request; Refused if it is none."""
    try:
        return times.read(text)
    except ValueError as error:
        raise Refused(invalid(path, str(error))) from None


def parcel(body: FulfilBody) -> tuple[str, bytes, list[tuple[str, str, int]] | None]:
    """(reference, digest, lines added up, or None for all that is left)."""
    checked_id(body.reference, "reference")
    if body.lines is None:
        return body.reference, digest([], 0, None), None
    merged: dict[tuple[str, str], int] = {}
    for number, line in enumerate(body.lines):
        if line.sku not in _known_ids:
            _check(line.sku, f"lines[{number}].sku")
        if line.node not in _known_ids:
            _check(line.node, f"lines[{number}].node")
        units = merged.get((line.sku, line.node), 0) + line.quantity
        if units > QUANTITY_MAX:
            raise Refused(_too_many(f"lines[{number}].quantity"))
        merged[line.sku, line.node] = units
    lines = [(sku, node, units) for (sku, node), units in merged.items()]
    return body.reference, digest(lines, 0, None), lines


def reservation_ids_valid(ids: list[str]) -> None:
    """Refuse the first member of ``ids`` that is no id."""
    for number, value in enumerate(ids):
        if ID.match(value) is None:
            checked_id(value, f"ids[{number}]")
