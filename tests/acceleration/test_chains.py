"""Modules that do what comes after them do so for their chain alone: everybody else finds them as they were."""

import copy
import io
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn

from vdeblur_fast import accelerate
from vdeblur_fast.acceleration.chains import FusedChain
from vdeblur_fast.acceleration.folding import fold_batch_norms
from vdeblur_fast.acceleration.gpu_convolutions import fuse_convolutions
from vdeblur_fast.reference.networks.strcnn import residual_blocks


def conv(outputs: int = 16, inputs: int = 16) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def norm() -> nn.BatchNorm2d:
    """One that has seen something."""
    made = nn.BatchNorm2d(16)
    nn.init.normal_(made.running_mean)
    nn.init.uniform_(made.running_var, 0.5, 2)
    return made


class Network(nn.Module):
    """Modules by name, and what is done with them."""

    def __init__(self, does: Callable, **modules: nn.Module):
        super().__init__()
        self.does = does
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return self.does(self, x)


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Odd(nn.Sequential):
    def forward(self, x):
        return self[1](x) + self[0](x)


class Named(nn.Sequential):
    def last(self) -> nn.Module:
        return self[-1]


def taps(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    found = []
    for module in network.chain:
        x = module(x)
        found.append(x)
    return torch.cat([y.flatten() for y in found])


def shared_activation() -> nn.Module:
    act = nn.ReLU()
    return nn.Sequential(conv(), act, nn.InstanceNorm2d(16), act)


def activation_called_alone() -> nn.Module:
    act = nn.ReLU()
    return Network(lambda n, x: n.act(n.body(x)), act=act, body=nn.Sequential(conv(), act, conv()))


def convolution_called_alone() -> nn.Module:
    made = conv()
    return Network(lambda n, x: n.body(x) + n.conv(x), conv=made, body=nn.Sequential(made, nn.ReLU()))


def convolution_called_twice() -> nn.Module:
    made = conv()
    return nn.Sequential(made, nn.ReLU(), made)


def convolution_of_two_chains() -> nn.Module:
    made = conv()
    chains = (nn.Sequential(made, norm(), nn.ReLU()), nn.Sequential(made, norm()), nn.Sequential(made, nn.ReLU()))
    return Network(lambda n, x: n.a(x) + n.b(x) + n.c(x), **dict(zip("abc", chains, strict=True)))


def norm_called_alone() -> nn.Module:
    body = nn.Sequential(conv(), norm())
    return Network(lambda n, x: n.body(x) + n.norm(x) + n.conv(x), conv=body[0], norm=body[1], body=body)


def slices() -> nn.Module:
    body = nn.Sequential(conv(), norm(), nn.ReLU(), conv())
    return Network(lambda n, x: n.head(x) + n.body(x), body=body, head=body[:1])


def shared_shuffle() -> nn.Module:
    shuffle = nn.PixelShuffle(2)
    return Network(
        lambda n, x: n.few(x).sum(1) + n.more(x).sum(1) + n.shuffle(x).sum(1),
        shuffle=shuffle,
        few=nn.Sequential(conv(4), shuffle),
        more=nn.Sequential(conv(64), shuffle),
    )


def tapped() -> nn.Module:
    chain = nn.Sequential(conv(), nn.ReLU(), conv(), norm(), nn.ReLU(), nn.MaxPool2d(2), conv(12), nn.PixelShuffle(2))
    return Network(taps, chain=chain)


def tapped_blocks() -> nn.Module:
    chain = nn.Sequential(conv(64), *residual_blocks(3))
    for module in chain.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
    return Network(taps, chain=chain)


NETWORKS = (
    *(shared_activation, activation_called_alone, convolution_called_alone, convolution_called_twice),
    *(convolution_of_two_chains, norm_called_alone, slices, shared_shuffle, tapped, tapped_blocks),
)
KINDS = {
    "residual": lambda: nn.Sequential(Residual(conv(), norm(), nn.ReLU(), conv()), nn.ReLU()),
    "odd": lambda: Odd(conv(), nn.ReLU()),
    "named": lambda: nn.Sequential(Named(conv(), norm(), nn.ReLU()), conv()),
}
MAKERS = {made.__name__: made for made in NETWORKS} | KINDS
every_network = pytest.mark.parametrize("name", MAKERS)


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MAKERS[name]().eval()


def picture(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(2, 16, 8, 12, generator=torch.Generator().manual_seed(1), dtype=dtype)


@every_network
@torch.no_grad()
def test_it_gives_the_same_whoever_else_calls_its_modules(name):
    plain = network(name)
    fast = accelerate(plain, "fp32")
    x, kept = picture(), picture()
    torch.testing.assert_close(fast(x), plain(x), rtol=1e-4, atol=1e-4)
    assert torch.equal(x, kept)
    assert fast.state_dict().keys() == plain.state_dict().keys()
    other = network(name)
    for parameter in other.parameters():
        nn.init.normal_(parameter, 0, 0.1)
    fast.load_state_dict(other.state_dict())
    torch.testing.assert_close(fast(x), other(x), rtol=1e-4, atol=1e-4)


@every_network
@torch.no_grad()
def test_what_is_made_for_a_gpu_gives_the_same_too(name):
    plain = network(name).double()
    fast = copy.deepcopy(plain)
    fold_batch_norms(fast)
    fuse_convolutions(fast)
    torch.testing.assert_close(fast(picture(torch.float64)), plain(picture(torch.float64)))


def test_a_chain_does_several_modules_in_one():
    """Of its own kind as before, and of a kind that has a forward of its own by the part of it that is the chain's."""
    named = accelerate(network("named"), "fp32")
    assert (named.acceleration.folded, named.acceleration.rectified) == (1, 1)
    assert isinstance(named[0], FusedChain)
    assert isinstance(named[0], Named)
    assert isinstance(named[0].last(), nn.ReLU)
    called = []
    named[0][1].register_forward_hook(lambda *_: called.append("norm"))
    named(picture())
    assert not called
    residual = accelerate(network("residual"), "fp32").acceleration
    assert (residual.folded, residual.rectified) == (1, 1)
    assert accelerate(network("shared_activation"), "fp32").acceleration.rectified == 1


@every_network
@pytest.mark.parametrize("how", ["deepcopy", "pickle", "save", "twice"])
@torch.no_grad()
def test_a_copy_of_it_stands_by_itself(name, how):
    if how in ("pickle", "save") and isinstance(network(name), Network):
        pytest.skip("its function has no pickle")
    fast = accelerate(network(name), "fp32")
    before = fast(picture())
    if how == "save":
        torch.save(fast, file := io.BytesIO())
        file.seek(0)
        copied = torch.load(file, weights_only=False)
        assert str(copied.acceleration) == str(fast.acceleration)
    else:
        ways = {"deepcopy": copy.deepcopy, "twice": lambda f: accelerate(f, "fp32")}
        copied = ways.get(how, lambda f: pickle.loads(pickle.dumps(f)))(fast)
    torch.testing.assert_close(copied(picture()), before)
    other = network(name)
    for parameter in other.parameters():
        nn.init.normal_(parameter, 0, 0.1)
    copied.load_state_dict(other.state_dict())
    torch.testing.assert_close(copied(picture()), other(picture()), rtol=1e-4, atol=1e-4)
    assert torch.equal(fast(picture()), before)


@every_network
@torch.no_grad()
def test_another_dtype_reaches_all_of_it(name):
    plain = network(name)
    fast = accelerate(plain, "fp32").double()
    got, want = fast(picture(torch.float64)), plain.double()(picture(torch.float64))
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_module_put_in_anothers_place_is_called():
    plain = network("named")
    fast = accelerate(plain, "fp32")
    plain[0][2] = fast[0][2] = nn.Tanh()
    torch.testing.assert_close(fast(picture()), plain(picture()), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fast[0][:2](picture()), plain[0][:2](picture()))


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
@torch.no_grad()
def test_a_hook_sees_and_changes_what_it_did(place, kind):
    torch.manual_seed(0)
    plain = nn.Sequential(conv(), norm(), nn.ReLU()).eval()
    seen = []

    def hook(module: nn.Module, *given: torch.Tensor | tuple) -> torch.Tensor:
        x = given[-1][0] if isinstance(given[-1], tuple) else given[-1]
        seen.append(x.clone())
        return 1 - 2 * x

    getattr(plain[place], kind)(hook)
    fast = accelerate(plain, "fp32")
    torch.testing.assert_close(fast(picture()), plain(picture()), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-4, atol=1e-4)


def test_a_replica_on_another_device_is_a_plain_chain():
    """Its twins' parameters would be on the first device."""
    chain = accelerate(nn.Sequential(Named(conv(), nn.ReLU())).eval(), "fp32")[0]
    assert isinstance(chain, FusedChain)
    assert type(chain._replicate_for_data_parallel()) is Named


@torch.no_grad()
def test_a_chain_is_compiled_in_one_piece():
    fast = accelerate(network("residual"), "fp32")
    want = fast(picture())
    compiled = torch.compile(fast, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(picture()), want)
