"""RDB beside PyTorch, in the sizes of the networks; the limit is of the operations as they are defined, and Winograd's
convolutions need fewer: `of_limit` may pass 100 %."""

import copy

import pytest
import torch

from bench.harness import DEVICE, MEASURED, Case
from vdeblur_fast.modules import RDB
from vdeblur_fast.reference.modules import RDB as ReferenceRDB

# channels, growth, height, width: MMP-RNN at 1280x720 and 640x360 (A9B10C18, A3B4C16), mmp-rnn-tiny at 640x360
ON_CPU = [(90, 36, 180, 320), (80, 32, 180, 320), (80, 32, 90, 160), (40, 16, 90, 160), (16, 12, 90, 160)]
ON_CPU += [(8, 8, 180, 320)]
ON_GPU = [(90, 36, 180, 320), (80, 32, 180, 320), (18, 18, 720, 1280), (36, 27, 360, 640)]
ORDERS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


@torch.no_grad()
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", MEASURED, ids=MEASURED.get)
@pytest.mark.parametrize("sizes", ON_CPU if DEVICE == "cpu" else ON_GPU, ids=lambda s: "c{}g{}-{}x{}".format(*s))
def test_residual_dense_block(compare, sizes, dtype, order):
    channels, growth, height, width = sizes
    torch.manual_seed(0)
    fast = RDB(channels, growth).to(DEVICE).requires_grad_(False).eval()
    reference = ReferenceRDB(channels, growth).to(DEVICE).requires_grad_(False).eval()
    reference.load_state_dict(fast.state_dict())
    exact = copy.deepcopy(reference).double()
    x = torch.randn(1, channels, height, width, device=DEVICE).to(dtype, memory_format=ORDERS[order])
    for module in (fast, reference):
        module.to(dtype, memory_format=ORDERS[order])
    macs = sum(p.numel() for p in fast.parameters() if p.dim() == 4) * height * width
    name = f"RDB c{channels}-g{growth}-{width}x{height}-{MEASURED[dtype]}-{order}"
    compare(Case(name, fast, reference, (x,), 2 * x.nbytes, 2 * macs, exact))
