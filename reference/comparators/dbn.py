"""DBN: the five-frame encoder-decoder of Deep Video Deblurring (Su et al., CVPR 2017).

The layers are those of the re-implementation in the ESTRNN authors' repository, which MMP-RNN's Tables 2 and 3 count:
15,305,291 parameters, 784.75 GMACs.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import relu

from ..networks.video_network import VideoNetwork


def conv(inputs: int, outputs: int, kernel_size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def up(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the size; a skip is added before its ReLU."""
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs))


class DBN(VideoNetwork):
    """DBN. clip (B, T, 3, H, W), RGB in 0..1, H and W multiples of 8 -> the sharp clip.

    Five frames are stacked to 15 channels; nothing is shared between neighbouring outputs.
    """

    past = 2
    future = 2
    multiple = 8
    minimum = 8

    def __init__(self):
        super().__init__()
        self.at_full = conv(15, 64, 5)
        self.at_half = nn.Sequential(conv(64, 64, stride=2), conv(64, 128), conv(128, 128))
        self.at_quarter = nn.Sequential(conv(128, 256, stride=2), *(conv(256, 256) for _ in range(3)))
        self.at_eighth = nn.Sequential(conv(256, 512, stride=2), *(conv(512, 512) for _ in range(3)))
        self.up = nn.ModuleList([up(512, 256), up(256, 128), up(64, 64)])
        self.decode_quarter = nn.Sequential(*(conv(256, 256) for _ in range(3)))
        self.decode_half = nn.Sequential(conv(128, 128), conv(128, 64))
        self.head = nn.Sequential(conv(64, 15), nn.Conv2d(15, 3, 3, padding=1), nn.BatchNorm2d(3))

    def encode(self, frame, state=None):
        return frame - 0.5, state

    def decode(self, window: Sequence[torch.Tensor], state=None):
        full = self.at_full(torch.cat(list(window), 1))
        half = self.at_half(full)
        quarter = self.at_quarter(half)
        x = self.decode_quarter(relu(self.up[0](self.at_eighth(quarter)) + quarter))
        x = self.decode_half(relu(self.up[1](x) + half))
        x = self.head(relu(self.up[2](x) + full))
        return x + window[self.past] + 0.5, state
