"""Convolutions by Winograd's method."""

import copy

import pytest
import torch
from torch import nn

from vdeblur_fast import accelerate
from vdeblur_fast.ops import triton
from vdeblur_fast.ops.convolution import uses_winograd
from vdeblur_fast.reference.networks.strcnn import ResidualBlock
from vdeblur_fast.reference.networks.unet import UNet


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("layers", "filtered"),
    [
        ([nn.Conv2d(16, 9, 3, padding=1)], 1),
        ([nn.Conv2d(24, 40, 5, padding=2), nn.ReLU()], 1),
        ([nn.Conv2d(8, 32, 5, padding=2), nn.ReLU()], 1),
        ([nn.Conv2d(16, 48, 5, padding=2), nn.PixelShuffle(2)], 1),
        ([nn.Conv2d(16, 20, 3, padding=1), nn.BatchNorm2d(20), nn.ReLU(), nn.Conv2d(20, 16, 3, padding=1)], 2),
        ([ResidualBlock(16), ResidualBlock(16)], 4),
        ([nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.ReLU()], 1),
        ([nn.ConvTranspose2d(16, 8, 5, 2, 2, output_padding=1)], 1),
        ([nn.ConvTranspose2d(16, 8, 6, 2, 2)], 1),
        ([nn.ConvTranspose2d(16, 8, 3, 2, 1, output_padding=1)], 0),
        ([nn.Conv2d(11, 40, 3, padding=1)], 0),
        ([nn.Conv2d(16, 8, 3)], 0),
        ([nn.Conv2d(16, 8, 3, 2, 1)], 0),
        ([nn.Conv2d(16, 8, 3, padding=2, dilation=2)], 0),
        ([nn.Conv2d(16, 16, 3, padding=1, groups=2)], 0),
        ([nn.Conv2d(16, 8, 3, padding=1, padding_mode="reflect")], 0),
        ([nn.Conv2d(16, 8, (3, 5), padding=(1, 2))], 0),
        ([nn.Conv2d(16, 8, 7, padding=3)], 0),
        ([nn.Conv2d(1024, 16, 3, padding=1)], 1),
        ([nn.ConvTranspose2d(16, 8, 3, 2, 1)], 0),
        ([nn.ConvTranspose2d(16, 8, 4, 2, 1, groups=2)], 0),
        ([nn.ConvTranspose2d(16, 8, 3, 1, 1)], 0),
    ],
    ids=str,
)
@torch.inference_mode()
def test_convolutions_by_winograds_method_give_the_same(layers, filtered, bias):
    torch.manual_seed(0)
    plain = nn.Sequential(*copy.deepcopy(layers)).eval()
    for module in plain.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and not bias:
            module.bias = None
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.filtered == filtered
    assert ("by Winograd's method" in str(fast.acceleration)) == (filtered > 0)
    assert fast.state_dict().keys() == plain.state_dict().keys()
    channels = next(module for module in plain.modules() if hasattr(module, "in_channels")).in_channels
    for sizes in ((9, 14), (1, 1), (16, 33)):
        x = torch.randn(2, channels, *sizes)
        if filtered:  # else it is PyTorch's own, in another layout
            kept, want = x.clone(), copy.deepcopy(plain).double()(x.double())
            assert (fast(x) - want).abs().max() <= 1e-5 * want.abs().max()  # as the operator is held to
            assert torch.equal(x, kept)
    other = copy.deepcopy(plain)
    for parameter in other.parameters():
        nn.init.normal_(parameter, 0, 0.1)
    fast.load_state_dict(other.state_dict())
    x = torch.randn(2, channels, 9, 14)
    torch.testing.assert_close(fast(x), other(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", ["reference", "triton"])
def test_winograds_method_is_for_the_cpu_backend_alone(monkeypatch, backend):
    monkeypatch.setattr(triton, "why_not", lambda like: "")  # as with the interpreter on
    monkeypatch.setenv("VDEBLUR_BACKEND", backend)
    fast = accelerate(nn.Sequential(nn.Conv2d(16, 16, 3, padding=1)), "fp32")
    assert type(fast[0]) is nn.Conv2d


@torch.inference_mode()
def test_a_u_net_concatenates_nothing_for_winograds_method(monkeypatch):
    torch.manual_seed(0)
    plain = UNet(16, 3, 16, 2).eval()
    fast = accelerate(plain, "fp32")
    assert (fast.acceleration.filtered, fast.acceleration.phased) == (11, 1)
    x = torch.randn(1, 16, 24, 36)
    want = plain(x)
    monkeypatch.setattr(torch, "cat", None)
    torch.testing.assert_close(fast(x), want, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not uses_winograd(torch.bfloat16), reason="in bfloat16 for CPUs without tiles for it")
@pytest.mark.parametrize(
    ("conv", "filtered"),
    [
        (nn.Conv2d(48, 50, 3, padding=1), True),
        (nn.Conv2d(64, 47, 3, padding=1), False),
        (nn.Conv2d(16, 32, 5, padding=2), True),
        (nn.Conv2d(15, 32, 5, padding=2), False),
        (nn.Conv2d(128, 128, 3, padding=1), True),
        (nn.Conv2d(256, 128, 3, padding=1), False),
        (nn.ConvTranspose2d(64, 64, 4, 2, 1), False),
    ],
    ids=str,
)
@torch.inference_mode()
def test_in_bfloat16_winograds_method_is_for_what_uses_winograd(conv, filtered):
    torch.manual_seed(0)
    fast = accelerate(nn.Sequential(conv), "bf16")
    assert fast.acceleration.filtered == filtered
    x = torch.randn(1, conv.in_channels, 13, 20).bfloat16()
    want = conv.double()(x.double())
    theirs = (conv.bfloat16()(x) - want).abs().max()
    assert (fast(x) - want).abs().max() <= 2 * theirs
