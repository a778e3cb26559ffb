"""Convolutions to few channels, several neighbouring pixels of them at once.

A convolution to three channels leaves most of a processor's vector unit without work, which computes a register of
channels at a time, and most of AMX's tiles, which are as wide. The same results, 2 x 2 of them side by side taken for
12 channels, are a convolution in steps of 2 x 2 pixels with a slightly larger kernel: up to twice as fast.
"""

import math
from functools import partial

import torch
from torch import nn
from torch.nn.functional import conv2d, pixel_shuffle

from .chains import fuse_pairs
from .outside import outside_of_blocks

# Times less work, from which on it is faster, with AVX2, AVX-512 and AMX; less where a pixel shuffle is done with it.
WORTH_IT, WITH_SHUFFLE = 1.1, 0.9
_SHAPES = ((2, 4), (1, 2), (2, 2), (1, 4))  # of equal ones the first is the faster


class PhasedConv2d(nn.Conv2d):
    """A convolution that computes `phases` (rows, columns) neighbouring results at once, and does the work of a pixel
    shuffle after it, if there is one.

    Keeps its own `weight` and `bias`, so that the state_dict stays; what it computes with is made of them, and again
    whenever a state_dict is loaded.
    """

    phases: tuple[int, int]
    upscale: int

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        sizes = zip(input.shape[-2:], self.padding, self.kernel_size, strict=True)
        high, wide = (size + 2 * padding - kernel + 1 for size, padding, kernel in sizes)
        # Of one column of phases: see StridedConv2d.
        if high % self.phases[0] or wide % self.phases[1] or wide == self.phases[1] or input.dim() != 4:
            y = super().forward(input)
            return pixel_shuffle(y, self.upscale) if self.upscale > 1 else y
        y = conv2d(input, self.phased_weight, self.phased_bias, self.phases, self.padding).permute(0, 2, 3, 1)
        rows, columns = (phase * self.upscale for phase in self.phases)
        batch, height, width, channels = y.shape
        y = y.reshape(batch, height, width, rows, channels // rows).transpose(2, 3)
        return y.reshape(batch, height * rows, width * columns, channels // (rows * columns)).permute(0, 3, 1, 2)


def compute_in_phases(network: nn.Module) -> int:
    """Makes every convolution of `network` to few channels compute in phases, in place -> how many there are. What the
    network gives stays the same, to rounding."""
    found = [(conv, shuffle.upscale_factor) for _, conv, shuffle in fuse_pairs(network, _shuffled)]
    found += [(conv, 1) for conv in outside_of_blocks(network) if _worth_it(conv, WORTH_IT)]
    for conv, upscale in found:
        conv.__class__, conv.upscale, conv.phases = PhasedConv2d, upscale, _phases(conv)
        _prepare(conv)
        conv.register_load_state_dict_post_hook(partial(_prepare, conv))
    return len(found)


def _shuffled(conv: nn.Module, shuffle: nn.Module) -> type[nn.Module] | None:
    return PhasedConv2d if type(shuffle) is nn.PixelShuffle and _worth_it(conv, WITH_SHUFFLE) else None


def _phases(conv: nn.Conv2d) -> tuple[int, int]:
    return min(_SHAPES, key=lambda shape: _work(conv, shape))


def _work(conv: nn.Conv2d, shape: tuple[int, int]) -> float:
    """Places in registers for each input channel and pixel, those included that stay without work."""
    lanes = 16 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 8
    taps = math.prod(kernel + phases - 1 for kernel, phases in zip(conv.kernel_size, shape, strict=True))
    pixels = math.prod(shape)
    return taps * -(-conv.out_channels * pixels // lanes) * lanes / pixels


def _worth_it(module: nn.Module, times: float) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and (module.stride, module.dilation, module.groups) == ((1, 1), (1, 1), 1)
        and min(module.kernel_size) >= 3
        and _work(module, (1, 1)) > times * _work(module, _phases(module))
    )


@torch.no_grad()
def _prepare(conv: PhasedConv2d, *_: object) -> None:
    """Channels in the order in which an image has them: row of the shuffle, column of the shuffle, channel."""
    weight, bias = (
        None if tensor is None else tensor.unflatten(0, (-1, conv.upscale, conv.upscale))
        for tensor in (conv.weight, conv.bias)
    )
    (rows, columns), (height, width), up = conv.phases, conv.kernel_size, conv.upscale
    channels = weight.shape[0]
    size = rows, up, columns, up, channels, conv.in_channels, height + rows - 1, width + columns - 1
    phased = weight.new_zeros(size)
    for i in range(rows):
        for j in range(columns):
            phased[i, :, j, :, :, :, i : i + height, j : j + width] = weight.movedim(0, 2)
    phased = phased.flatten(0, 4).contiguous(memory_format=torch.channels_last)
    conv.register_buffer("phased_weight", phased, persistent=False)
    if bias is not None:
        bias = bias.movedim(0, 2)[None, :, None].expand(size[:5]).flatten()
    conv.register_buffer("phased_bias", bias, persistent=False)
