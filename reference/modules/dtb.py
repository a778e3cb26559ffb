"""Dynamic temporal blending: how alike two frames' features are decides how they are mixed."""

import torch
from torch import nn

from ..ops.temporal_blend import blend


class DTB(nn.Module):
    """Dynamic temporal blending (Kim et al., ICCV 2017, section 4.2, equations 2 and 3).

    current (B, channels, H, W) the frame's features, previous (B, channels, H, W) the blended features of the frame
    before -> (B, channels, H, W). `previous=None`, on a first frame or after a cut, returns current.

    `beta` is one trained number, the least share of the current frame; outside of 0..1 it is taken as 0 or 1.

    Equivalent to:
        w = min(1, abs(tanh(similarity(torch.cat([current, previous], 1)))) + beta)
        return w * current + (1 - w) * previous
    """

    def __init__(self, channels: int, kernel_size: int = 5):
        super().__init__()
        if channels < 1:
            raise ValueError(f"DTB: channels must be at least 1, got {channels}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"DTB: kernel_size must be odd, so that a pixel is in the middle, got {kernel_size}")
        self.similarity = nn.Conv2d(2 * channels, channels, kernel_size, padding=kernel_size // 2)
        self.beta = nn.Parameter(torch.tensor(0.1))

    def forward(self, current: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        if previous is None:
            return current
        return blend(self.similarity(torch.cat([current, previous], 1)), current, previous, self.beta)
