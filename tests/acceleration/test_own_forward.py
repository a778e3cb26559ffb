"""A module whose `forward` somebody has replaced does what that does, and nothing takes its place."""

import copy
import types

import pytest
import torch
from torch import nn

from vdeblur_fast import accelerate, build
from vdeblur_fast.acceleration.folding import fold_batch_norms
from vdeblur_fast.acceleration.gpu_convolutions import fuse_convolutions
from vdeblur_fast.reference import modules as reference
from vdeblur_fast.reference.networks.strcnn import ResidualBlock
from vdeblur_fast.reference.networks.unet import UNet

X = torch.randn(2, 16, 8, 12, generator=torch.Generator().manual_seed(0))


def lower(module: nn.Module) -> None:
    """As notebooks do it, to try something: the same, and something more."""
    module.forward = types.MethodType(lambda self, *x: type(module).forward(self, *x) - 0.3, module)


def without_relu(self: ResidualBlock, x: torch.Tensor) -> torch.Tensor:
    return x + self.body(x)


def first_layers(self: UNet, x: torch.Tensor) -> torch.Tensor:
    return self.convs[1](self.convs[0](x))


def chain() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()).eval()
    nn.init.uniform_(made[1].running_var, 0.5, 2)
    return made


@pytest.mark.parametrize("place", range(3))
@torch.no_grad()
def test_a_layer_of_a_chain_keeps_it(place):
    plain = chain()
    lower(plain[place])
    torch.testing.assert_close(accelerate(plain, "fp32")(X), plain(X), rtol=1e-4, atol=1e-4)
    on_gpu, plain = copy.deepcopy(plain).double(), plain.double()
    fold_batch_norms(on_gpu)
    fuse_convolutions(on_gpu)
    torch.testing.assert_close(on_gpu(X.double()), plain(X.double()))


@pytest.mark.parametrize(
    ("made", "forward"), [(lambda: ResidualBlock(16), without_relu), (lambda: UNet(16, 3, 4, 2), first_layers)]
)
@torch.no_grad()
def test_what_is_made_of_several_layers_keeps_it(made, forward):
    torch.manual_seed(0)
    plain = made().eval()
    plain.forward = types.MethodType(forward, plain)
    torch.testing.assert_close(accelerate(plain, "fp32")(X), plain(X), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_block_calls_what_has_one_itself():
    torch.manual_seed(0)
    plain = nn.Sequential(*(reference.RDB(16, 8) for _ in range(3))).eval()
    lower(plain[0].dense[1])
    lower(plain[1])
    fast = accelerate(plain, "fp32")
    torch.testing.assert_close(fast(X), plain(X), rtol=1e-4, atol=1e-4)
    assert fast.acceleration.replaced == {"RDB": 1}
    assert "has hooks or a forward of its own" in fast.acceleration.left["RDB"]


@pytest.mark.parametrize("of", ["attention.fuse", "attention.condense", "reconstruct.0"])
@torch.no_grad()
def test_an_attention_is_not_done_elsewhere_where_something_of_it_has_one(of):
    torch.manual_seed(0)
    plain, clip = build("estrnn-c70b7").eval(), torch.rand(1, 3, 3, 16, 16)
    lower(plain.get_submodule(of))
    fast = accelerate(plain, "fp32")
    assert not fast.acceleration.attended
    torch.testing.assert_close(fast(clip), plain(clip), rtol=1e-4, atol=1e-4)
