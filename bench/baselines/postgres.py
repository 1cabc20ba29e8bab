"""A row update and an insert per reservation, in one transaction, fsync on, 32 connections.

Both run as one statement: one round trip is the fastest a transaction can be. Skipped with a
reason where no server is installed.
"""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

import asyncpg

from bench.processes import CannotStart, Child

CONNECTIONS: Final = 32
#: Where Debian, Red Hat and Homebrew put the server's programs.
_FOLDERS: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgres*/bin",
)

_TABLES: Final = """
create table stock (
    sku int primary key, free bigint not null check (free >= 0)
) with (fillfactor = 50);
create table reservation (
    key text primary key, sku int not null, units int not null,
    held_at timestamptz not null default now()
);
"""
_RESERVE: Final = """
with taken as (update stock set free = free - 1 where sku = $2 and free >= 1 returning sku)
insert into reservation (key, sku, units) select $1, sku, 1 from taken
"""


def programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, the newest version; None if not installed."""
    found = [path for pattern in _FOLDERS for path in Path("/").glob(pattern[1:])]
    on_path = shutil.which("initdb")
    found += [Path(on_path).resolve().parent] if on_path else []
    whole = [path for path in found if (path / "initdb").exists() and (path / "postgres").exists()]
    return max(whole, default=None)


def skip_reason() -> str | None:
    """Why it cannot be measured here; None if it can."""
    if programs() is None:
        return "no PostgreSQL server is installed"
    if os.geteuid() == 0 and _server_user() is None:
        return "PostgreSQL refuses to run as root and there is no user postgres or nobody"
    return None


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """A fresh server in a directory of its own. → the directory of its socket."""
    folder, user = tempfile.mkdtemp(prefix="bench-pg-"), _server_user()
    bin_folder = programs()
    assert bin_folder is not None
    if user:
        shutil.chown(folder, user, user)
    init = [str(bin_folder / "initdb"), "-D", f"{folder}/d", "-A", "trust", "-U", "bench"]
    done = await asyncio.to_thread(
        subprocess.run, init, capture_output=True, text=True, check=False, cwd="/",
        user=user, group=user, extra_groups=[] if user else None,
    )  # fmt: skip
    if done.returncode:
        raise CannotStart(f"initdb: {done.stderr.strip()}")
    settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "on",
                "synchronous_commit": "on", "max_connections": CONNECTIONS + 8,
                "shared_buffers": "256MB"}  # fmt: skip
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with Child([str(bin_folder / "postgres"), "-D", f"{folder}/d", *options], user=user) as child:
        try:
            await _wait(folder, child)
            yield folder
        finally:
            child.stop()
            shutil.rmtree(folder, ignore_errors=True)


async def rate_per_s(folder: str, sku_count: int, seconds: float) -> float:
    """Committed reservations a second over ``sku_count`` rows (1: one hot row)."""
    pool = await asyncpg.create_pool(
        host=folder, user="bench", database="postgres", min_size=CONNECTIONS, max_size=CONNECTIONS
    )
    async with pool:
        await pool.execute("drop table if exists stock, reservation")
        await pool.execute(_TABLES)
        await pool.execute(
            "insert into stock select i, 1000000000 from generate_series(0, $1::int - 1) i",
            sku_count,
        )
        held, warmup_s = [0] * CONNECTIONS, min(0.5, seconds / 4)
        ends = perf_counter() + warmup_s + seconds
        buyers = asyncio.gather(
            *(_buy(pool, held, at, sku_count, ends) for at in range(CONNECTIONS))
        )
        await asyncio.sleep(warmup_s)
        begins, before = perf_counter(), sum(held)
        await asyncio.sleep(ends - perf_counter())
        rate = (sum(held) - before) / (perf_counter() - begins)
        await buyers
        return rate


async def _buy(pool: asyncpg.Pool, held: list[int], at: int, sku_count: int, ends: float) -> None:
    """One connection's share."""
    async with pool.acquire() as connection:
        statement = await connection.prepare(_RESERVE)
        while perf_counter() < ends:
            number = held[at]
            await statement.fetch(f"{at:04d}{number:012d}", (number * CONNECTIONS + at) % sku_count)
            held[at] += 1


def _server_user() -> str | None:
    """Whom to become: the server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return None


async def _wait(folder: str, child: Child) -> None:
    """Wait until its socket is there and it answers, at most ten seconds."""
    deadline = perf_counter() + 10
    while True:
        try:
            connection = await asyncpg.connect(host=folder, user="bench", database="postgres")
        except (OSError, asyncpg.PostgresError):
            if perf_counter() > deadline or child.process.poll() is not None:
                raise CannotStart(f"postgres does not start\n{child.tail()}") from None
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return
