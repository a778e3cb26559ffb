"""GSTA's Table 5, peak memory of one attention module, as CSV with where it comes from.

python -m bench.gsta_memory [--quick] [--out bench/results]     writes gsta-memory-cpu.csv (or -gpu.csv)

What is measured, and how, is said by `bench.memory`.
"""

import argparse
from pathlib import Path

from bench.harness import DEVICE
from bench.memory import FORMS, SIZES, peak
from bench.provenance import kind, provenance, write_csv

QUICK = ("16", "32", "64")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gsta_memory", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"patches of {', '.join(QUICK)} only")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the CSV")
    options = parser.parse_args(arguments)
    origin = provenance(DEVICE)
    rows = []
    for size in QUICK if options.quick else SIZES:
        for form in FORMS:
            gb, measured = peak(form, SIZES[size], DEVICE)
            rows.append({"patch": size, "form": form.name, "gb": gb, "measured": measured} | origin)
    write_csv(options.out / f"gsta-memory-{kind(DEVICE)}.csv", rows)
    print(f"written to {options.out / f'gsta-memory-{kind(DEVICE)}.csv'}")


if __name__ == "__main__":
    main()
