"""Random commands about what makes a warehouse of many places: shares, supplies, lanes."""

from typing import Any, Final

from engine import commands
from engine.announcing import ANNOUNCED
from engine.commands import Command, bids, moving, network, promising, shares, supplies, waiting
from engine.record import (
    CAMPAIGN,
    CHANNEL,
    COUNTED,
    CUSTOMER,
    DELIVER_BY,
    LIMITS,
    PARTIAL,
    PICKUP,
    PREORDER,
    ZONE,
)
from engine.stock import SupplyMembers, Terms
from engine.totals import UNPAID
from tests.builders import WAREHOUSE, define_node, reserve
from tests.scripts import FOREIGN, HOUR_MS, NODES, SKUS, Script

_CHANNELS: Final = ("live", "shop")
_CAMPAIGNS: Final = ("drop", "sale")
_SUPPLIES: Final = ("po-1", "po-2", "po-3")
_BUYER: Final = "c-7"  # Counted on this shard.
_ZONES: Final = ("north", "south")
_MEMBERS: Final[dict[str, Any]] = {"name": "drop", "items": [["A", 3]]}


class WarehouseScript(Script):
    """All commands there are."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.prices = 0
        self.steps += [
            self.quota, self.quota, self.lent, self.campaign, self.campaign, self.record,
            self.supply, self.supply, self.supply, self.came, self.came, self.name, self.lane,
            self.asked_for, self.asked_for, self.asked_for, self.looked_at, self.looked_at,
            self.marked, self.unserved, self.moved, self.hinted, self.hinted, self.reassigned,
            self.waited, self.waited, self.waited, self.left, self.priced, self.limited,
            self.limited, self.limited, self.declared, self.collected, self.collected,
            self.busy_store,
        ]  # fmt: skip

    def sku(self) -> str:
        """Known, nearly always."""
        return self.random.choice((*SKUS, *SKUS, *SKUS, "unknown"))

    def asked_for(self) -> Command:
        """A reservation that draws on a share, or on what is coming, or goes somewhere."""
        extra: dict[str, Any] = self.random.choice((
            {CHANNEL: "live"}, {CHANNEL: "shop"}, {PREORDER: True}, {ZONE: "north"},
            {CAMPAIGN: "drop", CUSTOMER: "c1"}, {CAMPAIGN: "drop", CUSTOMER: "c2", CHANNEL: "live"},
            {CAMPAIGN: "sale", ZONE: "south"}, {ZONE: "nowhere"}, {CUSTOMER: "c1"},
            {CAMPAIGN: "drop"}, {DELIVER_BY: self.now_ms + 6 * HOUR_MS},
        ))  # fmt: skip
        hold_ms = self.random.choice((0, 500, 60_000)) if CAMPAIGN in extra else 60_000
        made = reserve(self.new(), *self.lines(), hold_ms=hold_ms, **extra)
        self.asked.append(made)
        return made

    def limited(self) -> Command:
        """What counts for a customer under limits over several SKUs, beside stock or without."""
        key, nonce = f"00f.t{self.random.randint(1, 4)}", self.nonce()
        units = self.random.randint(1, 4)
        campaign = self.random.choice(_CAMPAIGNS)
        counts = {f"m:{campaign}": units, "c:live": self.random.randint(0, units)}
        until_ms = self.now_ms + self.random.choice((1, HOUR_MS, 99 * HOUR_MS))
        counted = [_BUYER, counts, until_ms]
        extra = {CUSTOMER: _BUYER, LIMITS: {name: [7, until_ms] for name in counts}}
        lines = self.random.choice(([], [["A", None, 1]]))
        status = self.random.choice((0, 0, 1, 1, 2, 3, 4, 5))
        shipped = self.random.choice((None, {"parcel": ["d" * 32, [[FOREIGN, "w1", 1]]]}))
        return self.random.choice((
            commands.take(key, nonce, 15, lines, {**extra, COUNTED: counted}),
            commands.take(key, nonce, 15, lines, {**extra, COUNTED: counted}, self.nonce()),
            commands.tell(key, nonce, status, self.now_ms + 9_000, shipped, counted),
            commands.drop(key, nonce),
            commands.seal(self.new(), nonce, b"d" * 16, [["A", None, units]], [], 60_000, extra),
        ))  # fmt: skip

    def waited(self) -> Command:
        """Somebody waits, or asks for it again."""
        key, units = f"wait-{self.random.randint(1, 30)}", self.random.randint(1, 4)
        customer = self.random.choice(("c1", "c2", key))
        where = self.random.choice((
            {}, {CHANNEL: "live"}, {ZONE: "north"}, {ZONE: "nowhere"}, {CHANNEL: "pop-up"},
            {CAMPAIGN: "drop"}, {PREORDER: True},
        ))  # fmt: skip
        wait_ms = self.random.choice((500, 60_000, HOUR_MS))
        asked = bytes([units]) * 16
        return waiting.join(
            key, asked, self.sku(), units, {CUSTOMER: customer, **where}, wait_ms, 30_000
        )

    def priced(self) -> Command:
        """Prices come, in one part or in the wrong one; or somebody reads them."""
        if self.random.random() < 0.3:
            return bids.read_bids(SKUS)
        self.prices += self.random.choice((0, 1, 1))
        units = {sku: {node: self.random.choice((0, 50, 900)) for node in NODES} for sku in SKUS}
        parcels = {node: self.random.choice((0, 300)) for node in NODES}
        part, parts = self.random.choice(((0, 1), (0, 1), (0, 2), (1, 2), (1, 2)))
        some = dict(self.random.sample(sorted(units.items()), 2))
        return bids.price(self.prices, part, parts, parcels, {**some, "unknown": {}})

    def left(self) -> Command:
        """Somebody has had enough, or asks for his place; or the owner looks after the lists."""
        key = f"wait-{self.random.randint(1, 30)}"
        return self.random.choice((
            waiting.leave(key), waiting.read(key), waiting.serve(), waiting.serve(),
            waiting.answer(key, "offer-nobody-made", is_within=self.random.random() < 0.5),
        ))  # fmt: skip

    def declared(self) -> Command:
        """A channel that is told of and limits its buyers; or it is told of."""
        members = {"pool": None, UNPAID: 2, ANNOUNCED: True}
        return self.random.choice((
            network.define({"h|pop-up": members}), shares.announce(None, 2),
            shares.announce(None, 9),
        ))  # fmt: skip

    def quota(self) -> Command:
        """Units apart, a cap, a buffer, or a part of what is there."""
        right = self.random.choice((
            (self.random.randint(0, 5), None, 0, None), (0, self.random.randint(0, 4), 1, None),
            (0, None, 0, self.random.choice((0, 300))), (99, None, 0, None),
        ))  # fmt: skip
        return shares.set_quota(self.sku(), self.random.choice(_CHANNELS), right)

    def lent(self) -> Command:
        """A loan, or the same again, or another under the same reference."""
        reference, units = f"loan-{self.random.randint(1, 4)}", self.random.randint(1, 2)
        return shares.lend(self.sku(), "live", "shop", units, reference, bytes([units]) * 16)

    def campaign(self) -> Command:
        """Open or close the shares of one."""
        campaign = self.random.choice(_CAMPAIGNS)
        skus = self.random.sample(SKUS, 2)
        if self.random.random() < 0.4:
            forget = self.random.random() < 0.3
            return shares.close_campaign(campaign, skus, forget=forget)
        terms = Terms(
            defined=True, starts_at_ms=0, ends_at_ms=2**50, limit=self.random.choice((None, 2)),
            hold_ms=self.random.choice((0, 30_000)), include_supplies=self.random.random() < 0.5,
        )  # fmt: skip
        items = [[sku, self.random.choice((1, 2, 4, 50))] for sku in skus]
        if self.random.random() < 0.1:
            items.append(["unknown", 1])
        return shares.open_campaign(campaign, list(terms), items)

    def record(self) -> Command:
        """A campaign as ``net`` keeps it."""
        campaign = self.random.choice((*_CAMPAIGNS, "never"))
        if campaign != "never" and self.random.random() < 0.5:
            return shares.define_campaign(campaign, _MEMBERS)
        states = ("draft", "opening", "open", "closing", "closed")
        at = self.random.randint(1, 4)
        return shares.move_campaign(campaign, states[at - 1 : at], states[at])

    def supply(self) -> Command:
        """A purchase order or a transfer, or the same id with other members."""
        name, units = self.random.choice(_SUPPLIES), self.random.randint(1, 6)
        origin = self.random.choice((None, None, "w1", "nowhere"))
        kind = "purchase_order" if origin is None else "transfer"
        digest = (bytes([units]) * 16).hex()
        at_ms = self.now_ms + self.random.randint(1, 9) * HOUR_MS
        cap = self.random.choice((None, None, 2)) if origin is None else None
        members = SupplyMembers(kind, units, at_ms, digest, origin, cap)
        node = self.random.choice((*NODES[1:], *NODES[1:], "nowhere"))
        return supplies.open_supply(self.sku(), node, name, list(members))

    def came(self) -> Command:
        """Units that came, or will come otherwise."""
        sku, name = self.sku(), self.random.choice((*_SUPPLIES, "never"))
        note, units = f"note-{self.random.randint(1, 9)}", self.random.randint(1, 4)
        final = self.random.random() < 0.3
        return self.random.choice((
            supplies.receive(sku, name, note, bytes([units]) * 16, units, final=final),
            supplies.receive(sku, name, note, bytes([units]) * 16, units, final=final),
            supplies.arrive(sku, name), supplies.cancel_supply(sku, name),
            supplies.forget_supply(sku, name),
            supplies.delay(sku, name, self.now_ms + units * 3 * HOUR_MS),
        ))  # fmt: skip

    def name(self) -> Command:
        """Which SKU a supply is of."""
        name, digest = self.random.choice(_SUPPLIES), bytes([self.random.randint(1, 2)]) * 16
        return self.random.choice((
            supplies.name_supply(name, "A", digest), supplies.name_supply(name, "A", digest),
            supplies.unname_supply(name, digest), supplies.find_supply(name),
        ))  # fmt: skip

    def collected(self) -> Command:
        """A pickup, of units that the store may have to be sent."""
        line = (self.sku(), self.random.randint(1, 4), self.random.choice(NODES))
        return reserve(
            self.new(), line, hold_ms=self.random.choice((500, 60_000)), **{PICKUP: True}
        )

    def busy_store(self) -> Command:
        """A node where lanes lead, that prepares so many an hour, or what others asked of it."""
        node = self.random.choice(NODES)
        if self.random.random() < 0.3:
            joined = self.random.randint(0, 9)
            return network.queued_elsewhere([[node, joined, self.random.randint(0, joined)]])
        members = {**WAREHOUSE, "zone": "north", "capacity_per_hour": 2, "handling_hours": 1}
        return define_node(node, members)

    def lane(self) -> Command:
        """Lanes from some nodes, or a pool of them."""
        if self.random.random() < 0.2:
            return network.define({"p|near": self.random.sample(NODES, 2)})
        zone = self.random.choice(_ZONES)
        nodes = [
            *self.random.sample(NODES, 2),
            *(["nowhere"] if self.random.random() < 0.1 else []),
        ]
        return network.define_lanes([
            [node, zone, self.random.randint(1, 900), 50, HOUR_MS, None, []] for node in nodes
        ])  # fmt: skip

    def looked_at(self) -> Command:
        """Reads are decided like the rest."""
        sku, campaign = self.sku(), self.random.choice((*_CAMPAIGNS, "never"))
        terms = list(Terms(defined=True))
        return self.random.choice((
            promising.candidates(
                [[sku, None, 2]], self.random.choice((None, {ZONE: "north", PREORDER: True})),
                explain=True,
            ),
            shares.read_quotas(sku), shares.read_campaign(campaign, list(SKUS)),
            shares.preview_campaign(terms, [[sku, 4]]), shares.find_campaigns(campaign),
            supplies.read_supply(sku, self.random.choice(_SUPPLIES)), supplies.shortfalls("", 100),
        ))  # fmt: skip

    def reassigned(self) -> Command:
        """Promises that are to stand elsewhere, or what may be moved."""
        if self.random.random() < 0.2:
            return moving.movable(self.random.choice((0, 3)), 5, held=self.random.random() < 0.5)
        seen = self.random.choice((b"", b"", b"12345678"))
        keys = {self.known() for _ in range(self.random.randint(1, 3))}
        asked = []
        for key in sorted(keys):
            origin, to = self.random.sample(NODES, 2)
            rows = [(self.random.choice(SKUS), origin, to, self.random.randint(1, 2))]
            asked.append((key, seen, rows))
        return moving.move(asked)

    def hinted(self) -> Command:
        """All of a SKU is asked for, or it is asked whether anything is left."""
        sku = self.random.choice(SKUS)
        if self.random.random() < 0.5:
            return commands.hint(sku, 0, 0)
        by = {DELIVER_BY: self.now_ms + 9 * HOUR_MS} if self.random.random() < 0.6 else {}
        return reserve(self.new(), (sku, 30), **{PARTIAL: True, **by})

    def marked(self) -> Command:
        """A SKU with a mark or a limit, or without again."""
        rarer = self.random.choice(({"low_stock": 6}, {"limit_per_customer": 3}, {}))
        members = ["", self.random.randint(0, 1), None]
        return commands.define_sku(
            self.random.choice(SKUS), [*members, *([rarer] if rarer else [])]
        )

    def unserved(self) -> Command:
        """Demand that was refused."""
        share = self.random.choice((None, "c:live", "m:drop"))
        return shares.count_refused([[self.sku(), share, "sold-out", 2, 3]])

    def moved(self) -> Command:
        """A home hears of a piece's backings, a piece that it has."""
        if self.sealed and self.random.random() < 0.5:
            key, lines, _ = self.random.choice(self.sealed)
            return supplies.reback(key, self.nonce(), lines, {}, self.random.randint(1, 9))
        return supplies.told(f"/001.{self.known()}", b"another record")
