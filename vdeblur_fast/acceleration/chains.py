"""Chains of residual dense blocks that add up what they keep, as it comes, and put nothing side by side.

What the blocks keep is many times a feature map; to concatenate it takes longer than to fuse it, in memory that is new
each time. In float32 alone, for sums that are rounded to bfloat16 at every block would lose what one convolution keeps.
"""

import torch
from torch import nn

from ..reference.modules import ResidualDenseNetwork


class SummedResidualDenseNetwork(ResidualDenseNetwork):
    """x (B, channels, H, W) -> the same.

    Equivalent to:
        for rdb in blocks: x = rdb(x); kept.append(x)
        return conv(fuse(torch.cat(kept, 1)))
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.fuse.weight.flatten(1).chunk(len(self.blocks), 1)
        batch, _, height, width = x.shape
        fused = self.fuse.bias.repeat(batch * height * width, 1)
        for rdb, part in zip(self.blocks, parts, strict=True):
            x = rdb(x)
            fused.addmm_(x.permute(0, 2, 3, 1).flatten(0, 2), part.t())
        return self.conv(fused.unflatten(0, (batch, height, width)).permute(0, 3, 1, 2))


def sum_up_chains(network: nn.Module) -> int:
    """Makes every residual dense network of `network` add up its fusion, in place -> how many there are."""
    chains = [module for module in network.modules() if type(module) is ResidualDenseNetwork]
    for chain in chains:
        chain.__class__ = SummedResidualDenseNetwork
    return len(chains)
