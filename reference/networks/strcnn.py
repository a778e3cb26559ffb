"""STRCNN+DTB: a recurrent network that compares what it sees with what it saw (Kim et al., ICCV 2017).

From the paper: the three models of Fig. 3; the encoder and the decoder of four residual blocks each (Fig. 4); frames in
0..1; F_n of 32 channels at half the resolution, joined to the filtered frames; the blending with 5x5 filters,
w = min(1, |tanh| + beta) and a trained beta (Eq. 2, 3); m = 1 in the final model; the same number of parameters in all
three but for the convolution of the blending. It prints no counts.

Read in two public re-implementations, which agree: 5x5 into 64 channels, then 3x3 of stride 2 into 32; residual blocks
with batch norm and the ReLU after the sum; F_n by a 3x3 after the decoder, the image by a transposed 4x4 and a 3x3; no
skip from the frame to the image. Not taken from them: a blending that ignores a border of two pixels, a beta that is
not trained, a halved argument of tanh.

Ours: the blended features of the first frame are that frame's own (the re-implementations start from zeros:
`zero_start`). The plain CNN has 64 channels where the others have 32 and F_{n-1}, and no F_n: to the unit the same
number of parameters.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import relu_

from ..modules import DTB, StridedConv2d
from .starting import FRAME, keep_size
from .video_network import VideoNetwork

CHANNELS = 64
PASSED_ON = 32  # channels of F_n
PHASES = 12  # channels of 2 x 2 pixels
# what a training starts with: how large a block is beside its input, and F_n beside what it is of
ADDED, HANDED_ON = 0.2, 0.5


class Memory(NamedTuple):
    """What one frame leaves to the next, at half the resolution."""

    passed_on: torch.Tensor  # (B, 32, H/2, W/2): F_n
    blended: torch.Tensor  # (B, 64, H/2, W/2): the blended features of Eq. 2


class ResidualBlock(nn.Module):
    """conv3x3, batch norm, ReLU, conv3x3, batch norm, plus the input, ReLU: (B, channels, H, W) -> the same."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return relu_(x + self.body(x))


def residual_blocks(count: int = 4) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(CHANNELS) for _ in range(count)))


class STRCNN(VideoNetwork):
    """CNN, STRCNN or STRCNN+DTB. clip (B, T, 3, H, W), RGB in 0..1, H and W even -> the sharp clip.

    m: frames before and after the current one that go in with it (1 in the paper's final model).
    recurrent: pass F_n on to the next frame; False is the paper's baseline "CNN".
    blending: blend the features with those of the frame before (Eq. 2); needs `recurrent`.
    zero_start: blend the first frame's features with zeros instead of leaving them alone.
    """

    multiple = 2
    minimum = 2
    carriers = ("filter.*", "*coder.*.body.4.bias", "reconstruct.*")
    fine = True
    halo = 40  # 38 pixels decide, and tiles begin on even pixels

    def __init__(self, m: int = 1, recurrent: bool = True, blending: bool = True, zero_start: bool = False):
        super().__init__()
        if m < 0:
            raise ValueError(f"STRCNN: m must be at least 0, got {m}")
        if blending and not recurrent:
            raise ValueError("STRCNN: blending=True needs recurrent=True")
        self.past = self.future = m
        self.zero_start = zero_start
        own = CHANNELS - PASSED_ON if recurrent else CHANNELS
        self.filter = nn.Sequential(
            nn.Conv2d(3 * (2 * m + 1), CHANNELS, 5, padding=2),
            nn.ReLU(inplace=True),
            StridedConv2d(CHANNELS, own, 3, 2, 1),
            nn.ReLU(inplace=True),
        )
        self.encoder = residual_blocks()
        self.blend = DTB(CHANNELS) if blending else None
        self.decoder = residual_blocks()
        self.pass_on = nn.Conv2d(CHANNELS, PASSED_ON, 3, padding=1) if recurrent else None
        self.reconstruct = nn.Sequential(
            nn.ConvTranspose2d(CHANNELS, CHANNELS, 4, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(CHANNELS, 3, 3, padding=1)
        )

    @torch.no_grad()
    def start_from_identity(self) -> None:
        """Weights that carry the four phases of the current frame through the first channels, which no block and next
        to no blending changes: the network gives back what it is given. The other kernels are centred and keep the size
        of their signals."""
        first, split, join, last = self.filter[0], self.filter[2], self.reconstruct[0], self.reconstruct[2]
        for name, module in self.named_modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                keep_size(module, HANDED_ON if name == "pass_on" else 2**0.5, centred=True)
        first.weight *= FRAME
        for block in (*self.encoder, *self.decoder):
            block.body[4].weight[:] = ADDED
            block.body[4].weight[:PHASES] = 0
        first.weight[:3] = split.weight[:PHASES] = join.weight[:, :3] = last.weight[:] = 0
        current = 3 * self.past
        for c in range(3):
            first.weight[c, current + c, 2, 2] = last.weight[c, c, 1, 1] = 1
            for phase, (i, j) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
                n = 4 * c + phase
                split.weight[n, c, 1 + i, 1 + j] = join.weight[n, c, 1 + i, 1 + j] = 1
        if self.blend is not None:
            self.blend.similarity.weight[:PHASES] = 0
            self.blend.similarity.bias[:PHASES] = 4  # tanh: 0.9993

    def picture_path(self) -> dict[str, torch.Tensor]:
        """What `start_from_identity` lets the picture pass through: by a parameter's name, True for each of its numbers
        through which it does, and for each that would add to it before the image is made."""
        first, split, join, last = self.filter[0], self.filter[2], self.reconstruct[0], self.reconstruct[2]
        norms = [block.body[4] for block in (*self.encoder, *self.decoder)]
        layers = [(first, 3), (split, PHASES), *((norm, PHASES) for norm in norms)]
        if self.blend is not None:
            layers.append((self.blend.similarity, PHASES))
        held = {weight: torch.zeros_like(weight, dtype=torch.bool) for weight in self.parameters()}
        for layer, count in layers:  # nothing but the picture comes out of these
            held[layer.weight][:count] = held[layer.bias][:count] = True
        held[join.weight][:PHASES, :3] = held[last.weight][:, :3] = True
        return {name: held[weight] for name, weight in self.named_parameters() if held[weight].any()}

    def encode(self, frame, state=None):
        return self.narrow(frame), None

    def decode(self, window: Sequence[torch.Tensor], state: Memory | None = None):
        x = self.filter(torch.cat(tuple(window), 1))
        if self.pass_on is None:
            return self.reconstruct(self.decoder(self.encoder(x))), None
        before = x.new_zeros(x.shape[0], PASSED_ON, *x.shape[2:]) if state is None else state.passed_on
        h = self.encoder(torch.cat([x, before], 1))
        if self.blend is not None:
            previous = state.blended if state is not None else torch.zeros_like(h) if self.zero_start else None
            h = self.blend(h, previous)
        y = self.decoder(h)
        return self.reconstruct(y), Memory(self.hand_on(y), h)

    def hand_on(self, y: torch.Tensor) -> torch.Tensor:
        """F_n of the decoder's features."""
        return relu_(self.pass_on(y))
