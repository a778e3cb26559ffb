"""What several of the comparators are made of."""

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """x (B, channels, H, W) -> (B, channels, H, W). Equivalent to: conv(relu(conv(x))) + x, no batch norm."""

    def __init__(self, channels: int, kernel_size: int):
        super().__init__()
        padding = kernel_size // 2
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size, padding=padding),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size, padding=padding),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + x


def residual_blocks(count: int, channels: int, kernel_size: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, kernel_size) for _ in range(count)))
