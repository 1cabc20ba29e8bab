"""The usual way: FastAPI, pydantic models, one script call a request on a blocking pool.

Run as a child process (``python -m bench.baselines.fastapi_lua SOCKET SHA POOL``); prints
``ready http://127.0.0.1:PORT``. One worker, like the product's one gateway worker.
"""

import socket
import sys
from typing import Annotated, Any, Final

import redis.asyncio
import uvicorn
from fastapi import FastAPI, Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from bench.baselines.store import EVENTS, RESERVATIONS, STOCK

#: Connections of the pool: of 32, 64 and 128 no larger one was faster than 64.
POOL: Final = 64


class Line(BaseModel):
    """One line of an order."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sku: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._:-]{0,63}$")
    quantity: int = Field(ge=1, le=1_000_000)


class Order(BaseModel):
    """A reservation request."""

    model_config = ConfigDict(extra="forbid", strict=True)

    lines: list[Line] = Field(min_length=1, max_length=200)
    hold_seconds: int = Field(default=900, ge=1, le=86_400)


def create_app(path: str, sha: str, pool: int) -> FastAPI:
    """The application over the store at the Unix socket ``path``."""
    app = FastAPI()
    connections = redis.asyncio.BlockingConnectionPool(
        connection_class=redis.asyncio.UnixDomainSocketConnection,
        path=path,
        max_connections=pool,
        timeout=None,
    )
    store = redis.asyncio.Redis(connection_pool=connections)

    @app.post("/v1/reservations", status_code=201)
    async def reserve(
        order: Order, idempotency_key: Annotated[str, Header(max_length=64)]
    ) -> JSONResponse:
        lines = [{"sku": line.sku, "quantity": line.quantity} for line in order.lines]
        wanted = [part for line in order.lines for part in (line.sku, line.quantity)]
        keys = (STOCK, RESERVATIONS, EVENTS)
        text = order.model_dump_json()
        reply: Any = await store.evalsha(sha, 3, *keys, idempotency_key, text, *wanted)
        if reply[0] == 0:
            return JSONResponse({"title": "Not enough stock", "sku": reply[1].decode()}, 409)
        body = {"id": idempotency_key, "status": "held", "lines": lines}
        return JSONResponse(body, 201 if reply[0] == 1 else 200)

    return app


def main() -> None:
    """Serve on a free loopback port until ended."""
    path, sha, pool = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        create_app(path, sha, pool), loop="uvloop", http="httptools", access_log=False,
        log_level="warning", backlog=2048,
    )  # fmt: skip
    sys.stdout.write(f"ready http://127.0.0.1:{sock.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[sock])


if __name__ == "__main__":
    main()
