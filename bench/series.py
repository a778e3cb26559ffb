"""What is measured as it grows: along which axis, at which points, and the call at a point."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from bench.costs import work
from bench.harness import DEVICE
from vdeblur_fast import accelerate, build
from vdeblur_fast.modules import GSTA, RDB
from vdeblur_fast.reference.modules.gsta import GSTA as ReferenceGSTA
from vdeblur_fast.reference.modules.non_local import NonLocal
from vdeblur_fast.reference.networks import MMPRNN

Point = int | tuple[int, int]  # a number, or width and height
Call = Callable[[], Any]
FRAMES = [(256, 256), (512, 512), (1280, 720), (1920, 1080), (3840, 2160)]
PATCHES = [(16, 16), (24, 24), (32, 32), (48, 48), (64, 64)]
MAPS = 16, 4


@dataclass(frozen=True)
class Series:
    """`make(point)` prepares the call at a point; `grows` is the exponent to expect until two points are known."""

    axis: str
    name: str
    points: list[Point]
    make: Callable[[Any], Call]
    grows: float = 1


def place(point: Point) -> int:
    """Where a point stands on its axis."""
    return math.prod(point) if isinstance(point, tuple) else point


def label(point: Point) -> str:
    return "x".join(map(str, point)) if isinstance(point, tuple) else str(point)


def network(built: nn.Module, ours: bool, size: tuple[int, int], batch: int = 1) -> Call:
    """A frame in the middle of a video. Eager is channels last, its faster layout wherever both have been measured."""
    built = built.eval().requires_grad_(False).to(DEVICE)
    frames = torch.rand(batch, 3, *size[::-1], device=DEVICE)
    if ours:
        return work(accelerate(built, "fp32"), frames, encoding=False)
    layout = torch.channels_last
    return work(built.to(memory_format=layout), frames.contiguous(memory_format=layout), encoding=False)


def tiny(ours: bool, size: tuple[int, int], batch: int = 1) -> Call:
    return network(build("mmp-rnn-tiny"), ours, size, batch)


def large(ours: bool, size: tuple[int, int]) -> Call:
    return network(build("mmp-rnn-a3b4c16"), ours, size)


def mmp_rnn(channels: int) -> Call:
    return network(MMPRNN(channels, 3, 4), True, (256, 256))


def streamed(size: tuple[int, int], window: int = 5, channels: int = 64) -> Call:
    """GSTA's squeeze and distribution of a new frame, the other frames' summaries kept."""
    module = GSTA(channels, *MAPS).to(DEVICE)
    x = torch.randn(1, channels, *size[::-1], device=DEVICE)
    kept = [module.squeeze(torch.zeros(1, channels, 8, 8, device=DEVICE))] * (window - 1)
    return lambda: module.distribute(x, [*kept, module.squeeze(x)])


def clip(module: nn.Module, frames: int, size: tuple[int, int], channels: int = 64) -> Call:
    """A block that is given all frames at once."""
    return partial(module.to(DEVICE), torch.randn(1, frames, channels, *size[::-1], device=DEVICE))


def dense_block(channels: int) -> Call:
    return partial(RDB(channels, channels).eval().to(DEVICE), torch.randn(1, channels, 90, 160, device=DEVICE))


def with_threads(ours: bool, threads: int) -> Call:
    call = tiny(ours, (640, 360))

    def limited() -> Any:
        torch.set_num_threads(threads)
        return call()

    return limited


def thread_counts() -> list[Point]:
    return [2**n for n in range(torch.get_num_threads().bit_length())]


def all_series() -> list[Series]:
    quarter = (320, 180)
    return [
        Series("pixels", "mmp-rnn-tiny, ours", FRAMES, partial(tiny, True)),
        Series("pixels", "mmp-rnn-tiny, eager", FRAMES, partial(tiny, False)),
        Series("pixels", "mmp-rnn-a3b4c16, ours", FRAMES, partial(large, True)),
        Series("pixels", "GSTA streamed, ours", FRAMES, streamed),
        Series("pixels", "non-local, eager", PATCHES, lambda size: clip(NonLocal(64), 5, size), 2),
        Series("frames", "GSTA streamed, ours", [1, 3, 5, 9, 17, 25], lambda n: streamed(quarter, n), 0),
        Series("frames", "GSTA clip, eager", [1, 3, 5, 9, 17], lambda n: clip(ReferenceGSTA(64, *MAPS), n, quarter)),
        Series("frames", "non-local, eager", [1, 3, 5, 9], lambda n: clip(NonLocal(64), n, (32, 32)), 2),
        Series("channels", "GSTA streamed, ours", [16, 32, 64, 128, 256], lambda c: streamed(quarter, channels=c)),
        Series("channels", "RDB, ours", [16, 32, 64, 128], dense_block, 2),
        Series(
            "channels", "MMP-RNN A3B4, ours", [8, 16, 24, 32], lambda c: network(MMPRNN(c, 3, 4), True, (256, 256)), 2
        ),
        Series("batch", "mmp-rnn-tiny, ours", [1, 2, 4, 8], partial(tiny, True, (256, 256))),
        Series("batch", "mmp-rnn-tiny, eager", [1, 2, 4, 8], partial(tiny, False, (256, 256))),
        Series("threads", "mmp-rnn-tiny, ours", thread_counts(), partial(with_threads, True), -1),
        Series("threads", "mmp-rnn-tiny, eager", thread_counts(), partial(with_threads, False), -1),
    ]
