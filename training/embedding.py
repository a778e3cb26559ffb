"""A small network inside a large one: convolutions and residual dense blocks that give what smaller ones give, in some
of their channels, whatever the other channels hold.

Outputs that the small one has read none of the other channels; the others keep the weights that they had. So what is
new changes nothing at first, and can learn from the first step on.
"""

from collections.abc import Sequence

import torch
from torch import nn

from vdeblur_fast.reference.modules import RDB, ResidualDenseNetwork


@torch.no_grad()
def embed(large: nn.Module, small: nn.Module, outputs: Sequence[int], inputs: Sequence[int]) -> None:
    """outputs, inputs: where the channels of `small`, a convolution of the same kind, lie among those of `large`."""
    to, given = (
        conv.weight.transpose(0, 1) if isinstance(conv, nn.ConvTranspose2d) else conv.weight for conv in (large, small)
    )
    rows, columns = torch.as_tensor(outputs), torch.as_tensor(inputs)
    to[rows] = 0
    to[rows[:, None], columns[None]] = given
    large.bias[rows] = small.bias


def embed_block(large: RDB, small: RDB, places: Sequence[int]) -> None:
    """places: of the channels of `small` among those of `large`."""
    columns = [*places]
    for i, (conv, given) in enumerate(zip(large.dense, small.dense, strict=True)):
        embed(conv, given, range(given.out_channels), columns)
        first = large.fuse.out_channels + i * conv.out_channels
        columns += range(first, first + given.out_channels)
    embed(large.fuse, small.fuse, places, columns)


@torch.no_grad()
def pass_on(block: RDB, places: Sequence[int]) -> None:
    """A block that gives back those channels."""
    block.fuse.weight[[*places]] = 0
    block.fuse.bias[[*places]] = 0


def embed_chain(large: ResidualDenseNetwork, small: ResidualDenseNetwork, places: Sequence[int]) -> None:
    """The blocks of `small` are the last ones of `large`; those before them pass on what they are given."""
    more, channels = len(large.blocks) - len(small.blocks), large.conv.in_channels
    for block in large.blocks[:more]:
        pass_on(block, places)
    for block, given in zip(large.blocks[more:], small.blocks, strict=True):
        embed_block(block, given, places)
    kept = [channels * (more + i) + place for i in range(len(small.blocks)) for place in places]
    embed(large.fuse, small.fuse, places, kept)
    embed(large.conv, small.conv, places, places)
