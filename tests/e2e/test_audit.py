"""Errors of each kind, planted in a running engine: found, explained, mended where that is safe."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from engine.ids import shard_of
from engine.record import pack, unpack
from gateway.cli import main
from tests.e2e.engine_in_process import SHARDS, InProcess

#: Arguments of ``tidegate audit`` → exit code, its document.
Audit = Callable[..., tuple[int, Any]]


@pytest.fixture
def running() -> Iterator[InProcess]:
    """An engine of its own: others' audits are clean."""
    with InProcess() as made:
        yield made


@pytest.fixture
def http(running: InProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=20) as client:
        client.put("/v1/nodes/w1", json={"kind": "warehouse"})
        client.put("/v1/skus/A", json={"name": "A"})
        rows = [{"sku": "A", "node": "w1", "delta": 10, "safety_stock": 1}]
        done = client.post(
            "/v1/stock/adjustments", json={"reference": "po-1", "adjustments": rows}
        ).json()
        assert done["results"][0]["status"] == 200
        assert reserve(client, "held").status_code == 201
        paid = reserve(client, "paid").json()["id"]
        assert client.post(f"/v1/reservations/{paid}/confirm").status_code == 200
        yield client


@pytest.fixture
def audit(
    running: InProcess,
    http: httpx.Client,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Audit:
    def run(*arguments: str) -> tuple[int, Any]:
        monkeypatch.setattr(
            sys, "argv", ["tidegate", "audit", "--json", "--url", running.url, *arguments]
        )
        capsys.readouterr()
        code = main()
        return code, json.loads(capsys.readouterr().out)

    return run


class Planted:
    """A hand in owner and store, on the engine's own loop."""

    def __init__(self, running: InProcess, sku: str = "A") -> None:
        self._running = running
        shard = shard_of(sku, SHARDS)
        self.hashes = running.cluster.server.shards[shard].hashes
        owner = running.cluster.owner_of(sku).core.owners[shard]
        self.position = owner.ledger.books[sku].positions["w1"]
        self.records = owner.ledger.reservations

    def do(self, step: Callable[["Planted"], object]) -> None:
        async def planting() -> None:
            step(self)

        self._running.on_loop(planting())

    def state(self, on_hand: int) -> None:
        """So many units are there, to the store."""
        _, *rest = unpack(self.hashes["state"]["q|A|w1"])
        self.hashes["state"]["q|A|w1"] = pack([on_hand, *rest])


@pytest.fixture
def planted(running: InProcess, http: httpx.Client) -> Planted:
    return Planted(running)


def reserve(http: httpx.Client, key: str, units: int = 1) -> httpx.Response:
    lines = [{"sku": "A", "quantity": units}]
    return http.post("/v1/reservations", json={"id": key, "lines": lines})


def everywhere(planted: Planted, units: int) -> None:
    """Owner and store agree on units that nobody has brought."""
    planted.position.on_hand += units
    planted.state(planted.position.on_hand)
    planted.hashes["free"]["A|w1"] += units


def everywhere_but_the_guard(planted: Planted) -> None:
    """As a hand does that changes the stock in the store before a start."""
    everywhere(planted, 2)
    planted.hashes["free"]["A|w1"] -= 2


def another_hold_in_owner_and_store(planted: Planted) -> None:
    """Neither is what the events say, so none is right."""
    record = planted.records["held"]
    planted.records["held"] = record[:10] + bytes([record[10] ^ 1]) + record[11:]
    planted.hashes["reservations"]["held"] = b"\x02"


def only(document: Any) -> Any:
    (finding,) = document["findings"]
    return finding


def test_a_clean_audit_says_what_the_stock_was_rebuilt_from(audit: Audit) -> None:
    code, document = audit("--repair", "--limit", "5")
    assert (code, document["clean"], document["repairs"]) == (0, True, [])
    whole = {"source": "stream", "base_seq": 0, "since": None}
    assert [shard["rebuilt"] for shard in document["shards"]] == [whole] * SHARDS
    assert {shard["rebuilt"] for shard in audit()[1]["shards"]} == {None}


def test_stock_that_no_event_tells_of_is_counted_within_the_limit(
    audit: Audit, planted: Planted
) -> None:
    """Proposed with its evidence, and made where it is small."""
    planted.do(lambda at: everywhere(at, 2))
    code, document = audit("--repair")
    finding = only(document)
    assert (code, finding["kind"], finding["owner"], finding["events"]) == (
        1, "events", [12, 0, 0], [10, 0, 0],
    )  # fmt: skip
    assert finding["last_seq"] >= 1
    assert finding["repair"]["units"] == 2
    assert "a count of 10" in finding["advice"]
    assert [made["outcome"] for made in document["repairs"]] == ["above the limit"]
    assert audit("--repair", "--limit", "1")[1]["repairs"][0]["detail"].endswith("--limit 2")
    code, document = audit("--repair", "--limit", "2")
    assert (code, document["clean"], document["repairs"][0]["outcome"]) == (0, True, "made")
    assert planted.position.on_hand == 10
    planted.do(lambda at: everywhere(at, 2))
    assert audit("--repair", "--limit", "2")[0] == 0, "the same error again is another one"


def test_what_leaves_between_audit_and_repair_is_not_put_back(
    audit: Audit, planted: Planted, http: httpx.Client
) -> None:
    """The count is of the instant that was compared; sent twice it counts once."""
    planted.do(lambda at: everywhere(at, 2))
    repair = only(audit("--events")[1])["repair"]
    name = reserve(http, "held").json()["id"]
    assert http.post(f"/v1/reservations/{name}/confirm").status_code == 200
    shipped = http.post(f"/v1/reservations/{name}/fulfil", json={"reference": "parcel-1"})
    assert shipped.status_code == 200
    for repeated in (False, True):
        done = http.post(repair["path"], json=repair["body"]).json()
        assert (done["repeated"], done["results"][0]["body"]["on_hand"]) == (repeated, 9)
    assert audit("--events")[0] == 0


def test_a_store_that_has_another_count_is_written_anew(audit: Audit, planted: Planted) -> None:
    planted.do(lambda at: at.state(13))
    finding = only(audit("--events")[1])
    assert (finding["kind"], finding["repair"]["units"]) == ("state", 3)
    code, document = audit("--repair", "--limit", "3")
    assert (code, document["clean"]) == (0, True)
    assert [made["outcome"] for made in document["repairs"]] == ["made"]
    assert unpack(planted.hashes["state"]["q|A|w1"])[:2] == [10, 1]


@pytest.mark.parametrize(
    "plant",
    [
        lambda at: at.hashes["reservations"].pop("held"),
        lambda at: at.hashes["reservations"].update(held=b"\x02"),
    ],
)
def test_a_hold_that_the_store_has_otherwise_is_written_anew(
    audit: Audit, planted: Planted, plant: Callable[[Planted], object]
) -> None:
    """As it was: nobody's time is another by it."""
    before = planted.records["held"]
    planted.do(plant)
    code, document = audit("--repair")
    assert (code, only(document)["repair"]["units"]) == (1, 1)
    assert document["repairs"][0]["outcome"] == "above the limit"
    code, document = audit("--repair", "--limit", "1")
    assert (code, document["clean"], document["repairs"][0]["outcome"]) == (0, True, "made")
    assert planted.hashes["reservations"]["held"] == planted.records["held"] == before


def test_a_position_that_only_the_store_has_is_counted_as_nothing(
    audit: Audit, planted: Planted, http: httpx.Client
) -> None:
    """It would be loaded at the next start."""
    http.put("/v1/nodes/w9", json={"kind": "store"})
    reserve(http, "known", 1)  # The network has reached the shard by then.
    planted.do(lambda at: at.hashes["state"].update({"q|A|w9": pack([4, 0, 1])}))
    assert only(audit("--events")[1])["repair"]["units"] == 4
    code, document = audit("--repair", "--limit", "4")
    assert (code, document["clean"], document["repairs"][0]["outcome"]) == (0, True, "made")
    assert unpack(planted.hashes["state"]["q|A|w9"]) == [0, 0, 0, 0]


def test_a_repair_that_the_engine_refuses_says_why(
    audit: Audit, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted.do(lambda at: everywhere(at, 2))
    refused = {"status": 404, "body": {"detail": "no such node"}}
    monkeypatch.setattr("gateway.cli_audit.ask", lambda *_: (200, {"results": [refused]}))
    code, document = audit("--repair", "--limit", "9")
    made = document["repairs"][0]
    assert (code, made["outcome"], made["detail"]) == (1, "refused", "no such node")


@pytest.mark.parametrize(
    ("plant", "kinds", "advice"),
    [
        (lambda at: at.hashes["free"].update({"A|w1": 3}), {"free"}, "no command sets it"),
        (lambda at: at.hashes["reservations"].update(ghost=b"\x01"), {"reservations"},
         "unknown to the owner"),
        (lambda at: at.hashes["reservations"].pop("paid"), {"reservations"},
         "acknowledged by the owner and missing in the store; the events have confirmed at seq"),
        (lambda at: at.hashes["reservations"].update(paid=b"\x02"), {"reservations"},
         "another record"),
        (another_hold_in_owner_and_store, {"reservations"}, "another record"),
        (lambda at: setattr(at.position, "on_hand", 12), {"free", "state", "events"},
         "the owner's memory differs"),
        (lambda at: setattr(at.position, "damaged", 1), {"state", "events"},
         "the owner's memory differs"),
        (everywhere_but_the_guard,
         {"free", "events"}, "several copies differ"),
        (lambda at: at.hashes["state"].update({"q|A|w9": pack([1, 0, 0])}), {"state"},
         "that the owner does not know"),
        (lambda at: at.hashes["state"].pop("q|A|w1"), {"state"}, "writes it anew"),
    ],
)  # fmt: skip
def test_each_kind_is_found_and_says_what_to_look_at(
    audit: Audit,
    planted: Planted,
    plant: Callable[[Planted], object],
    kinds: set[str],
    advice: str,
) -> None:
    planted.do(plant)
    code, document = audit("--repair")
    assert (code, {finding["kind"] for finding in document["findings"]}) == (1, kinds)
    assert all(advice in finding["advice"] for finding in document["findings"])
    safe = kinds == {"state"} and "anew" in advice
    assert all((finding["repair"] is not None) == safe for finding in document["findings"])
