"""IFIRNN c2h3: a recurrent network that reads each frame four times (Nah et al., CVPR 2019).

"c2": two cells with weights of their own; "h3": the second one runs three times. The layers are those of the
re-implementation in the ESTRNN authors' repository, which MMP-RNN's Tables 2 and 3 count: 1,635,683 parameters,
217.89 GMACs.
"""

import torch
from torch import nn

from ..networks.video_network import VideoNetwork
from .blocks import ResidualBlock, residual_blocks

HIDDEN = 20


class Cell(nn.Module):
    """frame (B, 3, H, W) centred on 0, hidden (B, 20, H/4, W/4) -> features (B, 80, H/4, W/4), hidden."""

    def __init__(self):
        super().__init__()
        self.extract = nn.Sequential(nn.Conv2d(3, 20, 5, 1, 2), nn.Conv2d(20, 40, 5, 2, 2), nn.Conv2d(40, 60, 5, 2, 2))
        self.blocks = residual_blocks(6, 60 + HIDDEN, 3)
        self.hidden = nn.Sequential(
            nn.Conv2d(60 + HIDDEN, HIDDEN, 3, padding=1),
            ResidualBlock(HIDDEN, 3),
            nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1),
        )

    def forward(self, frame: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.blocks(torch.cat([self.extract(frame), hidden], 1))
        return features, self.hidden(features)


class IFIRNN(VideoNetwork):
    """IFIRNN c2h3. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 4 -> the sharp clip.

    No frame ahead is seen. The hidden state is zero at the start, and each cell hands it to the next.
    """

    multiple = 4
    minimum = 4
    iterations = 3

    def __init__(self):
        super().__init__()
        self.first = Cell()
        self.second = Cell()
        self.reconstruct = nn.Sequential(
            nn.ConvTranspose2d(60 + HIDDEN, 40, 3, 2, 1, output_padding=1),
            nn.ConvTranspose2d(40, 20, 3, 2, 1, output_padding=1),
            nn.Conv2d(20, 3, 5, padding=2),
        )

    def encode(self, frame, state=None):
        x = frame - 0.5
        if state is None:
            state = x.new_zeros(x.shape[0], HIDDEN, x.shape[2] // 4, x.shape[3] // 4)
        features, state = self.first(x, state)
        for _ in range(self.iterations):
            features, state = self.second(x, state)
        return features, state

    def decode(self, window, state=None):
        return self.reconstruct(window[0]) + 0.5, state
