"""Rows of a file, one portion at a time: a million of them take no more memory than a thousand."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

#: Rows of a Parquet file in memory at a time.
_BATCH: Final = 10_000


class Unreadable(Exception):
    """The file is none of ours; the text says what to do."""


#: (line of the file, the row's members that are not empty)
Row = tuple[int, dict[str, Any]]


def read(path: Path) -> Iterator[Row]:
    """Rows in order. A CSV file's first line has the names; Parquet rows count from 1."""
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            yield from _parquet(path)
        else:
            yield from _csv(path)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error


def _csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for row in reader:
                if None in row:
                    raise Unreadable(f"{path}, line {reader.line_num}: more values than names")
                yield reader.line_num, {name: value for name, value in row.items() if value}
        except (csv.Error, UnicodeDecodeError) as error:
            message = f"{path}, line {reader.line_num}: {error}; save it as CSV in UTF-8"
            raise Unreadable(message) from error


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as missing:
        message = "Parquet needs pyarrow: `pip install 'tidegate[parquet]'`, or give a CSV file"
        raise Unreadable(message) from missing
    try:
        number = 0
        for batch in parquet.ParquetFile(path).iter_batches(_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield number, {name: value for name, value in row.items() if value is not None}
    except ArrowInvalid as error:
        raise Unreadable(f"{path} is no Parquet file: {error}") from error


def count(path: Path) -> int | None:
    """How many rows there are, where that is quickly said."""
    if path.suffix.lower() not in (".parquet", ".pq"):
        return None
    try:
        from pyarrow import ArrowInvalid, parquet

        rows: int = parquet.read_metadata(path).num_rows
    except (ImportError, ArrowInvalid, OSError):
        return None
    return rows
