"""What an operation of the API is, and what many of them have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from engine.ids import ID_PATTERN, KEY_PATTERN

LOAD: Final = ("overloaded", "unavailable", "outcome-unknown")
SHAPE: Final = ("invalid-request",)
BODY: Final = ("invalid-request", "too-large", "unsupported-media-type")
OWNER: Final = ("unavailable", "overloaded")  # Of reads: nothing of them is ever in doubt.
WRITES: Final = (*BODY, *LOAD, "durability-not-met")
UNITS: Final = ("unknown-sku", "unknown-node", "insufficient-stock", "sold-out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success: its schema and an example."""

    kind: type
    example: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A success that is no JSON: its media type, and how it begins."""

    media: str
    text: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter or a header."""

    name: str
    schema: Mapping[str, Any]
    text: str
    where: str = "query"
    required: bool = False
    example: Any = None


DEADLINE: Final = Parameter(
    name="X-Deadline-Ms", where="header", text="Later than this the answer is a 503.",
    schema={"type": "integer", "minimum": 1, "maximum": 30_000, "default": 2_000},
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    text: str
    answers: Mapping[int, Answer] = field(default_factory=dict)
    file: File | None = None
    problems: tuple[str, ...] = ()
    body: type | None = None
    body_example: Mapping[str, Any] | None = None
    parameters: tuple[Parameter, ...] = ()
    deadline: Parameter = DEADLINE
    hot: bool = False

    @property
    def packed(self) -> bool:
        """Whether it speaks MessagePack too."""
        return self.method == "POST"


ID_SCHEMA: Final = {"type": "string", "pattern": ID_PATTERN}
KEY_SCHEMA: Final = {"type": "string", "pattern": KEY_PATTERN}
KEY: Final = Parameter(
    name="Idempotency-Key", where="header", schema=KEY_SCHEMA, example="order-1001",
    text="The caller's key, bare; or the member id. Both given must be equal.",
)  # fmt: skip
