"""Heads that are recognised by their bytes: exactly those that were read before."""

import pytest

from gateway.hot_head import HEADS_MAX, Head, KnownHeads
from gateway.problems import Refused

LINE = b"POST /v1/reservations HTTP/1.1"
BODY = b'{"lines":[]}'


def data(*fields: bytes, body: bytes = BODY, line: bytes = LINE) -> bytes:
    return b"\r\n".join([line, *fields, b"content-length: %d" % len(body), b"", b""]) + body


def head(length: int = len(BODY), *, keep_alive: bool = True, **more: bytes) -> Head:
    headers = {b"content-length": b"%d" % length}
    headers |= {name.encode().replace(b"_", b"-"): value for name, value in more.items()}
    return Head(headers, keep_alive=keep_alive)


def test_a_known_head_is_found_under_any_key_and_line() -> None:
    heads, known = KnownHeads(), head()
    heads.learn(data(b"host: x", b"Idempotency-Key: k1"), known)
    for field, key in ((b"Idempotency-Key: k2", "k2"), (b"idempotency-key: k3", "k3")):
        for line in (LINE, b"POST /v1/reservations/000.k/confirm HTTP/1.1"):
            found = heads.find(data(b"host: x", field, line=line))
            assert found == (line, known, key, BODY)
    assert heads.find(data(b"host: x")) == (LINE, known, None, BODY)


@pytest.mark.parametrize(
    "other",
    [
        data(b"host: y"), data(b"host: x", b"accept: */*"), data(b"Host: x"),
        data(b"host: x", body=BODY + b" "), data(b"host: x") + b"x", data(b"host: x")[:-1],
        data(b"host: x", b"Idempotency-Key: k", b"Idempotency-Key: k"),
        data(b"host: x", b"Idempotency-Key:  k"), data(b"host: x", b"IDEMPOTENCY-KEY: k"),
        data(b"host: x", b"x: y") + data(b"host: x"), b"", b"\r\n\r\n", LINE,
    ],
)  # fmt: skip
def test_any_other_head_or_length_is_not_known(other: bytes) -> None:
    heads = KnownHeads()
    heads.learn(data(b"host: x"), head())
    assert heads.find(other) is None


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (data(), head(keep_alive=False)), (data(), head(expect=b"100-continue")),
        (data(), head(transfer_encoding=b"chunked")), (data() + data(), head()),
        (data()[:-1], head()), (data()[:20], head()),
    ],
)  # fmt: skip
def test_what_is_unusual_is_not_learnt(read: bytes, what: Head) -> None:
    heads = KnownHeads()
    heads.learn(read, what)
    assert heads.find(read) is None


def test_no_crowd_of_strangers_fills_the_memory() -> None:
    heads = KnownHeads()
    for number in range(3 * HEADS_MAX):
        heads.learn(data(b"x: %d" % number), head())
        assert heads.find(data(b"x: %d" % number)) is not None
    known = sum(heads.find(data(b"x: %d" % number)) is not None for number in range(3 * HEADS_MAX))
    assert known <= HEADS_MAX


def test_what_is_wrong_with_a_head_is_said_each_time() -> None:
    wrong = head(content_type=b"text/plain", x_deadline_ms=b"0")
    for _ in range(2):
        with pytest.raises(Refused):
            wrong.formats()
        with pytest.raises(Refused):
            wrong.deadline_s()
    right = head(content_type=b"application/msgpack", accept=b"application/json")
    assert (right.formats(), right.deadline_s()) == ((True, False), 2.0)
