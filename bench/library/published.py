"""Where a table of published optima lies: in a file's folder or in one above it."""

from pathlib import Path


def beside(path: Path, name: str) -> Path | None:
    """The nearest file `name` in the folder of `path` or above; None where there is none."""
    tables = (folder / name for folder in path.resolve().parents)
    return next((table for table in tables if table.is_file()), None)
