"""The API description (OpenAPI 3.1), made from the table of operations and the bodies' structs."""

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec

from gateway.answer_schema import ProblemDetails
from gateway.contract import ID_SCHEMA, OPERATIONS, Operation, Parameter
from gateway.examples import DESCRIPTION, METRICS, PAGE, PROBLEM_MEMBERS
from gateway.problems import KINDS, Kind
from gateway.schema import EmptyBody

_REF: Final = "#/components/schemas/{name}"
_VERSION: Final = "1.0"
#: Path, what is there, its media type, and an example.
_PAGES: Final = (
    ("/metrics", "Figures for Prometheus", "text/plain", METRICS),
    ("/docs", "This description as a page", "text/html", PAGE),
    ("/openapi.json", "This description", "application/json", DESCRIPTION),
)


@cache
def document() -> dict[str, Any]:
    """The whole description."""
    kinds: list[type] = [ProblemDetails, EmptyBody]
    for operation in OPERATIONS:
        kinds += [answer.kind for answer in operation.answers.values()]
        kinds += [operation.body] if operation.body is not None else []
    _, components = msgspec.json.schema_components(dict.fromkeys(kinds), ref_template=_REF)
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    paths.update({path: _page(*told) for path, *told in _PAGES})
    paths["/metrics"]["get"]["responses"]["503"] = _problems([KINDS["unavailable"]])
    paths["/problems/{type}"] = _problem_page()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": _VERSION,
            "description": "Decides which unit of stock serves which order, never oversold.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.text,
        "operationId": _operation_id(operation),
        "parameters": [*_path_parameters(operation), *map(_parameter, operation.parameters),
                       _parameter(operation.deadline)],
        "responses": _responses(operation),
    }  # fmt: skip
    if operation.method in ("POST", "PUT"):
        described["requestBody"] = _request_body(operation)
    return described


def _operation_id(operation: Operation) -> str:
    words = operation.path.removeprefix("/v1").replace(":", "/").split("/")
    named = [word.strip("{}") if word.startswith("{") else word for word in words if word]
    return "_".join([operation.method.lower(), *named])


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": ID_SCHEMA} for name in names]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.text,
        "schema": parameter.schema,
    }
    if parameter.example is not None:
        described["example"] = parameter.example
    return described


def _request_body(operation: Operation) -> dict[str, Any]:
    kind = operation.body or EmptyBody
    content: dict[str, Any] = {"schema": _reference(kind)}
    if operation.body_example is not None:
        content["example"] = operation.body_example
    media = {"application/json": content}
    if operation.packed:
        media["application/msgpack"] = {"schema": content["schema"]}
    return {"required": operation.body is not None, "content": media}


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, answer in sorted(operation.answers.items()):
        content = {"schema": _reference(answer.kind), "example": answer.example}
        media = {"application/json": content}
        if operation.packed:
            media["application/msgpack"] = {"schema": content["schema"]}
        responses[str(status)] = {"description": answer.text, "content": media}
        if status == HTTPStatus.CREATED:
            responses["201"]["headers"] = {"Location": {"schema": {"type": "string"}}}
    if operation.file is not None:
        file = operation.file
        shown = {file.media: {"schema": {}, "example": file.example}}
        responses["200"] = {"description": file.text, "content": shown}
    names = dict.fromkeys((*operation.problems, "internal"))
    by_status: dict[int, list[Kind]] = {}
    for name in names:
        by_status.setdefault(KINDS[name].status, []).append(KINDS[name])
    for status, kinds in sorted(by_status.items()):
        responses.setdefault(str(status), _problems(kinds))
    return responses


def _problems(kinds: Iterable[Kind]) -> dict[str, Any]:
    kinds = list(kinds)
    content = {
        "schema": _reference(ProblemDetails),
        "examples": {kind.name: {"value": problem_example(kind)} for kind in kinds},
    }
    described: dict[str, Any] = {
        "description": "; ".join(kind.title for kind in kinds),
        "content": {"application/problem+json": content},
    }
    if any("retry_after_ms" in kind.members for kind in kinds):
        described["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return described


def problem_example(kind: Kind) -> dict[str, Any]:
    """A problem of this kind."""
    members = {name: PROBLEM_MEMBERS[name] for name in kind.members}
    return {
        "type": f"/problems/{kind.name}", "title": kind.title, "status": kind.status,
        "detail": kind.title, "retryable": kind.retryable, "outcome": kind.outcome, **members,
    }  # fmt: skip


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _page(text: str, media: str, example: Any) -> dict[str, Any]:
    name = text.lower().replace(" ", "_")
    ok = {"description": text, "content": {media: {"schema": {}, "example": example}}}
    return {"get": {"summary": text, "operationId": name, "responses": {"200": ok,
            "422": _problems([KINDS["invalid-request"]])}}}  # fmt: skip


def _problem_page() -> dict[str, Any]:
    page = _page("What a problem means", "text/html", PAGE)["get"]
    page["parameters"] = [
        {"name": "type", "in": "path", "required": True,
         "schema": {"type": "string", "enum": sorted(KINDS)}}
    ]  # fmt: skip
    page["responses"]["404"] = _problems([KINDS["unknown-route"]])
    return {"get": page}
