"""What clients were told against what the store holds: a run that fails this prints no speed."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from bench.client import ask, request
from bench.load import Address
from bench.orders import Orders
from bench.product import expect
from bench.tally import Tally, kind_of

#: Reservations asked about in one request, and how often a busy server is asked again.
_BATCH: Final = 500
_TRIES: Final = 20
#: Findings printed; there may be a million.
_FINDINGS_MAX: Final = 20


class Element(msgspec.Struct):
    """Of one result of a batch only the status is looked at."""

    status: int


class BatchAnswer(msgspec.Struct):
    """The answer of the batch door."""

    results: list[Element]


_decoder: Final = msgspec.json.Decoder(BatchAnswer)


def element_statuses(body: bytes) -> list[int]:
    """Status of each reservation in an answer of the batch door."""
    return [element.status for element in _decoder.decode(body).results]


class Told:
    """What clients were told during a run."""

    def __init__(self) -> None:
        self._held: list[tuple[Orders, list[int]]] = []
        self.acknowledged = 0
        self.acknowledged_units: Counter[str] = Counter()
        self.unknown_units: Counter[str] = Counter()
        self.unknown = 0

    def note(self, orders: Orders, tally: Tally) -> None:
        """Add a step's answers; request n of a batch door asked for n × batch … + batch − 1."""
        held: list[int] = []
        for request_number, statuses in tally.statuses().items():
            for number, status in enumerate(statuses, request_number * tally.batch):
                self._note_one(orders, number, kind_of(status), held)
        self._held.append((orders, held))
        self.acknowledged += len(held)

    def _note_one(self, orders: Orders, number: int, kind: str, held: list[int]) -> None:
        if kind == "ok":
            held.append(number)
            units = self.acknowledged_units
        elif kind in ("unknown", "errors"):
            self.unknown += 1
            units = self.unknown_units
        else:
            return
        for sku, quantity in orders.basket(number):
            units[sku] += quantity

    def repeats(self) -> Iterable[tuple[Orders, Sequence[int]]]:
        """Batches of acknowledged requests, to be sent once more."""
        for orders, held in self._held:
            for begin in range(0, len(held), _BATCH):
                yield orders, held[begin : begin + _BATCH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What the store says of one SKU, all nodes together."""

    on_hand: int
    promised: int  # Reserved and committed.
    oversold: int  # Summed per node.


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The verdict. ``clean`` is the only thing that lets a speed be printed."""

    acknowledged: int = 0
    unknown: int = 0  # Requests without a decided answer: they may be held or not.
    oversold_units: int = 0
    acknowledged_missing: int = 0
    unaccounted_units: int = 0  # Promised units that no client was told about, or the reverse.
    store_audit_clean: bool = True
    findings: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether what clients were told is what the store holds."""
        wrong = self.oversold_units + self.acknowledged_missing + self.unaccounted_units
        return wrong == 0 and self.store_audit_clean


def compare(told: Told, stock: Mapping[str, int], positions: Mapping[str, Position]) -> Audit:
    """Clients' books against positions; ``stock`` is what was put there, per SKU."""
    oversold = unaccounted = 0
    findings: list[str] = []
    for sku, position in positions.items():
        said = told.acknowledged_units[sku]
        beyond = max(position.oversold, said - stock[sku], position.promised - position.on_hand)
        if beyond > 0:
            oversold += beyond
            findings.append(f"{sku}: {beyond} units oversold")
        off = max(said - position.promised, position.promised - said - told.unknown_units[sku], 0)
        if off:
            unaccounted += off
            findings.append(f"{sku}: clients were told {said} units, promised {position.promised}")
    return Audit(
        acknowledged=told.acknowledged,
        unknown=told.unknown,
        oversold_units=oversold,
        unaccounted_units=unaccounted,
        findings=findings[:_FINDINGS_MAX],
    )


async def audit(address: Address, told: Told, stock: Mapping[str, int]) -> Audit:
    """Compare everything: positions, each acknowledged reservation, the product's own audit."""
    positions = await _positions(address, list(stock))
    result = compare(told, stock, positions)
    missing = await _missing(address, told)
    own = (await expect(address, [request("POST", "/v1/audit", b"", "X-Deadline-Ms: 30000\r\n")]))[
        0
    ]
    findings = [f"{key}: not there any more" for key in missing]
    findings += [f"store audit: {json.dumps(finding)}" for finding in own["findings"]]
    return replace(
        result,
        acknowledged_missing=len(missing),
        store_audit_clean=bool(own["clean"]),
        findings=(result.findings + findings)[:_FINDINGS_MAX],
    )


async def _positions(address: Address, skus: Sequence[str]) -> dict[str, Position]:
    """GET /v1/stock of each SKU."""
    answers = await expect(address, [request("GET", f"/v1/stock/{sku}") for sku in skus])
    return {sku: position_of(answer) for sku, answer in zip(skus, answers, strict=True)}


def position_of(answer: Mapping[str, Any]) -> Position:
    """One answer of GET /v1/stock, summed over nodes."""
    rows = answer["positions"]
    promised = [row["reserved"] + row["committed"] for row in rows]
    return Position(
        on_hand=sum(row["on_hand"] for row in rows),
        promised=sum(promised),
        oversold=sum(
            max(0, units - row["on_hand"]) for units, row in zip(promised, rows, strict=True)
        ),
    )


async def _missing(address: Address, told: Told) -> list[str]:
    """Keys of acknowledged reservations that are not there.

    Every acknowledged request is sent again through the batch door: what is there answers 200;
    a 201 says that it had been lost and was made anew, a refusal that it was lost for good.
    """
    missing: list[str] = []
    batches = list(told.repeats())
    answers = await _ask_in_turns(address, [orders.batch(held) for orders, held in batches])
    for (orders, held), statuses in zip(batches, answers, strict=True):
        busy = []
        for number, status in zip(held, statuses, strict=False):
            if status in (429, 503):
                busy.append(number)
            elif status != 200:
                missing.append(orders.key(number))
        missing += await _missing_of(address, orders, busy)
    return missing


async def _ask_in_turns(address: Address, requests: Sequence[bytes]) -> list[list[int]]:
    """Statuses of each batch; a batch refused as a whole counts as busy."""
    answers = await ask(address, requests, connections=4)
    return [element_statuses(body) if status == 200 else [429] * _BATCH for status, body in answers]


async def _missing_of(address: Address, orders: Orders, busy: Sequence[int]) -> list[str]:
    """Ask again about those that a busy server put off."""
    missing: list[str] = []
    for _ in range(_TRIES):
        if not busy:
            break
        await asyncio.sleep(0.1)
        statuses = (await _ask_in_turns(address, [orders.batch(busy)]))[0]
        pairs = list(zip(busy, statuses, strict=False))
        missing += [orders.key(n) for n, status in pairs if status not in (200, 429, 503)]
        busy = [n for n, status in pairs if status in (429, 503)]
    return missing + [orders.key(number) for number in busy]
