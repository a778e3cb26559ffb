"""A 1x1 convolution of several pictures beside PyTorch, which concatenates them, in the sizes of the networks."""

import copy

import pytest
import torch

from bench.harness import DEVICE, MEASURED, Case
from vdeblur_fast.ops import convolution
from vdeblur_fast.reference.modules import JoiningConv2d

# pictures, channels of each, outputs, height, width: at 640x360 on the CPU, else at 1280x720
SIZES = [
    (10, 40, 40, 90, 160),  # what the blocks of mmp-rnn-tiny's reconstructor keep
    (5, 40, 40, 90, 160),  # ... its five frames
    (4, 80, 80, 90, 160),  # mmp-rnn-a3b4c16
    (7, 70, 70, 90, 160),  # estrnn-c70b7
    (5, 70, 350, 90, 160),  # ... its five frames
    (2, 16, 16, 360, 640),  # gsta-net-small
]
SCALE = 1 if DEVICE == "cpu" else 2


@torch.no_grad()
@pytest.mark.parametrize("dtype", MEASURED, ids=MEASURED.get)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "{}x{}to{}-{}x{}".format(*s[:3], s[4] * SCALE, s[3] * SCALE))
def test_joining_convolution(compare, sizes, dtype):
    count, channels, outputs, height, width = sizes
    height, width = height * SCALE, width * SCALE
    torch.manual_seed(0)
    plain = JoiningConv2d(count * channels, outputs, 1).to(DEVICE, dtype).requires_grad_(False)
    weight, bias, exact = plain.weight.clone(), plain.bias, copy.deepcopy(plain).double()
    plain.to(memory_format=torch.channels_last)
    pictures = tuple(torch.randn(1, channels, height, width, device=DEVICE).to(dtype) for _ in range(count))
    pictures = tuple(x.contiguous(memory_format=torch.channels_last) for x in pictures)

    def ours(*pictures: torch.Tensor) -> torch.Tensor:
        return convolution(pictures, weight, bias)

    pixels = height * width
    moved = (count * channels + outputs) * pixels * pictures[0].element_size()
    operations = 2 * count * channels * outputs * pixels
    name = f"convolution {count} times {channels} to {outputs} 1x1 {width}x{height}-{MEASURED[dtype]}"
    compare(Case(name, ours, plain, pictures, moved, operations, exact))
