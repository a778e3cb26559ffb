"""Table 5 of the GSTA paper: the peak memory of one attention module over five frames, by patch size.

    python -m bench.memory [--out bench/results/memory]     writes memory.md, memory.csv and memory.png there
    python -m bench.memory --network NAME                   the memory of a whole network: see bench.memory_of_network

Peak memory is what a call holds at most beyond its input, its result included: of PyTorch's allocator on a CPU,
`max_memory_allocated` on a GPU. What does not fit, or would take minutes, is computed from what the form allocates and
marked so. The paper's column is of a whole TitanX process and so has a floor of 0.8 GB.
"""

import argparse
import csv
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from bench import memory_of_network
from bench.memory_use import peak_bytes
from bench.provenance import commit, hardware
from vdeblur_fast.errors import UserError
from vdeblur_fast.modules import GSTA
from vdeblur_fast.reference.modules.gsta import GSTA as ReferenceGSTA
from vdeblur_fast.reference.modules.non_local import NonLocal

FRAMES, CHANNELS, MAPS, TIMES, BYTES = 5, 64, 16, 4, 4
SIZES = {str(n): (n, n) for n in (16, 32, 64, 128, 256)} | {"720p": (720, 1280), "2160p": (2160, 3840)}
PAPER = {"16": (0.82, 0.89), "32": (0.88, 1.2), "64": (0.94, 4.1), "128": (1.3, None), "256": (1.9, None)}
MOST_OPERATIONS = {"cpu": 1e12, "cuda": 1e15}


@dataclass(frozen=True)
class Form:
    """A way to attend: how it is called, and what it holds (bytes) and computes for P pixels a frame."""

    name: str
    build: Callable[[str], Callable[[torch.Tensor], object]]
    holds: Callable[[int], float]
    computes: Callable[[int], float]


def gsta_operations(p: int) -> float:
    return p * CHANNELS * (FRAMES * (4 * MAPS + 2) + 4 * MAPS * TIMES)


def non_local_operations(p: int) -> float:
    return 2 * (FRAMES * p) ** 2 * CHANNELS


def streaming(device: str) -> Callable[[torch.Tensor], object]:
    """One new frame: its squeeze and its distribution, the other summaries kept."""
    module = GSTA(CHANNELS, MAPS, TIMES).to(device)

    def new_frame(x: torch.Tensor) -> torch.Tensor:
        return module.distribute(x[:, 0], [*kept[1:], module.squeeze(x[:, 0])])

    kept = [module.squeeze(torch.zeros(1, CHANNELS, 8, 8, device=device)) for _ in range(FRAMES)]
    return new_frame


# Held at the worst moment, in floats per pixel of a frame: scores and their softmax; q, k, v, input copy and result of
# the efficient form; maps, their softmax and product with the gate of the reference; the result of the fused form.
FORMS = [
    Form(
        "non-local, eager",
        lambda device: NonLocal(CHANNELS).to(device),
        lambda p: BYTES * (2 * (FRAMES * p) ** 2 + FRAMES * p * 2.5 * CHANNELS),
        non_local_operations,
    ),
    Form(
        "non-local, efficient attention",
        lambda device: NonLocal(CHANNELS, efficient=True).to(device),
        lambda p: BYTES * FRAMES * p * 4 * CHANNELS,
        non_local_operations,
    ),
    Form(
        "GSTA reference",
        lambda device: ReferenceGSTA(CHANNELS, MAPS, TIMES).to(device),
        lambda p: BYTES * p * max(3 * FRAMES * MAPS, 2 * MAPS * TIMES + CHANNELS),
        gsta_operations,
    ),
    Form(
        "GSTA fused",
        lambda device: GSTA(CHANNELS, MAPS, TIMES).to(device),
        lambda p: BYTES * p * CHANNELS,
        gsta_operations,
    ),
    Form("GSTA streaming", streaming, lambda p: BYTES * p * CHANNELS, gsta_operations),
]


def free_bytes(device: str) -> float:
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@torch.no_grad()
def peak(form: Form, size: tuple[int, int], device: str) -> tuple[float, bool]:
    """GB, and whether measured."""
    pixels = size[0] * size[1]
    holds = form.holds(pixels)
    needs = holds + BYTES * FRAMES * CHANNELS * pixels
    if needs > 0.7 * free_bytes(device) or form.computes(pixels) > MOST_OPERATIONS[device]:
        return holds / 1e9, False
    torch.manual_seed(0)
    module = form.build(device)
    x = torch.randn(1, FRAMES, CHANNELS, *size, device=device)
    return peak_bytes(lambda: module(x), device) / 1e9, True


def table(found: dict[str, dict[str, tuple[float, bool]]], device: str) -> str:
    """Markdown: a row for each size, computed figures in parentheses."""
    names = [form.name for form in FORMS]
    how = "max_memory_allocated" if device == "cuda" else "the allocator's peak"
    lines = [
        f"Peak memory in GB of one attention module, {FRAMES} frames, {CHANNELS} channels, {MAPS} x {TIMES} maps, "
        f"float32, beyond the input ({how} on {hardware(device)}, commit {commit()}); in parentheses: computed, "
        "not run.",
        "",
        "| patch | " + " | ".join([*names, "paper: GSTA", "paper: [33]"]) + " |",
        "|" + "---|" * (len(names) + 3),
    ]
    for size, row in found.items():
        cells = [f"{gb:.4f}" if measured else f"({gb:.4g})" for gb, measured in (row[name] for name in names)]
        ours, theirs = PAPER.get(size, ("–", "–"))
        paper = [str(ours), "out of memory" if theirs is None else str(theirs)]
        lines.append(f"| {size} | " + " | ".join([*cells, *paper]) + " |")
    row = found["128"]
    block, measured = row["non-local, eager"]
    fused, plain = (1 - row[name][0] / block for name in ("GSTA fused", "GSTA reference"))
    lines += [
        "",
        f"At 5 x 128 x 128 GSTA needs {fused:.2%} less than the non-local block"
        f"{'' if measured else ' (computed)'} when fused and {plain:.2%} less in plain PyTorch; the paper says "
        '"almost 90 %", of whole processes.',
    ]
    return "\n".join(lines) + "\n"


def draw(found: dict[str, dict[str, tuple[float, bool]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    pixels = [SIZES[size][0] * SIZES[size][1] for size in found]
    for form in FORMS:
        values = [found[size][form.name] for size in found]
        (line,) = axes.loglog(pixels, [gb for gb, _ in values], label=form.name, linewidth=1.2)
        for p, (gb, measured) in zip(pixels, values, strict=True):
            axes.plot(p, gb, "o", color=line.get_color(), fillstyle="full" if measured else "none")
    axes.set_xticks(pixels, list(found))
    axes.minorticks_off()
    axes.set_xlabel("patch")
    axes.set_ylabel("GB beyond the input (open: computed)")
    axes.set_title(f"Peak memory of one attention module, {FRAMES} frames", loc="left")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("bench/results/memory"), help="folder for table and plot")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="which rows")
    memory_of_network.add_options(parser)
    try:
        options = parser.parse_args(arguments)
        if options.network:
            memory_of_network.report(options)
            return 0
        if options.budget or options.snapshot:
            raise UserError("--budget and --snapshot are about one network; name it with --network")
    except UserError as error:
        print(f"bench.memory: {error}", file=sys.stderr)
        return 2
    write_table(options)
    return 0


def write_table(options: argparse.Namespace) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sizes = list(dict.fromkeys([*options.sizes, "128"]))
    found = {s: {form.name: peak(form, SIZES[s], device) for form in FORMS} for s in SIZES if s in sizes}
    options.out.mkdir(parents=True, exist_ok=True)
    text = table(found, device)
    (options.out / "memory.md").write_text(text, encoding="utf-8")
    with (options.out / "memory.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["patch", "form", "gb", "measured"])
        writer.writerows([s, name, gb, measured] for s, row in found.items() for name, (gb, measured) in row.items())
    draw(found, options.out / "memory.png")
    print(text, end="")


if __name__ == "__main__":
    sys.exit(main())
