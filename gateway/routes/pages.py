"""Pages for people: the API and its problems. They load nothing, from here or elsewhere."""

from functools import cache
from html import escape
from typing import Final

from fastapi import Response

from gateway import answers
from gateway.cold import Ask
from gateway.contract import OPERATIONS, Operation
from gateway.openapi import document, problem_example
from gateway.problems import KINDS, Kind, Refused, problem

_STYLE: Final = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:54rem;margin:2rem
auto;padding:0 1rem}code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#8881;padding:
.8rem;overflow:auto;border-radius:4px}h2{margin-top:2.2rem;border-top:1px solid #8885;
padding-top:1rem}table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;
vertical-align:top}summary{cursor:pointer}
"""
#: A page loads nothing and runs nothing.
POLICY: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


async def openapi(ask: Ask) -> Response:
    """GET /openapi.json"""
    ask.query()
    return ask.answer(document())


async def docs(ask: Ask) -> Response:
    """GET /docs"""
    ask.query()
    return Response(_docs(), headers=POLICY, media_type="text/html")


async def problem_page(ask: Ask) -> Response:
    """GET /problems/{type}"""
    ask.query()
    kind = KINDS.get(ask.request.path_params["type"])
    if kind is None:
        raise Refused(problem("unknown-route", "there is no such type of problem"))
    return Response(_problem(kind), headers=POLICY, media_type="text/html")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>"
    )


def _json(value: object) -> str:
    return f"<pre>{escape(answers.to_json(value).decode())}</pre>"


def _problem(kind: Kind) -> str:
    rows = (
        ("Status", str(kind.status)),
        ("The same request again may help", "yes" if kind.retryable else "no"),
        ("What was done", kind.outcome),
        ("Further members", ", ".join(kind.members) or "none"),
    )
    table = "".join(f"<tr><th>{escape(n)}</th><td>{escape(v)}</td></tr>" for n, v in rows)
    return _page(kind.title, (
        f"<h1>{escape(kind.title)}</h1><p><code>{kind.name}</code></p><p>{escape(kind.help)}</p>"
        f'<table>{table}</table>{_json(problem_example(kind))}<p><a href="/docs">The API</a></p>'
    ))  # fmt: skip


@cache
def _docs() -> str:
    head = (
        "<h1>Tidegate</h1><p>Everything here stands in <a href='/openapi.json'>/openapi.json</a> "
        "for programs.</p>"
    )
    problems = "".join(
        f'<tr><td><a href="/problems/{kind.name}"><code>{kind.name}</code></a></td>'
        f"<td>{kind.status}</td><td>{escape(kind.title)}</td></tr>"
        for kind in KINDS.values()
    )
    operations = "".join(map(_operation, OPERATIONS))
    return _page("Tidegate API", f"{head}{operations}<h2>Problems</h2><table>{problems}</table>")


def _operation(operation: Operation) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(each.name)}</code></td><td>{each.where}"
        f"{', required' if each.required else ''}</td><td>{escape(each.text)}</td></tr>"
        for each in operation.parameters
    )
    sent = f"<p>Body</p>{_json(operation.body_example)}" if operation.body_example else ""
    told = "".join(
        f"<details><summary>{status} {escape(answer.text)}</summary>{_json(answer.example)}"
        "</details>"
        for status, answer in sorted(operation.answers.items())
    )
    if operation.file is not None:
        told += f"<p>200 {escape(operation.file.text)}: {escape(operation.file.media)}</p>"
    links = ", ".join(f'<a href="/problems/{name}">{name}</a>' for name in operation.problems)
    return (
        f"<h2><code>{operation.method} {escape(operation.path)}</code></h2>"
        f"<p>{escape(operation.text)}</p><table>{parameters}</table>{sent}{told}"
        f"<p>Problems: {links}</p>"
    )
