"""A picture made twice as large, beside another: how a U-Net's decoder takes up what its encoder knew."""

import torch
from torch.nn.functional import interpolate


def upsample_concat(x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
    """x (B, C, H, W) twice as large by bilinear interpolation, then skip (B, D, 2H, 2W) -> (B, C + D, 2H, 2W).

    Equivalent to:
        x = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        torch.cat([x, skip], 1)
    """
    return torch.cat([interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), skip], 1)
