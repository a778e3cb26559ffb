"""The log of a training: a CSV file with a row every so many steps, which a spreadsheet and `plot` read."""

import csv
import io
from pathlib import Path

from .checkpoint import written_whole


class Log:
    """Appends rows to a CSV file. Columns without a value in a row stay empty.

    A training that continues from step `start` drops the rows after it, for it makes them again.
    """

    def __init__(self, path: Path, columns: list[str], start: int = 0):
        self.path, self.columns = path, columns
        kept = [row for row in read(path) if 0 < row["step"] <= start] if start and path.exists() else []
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        with written_whole(path) as part:
            part.write_text(text.getvalue(), encoding="utf-8")

    def write(self, row: dict[str, float]) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow(
                {name: value if name == "step" else f"{value:.7g}" for name, value in row.items()}
            )


def read(path: Path) -> list[dict[str, float]]:
    """The rows of a log as numbers, without the empty cells and without a last row that a kill cut off."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in file if line.endswith("\n")]
    rows = []
    for row in csv.DictReader(lines):
        values = {name: float(value) for name, value in row.items() if value}
        rows.append({**values, "step": int(values["step"])})
    return rows
