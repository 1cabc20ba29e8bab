"""Real orders that are not shipped with the product: read from a folder of the user's."""

import csv
from pathlib import Path
from typing import Any, Final

from bench.figures import UsageError

#: Beside the repository.
DEFAULT: Final = Path(__file__).resolve().parents[3] / "shared" / "data"


def _found(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        message = f"--data {folder}: there is no {name}; name the folder that holds it"
        raise UsageError(message)
    return path


def read_csv(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a file with heads. Raises ``UsageError`` where it is not there."""
    with _found(folder, name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_parquet(folder: Path, name: str, columns: list[str]) -> dict[str, list[Any]]:
    """Some columns of a Parquet file. Raises ``UsageError`` where it or its reader is missing."""
    path = _found(folder, name)
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as missing:
        message = f"{name} needs pyarrow; install the extra with: pip install 'tidegate[parquet]'"
        raise UsageError(message) from missing
    found: dict[str, list[Any]] = parquet.read_table(path, columns=columns).to_pydict()
    return found
