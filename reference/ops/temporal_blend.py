"""A frame's features blended with the previous frame's, pixel by pixel and channel by channel."""

import torch
from torch.nn.functional import conv2d

from .unit_interval import kept_in_unit_interval


def temporal_blend(
    current: torch.Tensor, previous: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, beta: torch.Tensor
) -> torch.Tensor:
    """Dynamic temporal blending (DTB, equations 2 and 3).

    current (B, C, H, W) the features h_n; previous (B, C, H, W) the blended features of the frame before; weight
    (C, 2C, k, k), k odd, and bias (C) of one convolution over [current, previous], padded so that the borders blend
    as the middle does; beta one number, taken as 0 below 0 and as 1 above 1 -> (B, C, H, W) of current's dtype.

    Equivalent to:
        w = min(1, abs(tanh(conv2d(cat([current, previous]), weight, bias, padding=k // 2))) + beta)
        w * current + (1 - w) * previous
    """
    pair = torch.cat([current, previous], 1)
    similarity = conv2d(pair, weight.to(pair), bias.to(pair), padding=weight.shape[-1] // 2)
    return blend(similarity, current, previous, beta)


def blend(similarity: torch.Tensor, current: torch.Tensor, previous: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """All that follows the convolution: similarity, current, previous (B, C, H, W), beta one number -> (B, C, H, W)."""
    w = (similarity.tanh().abs() + kept_in_unit_interval(beta).to(similarity)).clamp(max=1)
    return w * current + (1 - w) * previous
