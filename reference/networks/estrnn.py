"""ESTRNN: the recurrent network that MMP-RNN builds on and compares itself with (Zhong et al., 2020).

The layers are those of the authors' journal version (GELU). In Table 2 of MMP-RNN a name's C is 5 * features here.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..modules import RDB, GlobalSpatioTemporalAttention, ResidualDenseNetwork, StridedConv2d
from .starting import FRAME, keep_sizes
from .video_network import VideoNetwork


class ESTRNN(VideoNetwork):
    """ESTRNN. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 4 -> the sharp clip.

    features: n_features; blocks: RDBs of the cell. No skip joins the frame to the output.
    """

    past = 2
    future = 2
    multiple = 4
    minimum = 4
    carriers = (
        "extract.[024].*",
        "extract.[13].fuse.*",
        "align.blocks.0.fuse.*",
        "align.fuse.*",
        "align.conv.*",
        "attention.fuse.*",
        "reconstruct.*",
    )
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

    @torch.no_grad()
    def start_from_identity(self) -> None:
        """Weights that carry the pixels of the current frame, 4 x 4 of them in a place at a quarter of the resolution,
        through the first channels of everything, as large as features are: the network gives back what it is given.
        Of the cell's blocks they pass the first alone; what the others write reaches the image by way of the fusion,
        which begins with zeros for it, so that they are free to learn.

        Raises ValueError where the features are fewer than those pixels.
        """
        if 4 * self.features < 48:
            raise ValueError(f"ESTRNN: 4 x 4 pixels need features=12 or more to pass through, got {self.features}")
        keep_sizes(self, self.extract[0], dense_gain=1.5, without="attention.gate")
        full, half, quarter = range(3), range(12), range(48)
        stem, rdb1, down1, rdb2, down2 = self.extract
        fuse, conv = self.align.fuse, self.align.conv
        up1, up2, head = self.reconstruct
        nn.init.zeros_(head.weight)
        for layer, count in ((stem, 3), (down1, 12), (down2, 48), (fuse, 48), (conv, 48), (self.attention.fuse, 48)):
            layer.weight[:count] = 0
        for block, count in ((rdb1, 3), (rdb2, 12), (self.align.blocks[0], 48)):
            block.fuse.weight[:count] = 0
        for up, count in ((up1, 12), (up2, 3)):
            up.weight[:, :count] = 0
        centre = self.attention.fuse.in_channels - conv.in_channels
        for c in full:
            stem.weight[c, c, 2, 2], head.weight[c, c, 2, 2] = FRAME, 1 / FRAME
        for c in quarter:
            fuse.weight[c, c] = conv.weight[c, c, 1, 1] = self.attention.fuse.weight[c, centre + c] = 1
        for down, up, channels in ((down1, up2, full), (down2, up1, half)):
            for c in channels:
                for phase, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
                    # a transposed kernel's middle row is the only one that even pixels see, and odd ones do not
                    down.weight[4 * c + phase, c, 2 + i, 2 + j] = up.weight[4 * c + phase, c, 1 + i, 1 + j] = 1

    def picture_path(self) -> dict[str, torch.Tensor]:
        """What `start_from_identity` lets the picture pass through: by a parameter's name, True for each of its numbers
        through which it does, and for each that would add to it what is as large as the picture itself."""
        stem, rdb1, down1, rdb2, down2 = self.extract
        cell, channels = self.align, 5 * self.features
        up1, up2, head = self.reconstruct
        held = {weight: torch.zeros_like(weight, dtype=torch.bool) for weight in self.parameters()}
        reads = ((stem, 3), (rdb1.fuse, 3), (down1, 12), (rdb2.fuse, 12), (down2, 48), (cell.blocks[0].fuse, 48))
        for layer, count in reads:  # nothing but the picture comes out of these
            held[layer.weight][:count] = held[layer.bias][:count] = True
        centre = self.attention.fuse.in_channels - channels
        for first in range(0, cell.fuse.in_channels, channels):  # every block gives it on
            held[cell.fuse.weight][:48, first : first + 48] = True
        held[cell.conv.weight][:48, :48] = held[self.attention.fuse.weight][:48, centre : centre + 48] = True
        held[up1.weight][:48, :12] = held[up2.weight][:12, :3] = held[head.weight][:, :3] = True
        return {name: held[weight] for name, weight in self.named_parameters() if held[weight].any()}

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
