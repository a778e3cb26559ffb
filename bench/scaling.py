"""How cost grows: with pixels, frames in the window, channels, clips in a batch and threads.

python -m bench.scaling [--axes pixels frames ...] [--only TEXT] [--quick] [--out bench/results]

Writes scaling-cpu.csv (or -gpu.csv): a row for every measured point; with --axes or --only, the rows of other series
stay. A series ends where the next point would not fit into memory or would take too long, as the points before it
foretell.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bench.fits import fit
from bench.harness import DEVICE
from bench.memory_use import peak_bytes
from bench.outputs import check_folder
from bench.provenance import kind, provenance, read_csv, write_csv
from bench.series import Point, Series, all_series, label, place
from bench.timing import take_turns
from vdeblur_fast.errors import UserError, told

AXES = ("pixels", "frames", "channels", "batch", "threads")
MOST_SECONDS, QUICK_MOST = 8.0, 0.5  # for one call
SECONDS, QUICK_SECONDS = 1.0, 0.2  # of measuring, for one point
SHARE = 0.5  # of the memory that a point may take


def memory_bytes() -> int:
    """All that the machine has."""
    if DEVICE == "cuda":
        return torch.cuda.mem_get_info()[1]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def foretold(rows: Sequence[dict[str, Any]], column: str, x: int, grows: float) -> float:
    """What the last two points say about the next; the last one and the expected exponent if there is but one."""
    if not rows:
        return 0.0
    if len(rows) > 1:
        law = fit([row["x"] for row in rows[-2:]], [row[column] for row in rows[-2:]])
        grows = max(law.exponent, 0)
    return rows[-1][column] * (x / rows[-1]["x"]) ** grows


@torch.inference_mode()
def measure(series: Series, seconds: float, most: float) -> list[dict[str, Any]]:
    """The rows of a series, as far as it can be followed."""
    rows: list[dict[str, Any]] = []
    for point in series.points:
        x = place(point)
        slow = foretold(rows, "median_ms", x, series.grows) > 1e3 * most
        if slow or 2**20 * foretold(rows, "peak_mib", x, series.grows) > SHARE * memory_bytes():
            break
        rows.append(_row(series, point, seconds))
    return rows


def _row(series: Series, point: Point, seconds: float) -> dict[str, Any]:
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    try:
        call = series.make(point)
        times = take_turns({"it": call}, seconds)["it"]
        peak = peak_bytes(call, DEVICE)
        used = torch.get_num_threads()
    finally:
        torch.set_num_threads(threads)
    return (
        {"axis": series.axis, "series": series.name, "x": place(point), "point": label(point)}
        | asdict(times)
        | {"peak_mib": peak / 2**20, "machine_gib": memory_bytes() / 2**30, "threads": used}
        | provenance(DEVICE)
    )


def series_of(row: dict[str, Any]) -> tuple[str, str]:
    return row["axis"], row["series"]


@told("bench.scaling")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--axes", nargs="+", choices=AXES, default=AXES, help="what grows")
    parser.add_argument("--only", default="", metavar="TEXT", help="only series with this in their name")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer: to see that it works")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the CSV")
    options = parser.parse_args(arguments)
    path = options.out / f"scaling-{kind(DEVICE)}.csv"
    known = [each for each in all_series() if each.axis in options.axes]
    wanted = [each for each in known if options.only in each.name]
    if not wanted:
        names = "; ".join(dict.fromkeys(each.name for each in known))
        raise UserError(f"--only {options.only}: in the name of no series; take a part of any of {names}")
    check_folder(options.out)
    order = [(each.axis, each.name) for each in all_series()]
    again = {(each.axis, each.name) for each in wanted}
    rows = [row for row in read_csv(path, ("axis", "series")) if series_of(row) in set(order) - again]
    effort = (QUICK_SECONDS, QUICK_MOST) if options.quick else (SECONDS, MOST_SECONDS)
    for series in wanted:
        found = measure(series, *effort)
        rows += found
        write_csv(path, sorted(rows, key=lambda row: order.index(series_of(row))))
        points = "  ".join(f"{row['point']} {row['median_ms']:.1f} ms" for row in found)
        print(f"{series.axis:10}{series.name:24}{points}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
