"""Convolutions in bfloat16 by AMX's tiles."""

import copy

import pytest
import torch
from torch import nn

from vdeblur_fast import accelerate
from vdeblur_fast.acceleration import tiled
from vdeblur_fast.ops import why_not_fused
from vdeblur_fast.ops.convolution import uses_winograd
from vdeblur_fast.reference.networks.strcnn import STRCNN, ResidualBlock

pytestmark = pytest.mark.skipif(
    bool(why_not_fused(torch.empty(0, dtype=torch.bfloat16), only="cpu")) or uses_winograd(torch.bfloat16),
    reason="for CPUs whose tiles multiply bfloat16",
)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("layers", "count"),
    [
        ([nn.Conv2d(16, 9, 3, padding=1)], 1),
        ([nn.Conv2d(40, 40, 3, padding=1), nn.ReLU()], 1),
        ([nn.Conv2d(24, 40, 5, padding=2), nn.BatchNorm2d(40), nn.ReLU()], 1),
        ([nn.Conv2d(16, 20, 3, padding=1), nn.BatchNorm2d(20), nn.Conv2d(20, 16, 1)], 1),
        ([ResidualBlock(40), ResidualBlock(40)], 4),
        ([nn.Conv2d(16, 3, 3, padding=1)], 0),  # in phases
        ([nn.Conv2d(7, 8, 3, padding=1)], 0),
        ([nn.Conv2d(16, 40, 3, padding=1)], 0),
        ([nn.Conv2d(128, 128, 3, padding=1)], 0),
        ([nn.Conv2d(16, 16, 3)], 0),
        ([nn.Conv2d(16, 16, 3, 2, 1)], 0),
        ([nn.Conv2d(16, 16, 7, padding=3)], 0),
        ([nn.Conv2d(16, 16, (3, 5), padding=(1, 2))], 0),
        ([nn.Conv2d(16, 16, 3, padding=2, dilation=2)], 0),
        ([nn.Conv2d(16, 16, 3, padding=1, groups=2)], 0),
        ([nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect")], 0),
        ([nn.Conv2d(16, 16, 3, padding="same")], 0),
    ],
    ids=str,
)
@torch.inference_mode()
def test_wide_pictures_are_convolved_in_tiles(monkeypatch, layers, count, bias):
    torch.manual_seed(0)
    plain = nn.Sequential(*copy.deepcopy(layers)).eval()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
        elif isinstance(module, nn.Conv2d) and not bias:
            module.bias = None
    fast = accelerate(plain, "bf16")
    assert fast.acceleration.tiled == count
    assert ("by tiles of their own" in str(fast.acceleration)) == bool(count)
    assert fast.state_dict().keys() == plain.state_dict().keys()
    called, convolution = [], tiled.ops.convolution
    monkeypatch.setattr(tiled.ops, "convolution", lambda *a, **k: called.append(0) or convolution(*a, **k))
    for width, calls in ((256, count), (20, 0)):
        x = torch.randn(2, plain[0].in_channels if isinstance(plain[0], nn.Conv2d) else 40, 5, width).bfloat16()
        kept = x.clone()
        want, usual = copy.deepcopy(plain).double()(x.double()), copy.deepcopy(plain).bfloat16()(x)
        error, theirs = ((y - want).square().mean().sqrt() for y in (fast(x), usual))
        assert error <= 1.5 * theirs + 1e-7
        assert torch.equal(x, kept)
        assert len(called) == calls
        called.clear()


@torch.inference_mode()
def test_a_state_dict_that_is_loaded_is_what_tiles_multiply():
    plain = nn.Sequential(nn.Conv2d(40, 40, 3, padding=1), nn.BatchNorm2d(40), nn.ReLU()).eval()
    fast, other = accelerate(plain, "bf16"), copy.deepcopy(plain)
    nn.init.normal_(other[0].weight, 0, 0.1)
    x = torch.randn(1, 40, 6, 256).bfloat16()
    fast(x)
    fast.load_state_dict(other.state_dict())
    torch.testing.assert_close(fast(x).double(), other.double()(x.double()), rtol=0.05, atol=0.1)


@torch.inference_mode()
def test_strcnn_does_the_relu_of_what_it_hands_on_with_the_convolution():
    torch.manual_seed(0)
    plain = STRCNN().eval()
    fast = accelerate(plain, "bf16")
    assert fast.acceleration.rectified == 20
    y = torch.randn(1, 64, 8, 256).bfloat16()
    want = plain.hand_on(y.float())
    assert want.min() == 0
    torch.testing.assert_close(fast.hand_on(y).float(), want, rtol=0.05, atol=0.05)
