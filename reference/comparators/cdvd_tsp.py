"""CDVD-TSP: cascaded deblurring with a temporal sharpness prior (Pan et al., CVPR 2020).

The layers are those of the authors' published code, which MMP-RNN's Tables 2 and 3 count: 16,187,045 parameters,
5122.25 GMACs for an output from five frames, nothing shared between neighbouring outputs.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from ..networks.video_network import VideoNetwork
from .blocks import residual_blocks
from .pwc_net import PWCNet, warp


def encoder(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 5, stride, 2), nn.ReLU(), residual_blocks(3, outputs, 5))


def decoder(inputs: int, outputs: int) -> nn.Sequential:
    deconvolution = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1)
    return nn.Sequential(residual_blocks(3, inputs, 5), deconvolution, nn.ReLU())


class Reconstruction(nn.Module):
    """x (B, 10, H, W): three aligned frames and their sharpness -> the sharp middle frame (B, 3, H, W)."""

    def __init__(self):
        super().__init__()
        self.encode_full, self.encode_half, self.encode_quarter = (
            encoder(10, 32, 1),
            encoder(32, 64, 2),
            encoder(64, 128, 2),
        )
        self.decode_quarter, self.decode_half = decoder(128, 64), decoder(64, 32)
        self.head = nn.Sequential(residual_blocks(3, 32, 5), nn.Conv2d(32, 3, 5, padding=2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        full = self.encode_full(x)
        half = self.encode_half(full)
        x = self.decode_quarter(self.encode_quarter(half)) + half
        return self.head(self.decode_half(x) + full)


def sharpness(frames: Sequence[torch.Tensor], mask: torch.Tensor) -> torch.Tensor:
    """frames: three, aligned, (B, 3, H, W); mask (B, 1, H, W) -> (B, 1, H, W) in 0..1: 1 where they agree."""
    smooth = [avg_pool2d(frame.detach(), 5, 1, 2) for frame in frames]
    apart = sum((frame - smooth[1]).square() for frame in smooth) / 2
    return torch.exp(-apart.sum(1, keepdim=True).sqrt()) * mask


class CDVDTSP(VideoNetwork):
    """CDVD-TSP. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 4 -> the sharp clip.

    Three triples of the five frames give three estimates, and these, as a triple, the output; the weights are the same.
    """

    past = 2
    future = 2
    multiple = 4
    minimum = 4

    def __init__(self):
        super().__init__()
        self.flow = PWCNet()
        self.reconstruct = Reconstruction()

    def encode(self, frame, state=None):
        return frame, state

    def decode(self, window: Sequence[torch.Tensor], state=None):
        estimates = [self.from_triple(window[i : i + 3]) for i in range(3)]
        return self.from_triple(estimates), state

    def from_triple(self, frames: Sequence[torch.Tensor]) -> torch.Tensor:
        before, centre, after = frames
        before, before_mask = warp(before, self.flow(centre, before), "border")
        after, after_mask = warp(after, self.flow(centre, after), "border")
        aligned = [before, centre, after]
        return self.reconstruct(torch.cat([*aligned, sharpness(aligned, before_mask * after_mask)], 1))
