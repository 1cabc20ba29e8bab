"""The drop's orders, once it is over, planned together: what sourcing each alone has cost."""

import asyncio
import json
from http import HTTPStatus
from typing import Any, Final

from bench.client import ask, request
from bench.load import Address
from bench.processes import CannotStart
from bench.product import expect
from bench.scenario import Run

#: Of a run's details, the page that the product draws of the wave.
PAGE: Final = "wave_page"
#: How long the plan may take, and how long its orders and moves may take beside.
_PLAN_S: Final = 10
_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.25


async def assign(address: Address, run: Run) -> None:
    """Run a wave and keep what it says. Raises ``CannotStart`` where it fails."""
    body = json.dumps({"max_seconds": _PLAN_S}).encode()
    (wave,) = await expect(address, [request("POST", "/v1/waves", body)])
    async with asyncio.timeout(_PLAN_S + _PATIENCE_S):
        while wave["finished_at"] is None:
            await asyncio.sleep(_PAUSE_S)
            (wave,) = await expect(address, [request("GET", f"/v1/waves/{wave['id']}")])
    if wave["state"] != "done":
        raise CannotStart(f"the wave of the drop's orders failed: {wave['reason']}")
    _keep(wave, run)
    ((status, page),) = await ask(address, [request("GET", f"/v1/waves/{wave['id']}/page")])
    if status != HTTPStatus.OK:
        raise CannotStart(f"the wave's page: {status}")
    run.details[PAGE] = page.decode()


def _keep(wave: dict[str, Any], run: Run) -> None:
    """Money in whole units of it, shares as shares."""
    run.figures["wave_orders"] = wave["orders"]
    run.figures["wave_moved_orders"] = wave["moved"]
    run.figures["wave_refused_moves"] = wave["refused_moves"]
    if wave["gap_share"] is not None:
        run.figures["wave_cost_before"] = wave["cost_cents_before"] / 100
        run.figures["wave_cost_after"] = wave["cost_cents_after"] / 100
        run.figures["wave_bound"] = wave["bound_cents"] / 100
        run.figures["wave_gap_share"] = wave["gap_share"]
