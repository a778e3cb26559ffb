"""attention_mix beside PyTorch: every estimate and every logit is read once, the mixture is written."""

import pytest
import torch

from bench.harness import DEVICE, MEASURED, Case
from vdeblur_fast.ops import attention_mix
from vdeblur_fast.reference import ops as reference

SIZES = [(360, 640), (720, 1280)]


@pytest.mark.parametrize("dtype", MEASURED, ids=MEASURED.get)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")
@pytest.mark.parametrize("branches", [(4,), (3, 4)], ids=["internal", "nested"])
def test_attention_mix(compare, branches, size, dtype):
    torch.manual_seed(0)

    def maps(*lead: int) -> torch.Tensor:
        return torch.randn(1, *lead, *size, device=DEVICE).to(dtype)

    inputs = (maps(*branches, 3), maps(*branches), *((maps(branches[0]),) if len(branches) == 2 else ()))
    moved = sum(i.nbytes for i in inputs) + 3 * size[0] * size[1] * inputs[0].element_size()
    name = f"attention_mix {'x'.join(map(str, branches))}-c3-{size[1]}x{size[0]}-{MEASURED[dtype]}"
    compare(Case(name, attention_mix, reference.attention_mix, inputs, moved, 2 * inputs[0].numel()))
