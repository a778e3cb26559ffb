"""Convolutions to an image, several neighbouring pixels of it at once.

A convolution to three channels leaves most of a processor's vector unit without work, which computes a register of
channels at a time. The same results, 2 x 4 of them side by side taken for 24 channels, are a convolution in steps of
2 x 4 pixels with a slightly larger kernel: twice as fast for a 9x9 kernel.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import conv2d, pixel_shuffle

ENOUGH = 24  # channels for which a convolution is efficient, whatever the registers are
# A kernel of 3x3 grows more: it is for images of at most four channels, up to as many as nearly fill one register.
ENOUGH_OF_3, MOST_OF_3 = 12, 4
_SHAPES = ((1, 2), (2, 2), (2, 4))


class PhasedConv2d(nn.Conv2d):
    """A convolution that computes `phases` (rows, columns) neighbouring results at once, and does the work of a pixel
    shuffle after it, if there is one.

    Keeps its own `weight` and `bias`, so that the state_dict stays; what it computes with is made of them, and again
    whenever a state_dict is loaded.
    """

    phases: tuple[int, int]
    upscale: int

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sizes = zip(x.shape[-2:], self.padding, self.kernel_size, self.phases, strict=True)
        if any((size + 2 * padding - kernel + 1) % phase for size, padding, kernel, phase in sizes):
            y = super().forward(x)
            return pixel_shuffle(y, self.upscale) if self.upscale > 1 else y
        y = conv2d(x, self.phased_weight, self.phased_bias, self.phases, self.padding).permute(0, 2, 3, 1)
        rows, columns = (phase * self.upscale for phase in self.phases)
        batch, height, width, channels = y.shape
        y = y.reshape(batch, height, width, rows, channels // rows).transpose(2, 3)
        return y.reshape(batch, height * rows, width * columns, -1).permute(0, 3, 1, 2)


class ShuffledAway(nn.PixelShuffle):
    """A pixel shuffle that the convolution before it does: gives back what it is given."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def compute_in_phases(network: nn.Module, leave: Callable[[nn.Conv2d], bool] = lambda _: False) -> int:
    """Makes every convolution of `network` to few channels compute in phases, in place -> how many there are.

    leave: which ones to leave as they are. What the network gives stays the same, to rounding.
    """
    shuffles = shuffles_of(network)
    found = [module for module in network.modules() if _worth_it(module) and not leave(module)]
    for conv in found:
        shuffle = shuffles.get(conv)
        conv.__class__, conv.upscale = PhasedConv2d, shuffle.upscale_factor if shuffle else 1
        conv.phases = _phases(conv)
        if shuffle:
            shuffle.__class__ = ShuffledAway
        _prepare(conv)
        conv.register_load_state_dict_post_hook(lambda module, _: _prepare(module))
    return len(found)


def shuffles_of(network: nn.Module) -> dict[nn.Module, nn.PixelShuffle]:
    """The pixel shuffles that come straight after a module, by that module."""
    chains = [chain for chain in network.modules() if isinstance(chain, nn.Sequential)]
    return {conv: after for chain in chains for conv, after in pairwise(chain) if type(after) is nn.PixelShuffle}


def _phases(conv: nn.Conv2d) -> tuple[int, int]:
    enough = ENOUGH_OF_3 if 3 in conv.kernel_size else ENOUGH
    return next((shape for shape in _SHAPES if conv.out_channels * shape[0] * shape[1] >= enough), _SHAPES[-1])


def _worth_it(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and (module.stride, module.dilation, module.groups) == ((1, 1), (1, 1), 1)
        and min(module.kernel_size) >= 3
        and module.out_channels <= (MOST_OF_3 if 3 in module.kernel_size else ENOUGH // 2)
        and module.out_channels % 8 != 0
    )


@torch.no_grad()
def _prepare(conv: PhasedConv2d) -> None:
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
