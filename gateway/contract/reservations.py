"""Operations on reservations."""

from collections.abc import Mapping
from typing import Any, Final

from gateway import answer_schema as told
from gateway import examples, schema
from gateway.contract.operation import (
    BODY,
    KEY,
    KEY_SCHEMA,
    OWNER,
    SHAPE,
    UNITS,
    WRITES,
    Answer,
    Operation,
    Parameter,
)


def _reservation(example: Mapping[str, Any], text: str) -> dict[int, Answer]:
    return {200: Answer(kind=told.Reservation, example=example, text=text)}


def _one(
    verb: str, text: str, example: Mapping[str, Any], *problems: str, **more: Any
) -> Operation:
    return Operation(
        method="POST", path=f"/v1/reservations/{{id}}/{verb}", text=text,
        answers=_reservation(example, "The reservation as it stands now"),
        problems=(*WRITES, "unknown-reservation", "in-progress", *problems), **more,
    )  # fmt: skip


def _many(verb: str, example: Mapping[str, Any]) -> Operation:
    return Operation(
        method="POST", path=f"/v1/reservations:{verb}", hot=True,
        text=f"{verb.capitalize()} many reservations, each on its own",
        body=schema.IdsBody, body_example=examples.IDS_BODY,
        answers={200: Answer(
            kind=told.ReservationResults, text="One result for each, in order",
            example={"results": [{"status": 200, "body": example}]},
        )},
        problems=BODY,
    )  # fmt: skip


RESERVATIONS: Final = (
    Operation(
        method="POST", path="/v1/reservations", text="Set units aside", hot=True,
        body=schema.ReservationBody, body_example=examples.RESERVATION_BODY, parameters=(KEY,),
        answers={
            201: Answer(kind=told.Reservation, example=examples.RESERVATION, text="Held"),
            200: Answer(kind=told.Reservation, example=examples.RESERVATION,
                        text="The same request again: the reservation as it stands now"),
        },
        problems=(
            *WRITES, *UNITS, "key-reused", "unknown-reservation", "not-held", "unknown-zone",
            "unknown-campaign", "campaign-not-open", "over-limit", "over-quota", "in-progress",
            "contended",
        ),
    ),
    Operation(
        method="GET", path="/v1/reservations", text="Find a reservation by the caller's key",
        parameters=(Parameter(name="key", schema=KEY_SCHEMA, required=True, example="order-1001",
                              text="The key it was made with"),),
        answers=_reservation(examples.RESERVATION, "The reservation"),
        problems=(*SHAPE, *OWNER, "unknown-reservation"),
    ),
    Operation(
        method="POST", path="/v1/reservations:batch", hot=True,
        text="Make many reservations, each on its own",
        body=schema.ReservationsBody, body_example=examples.RESERVATIONS_BODY,
        answers={200: Answer(kind=told.ReservationResults, example=examples.RESULTS,
                             text="One result for each, in order")},
        problems=BODY,
    ),
    _many("confirm", examples.CONFIRMED),
    _many("release", examples.RELEASED),
    Operation(
        method="GET", path="/v1/reservations/{id}", text="A reservation as it stands",
        answers=_reservation(examples.RESERVATION, "The reservation"),
        problems=(*SHAPE, *OWNER, "unknown-reservation"),
    ),
    _one("confirm", "Payment has come", examples.CONFIRMED, "not-held", hot=True),
    _one("release", "Give a hold back", examples.RELEASED, "not-held", hot=True),
    _one("extend", "Hold longer", examples.RESERVATION, "not-held",
         body=schema.ExtendBody, body_example={"hold_seconds": 600}),
    _one("fulfil", "Units leave", examples.FULFILLED, "not-confirmed", "exceeds-committed",
         "insufficient-stock", "key-reused", hot=True,
         body=schema.FulfilBody, body_example=examples.FULFIL_BODY),
    _one("cancel", "Take back what was confirmed", examples.CANCELLED, "not-held"),
)  # fmt: skip
