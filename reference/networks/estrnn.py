"""ESTRNN: the recurrent network that MMP-RNN builds on and compares itself with (Zhong et al., 2020).

The layers are those of the authors' journal version (GELU). In Table 2 of MMP-RNN a name's C is 5 * features here.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..modules import RDB, GlobalSpatioTemporalAttention, ResidualDenseNetwork, StridedConv2d
from .video_network import VideoNetwork


class ESTRNN(VideoNetwork):
    """ESTRNN. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 4 -> the sharp clip.

    features: n_features; blocks: RDBs of the cell. No skip joins the frame to the output.
    """

    past = 2
    future = 2
    multiple = 4
    minimum = 4
    untiled = "its attention averages over the whole frame"

    def __init__(self, features: int, blocks: int, activation: str = "gelu"):
        super().__init__()
        c, n = features, 5 * features
        self.features = features
        self.extract = nn.Sequential(
            nn.Conv2d(3, c, 5, padding=2),
            RDB(c, c, activation=activation),
            StridedConv2d(c, 2 * c, 5, 2, 2),
            RDB(2 * c, c * 3 // 2, activation=activation),
            StridedConv2d(2 * c, 4 * c, 5, 2, 2),
        )
        self.align = ResidualDenseNetwork(n, 2 * c, blocks, activation)
        self.hidden = nn.Sequential(
            nn.Conv2d(n, c, 3, padding=1), RDB(c, c, activation=activation), nn.Conv2d(c, c, 3, padding=1)
        )
        self.attention = GlobalSpatioTemporalAttention(n, self.past, self.future, activation)
        frames = self.past + 1 + self.future
        self.reconstruct = nn.Sequential(
            nn.ConvTranspose2d(frames * n, 2 * c, 3, 2, 1, output_padding=1),
            nn.ConvTranspose2d(2 * c, c, 3, 2, 1, output_padding=1),
            nn.Conv2d(c, 3, 5, padding=2),
        )

    def encode(self, frame, state=None):
        own = self.extract(self.narrow(frame - 0.5))
        if state is None:
            state = own.new_zeros(own.shape[0], self.features, *own.shape[2:])
        f = self.align(torch.cat([own, state], 1))
        return f, self.hidden(f)

    def decode(self, window: Sequence[torch.Tensor], state=None):
        return self._image(self.reconstruct(self.attention(window))), state

    def _image(self, x: torch.Tensor) -> torch.Tensor:
        """Values around 0 -> around 0.5, in float32 at least: what half precision keeps of small ones is more than it
        could of their sum."""
        return x.to(torch.promote_types(x.dtype, torch.float32)) + 0.5
