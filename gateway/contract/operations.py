"""Operations for those who run it."""

from typing import Final

from gateway import answer_schema as told
from gateway import examples
from gateway.contract.operation import (
    BODY,
    ID_SCHEMA,
    OWNER,
    SHAPE,
    Answer,
    Operation,
    Parameter,
)

_PATIENCE: Final = Parameter(
    name="X-Deadline-Ms", where="header",
    text="Later than this the answer is a 503. Without it the audit takes the time it needs.",
    schema={"type": "integer", "minimum": 1, "maximum": 30_000},
)  # fmt: skip
RUNNING: Final = (
    Operation(
        method="GET", path="/v1/events", text="What happened, in order; or a stream of it",
        parameters=(
            Parameter(name="after", schema={"type": "string"}, text="A cursor; none: oldest kept"),
            Parameter(name="limit", text="Most events to answer",
                      schema={"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}),
            Parameter(name="types", schema={"type": "string"}, example="stock.adjusted",
                      text="Only these, with commas between them"),
            Parameter(name="sku", schema=ID_SCHEMA, text="Only what is about this SKU alone"),
        ),
        problems=(*SHAPE, *OWNER, "cursor-expired"),
        answers={200: Answer(kind=told.Events, example=examples.EVENTS, text="A page")},
    ),
    Operation(
        method="GET", path="/v1/shards", text="Shards, their owners and figures",
        problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=told.Shards, example=examples.SHARDS, text="By number")},
    ),
    Operation(
        method="POST", path="/v1/audit",
        text="Compare owners' books with the store; what would mend them",
        parameters=(
            Parameter(name="events", schema={"type": "boolean", "default": False},
                      text="Rebuild the stock from the events too, and propose repairs; takes as "
                           "long as these are"),
        ),
        problems=(*BODY, *OWNER), deadline=_PATIENCE,
        answers={200: Answer(kind=told.Audit, example=examples.AUDIT, text="Clean or not")},
    ),
    Operation(
        method="GET", path="/healthz", text="Whether the process runs", problems=SHAPE,
        answers={200: Answer(kind=told.Alive, example={"status": "alive"}, text="It does")},
    ),
    Operation(
        method="GET", path="/readyz", text="Whether commands are served", problems=SHAPE,
        answers={
            200: Answer(kind=told.Ready, example=examples.READY, text="They are"),
            503: Answer(kind=told.Ready, example=examples.NOT_READY, text="Not yet, and why"),
        },
    ),
)  # fmt: skip
