"""Table 5 of the GSTA paper: the peak memory of one attention module over five frames, by patch size.

    python -m bench.memory [--out bench/results]     writes gsta-memory-cpu.csv (or -gpu.csv), its table and its plot
    python -m bench.memory --network NAME            the memory of a whole network: see bench.memory_of_network

Peak memory is what a call holds at most beyond its input, its result included: of PyTorch's allocator on a CPU,
`max_memory_allocated` on a GPU. What does not fit, or would take minutes, is computed from what the form allocates and
marked so.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from bench import memory_of_network
from bench.harness import DEVICE
from bench.memory_budget import available_bytes
from bench.memory_use import peak_bytes
from bench.outputs import check_folder
from bench.page import attention
from bench.page.document import markdown, write_figures
from bench.page.figures import attention_memory
from bench.page.results import Results
from bench.provenance import kind, provenance, read_csv, write_csv
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.modules import GSTA
from vdeblur_fast.reference.modules.gsta import GSTA as ReferenceGSTA
from vdeblur_fast.reference.modules.non_local import NonLocal

FRAMES, CHANNELS, MAPS, TIMES, BYTES = 5, 64, 16, 4, 4
SIZES = {str(n): (n, n) for n in (16, 32, 64, 128, 256)} | {"720p": (720, 1280), "2160p": (2160, 3840)}
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
# the efficient form; maps, their softmax, the gate and its product with the features of the reference; the result of
# the fused form.
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
        lambda p: BYTES * FRAMES * p * 5 * CHANNELS,
        non_local_operations,
    ),
    Form(
        "GSTA reference",
        lambda device: ReferenceGSTA(CHANNELS, MAPS, TIMES).to(device),
        lambda p: BYTES * FRAMES * p * (CHANNELS + 2 * MAPS + 1),
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


@torch.no_grad()
def peak(form: Form, size: tuple[int, int], device: str) -> tuple[float, bool]:
    """GB, and whether measured."""
    pixels = size[0] * size[1]
    holds = form.holds(pixels)
    needs = holds + BYTES * FRAMES * CHANNELS * pixels
    if needs > 0.7 * available_bytes(device) or form.computes(pixels) > MOST_OPERATIONS[device]:
        return holds / 1e9, False
    torch.manual_seed(0)
    module = form.build(device)
    x = torch.randn(1, FRAMES, CHANNELS, *size, device=device)
    return peak_bytes(lambda: module(x), device) / 1e9, True


@told("bench.memory")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for CSV, table and plot")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="which rows")
    memory_of_network.add_options(parser)
    options = parser.parse_args(arguments)
    if options.network:
        memory_of_network.report(options)
        return 0
    alone = {name: getattr(options, name) for name in ("size", "frames", "budget", "snapshot")}
    given = [f"--{name}" for name, value in alone.items() if value] + ["--no-accelerate"] * (not options.accelerate)
    if given:
        raise UserError(f"{' and '.join(given)}: of one network only; name it with --network")
    check_folder(options.out)
    read_csv(options.out / f"gsta-memory-{kind(DEVICE)}.csv", ("patch", "form"))  # no other's file is replaced
    print(measure(options.sizes, options.out), end="")


def measure(sizes: list[str], out: Path) -> str:
    """Writes the CSV, the plot and the table of these sizes -> the table."""
    origin, device = provenance(DEVICE), kind(DEVICE)
    rows = []
    for size in sizes:
        height, width = SIZES[size]
        for form in FORMS:
            gb, measured = peak(form, SIZES[size], DEVICE)
            rows.append({"patch": size, "pixels": height * width, "form": form.name, "gb": gb, "measured": measured})
    write_csv(out / f"gsta-memory-{device}.csv", [row | origin for row in rows])
    results = Results(out, device)
    blocks = [*attention.memory(results), *attention_memory(results)]
    write_figures(blocks, out)
    text = markdown(blocks)
    (out / f"gsta-memory-{device}.md").write_text(text, encoding="utf-8")
    return text


if __name__ == "__main__":
    sys.exit(main())
