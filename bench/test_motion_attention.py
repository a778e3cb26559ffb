"""motion_attention beside PyTorch: x and one number for each pixel are read, y is written."""

import pytest
import torch

from bench.harness import DEVICE, MEASURED, Case
from vdeblur_fast.ops import motion_attention
from vdeblur_fast.reference import ops as reference

SIZES = [(360, 640), (720, 1280)]


@pytest.mark.parametrize("dtype", MEASURED, ids=MEASURED.get)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")
@pytest.mark.parametrize("channels", [16, 18, 64])
def test_motion_attention(compare, channels, size, dtype):
    torch.manual_seed(0)
    x = torch.randn(1, channels, *size, device=DEVICE).to(dtype)
    magnitude = torch.rand(1, 1, *size, device=DEVICE).to(dtype)
    hidden = channels // 2
    branch = (hidden,), (hidden,), (channels, hidden), (channels,)
    parameters = (torch.randn(shape, device=DEVICE) * hidden**-0.5 for shape in 2 * branch)
    name = f"motion_attention c{channels}-{size[1]}x{size[0]}-{MEASURED[dtype]}"
    moved = 2 * x.nbytes + magnitude.nbytes
    compare(Case(name, motion_attention, reference.motion_attention, (x, magnitude, *parameters), moved, 0))
