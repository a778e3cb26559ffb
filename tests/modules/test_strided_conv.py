"""Narrow pictures are as right as wide ones, in every dtype."""

import pytest
import torch
from torch import nn

from vdeblur_fast.reference.modules import StridedConv2d


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(16, 1), (16, 2), (64, 1), (33, 2), (1, 1), (2, 16), (16, 3)])
@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (3, 2), (3, 4)])
def test_it_is_a_convolution(dtype, size, kernel, stride):
    torch.manual_seed(0)
    ours = StridedConv2d(28, 56, kernel, stride, kernel // 2).to(dtype)
    plain = nn.Conv2d(28, 56, kernel, stride, kernel // 2).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 28, *size).to(dtype).requires_grad_()
    wide = x.detach().double().requires_grad_()
    y, expected = ours(x), plain(wide)
    assert y.shape == expected.shape
    y.sum().backward()
    expected.sum().backward()
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 0.02, "atol": 0.02}
    torch.testing.assert_close(y.double(), expected, **tolerance)
    torch.testing.assert_close(x.grad.double(), wide.grad, **tolerance)
