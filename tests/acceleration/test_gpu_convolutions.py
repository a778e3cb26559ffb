"""What `accelerate` makes of convolutions on a GPU, here where the operator runs on the CPU."""

import copy

import pytest
import torch
from torch import nn

import vdeblur_fast
from vdeblur_fast.acceleration.folding import fold_batch_norms
from vdeblur_fast.acceleration.fused_conv import FusedConv2d
from vdeblur_fast.acceleration.gpu_convolutions import fuse_convolutions, lay_out_weights
from vdeblur_fast.acceleration.outside import outside_of_blocks
from vdeblur_fast.reference.networks import VideoNetwork

NAMES = ["mmp-rnn-tiny", "estrnn-c70b7", "strcnn-dtb", "gsta-net-small", "david-small-single3"]


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_the_network_stays_what_it_is(name):
    torch.manual_seed(0)
    network: VideoNetwork = vdeblur_fast.build(name).eval().double()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_var, 0.5, 2)
    fast = copy.deepcopy(network)
    fold_batch_norms(fast)
    assert fuse_convolutions(fast) == sum(isinstance(module, FusedConv2d) for module in outside_of_blocks(fast)) > 0
    clip = torch.rand(1, network.past + network.future + 2, 3, 32, 48, dtype=torch.float64)
    torch.testing.assert_close(fast(clip), network(clip))
    assert fast.state_dict().keys() == network.state_dict().keys()


def test_what_is_not_plain_stays_as_it_is():
    chain = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, padding=1, groups=2)
    )
    assert fuse_convolutions(chain) == 0
    assert [type(module) for module in chain] == [nn.Conv2d, nn.ReLU, nn.Conv2d, nn.Conv2d]


def test_weights_in_order_are_the_same_weights():
    pytest.importorskip("triton")
    from vdeblur_fast.kernels.convolving import laid_out

    torch.manual_seed(0)
    block = vdeblur_fast.RDB(90, 36).requires_grad_(False).to(torch.bfloat16)
    before = copy.deepcopy(block.state_dict())
    lay_out_weights(block)
    for name, weight in block.state_dict().items():
        assert torch.equal(weight, before[name])
        if weight.ndim == 4:
            assert weight.stride(1) == 1
            assert not any(step * 2 % 16 for step in (weight.stride(0), weight.stride(2), weight.stride(3)))
            assert laid_out(weight) is weight
    block.load_state_dict({name: weight + 1 for name, weight in before.items()})
    assert all(laid_out(conv.weight) is conv.weight for conv in (*block.dense, block.fuse))
    x = torch.rand(1, 90, 5, 6).to(torch.bfloat16)
    fresh = vdeblur_fast.RDB(90, 36).to(torch.bfloat16)
    fresh.load_state_dict(block.state_dict())
    assert torch.equal(block(x), fresh(x))


@pytest.mark.parametrize("shape", [(5, 8, 3, 3), (5, 8, 1, 1), (1, 1, 3, 3), (4, 90, 3, 3), (3, 7, 5, 5), (1, 8, 3, 3)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_any_weight_is_put_in_order(shape, order):
    pytest.importorskip("triton")
    from vdeblur_fast.kernels.convolving import laid_out

    weight = torch.randn(shape).to(torch.bfloat16, memory_format=order)
    got = laid_out(weight)
    assert torch.equal(got, weight)
    assert got.stride(1) == 1 or shape[1] == 1
    assert laid_out(got) is got
    cropped = torch.randn(*shape[:3], shape[3] + 2).to(torch.bfloat16)[..., 1:-1]
    assert torch.equal(laid_out(cropped), cropped)
