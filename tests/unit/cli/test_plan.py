"""`tidegate plan`: what it says from files, and what it sends when it is told to."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from tests.planning_files import sales, write
from tests.unit.cli.scripted import ScriptedGateway

Run = Callable[..., tuple[int, Any, str]]
POSITIONS = (
    {"sku": "cup", "node": "dc", "on_hand": 5, "unit_cents": 300, "pack": 12},
    {"sku": "cup", "node": "shop", "on_hand": 400, "unit_cents": 300, "pack": 12},
    {"sku": "bowl", "node": "dc", "on_hand": 0, "unit_cents": 900, "pack": 1},
)
STOCK = (
    {"sku": "cup", "node": "dc", "on_hand": 0, "margin_cents": 200, "volume_ml": 300},
    {"sku": "cup", "node": "shop", "on_hand": 300, "margin_cents": 200, "volume_ml": 300},
)
LANE = {"from_node": "shop", "to_node": "dc", "transit_days": 1, "unit_cents": 20,
        "truck_cents": 1500, "truck_ml": 50_000}  # fmt: skip


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sales(
        tmp_path_factory.mktemp("sales") / "sales.csv",
        {"cup": 6.0, "bowl": 2.0, "vase": 0.1},
        {"dc": 0.7, "shop": 0.3},
    )


@pytest.fixture
def run(
    sold: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:  # fmt: skip
    def run(what: str, *words: str) -> tuple[int, Any, str]:
        arguments = ["tidegate", "plan", what, "--sales", sold, "--date", "2026-10-20", *words]
        monkeypatch.setattr(sys, "argv", arguments)
        code = main()
        told = capsys.readouterr()
        return code, json.loads(told.out) if "--json" in words and told.out else told.out, told.err

    return run


@pytest.fixture
def positions(tmp_path: Path) -> str:
    return write(tmp_path / "positions.csv", *POSITIONS)


@pytest.fixture
def moved(tmp_path: Path) -> tuple[str, ...]:
    return ("--stock", write(tmp_path / "stock.csv", *STOCK),
            "--lanes", write(tmp_path / "lanes.csv", LANE))  # fmt: skip


def test_a_dry_run_says_what_to_order(run: Run, positions: str) -> None:
    code, told, err = run("replenish", "--positions", positions, "--json")
    assert (code, err) == (0, "")
    assert [step["sku"] for step in told["steps"]] == ["bowl", "cup"]
    bowl, cup = told["steps"]
    assert cup["quantity"] % 12 == 0
    assert cup["cents"] == 300 * cup["quantity"]
    assert bowl["available_on"] == "2026-10-27"
    assert bowl["why"]["daily"] == pytest.approx(1.4, rel=0.2)
    assert bowl["needs_approval"]
    assert told["applied"] is None


def test_parquet_files_are_read_as_well(run: Run, positions: str, sold: str) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import csv, parquet

    as_parquet = Path(sold).with_suffix(".parquet")
    parquet.write_table(csv.read_csv(sold), as_parquet)
    by_csv = run("replenish", "--positions", positions, "--json")[1]
    assert run("replenish", "--positions", positions, "--sales", str(as_parquet), "--json")[1] == (
        by_csv
    )


def test_people_see_a_table(run: Run, positions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, told, _ = run("replenish", "--positions", positions)
    assert code == 0
    assert "needs approval" in told


def test_a_backtest_says_how_far_forecasts_were_off(run: Run, positions: str) -> None:
    naive, ours = run("replenish", "--positions", positions, "--backtest", "--json")[1]["forecast"]
    assert (naive["forecast"], ours["forecast"]) == ("seasonal naive", "ours")
    assert ours["mase"] < naive["mase"]
    assert "MASE" in run("replenish", "--positions", positions, "--backtest")[1]


def test_regions_are_served_by_the_nodes_that_a_file_says(
    run: Run, positions: str, tmp_path: Path
) -> None:
    serves = write(tmp_path / "serves.csv", {"region": "shop", "node": "dc", "channel": ""})
    _, told, _ = run("replenish", "--positions", positions, "--serves", serves, "--json")
    assert told["steps"][0]["why"]["daily"] == pytest.approx(2.0, rel=0.2)


def test_costs_of_a_shortage_replace_the_service(run: Run, tmp_path: Path) -> None:
    def up_to(**more: Any) -> int:
        path = write(tmp_path / "some.csv", POSITIONS[0] | more)
        return int(run("replenish", "--positions", path, "--json")[1]["steps"][0]["why"]["up_to"])

    by_costs = up_to(shortage_cents=95, holding_cents=5)
    assert by_costs == up_to(service=0.95) > up_to(service=0.6)
    assert up_to(shortage_cents=1, holding_cents=9) == up_to(service=0.5)


def test_what_is_within_the_limit_is_placed_once(
    run: Run, positions: str, gateway: ScriptedGateway
) -> None:
    """The limit lets the cups through, the bowls wait; the repeat sends the very same bytes."""
    words = ("--positions", positions, "--limit", "22000", "--apply", gateway.url, "--json")
    code, told, err = run("replenish", *words)
    bowl, cup = told["steps"]
    within = [step["id"] for step in told["steps"] if not step["needs_approval"]]
    assert 0 < len(within) < 2
    assert code == 1
    assert "--approve ID" in err
    assert told["applied"] == {
        "done": within, "waiting": [one["id"] for one in (bowl, cup) if one["needs_approval"]],
        "refused": {},
    }  # fmt: skip
    first = [asked for asked in gateway.asked if asked[0] == "POST"]
    gateway.asked.clear()
    run("replenish", *words)
    assert [asked for asked in gateway.asked if asked[0] == "POST"] == first
    assert first[0][1] == "/v1/supplies"
    assert first[0][2]["available_at"] == "2026-10-27T00:00:00Z"


def test_a_person_lets_a_step_through_by_its_id(
    run: Run, positions: str, gateway: ScriptedGateway
) -> None:
    _, dry, _ = run("replenish", "--positions", positions, "--json")
    ids = [step["id"] for step in dry["steps"]]
    approve = [word for name in ids for word in ("--approve", name)]
    code, told, _ = run(
        "replenish", "--positions", positions, "--apply", gateway.url, *approve, "--json"
    )
    assert code == 0
    assert told["applied"]["done"] == ids


def test_an_approval_of_something_else_is_refused(
    run: Run, positions: str, gateway: ScriptedGateway
) -> None:
    code, _, err = run(
        "replenish", "--positions", positions, "--apply", gateway.url, "--approve", "x"
    )
    assert code == 2
    assert "no step of this plan has that id" in err
    assert gateway.asked == []


def test_one_refusal_does_not_stop_the_others(
    run: Run, positions: str, gateway: ScriptedGateway
) -> None:
    def script(method: str, _path: str, body: Any) -> tuple[int, Any]:
        if method == "POST" and body["sku"] == "bowl":
            return 409, {"title": "Key reused", "detail": "another quantity", "retryable": False}
        return 200, {}

    gateway.script = script
    words = ("--positions", positions, "--limit", "9000000", "--apply", gateway.url, "--json")
    code, told, err = run("replenish", *words)
    assert code == 1
    assert "another quantity" in err
    assert len(told["applied"]["done"]) == len(told["applied"]["refused"]) == 1


def test_no_gateway_is_said(run: Run, positions: str, unused_url: str) -> None:
    code, _, err = run("replenish", "--positions", positions, "--apply", unused_url)
    assert code == 3
    assert "no gateway answers" in err


def test_a_dry_run_says_what_to_move(run: Run, moved: tuple[str, ...]) -> None:
    code, told, _ = run("rebalance", *moved, "--limit", "100000", "--json")
    (step,) = told["steps"]
    assert code == 0
    assert (step["from_node"], step["node"]) == ("shop", "dc")
    assert 60 < step["quantity"] < 160
    assert step["cents"] == 1500 + 20 * step["quantity"]
    assert told["gain_cents"] > 0
    assert not step["needs_approval"]


def test_a_lane_beyond_the_limit_waits_as_a_whole(
    run: Run, moved: tuple[str, ...], gateway: ScriptedGateway
) -> None:
    code, told, _ = run("rebalance", *moved, "--limit", "1600", "--apply", gateway.url, "--json")
    assert code == 1
    assert told["applied"]["done"] == []
    assert not [asked for asked in gateway.asked if asked[0] == "POST"]


def test_a_transfer_is_sent_as_one(
    run: Run, moved: tuple[str, ...], gateway: ScriptedGateway
) -> None:
    assert run("rebalance", *moved, "--limit", "100000", "--apply", gateway.url)[0] == 0
    (method, path, body) = gateway.asked[-1]
    assert (method, path) == ("POST", "/v1/transfers")
    assert (body["from_node"], body["to_node"]) == ("shop", "dc")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"on_hand": -1}, r"line 2: .*on_hand"),
        ({"unit_cents": "dear"}, r"line 2: .*unit_cents"),
        ({"colour": "red"}, r"line 2: .*unknown field `colour`"),
        ({"node": "a b"}, r"line 2: node: 1-64"),
        ({"shortage_cents": 1, "holding_cents": 0}, "holding_cents of cup at dc: above 0"),
    ],
)
def test_a_wrong_row_is_named(run: Run, tmp_path: Path, row: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "wrong.csv", POSITIONS[0] | row)
    code, _, err = run("replenish", "--positions", path)
    assert code == 2
    assert re.search(message, err)


def test_what_stands_twice_or_leads_nowhere_is_named(
    run: Run, moved: tuple[str, ...], tmp_path: Path
) -> None:
    twice = write(tmp_path / "twice.csv", STOCK[0], STOCK[0])
    assert "stands twice" in run("rebalance", "--stock", twice, *moved[2:])[2]
    away = write(tmp_path / "away.csv", LANE | {"to_node": "moon"})
    assert "moon has no stock" in run("rebalance", *moved[:2], "--lanes", away)[2]
    assert "give YYYY-MM-DD" in run("rebalance", *moved, "--date", "tomorrow")[2]
