"""ESTRNN's attention in the convolution after it."""

import copy

import pytest
import torch
from torch import nn

from vdeblur_fast import accelerate
from vdeblur_fast.reference import modules as reference
from vdeblur_fast.reference.networks import ESTRNN


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("past", "future"), [(2, 2), (0, 1), (3, 1)])
@torch.inference_mode()
def test_an_attention_is_done_by_the_convolution_after_it(past, future, precision):
    torch.manual_seed(0)
    plain = ESTRNN(4, 1).eval()
    plain.past, plain.future = past, future
    plain.attention = reference.GlobalSpatioTemporalAttention(20, past, future)
    plain.reconstruct[0] = nn.ConvTranspose2d((past + 1 + future) * 20, 8, 3, 2, 1, output_padding=1)
    for parameter in plain.parameters():  # of a size at which the gates, and the biases at the border, count
        nn.init.normal_(parameter, std=1 if parameter.ndim == 1 else parameter[0].numel() ** -0.5)
    fast = accelerate(plain, precision)
    assert fast.acceleration.attended == 1
    assert "in the convolution after it" in str(fast.acceleration)
    dtype = fast.acceleration.precision
    window = torch.randn(past + 1 + future, 2, 20, 9, 12).add(torch.arange(-1, 1)[:, None, None, None]).to(dtype)
    want, _ = copy.deepcopy(plain).double().decode(window.double())
    theirs, _ = copy.deepcopy(plain).to(dtype).decode(window)
    got, state = fast.decode(window)
    assert state is None
    assert (got - want).abs().max() <= 2 * (theirs - want).abs().max() + 1e-6
    assert not torch.allclose(got[0], got[1], atol=0.1)
