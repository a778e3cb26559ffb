"""MMP-RNN: a recurrent network of residual dense blocks that knows how blurred each pixel is (Wang et al., ECCV 2022).

From the paper: the cell, the magnitude prior, the two features passed on, the fusion of five frames, the global skip
(Fig. 3, Table 2). Inferred from the paper's counts, for no published code has it: the second branch of MMAM and no
channel attention. The published code's variant is `MMPRNN(..., shift=False, channel_attention=True)`. Ours:
`stem_stride=2`, which makes the small network of `mmp-rnn-tiny`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from ..modules import MMAM, RDB, JoiningConv2d, ResidualDenseNetwork, StridedConv2d
from .mmp_net import MMPNet
from .starting import keep_sizes
from .video_network import VideoNetwork


class Entry(NamedTuple):
    """What the other frames, and the frame itself later, need of a frame."""

    frame: torch.Tensor  # (B, 3, H, W), centred on 0: what the global skip adds back
    features: torch.Tensor  # (B, 5C, H/4, W/4): f_t


class Extractor(nn.Module):
    """F_B0, MMAM, F_B1, F_B2: the features of one frame before anything is known of the others.

    frame (B, 3, H, W) centred on 0, magnitude (B, 1, H/s, W/s) or None -> l_t (B, outputs, H/4, W/4), s the stem's
    stride.
    """

    def __init__(self, features: int, outputs: int, mmam: bool, shift: bool, stem_stride: int):
        super().__init__()
        c = features
        self.stem = StridedConv2d(3, c, 5, stem_stride, 2)
        self.mmam = MMAM(c, shift) if mmam else None
        self.rdb1 = RDB(c, c)
        self.down1 = StridedConv2d(c, 2 * c, 5, 2, 2)
        self.rdb2 = RDB(2 * c, c * 3 // 2)
        self.down2 = StridedConv2d(2 * c, outputs, 5, 2 // stem_stride, 2)

    def forward(self, frame: torch.Tensor, magnitude: torch.Tensor | None) -> torch.Tensor:
        x = self.stem(frame)
        if self.mmam is not None:
            x = self.mmam(x, magnitude)
        return self.down2(self.rdb2(self.down1(self.rdb1(x))))


class ChannelAttention(nn.Sequential):
    """Squeeze-and-excite over the fused features: in the published code, not in the paper."""

    def __init__(self, channels: int):
        super().__init__(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // 16, 1),
            nn.ReLU(),
            nn.Conv2d(channels // 16, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * super().forward(x)


class Reconstructor(nn.Module):
    """D_Net: fused features (B, 5C, H/4, W/4) -> what is added to the frame, (B, 3, H, W)."""

    def __init__(self, features: int, blocks: int, stem_stride: int):
        super().__init__()
        c = features
        self.rdn = ResidualDenseNetwork(5 * c, 2 * c, blocks)
        self.up1 = nn.ConvTranspose2d(5 * c, 2 * c, 3, 2, 1, output_padding=1)
        if stem_stride == 1:
            self.up2 = nn.ConvTranspose2d(2 * c, c, 3, 2, 1, output_padding=1)
            self.head = nn.Conv2d(c, 3, 5, padding=2)
        else:
            self.up2 = nn.Identity()
            self.head = nn.Sequential(nn.Conv2d(2 * c, 12, 5, padding=2), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.up2(self.up1(self.rdn(x))))


class MMPRNN(VideoNetwork):
    """MMP-RNN. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 4 -> the sharp clip.

    features: C, n_c of the paper. blocks_a, blocks_b: RDBs of the cell and of the reconstructor ("A9B10C18").
    mmam: use the magnitude prior (Table 4's "w/o MMAM" is False).
    ndf: pass on the features before deblurring ("w/o NDF" is False).
    shift, channel_attention: see the top of this file.
    magnitude_net: the MMP-Net; the paper's where None is given. It is trained first and stays as it is: always in
    evaluation mode, no gradient to its weights.
    stem_stride: 1 in the paper; with 2 nothing but the skip works at full resolution.
    """

    past = 2
    future = 2
    multiple = 4
    carriers = ("skip.*",)
    precise = ("skip",)
    untiled = "MMP-Net's interpolation depends on the size of the frame (and without MMP-Net no halo is known)"

    def __init__(
        self,
        features: int,
        blocks_a: int,
        blocks_b: int,
        *,
        mmam: bool = True,
        ndf: bool = True,
        shift: bool = True,
        channel_attention: bool = False,
        magnitude_net: MMPNet | None = None,
        stem_stride: int = 1,
    ):
        super().__init__()
        if stem_stride not in (1, 2):
            raise ValueError(f"MMPRNN: stem_stride must be 1 or 2, got {stem_stride}")
        c, n = features, 5 * features
        self.features, self.ndf = features, ndf
        self.magnitude_net = (magnitude_net or MMPNet()) if mmam else None
        if self.magnitude_net is not None:
            self.magnitude_net.requires_grad_(False).eval()
            self.minimum = self.magnitude_net.minimum
            if self.magnitude_net.scale != stem_stride:
                raise ValueError(
                    f"MMPRNN: the magnitude map comes at 1/{self.magnitude_net.scale} of the frame's size and the stem "
                    f"works at 1/{stem_stride}; give both the same"
                )
        self.extract = Extractor(c, 2 * c if ndf else 4 * c, mmam, shift, stem_stride)
        self.align = ResidualDenseNetwork(n, 2 * c, blocks_a)
        self.hidden = nn.Sequential(nn.Conv2d(n, c, 3, padding=1), RDB(c, c), nn.Conv2d(c, c, 3, padding=1))
        frames = self.past + 1 + self.future
        self.attention = ChannelAttention(frames * n) if channel_attention else None
        self.fuse = JoiningConv2d(frames * n, n, 1)
        self.reconstruct = Reconstructor(c, blocks_b, stem_stride)
        self.skip = nn.Conv2d(3, 3, 9, padding=4)

    def train(self, mode: bool = True):
        super().train(mode)
        if self.magnitude_net is not None:
            self.magnitude_net.eval()
        return self

    def start_from_identity(self) -> None:
        """Sets the weights so that the network gives back what it is given: the best place to start training from.

        Everything behind that keeps the size of its signal from layer to layer.
        """
        keep_sizes(self, self.extract.stem, dense_gain=1.5, without="magnitude_net")
        head = self.reconstruct.head if isinstance(self.reconstruct.head, nn.Conv2d) else self.reconstruct.head[0]
        for tensor in (head.weight, self.skip.bias):
            nn.init.zeros_(tensor)
        nn.init.dirac_(self.skip.weight)
        if self.extract.mmam is not None:
            for branch in (self.extract.mmam.scale, self.extract.mmam.shift):
                if branch is not None:
                    nn.init.zeros_(branch[1].weight)

    def encode(self, frame, state=None):
        x = frame - 0.5
        magnitude = None
        if self.magnitude_net is not None:
            with torch.no_grad():
                magnitude = self.magnitude_net(self.narrow(frame))
        own = self.extract(self.narrow(x), magnitude)
        before, hidden = state if state is not None else self._zeros(own)
        inputs = [own, before, hidden] if self.ndf else [own, hidden]
        f = self.align(torch.cat(inputs, 1))
        return Entry(x, f), (own, self.hidden(f))

    def _zeros(self, own: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros_like(own), own.new_zeros(own.shape[0], self.features, *own.shape[2:])

    def decode(self, window: Sequence[Entry], state=None):
        x = [entry.features for entry in window]
        if self.attention is not None:
            x = [self.attention(torch.cat(x, 1))]
        return self.reconstruct(self.fuse(*x)) + self._skipped(window[self.past].frame) + 0.5, state

    def _skipped(self, frame: torch.Tensor) -> torch.Tensor:
        """The global skip, in float32 whatever the rest is computed in."""
        frame = frame.to(self.skip.weight.dtype)
        if frame.is_meta or not torch.is_autocast_enabled(frame.device.type):
            return self.skip(frame)
        with torch.autocast(frame.device.type, enabled=False):
            return self.skip(frame)
