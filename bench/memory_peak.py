"""How much memory a network needs for a video, measured in a process of its own, untouched by what others left.

Peak: on a CPU the most physical memory that the process had, Python and PyTorch included; on a GPU the most that
PyTorch's allocator took from it.
"""

import multiprocessing
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """A network and a video for it. device: "cpu" or "cuda". snapshot: where PyTorch's memory snapshot goes."""

    network: str
    width: int
    height: int
    frames: int
    device: str
    accelerate: bool = True
    snapshot: Path | None = None

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True)
class Peak:
    """What a stream took at most, its process before there was a network, and how long it ran."""

    bytes: int
    idle: int
    seconds: float


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns that runs in a process of its own; BrokenProcessPool where the system ended it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def make_stream(request: Request) -> Any:
    """Its Deblurrer, with whatever weights: memory does not depend on them."""
    from bench.filled import filled
    from vdeblur_fast import Deblurrer

    return Deblurrer(filled(request.network), device=request.device, accelerate=request.accelerate)


def images(request: Request) -> Iterator[Any]:
    import numpy as np

    noise = np.random.default_rng(0)
    for _ in range(request.frames):
        yield noise.integers(0, 256, (request.height, request.width, 3), np.uint8)


def measure_peak(request: Request) -> Peak:
    import torch

    from vdeblur_fast import Deblurrer  # noqa: F401 what an import takes is not the network's

    if request.snapshot:
        torch.cuda.memory._record_memory_history()
    idle, began = resident("VmRSS"), time.perf_counter()
    stream = make_stream(request)
    for image in images(request):
        stream.push(image)
    stream.flush()
    seconds = time.perf_counter() - began
    if request.snapshot:
        torch.cuda.memory._dump_snapshot(str(request.snapshot))
    if request.device == "cuda":
        return Peak(torch.cuda.max_memory_reserved(), 0, seconds)
    return Peak(resident("VmHWM"), idle, seconds)


def measure_breakdown(request: Request) -> Any:
    """-> `memory_breakdown.Breakdown`"""
    from bench.memory_breakdown import breakdown

    return breakdown(lambda: make_stream(request), images(request), request.device)


def resident(what: str) -> int:
    """Bytes of physical memory of this process: "VmRSS" now, "VmHWM" at most."""
    status = Path("/proc/self/status")
    if status.is_file():
        return 1024 * int(re.search(rf"{what}:\s+(\d+) kB", status.read_text()).group(1))
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
