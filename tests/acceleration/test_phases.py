"""Convolutions to few channels, several pixels at once."""

import copy

import pytest
import torch
from torch import nn

from vdeblur_fast import accelerate
from vdeblur_fast.reference.modules import DTB, RDB


@pytest.mark.parametrize("shuffle", [1, 2])
@pytest.mark.parametrize("sizes", [(16, 28), (17, 30), (12, 9)], ids=str)
@pytest.mark.parametrize(
    ("channels", "kernel", "padding", "bias"),
    [(3, 9, 4, True), (3, (5, 7), (2, 3), False), (1, 5, 0, True), (1, 3, 1, True)],
    ids=str,
)
@torch.inference_mode()
def test_a_convolution_to_few_channels_gives_the_same_in_phases(channels, kernel, padding, bias, sizes, shuffle):
    torch.manual_seed(0)
    conv = nn.Conv2d(6, channels * shuffle**2, kernel, padding=padding, bias=bias)
    plain = nn.Sequential(conv, nn.PixelShuffle(shuffle)) if shuffle > 1 else conv
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.phased == 1
    x = torch.randn(2, 6, *sizes)
    torch.testing.assert_close(fast(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [(16, 28), (17, 30), (64, 2), (32, 4), (2, 32)], ids=str)
@torch.inference_mode()
def test_in_bfloat16_phases_are_as_exact_as_the_convolution(sizes):
    torch.manual_seed(0)
    plain = nn.Conv2d(20, 3, 5, padding=2)
    fast = accelerate(plain, "bf16")
    assert fast.acceleration.phased == 1
    x = torch.randn(2, 20, *sizes).bfloat16()
    narrow = copy.deepcopy(plain).bfloat16()
    want = copy.deepcopy(narrow).double()(x.double())
    error, theirs = ((y - want).abs().max() for y in (fast(x), narrow(x)))
    assert error <= 1.5 * theirs


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(6, 3, 1),
        nn.Conv2d(6, 17, 3, padding=1),
        nn.Conv2d(6, 3, 5, stride=2),
        nn.Conv2d(6, 3, 5, padding=2, padding_mode="reflect"),
        nn.Conv2d(6, 3, 5, padding="same"),
        nn.Conv2d(6, 3, 5, dilation=2),
        nn.Conv2d(6, 6, 5, groups=2),
    ],
    ids=str,
)
def test_other_convolutions_are_left_alone(conv):
    fast = accelerate(conv, "fp32")
    assert type(fast) is nn.Conv2d
    assert not fast.acceleration.phased


def test_convolutions_within_fused_blocks_are_theirs():
    for block in (RDB(16, 4), DTB(16)):
        done = accelerate(block, "fp32").acceleration
        assert (done.phased, done.filtered, done.rectified) == (0, 0, 0)
