"""temporal_blend beside PyTorch: whole, and what follows the convolution: three numbers read for one written.

What follows writes over the convolution's result, as in the operator; PyTorch makes a new one, whose pages are new too.
On a CPU with AVX2 that was a sixth of the factor (2.4 times, 2.0 where ours makes a new one as well).
"""

import pytest
import torch

from bench.harness import DEVICE, TYPES, Case
from vdeblur_fast.device import cpu_is_fast_at
from vdeblur_fast.ops import temporal_blend as operator
from vdeblur_fast.ops.temporal_blend import blend
from vdeblur_fast.reference.ops.temporal_blend import blend as reference_blend
from vdeblur_fast.reference.ops.temporal_blend import temporal_blend as whole_reference

CHANNELS, KERNEL = 64, 5
SIZES = [(180, 320), (360, 640)]  # the features of 640x360 and of 1280x720

every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")


def frames(count: int, size: tuple[int, int], dtype: torch.dtype) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(1, CHANNELS, *size, device=DEVICE).to(dtype) for _ in range(count)]


@pytest.mark.skipif(DEVICE != "cpu", reason="a part of the operator that stands alone on the CPU only")
@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.get)
@every_size
def test_temporal_blend_after_its_convolution(compare, size, dtype):
    similarity, current, previous = frames(3, size, dtype)
    overwritten = similarity.clone()  # as the operator does with the convolution's result; right the first time

    def fast(*given: torch.Tensor) -> torch.Tensor:
        blend(overwritten, *given, overwritten)
        return overwritten

    def reference(*given: torch.Tensor) -> torch.Tensor:
        return reference_blend(similarity.to(given[0]), *given)

    name = f"temporal_blend after the convolution c{CHANNELS}-{size[1]}x{size[0]}-{TYPES[dtype]}"
    compare(Case(name, fast, reference, (current, previous, torch.tensor(0.1)), 4 * current.nbytes, 0))


@pytest.mark.parametrize("layout", ["", "-nhwc"], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", TYPES, ids=TYPES.get)
@every_size
def test_temporal_blend(compare, size, dtype, layout):
    if DEVICE == "cpu" and not cpu_is_fast_at(TYPES[dtype]):
        pytest.skip(f"this processor multiplies no {TYPES[dtype]}")
    current, previous = frames(2, size, dtype)
    if layout:
        current, previous = (x.contiguous(memory_format=torch.channels_last) for x in (current, previous))
    weight = torch.randn(CHANNELS, 2 * CHANNELS, KERNEL, KERNEL, device=DEVICE) / (KERNEL * (2 * CHANNELS) ** 0.5)
    parameters = weight, torch.randn(CHANNELS, device=DEVICE), torch.tensor(0.1, device=DEVICE)
    inputs = current, previous, *(parameter.to(dtype) for parameter in parameters)
    operations = 2 * current[0, 0].numel() * weight.numel()
    name = f"temporal_blend c{CHANNELS}-{size[1]}x{size[0]}-{TYPES[dtype]}{layout}"
    compare(Case(name, operator, whole_reference, inputs, 3 * current.nbytes, operations))
