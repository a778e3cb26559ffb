"""How far two runs on one machine lie apart.

python -m bench.agreement OTHER [--results bench/results]

OTHER is a folder of CSVs of a second run (`python -m bench.costs ... --out OTHER`). Every time that both have becomes a
row of agreement-cpu.csv (or -gpu.csv) in the results, and the page says what they add up to.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from bench.provenance import ORIGIN, read_csv, write_csv

KEYS = ("network", "frames", "part", "how", "width", "height", "axis", "series", "x")


def compare(first: Path, second: Path) -> list[dict[str, Any]]:
    """A row for each time that two files of the same name have in common; `ratio` is the second's to the first's."""

    def by_key(path: Path) -> dict[tuple[str | None, ...], dict[str, str]]:
        return {tuple(row.get(key) for key in KEYS): row for row in read_csv(path) if row.get("median_ms")}

    others = by_key(second)
    return [
        {"file": first.stem, "of": " ".join(part for part in key if part)}
        | {"first_ms": row["median_ms"], "second_ms": others[key]["median_ms"]}
        | {"ratio": float(others[key]["median_ms"]) / float(row["median_ms"])}
        | {name: row.get(name, "") for name in ORIGIN}
        for key, row in by_key(first).items()
        if key in others
    ]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.agreement", description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="folder of the second run's CSVs")
    parser.add_argument("--results", type=Path, default=Path("bench/results"), help="folder of the first run's")
    options = parser.parse_args(arguments)
    for kind in ("cpu", "gpu"):
        names = [path.name for path in sorted(options.other.glob(f"*-{kind}.csv")) if path.stem != f"agreement-{kind}"]
        rows = [row for name in names for row in compare(options.results / name, options.other / name)]
        if rows:
            write_csv(options.results / f"agreement-{kind}.csv", rows)
            apart = sorted(abs(row["ratio"] - 1) for row in rows)
            print(f"{kind}: {len(rows)} times, {statistics.median(apart):.1%} apart as a rule, {apart[-1]:.1%} at most")


if __name__ == "__main__":
    main()
