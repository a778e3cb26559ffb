"""Frames that go to a GPU and come back: converted there, to the same bits as on the CPU."""

import numpy as np
import pytest
import torch

from vdeblur_fast.engine.frame_format import FrameFormat

DTYPES = (torch.uint8, torch.uint16, torch.float16, torch.bfloat16, torch.float32, torch.float64)


def frame(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    values = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    full = {torch.uint8: 255, torch.uint16: 65535}.get(dtype)
    return values.to(dtype) if full is None else (values * full).round().to(torch.int32).to(dtype)


@pytest.mark.parametrize("shape", [(45, 70, 3), (3, 45, 70)], ids=["HWC", "CHW"])
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype).removeprefix("torch."))
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_a_frame_is_the_same_by_way_of_the_gpu(gpu, shape, dtype, order):
    given = frame(shape, dtype)
    format_ = FrameFormat.of(given)
    on_cpu, on_gpu = (format_.to_tensor(given, device) for device in (torch.device("cpu"), gpu))
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-6, atol=0)
    assert on_gpu.stride() == on_cpu.stride()
    image = 1.2 * torch.rand(1, 3, 45, 70) - 0.1
    found = [format_.to_frame(image.to(device, memory_format=order)) for device in (torch.device("cpu"), gpu)]
    assert found[1].device.type == "cpu"
    assert found[1].is_contiguous()
    difference = found[0].double() - found[1].double()
    assert difference.abs().max() <= (1 if dtype in DTYPES[:2] else 0)  # a product may be rounded to the other side


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_array_that_is_filled_again_was_taken_before(gpu, dtype):
    given = np.full((720, 1280, 3), 7, dtype)
    x = FrameFormat.of(given).to_tensor(given, gpu)
    given[:] = 0
    torch.testing.assert_close(x * np.iinfo(dtype).max, torch.full_like(x, 7.0))
