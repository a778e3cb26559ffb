"""The CSV files of a results folder, and how their figures are written."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.provenance import read_csv

Row = dict[str, str]
NONE = "–"


class Results:
    """What was measured on one kind of device, "cpu" or "gpu"."""

    def __init__(self, folder: Path, kind: str):
        self.folder, self.kind = folder, kind

    def rows(self, name: str) -> list[Row]:
        """The rows of <name>-<kind>.csv, or none."""
        return read_csv(self.folder / f"{name}-{self.kind}.csv")

    def counts(self) -> list[Row]:
        """The rows of gmacs.csv, which are the same on every machine."""
        return read_csv(self.folder / "gmacs.csv")

    def operators(self) -> dict[str, list[Row]]:
        """What `pytest --benchmark` measured side by side, by file: all files that have its columns."""
        found = {path.stem: read_csv(path) for path in sorted(self.folder.glob(f"*-{self.kind}.csv"))}
        return {name: rows for name, rows in found.items() if rows and {"name", "ours_ms", "of_limit"} <= set(rows[0])}


def value(row: Row, column: str) -> float | None:
    """A figure, or None where there is none."""
    cell = row.get(column, "")
    return float(cell) if cell not in ("", "None") else None


def figure(number: float | None, form: str = ".3g", unit: str = "") -> str:
    """Three digits that count, without powers of ten, or a dash."""
    if number is None:
        return NONE
    if form == ".3g" and abs(number) >= 100:
        form = ",.0f"
    return format(number, form) + unit


def share(number: float | None) -> str:
    return figure(number, ".0%")


def time(row: Row | None) -> str:
    """Milliseconds: the median, and the quartiles around it."""
    if row is None or value(row, "median_ms") is None:
        return NONE
    median, low, high = (figure(value(row, f"{name}_ms")) for name in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def origin(rows: Iterable[Row]) -> str:
    """Machine, versions, commits and commands that some rows come from."""
    rows = list(rows)

    def all_of(column: str, before: str = "", after: str = "") -> str:
        found = list(dict.fromkeys(row[column] for row in rows if row.get(column)))
        return f"{before}{' and '.join(found)}{after}" if found else ""

    commands = list(dict.fromkeys(row["command"] for row in rows if row.get("command")))
    parts = [
        all_of("device"),
        all_of("threads", "threads: "),
        all_of("python", "Python "),
        all_of("torch", "torch "),
        all_of("triton", "triton "),
        all_of("commit", "commit "),
        ", ".join(f"`{command}`" for command in commands),
    ]
    return "; ".join(part for part in parts if part)


def spreads(rows: Sequence[Row]) -> list[float]:
    """Of each timed row, the distance of its quartiles over its median."""
    found = []
    for row in rows:
        median, low, high = (value(row, f"{name}_ms") for name in ("median", "low", "high"))
        if median and low is not None and high is not None:
            found.append((high - low) / median)
    return found
