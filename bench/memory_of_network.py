"""What `python -m bench.memory --network NAME` prints: what a network's memory is made of, and what fits into a budget.

Weights, state, activations and workspace are those of `bench.memory_breakdown`, at the worst moment of the stream; the
rest of the peak is what PyTorch's allocator does not see.
"""

import argparse
from pathlib import Path

from bench.memory_breakdown import Breakdown
from bench.memory_budget import in_words, largest, read_bytes
from bench.memory_peak import Peak, Request, alone, measure_breakdown, measure_peak
from bench.provenance import command, commit, hardware
from bench.sizes import read_size
from vdeblur_fast.cli.options import check_model, whole
from vdeblur_fast.errors import UserError

SIZE = "1280x720"
PARTS = {
    "weights": "packed copies for fused kernels included",
    "state": "what frames leave to later ones",
    "activations": "what a frame's layers leave to each other",
    "workspace": "what a layer needs while it runs",
}
REST = {"cpu": "Python, PyTorch, scratch of libraries", "cuda": "taken from the GPU, not in use"}


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("memory of one network, instead of the table").add_argument
    add("--network", metavar="NAME", help="whose memory; `vdeblur models` lists them")
    add("--size", metavar="WxH", help=f"of the frames ({SIZE})")
    add("--frames", type=whole("--frames", 1), metavar="N", help="how long the video is (until the peak is reached)")
    add("--budget", metavar="4GiB", help="also find the largest frame that takes no more than this")
    add("--snapshot", type=Path, metavar="FILE", help="on a GPU: write PyTorch's snapshot, for pytorch.org/memory_viz")
    add("--no-accelerate", dest="accelerate", action="store_false", help="plain PyTorch instead of fused kernels")


def read_request(options: argparse.Namespace) -> Request:
    """Raises UserError for options that cannot be."""
    import torch

    from vdeblur_fast import build
    from vdeblur_fast.reference.networks import VideoNetwork

    check_model(options.network)
    network = build(options.network)
    if not isinstance(network, VideoNetwork):
        raise UserError(f"--network {options.network} does not turn frames into frames; choose another")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.snapshot and device == "cpu":
        raise UserError("--snapshot needs a GPU, for PyTorch records the allocations of no other device; leave it out")
    if options.snapshot and not options.snapshot.parent.is_dir():
        raise UserError(f"--snapshot: the folder {options.snapshot.parent} does not exist; make it first")
    frames = options.frames or network.past + network.future + 3
    return Request(
        options.network, *read_size(options.size or SIZE), frames, device, options.accelerate, options.snapshot
    )


def text(request: Request, peak: Peak, parts: Breakdown) -> str:
    kind = "accelerated" if request.accelerate else "plain PyTorch"
    lines = [
        f"{request.network}, {kind}, {request.frames} frames of {request.width}x{request.height}, "
        f"on {hardware(request.device)}",
        *(line(name, getattr(parts, name), says) for name, says in PARTS.items()),
        line("the rest", peak.bytes - parts.total, REST[request.device]),
        line("peak", peak.bytes, f"{in_words(peak.idle)} of it before there was a network" if peak.idle else ""),
        f"commit {commit()}, `{command()}`",
    ]
    return "\n".join(lines)


def line(name: str, count: float, says: str) -> str:
    return f"  {name:14}{in_words(count):>12}  {says}".rstrip()


def report(options: argparse.Namespace) -> None:
    """Measures and prints. Raises UserError for options that cannot be."""
    budget = read_bytes(options.budget) if options.budget else None
    request = read_request(options)
    peak = alone(measure_peak, request)
    print(text(request, peak, alone(measure_breakdown, request)), flush=True)
    if request.snapshot:
        print(f"snapshot written to {request.snapshot}; open it on https://pytorch.org/memory_viz")
    if budget:
        fits = largest(request, peak, budget)
        said = f"a run took {in_words(fits.peak)}" if fits.peak else f"computed, not run: {fits.reason}"
        print(f"largest frame within {in_words(budget)}: {fits.width}x{fits.height} ({said})")
