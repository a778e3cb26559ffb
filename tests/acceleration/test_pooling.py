"""Poolings by other operators."""

import pytest
import torch
from torch import nn

from vdeblur_fast import accelerate


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("pool", "channels"),
    [(nn.MaxPool2d(2), 8), (nn.MaxPool2d(2), 1), (nn.AvgPool2d(2), 3), (nn.AvgPool2d(3), 3), (nn.AvgPool2d(2), 5)],
    ids=str,
)
@torch.inference_mode()
def test_a_pooling_gives_the_same_by_other_operators(pool, channels, channels_last, precision):
    fast = accelerate(nn.Sequential(nn.Conv2d(channels, channels, 1), pool), precision)
    assert fast.acceleration.pooled == 1
    assert "as maximum or convolution" in str(fast.acceleration)
    dtype = fast.acceleration.precision
    for sizes in ((8, 12), (9, 7), (3, 3)):
        x = torch.randn(2, channels, *sizes).to(dtype)
        x = x.contiguous(memory_format=torch.channels_last) if channels_last else x
        torch.testing.assert_close(fast[1](x), pool(x), rtol=2 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(3),
        nn.MaxPool2d(2, 1),
        nn.MaxPool2d(2, padding=1),
        nn.MaxPool2d(2, return_indices=True),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.MaxPool2d(2, dilation=2),
        nn.AvgPool2d(2, 1),
        nn.AvgPool2d((2, 3)),
        nn.AvgPool2d(2, divisor_override=3),
    ],
    ids=str,
)
def test_other_poolings_are_left_alone(pool):
    assert type(accelerate(pool, "fp32")) is type(pool)
