"""Convolutions of 3x3 and 5x5 in bfloat16 by AMX's tiles, on the fused operator where pictures are wide.

oneDNN multiplies by tiles too. The operator takes pixels from where they lie and finishes results while the tiles are
busy. Which is faster is as measured.
"""

import torch
from torch import nn

from .. import ops
from .folding import FoldedConv2d
from .outside import outside_of_blocks
from .rectified import AddedFoldedConv2d, RectifiedConv2d, RectifiedFoldedConv2d

# Measured: channels in, times as many out, and pairs of channels between which it wins,
ENOUGH, TIMES, MOST = 8, 2, 112 * 112
# in rows of so many pixels, and from so many channels on in shorter ones.
WIDE, LESS_WIDE, ENOUGH_FOR_LESS = 256, 128, 40


class TiledConv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, on the fused operator where that is faster."""

    activation = "none"

    def _conv_forward(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if not self.wins_for(input) or input.dim() != 4:
            return super()._conv_forward(input, weight, bias)
        bias = weight.new_zeros(self.out_channels) if bias is None else bias
        return ops.convolution([input], weight, bias, activation=self.activation)

    def wins_for(self, x: torch.Tensor) -> bool:
        return x.shape[-1] >= (LESS_WIDE if self.in_channels >= ENOUGH_FOR_LESS else WIDE)


class TiledFoldedConv2d(TiledConv2d, FoldedConv2d):
    """... that has a batch norm in between."""


class TiledRectifiedConv2d(TiledConv2d, RectifiedConv2d):
    """..., then ReLU."""

    activation = "relu"


class TiledRectifiedFoldedConv2d(TiledConv2d, RectifiedFoldedConv2d):
    """..., a batch norm, then ReLU."""

    activation = "relu"


class TiledAddedFoldedConv2d(TiledConv2d, AddedFoldedConv2d):
    """..., a batch norm, the sum and the ReLU of a residual block."""

    def added(self, x: torch.Tensor, other: torch.Tensor, overwrite: bool = False) -> torch.Tensor:
        if not self.wins_for(x):
            return super().added(x, other, overwrite)
        return ops.convolution([x], self.folded_weight, self.folded_bias, other, activation="relu")


TILED = {
    nn.Conv2d: TiledConv2d,
    FoldedConv2d: TiledFoldedConv2d,
    RectifiedConv2d: TiledRectifiedConv2d,
    RectifiedFoldedConv2d: TiledRectifiedFoldedConv2d,
    AddedFoldedConv2d: TiledAddedFoldedConv2d,
}


def convolve_in_tiles(network: nn.Module) -> int:
    """Makes every convolution of `network` that may be faster on the operator run on it where pictures are wide, in
    place -> how many. After everything else that changes convolutions; what it gives stays the same, to rounding."""
    found = [module for module in outside_of_blocks(network) if type(module) in TILED and _worth_it(module)]
    for module in found:
        module.__class__ = TILED[type(module)]
    return len(found)


def _worth_it(conv: nn.Conv2d) -> bool:
    kernel = conv.kernel_size[0]
    same_size = conv.padding_mode == "zeros" and conv.padding == (kernel // 2, kernel // 2) and conv.stride == (1, 1)
    plain = kernel in (3, 5) and conv.kernel_size == (kernel, kernel) and (conv.dilation, conv.groups) == ((1, 1), 1)
    few = conv.in_channels * conv.out_channels <= MOST and conv.out_channels <= TIMES * conv.in_channels
    return same_size and plain and few and conv.in_channels >= ENOUGH
