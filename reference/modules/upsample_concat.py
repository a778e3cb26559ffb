"""The way up of a U-Net."""

import torch
from torch import nn

from .. import ops


class UpsampleConcat(nn.Module):
    """A picture twice as large, and another beside it: x (B, C, H, W), skip (B, D, 2H, 2W) -> (B, C + D, 2H, 2W).

    align_corners, skip_first: see `ops.upsample_concat`.

    Equivalent to:
        x = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=align_corners)
        torch.cat([skip, x] if skip_first else [x, skip], 1)
    """

    ops = ops

    def __init__(self, align_corners: bool = False, skip_first: bool = False):
        super().__init__()
        self.align_corners, self.skip_first = align_corners, skip_first

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self.ops.upsample_concat(x, skip, self.align_corners, self.skip_first)

    def extra_repr(self) -> str:
        return f"align_corners={self.align_corners}, skip_first={self.skip_first}"
