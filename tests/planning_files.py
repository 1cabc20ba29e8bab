"""Files of a small shop: two nodes, three SKUs, twenty weeks of sales."""

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np

FIRST_DAY = dt.date(2026, 6, 1)
DAYS = 140


def write(path: Path, *rows: dict[str, Any]) -> str:
    """A CSV file of rows; → its name as a command takes it."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def sales(path: Path, skus: dict[str, float], nodes: dict[str, float]) -> str:
    """SKUs with their units a day, nodes with their share of them."""
    draw = np.random.default_rng(11)
    return write(path, *(
        {"day": FIRST_DAY + dt.timedelta(day), "sku": sku, "region": node, "channel": "web",
         "units": int(draw.poisson(rate * share)), "group": "home"}
        for day in range(DAYS) for sku, rate in skus.items() for node, share in nodes.items()
    ))  # fmt: skip
