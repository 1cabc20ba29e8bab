"""Requests made from the API description: wrong ones are refused, no 5xx, answers as described."""

from typing import Any

import hypothesis
import msgpack
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.openapi import document
from tests.e2e.engine_in_process import InProcess


@schemathesis.serializer("application/msgpack")
def packed(_context: object, value: object) -> bytes:
    """Bodies in the other format."""
    try:
        packed: bytes = msgpack.packb(value)
    except OverflowError:
        hypothesis.reject()  # It has no integers beyond 64 bits: nothing to send.
    return packed


#: What a request has that is to be wrong by a header too many.
_UNKNOWN_HEADER = "x-schemathesis-unknown-property"
#: A deadline that this machine can keep, whatever else runs on it.
PATIENCE_MS = 10_000

schema = schemathesis.openapi.from_dict(document())


@schema.parametrize()
@settings(
    max_examples=15,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_described_requests_get_described_answers(
    case: schemathesis.Case[Any], running: InProcess
) -> None:
    if _UNKNOWN_HEADER in (case.headers or {}):
        hypothesis.reject()  # Headers that are not known are ignored, as HTTP has it.
    given = str(case.headers.get("X-Deadline-Ms", "") if case.headers else "")
    if given.isdigit() and 1 <= int(given) < PATIENCE_MS:  # Else a 503 is the right answer.
        case.headers["X-Deadline-Ms"] = str(PATIENCE_MS)
    case.call_and_validate(
        base_url=running.url,
        checks=[
            schemathesis.checks.not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            negative_data_rejection,
        ],
    )
