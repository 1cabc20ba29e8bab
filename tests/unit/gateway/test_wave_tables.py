"""Waves as Parquet tables: what is written is read, and what is wrong is named."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from gateway.importing.rows import Unreadable
from gateway.waves.columns import TABLES
from gateway.waves.reading import read_folder
from gateway.waves.tables import write_case
from solver.case import Case
from solver.effort import Effort
from solver.errors import ProblemFault
from solver.solve import solve
from tests.cases import cases, swapped

pa = pytest.importorskip("pyarrow", reason="the parquet extra is not installed")
pq = pytest.importorskip("pyarrow.parquet")
DOCUMENT = Path(__file__).parents[3] / "docs" / "waves.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_case(tmp_path, swapped(), 5.0)
    return tmp_path


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / f"{name}.parquet").to_pylist()
    return found


def rewrite(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the rows of a table that is there."""
    changed = rows(folder, name)
    change(changed)
    pq.write_table(pa.Table.from_pylist(changed), folder / f"{name}.parquet")


def every(folder: Path) -> dict[str, Any]:
    return {name: rows(folder, name) for name in TABLES}


@given(cases())
@settings(deadline=None, max_examples=40)
def test_whatever_is_written_is_read_and_written_alike(case: Case) -> None:
    """Zones that nothing goes to are forgotten; nothing else is."""
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        write_case(Path(first), case, 3.0)
        read = read_folder(Path(first))
        assert read.case is not None
        assert read.case.plan.cost == case.plan.cost
        assert (read.problem.orders.ids, read.seconds) == (case.problem.orders.ids, 3.0)
        write_case(Path(second), read.case, 3.0)
        assert every(Path(first)) == every(Path(second))


@given(cases())
@settings(deadline=None, max_examples=15)
def test_what_is_read_has_the_plan_of_what_was_written(case: Case) -> None:
    with TemporaryDirectory() as folder:
        write_case(Path(folder), case, 3.0)
        here, there = (
            solve(problem, Effort(seconds=5.0))
            for problem in (case.problem, read_folder(Path(folder)).problem)
        )
    assert np.array_equal(here.line_dock, there.line_dock)
    assert here.bound == pytest.approx(there.bound)


def test_tables_are_as_they_are_described(folder: Path) -> None:
    """Columns of the file, of the rows that are read, and of the document are the same."""
    document = DOCUMENT.read_text()
    for name, table in TABLES.items():
        schema = pq.read_schema(folder / f"{name}.parquet")
        fields = [field.name for field in msgspec.structs.fields(table.row)]
        assert schema.names == fields == list(table.columns), name
        for column, meaning in table.columns.items():
            assert schema.field(column).metadata == {b"meaning": meaning.encode()}
            assert f"| `{name}` | `{column}` | {meaning} |" in document, (name, column)


def test_a_folder_without_a_plan_is_a_problem(folder: Path) -> None:
    (folder / "plan.parquet").unlink()
    assert read_folder(folder).case is None


def set_at(row: int, column: str, value: Any) -> Callable[[list[dict[str, Any]]], object]:
    def change(found: list[dict[str, Any]]) -> None:
        found[row][column] = value

    return change


def again(found: list[dict[str, Any]]) -> None:
    found.append(found[0])


WRONG = [
    ("orders", set_at(1, "most_parcels", 4), r"orders.parquet, line 2: .*<= 3.*\$.most_parcels"),
    ("orders", again, r"orders.parquet, line 3: o0 has a row before; leave one .*\$.order"),
    ("lines", set_at(0, "sku", "s9"), r"lines.parquet, line 1: s9 is not in skus.parquet; add"),
    ("lines", set_at(1, "order", "o9"), r"lines.parquet, line 2: o9 is not in orders.parquet"),
    ("lines", set_at(1, "line", 2), r"lines.parquet, line 2: .* give 1 - at `\$.line`"),
    ("lines", lambda found: found.reverse(), r"line 2: its order stands before .* sort them"),
    ("lines", set_at(1, "quantity", 0), r"lines.parquet, line 2: .*>= 1.*\$.quantity"),
    ("nodes", set_at(0, "handling_cents", None), None),
    ("nodes", set_at(0, "handling_cents", -5), r"nodes.parquet, line 1: .*\$.handling_cents"),
    ("nodes", set_at(0, "size", 5), r"nodes.parquet, line 1: .*unknown field `size`"),
    ("lanes", again, r"lanes.parquet, line 5: this pair has a row before; leave one of them out"),
    ("steps", again, r"steps.parquet, line 2: this pair has a row before; leave one of them out"),
    ("steps", set_at(0, "zone", "z9"), r"steps.parquet, line 1: z9 is not in lanes.parquet; add"),
    ("steps", set_at(0, "from_grams", 0), r"steps.parquet, line 1: .*>= 1.*\$.from_grams"),
    ("stock", set_at(0, "node", "n9"), r"stock.parquet, line 1: n9 is not in nodes.parquet; add"),
    ("stock", again, r"stock.parquet, line 3: this pair has a row before"),
    ("weights", again, r"weights.parquet has 2 rows; give one"),
    ("plan", lambda found: found.pop(), r"plan.parquet has 1 rows; give one for each of 2 lines"),
    ("plan", set_at(1, "line", 2), r"plan.parquet, line 2: line 1 of o1 belongs here; keep"),
    ("plan", set_at(0, "node", "n9"), r"plan.parquet, line 1: n9 is not in nodes.parquet"),
    ("skus", lambda found: found.clear(), r"line 1: s0 is not in skus.parquet"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "message"), WRONG)
def test_what_is_wrong_is_named_with_table_row_column_and_remedy(
    folder: Path, name: str, change: Callable[[list[dict[str, Any]]], object], message: str | None
) -> None:
    rewrite(folder, name, change)
    if message is None:  # A column with a default may be empty.
        assert read_folder(folder).problem.network.handling.tolist() == [0, 5]
        return
    with pytest.raises(Unreadable, match=message):
        read_folder(folder)


def test_a_step_needs_its_lane(folder: Path) -> None:
    rewrite(folder, "lanes", lambda found: found.pop())
    with pytest.raises(Unreadable, match=r"steps.parquet, line 1: this pair has no lane; add it"):
        read_folder(folder)


def test_steps_may_be_left_out(folder: Path) -> None:
    (folder / "steps.parquet").unlink()
    assert read_folder(folder).problem.network.lane_steps.shape[2] == 0


def test_a_table_that_is_missing_is_named(folder: Path) -> None:
    (folder / "stock.parquet").unlink()
    with pytest.raises(Unreadable, match=r"stock.parquet cannot be read: .*No such file"):
        read_folder(folder)


def test_without_the_library_its_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for use in (read_folder, lambda folder: write_case(folder, swapped(), 1.0)):
        with pytest.raises(Unreadable, match=r"pip install 'tidegate\[parquet\]'"):
            use(folder)


def test_several_departures_of_a_node_are_refused(tmp_path: Path) -> None:
    case = swapped()
    net = dataclasses.replace(case.problem.network, dock_node=np.array([0, 0]))
    problem = dataclasses.replace(case.problem, network=net)
    with pytest.raises(ProblemFault, match="one departure for each node"):
        write_case(tmp_path, dataclasses.replace(case, problem=problem), 1.0)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unreadable, match=r"orders.parquet cannot be written"):
        write_case(tmp_path / "file" / "folder", swapped(), 1.0)
