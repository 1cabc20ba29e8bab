"""The application behind the door: everything that is not a hot route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from gateway.cold import Ask, Gateway, Handler, handled, refusal
from gateway.contract import OPERATIONS
from gateway.openapi import document
from gateway.problems import problem
from gateway.routes import (
    bundles,
    campaigns,
    changes,
    events,
    network,
    nodes,
    operations,
    pages,
    prices,
    promise,
    quotas,
    reservations,
    skus,
    stock,
    supplies,
    waiting,
    wave_files,
    waves,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_HANDLERS: Final[Mapping[tuple[str, str], Handler]] = {
    ("GET", "/v1/reservations"): reservations.find_reservation,
    ("GET", "/v1/reservations/{id}"): reservations.get_reservation,
    ("POST", "/v1/reservations/{id}/extend"): reservations.extend,
    ("POST", "/v1/reservations/{id}/cancel"): reservations.cancel,
    ("PUT", "/v1/nodes/{node}"): nodes.put_node,
    ("GET", "/v1/nodes"): nodes.get_nodes,
    ("PUT", "/v1/skus/{sku}"): skus.put_sku,
    ("GET", "/v1/skus/{sku}"): skus.get_sku,
    ("POST", "/v1/stock/adjustments"): stock.adjust,
    ("POST", "/v1/stock/moves"): stock.move,
    ("GET", "/v1/stock/{sku}"): stock.get_stock,
    ("PUT", "/v1/bundles/{sku}"): bundles.put_bundle,
    ("GET", "/v1/bundles"): bundles.get_bundles,
    ("PUT", "/v1/lanes"): network.put_lanes,
    ("GET", "/v1/lanes"): network.get_lanes,
    ("PUT", "/v1/pools/{pool}"): network.put_pool,
    ("GET", "/v1/pools"): network.get_pools,
    ("PUT", "/v1/channels/{channel}"): network.put_channel,
    ("GET", "/v1/channels"): network.get_channels,
    ("POST", "/v1/promise"): promise.promise,
    ("POST", "/v1/supplies"): supplies.open_supply,
    ("POST", "/v1/transfers"): supplies.open_transfer,
    ("GET", "/v1/supplies/{id}"): supplies.get_supply,
    ("POST", "/v1/supplies/{id}/receive"): supplies.receive,
    ("POST", "/v1/supplies/{id}/delay"): supplies.delay,
    ("POST", "/v1/supplies/{id}/cancel"): supplies.cancel,
    ("GET", "/v1/shortfalls"): supplies.get_shortfalls,
    ("POST", "/v1/waiting"): waiting.join,
    ("GET", "/v1/waiting/{id}"): waiting.get_entry,
    ("DELETE", "/v1/waiting/{id}"): waiting.leave,
    ("PUT", "/v1/quotas/{sku}/{channel}"): quotas.put_quota,
    ("GET", "/v1/quotas/{sku}"): quotas.get_quotas,
    ("POST", "/v1/quotas/{sku}/{channel}/borrow"): quotas.borrow,
    ("PUT", "/v1/campaigns/{id}"): campaigns.put_campaign,
    ("GET", "/v1/campaigns"): campaigns.get_campaigns,
    ("GET", "/v1/campaigns/{id}"): campaigns.get_campaign,
    ("POST", "/v1/campaigns/{id}/preview"): campaigns.preview,
    ("POST", "/v1/campaigns/{id}/open"): campaigns.open_campaign,
    ("POST", "/v1/campaigns/{id}/close"): campaigns.close_campaign,
    ("GET", "/v1/campaigns/{id}/report"): campaigns.report,
    ("POST", "/v1/waves"): waves.begin,
    ("GET", "/v1/waves"): waves.list_waves,
    ("GET", "/v1/waves/{id}"): waves.get_wave,
    ("POST", "/v1/waves/{id}/cancel"): waves.cancel,
    ("GET", "/v1/waves/{id}/orders/{reservation}"): waves.get_order,
    ("GET", "/v1/waves/{id}/page"): wave_files.page,
    ("GET", "/v1/waves/{id}/problem"): wave_files.get_problem,
    ("POST", "/v1/prices"): prices.find,
    ("GET", "/v1/prices"): prices.get_prices,
    ("DELETE", "/v1/prices"): prices.clear,
    ("GET", "/v1/prices/{sku}"): prices.get_of_sku,
    ("GET", "/v1/availability/changes"): changes.get_changes,
    ("GET", "/v1/events"): events.get_events,
    ("GET", "/v1/shards"): operations.shards,
    ("POST", "/v1/audit"): operations.audit,
    ("GET", "/healthz"): operations.healthz,
    ("GET", "/readyz"): operations.readyz,
    ("GET", "/metrics"): operations.metrics,
    ("GET", "/openapi.json"): pages.openapi,
    ("GET", "/docs"): pages.docs,
    ("GET", "/problems/{type}"): pages.problem_page,
}


class Path:
    """All methods of one path, those of hot routes named in Allow."""

    def __init__(self, gateway: Gateway, path: str, handlers: Mapping[str, Handler]) -> None:
        self._gateway = gateway
        self._path = path
        self._handlers = handlers
        hot = {op.method for op in OPERATIONS if op.hot and op.path == path}
        self._allow = ", ".join(sorted(hot | handlers.keys()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        handler = self._handlers.get(request.method, self._refuse)
        response = await handled(self._gateway, self._path, handler, request)
        await response(scope, receive, send)

    async def _refuse(self, ask: Ask) -> Response:
        detail = f"{ask.request.method} is none of {self._allow}"
        response = refusal(problem("method-not-allowed", detail))
        response.headers["Allow"] = self._allow
        return response


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The description that our own table gives; FastAPI knows nothing of the hot routes."""
        return document()


def create_app(gateway: Gateway) -> FastAPI:
    """The application for one worker."""
    app = _App(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    by_path: dict[str, dict[str, Handler]] = {op.path: {} for op in OPERATIONS}
    for (method, path), handler in _HANDLERS.items():
        by_path.setdefault(path, {})[method] = handler
    for path, handlers in by_path.items():
        app.router.routes.append(Route(path, Path(gateway, path, handlers)))

    async def unknown(request: Request, error: Exception) -> Response:
        gateway.metrics.requests["unknown", 404] += 1
        return refusal(problem("unknown-route", "there is nothing at this path"))

    app.add_exception_handler(HTTPException, unknown)
    return app
