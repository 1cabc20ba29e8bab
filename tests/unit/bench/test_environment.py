"""A report says where it was made."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.catalogue import SCENARIOS
from bench.environment import describe, fsync_p50_ms, store
from bench.product import Setup
from bench.scenario import Options

FLASH_SALE = SCENARIOS["flash-sale"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "valkey "),
        (("--transport=ray", "--store=embedded"), "valkey "),
        (("--store", "redis://user:secret@127.0.0.1:1"), "redis://…@127.0.0.1:1"),
        (("--store=nonsense",), "nonsense"),
    ],
)
def test_the_store_is_named_with_its_version_and_never_with_a_password(
    options: tuple[str, ...], says: str
) -> None:
    assert store(options).startswith(says)


def test_an_environment_has_what_figures_depend_on() -> None:
    secret = Setup(options=("--store=redis://user:secret@127.0.0.1:1",))
    block = describe(FLASH_SALE, Options(setup=secret))
    assert {"ray", "uvloop", "msgspec"} <= block["packages"].keys()
    assert block["fsync_p50_ms"] > 0
    assert isinstance(block["python_optimised"], bool)
    assert block["arrivals"] == "poisson"
    assert "secret" not in str(block)


def test_it_says_in_which_order_baselines_and_product_were_measured() -> None:
    options = Options()
    assert "again" in describe(FLASH_SALE, options)["order"]
    assert "5 times in turn" in describe(FLASH_SALE, replace(options, runs=5))["order"]
    assert describe(FLASH_SALE, replace(options, baselines=False))["order"] == "no baselines"


def test_an_append_takes_longer_than_nothing(tmp_path: Path) -> None:
    assert 0 < fsync_p50_ms(tmp_path) < 10_000
