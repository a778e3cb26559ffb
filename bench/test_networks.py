"""One frame of a stream, in its middle, through whole networks: plain PyTorch, compiled, and ours.

Freed memory is kept for the next frame, as `vdeblur run` keeps it, whoever's turn it is: else the pages that one
contender gives back are those that the next one waits for.
"""

import copy
from collections.abc import Callable

import pytest
import torch

from bench.counting import count
from bench.harness import DEVICE, MEASURED, Case
from bench.step import Step, steady
from vdeblur_fast import accelerate, build, keep_memory

ON_CPU = [
    (name, 640, 360) for name in ("mmp-rnn-tiny", "mmp-rnn-a3b4c16", "estrnn-c70b7", "strcnn-dtb", "gsta-net-small")
] + [("david-small", 320, 192)]
ON_GPU = [
    (name, 1280, 720)
    for name in (
        "mmp-rnn-tiny",
        "mmp-rnn-a3b4c16",
        "mmp-rnn-a9b10c18",
        "estrnn-c70b7",
        "estrnn-c90b10",
        "strcnn-dtb",
        "gsta-net",
        "david-small",
    )
]


def exactly(network: torch.nn.Module, moment: tuple) -> Callable[..., tuple[torch.Tensor, ...]]:
    """The network's step as exact as bfloat16 is judged by; on a GPU in float32, for there float64 takes minutes."""
    if DEVICE == "cpu":
        return Step(network.double(), moment)
    step = Step(network.float(), moment)

    def call(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
        try:
            return tuple(found.double() for found in step(*(x.float() for x in inputs)))
        finally:
            torch.backends.cudnn.allow_tf32 = before

    return call


@pytest.mark.parametrize("precision", MEASURED.values())
@pytest.mark.parametrize(("name", "width", "height"), ON_CPU if DEVICE == "cpu" else ON_GPU)
@torch.no_grad()
def test_network(compare, name: str, width: int, height: int, precision: str):
    keep_memory()
    torch.manual_seed(0)
    network = build(name).eval().requires_grad_(False).to(DEVICE)
    fast = accelerate(network, precision)
    dtype = fast.acceleration.precision
    plain = copy.deepcopy(network).to(dtype, memory_format=torch.channels_last)
    frames = torch.rand(network.past + 2 + network.future, 3, height, width, device=DEVICE)
    moment = steady(plain, frames.to(dtype, memory_format=torch.channels_last))
    reference = Step(plain, moment)
    moved = 2 * moment[0].nbytes + sum(p.nbytes for p in plain.parameters())
    operations = int(2e9 * count(build(name), width, height).true_gmacs)
    title = f"{name} {width}x{height} {precision}"
    exact = exactly(network, moment)
    compare(Case(title, Step(fast, moment), reference, reference.inputs, moved, operations, exact, graphed=True))
