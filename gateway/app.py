"""The application behind the door: everything that is not a hot route."""

from __future__ import annotations

from fastapi import FastAPI

from gateway.intake import Intake
from gateway.metrics import Metrics


def create_app(client, metrics: Metrics, intake: Intake) -> FastAPI:
    app = FastAPI()

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    return app
