"""A year of ten lines, small enough to count by hand."""

from pathlib import Path

import pytest

from engine.ids import ID
from gateway.sample.columns import SampleMissing, read_columns
from gateway.sample.journey import CENTRAL, FRESH, Basket, Journey, Stock, grams_of

pa = pytest.importorskip("pyarrow", reason="the demo extra is not installed")

MILK, BANANAS, PETROL, NAMELESS = 11, 22, 33, 44
PRODUCTS = {
    "product_id": [MILK, BANANAS, PETROL],
    "department": ["GROCERY", "PRODUCE", "FUEL"],
    "product_category": ["FLUID MILK", None, "GASOLINE"],
    "product_type": ["MILK WHITE", "BANANAS", "REGULAR"],
    "package_size": ["1 LB", None, None],
}
# basket, store, minute, product, quantity
LINES = [
    (1003, 7, 30, MILK, 40),
    (1001, 5, 10, MILK, 1),
    (1001, 5, 10, BANANAS, 2),
    (1001, 5, 10, MILK, 3),
    (1002, 5, 20, BANANAS, 4),
    (1002, 5, 20, PETROL, 9000),
    (1004, 7, 40, BANANAS, 1),
    (1004, 7, 40, NAMELESS, 1),
    (1005, 9, 50, PETROL, 12),
    (1006, 5, 60, MILK, 0),
]


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    from pyarrow import parquet

    columns = list(zip(*LINES, strict=True))
    transactions = {
        "store_id": columns[1],
        "basket_id": columns[0],
        "product_id": columns[3],
        "quantity": columns[4],
        "transaction_timestamp": pa.array([60 * at for at in columns[2]], pa.timestamp("s")),
    }
    parquet.write_table(pa.table(PRODUCTS), tmp_path / "products.parquet")
    parquet.write_table(pa.table(transactions), tmp_path / "transactions.parquet")
    return Journey(read_columns(tmp_path))


def test_articles_are_ranked_by_baskets_not_by_units(journey: Journey) -> None:
    assert [(a.sku, a.baskets, a.units) for a in journey.articles] == [
        (str(BANANAS), 3, 7),
        (str(MILK), 2, 44),
        (str(NAMELESS), 1, 1),
    ]


def test_petrol_and_corrections_are_no_articles(journey: Journey) -> None:
    assert str(PETROL) not in {article.sku for article in journey.articles}
    assert all(units > 0 for basket in journey.baskets() for _, units in basket.lines)


def test_an_article_is_named_by_what_the_retailer_says(journey: Journey) -> None:
    bananas, milk, nameless = journey.articles
    assert (milk.name, milk.category, milk.weight_grams) == ("MILK WHITE 1 LB", "FLUID MILK", 454)
    assert (bananas.name, bananas.category, bananas.weight_grams) == ("BANANAS", "PRODUCE", 0)
    assert (nameless.name, nameless.category) == (str(NAMELESS), None)


def test_baskets_come_in_order_of_time_with_lines_of_one_sku_added_up(journey: Journey) -> None:
    assert list(journey.baskets()) == [
        Basket(at_s=0, store="store-5", lines=((str(MILK), 4), (str(BANANAS), 2))),
        Basket(at_s=600, store="store-5", lines=((str(BANANAS), 4),)),
        Basket(at_s=1200, store="store-7", lines=((str(MILK), 40),)),
        Basket(at_s=1800, store="store-7", lines=((str(BANANAS), 1), (str(NAMELESS), 1))),
    ]
    assert [basket.at_s for basket in journey.baskets(first=1, count=2)] == [600, 1200]


def test_every_store_is_a_node_even_one_that_sold_no_article(journey: Journey) -> None:
    assert [node.node for node in journey.nodes] == [
        CENTRAL,
        FRESH,
        "store-5",
        "store-7",
        "store-9",
    ]


def test_every_article_lies_in_its_warehouse_before_any_lies_in_a_store(journey: Journey) -> None:
    stock = journey.stock(positions_max=4)
    assert [(row.sku, row.node) for row in stock[:3]] == [
        (str(BANANAS), FRESH),
        (str(MILK), CENTRAL),
        (str(NAMELESS), CENTRAL),
    ]
    # Bananas were in two baskets of store 5, no other pair in more than one: 6 units x 4 / 52.
    assert stock[3] == Stock(sku=str(BANANAS), node="store-5", on_hand=1)


def test_no_position_stands_twice_and_none_is_empty(journey: Journey) -> None:
    stock = journey.stock()
    assert len({(row.sku, row.node) for row in stock}) == len(stock) == 8
    assert all(row.on_hand > 0 for row in stock)


def test_fewer_skus_leave_out_the_rest_everywhere(journey: Journey) -> None:
    best = Journey(journey._columns, skus_max=1)
    assert [article.sku for article in best.articles] == [str(BANANAS)]
    assert {row.sku for row in best.stock()} == {str(BANANAS)}
    assert [basket.at_s for basket in best.baskets()] == [0, 600, 1800]


def test_all_names_are_valid_ids(journey: Journey) -> None:
    names = [article.sku for article in journey.articles] + [node.node for node in journey.nodes]
    assert all(ID.match(name) for name in names)


@pytest.mark.parametrize(
    ("size", "grams"),
    [
        ("16 OZ", 454),
        ("6 PK/12 OZ", 2041),
        (".5 L", 500),
        ("1 GA", 3785),
        ("24 CT", 0),
        ("", 0),
        (None, 0),
        ("83718713 OZ", 0),
    ],
)
def test_weight_is_read_from_the_package_size(size: str | None, grams: int) -> None:
    assert grams_of(size) == grams


def test_missing_data_names_the_extra_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(SampleMissing, match=r"tidegate\[demo\]"):
        read_columns(tmp_path)


def test_the_real_year_has_the_figures_that_its_publisher_names() -> None:
    journey = Journey.read()
    assert len(journey.articles) == 67_879
    assert len(journey.nodes) == 457 + 2
    assert journey.articles[0].category == "TROPICAL FRUIT"
    assert max(len(basket.lines) for basket in journey.baskets()) == 161
