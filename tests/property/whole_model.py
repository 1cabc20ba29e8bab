"""The model of pieces and homes, of corrections and of the network."""

from copy import deepcopy
from typing import Any

from engine.limits import ON_HAND_MAX, PIECE_ASK_MS, REFERENCE_WINDOW_MS
from engine.outcome import Outcome
from engine.record import Status
from tests.property.model import Line, Model, Record

Shipped = dict[str, tuple[bytes, list[tuple[str, str, int]]]]


class WholeModel(Model):
    """Everything a shard does."""

    def __init__(self, skus: set[str], nodes: dict[str, tuple[int, frozenset[str]]]) -> None:
        super().__init__(skus, nodes)
        self.since: dict[str, int] = {}
        self.ended_pieces: set[tuple[str, bytes]] = set()  # By home's word.

    def copy(self) -> "WholeModel":
        """As it is now."""
        return deepcopy(self)

    # Pieces

    def take(
        self, field: str, nonce: bytes, wanted: list[Line], now_ms: int,
        *, partial: bool, ends: bytes | None,
    ) -> Outcome:  # fmt: skip
        """Units for a home to decide about."""
        live = self.records.get(field)
        if live is not None:
            if live.digest == nonce:
                return Outcome.OK
            if live.digest != ends:
                return Outcome.IN_PROGRESS
            self.forget(field)
        if (field, nonce) in self.ended_pieces:
            return Outcome.OK
        if (unknown := self.unknown(wanted)) is not None:
            return unknown
        lines = self.allocated(wanted, None, partial=partial)
        if lines is None and not partial:
            return self.shortage(wanted, None)
        self.records[field] = Record(Status.TAKEN, now_ms + PIECE_ASK_MS, nonce, lines or wanted)
        return Outcome.OK

    def forget(self, field: str) -> None:
        """A piece is over by home's word: it is remembered."""
        self.ended_pieces.add((field, self.records.pop(field).digest))

    def drop(self, field: str, nonce: bytes) -> None:
        """Only what is taken and of this attempt."""
        piece = self.records.get(field)
        if piece is not None and piece.status is Status.TAKEN and piece.digest == nonce:
            del self.records[field]

    def tell(
        self, field: str, nonce: bytes, status: Status, until_ms: int, shipped: Shipped,
        lines: list[Line],
    ) -> Outcome:  # fmt: skip
        """What home has decided; ``lines`` with backings are what a lost piece is made of."""
        piece = self.records.get(field)
        promised = bool(shipped) or status in (Status.CONFIRMED, Status.FULFILLED)
        if piece is None or piece.digest != nonce:
            if not promised or (field, nonce) in self.ended_pieces:
                return Outcome.OK
            if piece is not None:
                return Outcome.IN_PROGRESS
            if (unknown := self.unknown(lines)) is not None:
                return unknown
            if any(
                (line.sku, node) not in self.on_hand for line in lines for node, _ in line.backings
            ):
                return Outcome.UNKNOWN_NODE
            piece = self.records[field] = Record(Status.CONFIRMED, 0, nonce, lines)
        if status is Status.HELD:
            if piece.status is not Status.CONFIRMED:
                piece.status, piece.expires_at_ms = Status.HELD, until_ms
            return Outcome.OK
        if promised:
            piece.status = Status.CONFIRMED
            for name, parcel in shipped.items():
                self.ship(piece, name, parcel)
        if status is not Status.CONFIRMED:
            self.forget(field)
        return Outcome.OK

    def ship(
        self, piece: Record, name: str, parcel: tuple[bytes, list[tuple[str, str, int]]]
    ) -> None:
        """Units leave, each reference once; what a count has lost cannot be on hand."""
        if name in piece.shipped:
            return
        piece.shipped[name] = parcel
        for sku, node, units in parcel[1]:
            self.on_hand[sku, node] = max(0, self.on_hand[sku, node] - units)

    # Homes

    def seal(
        self, key: str, nonce: bytes, digest: bytes, wanted: list[Line], until_ms: int,
        now_ms: int, *, late: bool, dry: bool,
    ) -> Outcome:  # fmt: skip
        """``wanted`` has the other shards' lines with backings. The one commit point."""
        known = self.records.get(key)
        if known is not None and known.nonce == nonce:
            return Outcome.OK
        if known is not None and not late:
            return Outcome.REPEATED if known.digest == digest else Outcome.KEY_REUSED
        if late:
            if known is None:
                return Outcome.UNKNOWN_RESERVATION
            if known.status in (Status.CONFIRMED, Status.FULFILLED):
                return Outcome.REPEATED
            if known.as_of(now_ms) is not Status.EXPIRED:
                return Outcome.NOT_HELD
        if not dry and (key, nonce) in self.aborted:
            return Outcome.ABORTED
        own = [line for line in wanted if not line.backings]
        granted = self.allocated(own, None, partial=False) if own else []
        if granted is None:
            return self.shortage(own, None)
        if dry:
            return Outcome.OK
        mine = {(line.sku, line.wish): line for line in granted}
        lines = [mine.get((line.sku, line.wish), line) for line in wanted]
        if known is None:
            known = self.records[key] = Record(Status.HELD, until_ms, digest, lines)
        known.nonce, known.pieces = nonce, (1,)
        if late:
            self.revive(known, lines)
        return Outcome.OK

    def ask(self, key: str, nonce: bytes) -> Status:
        """What home says; of an attempt it did not seal, that it never will."""
        record = self.records.get(key)
        if record is None or record.nonce != nonce:
            self.aborted.add((key, nonce))
            return Status.RELEASED
        return record.status

    # The world

    def adjust(
        self, name: str, digest: bytes, rows: list[list[Any]], now_ms: int
    ) -> tuple[Outcome, list[Outcome]]:
        """What became of each row; each reference counts once."""
        known = self.references.get(name)
        if known is not None:
            if known[0] != digest:
                return Outcome.KEY_REUSED, []
            return Outcome.REPEATED, known[1]
        outcomes = [self.adjust_row(*row[:5]) for row in rows]
        self.references[name] = (digest, outcomes)
        self.since[name] = now_ms
        return Outcome.OK, outcomes

    def adjust_row(
        self, sku: str, node: str, delta: int | None, on_hand: int | None, safety: int | None
    ) -> Outcome:
        """One position."""
        if sku not in self.skus:
            return Outcome.UNKNOWN_SKU
        if node not in self.nodes:
            return Outcome.UNKNOWN_NODE
        before = self.on_hand.get((sku, node), 0)
        after = before + delta if delta is not None else before if on_hand is None else on_hand
        if after < 0:
            return Outcome.NEGATIVE_STOCK
        if after > ON_HAND_MAX:
            return Outcome.OUT_OF_RANGE
        self.on_hand[sku, node] = after
        if safety is not None:
            self.safety[sku, node] = safety
        return Outcome.OK

    def forget_references(self, now_ms: int) -> None:
        """After a day."""
        for name, at_ms in list(self.since.items()):
            if at_ms <= now_ms - REFERENCE_WINDOW_MS:
                del self.since[name], self.references[name]
