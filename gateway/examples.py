"""One example for each answer in the API description; tests hold them against their schemas."""

from typing import Any, Final

Document = dict[str, Any]

RESERVATION: Final[Document] = {
    "id": "03f.order-1001", "key": "order-1001", "status": "held", "durability": "fsync",
    "expires_at": "2026-12-01T11:15:00.000Z",
    "lines": [{
        "sku": "85123A", "node": "store-leeds", "requested": 2, "quantity": 2,
        "backings": [{"node": "store-leeds", "quantity": 2, "supply": None, "deliver_by": None,
                      "cost_cents": None}],
    }],
}  # fmt: skip
RESERVATION_BODY: Final[Document] = {
    "lines": [{"sku": "85123A", "quantity": 2, "node": "store-leeds"}],
    "channel": "live-room-1", "customer": "c-42", "destination": {"zone": "GB-LDS"},
    "hold_seconds": 900,
}  # fmt: skip
SOLD_OUT: Final[Document] = {
    "type": "/problems/sold-out", "title": "Sold out", "status": 409,
    "detail": "85123A: 2 asked, 0 available", "retryable": False, "outcome": "none",
    "short_lines": [{"sku": "85123A", "node": None, "requested": 2, "available": 0,
                     "next_available_at": None}],
}  # fmt: skip
RESERVATIONS_BODY: Final[Document] = {
    "reservations": [
        {"id": "order-1001", "lines": [{"sku": "85123A", "quantity": 2, "node": "store-leeds"}]},
        {"id": "order-1002", "lines": [{"sku": "85123A", "quantity": 2}]},
    ]
}
RESULTS: Final[Document] = {
    "results": [{"status": 201, "body": RESERVATION}, {"status": 409, "body": SOLD_OUT}]
}
IDS_BODY: Final[Document] = {"ids": ["03f.order-1001"]}
CONFIRMED: Final[Document] = {**RESERVATION, "status": "confirmed"}
RELEASED: Final[Document] = {**RESERVATION, "status": "released"}
FULFILLED: Final[Document] = {**RESERVATION, "status": "fulfilled"}
CANCELLED: Final[Document] = {**RESERVATION, "status": "cancelled"}
FULFIL_BODY: Final[Document] = {
    "reference": "parcel-1",
    "lines": [{"sku": "85123A", "node": "store-leeds", "quantity": 2}],
}
NODE_BODY: Final[Document] = {
    "kind": "store", "name": "Leeds", "zone": "GB-LDS", "latitude": 53.8, "longitude": -1.55,
    "channels": [], "handling_hours": 4, "capacity_per_hour": 30, "priority": 10,
}  # fmt: skip
NODE: Final[Document] = {
    "node": "store-leeds", **NODE_BODY, "owner": None, "minimum": 0, "settlement_cents": 0,
    "cutoff": None, "opening_hours": [{"days": [1, 2, 3, 4, 5, 6], "from": "09:00", "to": "18:00"}],
    "pickup_hold_hours": 72,
}  # fmt: skip
SKU_BODY: Final[Document] = {"name": "Holder", "weight_grams": 320, "category": "gift"}
SKU: Final[Document] = {
    "sku": "85123A", **SKU_BODY, "low_stock": 20, "limit_per_customer": 5,
}  # fmt: skip
ADJUSTMENTS_BODY: Final[Document] = {
    "reference": "po-17",
    "adjustments": [
        {"sku": "85123A", "node": "store-leeds", "delta": 40, "reason": "receipt"},
    ],
}
POSITION: Final[Document] = {
    "sku": "85123A", "node": "store-leeds", "on_hand": 40, "safety_stock": 0, "reserved": 2,
    "committed": 0, "quarantined": 0, "sellable": 38, "shortfall": 0, "damaged": 0,
}  # fmt: skip
ADJUSTED: Final[Document] = {
    "reference": "po-17", "repeated": False, "results": [{"status": 200, "body": POSITION}],
}  # fmt: skip
STOCK: Final[Document] = {
    "sku": "85123A", "as_of_seq": 1042, "positions": [POSITION], "quotas": [], "supplies": [],
    "shortfalls": [],
}  # fmt: skip
AVAILABILITY: Final[Document] = {
    "items": [{"sku": "85123A", "atp": 38, "as_of_seq": 1042,
               "by_node": [{"node": "store-leeds", "atp": 38}]}],
    "age_ms": 12,
}  # fmt: skip
CHANGES: Final[Document] = {
    "items": AVAILABILITY["items"], "next": "k8QIAAA", "more": False,
}  # fmt: skip
EVENTS: Final[Document] = {
    "events": [{
        "cursor": "mJLNBBIAkgAA", "shard": 3, "seq": 1042, "at": "2026-12-01T11:00:00.000Z",
        "type": "reservation.held", "sku": "85123A",
        "data": {"id": "003.order-1001", "key": "order-1001", "status": "held",
                 "lines": [{"sku": "85123A", "node": "store-leeds", "quantity": 2}]},
    }],
    "next": "mJLNBBIAkgAA", "more": False,
}  # fmt: skip
SHARDS: Final[Document] = {
    "shards": [{
        "shard": 0, "owner": "host-0", "state": "serving", "epoch": 3, "seq": 1042,
        "open_reservations": 17, "queue": 0, "batch_size": {"p50": 1, "p99": 212},
        "queue_ms_p99": 1.9, "decide_ms_p99": 0.7, "commit_ms_p99": 2.4, "sweep_lag_ms": 12,
    }]
}  # fmt: skip
AUDIT: Final[Document] = {
    "clean": False,
    "shards": [{"shard": 0, "epoch": 3, "seq": 1042, "reservations": 17,
                "rebuilt": {"source": "stream", "base_seq": 0, "since": None}}],
    "findings": [{
        "shard": 0, "kind": "events", "sku": "85123A", "node": "store-leeds", "reservation": None,
        "owner": [9, 0, 0], "store": [7, 0, 0], "events": [7, 0, 0], "last_seq": 1017,
        "advice": "owner and store say 9 units, the events 7 since seq 1017: …",
        "repair": {"units": 2, "path": "/v1/stock/adjustments", "body": {
            "reference": "audit-0-5f1e0c6b9a3d7e2418c05b7d", "adjustments": [
                {"sku": "85123A", "node": "store-leeds", "on_hand": 7, "reason": "audit",
                 "as_of": "2026-12-01T12:00:00.000Z"}]}},
    }],
}  # fmt: skip
READY: Final[Document] = {"ready": True, "reasons": []}
NOT_READY: Final[Document] = {"ready": False, "reasons": ["shard 3: recovering"]}

METRICS: Final = (
    "# HELP tidegate_requests_total Requests answered, by route and status.\n"
    "# TYPE tidegate_requests_total counter\n"
    'tidegate_requests_total{route="/v1/reservations",status="201"} 17\n'
)
PAGE: Final = '<!doctype html><html lang="en"><head><title>Tidegate API</title></head></html>'
DESCRIPTION: Final[Document] = {
    "openapi": "3.1.0", "info": {"title": "Tidegate", "version": "1.0"}, "paths": {},
}  # fmt: skip

#: What the members are that a type of problem adds.
PROBLEM_MEMBERS: Final[Document] = {
    "field": "lines[0].quantity", "id": "order-1001", "skus": ["85123A"], "nodes": ["store-leeds"],
    "short_lines": [{"sku": "85123A", "node": None, "requested": 5, "available": 3,
                     "next_available_at": None}],
    "reservation_status": "released", "sku": "85123A", "node": "store-leeds",
    "lines": [{"sku": "85123A", "node": "store-leeds", "left": 1, "requested": 2}],
    "limits": [{"sku": "85123A", "limit": 2, "taken": 1, "requested": 2}],
    "channel": "live-room-1", "available": 3, "state": "closed",
    "oldest": "mJLNBBIAkgAA", "retry_after_ms": 500, "durability": "fsync",
}  # fmt: skip
