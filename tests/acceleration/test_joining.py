"""1x1 convolutions that concatenate nothing."""

import copy

import pytest
import torch

from vdeblur_fast import accelerate
from vdeblur_fast.acceleration import joining
from vdeblur_fast.reference import modules as reference


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("blocks", [1, 4])
@torch.inference_mode()
def test_a_chain_fuses_what_it_keeps_where_it_lies(blocks, channels_last, precision):
    torch.manual_seed(0)
    chain = reference.ResidualDenseNetwork(72, 8, blocks).eval()
    fast = accelerate(chain, precision)
    dtype = fast.acceleration.precision
    x = torch.randn(2, 72, 9, 14).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    want = copy.deepcopy(chain).double()(x.double())
    error, theirs = ((y - want).abs().max() for y in (fast(x), copy.deepcopy(chain).to(dtype)(x)))
    assert error <= 3 * theirs + 1e-6
    again = accelerate(chain, precision)
    other = reference.ResidualDenseNetwork(72, 8, blocks).eval()
    again.load_state_dict(other.state_dict())
    close = 1e-4 if precision == "fp32" else 0.05
    torch.testing.assert_close(again(x), other.to(dtype)(x), rtol=close, atol=close)
    assert fast.acceleration.joined == 1
    assert "without concatenation" in str(fast.acceleration)


@torch.inference_mode()
def test_pictures_some_of_which_autocast_has_rounded_are_joined():
    plain = reference.JoiningConv2d(24, 8, 1)
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.joined == 1
    pictures = torch.randn(2, 16, 5, 6).bfloat16(), torch.randn(2, 8, 5, 6)
    torch.testing.assert_close(fast(*pictures), plain(*pictures), rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(fast(*pictures), plain(*pictures), rtol=0.05, atol=0.05)


@pytest.mark.parametrize(("inputs", "outputs", "dots", "tiles"), [(64, 128, 1, 1), (63, 8, 0, 1), (640, 129, 1, 0)])
def test_in_bfloat16_what_joins_depends_on_the_processor(monkeypatch, inputs, outputs, dots, tiles):
    for faster, count in ((True, dots), (False, tiles)):
        monkeypatch.setattr(joining, "uses_winograd", lambda dtype, faster=faster: faster)
        conv = reference.JoiningConv2d(inputs, outputs, 1)
        assert joining.join_where_they_lie(conv, torch.bfloat16) == count
