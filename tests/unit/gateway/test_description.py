"""The API description against what is really read and answered."""

from typing import Any

import msgspec
import pytest

from engine.outcome import Outcome
from engine.record import pack
from gateway import schema
from gateway.answers import reservation, reservation_json, sold_out_json, to_json
from gateway.app import _HANDLERS
from gateway.contract import OPERATIONS, Operation
from gateway.openapi import document
from gateway.problems import KINDS, of_reply

HOT = {
    ("POST", "/v1/reservations"), ("POST", "/v1/reservations:batch"),
    ("POST", "/v1/reservations:confirm"), ("POST", "/v1/reservations:release"),
    ("POST", "/v1/reservations/{id}/confirm"), ("POST", "/v1/reservations/{id}/release"),
    ("POST", "/v1/reservations/{id}/fulfil"), ("GET", "/v1/availability"),
}  # fmt: skip


def name(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    described = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
    }
    assert described == HOT | _HANDLERS.keys()
    assert {(op.method, op.path) for op in OPERATIONS if op.hot} == HOT


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_every_answer_has_an_example_that_fits_its_schema(operation: Operation) -> None:
    for answer in operation.answers.values():
        msgspec.convert(answer.example, answer.kind, strict=True)
        fields = {field.name for field in msgspec.structs.fields(answer.kind)}
        assert answer.example.keys() == fields
    if operation.body is not None:
        msgspec.convert(operation.body_example, operation.body, strict=True)
    described = document()["paths"][operation.path][operation.method.lower()]
    for status, response in described["responses"].items():
        for media, content in response["content"].items():
            assert media == "application/msgpack" or content.keys() & {"example", "examples"}
        told = int(status) in operation.answers or (status == "200" and operation.file is not None)
        assert told or "application/problem+json" in response["content"]


def test_every_answer_of_every_path_has_an_example() -> None:
    for path, methods in document()["paths"].items():
        for method, described in methods.items():
            for status, response in described["responses"].items():
                for media, content in response["content"].items():
                    shown = media == "application/msgpack" or content.keys() & {
                        "example", "examples",
                    }  # fmt: skip
                    assert shown, (method, path, status, media)


def numbers(described: Any) -> list[dict[str, Any]]:
    """Every number that a schema lets in."""
    parts = described.values() if isinstance(described, dict) else described
    found = [each for part in parts if isinstance(part, dict | list) for each in numbers(part)]
    if isinstance(described, dict) and described.get("type") in ("number", "integer"):
        found.append(described)
    return found


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op.body is not None], ids=name)
def test_every_number_of_a_body_has_bounds(operation: Operation) -> None:
    """What is greater than anything real would overflow somewhere behind the door."""
    for number in numbers(list(msgspec.json.schema_components([operation.body]))):
        assert number.keys() & {"minimum", "exclusiveMinimum"}, number
        assert number.keys() & {"maximum", "exclusiveMaximum"}, number


def test_only_the_audit_may_go_without_a_deadline() -> None:
    for operation in OPERATIONS:
        described = document()["paths"][operation.path][operation.method.lower()]
        deadline = next(p for p in described["parameters"] if p["name"] == "X-Deadline-Ms")
        assert ("default" in deadline["schema"]) == (operation.path != "/v1/audit")


def bodies() -> list[type[msgspec.Struct]]:
    kinds = [each for each in vars(schema).values() if isinstance(each, type)]
    return [each for each in kinds if issubclass(each, schema.Body) and each is not schema.Body]


@pytest.mark.parametrize("kind", bodies())
def test_every_body_is_described_member_by_member(kind: type[msgspec.Struct]) -> None:
    described = document()["components"]["schemas"][kind.__name__]
    fields = msgspec.structs.fields(kind)
    assert described["properties"].keys() == {field.encode_name for field in fields}
    assert set(described["required"]) == {field.encode_name for field in fields if field.required}
    assert described["additionalProperties"] is False


def test_every_problem_of_the_table_is_described_somewhere_or_needs_no_route() -> None:
    used = {problem for operation in OPERATIONS for problem in operation.problems}
    later = {"unknown-supply", "unknown-wave", "unknown-zone", "over-limit", "over-quota",
             "quota-exceeds-stock", "campaign-not-open", "campaign-state", "supply-closed",
             "wave-running"}  # fmt: skip
    anywhere = {"internal", "bad-request", "headers-too-large", "unknown-route",
                "method-not-allowed", "negative-stock", "out-of-range"}  # fmt: skip
    assert used | later | anywhere == set(KINDS)


RECORDS: list[list[Any]] = [
    [0, 1_796_000_000_000, b"d" * 16, [["A", None, 2, "n", 2]]],
    [17, 1_796_000_000_123, b"\xff" * 16, [["A", "n", 2, "n", 2]]],
    [16, 1_796_000_000_999, b"d" * 16, [["A", None, 5, "n", 2, "m", 3], ["B", "n", 1]]],
    [35, 0, b"d" * 16, [["A", None, 5]], {"p": True}],
]


@pytest.mark.parametrize("members", RECORDS)
def test_an_answer_laid_out_by_hand_is_the_answer(members: list[Any]) -> None:
    told = msgspec.json.decode(reservation_json("03f.k-1", pack(members)))
    assert told == reservation("03f.k-1", pack(members))
    assert list(told) == list(reservation("03f.k-1", pack(members)))


@pytest.mark.parametrize("row", [["A", None, 1, 0], ["A", "n", 7, 0]])
def test_sold_out_laid_out_by_hand_is_the_problem(row: list[Any]) -> None:
    expected = to_json(of_reply([Outcome.SHORT, [row], True], "k").document())
    assert sold_out_json(row).encode() == expected
