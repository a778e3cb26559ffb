"""Everything that is measured, on one page.

python -m bench.report              measures all of it, half an hour on two cores; writes the page, Markdown and HTML
python -m bench.report --quick      the same, smaller and rougher, in five minutes, into build/bench
python -m bench.report --read       only writes the page, from the CSV files that are there
python -m bench.report --readme     only writes the tables of README.md that are made from them
                       [--out DIR]  folder of CSV files, plots and page: bench/results

Every measurement is a command of its own, which can be run alone, and a process of its own, so that none finds the
memory of another; what fails is said, and the page goes on without it. Where there is a GPU, it is what is measured;
with CUDA_VISIBLE_DEVICES= the CPU is. Operators are measured by `pytest bench --benchmark`, and only read here.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.outputs import check_folder
from bench.page import attention, figures, growth, papers, readme, rivals, side_by_side, worst
from bench.page.document import Block, Heading, Text, html_page, markdown, write_figures
from bench.page.results import Results
from bench.provenance import command, read_csv
from vdeblur_fast.errors import told

ROOT = Path(__file__).parent.parent
RESULTS, QUICK = Path("bench/results"), Path("build/bench")
TITLE = "vdeblur_fast, measured"
DEVICES = {"cpu": "On the CPU", "gpu": "On the GPU"}
INTRODUCTION = (
    "The efficiency claims of the papers, and ours, measured. Each table says what its figures come from: machine, "
    "versions, commit, and the command that measures it again. Written by `{command}`."
)


@dataclass(frozen=True)
class Part:
    """One measurement: python's arguments, with {out} for the folder, and what --quick adds to them."""

    arguments: str
    quick: str = "--quick"


PARTS = [
    Part("-m bench.gmacs --csv {out}/gmacs.csv", quick=""),
    *(
        Part(f"-m bench.costs {tables} --out {{out}}")
        for tables in ("comparators", "mmp-rnn", "gsta-net", "strcnn", "david")
    ),
    Part("-m bench.scaling --out {out}"),
    Part("-m bench.memory --out {out}", quick="--sizes 16 32 64"),
    Part("-m bench.rivals --out {out}"),
    Part("-m bench.command --out {out}", quick="--frames 12 --size 320x180"),
]
# Files of a kind of device, and what tells them from others of the same name
NEEDED = {
    **dict.fromkeys(("comparators", "mmp-rnn", "gsta-net", "strcnn", "david"), ("network", "how", "median_ms")),
    "scaling": ("axis", "series", "x", "median_ms"),
    "gsta-memory": ("patch", "form", "gb"),
    "rivals": ("network", "contender", "median_ms"),
    "command": ("network", "way", "seconds"),
    "agreement": ("of", "ratio"),
}
# What the page says of each kind of device, in this order
SECTIONS: list[Callable[[Results], list[Block]]] = [
    worst.spread,
    papers.costs,
    figures.network_times,
    papers.ovd,
    papers.david,
    attention.memory,
    figures.attention_memory,
    attention.window,
    attention.frames,
    rivals.networks,
    rivals.whole_command,
    growth.growth,
    figures.growth_curves,
    side_by_side.side_by_side,
    worst.worst,
]


def measure(out: Path, quick: bool) -> Iterator[str]:
    """Runs the parts -> what went wrong, in a sentence each."""
    folder = os.path.relpath(out, ROOT)  # as it would be typed, for the CSV files say what was
    for part in PARTS:
        words = f"{part.arguments} {part.quick if quick else ''}".split()
        arguments = [word.format(out=folder) for word in words]
        name = " ".join(["python", *arguments])
        print(f"{name}", flush=True)
        begin = time.perf_counter()
        status = subprocess.run([sys.executable, *arguments], cwd=ROOT).returncode
        print(f"    {time.perf_counter() - begin:.0f} s" + (f", failed with {status}" if status else ""), flush=True)
        if status:
            yield f"`{name}` failed (exit status {status}); its figures are missing or old."


def page(out: Path, remarks: list[str]) -> list[Block]:
    """All that the results have to say, with what went wrong on top."""
    found = {kind: Results(out, kind) for kind in DEVICES}
    blocks: list[Block] = [Heading(TITLE, 1), Text(INTRODUCTION.format(command=command()))]
    blocks += [Text(remark) for remark in remarks]
    blocks += papers.counts(found["cpu"]) + attention.agent(found["cpu"])
    for kind, results in found.items():
        measured = [block for section in SECTIONS for block in section(results)]
        if measured:
            blocks += [Heading(DEVICES[kind], 1), *measured]
    if not any(list(out.glob("*-gpu.csv"))):
        blocks += [
            Heading(DEVICES["gpu"], 1),
            Text("Not measured: no GPU was at hand. On one, the same commands write this part."),
        ]
    return blocks


def write(out: Path, blocks: list[Block]) -> None:
    write_figures(blocks, out)
    (out / "report.md").write_text(markdown(blocks), encoding="utf-8")
    (out / "report.html").write_text(html_page(blocks, TITLE), encoding="utf-8")


@told("bench.report")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__.splitlines()[0])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="smaller and rougher, in five minutes")
    how.add_argument("--read", action="store_true", help="only write the page, from the CSV files that are there")
    how.add_argument("--readme", action="store_true", help="only write the README's tables, from these files")
    parser.add_argument(
        "--out", type=Path, help=f"folder of CSV files, plots and page: {RESULTS}, {QUICK} with --quick"
    )
    options = parser.parse_args(arguments)
    out = options.out or (ROOT / (QUICK if options.quick else RESULTS))
    check_folder(out)
    for kind in DEVICES:
        for name, columns in NEEDED.items():
            read_csv(out / f"{name}-{kind}.csv", columns)
    read_csv(out / "gmacs.csv", ("network", "true_gmacs"))
    if options.readme:
        file = ROOT / "README.md"
        file.write_text(readme.rewrite(file.read_text(encoding="utf-8"), Results(out, "cpu")), encoding="utf-8")
        return
    remarks = [] if options.read else list(measure(out, options.quick))
    write(out, page(out, remarks))
    print(f"written: {out / 'report.md'}, {out / 'report.html'}")
    if remarks:
        sys.exit("\n".join(remarks))


if __name__ == "__main__":
    sys.exit(main())
