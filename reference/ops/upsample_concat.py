"""A picture made twice as large, beside another: how a U-Net's decoder takes up what its encoder knew."""

import torch
from torch.nn.functional import interpolate


def upsample_concat(
    x: torch.Tensor, skip: torch.Tensor, align_corners: bool = False, skip_first: bool = False
) -> torch.Tensor:
    """x (B, C, H, W) twice as large by bilinear interpolation, then skip (B, D, 2H, 2W) -> (B, C + D, 2H, 2W).

    align_corners: whether the middles of the outermost pixels are aligned, not their edges. skip_first: skip's channels
    come before those of x.

    Equivalent to:
        x = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=align_corners)
        torch.cat([skip, x] if skip_first else [x, skip], 1)
    """
    x = interpolate(x, scale_factor=2, mode="bilinear", align_corners=align_corners)
    return torch.cat([skip, x] if skip_first else [x, skip], 1)
