"""Operations on nodes, SKUs and stock."""

from typing import Final

from gateway import answer_schema as told
from gateway import examples, schema
from gateway.contract.operation import (
    ID_SCHEMA,
    OWNER,
    SHAPE,
    WRITES,
    Answer,
    Operation,
    Parameter,
)

STOCK: Final = (
    Operation(
        method="PUT", path="/v1/nodes/{node}", text="Define a node, all members of it",
        body=schema.NodeBody, body_example=examples.NODE_BODY, problems=WRITES,
        answers={200: Answer(kind=told.Node, example=examples.NODE, text="The node")},
    ),
    Operation(
        method="GET", path="/v1/nodes", text="All nodes", problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=told.Nodes, example={"nodes": [examples.NODE]}, text="By id")},
    ),
    Operation(
        method="PUT", path="/v1/skus/{sku}", text="Define a SKU, all members of it",
        body=schema.SkuBody, body_example=examples.SKU_BODY, problems=WRITES,
        answers={200: Answer(kind=told.Sku, example=examples.SKU, text="The SKU")},
    ),
    Operation(
        method="GET", path="/v1/skus/{sku}", text="A SKU",
        problems=(*SHAPE, *OWNER, "unknown-sku"),
        answers={200: Answer(kind=told.Sku, example=examples.SKU, text="The SKU")},
    ),
    Operation(
        method="POST", path="/v1/stock/adjustments", text="Receipts, counts, safety stock",
        body=schema.AdjustmentsBody, body_example=examples.ADJUSTMENTS_BODY,
        problems=(*WRITES, "key-reused"),
        answers={200: Answer(kind=told.Adjusted, example=examples.ADJUSTED,
                             text="One result for each, in order")},
    ),
    Operation(
        method="POST", path="/v1/stock/moves", text="Stock set apart, written off, or good again",
        body=schema.MovesBody, problems=(*WRITES, "key-reused"),
        body_example={"reference": "check-7", "moves": [
            {"sku": "85123A", "node": "store-leeds", "from": "on_hand", "to": "quarantined",
             "quantity": 2, "reason": "wet box"},
        ]},
        answers={200: Answer(kind=told.Adjusted, example=examples.ADJUSTED,
                             text="One result for each, in order")},
    ),
    Operation(
        method="GET", path="/v1/stock/{sku}", text="Stock of a SKU, read from its owner",
        problems=(*SHAPE, *OWNER, "unknown-sku"),
        answers={200: Answer(kind=told.Stock, example=examples.STOCK, text="All positions")},
    ),
    Operation(
        method="GET", path="/v1/availability", hot=True,
        text="What may be promised, at most 100 ms old",
        parameters=(
            Parameter(name="sku", required=True, example=["85123A"], text="1-200 times",
                      schema={"type": "array", "items": ID_SCHEMA, "minItems": 1, "maxItems": 200}),
            Parameter(name="channel", schema=ID_SCHEMA, text="As in a reservation"),
            Parameter(name="zone", schema=ID_SCHEMA, text="Has no effect before lanes exist"),
            Parameter(name="pool", schema=ID_SCHEMA, text="Only the nodes of this pool"),
            Parameter(name="by", schema={"type": "string", "format": "date-time"},
                      text="Counts supply that is there by then"),
        ),
        answers={200: Answer(kind=told.Availability, example=examples.AVAILABILITY,
                             text="In the order asked")},
        problems=(*SHAPE, *OWNER, "too-large", "unknown-sku", "unknown-pool", "unknown-zone"),
    ),
    Operation(
        method="GET", path="/v1/availability/changes",
        text="All SKUs, then those whose figure may have changed; or a stream of them",
        parameters=(
            Parameter(name="channel", schema=ID_SCHEMA, text="Whose figures; none: of no channel"),
            Parameter(name="after", schema={"type": "string"},
                      text="A cursor; none: all SKUs first, page by page"),
            Parameter(name="limit", text="Most items to answer",
                      schema={"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}),
        ),
        problems=(*SHAPE, *OWNER, "cursor-expired"),
        answers={200: Answer(kind=told.Changes, example=examples.CHANGES, text="A page")},
    ),
)  # fmt: skip
