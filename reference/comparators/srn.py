"""SRN: one frame at three scales, coarse to fine, with a recurrent state between them (Tao et al., CVPR 2018).

The layers are those of the re-implementation in the ESTRNN authors' repository, which MMP-RNN's Table 2 counts:
10,250,723 parameters, 1527.01 GMACs.
"""

import torch
from torch import nn
from torch.nn.functional import interpolate

from ..networks.video_network import VideoNetwork
from .blocks import residual_blocks

State = tuple[torch.Tensor, torch.Tensor]


def encoder(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 5, stride, 2), nn.ReLU(), residual_blocks(3, outputs, 5))


def decoder(inputs: int, outputs: int) -> nn.Sequential:
    deconvolution = nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1)
    return nn.Sequential(residual_blocks(3, inputs, 5), deconvolution, nn.ReLU())


def resized(x: torch.Tensor, factor: float) -> torch.Tensor:
    return interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class ConvLSTM(nn.Module):
    """x (B, C, H, W), (hidden, cell) -> (hidden, cell), all of the same shape."""

    def __init__(self, channels: int, kernel_size: int):
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 4 * channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x: torch.Tensor, state: State) -> State:
        hidden, cell = state
        let_in, keep, let_out, new = self.gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = keep.sigmoid() * cell + let_in.sigmoid() * new.tanh()
        return let_out.sigmoid() * cell.tanh(), cell


class SRN(VideoNetwork):
    """SRN. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 16 -> the sharp clip; each frame by itself."""

    multiple = 16
    minimum = 16
    scales = (0.25, 0.5, 1.0)

    def __init__(self):
        super().__init__()
        self.encode_full, self.encode_half, self.encode_quarter = (
            encoder(6, 32, 1),
            encoder(32, 64, 2),
            encoder(64, 128, 2),
        )
        self.lstm = ConvLSTM(128, 5)
        self.decode_quarter, self.decode_half = decoder(128, 64), decoder(64, 32)
        self.head = nn.Sequential(residual_blocks(3, 32, 5), nn.Conv2d(32, 3, 5, padding=2))

    def encode(self, frame, state=None):
        return frame - 0.5, state

    def decode(self, window, state=None):
        (frame,) = window
        memory = sharp = None
        for scale in self.scales:
            blurry = frame if scale == 1 else resized(frame, scale)
            guess = blurry if sharp is None else resized(sharp, 2)
            memory = None if memory is None else tuple(resized(m, 2) for m in memory)
            sharp, memory = self.at_scale(torch.cat([blurry, guess], 1), memory)
        return sharp + 0.5, state

    def at_scale(self, x: torch.Tensor, memory: State | None) -> tuple[torch.Tensor, State]:
        """x (B, 6, H, W), the blurry frame and the guess of the scale below -> the sharp frame (B, 3, H, W), memory.

        The decoder reads the memory's cell, not its hidden output.
        """
        full = self.encode_full(x)
        half = self.encode_half(full)
        quarter = self.encode_quarter(half)
        if memory is None:
            memory = (torch.zeros_like(quarter), torch.zeros_like(quarter))
        memory = self.lstm(quarter, memory)
        half = self.decode_quarter(memory[1]) + half
        return self.head(self.decode_half(half) + full), memory
