"""Waves to look at and to take away: a page for people, problem and plan as a file."""

import asyncio
from typing import Any

from fastapi import Response

from gateway.cold import Ask
from gateway.problems import Refused, problem
from gateway.routes.pages import POLICY
from gateway.routes.waves import ask_desk, shown, unknown_wave


async def _file(ask: Ask, name: str) -> tuple[dict[str, Any], bytes | None]:
    """The wave as callers see it, and its file, piece by piece; None where no plan is kept."""
    data = b""
    while True:
        told = await ask_desk(ask, "file", name=name, after=len(data))
        if told["wave"] is None:
            raise unknown_wave(name)
        data += told["piece"]
        if told["size"] is None or len(data) >= told["size"]:
            return shown(told["wave"]), None if told["size"] is None else data


async def page(ask: Ask) -> Response:
    """GET /v1/waves/{id}/page"""
    ask.query()
    wave, file = await _file(ask, ask.path_id("id"))
    # It sums up a hundred thousand lines: buyers must not wait for that.
    text = await asyncio.to_thread(_page, wave, file)
    return Response(text, headers=POLICY, media_type="text/html")


def _page(wave: dict[str, Any], file: bytes | None) -> str:
    # Arrays cost a worker's start and memory: only who asks for a page pays for them.
    from gateway.waves.page import page_of
    from solver.saved import unpack_case

    return page_of(wave, None if file is None else unpack_case(file))


async def get_problem(ask: Ask) -> Response:
    """GET /v1/waves/{id}/problem"""
    ask.query()
    name = ask.path_id("id")
    wave, file = await _file(ask, name)
    if file is None:
        detail = f"the wave is {wave['state']} and no plan of it is kept: of the last three only"
        raise Refused(problem("unknown-wave", detail, id=name))
    headers = {"Content-Disposition": f'attachment; filename="{name.replace(":", "_")}.npz"'}
    return Response(file, headers=headers, media_type="application/octet-stream")
