"""Features of which one channel stands for all: views whose channels are no step apart."""

import pytest
import torch

from vdeblur_fast import ops
from vdeblur_fast.reference import ops as reference

from .checking import check_values, normal

C, H, W = 8, 20, 24  # more pixels than the largest tile has
ARGUMENTS = {
    "spatial_squeeze": (normal(4, C), normal(4)),
    "pixel_distribute": (normal(1, C, 4), normal(4, C), normal(4)),
    "motion_attention": (normal(1, 1, H, W), normal(4), normal(4), normal(C, 4), normal(C)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_one_channel_for_all(body, name, dtype):
    lead = (1, 1) if name == "spatial_squeeze" else (1,)
    x = normal(*lead, 1, H, W).to(dtype).expand(*lead, C, H, W)
    check_values(getattr(ops, name), getattr(reference, name), (x, *ARGUMENTS[name]))
