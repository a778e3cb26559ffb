"""What one frame costs in every network of the papers' tables: parameters, GMACs, time and peak memory.

python -m bench.costs comparators | mmp-rnn | gsta-net | strcnn | david
                      [--only NETWORK ...] [--quick] [--out bench/results]

Writes <tables>-cpu.csv (or -gpu.csv); with --only, rows of other networks stay. A frame in the middle of a video, with
random weights, which times do not depend on; in plain PyTorch ("eager") and accelerated ("ours"), taking turns. Eager
runs in both memory layouts, and the faster one is what counts; ours has its own. All frames of a window differ.
Comparators have no fused blocks; theirs is what `accelerate` does for any network. The matrix product whose speed is
the limit takes its turns with them, for a machine that slows down slows all. Peak memory: what a call holds at most
beyond the weights and the stream's state.
"""

import argparse
import copy
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench import gmacs
from bench.counting import count
from bench.harness import DEVICE
from bench.memory_use import peak_bytes
from bench.outputs import check_folder
from bench.provenance import kind, provenance, read_csv, write_csv
from bench.timing import take_turns
from vdeblur_fast import accelerate
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.networks import VideoNetwork

# On a CPU all networks get the same small frame, whose sides are multiples of 64 as CDVD-TSP likes them.
FRAME = (320, 192) if DEVICE == "cpu" else (1280, 720)
QUICK = 4  # times smaller each way
PRODUCT = 2048 if DEVICE == "cpu" else 8192
FACTOR = torch.randn(PRODUCT, PRODUCT, device=DEVICE)
SECONDS, QUICK_SECONDS = 1.0, 0.2
KEY = "network", "how"
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


@dataclass(frozen=True)
class Subject:
    """A network to be measured; `frames` are the neighbours that GSTA-Net is to use, None for what it likes."""

    network: str
    size: tuple[int, int] = FRAME
    frames: int | None = None

    def build(self) -> nn.Module:
        network = gmacs.make(self.network).eval().requires_grad_(False)
        if self.frames is not None:
            network.limit(frames=self.frames)
            nn.init.constant_(network.selector.decide.bias, 10)  # every neighbour is wanted, so the limit is met
        return network


@dataclass(frozen=True)
class EncodingAlone(Subject):
    """The part of a frame's work that is done once, whatever looks at it later."""


PRINTED = list(dict.fromkeys(name for table in gmacs.TABLES.values() for name in table))
TABLES: dict[str, list[Subject]] = {
    "comparators": [Subject(name) for name in PRINTED if not name.startswith("mmp-rnn")],
    "mmp-rnn": [Subject(name) for name in ("mmp-rnn-tiny", "mmp-net", *PRINTED) if name.startswith("mmp-")],
    "gsta-net": [
        *(Subject("gsta-net", frames=frames) for frames in (3, 5, 7)),
        EncodingAlone("gsta-net"),
        *(Subject(f"gsta-net{n}") for n in (1, 2, 3, 5)),
        Subject("gsta-net-small"),
    ],
    "strcnn": [Subject("strcnn-dtb", (640, 480)), Subject("strcnn-dtb", (1280, 720))],
    "david": [
        Subject(f"{name}{part}")
        for name in ("david-small", "david")
        for part in ("-single1", "-single3", "-single5", "-single7", "-internal", "-external", "")
    ],
}


def product() -> torch.Tensor:
    """What the limit is measured by: the product of two square matrices."""
    return FACTOR @ FACTOR


def work(network: nn.Module, frame: torch.Tensor, encoding: bool) -> Callable[[], Any]:
    """What is done for a frame in the middle of a video."""
    if encoding:
        return partial(network.encode, frame)
    return steady_frame(network, frame) if isinstance(network, VideoNetwork) else partial(network, frame)


def steady_frame(network: VideoNetwork, frame: torch.Tensor) -> Callable[[], Any]:
    """As the network's own, but of frames that move, so that no cache holds one that stands for all of a window."""
    entries, before = [], None
    for shift in range(network.past + 1 + network.future):
        moved = torch.empty_like(frame).copy_(frame.roll(shift, -1))  # in the frame's memory order
        entry, before = network.encode(moved, before)
        entries.append(entry)
    _, memory = network.decode(entries)
    return lambda: (network.encode(frame, before), network.decode(entries, memory))


@torch.inference_mode()
def measure(subject: Subject, seconds: float) -> list[dict[str, Any]]:
    """Two rows: eager and ours."""
    width, height = subject.size
    torch.manual_seed(0)
    encoding = isinstance(subject, EncodingAlone)
    plain = subject.build().to(DEVICE)
    frame = torch.rand(1, 3, height, width, device=DEVICE)
    works = {"ours": work(accelerate(plain, "fp32"), frame, encoding)}
    for name, layout in LAYOUTS.items():
        copied = copy.deepcopy(plain).to(memory_format=layout)
        works[name] = work(copied, frame.contiguous(memory_format=layout), encoding)
    times = take_turns(works | {"product": product}, seconds)
    layout = min(LAYOUTS, key=lambda name: times[name].median_ms)
    times["eager"], works = times[layout], {"eager": works[layout], "ours": works["ours"]}
    peaks = {how: peak_bytes(function, DEVICE) / 2**20 for how, function in works.items()}
    counted = count(subject.build(), width, height, gmacs.BATCH_NORM.get(subject.network, 2))
    speed = 2 * PRODUCT**3 / times["product"].median_ms  # operations a millisecond, while they took turns
    limit = 2e9 * counted.true_gmacs / speed
    return [
        {
            "network": subject.network,
            "frames": "" if subject.frames is None else subject.frames,
            "part": "encoding" if encoding else "frame",
            "how": how,
            "layout": layout if how == "eager" else "",
            "width": width,
            "height": height,
            "params": counted.params,
            "paper_rule_gmacs": "" if encoding else round(counted.paper_gmacs, 3),
            "true_gmacs": "" if encoding else round(counted.true_gmacs, 3),
            **asdict(times[how]),
            "peak_mib": peaks[how],
            "limit_ms": "" if encoding else limit,
            "of_limit": "" if encoding else limit / times[how].median_ms,
            "matmul_gflop_s": speed / 1e6,
            "threads": torch.get_num_threads(),
        }
        | provenance(DEVICE)
        for how in works
    ]


@told("bench.costs")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.costs", description=__doc__.splitlines()[0])
    parser.add_argument("tables", choices=TABLES, help="which paper's networks")
    parser.add_argument("--only", nargs="+", metavar="NETWORK", help="of them, only these")
    parser.add_argument("--quick", action="store_true", help="smaller frames, fewer rounds: to see that it works")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the CSV")
    options = parser.parse_args(arguments)
    path = options.out / f"{options.tables}-{kind(DEVICE)}.csv"
    order = list(dict.fromkeys(subject.network for subject in TABLES[options.tables]))
    again = options.only or order
    if unknown := [name for name in again if name not in order]:
        raise UserError(f"--only {unknown[0]}: not a network of {options.tables}; name any of {', '.join(order)}")
    check_folder(options.out)
    rows = [row for row in read_csv(path, KEY) if row["network"] in order and row["network"] not in again]
    subjects = [subject for subject in TABLES[options.tables] if subject.network in again]
    for subject in subjects:
        if options.quick:
            subject = replace(subject, size=(subject.size[0] // QUICK, subject.size[1] // QUICK))
        found = measure(subject, QUICK_SECONDS if options.quick else SECONDS)
        rows += found
        write_csv(path, sorted(rows, key=lambda row: order.index(row["network"])))
        eager, ours = (row["median_ms"] for row in found)
        print(f"{subject.network:34}{subject.size!s:14}eager {eager:9.1f} ms   ours {ours:9.1f} ms", flush=True)


if __name__ == "__main__":
    sys.exit(main())
