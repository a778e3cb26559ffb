"""The motion magnitude attentive module: how blurred a pixel is decides how its features are scaled and shifted."""

import torch
from torch import nn
from torch.nn.functional import leaky_relu


class MMAM(nn.Module):
    """Motion magnitude attentive module (MMP-RNN section 3.2, Fig. 3).

    x (B, channels, H, W), magnitude (B, 1, H, W) -> (B, channels, H, W).

    Each branch is two 1x1 convolutions, 1 -> channels // 2 -> channels, with LeakyReLU(0.1) between. The paper's counts
    need two branches of this size, a scale and a shift (`shift=True`); the published code has the scale alone
    (`shift=False`).

    Equivalent to:
        return x * (scale(magnitude) + 1) + shift(magnitude)
    """

    def __init__(self, channels: int, shift: bool = True):
        super().__init__()
        if channels < 2:
            raise ValueError(f"MMAM: channels must be at least 2, for half of them are hidden, got {channels}")
        self.scale = self._branch(channels)
        self.shift = self._branch(channels) if shift else None

    @staticmethod
    def _branch(channels: int) -> nn.ModuleList:
        return nn.ModuleList([nn.Conv2d(1, channels // 2, 1), nn.Conv2d(channels // 2, channels, 1)])

    @staticmethod
    def _map(branch: nn.ModuleList, magnitude: torch.Tensor) -> torch.Tensor:
        return branch[1](leaky_relu(branch[0](magnitude), 0.1))

    def forward(self, x: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
        x = x * (self._map(self.scale, magnitude) + 1)
        if self.shift is not None:
            x = x + self._map(self.shift, magnitude)
        return x
