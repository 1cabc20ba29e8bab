"""The door as a server of HTTP/1.1: order, limits, and what happens to bytes that are none."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable

import pytest

from tests.e2e.engine_in_process import InProcess
from tests.e2e.wire import CONTINUE, Wire, request, reserve

Fresh = Callable[[str], str]
Stocked = Callable[..., str]


def test_a_connection_is_kept_for_the_next_request(running: InProcess, stocked: Stocked) -> None:
    sku = stocked(n1=10)
    with Wire(running.port) as wire:
        for number in range(3):
            wire.send(reserve(sku, f"{sku}-{number}"))
            assert wire.answer().status == 201


def test_connection_close_is_obeyed_and_what_follows_is_not_begun(
    running: InProcess, stocked: Stocked
) -> None:
    sku = stocked(n1=10)
    with Wire(running.port) as wire:
        wire.send(reserve(sku, f"{sku}-a", connection="close") + reserve(sku, f"{sku}-b"))
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (201, "close")
        assert wire.closed()
    with Wire(running.port) as wire:
        wire.send(request("GET", f"/v1/reservations?key={sku}-b"))
        assert wire.answer().status == 404


@pytest.mark.parametrize("extra", [{}, {"connection": "keep-alive"}])
def test_http_1_0_is_answered_and_closed(
    running: InProcess, stocked: Stocked, extra: dict[str, str]
) -> None:
    sku = stocked(n1=10)
    body = b'{"id":"%b-0","lines":[{"sku":"%b","quantity":1}]}' % (sku.encode(), sku.encode())
    with Wire(running.port) as wire:
        wire.send(request("POST", "/v1/reservations", body, version="1.0", **extra))
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (201, "close")
        assert wire.closed()


def test_pipelined_answers_come_in_the_order_of_the_requests(
    running: InProcess, stocked: Stocked
) -> None:
    """Hot, cold, several shards, refusals: whatever is fast, nothing overtakes."""
    first, second = stocked(n1=500), stocked(n1=500)
    both = b'{"id":"%b-both","lines":[{"sku":"%b","quantity":1},{"sku":"%b","quantity":1}]}' % (
        first.encode(), first.encode(), second.encode(),
    )  # fmt: skip
    block = [
        (reserve(first, f"{first}-KEY"), 201),
        (request("GET", "/healthz"), 200),
        (request("POST", "/v1/reservations", both), 201),
        (request("GET", f"/v1/reservations?key={first}-KEY"), 200),
        (reserve(first, "no key!"), 422),
        (request("GET", "/nothing/here"), 404),
        (request("GET", f"/v1/availability?sku={second}"), 200),
        (request("POST", "/v1/audit", b"{}"), 200),
        (reserve(second, f"{second}-KEY"), 201),
    ]
    rounds = 20
    with Wire(running.port) as wire:
        for number in range(rounds):
            wire.send(b"".join(data.replace(b"KEY", b"%03d" % number) for data, _ in block))
        expected = [status for _ in range(rounds) for _, status in block]
        expected[len(block) + 2 :: len(block)] = [200] * (rounds - 1)  # The same key again.
        assert [wire.answer().status for _ in expected] == expected


def test_a_read_behind_a_reservation_on_the_same_connection_sees_it(
    running: InProcess, stocked: Stocked
) -> None:
    sku = stocked(n1=5)
    with Wire(running.port) as wire:
        wire.send(reserve(sku, f"{sku}-x", 2) + request("GET", f"/v1/stock/{sku}"))
        assert wire.answer().status == 201
        assert wire.answer().json()["positions"][0]["reserved"] == 2


def test_hundreds_of_pipelined_requests_are_all_answered(
    running: InProcess, stocked: Stocked
) -> None:
    sku = stocked(n1=5000)
    count = 2000
    with Wire(running.port) as wire:
        data = b"".join(reserve(sku, f"{sku}-{number}") for number in range(count))
        sender = threading.Thread(target=wire.send, args=(data,))
        sender.start()
        keys = [wire.answer().json()["key"] for _ in range(count)]
        sender.join()
    assert keys == [f"{sku}-{number}" for number in range(count)]


def test_a_client_that_does_not_read_is_not_read_from(running: InProcess, stocked: Stocked) -> None:
    """Answers nobody takes must not pile up in the gateway."""
    sku = stocked(n1=5)
    sock = socket.create_connection(("127.0.0.1", running.port))
    sock.settimeout(0.5)
    data = request("GET", f"/v1/availability?sku={sku}") * 200
    sent = 0
    try:
        while sent < 50_000_000:
            sock.sendall(data)
            sent += len(data)
    except TimeoutError:
        sent = -1
    sock.close()
    assert sent < 0


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_request_may_come_in_any_pieces(running: InProcess, stocked: Stocked, size: int) -> None:
    sku = stocked(n1=5)
    data = reserve(sku, f"{sku}-p{size}", content_type="application/json")
    with Wire(running.port) as wire:
        wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), size):
            wire.send(data[at : at + size])
        assert wire.answer().status == 201


def test_a_chunked_body_is_put_together(running: InProcess, stocked: Stocked) -> None:
    sku = stocked(n1=5)
    body = b'{"id":"%b-c","lines":[{"sku":"%b","quantity":1}]}' % (sku.encode(), sku.encode())
    chunks = b"".join(b"1;x=y\r\n%b\r\n" % bytes([byte]) for byte in body)
    with Wire(running.port) as wire:
        head = request("POST", "/v1/reservations", transfer_encoding="chunked")
        wire.send(head + chunks + b"0\r\ntrailer: x\r\n\r\n" + request("GET", "/healthz"))
        assert wire.answer().status == 201
        assert wire.answer().status == 200


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/reservations", 64 * 1024),
        ("/v1/reservations/000.k/confirm", 64 * 1024),
        ("/v1/reservations/000.k/extend", 64 * 1024),
        ("/v1/reservations:batch", 8 * 1024 * 1024),
        ("/v1/stock/adjustments", 8 * 1024 * 1024),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused_and_the_next_request_answered(
    running: InProcess, path: str, limit: int, chunked: bool
) -> None:
    body = b" " * (limit + 1)
    with Wire(running.port) as wire:
        if chunked:
            data = request("POST", path, transfer_encoding="chunked")
            data += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            data = request("POST", path, body)
        sender = threading.Thread(target=wire.send, args=(data + request("GET", "/healthz"),))
        sender.start()
        assert wire.answer().status == 413
        assert wire.answer().status == 200
        sender.join()


def test_a_declared_length_beyond_the_limit_is_refused_before_the_body(running: InProcess) -> None:
    with Wire(running.port) as wire:
        wire.send(request("POST", "/v1/reservations", content_length="99999999"))
        assert wire.answer().json()["type"] == "/problems/too-large"


def test_the_body_is_invited_where_the_client_asks_for_it(
    running: InProcess, stocked: Stocked
) -> None:
    sku = stocked(n1=5)
    body = b'{"id":"%b-e","lines":[{"sku":"%b","quantity":1}]}' % (sku.encode(), sku.encode())
    with Wire(running.port) as wire:
        wire.send(
            request("GET", "/healthz")
            + request("POST", "/v1/reservations", expect="100-continue",
                      content_length=str(len(body)))
        )  # fmt: skip
        assert wire.answer().status == 200
        assert wire.exactly(len(CONTINUE)) == CONTINUE
        wire.send(body)
        assert wire.answer().status == 201


@pytest.mark.parametrize("path", ["/v1/reservations", "/v1/stock/adjustments"])
def test_a_body_that_would_be_refused_is_not_invited(running: InProcess, path: str) -> None:
    with Wire(running.port) as wire:
        wire.send(request("POST", path, expect="100-continue", content_length="99999999"))
        assert wire.answer().status == 413
        assert wire.closed()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"POST /v1/reservations HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/reservations HTTP/1.1\r\nhost: x\r\ncontent-length: 1x\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
        b"POST /v1/reservations HTTP/1.1\r\nhost : x\r\n\r\n",
        b"POST /v1/reservations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT example:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_get_a_problem_and_a_closed_connection(
    running: InProcess, data: bytes
) -> None:
    with Wire(running.port) as wire:
        wire.send(request("GET", "/healthz") + data)
        assert wire.answer().status == 200
        answer = wire.answer()
        assert answer.status in (400, 404, 405)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["outcome"] == "none"


def test_an_endless_head_is_refused(running: InProcess) -> None:
    with Wire(running.port) as wire:
        wire.send(b"GET /healthz HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):  # It may close while we still send.
            for number in range(4000):
                wire.send(b"x-%d: %b\r\n" % (number, b"y" * 100))
        with contextlib.suppress(ConnectionError):
            assert wire.answer().status == 431
        assert wire.closed()


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/reservations:batch", "POST"),
        ("DELETE", "/v1/reservations", "GET, POST"),
        ("GET", "/v1/reservations/000.k/confirm", "POST"),
        ("HEAD", "/v1/availability", "GET"),
        ("POST", "/v1/availability", "GET"),
        ("HEAD", "/healthz", "GET"),
        ("PATCH", "/v1/nodes/n", "PUT"),
    ],
)
def test_a_method_that_is_not_there_names_those_that_are(
    running: InProcess, method: str, path: str, allow: str
) -> None:
    with Wire(running.port) as wire:
        wire.send(request(method, path))
        answer = wire.answer(to_head=method == "HEAD")
        assert (answer.status, answer.headers["allow"]) == (405, allow)
        wire.send(request("GET", "/healthz"))
        assert wire.answer().status == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/reservations/", "/v1/nodes/", "/v1/reservations//confirm", "/v1/availability/",
     "/v1/never", "/v1/reservations/000.k/confirm/", "/v2/reservations", "/"],
)  # fmt: skip
def test_paths_that_are_not_there_are_unknown(running: InProcess, path: str) -> None:
    with Wire(running.port) as wire:
        wire.send(request("POST", path, b"{}"))
        assert wire.answer().json()["type"] == "/problems/unknown-route"


@pytest.mark.parametrize("name", ["a%7Bb", "%C3%A9", "%ff", "a%2Fb", "a%00b", "x" * 65])
def test_an_id_in_the_path_is_decoded_and_then_checked(running: InProcess, name: str) -> None:
    with Wire(running.port) as wire:
        for verb in ("confirm", "extend"):
            wire.send(request("POST", f"/v1/reservations/{name}/{verb}", b"{}"))
            answer = wire.answer()
            assert (answer.status, answer.json()["field"]) == (422, "id")


def test_an_encoded_id_is_the_same_id(running: InProcess, stocked: Stocked) -> None:
    sku = stocked(n1=5)
    with Wire(running.port) as wire:
        wire.send(reserve(sku, f"{sku}-enc"))
        name = wire.answer().json()["id"].replace(".", "%2E").replace("-", "%2D")
        wire.send(request("POST", f"/v1/reservations/{name}/confirm"))
        assert wire.answer().json()["status"] == "confirmed"


def test_encoded_letters_of_a_route_are_the_same_route(
    running: InProcess, stocked: Stocked
) -> None:
    """Segments are decoded before they are compared, on the hot routes as on the others."""
    sku = stocked(n1=5)
    first = {"id": f"{sku}-pct", "lines": [{"sku": sku, "quantity": 1}]}
    with Wire(running.port) as wire:
        wire.send(request("POST", "/v1/reservations%3abatch",
                          json.dumps({"reservations": [first]}).encode()))  # fmt: skip
        told = wire.answer().json()["results"][0]
        assert told["status"] == 201
        wire.send(request("POST", f"/%761/reservations/{told['body']['id']}/%63onfirm"))
        assert wire.answer().json()["status"] == "confirmed"
        wire.send(request("GET", f"/v1/availabilit%79?sku={sku}"))
        assert wire.answer().json()["items"][0]["atp"] == 4
        wire.send(reserve(sku, f"{sku}-pct").replace(b"reservations", b"%72eservations"))
        assert wire.answer().status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/reservations/000.k%2Fconfirm", 405), ("/v1/reservations%2F000.k/confirm", 404),
     ("/v1%2freservations", 404), ("/v1/reservations/000.k/confirm%2F", 404),
     ("/v1/reservations%253Abatch", 404)],
)  # fmt: skip
def test_an_encoded_slash_parts_no_segments_and_nothing_is_decoded_twice(
    running: InProcess, path: str, status: int
) -> None:
    with Wire(running.port) as wire:
        wire.send(request("POST", path, b"{}"))
        assert wire.answer().status == status


def test_the_absolute_form_of_a_target_is_understood(running: InProcess, stocked: Stocked) -> None:
    sku = stocked(n1=5)
    with Wire(running.port) as wire:
        wire.send(reserve(sku, f"{sku}-abs").replace(b"/v1/", b"http://tidegate:80/v1/", 1))
        assert wire.answer().status == 201
        wire.send(request("GET", "http://tidegate/healthz"))
        assert wire.answer().status == 200


def test_an_offer_of_another_protocol_is_ignored(running: InProcess, stocked: Stocked) -> None:
    sku = stocked(n1=5)
    offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\nhost:"
    both = reserve(sku, f"{sku}-up") + request("GET", "/healthz")
    with Wire(running.port) as wire:
        wire.send(both.replace(b"host:", offer))
        assert wire.answer().status == 201
        assert wire.answer().status == 200
        wire.send(request("GET", "/healthz"))
        assert wire.answer().status == 200


def test_a_client_that_goes_away_leaves_the_others_alone(
    running: InProcess, stocked: Stocked
) -> None:
    sku = stocked(n1=100)
    for number in range(20):
        wire = Wire(running.port)
        wire.send(reserve(sku, f"{sku}-gone{number}") * 3 + request("GET", "/v1/shards") * 3)
        wire.sock.close()
    with Wire(running.port) as wire:
        wire.send(reserve(sku, f"{sku}-here"))
        assert wire.answer().status == 201


def test_a_stopping_server_finishes_what_it_has_read_and_closes() -> None:
    """Those in flight get their answers, idle connections are closed, new ones are refused."""
    with InProcess() as running:
        idle, busy = Wire(running.port), Wire(running.port)
        for wire in (idle, busy):
            wire.send(request("GET", "/healthz"))
            assert wire.answer().status == 200
        busy.send(request("PUT", "/v1/skus/late", content_length="2", expect="100-continue"))
        assert busy.exactly(len(CONTINUE)) == CONTINUE  # It has been read, and is in flight.
        assert running.stop is not None
        running.loop.call_soon_threadsafe(running.stop.set)
        assert idle.closed()
        busy.send(b"{}")
        answer = busy.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert busy.closed()
        idle.sock.close()
        busy.sock.close()
