"""Convolutions that do the ReLU after them, and a residual block's sum."""

import copy

import pytest
import torch
from torch import nn

from vdeblur_fast import accelerate
from vdeblur_fast.device import cpu_is_fast_at
from vdeblur_fast.reference import modules as reference
from vdeblur_fast.reference.networks import DAVID
from vdeblur_fast.reference.networks.strcnn import ResidualBlock, residual_blocks


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(
    ("conv", "sizes"),
    [
        (nn.Conv2d(6, 8, 3, padding=1), (9, 14)),
        (nn.Conv2d(6, 9, (3, 5), (2, 1), (1, 2), bias=False), (9, 14)),
        (nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2), (9, 14)),
        (reference.StridedConv2d(6, 8, 3, 2, 1), (9, 14)),
        (reference.StridedConv2d(6, 8, 3, 2, 1), (16, 1)),
        (nn.ConvTranspose2d(6, 8, 3, 2, 1, output_padding=1), (9, 14)),
    ],
    ids=str,
)
@torch.inference_mode()
def test_a_convolution_does_the_relu_after_it(conv, sizes, norm, precision):
    if not cpu_is_fast_at(precision):
        pytest.skip(f"this CPU has no {precision} products")
    torch.manual_seed(0)
    conv = copy.deepcopy(conv)
    last = nn.BatchNorm2d(conv.out_channels) if norm and type(conv) is nn.Conv2d else nn.Identity()
    layers = [conv, last, nn.ReLU(), nn.Conv2d(conv.out_channels, 3, 1)]
    plain = nn.Sequential(*(layer for layer in layers if type(layer) is not nn.Identity)).eval()
    if norm:
        plain = nn.Sequential(plain)  # nested chains are found too
    fast = accelerate(plain, precision)
    assert fast.acceleration.rectified == 1
    x = torch.randn(2, 6, *sizes).to(fast.acceleration.precision)
    want, usual = copy.deepcopy(plain).double()(x.double()), copy.deepcopy(plain).to(x.dtype)(x)
    error, theirs = ((y - want).square().mean().sqrt() for y in (fast(x), usual))
    assert error <= 1.5 * theirs + 1e-7
    other = copy.deepcopy(plain)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    fast.load_state_dict(other.state_dict())
    torch.testing.assert_close(fast(x).double(), other.double()(x.double()), rtol=0.05, atol=0.2)


@pytest.mark.parametrize("how", ["run", "compiled", "exported"])
@torch.no_grad()
def test_who_compiles_it_finds_as_many_channels_as_come_out(how):
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.Sequential(nn.ConvTranspose2d(8, 4, 2, 2), nn.ReLU())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.up(x)
            return y.sum((1, 2, 3)) / y.shape[1]

    torch.manual_seed(0)
    plain, x = Mean().eval(), torch.randn(2, 8, 5, 7)
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.rectified == 1
    ways = {
        "compiled": lambda: torch.compile(fast, backend="aot_eager"),
        "exported": lambda: torch.export.export(fast, (x,)).module(),
    }
    torch.testing.assert_close(ways.get(how, lambda: fast)()(x), plain(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("conv", [nn.Conv2d(8, 4, 1), nn.ConvTranspose2d(8, 4, 2, 2)], ids=str)
def test_on_another_device_it_has_the_shape_of_the_plain_one(conv):
    plain, x = nn.Sequential(conv, nn.ReLU(), nn.Conv2d(4, 2, 1)), torch.empty(2, 8, 5, 7, device="meta")
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.rectified == 1
    assert fast.to("meta")(x).shape == copy.deepcopy(plain).to("meta")(x).shape


@pytest.mark.parametrize("conv", [nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(3, 4, 2, 2)], ids=str)
def test_biases_alone_can_be_trained(conv):
    plain = nn.Sequential(conv, nn.ReLU()).requires_grad_(False)
    fast, x = accelerate(plain, "fp32"), torch.randn(2, 3, 6, 6)
    for each in (plain, fast):
        each[0].bias.requires_grad_()
        each(x).sum().backward()
    torch.testing.assert_close(fast[0].bias.grad, plain[0].bias.grad)
    assert fast[0].bias.grad.any()


def test_a_residual_block_does_its_sum_with_the_last_convolution():
    block = ResidualBlock(16).eval()
    for norm in (block.body[1], block.body[4]):
        nn.init.uniform_(norm.running_var, 0.5, 2)
    fast = accelerate(block, "fp32")
    assert fast.acceleration.rectified == 2
    assert "before ReLU" in str(fast.acceleration)
    x = torch.randn(2, 16, 7, 9)
    kept = x.clone()
    with torch.inference_mode():
        torch.testing.assert_close(fast(x), block(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@torch.inference_mode()
def test_a_chain_of_residual_blocks_overwrites_its_own_sums_alone(precision):
    if not cpu_is_fast_at(precision):
        pytest.skip(f"this CPU has no {precision} products")
    torch.manual_seed(0)
    chain = residual_blocks(3).eval()
    fast = accelerate(chain, precision)
    x = torch.randn(2, 64, 7, 9).to(fast.acceleration.precision)
    kept = x.clone()
    want, usual = copy.deepcopy(chain).double()(x.double()), copy.deepcopy(chain).to(x.dtype)(x)
    got, again = fast(x), fast(x)
    error, theirs = ((y - want).square().mean().sqrt() for y in (got, usual))
    assert error <= 1.5 * theirs + 1e-7
    assert torch.equal(got, again)
    assert torch.equal(x, kept)


@torch.inference_mode()
def test_who_looks_into_a_chain_of_blocks_finds_every_sum(monkeypatch):
    monkeypatch.setenv("VDEBLUR_BACKEND", "reference")  # the operator, where it does the sum, overwrites nothing
    torch.manual_seed(0)
    chain = residual_blocks(3).eval()
    fast = accelerate(chain, "fp32")
    assert fast.acceleration.rectified == 6
    found = []
    for blocks in (chain, fast):
        x, sums = torch.randn(2, 64, 7, 9, generator=torch.Generator().manual_seed(0)), []
        for block in blocks:
            x = block(x)
            sums.append(x)
        found.append(sums)
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lockstep", [False, True])
@torch.inference_mode()
def test_the_convolutions_of_a_u_net_do_its_relus(lockstep):
    torch.manual_seed(0)
    plain = DAVID(8, scales=(1, 3), levels=2).eval()
    for parameter in plain.parameters():
        nn.init.normal_(parameter, 0, 0.07)
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.rectified == 4 * 19 + 3 * 11
    assert fast.state_dict().keys() == plain.state_dict().keys()
    fast.lockstep = plain.lockstep = lockstep
    window = [torch.rand(2, 3, 32, 48) for _ in range(3)]
    torch.testing.assert_close(fast.decode(window)[0], plain.decode(window)[0], rtol=1e-5, atol=1e-5)
