"""What takes a module's place takes what the module took, and where a network's dtype is changed it goes with it."""

import pytest
import torch
from torch import nn

import vdeblur_fast
from vdeblur_fast import accelerate
from vdeblur_fast.reference.networks.strcnn import ResidualBlock

X = torch.randn(1, 16, 8, 12, generator=torch.Generator().manual_seed(0))
IMAGE = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))


def conv(outputs: int = 16, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(16, outputs, kernel, stride, kernel // 2)


def up(kernel: int = 4) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(16, 16, kernel, 2, 1)


class SizedUp(nn.Module):
    """A transposed convolution that is told how large its result is to be."""

    def __init__(self, up: nn.ConvTranspose2d):
        super().__init__()
        self.up = nn.Sequential(up, nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up[1](self.up[0](x, output_size=[2 * x.shape[2], 2 * x.shape[3]]))


def kinds(value: list[nn.Module] | torch.Tensor) -> str:
    """What a case is called."""
    return "-".join(type(layer).__name__ for layer in value) if isinstance(value, list) else ""


@pytest.mark.parametrize(
    ("layers", "x"),
    [
        ([conv(), nn.ReLU()], X),
        ([conv(), nn.BatchNorm2d(16), nn.ReLU()], X),
        ([conv()], X),
        ([conv(3)], X),
        ([conv(12), nn.PixelShuffle(2)], X),
        ([conv(stride=2), nn.ReLU()], X),
        ([up(), nn.ReLU()], X),
        ([up(3), nn.ReLU()], X),
        ([up()], X),
        ([nn.MaxPool2d(2)], X),
        ([nn.AvgPool2d(2)], IMAGE),
    ],
    ids=kinds,
)
@torch.no_grad()
def test_a_picture_may_come_by_itself(layers, x):
    plain = nn.Sequential(*layers).eval()
    torch.testing.assert_close(accelerate(plain, "fp32")(x[0]), plain(x)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("module", [conv(), conv(3), conv(kernel=5), up(), up(3), nn.MaxPool2d(2)], ids=str)
@torch.no_grad()
def test_the_picture_may_be_named(module):
    fast = accelerate(module, "fp32")
    torch.testing.assert_close(fast(input=X), module(input=X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [3, 4])
@torch.no_grad()
def test_a_size_may_be_asked_for(kernel):
    plain, size = SizedUp(up(kernel)), [2 * X.shape[2], 2 * X.shape[3]]
    fast, alone = accelerate(plain, "fp32"), accelerate(plain.up[0], "fp32")
    torch.testing.assert_close(fast(X), plain(X), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(alone(X, output_size=size), plain.up[0](X, output_size=size), rtol=1e-4, atol=1e-5)


def test_a_picture_too_small_to_be_pooled_is_refused():
    fast = accelerate(nn.MaxPool2d(2), "fp32")
    with pytest.raises(RuntimeError, match="Output size is too small"):
        fast(torch.rand(1, 3, 1, 5))


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last], ids=str)
def test_an_average_sees_its_own_channel_alone(order):
    image = IMAGE.clone(memory_format=order)
    image[0, 0, 0, 0] = torch.inf
    plain = nn.AvgPool2d(2)
    assert torch.equal(accelerate(plain, "fp32")(image), plain(image))


@pytest.mark.parametrize(
    "layers",
    [[conv(stride=2), nn.ReLU()], [up(3), nn.ReLU()], [conv(), nn.ReLU(), conv(3)], [ResidualBlock(8)]],
    ids=kinds,
)
def test_tangents_are_the_networks(layers):
    plain = nn.Sequential(*layers).eval().requires_grad_(False)
    x = X[:, :8] if isinstance(layers[0], ResidualBlock) else X
    got, want = (torch.func.jvp(each, (x,), (x + 1,)) for each in (accelerate(plain, "fp32"), plain))
    assert want[1].any()
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


NAMES = ("mmp-rnn-tiny", "estrnn-c70b7", "strcnn-dtb", "strcnn", "cnn", "gsta-net-small", "david-small-single3")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_either_memory_format_will_do(name, precision):
    torch.manual_seed(0)
    plain, clip = vdeblur_fast.build(name).eval(), torch.rand(1, 2, 3, 32, 48)
    want = plain(clip)
    for memory_format in ("contiguous", "channels_last"):
        got = accelerate(plain, precision, memory_format)(clip)
        limit = 1e-4 if precision == "fp32" else 0.05
        assert (got - want).abs().max() <= limit * want.abs().max()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_a_network_that_is_converted_afterwards_still_works(name, dtype):
    torch.manual_seed(0)
    plain, clip = vdeblur_fast.build(name).eval(), torch.rand(1, 2, 3, 32, 48)
    want = plain(clip)
    got = accelerate(plain, "fp32").to(dtype)(clip.to(dtype))
    assert got.dtype == dtype
    limit = 1e-4 if dtype == torch.float64 else 0.05
    assert (got.float() - want).abs().max() <= limit * want.abs().max()
