"""What a row of each kind of file becomes. A row that is wrong is told, with its line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import quote

import msgspec

from engine.ids import ID
from engine.limits import DEADLINE_MS_MAX
from gateway import schema
from gateway.contract.network import LaneBody
from gateway.pipe import request


class WrongRow(ValueError):
    """A row that cannot be sent; the text names the column and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of file."""

    columns: tuple[str, ...]
    portion: int  # Rows of one request: so small that a sale beside it hardly notices.
    checked: Callable[[Mapping[str, Any]], dict[str, Any]]
    #: A request of some rows; the reference is of the file and the portion.
    request: Callable[[list[dict[str, Any]], str], bytes]


def _converted(row: Mapping[str, Any], body: type, columns: tuple[str, ...]) -> dict[str, Any]:
    unknown = sorted(row.keys() - set(columns))
    if unknown:
        raise WrongRow(f"{unknown[0]}: is no column; there are {', '.join(columns)}")
    try:
        made: Any = msgspec.convert(dict(row), body, strict=False)
    except msgspec.ValidationError as error:
        raise WrongRow(str(error)) from None
    checked = {name: value for name in columns if (value := getattr(made, name, None)) is not None}
    for name in ("sku", "node", "zone"):
        if name in checked and ID.match(checked[name]) is None:
            raise WrongRow(f"{name}: 1-64 of letters, digits, '.', '_', ':' and '-'")
    return checked


class _SkuRow(schema.SkuBody):
    sku: str = ""


class _NodeRow(schema.NodeBody):
    node: str = ""


def _checker(body: type, columns: tuple[str, ...]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda row: _converted(row, body, columns)


def _sent(method: str, path: str, document: Any) -> bytes:
    return request(method, path, msgspec.json.encode(document), deadline_ms=DEADLINE_MS_MAX)


def _put_one(path: str, name: str) -> Callable[[list[dict[str, Any]], str], bytes]:
    def made(rows: list[dict[str, Any]], _reference: str) -> bytes:
        members = dict(rows[0])
        return _sent("PUT", f"{path}/{quote(members.pop(name))}", members)

    return made


def _adjustments(rows: list[dict[str, Any]], reference: str) -> bytes:
    body = {"reference": reference, "adjustments": rows}
    return _sent("POST", "/v1/stock/adjustments", body)


def _lanes(rows: list[dict[str, Any]], _reference: str) -> bytes:
    return _sent("PUT", "/v1/lanes", {"lanes": rows})


_SKUS: Final = (
    "sku", "name", "weight_grams", "category", "low_stock", "limit_per_customer",
)  # fmt: skip
_NODES: Final = (
    "node", "kind", "name", "zone", "latitude", "longitude", "handling_hours",
    "capacity_per_hour", "priority", "owner", "minimum", "settlement_cents", "cutoff",
)  # fmt: skip
_POSITIONS: Final = ("sku", "node", "on_hand", "delta", "safety_stock", "reason", "as_of")
_LANES: Final = ("node", "zone", "fixed_cents", "per_kg_cents", "transit_hours", "cutoff")

KINDS: Final[Mapping[str, Kind]] = {
    "skus": Kind(columns=_SKUS, portion=1, checked=_checker(_SkuRow, _SKUS),
                 request=_put_one("/v1/skus", "sku")),
    "nodes": Kind(columns=_NODES, portion=1, checked=_checker(_NodeRow, _NODES),
                  request=_put_one("/v1/nodes", "node")),
    "positions": Kind(columns=_POSITIONS, portion=250,
                      checked=_checker(schema.Adjustment, _POSITIONS), request=_adjustments),
    "lanes": Kind(columns=_LANES, portion=5_000, checked=_checker(LaneBody, _LANES),
                  request=_lanes),
}  # fmt: skip


def reference_of(name: str, number: int) -> str:
    """The reference of a portion: the same for the same file, however often it is imported."""
    return f"{name}-{number}"


def name_of(digest: bytes) -> str:
    """What references of a file begin with, unless the caller has said so."""
    return f"import-{blake2b(digest, digest_size=8).hexdigest()}"
