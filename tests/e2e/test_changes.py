"""A channel's figures followed over HTTP: all, then deltas, by polling and as a stream."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgpack
import pytest

from tests.e2e.test_event_stream import hold, told

Fresh = Callable[[str], str]
Stocked = Callable[..., str]
PATH = "/v1/availability/changes"


def follow(http: httpx.Client, after: str | None = None, **query: Any) -> tuple[list[Any], str]:
    """All items until there are no more, and where to go on."""
    items = []
    while True:
        params = query if after is None else {**query, "after": after}
        answer = http.get(PATH, params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= query.get("limit", 100)
        items += page["items"]
        after = page["next"]
        if not page["more"]:
            return items, after


@pytest.mark.parametrize("limit", [1, 5, 1000])
def test_all_skus_come_first_and_then_what_has_changed(
    http: httpx.Client, fresh: Fresh, stocked: Stocked, limit: int
) -> None:
    skus = [stocked(n1=units) for units in range(1, 13)]
    items, after = follow(http, limit=limit)
    figures = {item["sku"]: item["atp"] for item in items}
    assert [figures[sku] for sku in skus] == list(range(1, 13))
    _, after = follow(http, after, limit=limit)
    for sku in skus[3:6]:
        assert hold(http, sku, fresh("key")).status_code == 201
    items, after = follow(http, after, limit=limit)
    assert {item["sku"]: item["atp"] for item in items} == dict(
        zip(skus[3:6], (3, 4, 5), strict=True)
    )
    assert {item["sku"]: item["by_node"] for item in items}[skus[3]] == [{"node": "n1", "atp": 3}]
    assert follow(http, after, limit=limit)[0] == []


def test_figures_are_the_channels(http: httpx.Client, fresh: Fresh, stocked: Stocked) -> None:
    node, channel = fresh("node"), fresh("channel")
    sku = stocked(**{"n1": 2, node: 3})
    _, after = follow(http, channel=channel, limit=1000)
    http.put(f"/v1/nodes/{node}", json={"kind": "store", "channels": [channel]})
    items, _ = follow(http, after, channel=channel, limit=1000)
    assert [item["atp"] for item in items if item["sku"] == sku] == [5]
    items, _ = follow(http, limit=1000)
    assert [item["atp"] for item in items if item["sku"] == sku] == [2]
    answer = http.get(PATH, params={"after": after})  # Of another channel.
    assert (answer.status_code, answer.json()["type"]) == (410, "/problems/cursor-expired")


def test_a_channel_that_is_served_from_elsewhere_begins_anew(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    channel, pool = fresh("channel"), fresh("pool")
    sku = stocked(n1=2, n2=3)
    _, after = follow(http, channel=channel, limit=1000)
    assert http.put(f"/v1/pools/{pool}", json={"nodes": ["n2"]}).status_code == 200
    assert http.put(f"/v1/channels/{channel}", json={"pool": pool}).status_code == 200
    time.sleep(0.15)  # As old as the network may be.
    answer = http.get(PATH, params={"after": after, "channel": channel})
    assert answer.status_code == 410
    items, _ = follow(http, answer.json()["oldest"], channel=channel, limit=1000)
    assert [item["atp"] for item in items if item["sku"] == sku] == [3]


def test_an_owner_that_has_moved_is_a_gap(
    http: httpx.Client, running: Any, stocked: Stocked
) -> None:
    stocked(n1=1)
    _, after = follow(http, limit=1000)
    place = _opened(after)
    place[2][0][0] += 1  # As another owner's.
    answer = http.get(PATH, params={"after": _closed(place)})
    assert (answer.status_code, answer.json()["type"]) == (410, "/problems/cursor-expired")
    assert follow(http, answer.json()["oldest"], limit=1000)[0]


def _opened(cursor: str) -> Any:
    return msgpack.unpackb(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def _closed(place: Any) -> str:
    return base64.urlsafe_b64encode(msgpack.packb(place)).decode().rstrip("=")


def test_what_is_no_cursor_is_refused(http: httpx.Client) -> None:
    _, after = follow(http, limit=1000)
    scope, turn, places = _opened(after)
    wrong = [
        "?", "x", "\u00e9", _closed(1), _closed([scope, turn]), _closed([1, turn, places]),
        _closed([scope, 99, places]), _closed([scope, turn, places[1:]]),
        _closed([scope, turn, [1] * len(places)]),
        _closed([scope, turn, [[1, -1, "", True]] * len(places)]),
        _closed([scope, turn, [[1, 1, "", 1]] * len(places)]),
    ]  # fmt: skip
    for cursor in wrong:
        answer = http.get(PATH, params={"after": cursor})
        assert (answer.status_code, answer.json()["field"]) == (422, "query.after"), cursor


def test_changes_are_a_stream_that_goes_on(
    http: httpx.Client, fresh: Fresh, stocked: Stocked
) -> None:
    sku = stocked(n1=9)
    _, after = follow(http, limit=1000)
    headers = {"Accept": "text/event-stream", "Last-Event-ID": after}
    with http.stream("GET", PATH, headers=headers, timeout=20) as stream:
        messages = told(stream.iter_lines())
        assert hold(http, sku, fresh("key")).status_code == 201
        message = next(one for one in messages if one.get("id"))
        assert message["event"] == "availability.changed"
        assert json.loads(message["data"])["atp"] == 8
    assert hold(http, sku, fresh("key")).status_code == 201
    items, _ = follow(http, message["id"])
    assert [(item["sku"], item["atp"]) for item in items] == [(sku, 7)]
