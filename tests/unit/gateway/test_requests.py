"""From bodies to requests: lines added up, homes, digests, times."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import commands, record
from engine.ids import shard_of
from gateway import times
from gateway.problems import Refused
from gateway.reading import Reader, packed_in, packed_out
from gateway.requests import Ask, Asks, key_of, parcel
from gateway.schema import FulfilBody, ReservationBody, WishedLine

JSON, MSGPACK = "application/json", "application/msgpack"


def body(*lines: tuple[str, int] | tuple[str, int, str], **more: Any) -> ReservationBody:
    wished = [WishedLine(sku, units, *node) for sku, units, *node in lines]
    return ReservationBody(wished, **more)


def ask(asked: ReservationBody, prefix: str = "") -> Ask:
    return Asks(8).of(asked, prefix)


def test_lines_of_the_same_sku_and_node_are_added_up_in_order_of_first_appearance() -> None:
    request = ask(body(("b", 1), ("a", 2, "n"), ("b", 3), ("a", 1), ("a", 1, "n")))
    assert request.lines == [["b", None, 4], ["a", "n", 3], ["a", None, 1]]


def test_what_is_added_up_has_the_limit_of_one_line() -> None:
    with pytest.raises(Refused) as refused:
        ask(body(("a", 1), ("b", 1), ("a", 1_000_000)), "reservations[7].")
    assert refused.value.problem.members["field"] == "reservations[7].lines[2].quantity"


ids = st.text("abcAB", min_size=1, max_size=3)


@given(st.lists(st.tuples(ids, st.integers(1, 9), ids), min_size=1, max_size=8), st.randoms())
def test_the_digest_knows_no_order_and_no_splitting(lines: list[Any], random: Any) -> None:
    split = [part for sku, units, node in lines for part in [(sku, 1, node)] * units]
    random.shuffle(split)
    first = ask(body(*lines))
    second = ask(body(*split, hold_seconds=900, fulfilment="ship",
                                           partial=False))  # fmt: skip
    assert first.digest == second.digest


@pytest.mark.parametrize(
    "more",
    [
        {"channel": "x"}, {"customer": "x"}, {"campaign": "x"}, {"hold_seconds": 901},
        {"deliver_by": "2030-01-01T00:00:00Z"}, {"partial": True}, {"fulfilment": "pickup"},
    ],
)  # fmt: skip
def test_the_digest_knows_every_member(more: dict[str, Any]) -> None:
    plain = ask(body(("a", 1, "n")))
    assert ask(body(("a", 1, "n"), **more)).digest != plain.digest


def test_what_has_its_default_is_left_out() -> None:
    assert ask(body(("a", 1), fulfilment="ship", partial=False)).extra is None
    asked = ask(body(("a", 1), partial=True, deliver_by="2030-01-01T00:00:00.5Z"))
    assert asked.extra == {record.PARTIAL: True, record.DELIVER_BY: 1_893_456_000_500}
    assert asked.partial


@given(st.lists(ids, min_size=1, max_size=5))
def test_home_is_the_shard_of_the_smallest_code(skus: list[str]) -> None:
    wanted = ask(body(*((sku, 1) for sku in skus)))
    single, home = wanted.single, wanted.home
    assert home == shard_of(min(skus), 8)
    assert single == (len({shard_of(sku, 8) for sku in skus}) == 1)


def test_what_was_worked_out_before_is_the_same_and_travels_as_the_command_does() -> None:
    """Whether or not it is the first who asks so; and the node and the hold make a difference."""
    asks = Asks(8)
    bodies = [body(("a", 1)), body(("a", 1, "n")), body(("a", 2)), body(("a", 1), hold_seconds=5)]
    firsts = [asks.of(one) for one in bodies]
    assert [asks.of(one) for one in bodies] == firsts
    assert len({one.digest for one in firsts}) == len(firsts)
    for key in ("k", "k" * 31, "k" * 32, "k" * 60):
        for one in firsts:
            command = commands.reserve(key, one.digest, one.lines, one.hold_ms, one.extra)
            assert commands.packed_reserve(key, one.tail) == commands.pack_command(command)


def test_the_key_comes_from_header_or_body() -> None:
    assert key_of(None, "k") == key_of("k", None) == "k"
    assert key_of("k", "k") == "k"


def test_a_parcel_is_added_up_and_its_digest_knows_no_order() -> None:
    reader = Reader(FulfilBody)
    lines = '{"sku":"a","node":"n","quantity":1},{"sku":"b","node":"n","quantity":2}'
    turned = '{"sku":"b","node":"n","quantity":2},{"sku":"a","node":"n","quantity":1}'
    first = parcel(reader.read(f'{{"reference":"r","lines":[{lines}]}}'.encode(), packed=False))
    second = parcel(reader.read(f'{{"reference":"r","lines":[{turned}]}}'.encode(), packed=False))
    rest = parcel(reader.read(b'{"reference":"r"}', packed=False))
    assert first[2] == [("a", "n", 1), ("b", "n", 2)]
    assert first[1] == second[1] != rest[1]
    assert rest[2] is None


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("2026-12-01T12:00:00Z", "2026-12-01T12:00:00.000Z"),
        ("2026-12-01T12:00:00.9999999Z", "2026-12-01T12:00:00.999Z"),
        ("2026-12-01t12:00:00.5z", "2026-12-01T12:00:00.500Z"),
        ("2026-12-01T12:00:00+08:00", "2026-12-01T04:00:00.000Z"),
        ("2026-12-01T12:00:00-00:30", "2026-12-01T12:30:00.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_read_with_any_offset_and_written_in_utc(text: str, out: str) -> None:
    assert times.written(times.read(text)) == out


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-12-01", "2026-12-01T12:00Z", "1", "2026-12-01T12:00:00",
        "2026-12-01T12:00:61Z", "2026-12-01T12:00:00+24:00", "0000-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        times.read(text)


@pytest.mark.parametrize(
    ("accept", "packed", "out"),
    [
        (None, False, False), (None, True, True), ("*/*", True, True), ("text/html", False, False),
        (JSON, True, False), (MSGPACK, False, True), (f"{JSON}, {MSGPACK}", True, True),
        (f"{JSON};q=0, {MSGPACK}", False, True), (f"{MSGPACK};q=0.5", False, True),
        ("Application/MsgPack", False, True), ("", True, True),
    ],
)  # fmt: skip
def test_the_format_of_the_answer(accept: str | None, packed: bool, out: bool) -> None:
    assert packed_out(accept, packed) == out


def test_the_format_of_the_request() -> None:
    assert not packed_in(None)
    assert not packed_in("application/json; charset=utf-8")
    assert packed_in("APPLICATION/MSGPACK;x=y")
