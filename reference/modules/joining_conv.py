"""A convolution that reads several pictures."""

import torch
from torch import nn


class JoiningConv2d(nn.Conv2d):
    """`torch.nn.Conv2d` of one or more pictures (B, ., H, W) side by side, `in_channels` together.

    Equivalent to:
        super().forward(torch.cat(pictures, 1))
    """

    def forward(self, *pictures: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.cat(pictures, 1) if len(pictures) > 1 else pictures[0])
