"""A chain of residual dense blocks whose outputs are all kept and fused."""

import torch
from torch import nn

from .joining_conv import JoiningConv2d
from .residual_dense_block import RDB


class ResidualDenseNetwork(nn.Module):
    """RDB-Net of MMP-RNN (section 3.2) and ESTRNN: `blocks` RDBs in series, all outputs fused by a 1x1 and a 3x3.

    x (B, channels, H, W) -> (B, channels, H, W). No activation and no outer residual.

    Equivalent to:
        for rdb in blocks: x = rdb(x); kept.append(x)
        return conv(fuse(*kept))
    """

    def __init__(self, channels: int, growth: int, blocks: int, activation: str = "gelu"):
        super().__init__()
        self.blocks = nn.ModuleList(RDB(channels, growth, activation=activation) for _ in range(blocks))
        self.fuse = JoiningConv2d(blocks * channels, channels, 1)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for rdb in self.blocks:
            x = rdb(x)
            kept.append(x)
        return self.conv(self.fuse(*kept))
