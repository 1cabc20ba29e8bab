"""Files of published problems: read or refused with a reason, solved, judged, compared."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from bench.cli import main
from bench.library import cap, gap
from bench.library.result import Result
from solver.effort import Clock, Effort
from solver.published.warehouse_location import Opened
from solver.published.watched import Watched

#: Published files beside the repository; they are not part of it.
_DATA: Final = Path(__file__).parents[4] / "shared" / "data"

GAP: Final = "2 3\n1 5 4\n3 2 9\n2 2 2\n2 2 2\n4 4\n"  # Items 0 and 2 to agent 0: 7.
CAP: Final = "2 2\n10 100.\n10 0.\n4\n8.5 20\n5\n 30 9.25\n"  # All from the second: 29.25.


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_gap_file_is_solved_and_compared_with_the_table_above_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "set/one", GAP)
    written(tmp_path, "data.csv", "Path,Optimum\nset/one,7\n")
    assert main(["gap", str(path), "--json", "-"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["results"]
    assert (told["objective"], told["published"], told["difference"]) == (7, 7, 0)
    assert told["bound"] <= 7
    assert (told["name"], told["sizes"], told["wrong"]) == ("one", "2 × 3", [])


def test_a_result_worse_than_a_published_one_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "one", GAP)
    written(tmp_path, "data.csv", "Path,Optimum\none,6\n")
    assert main(["gap", str(path)]) == 1
    assert "1.000 above the published optimum" in capsys.readouterr().err


def test_a_file_without_a_table_is_solved_and_its_optimum_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "small.txt", CAP)
    told = tmp_path / "out" / "all.json"
    assert main(["cap", str(path), "--json", str(told)]) == 0
    assert "unknown" in capsys.readouterr().out
    (row,) = json.loads(told.read_text())["results"]
    assert row["objective"] == 29.25
    assert row["published"] is None


def test_a_cap_file_is_changed_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "small.txt", CAP)
    written(tmp_path, "optima.tsv", "small\t29.25\t29.25\nother\t100.0\t101.5\nhalf\t41.9\t41.9\n")
    words = ["cap", str(path), "--capacity", "5", "--fixed-cost", "20", "--name", "half"]
    assert main([*words, "--json", "-"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["results"]
    assert row["name"] == "half"
    assert row["objective"] == pytest.approx(20 + 8.5 + 9.25)
    assert row["published"] == 41.9
    assert cap.published(path, "small") == 29.25
    assert cap.published(path, "other") is None


def test_a_word_for_the_capacity_needs_one(tmp_path: Path) -> None:
    path = written(tmp_path, "capa.txt", CAP.replace("10 ", "capacity "))
    problem = cap.read(path, cap.Changes(capacity=12.0))
    assert problem.capacity.tolist() == [12.0, 12.0]


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("gap", "2", "line 1: the file ends where the number of items should be"),
        ("gap", GAP.replace("9", "-9"), "line 3: the cost of item 2 with agent 1 is '-9'"),
        ("gap", GAP.replace("4 4", "4 4.5"), "line 6: the capacity of agent 1 is '4.5'"),
        ("gap", GAP + "7", "line 7: '7' is one too many"),
        ("gap", GAP.replace("4 4\n", "1 1\n"), "item 0 is too heavy for every agent"),
        ("gap", GAP.replace("1 5", "9999999999999999999999 5"), "line 2: the cost of item 0"),
        ("gap", "0 3", "the number of agents is '0'; give a whole number from 1"),
        ("gap", "é", "give a text file of numbers"),
        ("cap", CAP.replace("9.25", "inf"), "line 7: the cost of customer 1 from warehouse 1"),
        ("cap", CAP.replace("10 ", "capacity "), "line 2: .* give --capacity"),
        ("cap", CAP.replace("10 ", "3 "), "demand is 9 and capacity 6; raise a capacity"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(
    kind: str, text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad"
    path.write_text(text, encoding="utf-8")
    assert main([kind, str(path)]) == 2
    heard = capsys.readouterr().err
    assert str(path) in heard
    assert all(part in heard for part in told.split(" .* "))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gap", "no-such-file"], "no-such-file"),
        (["gap", "{}", "--seconds", "0"], "--seconds: 0; give more than 0"),
        (["cap", "{}", "{}", "--name", "a"], "--name: it names one problem, 2 files"),
        (["cap", "{}", "--fixed-cost", "-1"], "--fixed-cost: -1; give a number above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "file", GAP if words[0] == "gap" else CAP)
    assert main([word.replace("{}", str(path)) for word in words]) == 2
    assert told in capsys.readouterr().err


def test_a_table_that_makes_no_sense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "one", GAP)
    written(tmp_path, "data.csv", "a,b\n1,2\n")
    assert main(["gap", str(path)]) == 2
    assert "no columns Path and Optimum" in capsys.readouterr().err


def test_the_judge_of_assignments_counts_for_itself(tmp_path: Path) -> None:
    problem = gap.read(written(tmp_path, "one", GAP))
    assert gap.judge(problem, [0, 1, 0]) == (7, [])
    assert gap.judge(problem, [0, 0, 0]) == (10, ["agent 0 has 6, his capacity is 4"])
    assert gap.judge(problem, [0, 1])[1] == ["2 items are assigned, there are 3"]
    assert gap.judge(problem, [0, 1, 2])[1] == ["item 2 is with agent 2, who does not exist"]


def test_the_judge_of_warehouses_counts_for_itself(tmp_path: Path) -> None:
    problem = cap.read(written(tmp_path, "one", CAP), cap.Changes())

    def told(opened: list[bool], share: list[list[float]]) -> tuple[float, list[str]]:
        return cap.judge(problem, Opened(np.array(opened), np.array(share), 0.0, 0.0, True))

    assert told([False, True], [[0, 0], [1, 1]]) == (29.25, [])
    assert told([True, True], [[1, 0.5], [0, 0.5]]) == (100 + 8.5 + 15 + 4.625, [])
    assert told([False, True], [[1, 0], [0, 1]])[1] == ["warehouse 0 sends goods and is not open"]
    assert told([False, True], [[0, 0], [1, 0.5]])[1] == [
        "customer 1 is served by 0.5 of his demand"
    ]
    tight = cap.read(tmp_path / "one", cap.Changes(capacity=5.0))
    plan = Opened(np.array([False, True]), np.array([[0.0, 0.0], [1.0, 1.0]]), 0.0, 0.0, True)
    assert cap.judge(tight, plan)[1] == ["warehouse 1 sends 9, it holds 5"]


@pytest.mark.parametrize(
    ("objective", "bound", "published", "told"),
    [
        (10.0, 10.0, 10.0, []),
        (10.0, 9.0, None, []),
        (11.0, 9.0, 10.0, ["1.000 above the published optimum"]),
        (9.0, 9.0, 10.0, ["1.000 below the published optimum: is it this file's?"]),
        (10.0, 11.0, 10.0, ["the bound 11.000 is above 10.000"]),
        (10.0, 11.0, None, ["the bound 11.000 is above 10.000"]),
    ],
)
def test_what_cannot_be_is_said(
    objective: float, bound: float, published: float | None, told: list[str]
) -> None:
    result = Result("f", "f", "1 × 1", objective, bound, False, 1.0, published)
    assert result.wrong == told


def published_file(*names: str) -> Path:
    path = _DATA.joinpath(*names)
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine: it is evaluated with, not shipped")
    return path


@pytest.mark.parametrize("name", ["gap1-0", "gap4-2", "gap8-1", "gap11-2"])
def test_published_assignments_are_solved_to_the_optimum(name: str, solver: Watched) -> None:
    path = published_file("gap", "cattrysse1994", name)
    result = gap.play(path, gap.read(path), Clock(Effort(seconds=20)), solver)
    assert result.published is not None
    assert result.wrong == []
    assert result.proof in ("bound", "solver")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("cap41", cap.Changes()),
        ("cap74", cap.Changes()),
        ("cap71", cap.Changes(capacity=10_000, fixed=17_500, name="cap51")),
        ("cap91", cap.Changes(fixed=17_500, name="cap93")),
        ("cap91", cap.Changes(capacity=58_268, fixed=25_000, name="cap104")),
    ],
)
def test_published_warehouses_are_opened_as_they_should(
    file: str, changes: cap.Changes, solver: Watched
) -> None:
    path = published_file("cap", f"{file}.txt")
    problem = cap.read(path, changes)
    result = cap.play(path, problem, changes, Clock(Effort(seconds=10)), solver)
    assert result.published is not None
    assert result.wrong == []
    assert result.proof in ("bound", "solver")
