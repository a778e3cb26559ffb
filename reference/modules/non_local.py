"""The non-local block: attention of every pixel to every pixel, what GSTA is measured against."""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention


class NonLocal(nn.Module):
    """Non-local block, embedded Gaussian (Wang et al., CVPR 2018; reference [33] of GSTA, its Net5 and Table 5).

    x (B, T, channels, H, W) -> (B, T, channels, H, W). The inner width is half the channels, as in that paper; no
    sub-sampling. `efficient=True` computes the same through PyTorch's fused attention, which never holds the
    (T*H*W) x (T*H*W) matrix.

    Equivalent to:
        x + out(softmax(theta(x)^T phi(x)) g(x)), over the T * H * W positions
    """

    def __init__(self, channels: int, efficient: bool = False):
        super().__init__()
        inner = max(1, channels // 2)
        self.efficient = efficient
        self.theta = nn.Linear(channels, inner)
        self.phi = nn.Linear(channels, inner)
        self.g = nn.Linear(channels, inner)
        self.out = nn.Linear(inner, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        positions = x.movedim(2, -1).flatten(1, 3)
        query, key, value = self.theta(positions), self.phi(positions), self.g(positions)
        if self.efficient:
            heads = (t[:, None] for t in (query, key, value))
            gathered = scaled_dot_product_attention(*heads, scale=1.0)[:, 0]
        else:
            gathered = (query @ key.mT).softmax(-1) @ value
        b, t, c, h, w = x.shape
        return x + self.out(gathered).view(b, t, h, w, c).movedim(-1, 2)
