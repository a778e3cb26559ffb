"""One frame of a stream, in its middle, through whole networks: plain PyTorch, compiled, and ours."""

import copy

import pytest
import torch
from torch import nn

from bench.counting import count
from bench.harness import DEVICE, TYPES, Case
from vdeblur_fast import accelerate, build
from vdeblur_fast.device import cpu_is_fast_at

ON_CPU = [
    (name, 640, 360) for name in ("mmp-rnn-tiny", "mmp-rnn-a3b4c16", "estrnn-c70b7", "strcnn-dtb", "gsta-net-small")
]
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
PRECISIONS = [name for name in TYPES.values() if DEVICE == "cuda" or cpu_is_fast_at(name)]


class SteadyFrame(nn.Module):
    """frame (1, 3, H, W) -> image, with the state and the neighbours of the middle of a stream."""

    def __init__(self, network: nn.Module, like: torch.Tensor):
        super().__init__()
        self.network = network
        entries, self.encoded, self.decoded = [], None, None
        for _ in range(network.past + network.future + 1):
            entry, self.encoded = network.encode(like, self.encoded)
            entries.append(entry)
        _, self.decoded = network.decode(entries, None)
        self.entries = entries

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        entry, _ = self.network.encode(frame, self.encoded)
        return self.network.decode([*self.entries[1:], entry], self.decoded)[0]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("name", "width", "height"), ON_CPU if DEVICE == "cpu" else ON_GPU)
@torch.no_grad()
def test_network(compare, name: str, width: int, height: int, precision: str):
    torch.manual_seed(0)
    network = build(name).eval().requires_grad_(False).to(DEVICE)
    frame = torch.rand(1, 3, height, width, device=DEVICE)
    fast = accelerate(network, precision)
    dtype = fast.acceleration.precision
    plain = copy.deepcopy(network).to(dtype, memory_format=torch.channels_last)
    x = frame.to(dtype, memory_format=torch.channels_last)
    moved = 2 * x.nbytes + sum(p.nbytes for p in plain.parameters())
    operations = int(2e9 * count(build(name), width, height).true_gmacs)
    exact = SteadyFrame(network.double(), frame.double())
    case = Case(
        f"{name} {width}x{height} {precision}",
        SteadyFrame(fast, x),
        SteadyFrame(plain, x),
        (x,),
        moved,
        operations,
        exact,
    )
    compare(case)
