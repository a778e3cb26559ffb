"""The residual dense block: where MMP-RNN and ESTRNN spend their time."""

import torch
from torch import nn

ACTIVATIONS = {"gelu": nn.functional.gelu, "relu": nn.functional.relu}


class RDB(nn.Module):
    """Residual dense block (MMP-RNN section 3.2, after Zhang et al., Residual Dense Network).

    x (B, channels, H, W) -> (B, channels, H, W), any floating dtype.

    Each dense layer is a 3x3 convolution of everything before it, an activation, and a concatenation (input first); a
    1x1 convolution brings the channels back, and the input is added. GELU is the exact erf form.

    Equivalent to:
        for conv in dense: y = torch.cat([y, gelu(conv(y))], 1)
        return fuse(y) + x
    """

    def __init__(self, channels: int, growth: int, layers: int = 3, activation: str = "gelu"):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"RDB: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.activation = activation
        self.activate = ACTIVATIONS[activation]
        self.dense = nn.ModuleList(nn.Conv2d(channels + i * growth, growth, 3, padding=1) for i in range(layers))
        self.fuse = nn.Conv2d(channels + layers * growth, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for conv in self.dense:
            y = torch.cat([y, self.activate(conv(y))], 1)
        return self.fuse(y) + x
