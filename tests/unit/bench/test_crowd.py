"""Recovery: what does not come back after it was measured is a finding, never a failed start."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench import crowd, tree
from bench.catalogue import RECOVERY
from bench.orders import Demand
from bench.processes import module
from bench.product import Setup
from bench.scenario import Options, Run

SHOP = module("tests.unit.bench.shop")
#: Forgets everything when it ends, as no product may.
FORGETFUL = [SHOP, SHOP]
ENDS_AT_ONCE = [SHOP, [sys.executable, "-c", ""]]


def _play(commands: Iterator[list[str]], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Play it against other programs than ``tidegate up``, with 1,000 reservations."""
    monkeypatch.setattr(crowd, "_PROBES_S", 0.5)
    monkeypatch.setattr(Setup, "arguments", lambda *_: next(commands))
    demand = Demand(sku_count=20, hot_share=0.5)
    scenario = replace(RECOVERY, demand=demand)
    return asyncio.run(crowd.play_recovery(scenario, Options(count=1_000)))


def test_hosts_that_are_gone_are_a_finding_and_the_restart_is_audited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tree, "hosts", lambda _: [])
    run = _play(iter(FORGETFUL), monkeypatch)
    assert run.findings[0] == "there was no shard host any more before killing one host"
    assert run.figures["rate_filling_per_s"] > 0
    assert "restart_ready_s" in run.figures
    assert "after a restart" in run.findings[1]  # Its stock is gone too.
    assert run.audit is not None
    assert not run.audit.clean


def test_a_product_that_does_not_start_again_is_a_finding_without_an_audit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tree, "hosts", lambda _: [])
    run = _play(iter(ENDS_AT_ONCE), monkeypatch)
    assert any("not ready" in finding for finding in run.findings)
    assert run.audit is not None
    assert run.audit.findings == ["no audit: it did not start again"]


def test_a_host_that_is_not_replaced_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = iter([[10**9, 10**9 + 1]])
    monkeypatch.setattr(tree, "hosts", lambda _: next(hosts, [10**9]))  # No such process.
    monkeypatch.setattr(crowd, "_REPLACED_S", 0.1)
    run = _play(iter(FORGETFUL), monkeypatch)
    assert run.findings[0] == "a killed host was not replaced within 0.1 s"
    assert run.figures["one_host_s"] < 5
    assert "all_hosts_s" not in run.figures
