"""Operations on bundles."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from engine.limits import BUNDLE_PARTS_MAX, QUANTITY_MAX
from gateway.contract.operation import OWNER, SHAPE, WRITES, Answer, Operation
from gateway.schema import Body, Id, Text


class PartBody(Body):
    """Units of one SKU in each bundle."""

    sku: Id
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]


class BundleBody(Body):
    """What a bundle is made of."""

    parts: Annotated[list[PartBody], Meta(min_length=1, max_length=BUNDLE_PARTS_MAX)]
    name: Text | None = None


class Part(Struct):
    """Units of one SKU in each bundle."""

    sku: Id
    quantity: int


class Bundle(Struct):
    """Several SKUs that are sold as one."""

    sku: Id
    name: Text
    parts: list[Part]


class Bundles(Struct):
    """All bundles, by code."""

    bundles: list[Bundle]


_BODY: Final[dict[str, Any]] = {
    "name": "Tea for two",
    "parts": [{"sku": "85123A", "quantity": 2}, {"sku": "22423", "quantity": 1}],
}
_BUNDLE: Final[dict[str, Any]] = {"sku": "TEA-2", **_BODY}

BUNDLES: Final = (
    Operation(
        method="PUT", path="/v1/bundles/{sku}",
        text="Define a bundle; reservations of it hold its parts, all or nothing",
        body=BundleBody, body_example=_BODY, problems=(*WRITES, "unknown-sku"),
        answers={200: Answer(kind=Bundle, example=_BUNDLE, text="The bundle")},
    ),
    Operation(
        method="GET", path="/v1/bundles", text="All bundles", problems=(*SHAPE, *OWNER),
        answers={200: Answer(kind=Bundles, example={"bundles": [_BUNDLE]}, text="By code")},
    ),
)  # fmt: skip
