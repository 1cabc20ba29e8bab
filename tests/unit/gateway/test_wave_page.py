"""A planned wave summed up and drawn: figures that add up, a page that is well-formed."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings

from gateway.contract.waves import WAVES
from gateway.waves.map import drawn
from gateway.waves.page import page_of
from gateway.waves.summary import Binding, Flow, Load, summary_of
from solver.case import Case
from solver.errors import ProblemFault
from solver.plan import cost_of
from solver.problem import NOWHERE
from solver.saved import pack_case, unpack_case
from tests.cases import cases, swapped

WAVE: dict[str, Any] = dict(WAVES[0].answers[202].example)


def load(node: str, latitude: float | None, longitude: float | None, parcels: int = 1) -> Load:
    return Load(node, latitude, longitude, (1, 1), (1, parcels), 4)


def test_a_summary_by_hand() -> None:
    told = summary_of(swapped())
    assert told.flows == [Flow("n1", "n0", 2, 1), Flow("n0", "n1", 1, 1)]
    # Fixed, ten cents a kilogram of which a unit has half, five cents for a unit of n1.
    before, after = told.cost
    assert (before.lane, before.weight, before.handling, before.total) == (1_000, 15, 10, 1_025)
    assert (after.lane, after.weight, after.handling, after.total) == (230, 15, 5, 250)
    assert [(one.units, one.parcels, one.capacity) for one in told.loads] == [
        ((1, 2), (1, 1), 1),
        ((2, 1), (1, 1), 50),
    ]
    # The first order costs 140 at n1 and would 105 at n0, whose two units the second has.
    assert told.binding == [Binding("s0", "n0", 1, 35)]


@given(cases())
@settings(deadline=None)
def test_whatever_the_plan_a_summary_adds_up(case: Case) -> None:
    told = summary_of(case)
    problem, line_dock = case.problem, case.plan.line_dock
    served = line_dock != NOWHERE
    assert told.cost[1] == cost_of(problem, line_dock)
    placed = case.origin != NOWHERE
    assert sum(one.units[0] for one in told.loads) == problem.orders.quantity[placed].sum()
    assert sum(one.units[1] for one in told.loads) == problem.orders.quantity[served].sum()
    assert sum(one.parcels[1] for one in told.loads) == case.plan.parcels
    moved = served & placed & (line_dock != case.origin)
    assert sum(flow.units for flow in told.flows) == problem.orders.quantity[moved].sum()
    for flow in told.flows:
        assert flow.origin != flow.to
        assert 1 <= flow.orders <= flow.units
    assert all(one.cents > 0 and one.lines > 0 for one in told.binding)


@given(cases())
@settings(deadline=None)
def test_a_case_travels_as_it_is(case: Case) -> None:
    again = unpack_case(pack_case(case))
    assert pack_case(again) == pack_case(case)
    assert again.problem.orders.ids == case.problem.orders.ids
    assert again.plan.cost == case.plan.cost
    assert np.array_equal(again.latitude, case.latitude, equal_nan=True)


@pytest.mark.parametrize("data", [b"", b"no archive", pack_case(swapped())[:200]])
def test_bytes_that_are_no_case_are_refused(data: bytes) -> None:
    with pytest.raises(ProblemFault, match="export it again"):
        unpack_case(data)


def well_formed(page: str) -> ET.Element:
    """The page as a tree: what it opens it closes."""
    text = page.replace("<!doctype html>", "").replace('<meta charset="utf-8">', "")
    return ET.fromstring(re.sub(r"<meta [^>]*>", "", text))


@given(cases())
@settings(deadline=None, max_examples=25)
def test_every_page_is_well_formed_and_needs_nothing_else(case: Case) -> None:
    page = page_of(WAVE, case)
    well_formed(page)
    assert not re.search(r"<script|<link|<img|@import|url\(|src=", page)


def test_a_page_has_each_part() -> None:
    steps = [
        {"seconds": at / 10, "stage": "prices", "cost_cents": 900 - at, "bound_cents": 850}
        for at in range(3)
    ]
    page = page_of({**WAVE, "steps": steps}, swapped())
    for part in ("Parts of the cost", "n1 → n0", "Where orders leave from", "stock of s0",
                 "above the bound", "8,412.20 instead of 9,120.33"):  # fmt: skip
        assert part in page, part
    assert page.count("<svg") == 4


def test_names_are_escaped() -> None:
    wave = {**WAVE, "state": "failed", "reason": "<b>&"}
    assert "&lt;b&gt;&amp;" in page_of(wave, None)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"state": "solving", "finished_at": None}, "There is no plan yet"),
        ({"orders": 0}, "There was no order to plan"),
        ({"closed_nodes": ["n1"], "days_faster": 2}, "n1 closed, 2 days faster"),
        ({"capacity_percent": {"n1": 120}}, "capacity in percent: n1 120"),
        ({"capacity_percent": 80}, "capacity in percent: 80"),
        ({}, "the last three waves are kept"),
        ({"state": "failed", "reason": "cancelled"}, "It failed: cancelled."),
    ],
)
def test_a_wave_without_a_plan_has_a_page_too(changed: dict[str, Any], said: str) -> None:
    page = page_of({**WAVE, **changed}, None)
    well_formed(page)
    assert said in page


def test_a_map_needs_two_nodes_that_say_where_they_lie() -> None:
    known, unknown = load("a", 50.0, 1.0), load("b", None, None)
    assert drawn([known, unknown], []) == ""
    picture = ET.fromstring(drawn([known, load("c", 51.0, 1.0)], [Flow("a", "c", 5, 2)]))
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert "a to c: 5 units of 2 orders" in titles


def centres(picture: str) -> list[tuple[float, float]]:
    found = re.findall(r'cx="([-0-9.]+)" cy="([-0-9.]+)"', picture)
    return [(float(x), float(y)) for x, y in found]


def test_the_world_is_cut_where_nothing_lies() -> None:
    """Two degrees of longitude apart, on both sides of the date line; one more to the east."""
    loads = [load("a", 0.0, 179.0, 3), load("b", 0.0, -179.0, 2), load("c", 2.0, -175.0, 1)]
    (a, _), (b, _), (c, _) = centres(drawn(loads, []))
    assert a < b < c
    assert (c - b) / (b - a) == pytest.approx(2.0, rel=0.01)


def test_nodes_of_one_place_are_drawn_and_no_arrow_between_them() -> None:
    loads = [load("a", 50.0, 1.0), load("b", 50.0, 1.0)]
    picture = drawn(loads, [Flow("a", "b", 5, 2)])
    ET.fromstring(picture)
    assert len(set(centres(picture))) == 1
    assert "to b" not in picture
