"""upsample_concat beside PyTorch: both pictures are read, the result is written."""

import pytest
import torch

from bench.harness import DEVICE, MEASURED, Case
from vdeblur_fast.ops import upsample_concat
from vdeblur_fast.reference import ops as reference

# Channels of the small picture, those of the other, and its size: DAVID's ways up at 640x360, and one at 1280x720.
SIZES = [(32, 16, 360, 640), (64, 32, 180, 320), (128, 64, 90, 160), (32, 16, 720, 1280)]


@pytest.mark.parametrize("dtype", MEASURED, ids=MEASURED.get)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "c{}-{}-{}x{}".format(*size[:2], size[3], size[2]))
def test_upsample_concat(compare, size, dtype):
    torch.manual_seed(0)
    channels, others, height, width = size
    x = torch.randn(1, channels, height // 2, width // 2, device=DEVICE).to(dtype)
    skip = torch.randn(1, others, height, width, device=DEVICE).to(dtype)
    x, skip = (picture.contiguous(memory_format=torch.channels_last) for picture in (x, skip))
    name = f"upsample_concat c{channels}-{others}-{width}x{height}-{MEASURED[dtype]}"
    moved = x.nbytes + skip.nbytes * (1 + (channels + others) / others)
    compare(Case(name, upsample_concat, reference.upsample_concat, (x, skip), moved, 0))
