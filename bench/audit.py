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
from bench.processes import CannotStart
from bench.product import expect
from bench.tally import Tally, kind_of

#: Reservations asked about in one request, and how often a busy server is asked again.
_BATCH: Final = 500
_TRIES: Final = 20
#: A million reservations are compared in far less; who died in between answers never.
_AUDIT_S: Final = 600.0
#: Findings printed; there may be a million.
_FINDINGS_MAX: Final = 20


class Element(msgspec.Struct):
    """Of one result of a batch only the status is looked at."""

    status: int


class BatchAnswer(msgspec.Struct):
    """The answer of the batch door."""

    results: list[Element]


class Reservation(msgspec.Struct):
    """How it stands with one: ``held``, ``confirmed`` …; a number where there is none."""

    status: str | int = ""


class Found(msgspec.Struct):
    """What an acknowledged request was answered when it was sent again."""

    status: int
    body: Reservation = msgspec.field(default_factory=Reservation)


class FoundAnswer(msgspec.Struct):
    """The same answer of the batch door, looked at more closely."""

    results: list[Found]


_decoder: Final = msgspec.json.Decoder(BatchAnswer)
_found_decoder: Final = msgspec.json.Decoder(FoundAnswer)


def element_statuses(body: bytes) -> list[int]:
    """Status of each reservation in an answer of the batch door."""
    return [element.status for element in _decoder.decode(body).results]


@dataclass(frozen=True, slots=True)
class Held:
    """Reservations that were acknowledged, and which of them were paid for."""

    orders: Orders
    numbers: Sequence[int]
    paid: frozenset[int]


class Told:
    """What clients were told during a run."""

    def __init__(self) -> None:
        self._held: list[Held] = []
        self.acknowledged = 0
        self.acknowledged_payments = 0
        self.acknowledged_units: Counter[str] = Counter()
        self.unknown_units: Counter[str] = Counter()
        self.unknown = 0

    def note(self, orders: Orders, tally: Tally, payments: Tally | None = None) -> None:
        """Add a step's answers; request n of a batch door asked for n × batch … + batch − 1.

        ``payments``: answers to those who paid, by the numbers of their reservations.
        """
        held: list[int] = []
        for request_number, statuses in tally.statuses().items():
            for number, status in enumerate(statuses, request_number * tally.batch):
                self._note_one(orders, number, kind_of(status), held)
        rows = zip(payments.numbers, payments.codes, strict=True) if payments else ()
        paid = frozenset(number for number, status in rows if kind_of(status) == "ok")
        self._held.append(Held(orders, held, paid))
        self.acknowledged += len(held)
        self.acknowledged_payments += len(paid)

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

    def repeats(self) -> Iterable[Held]:
        """All acknowledged requests in portions of one batch, to be sent once more."""
        for held in self._held:
            for begin in range(0, len(held.numbers), _BATCH):
                yield replace(held, numbers=held.numbers[begin : begin + _BATCH])


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
    acknowledged_payments: int = 0
    payments_missing: int = 0  # The client was told confirmed, the store says something else.
    unaccounted_units: int = 0  # Promised units that no client was told about, or the reverse.
    store_audit_clean: bool = True
    findings: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether what clients were told is what the store holds."""
        wrong = self.oversold_units + self.acknowledged_missing + self.unaccounted_units
        return wrong + self.payments_missing == 0 and self.store_audit_clean


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
        acknowledged_payments=told.acknowledged_payments,
        unknown=told.unknown,
        oversold_units=oversold,
        unaccounted_units=unaccounted,
        findings=findings[:_FINDINGS_MAX],
    )


async def audit(address: Address, told: Told, stock: Mapping[str, int]) -> Audit:
    """Compare everything: positions, each acknowledged reservation, the product's own audit.

    An audit that cannot be made is not clean: the product has died, or does not answer any more.
    """
    try:
        async with asyncio.timeout(_AUDIT_S):
            return await _audited(address, told, stock)
    except (CannotStart, OSError) as error:
        findings = [f"the audit could not be made: {error!r}"]
        return Audit(
            acknowledged=told.acknowledged,
            acknowledged_payments=told.acknowledged_payments,
            unknown=told.unknown,
            store_audit_clean=False,
            findings=findings,
        )


async def _audited(address: Address, told: Told, stock: Mapping[str, int]) -> Audit:
    positions = await _positions(address, list(stock))
    result = compare(told, stock, positions)
    books = Books()
    await books.look_up(address, told)
    own = (await expect(address, [request("POST", "/v1/audit", b"", "X-Deadline-Ms: 30000\r\n")]))[
        0
    ]
    findings = [f"{key}: not there any more" for key in books.missing]
    findings += [f"{key}: paid for, and {state} in the store" for key, state in books.unpaid]
    findings += [f"store audit: {json.dumps(finding)}" for finding in own["findings"]]
    return replace(
        result,
        acknowledged_missing=len(books.missing),
        payments_missing=len(books.unpaid),
        store_audit_clean=bool(own["clean"]),
        findings=(result.findings + findings)[:_FINDINGS_MAX],
    )


async def _positions(address: Address, skus: Sequence[str]) -> dict[str, Position]:
    """GET /v1/stock of each SKU."""
    answers = await expect(address, [request("GET", f"/v1/stock/{sku}") for sku in skus])
    return {sku: position_of(answer) for sku, answer in zip(skus, answers, strict=True)}


def position_of(answer: Mapping[str, Any]) -> Position:
    """One answer of GET /v1/stock, summed over nodes and what is on its way to them."""
    rows = answer["positions"]
    promised = [row["reserved"] + row["committed"] for row in rows]
    coming = [supply for supply in answer["supplies"] if supply["state"] == "open"]
    to_come = sum(supply["quantity"] - supply["received"] for supply in coming)
    return Position(
        on_hand=sum(row["on_hand"] for row in rows) + to_come,
        promised=sum(promised) + sum(supply["promised"] for supply in coming),
        oversold=sum(
            max(0, units - row["on_hand"]) for units, row in zip(promised, rows, strict=True)
        ),
    )


class Books:
    """Acknowledged reservations that are not what their clients were told.

    Every acknowledged request is sent again through the batch door: what is there answers 200
    with the reservation as it is now; a 201 says that it had been lost and was made anew, a
    refusal that it was lost for good.
    """

    def __init__(self) -> None:
        self.missing: list[str] = []
        self.unpaid: list[tuple[str, str | int]] = []  # (key, what it is instead of confirmed)

    async def look_up(self, address: Address, told: Told) -> None:
        """Ask about all of them; about those that a busy server puts off again and again."""
        portions = list(told.repeats())
        answers = await _ask_again(address, portions)
        for portion, answer in zip(portions, answers, strict=True):
            busy = self._compare(portion, answer)
            for _ in range(_TRIES):
                if not busy.numbers:
                    break
                await asyncio.sleep(0.1)
                (again,) = await _ask_again(address, [busy])
                busy = self._compare(busy, again)
            self.missing += [busy.orders.key(number) for number in busy.numbers]

    def _compare(self, portion: Held, answer: Sequence[Found]) -> Held:
        """Note what is wrong. → those that were put off."""
        busy = []
        for number, found in zip(portion.numbers, answer, strict=True):
            if found.status in (429, 503):
                busy.append(number)
            elif found.status != 200:
                self.missing.append(portion.orders.key(number))
            elif number in portion.paid and found.body.status != "confirmed":
                self.unpaid.append((portion.orders.key(number), found.body.status))
        return replace(portion, numbers=busy)


async def _ask_again(address: Address, portions: Sequence[Held]) -> list[list[Found]]:
    """What each of them is answered; all of a batch that was refused as a whole are put off."""
    requests = [portion.orders.batch(portion.numbers) for portion in portions]
    answers = await ask(address, requests, connections=4)
    return [
        _found_decoder.decode(body).results if status == 200 else [Found(429)] * len(held.numbers)
        for held, (status, body) in zip(portions, answers, strict=True)
    ]
