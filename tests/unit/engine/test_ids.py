"""Ids, routing, digests and records: what stands for what, byte for byte."""

import random
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import Event
from engine.filter import Filter
from engine.ids import ID, KEY, digest, home_of, reservation_id, shard_of, split_id
from engine.outcome import DECISIONS, Outcome
from engine.record import Durability, Reservation, Status, line_units, pack
from tests.builders import NOW_MS, reserve, stocked_ledger

#: Of four SKUs among eight shards.
SHARDS_OF_OLD = [3, 7, 1, 5]
NAME = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._:-]{0,20}\Z")
LINE = st.tuples(NAME, st.none() | NAME, st.integers(1, 1_000_000))


@pytest.mark.parametrize("good", ["a", "A-1", "_x", "0", "a.b:c-d", "x" * 60])
def test_a_key_is_letters_digits_and_few_signs(good: str) -> None:
    """Up to 60 of them."""
    assert KEY.match(good)
    assert split_id(reservation_id(15, good)) == (15, good)


@pytest.mark.parametrize("bad", [
    "", "-a", ".a", "a b", "a{b}", "a|b", "a/b", "a!b", "ä", "a\n", "x" * 65,
])  # fmt: skip
def test_no_id_can_pass_for_a_hash_tag_a_backing_or_a_field_of_ours(bad: str) -> None:
    """Braces, bars, slashes, exclamation marks and line ends are not among the signs."""
    assert not ID.match(bad)
    assert not KEY.match(bad)
    assert split_id(f"00f.{bad}") is None


@pytest.mark.parametrize("bad", ["k", "00f", "00F.k", "0f.k", "0000.k", "00f.", f"00f.{'x' * 61}"])
def test_what_is_no_id_of_a_reservation_is_not_taken_for_one(bad: str) -> None:
    """Three hex digits, a point, a key."""
    assert split_id(bad) is None


def test_a_sku_keeps_its_shard_for_good() -> None:
    """The first values ever given: other ones would lose every reservation made so far."""
    assert [shard_of(sku, 8) for sku in ("85123A", "22423", "hot", "A1")] == SHARDS_OF_OLD
    assert home_of(["b", "a", "c"], 4096) == shard_of("a", 4096)


@given(st.lists(LINE, min_size=1, max_size=6, unique_by=lambda line: line[:2]), st.randoms())
def test_the_order_of_lines_and_members_never_changes_a_digest(
    lines: list[tuple[str, str | None, int]], chance: random.Random
) -> None:
    """The canonical form is sorted."""
    mixed = list(lines)
    chance.shuffle(mixed)
    one = digest(lines, 900_000, {"c": "live", "p": True})
    assert digest(mixed, 900_000, {"p": True, "c": "live"}) == one
    assert len(one) == 16


@pytest.mark.parametrize("other", [
    ([["A", None, 2]], 900, None), ([["B", None, 1]], 900, None), ([["A", "w1", 1]], 900, None),
    ([["A", None, 1]], 901, None), ([["A", None, 1]], 900, {"c": "live"}),
    ([["A", None, 1], ["B", None, 1]], 900, None),
])  # fmt: skip
def test_any_other_content_has_another_digest(
    other: tuple[list[list[object]], int, dict[str, object] | None],
) -> None:
    """Units, SKU, node, hold, channel, a second line."""
    assert digest(*other) != digest([["A", None, 1]], 900, None)


def test_no_members_and_absent_members_are_the_same() -> None:
    """What has its default is left out."""
    assert digest([["A", None, 1]], 900, {}) == digest([["A", None, 1]], 900, None)


@given(
    st.sampled_from(Status), st.sampled_from(Durability), st.integers(0, 2**53),
    st.binary(min_size=8, max_size=16),
    st.lists(st.tuples(NAME, st.none() | NAME, st.integers(1, 9),
                       st.lists(st.tuples(NAME, st.integers(1, 9)), max_size=3)), max_size=4),
    st.dictionaries(st.sampled_from("cumzk"), NAME | st.integers(0, 2**40), max_size=3),
)  # fmt: skip
def test_a_record_comes_back_as_it_was_packed(
    status: Status, level: Durability, expires_at_ms: int, mark: bytes,
    lines: list[tuple[str, str | None, int, list[tuple[str, int]]]], extra: dict[str, object],
) -> None:  # fmt: skip
    """Digests that are no text too."""
    made = Reservation.__new__(Reservation)
    made.status, made.level, made.digest = status, level, mark
    made.expires_at_ms, made.extra = expires_at_ms, extra
    made.lines = [[s, w, n, *[p for pair in at for p in pair]] for s, w, n, at in lines]
    read = Reservation(made.packed())
    for member in ("status", "level", "digest", "expires_at_ms", "extra", "lines"):
        assert getattr(read, member) == getattr(made, member)
    assert read.packed() == made.packed()
    assert sum(map(line_units, read.lines)) == sum(units for _, _, units in read.backings())


def test_the_short_way_writes_the_record_that_the_long_way_would() -> None:
    """The flash sale's records are put together from bytes kept ready."""
    ledger = stocked_ledger({"A": {"w1": 10}})
    record = ledger.decide(reserve("k", ("A", 2)), NOW_MS)[1]
    assert Reservation(record).packed() == record


def test_numbers_on_the_wire_stand_for_what_they_always_did() -> None:
    """Append, never renumber: stores and streams outlive a version."""
    assert max(DECISIONS) < Outcome.OVERLOADED  # What happens on the way lies above.
    assert (Outcome.OK, Outcome.SHORT, Outcome.GAP, Outcome.IN_DOUBT) == (0, 13, 18, 37)
    assert (Status.HELD, Status.CANCELLED, Status.ABORTED) == (0, 5, 7)
    assert (Event.HELD, Event.PIECE, Event.SETTLED) == (1, 8, 17)
    assert (Durability.FSYNC, Durability.REPLICATED_FSYNC) == (2, 4)
    assert pack(["a", b"b"]) == b"\x92\xa1a\xa1b"  # Old strings: Lua reads no others.


def filled(keys: Collection[str]) -> Filter:
    made = Filter.of_room(len(keys))
    for key in keys:
        made.add(key)
    return made


@given(st.sets(NAME, max_size=300))
def test_a_filter_knows_every_key_it_was_given(keys: set[str]) -> None:
    """No false negatives, ever: a repeat of a success is never told "sold out"."""
    sent = filled(keys).to_bytes()
    read = Filter.from_bytes(sent)
    assert all(key in read for key in keys)


def test_a_filter_is_rarely_wrong_about_others() -> None:
    """1.7 % are expected at ten bits a key; each costs one call."""
    for count in (100, 10_000):
        held = filled([f"held-{number}" for number in range(count)])
        wrong = sum(f"other-{number}" in held for number in range(20_000))
        assert wrong / 20_000 < 0.03
    assert "anything" not in filled([])
