"""The way up of a U-Net."""

import torch
from torch import nn

from .. import ops


class UpsampleConcat(nn.Module):
    """A picture twice as large, and another beside it: x (B, C, H, W), skip (B, D, 2H, 2W) -> (B, C + D, 2H, 2W).

    Equivalent to:
        torch.cat([interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), skip], 1)
    """

    ops = ops

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self.ops.upsample_concat(x, skip)
