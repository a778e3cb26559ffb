"""convolution beside PyTorch, in the sizes of the networks; the limit is of the operations as they are defined, and
Winograd's method needs fewer: `of_limit` may pass 100 %."""

import copy

import pytest
import torch
from torch import nn

from bench.harness import DEVICE, MEASURED, TYPES, Case
from vdeblur_fast import accelerate
from vdeblur_fast.ops import convolution
from vdeblur_fast.ops.convolution import uses_winograd

# inputs, outputs, kernel, height, width
SIZES = [
    (64, 64, 3, 180, 320),  # strcnn's residual blocks at 640x360
    (9, 64, 5, 360, 640),  # ... and its first layer
    (64, 3, 3, 360, 640),  # ... and its last
    (80, 80, 3, 90, 160),  # mmp-rnn-a3b4c16
    (16, 16, 3, 360, 640),
    (40, 40, 3, 90, 160),  # mmp-rnn-tiny
    (16, 16, 3, 192, 320),  # david-small
    (48, 16, 3, 192, 320),
    (192, 64, 3, 48, 80),
    (32, 32, 3, 180, 320),  # gsta-net-small
]
IN_BF16 = [
    (64, 64, 3, 180, 320),  # strcnn's residual blocks at 640x360
    (128, 64, 5, 180, 320),  # ... and the similarity of strcnn-dtb
    (80, 80, 3, 90, 160),  # mmp-rnn-a3b4c16
    (64, 64, 3, 45, 80),  # MMP-Net
    (192, 64, 3, 48, 80),  # david-small at 320x192
    (128, 128, 3, 24, 40),
]
IN_TILES = [
    (64, 64, 3, 180, 320),
    (128, 64, 5, 180, 320),
    (80, 80, 3, 90, 160),
    (40, 40, 3, 90, 160),
    (16, 16, 3, 360, 640),
    (16, 16, 3, 192, 320),
    (48, 16, 3, 192, 320),
    (96, 32, 3, 96, 160),
    (32, 32, 3, 180, 320),
]


def compare_layers(compare, name: str, layers: list[nn.Module], x: torch.Tensor) -> None:
    """A convolution and its ReLU: on the CPU as `accelerate` has them, on a GPU on the operator."""
    torch.manual_seed(0)
    plain = nn.Sequential(*layers).eval().requires_grad_(False).to(DEVICE)
    fast, exact, conv = accelerate(plain, TYPES[x.dtype]), copy.deepcopy(plain).double(), plain[0]
    plain.to(x.dtype, memory_format=torch.channels_last)
    if DEVICE == "cuda":

        def fast(x: torch.Tensor) -> torch.Tensor:
            return convolution([x], conv.weight, conv.bias, activation="relu")

    else:
        assert fast.acceleration.filtered + fast.acceleration.tiled == 1
    y = plain(x)
    pixels = x if isinstance(conv, nn.ConvTranspose2d) else y
    operations = 2 * pixels[0, 0].numel() * conv.weight.numel()
    compare(Case(name, fast, plain, (x,), x.nbytes + y.nbytes, operations, exact))


@torch.no_grad()
@pytest.mark.parametrize(
    ("sizes", "dtype"),
    [(sizes, torch.float32) for sizes in SIZES]
    + [(sizes, torch.bfloat16) for sizes in dict.fromkeys(IN_BF16 + IN_TILES) if torch.bfloat16 in MEASURED],
    ids=lambda s: TYPES[s] if s in TYPES else "{}to{}k{}-{}x{}".format(*s[:3], s[4], s[3]),
)
def test_convolution(compare, sizes, dtype):
    if dtype == torch.bfloat16:
        by_tiles = DEVICE == "cpu" and not uses_winograd(dtype)
        if sizes not in (IN_TILES if by_tiles else IN_BF16):
            pytest.skip("another processor's")
    inputs, outputs, kernel, height, width = sizes
    x = torch.randn(1, inputs, height, width, device=DEVICE, dtype=dtype).to(memory_format=torch.channels_last)
    name = f"convolution {inputs} to {outputs} {kernel}x{kernel} {width}x{height} and ReLU-{TYPES[dtype]}"
    compare_layers(compare, name, [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU()], x)


@torch.no_grad()
@pytest.mark.skipif(DEVICE != "cpu", reason="by phases on the CPU only")
@pytest.mark.parametrize("sizes", [(64, 64, 4, 180, 320), (32, 16, 4, 180, 320)], ids=lambda s: "{}to{}k{}".format(*s))
def test_transposed_convolution(compare, sizes):
    inputs, outputs, kernel, height, width = sizes
    x = torch.randn(1, inputs, height, width).to(memory_format=torch.channels_last)
    conv = nn.ConvTranspose2d(inputs, outputs, kernel, 2, 1, output_padding=4 - kernel)
    name = f"transposed convolution {inputs} to {outputs} {kernel}x{kernel} {width}x{height} and ReLU-fp32"
    compare_layers(compare, name, [conv, nn.ReLU()], x)
