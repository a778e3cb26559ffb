"""How far two runs on one machine lie apart.

python -m bench.agreement OTHER [--results bench/results]

OTHER is a folder of CSVs of a second run (`python -m bench.costs ... --out OTHER`). Every time that both have becomes a
row of agreement-cpu.csv (or -gpu.csv) in the results, and the page says what they add up to.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from bench.outputs import check_folder
from bench.provenance import ORIGIN, read_csv, write_csv
from vdeblur_fast.errors import UserError, told

KEYS = ("network", "contender", "frames", "part", "how", "width", "height", "axis", "series", "x", "point")


def compare(first: Path, second: Path) -> list[dict[str, Any]]:
    """A row for each time that two files of the same name have in common; `ratio` is the second's to the first's.

    Raises UserError where they are of different machines.
    """

    def by_key(path: Path) -> dict[tuple[str | None, ...], dict[str, str]]:
        return {tuple(row.get(key) for key in KEYS): row for row in read_csv(path) if row.get("median_ms")}

    rows, others = by_key(first), by_key(second)
    common = [key for key in rows if key in others]
    for key in common:
        here, there = rows[key].get("device"), others[key].get("device")
        if here != there:
            raise UserError(f"{first} is of {here} and {second} of {there}; compare two runs on one machine")
    return [
        {"file": first.stem, "of": " ".join(part for part in key if part)}
        | {"first_ms": rows[key]["median_ms"], "second_ms": others[key]["median_ms"]}
        | {"ratio": float(others[key]["median_ms"]) / float(rows[key]["median_ms"])}
        | {name: rows[key].get(name, "") for name in ORIGIN}
        for key in common
    ]


@told("bench.agreement")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.agreement", description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="folder of the second run's CSVs")
    parser.add_argument("--results", type=Path, default=Path("bench/results"), help="folder of the first run's")
    options = parser.parse_args(arguments)
    for folder in (options.other, options.results):
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder; name the one that a run wrote its CSV files to")
    found = {kind: in_common(options.results, options.other, kind) for kind in ("cpu", "gpu")}
    if not any(found.values()):
        raise UserError(f"{options.other} and {options.results} have no time in common; measure the same in both")
    check_folder(options.results, "--results")
    for kind, rows in found.items():
        if rows:
            write_csv(options.results / f"agreement-{kind}.csv", rows)
            apart = sorted(abs(row["ratio"] - 1) for row in rows)
            print(f"{kind}: {len(rows)} times, {statistics.median(apart):.1%} apart as a rule, {apart[-1]:.1%} at most")


def in_common(first: Path, second: Path, kind: str) -> list[dict[str, Any]]:
    """The rows for all files of a kind of device that two folders have in common."""
    names = [path.name for path in sorted(second.glob(f"*-{kind}.csv")) if path.stem != f"agreement-{kind}"]
    return [row for name in names for row in compare(first / name, second / name)]


if __name__ == "__main__":
    sys.exit(main())
