"""Frames on their way to a GPU and back: they move as they are, and are converted there. Here the GPU is PyTorch's
device without memory."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vdeblur_fast.engine.frame_format import FrameFormat

ELSEWHERE = torch.device("meta")
orders = pytest.mark.parametrize("shape", [(6, 5, 3), (3, 6, 5)], ids=["HWC", "CHW"])


class Moves(TorchDispatchMode):
    """What moves from device to device: from which type to which, and whether memory is copied as it lies."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        result = function(*arguments, **(named or {}))
        given = [x for x in arguments if isinstance(x, torch.Tensor)]
        if given and isinstance(result, torch.Tensor) and result.device != given[0].device:
            self.found.append((given[0].dtype, result.dtype, given[0].stride() == result.stride()))
        return result


@orders
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_a_frame_moves_as_it_is(shape, dtype):
    frame = torch.zeros(shape, dtype=dtype)
    with Moves() as moves:
        x = FrameFormat.of(frame).to_tensor(frame, ELSEWHERE)
    assert (tuple(x.shape), x.dtype, x.device) == ((1, 3, 6, 5), torch.float32, ELSEWHERE)
    assert moves.found == [(dtype, dtype, True)]


@orders
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float16, torch.float64])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_an_image_moves_back_as_a_frame(shape, dtype, order):
    with Moves() as moves:
        image = torch.rand(1, 3, 6, 5).to(memory_format=order)
        frame = FrameFormat.of(torch.empty(shape, dtype=dtype, device=ELSEWHERE)).to_frame(image)
    assert (tuple(frame.shape), frame.dtype, frame.device) == (shape, dtype, ELSEWHERE)
    assert frame.is_contiguous()
    assert moves.found == [(dtype, dtype, True)]
