"""Plans carried out on an engine: orders and transfers are supplies, and a repeat adds nothing."""

import asyncio
from collections.abc import Callable
from datetime import date

import httpx

from gateway.planning.apply import apply
from gateway.planning.step import Step, after, id_of
from tests.e2e.engine_in_process import InProcess

ON = date(2030, 5, 1)


def order(sku: str, node: str, quantity: int, *, needs_approval: bool = False) -> Step:
    return Step(
        id=id_of(ON, "order", sku, node), kind="order", sku=sku, from_node=None, node=node,
        quantity=quantity, cents=100, available_on=after(ON, 6.5), needs_approval=needs_approval,
        why={},
    )  # fmt: skip


def transfer(sku: str, origin: str, node: str, quantity: int) -> Step:
    return Step(
        id=id_of(ON, "transfer", sku, origin, node), kind="transfer", sku=sku, from_node=origin,
        node=node, quantity=quantity, cents=100, available_on=after(ON, 1), needs_approval=False,
        why={},
    )  # fmt: skip


def test_a_plan_is_carried_out_once(
    running: InProcess, http: httpx.Client, stocked: Callable[..., str]
) -> None:
    sku = stocked(dc=40, shop=1)
    steps = [order(sku, "shop", 24), transfer(sku, "dc", "shop", 10)]
    for _ in range(2):
        told = asyncio.run(apply(running.url, steps, ()))
        assert told.done == [step.id for step in steps]
    supplies = [http.get(f"/v1/supplies/{step.id}").json()["supply"] for step in steps]
    assert [(one["kind"], one["quantity"], one["node"]) for one in supplies] == [
        ("purchase_order", 24, "shop"), ("transfer", 10, "shop"),
    ]  # fmt: skip
    assert supplies[0]["available_at"] == "2030-05-08T00:00:00.000Z"
    positions = http.get(f"/v1/stock/{sku}").json()["positions"]
    assert {at["node"]: at["on_hand"] for at in positions} == {"dc": 30, "shop": 1}


def test_another_plan_of_the_same_day_does_not_order_again(
    running: InProcess, http: httpx.Client, stocked: Callable[..., str]
) -> None:
    sku = stocked(dc=1)
    first, second = order(sku, "dc", 24), order(sku, "dc", 36)
    asyncio.run(apply(running.url, [first], ()))
    told = asyncio.run(apply(running.url, [second], ()))
    assert "422 Key used for another request" in told.refused[second.id]
    assert http.get(f"/v1/supplies/{first.id}").json()["supply"]["quantity"] == 24


def test_what_needs_approval_is_not_sent_without_it(
    running: InProcess, http: httpx.Client, stocked: Callable[..., str]
) -> None:
    step = order(stocked(dc=1), "dc", 24, needs_approval=True)
    assert asyncio.run(apply(running.url, [step], ())).waiting == [step.id]
    assert http.get(f"/v1/supplies/{step.id}").status_code == 404
    assert asyncio.run(apply(running.url, [step], {step.id})).done == [step.id]


def test_a_transfer_of_what_is_not_there_is_refused_and_the_rest_goes_on(
    running: InProcess, stocked: Callable[..., str]
) -> None:
    sku, other = stocked(dc=2, shop=0), stocked(dc=9, shop=0)
    steps = [transfer(sku, "dc", "shop", 5), transfer(other, "dc", "shop", 5)]
    told = asyncio.run(apply(running.url, steps, ()))
    assert (list(told.refused), told.done) == ([steps[0].id], [steps[1].id])
