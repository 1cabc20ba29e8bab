"""Reports and the audit over all shards, gathered from their hosts."""

import asyncio
from functools import partial
from typing import Any, Final, NamedTuple

from actors import pairs, repairs, reused
from actors.feed import Hosts
from actors.lane import LineLost
from engine.limits import DEADLINE_MS_DEFAULT

_TRIES: Final = 40
_PAUSE_S: Final = 0.05
#: Half the time a caller gives an answer: a host that does not say is shown so, in time.
_REPORT_S: Final = DEADLINE_MS_DEFAULT / 2000
#: A shard's books may hold millions of records.
_AUDIT_S: Final = 300.0


class Audit(NamedTuple):
    """What the owners' books and the store say, compared."""

    clean: bool
    shards: list[dict[str, Any]]
    findings: list[dict[str, Any]]


async def reports(client: Hosts) -> list[dict[str, Any]]:
    """One report a shard, by shard; a shard without a serving owner says so."""
    hosts = sorted({owner for owner in client.map.owners if owner})
    told = await asyncio.gather(
        *(client.control(host, {"m": "report"}, _REPORT_S) for host in hosts),
        return_exceptions=True,
    )
    by_shard: dict[int, dict[str, Any]] = {}
    for report in told:
        if isinstance(report, dict):
            by_shard.update({shard["shard"]: shard for shard in report["shards"]})
            by_shard.update(
                {n: _idle(n, report["host"], "recovering") for n in report["recovering"]}
            )
        elif not isinstance(report, LineLost):
            raise report
    return [
        by_shard.get(shard) or _idle(shard, owner, "recovering" if owner else "unowned")
        for shard, owner in enumerate(client.map.owners)
    ]


def _idle(shard: int, owner: str | None, state: str) -> dict[str, Any]:
    return {
        "shard": shard, "owner": owner, "state": state, "epoch": 0, "seq": 0,
        "open_reservations": 0, "queue": 0, "batch_size": {"p50": 0, "p99": 0},
        "queue_ms_p99": 0.0, "decide_ms_p99": 0.0, "commit_ms_p99": 0.0, "sweep_lag_ms": 0,
        "serving": False, "oversold_units": 0, "oversell_alarms": 0, "stopped_skus": 0,
    }  # fmt: skip


async def run(client: Hosts, *, events: bool = False) -> Audit:
    """Compare every owner's books with the store, and keys and pieces of all shards.

    ``events``: rebuild the stock from the event streams too, which takes as long as these are;
    each shard's ``rebuilt`` says from what, see ``rebuilding.rebuild``.
    Raises ``LineLost`` while a shard has no owner.
    """
    ask = partial(_ask_owner, client)
    shards: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    rebuilt: dict[int, dict[str, Any]] = {}
    keys_count = 0
    for shard in range(len(client.map.owners)):
        told = await ask(shard, {"m": "audit"})
        shards.append({**told["shard"], "rebuilt": None})
        findings += told["findings"]
        keys_count += told["keys_count"]
        if events:
            told = rebuilt[shard] = await ask(shard, _rebuild(told["findings"]))
            shards[-1]["rebuilt"] = {
                name: told[name] for name in ("source", "base_seq", "since_ms")
            }
            findings += repairs.of_events(shard, told)
    findings += await reused.find(ask, client.shards, keys_count)
    findings += await pairs.find(ask, client.shards)
    repairs.explain(findings, rebuilt)
    return Audit(not findings, shards, findings)


def _rebuild(findings: list[dict[str, Any]]) -> dict[str, Any]:
    """The question for what the events say of a shard, and of what was found there already."""
    backings = {f"{at['sku']}|{at['node']}" for at in findings if at["sku"] is not None}
    records = {at["reservation"] for at in findings if at["reservation"] is not None}
    return {"m": "rebuild", "backings": sorted(backings), "records": sorted(records)}


async def _ask_owner(client: Hosts, shard: int, question: dict[str, Any]) -> dict[str, Any]:
    """What the owner says; a shard on its way to another one is asked for again a while."""
    for _ in range(_TRIES):
        owner = client.map.owners[shard]
        if owner is not None:
            told: dict[str, Any] = await client.control(
                owner, {**question, "shard": shard}, _AUDIT_S
            )
            if told:
                return told
        await asyncio.sleep(_PAUSE_S)
    raise LineLost(f"shard {shard} has no owner")
