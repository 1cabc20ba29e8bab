"""Limits of a buyer over several SKUs on bad days: never exceeded, and counted to the unit."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from msgspec import structs

from actors import offers, sagas
from actors.campaigns import terms_of
from engine import accounts, commands, holds, ledger, offering, pieces, totals
from engine.accounts import units_sent
from engine.commands import Command, Op, Reply, shares, waiting
from engine.ids import digest, home_of, shard_of
from engine.ledger import Ledger
from engine.outcome import Outcome
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    COUNTED,
    CUSTOMER,
    LIMITS,
    PARTIAL,
    SHIPPED,
    SUPERSEDES,
    Extra,
    Reservation,
    Status,
    unpack,
)
from engine.requests import Reserve
from engine.state import ATTEMPT, PIECE, ShardState
from engine.waiting_list import Entry, Standing
from tests.builders import NOW_MS
from tests.property.settled import settled
from tests.property.simulation import (
    ALL_SKUS,
    CALL_S,
    SHARDS,
    SKUS,
    Cluster,
    Host,
    simulate,
)
from tests.property.test_pieces_simulation import HOLDS_MS, Day

DAYS: Final = 400
BLOCK: Final = 100
UNPAID_MOST: Final = 4
TOTAL_MOST: Final = 5
OF_SKU_MOST: Final = 3
LOOKS_EVERY_S: Final = 0.2
WAIT_MS: Final = 8_000
OFFER_MS: Final = 3_000
WAITS: Final = 9
CUSTOMERS: Final = ("ann", "eve")
WAYS: Final = ({CHANNEL: "web"}, {CAMPAIGN: "drop"}, {CHANNEL: "web", CAMPAIGN: "drop"})
CHANNEL_MEMBERS: Final = {
    "name": "web", "late_payment": "hold_again", "anonymous_hold_seconds": None, "pool": None,
    totals.UNPAID: UNPAID_MOST,
}  # fmt: skip
CAMPAIGN_MEMBERS: Final = {
    "channel": None, "starts_at": NOW_MS - 1, "ends_at": NOW_MS + 10**9, "nodes": None,
    "limit_per_customer": OF_SKU_MOST, "limit_per_customer_total": TOTAL_MOST, "hold_seconds": None,
    "anonymous_hold_seconds": None, "include_supplies": False, "tranches": None,
}  # fmt: skip
MOST: Final = {"c:web": UNPAID_MOST, "m:drop": TOTAL_MOST}
#: (shard, limit, customer)
Place = tuple[int, str, str]


class Limited(Cluster):
    """Shards with a campaign and a channel that limit each buyer over all SKUs."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.storm = False
        self.standings: Counter[Standing] = Counter()  # What those who waited were told.
        for host, skus in zip(self.hosts, SKUS, strict=True):
            self.apply(host, commands.take_network(1, 2, {"h|web": CHANNEL_MEMBERS}))
            items = [[sku, 2] for sku in skus]
            self.apply(host, shares.open_campaign("drop", terms_of(CAMPAIGN_MEMBERS), items))
        self.storm = True

    def committed(self) -> Iterator[Reservation]:
        """What homes have committed of every reservation, open or ended."""
        for shard in self.server.shards.values():
            known: dict[str, bytes] = {}
            untold = _untold(shard.hashes["state"])
            for name, fields in sorted(shard.hashes.items()):
                if name == "reservations" or name.startswith("closed:"):
                    known.update(fields)  # The open ones come last: what was revived is open.
            for key, record in known.items():
                if key[0] not in (PIECE, ATTEMPT) and key not in untold:
                    yield Reservation(record)

    def chores(self, host: Host) -> None:
        """Those who wait are served too, as their shards agree."""
        super().chores(host)
        if host.alive and host.ledger.waiting.wants(self.now_ms()):
            self.apply(host, waiting.serve())
        for key in list(host.ledger.waiting.asked):
            self.start(self.settle_offer(host, key))

    async def settle_offer(self, host: Host, key: str) -> None:
        """The customer's shard takes a piece, or says that he has too much."""
        home, ledger = host.right.shard, host.ledger
        offer = ledger.waiting.entries[key].reservation
        assert offer is not None
        asked = offers.piece_of(home, offer, ledger.reservations.get(offer))
        reply: Reply = [Outcome.OK]
        if asked is not None:
            reply = await self.call(*asked, self.loop.time() + CALL_S)
        if host.alive and reply[0] in (Outcome.OK, Outcome.OVER_LIMIT):
            is_within = reply[0] == Outcome.OK
            self.apply(host, waiting.answer(key, offer, is_within=is_within))

    def counts(self) -> Counter[Place]:
        """What the limits are about, told from the homes' records alone."""
        counts: Counter[Place] = Counter()
        for reservation in self.committed():
            who = reservation.extra.get(CUSTOMER, "")
            held = sum(units for *_, units in reservation.backings())
            parcels = reservation.extra.get(SHIPPED, {}).values()
            sent = sum(line[2] for _, lines in parcels for line in lines)
            over = reservation.status not in (Status.HELD, Status.CONFIRMED, Status.FULFILLED)
            at = shard_of(who, SHARDS)
            if reservation.extra.get(CAMPAIGN):
                counts[at, "m:drop", who] += sent if over else held
                for at_sku, units in _by_sku(reservation, over=over).items():
                    counts[shard_of(at_sku, SHARDS), f"m:drop|{at_sku}", who] += units
            if reservation.extra.get(CHANNEL) and reservation.status is Status.HELD:
                counts[at, "c:web", who] += held
        return +counts


class Buying(Day):
    """A day on which few buyers want many baskets, some through the limits."""

    def basket(self, key: str) -> Reserve:
        """One to three lines."""
        skus = self.random.sample(ALL_SKUS, self.random.randint(1, 3))
        lines = [[sku, None, self.random.randint(1, 2)] for sku in skus]
        extra: Extra = {**self.random.choice(WAYS), CUSTOMER: self.random.choice(CUSTOMERS)}
        partial = self.random.random() < 0.2
        if partial:
            extra[PARTIAL] = True
        hold_ms = self.random.choice(HOLDS_MS)
        return Reserve(key, digest(lines, hold_ms, extra), lines, hold_ms, extra, partial)

    async def story(self, cluster: Cluster) -> None:
        """The limits hold at every instant, whatever fails."""
        assert isinstance(cluster, Limited)
        watch = cluster.start(self.watch(cluster))
        for number in range(self.random.randint(0, 3)):
            cluster.start(self.cart(cluster, number))
            cluster.start(self.waiter(cluster, number))
        await super().story(cluster)
        await super().story(cluster)  # The same keys again, perhaps with other baskets.
        watch.cancel()

    async def after(self, cluster: Cluster, home: int, key: str, plan: str) -> None:
        """Of what is cancelled a part has left."""
        if plan == "cancel":
            until = cluster.loop.time() + CALL_S
            paid = await cluster.call(home, commands.read(key), until)
            if paid[0] == Outcome.OK:
                sku, node, _ = next(Reservation(paid[1]).backings())
                parcel = commands.fulfil(key, "part", b"d" * 16, [(sku, node, 1)])
                reply = await cluster.call(home, parcel, until)
                if reply[0] == Outcome.ELSEWHERE:
                    await sagas.fulfil(cluster, SHARDS, home, parcel, reply[1], until)
                await cluster.call(home, commands.cancel(key), until)
        else:
            await super().after(cluster, home, key, plan)

    async def cart(self, cluster: Cluster, number: int) -> None:
        """A hold whose next version takes it over, perhaps for somebody else."""
        await asyncio.sleep(self.random.uniform(0, 4))
        old, new = self.basket(f"old{number}"), self.basket(f"new{number}")
        home = home_of((line[0] for line in old.lines), SHARDS)
        kept = old.extra if self.random.random() < 0.8 else new.extra
        extra = {**(kept or {}), SUPERSEDES: old.key}
        until = cluster.loop.time() + CALL_S
        if (await sagas.reserve(cluster, SHARDS, old, until))[0] == Outcome.OK:
            await asyncio.sleep(self.random.uniform(0, 2))
            until = cluster.loop.time() + CALL_S
            new = structs.replace(new, extra=extra, home=home)
            reply = await sagas.reserve(cluster, SHARDS, new, until)
            if reply[0] == Outcome.OK and self.random.random() < 0.5:
                await cluster.call(home, commands.confirm(new.key), until)

    async def waiter(self, cluster: Limited, number: int) -> None:
        """Somebody who waits for units, and pays for them or does not."""
        await asyncio.sleep(self.random.uniform(0, 4))
        sku, units = self.random.choice(ALL_SKUS), self.random.randint(1, 3)
        extra = {CHANNEL: "web", CUSTOMER: self.random.choice(CUSTOMERS)}
        asked = digest([[sku, None, units]], OFFER_MS, extra)
        join = waiting.join(f"w{number}", asked, sku, units, extra, WAIT_MS, OFFER_MS)
        home = shard_of(sku, SHARDS)
        for _ in range(WAITS):
            reply = await cluster.call(home, join, cluster.loop.time() + CALL_S)
            told = reply[1] if reply[0] in (Outcome.OK, Outcome.REPEATED) else None
            if told is not None and told[1] != Standing.WAITING:
                cluster.standings[Standing(told[1])] += 1
                verb = self.random.choice((commands.confirm, commands.release, commands.read))
                if told[1] == Standing.OFFERED:
                    await cluster.call(home, verb(told[9]), cluster.loop.time() + CALL_S)
                return
            await asyncio.sleep(1)
        await cluster.call(home, waiting.leave(f"w{number}"), cluster.loop.time() + CALL_S)

    async def watch(self, cluster: Limited) -> None:
        """By what homes have committed."""
        while True:
            await asyncio.sleep(LOOKS_EVERY_S)
            for (_, name, who), units in cluster.counts().items():
                most = MOST.get(name, OF_SKU_MOST)
                assert units <= most, f"{who} has {units} under {name}"


def play(seed: int) -> None:
    """One day, and what must be true behind it."""
    day = Buying(seed)
    cluster = simulate(seed, day.story, day.orderly, Limited)
    assert isinstance(cluster, Limited)
    settled(cluster)
    expected = cluster.counts()
    assert expected == counted([host.ledger for host in cluster.hosts]), "those that served"
    cluster.storm = False
    successors = [cluster.successor(shard).ledger for shard in range(SHARDS)]
    assert expected == counted(successors), "those that come after"


def _untold(state: dict[str, bytes]) -> set[str]:
    """Keys of offers that their customers' shards have not agreed to yet."""
    entries = [Entry(*unpack(value)) for name, value in state.items() if name[:2] == "w|"]
    return {entry.reservation or "" for entry in entries if entry.standing == Standing.ASKED}


def _by_sku(reservation: Reservation, *, over: bool) -> Counter[str]:
    """Units by SKU that a buyer has of a reservation; ``over``: that were sent before it ended."""
    backings = units_sent(reservation) if over else reservation.backings()
    units: Counter[str] = Counter()
    for sku, _, count in backings:
        units[sku] += count
    return units


def counted(ledgers: list[Ledger]) -> Counter[Place]:
    """What the owners have counted."""
    of_all = {
        (shard, name, who): units
        for shard, one in enumerate(ledgers)
        for name, counts in one.totals.counts.items()
        for who, units in counts.items()
    }
    of_skus = {
        (shard, f"{share.name}|{book.sku}", who): units
        for shard, one in enumerate(ledgers)
        for book in one.books.values()
        for share in book.shares.values()
        for who, units in share.by_customer.items()
    }
    return Counter({**of_all, **of_skus})


@pytest.mark.parametrize("block", range(DAYS // BLOCK))
def test_whatever_fails_no_buyer_has_more_and_all_is_counted(block: int) -> None:
    """By those that served to the end, and by those that load what these have left."""
    for seed in range(block * BLOCK, block * BLOCK + BLOCK):
        try:
            play(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


# Bugs of each kind, planted: a test that cannot fail proves nothing.

COUNT: Final = totals.recount


def count_without_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer's shard counts, and lets everything pass."""
    monkeypatch.setattr(totals, "over", lambda *_: None)


def load_without_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new owner begins with nothing."""
    monkeypatch.setattr(totals, "load", lambda *_: None)


def end_without_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent is counted by the record that says so, and by nothing once that has ended."""
    monkeypatch.setattr(totals, "outlive", lambda *_: None)


def end_without_keeping_of_skus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of the limits of single SKUs."""
    monkeypatch.setattr(accounts, "outlive", lambda *_: None)


def offer_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited is told of his units before his own shard has agreed."""
    monkeypatch.setattr(offers, "piece_of", lambda *_: None)


def offer_without_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is offered counts nowhere."""
    monkeypatch.setattr(offering, "_count", lambda *_, **__: None)


def forget_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end gives everything back, also what has left."""
    due = totals.due

    def forgetful(reservation: Reservation) -> Any:
        counted = due(reservation)
        over = reservation.status is Status.CANCELLED
        return [counted[0], {}, counted[2]] if over and counted is not None else counted

    monkeypatch.setattr(totals, "due", forgetful)


def never_count_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is paid for stays unpaid."""
    due = totals.due

    def stubborn(reservation: Reservation) -> Any:
        counted = due(reservation)
        if counted is not None and reservation.status is Status.CONFIRMED:
            reservation.status = Status.HELD
            counted = due(reservation)
            reservation.status = Status.CONFIRMED
        return counted

    monkeypatch.setattr(totals, "due", stubborn)


def count_news_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """News that come twice count twice."""

    def recount(state: ShardState, record: Reservation, counted: Any) -> None:
        record.extra.pop(COUNTED, None)
        COUNT(state, record, counted)

    monkeypatch.setattr(totals, "recount", recount)


def keep_dropped_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that is dropped leaves its count behind."""

    def drop(state: ShardState, command: Command, now_ms: int) -> Reply:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(totals, "recount", lambda *_: None)
            return pieces.drop(state, command, now_ms)

    monkeypatch.setitem(ledger._HANDLERS, Op.DROP, drop)


def tell_nobody_of_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Home's news say that it was paid for, not what counts of it."""
    owe = holds.owe

    def silent(state: ShardState, key: str, reservation: Reservation) -> None:
        limits = reservation.extra.pop(LIMITS, None)
        owe(state, key, reservation)
        if limits is not None:
            reservation.extra[LIMITS] = limits

    monkeypatch.setattr(holds, "owe", silent)


PLANTED: list[Callable[[pytest.MonkeyPatch], None]] = [
    count_without_looking, load_without_counting, end_without_keeping, end_without_keeping_of_skus,
    offer_without_asking, offer_without_counting, forget_what_was_sent, never_count_less,
    count_news_each_time, keep_dropped_ones, tell_nobody_of_the_count,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the days that the suite plays anyway."""
    plant(monkeypatch)
    assert found_within(DAYS), f"{plant.__name__} went unnoticed"


def found_within(days: int) -> bool:
    """Whether one of the first days goes wrong."""
    for seed in range(days):
        try:
            play(seed)
        except (AssertionError, KeyError):
            return True
    return False
