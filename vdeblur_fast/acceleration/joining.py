"""Convolutions of 1x1 that take pictures side by side where they lie, instead of a concatenation of them.

What a chain of residual dense blocks keeps is many times a feature map; to concatenate it takes as long as to fuse it.
"""

import torch
from torch import nn

from .. import ops
from ..ops.convolution import uses_winograd
from ..reference.modules import JoiningConv2d

# In bfloat16 it wins from so many channels on without AMX, and up to so many outputs with it: the more there are of
# these, the less a concatenation takes beside them. In float32 it always does.
ENOUGH_FOR_DOTS, MOST_FOR_TILES = 64, 128


class FusedJoiningConv2d(JoiningConv2d):
    """`JoiningConv2d` of 1x1, on the fused operator."""

    def forward(self, *pictures: torch.Tensor) -> torch.Tensor:
        if any(x.dtype != pictures[0].dtype for x in pictures):  # some are of autocast's, some are not
            return super().forward(*pictures)
        return ops.convolution(pictures, self.weight, self.bias)


def join_where_they_lie(network: nn.Module, dtype: torch.dtype) -> int:
    """Makes every plain 1x1 convolution of `network` that may read several pictures do so without a concatenation, in
    place, where that is faster in this type -> how many there are."""
    found = [module for module in network.modules() if type(module) is JoiningConv2d and _is_plain(module)]
    if dtype == torch.bfloat16 and uses_winograd(dtype):
        found = [conv for conv in found if conv.in_channels >= ENOUGH_FOR_DOTS]
    elif dtype == torch.bfloat16:
        found = [conv for conv in found if conv.out_channels <= MOST_FOR_TILES]
    for conv in found:
        conv.__class__ = FusedJoiningConv2d
    return len(found)


def _is_plain(conv: nn.Conv2d) -> bool:
    sizes = conv.kernel_size, conv.stride, conv.dilation, conv.padding, conv.groups
    return sizes == ((1, 1), (1, 1), (1, 1), (0, 0), 1) and conv.bias is not None
