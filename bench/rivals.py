"""One frame of whole networks, ours and as somebody would run it instead: compiled, in ONNX Runtime, in OpenVINO.

python -m bench.rivals [NETWORK ...] [--size 640x360] [--threads N] [--quick] [--out bench/results]

Writes rivals-cpu.csv; rows of other networks and sizes stay. Same weights and same frames for all, in one process,
taking turns; the exports are of the reference, one step of the stream with its state as inputs and outputs. What is not
as right as the reference is not measured. Freed memory is kept for the next frame, as `vdeblur run` and the engines do.
"""

import argparse
import io
import sys
from collections.abc import Collection, Sequence
from contextlib import redirect_stderr
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bench import rival_profiles
from bench.contenders import CONTENDERS, OURS, Call, Job, tensors
from bench.counting import count
from bench.filled import filled
from bench.harness import DEVICE, Case, copy_bandwidth, gate, matmul_peak
from bench.outputs import check_folder
from bench.provenance import provenance, read_csv, version, write_csv
from bench.sizes import fitting, read_size
from bench.step import Step, steady, without_choice
from bench.timing import Spread, take_turns
from vdeblur_fast import accelerate, build, keep_memory
from vdeblur_fast.cli.options import check_model, whole
from vdeblur_fast.errors import UserError, told

NETWORKS = ["mmp-rnn-tiny", "mmp-rnn-a3b4c16", "estrnn-c70b7", "strcnn-dtb", "gsta-net-small", "david-small"]
SIZE, SMALLER = (640, 360), {"david-small": (320, 180)}  # where another engine takes seconds for a frame
FILE, KEY = "rivals-cpu.csv", ("network", "width", "height")
SECONDS, QUICK_SECONDS = 2.0, 0.2  # of measuring, for one contender
QUICK_SIZE, QUICK_WITHOUT = (320, 180), ("torch.compile, max-autotune",)
NEEDS = "`pip install 'vdeblur-fast[bench]'`"


def make_job(name: str, size: tuple[int, int], threads: int) -> Job:
    """A network in the middle of a stream of random frames."""
    network = filled(name)
    frames = torch.rand(network.past + network.future + 2, 3, size[1], size[0])
    networks, moment = without_choice(network, [accelerate(network, "fp32")], steady(network, frames))
    return Job(*(Step(each, moment) for each in networks), threads)


def check(name: str, call: Call, job: Job) -> float:
    """The largest error of any output, as a share of that output's largest value.

    Raises AssertionError where an output is further off than `gate` allows, whose measure is the reference's own error.
    """
    found = enumerate(zip(tensors(call()), job.outputs, job.truth, strict=True))
    return max(error(f"{name}, output {i}", *three) for i, three in found)


def error(name: str, got: torch.Tensor, same: torch.Tensor, want: torch.Tensor) -> float:
    gate(Case(name, lambda _: got, lambda _: same, (same,), 0, 0, lambda _: want))
    return ((got - want).abs().max() / want.abs().max().clamp(min=1e-30)).item()


def prepared(job: Job, without: Collection[str] = ()) -> tuple[dict[str, Call], dict[str, float], dict[str, str]]:
    """The contenders that are right, their errors, and why the others are not there."""
    calls, errors = {}, {}
    torch.compiler.reset()
    reasons = dict.fromkeys(without, "left out of a quick run")
    for name, prepare in CONTENDERS.items():
        if name in reasons:
            continue
        print(f"preparing {name} ...", file=sys.stderr, flush=True)
        try:
            with redirect_stderr(io.StringIO()):  # compilers and exporters tell of every step
                call = prepare(job)
            errors[name] = check(name, call, job)
            calls[name] = call
        except ImportError as error:
            reasons[name] = f"{error.name} is not installed: {NEEDS}"
        except Exception as error:
            reasons[name] = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return calls, errors, reasons


@torch.no_grad()
def measure(name: str, size: tuple[int, int], threads: int, quick: bool) -> list[dict[str, Any]]:
    """A row for each contender."""
    width, height = size = fitting(build(name), *size)
    keep_memory()
    torch.set_num_threads(threads)
    job = make_job(name, size, threads)
    calls, errors, notes = prepared(job, QUICK_WITHOUT if quick else ())
    times = take_turns(calls, QUICK_SECONDS if quick else SECONDS)
    notes |= rival_profiles.why_ours_loses(job, calls, times)
    moved = 2 * job.arrays[0].nbytes + sum(p.nbytes for p in job.reference.parameters())
    moving = 1e3 * moved / copy_bandwidth()
    computing = 2e12 * count(build(name), *size).true_gmacs / matmul_peak(torch.float32)
    limit = max(moving, computing)
    measured = {
        "limit_ms": limit,
        "limited_by": "copy" if moving > computing else "operations",
        "copy_gb_s": copy_bandwidth() / 1e9,
        "matmul_gflop_s": matmul_peak(torch.float32) / 1e9,
        "threads": threads,
    }
    versions = {package: version(package) for package in ("onnx", "onnxruntime", "openvino")}
    return [
        {"network": name, "contender": contender, "width": width, "height": height}
        | figures(times.get(contender), times.get(OURS), limit)
        | {"error": errors.get(contender, ""), "note": notes.get(contender, "")}
        | measured
        | versions
        | provenance("cpu")
        for contender in CONTENDERS
    ]


def figures(time: Spread | None, own: Spread | None, limit: float) -> dict[str, Any]:
    """times_ours: how many times as long as ours it takes; of_limit: how near it comes to what physics allows."""
    if time is None:
        return dict.fromkeys((*Spread.__dataclass_fields__, "times_ours", "of_limit"), "")
    times_ours = time.median_ms / own.median_ms if own else ""
    return asdict(time) | {"times_ours": times_ours, "of_limit": limit / time.median_ms}


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [f"{'':30}{'ms':>10}{'quartiles':>20}{'times ours':>12}{'of limit':>10}{'error':>10}"]
    for row in rows:
        if row["contender"] == next(iter(CONTENDERS)):
            lines.append(f"{row['network']} {row['width']}x{row['height']}, {row['threads']} threads")
        if row["median_ms"] == "":
            lines.append(f"  {row['contender']:28}{'-':>10}  {row['note']}")
            continue
        quartiles = f"{row['low_ms']:.1f} to {row['high_ms']:.1f}"
        ratio = f"{row['times_ours']:.2f}" if row["times_ours"] else "-"
        lines.append(
            f"  {row['contender']:28}{row['median_ms']:10.1f}{quartiles:>20}{ratio:>12}{row['of_limit']:10.0%}"
            f"{row['error']:10.1e}  {row['note']}".rstrip()
        )
    return "\n".join(lines)


def run(options: argparse.Namespace) -> None:
    networks = options.networks or (NETWORKS[:1] if options.quick else NETWORKS)
    size = read_size(options.size) if options.size else QUICK_SIZE if options.quick else None
    if DEVICE != "cpu":
        raise UserError("the CPU is what is measured here; hide the GPU with CUDA_VISIBLE_DEVICES= before the command")
    for name in networks:
        check_model(name)
        if not hasattr(build(name), "encode"):
            raise UserError(f"{name} does not turn frames into frames; choose one of {', '.join(NETWORKS)}")
    path = options.out / FILE
    check_folder(options.out)
    read_csv(path, KEY)
    for name in networks:
        rows = measure(name, size or SMALLER.get(name, SIZE), options.threads, options.quick)
        print(table(rows), flush=True)
        new = [str(rows[0][column]) for column in KEY]
        kept = [row for row in read_csv(path, KEY) if [row[column] for column in KEY] != new]
        write_csv(path, [*kept, *rows])


@told("bench.rivals")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.rivals", description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--size", metavar="WxH", help="of the frame (640x360; 320x180 for david-small)")
    parser.add_argument("--threads", type=whole("--threads", 1), default=torch.get_num_threads(), help="(%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one network, small, without the slowest to compile")
    parser.add_argument("--out", type=Path, default=Path("bench/results"), help="folder for the CSV")
    run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
