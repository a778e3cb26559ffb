"""ESTRNN's fusion of a frame's features with those of its neighbours."""

from collections.abc import Sequence

import torch
from torch import nn

from .joining_conv import JoiningConv2d
from .residual_dense_block import ACTIVATIONS


class GlobalSpatioTemporalAttention(nn.Module):
    """Global spatio-temporal attention (GSA) of ESTRNN (Zhong et al., ECCV 2020, section 3.3).

    window: past + 1 + future feature maps, each (B, channels, H, W), in time order -> (B, frames * channels, H, W).

    Every neighbour is paired with the centre; a squeeze-and-excite gate over the pair's channel means weighs a 1x1
    branch of the pair. The same weights serve every neighbour.

    Equivalent to:
        pair = torch.cat([centre, neighbour], 1)
        e_i = condense(sigmoid(gate[1](gelu(gate[0](pair.mean((2, 3)))))) * pointwise(pair))
        return fuse(*e, centre)
    """

    def __init__(self, channels: int, past: int = 2, future: int = 2, activation: str = "gelu"):
        super().__init__()
        self.past = past
        self.activation = activation
        pair, frames = 2 * channels, past + 1 + future
        self.gate = nn.ModuleList([nn.Linear(pair, 2 * pair), nn.Linear(2 * pair, pair)])
        self.pointwise = nn.Sequential(nn.Conv2d(pair, 2 * pair, 1), nn.Conv2d(2 * pair, pair, 1))
        self.condense = nn.Conv2d(pair, channels, 1)
        self.fuse = JoiningConv2d(frames * channels, frames * channels, 1)

    def forward(self, window: Sequence[torch.Tensor]) -> torch.Tensor:
        centre = window[self.past]
        neighbours = [x for i, x in enumerate(window) if i != self.past]
        return self.fuse(*(self._attend(centre, x) for x in neighbours), centre)

    def _attend(self, centre: torch.Tensor, neighbour: torch.Tensor) -> torch.Tensor:
        pair = torch.cat([centre, neighbour], 1)
        return self.condense(self.weigh(pair.mean((2, 3)))[..., None, None] * self.pointwise(pair))

    def weigh(self, means: torch.Tensor) -> torch.Tensor:
        """Means of pairs, (..., 2 channels) -> the weights of their channels, in 0..1."""
        return torch.sigmoid(self.gate[1](ACTIVATIONS[self.activation](self.gate[0](means))))
