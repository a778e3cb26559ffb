"""MMP-Net: how far did each pixel move while the shutter was open? (MMP-RNN, section 3.1)

From the paper: the UNet of Fig. 2, 9x9 first convolution, RDB at the end, L1 regression; 0.85 M parameters and
38.81 GMACs at 1280x720. Ours: `widths` and `scale`, which make the small one of `mmp-rnn-tiny`.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import pad

from ..modules import RDB, UpsampleConcat


class DoubleConv(nn.Sequential):
    """conv3x3, batch norm, ReLU, twice: (B, inputs, H, W) -> (B, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class MMPNet(nn.Module):
    """Motion magnitude prior of a frame.

    frame (B, 3, H, W), RGB in 0..1, H and W at least 16 * scale -> (B, 1, H / scale, W / scale) in 0..1: the mean
    movement between neighbouring sharp sub-frames of the exposure, in pixels, divided by 15 (MMP-RNN Eq. 2 and 3).
    (Samples of `training.synthesis`, from which the weights that ship have learned, have the length of the whole path
    divided by 150 instead, which for 11 sub-frames is the same.)

    widths: channels at full, 1/2, 1/4, 1/8 and 1/16 resolution; (16, 32, 64, 128, 128) is the paper's.
    scale: the frame is averaged over scale x scale pixels first (1 in the paper).
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 128, 128), scale: int = 1):
        super().__init__()
        a, b, c, d, e = widths
        self.scale = scale
        self.reduce = nn.AvgPool2d(scale) if scale > 1 else nn.Identity()
        self.minimum = 16 * scale
        self.stem = nn.Conv2d(3, a, 9, padding=4)
        self.down = nn.ModuleList(
            [DoubleConv(a, a), DoubleConv(a, b), DoubleConv(b, c), DoubleConv(c, d), DoubleConv(d, e)]
        )
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            [DoubleConv(d + e, c), DoubleConv(c + c, b), DoubleConv(b + b, a), DoubleConv(a + a, a)]
        )
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.upsample_concat = UpsampleConcat(align_corners=True, skip_first=True)
        self.refine = RDB(a, a // 2)
        self.head = nn.Conv2d(a, 1, 1)
        # Maps start near their usual mean: from 0.5, an L1 regression overshoots into the flat end of the sigmoid and
        # stays there.
        nn.init.constant_(self.head.bias, -3.0)

    def forward(self, frame: torch.Tensor) -> torch.Tensor:
        if min(frame.shape[-2:]) < self.minimum:
            raise ValueError(
                f"MMPNet: frames must be at least {self.minimum} pixels high and wide, "
                f"got {frame.shape[-2]}x{frame.shape[-1]}; pad them"
            )
        x = self.down[0](self.stem(self.reduce(frame - 0.5)))
        skips = []
        for block in self.down[1:]:
            skips.append(x)
            x = block(self.pool(x))
        for block in self.up:
            x = block(self._beside(x, skips.pop()))
        return torch.sigmoid(self.head(self.refine(x)))

    def _beside(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """x twice as large and beside skip; zero-padded to the size of skip where that is odd, and lost its last row or
        column in the pooling."""
        rows, columns = skip.shape[-2] - 2 * x.shape[-2], skip.shape[-1] - 2 * x.shape[-1]
        if not rows and not columns:
            return self.upsample_concat(x, skip)
        return torch.cat([skip, pad(self.upsample(x), [0, columns, 0, rows])], 1)
