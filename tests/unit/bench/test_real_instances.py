"""Real orders as instances: what is left out, what is fitted, and what is said without the data."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.assignment import files, olist, retail
from bench.assignment.generated import Shape, spread_as_sold
from bench.cli import main
from bench.figures import UsageError

_REAL = pytest.mark.skipif(
    not (files.DEFAULT / "olist").is_dir(), reason="the real orders are not beside the repository"
)


def _write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    path = folder / "olist" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def _order(number: int, status: str, day: str) -> dict[str, str]:
    return {
        "order_id": f"o{number}",
        "customer_id": f"c{number}",
        "order_status": status,
        "order_purchase_timestamp": f"{day} 10:00:00",
        "order_delivered_carrier_date": f"{day} 20:00:00",
        "order_delivered_customer_date": "2017-03-09 20:00:00",
        "order_estimated_delivery_date": "2017-03-20 10:00:00",
    }


def _item(number: int, product: str, freight: str) -> dict[str, str]:
    row = {"order_id": f"o{number}", "product_id": product, "seller_id": "s1"}
    return {**row, "freight_value": freight}


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """Four orders: o2 was cancelled, o3 goes to a postcode that lies abroad, air has no weight."""
    geo = [("01001", -23.5, -46.6), ("20031", -22.9, -43.2), ("99999", 48.0, 2.0)]
    _write(tmp_path, "geolocation_aggregated", [
        {"geolocation_zip_code_prefix": code, "geolocation_lat": lat, "geolocation_lng": lng}
        for code, lat, lng in geo
    ])  # fmt: skip
    _write(tmp_path, "sellers", [{"seller_id": "s1", "seller_zip_code_prefix": "1001"}])
    _write(tmp_path, "customers", [
        {"customer_id": f"c{n}", "customer_zip_code_prefix": code}
        for n, code in enumerate(["20031", "1001", "20031", "99999"])
    ])  # fmt: skip
    _write(tmp_path, "products", [
        {"product_id": "toy", "product_category_name": "toys", "product_weight_g": "250.0"},
        {"product_id": "saw", "product_category_name": "", "product_weight_g": "4000.0"},
        {"product_id": "air", "product_category_name": "air", "product_weight_g": ""},
    ])  # fmt: skip
    _write(tmp_path, "orders", [
        _order(0, "delivered", "2017-03-02"), _order(1, "delivered", "2017-03-01"),
        _order(2, "canceled", "2017-03-01"), _order(3, "delivered", "2017-03-01"),
    ])  # fmt: skip
    _write(tmp_path, "order_items", [
        _item(0, "toy", "10.50"), _item(0, "toy", "10.50"), _item(0, "air", "1.00"),
        _item(1, "saw", "20.00"), _item(2, "toy", "9.00"), _item(3, "toy", "9.00"),
    ])  # fmt: skip
    return tmp_path


def test_olist_keeps_what_was_sold_and_has_a_place_and_a_weight(market: Path) -> None:
    sales = olist.read(market)
    assert sales.order_ids == ("o1", "o0")
    assert sales.zone == ("01", "20")
    assert sales.kind == ("unknown-4", "toys-0", "toys-0")
    assert sales.cents.tolist() == [2000.0, 1050.0, 1050.0]
    assert sales.due.tolist() == [19 * 24.0, 18 * 24.0]
    assert sales.waited.tolist() == [10.0, 10.0]


def test_a_tariff_is_found_again() -> None:
    rng = np.random.default_rng(1)
    km, kg = rng.uniform(0, 2_000, 500), rng.uniform(0.1, 20, 500)
    cents = 900 + 0.5 * km + 150 * kg + 0.1 * km * kg
    tariff = olist.fit_tariff(km, kg, cents)
    found = (tariff.parcel, tariff.parcel_km, tariff.per_kg, tariff.per_kg_km)
    assert found == pytest.approx((900, 0.5, 150, 0.1))
    assert tariff.explained == pytest.approx(1.0)


def test_a_quarter_of_the_earth_is_ten_thousand_kilometres() -> None:
    km = olist.distance_km(np.array([0.0, 0.0]), np.array([[90.0, 0.0], [0.0, -90.0]]))
    assert km.tolist() == pytest.approx([10_007.5, 10_007.5], rel=1e-4)


def test_clusters_are_places_that_lie_together() -> None:
    places = np.repeat([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]], 4, axis=0)
    centres, mine = olist.cluster(places, 5, np.random.default_rng(3))
    assert len(centres) == 3
    assert np.allclose(centres[mine], places)


def test_stock_lies_where_it_sold() -> None:
    sold = np.array([[3, 1, 0], [0, 0, 0]])
    stock = spread_as_sold(np.array([8.0, 2.0]), sold)
    assert stock.tolist() == [[6, 2, 0], [2, 0, 0]]


def test_invoices_are_goods_that_were_sold(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        ("1", "85123a", 2, 2.5), ("1", "85123A", 3, 2.5), ("1", "POST", 1, 18.0),
        ("1", "22423", 500, 9.0), ("C2", "22423", -1, 9.0), ("3", "22423", 1, 0.0),
        ("4", "gift_0001_20", 1, 9.0), ("5", "22423", 4, 9.0),
    ]  # fmt: skip
    names = ["InvoiceNo", "StockCode", "Quantity", "UnitPrice"]
    (tmp_path / "online_retail").mkdir()
    parquet.write_table(
        arrow.table(dict(zip(names, zip(*rows, strict=True), strict=True))),
        tmp_path / "online_retail" / "online_retail_2010-12_2011-06.parquet",
    )
    invoices = retail.read(tmp_path)
    assert invoices.ids == ("1", "5")
    told = [invoices.codes[code] for code in invoices.code]
    assert list(zip(invoices.line.tolist(), told, invoices.units.tolist(), strict=True)) == [
        (0, "85123A", 5), (0, "22423", retail.UNITS_MAX), (1, "22423", 4),
    ]  # fmt: skip
    assert len(retail.draw(Shape(orders=2, nodes=4), tmp_path).orders.ids) == 2
    with pytest.raises(UsageError, match="--orders: the data has 2"):
        retail.draw(Shape(orders=3, nodes=4), tmp_path)


@pytest.mark.parametrize("instances", ["retail", "olist"])
def test_without_the_data_the_option_is_named(
    instances: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["assign", "--instances", instances, "--data", str(tmp_path)]) == 2
    assert f"--data {tmp_path}: there is no " in capsys.readouterr().err.replace("\n", "")


@_REAL
@pytest.mark.parametrize("instances", ["retail", "olist"])
def test_real_orders_are_planned(instances: str) -> None:
    words = ["--orders", "60", "--nodes", "8", "--seconds", "3", "--data", str(files.DEFAULT)]
    assert main(["assign", "--instances", instances, *words]) == 0


@_REAL
def test_freight_that_was_paid_grows_with_distance_and_weight() -> None:
    sales = olist.read(files.DEFAULT)
    alone = np.bincount(sales.order)[sales.order] == 1
    km = olist.distance_km(sales.seller, sales.buyer[sales.order])[alone]
    tariff = olist.fit_tariff(km, sales.grams[alone] / 1000, sales.cents[alone])
    assert 0.5 < tariff.explained < 0.8
    assert min(tariff.parcel, tariff.parcel_km, tariff.per_kg, tariff.per_kg_km) > 0
