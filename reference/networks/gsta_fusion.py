"""How GSTA-Net lets a frame hear from its neighbours: the attention in its residual block, and what the ablations have
in its place."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from ..modules import GSTA, FrameSummary, JoiningConv2d, NonLocal

# What a frame tells the others: a FrameSummary, or features (B, C, h, w).
Summary = FrameSummary | torch.Tensor


class Fusion(nn.Module):
    """A residual block around what fuses the frames (GSTA section 3: convolutions, batch norms and ReLUs).

    features x (B, channels, H, W) of the current frame, summaries of the neighbours and its own -> (B, channels, H, W).

    Equivalent to:
        relu(x + leave(fuse(prepare(x), summaries)))
    where prepare is conv3x3, batch norm, ReLU, and leave conv3x3, batch norm.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.prepare = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        self.leave = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))

    def summarise(self, x: torch.Tensor) -> Summary:
        """What a frame with these features has to tell the others at this place."""
        return self.squeeze(self.prepare(x))

    def squeeze(self, prepared: torch.Tensor) -> Summary:
        raise NotImplementedError

    def fuse(self, prepared: torch.Tensor, summaries: Sequence[Summary]) -> torch.Tensor:
        raise NotImplementedError

    def forward(
        self,
        x: torch.Tensor,
        neighbours: Sequence[Summary],
        picks: Sequence[Sequence[bool]] | None = None,
        own: Summary | None = None,
    ) -> torch.Tensor:
        """picks: for each clip of the batch, which of them it hears; None for all.
        own: the current frame's summary at this place, where it is known already."""
        prepared = self.prepare(x)
        own = self.squeeze(prepared) if own is None else own
        if picks is None:
            return self._add(x, self.fuse(prepared, [own, *neighbours]))
        heard = []
        for clip, picked in enumerate(picks):
            summaries = [own, *(summary for summary, pick in zip(neighbours, picked, strict=True) if pick)]
            heard.append(self.fuse(prepared[clip : clip + 1], [_of(summary, clip) for summary in summaries]))
        return self._add(x, torch.cat(heard))

    def _add(self, x: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        return (x + self.leave(heard)).relu_()


class AttentionFusion(Fusion):
    """Gated spatio-temporal attention, M = 8 and N = 4; any number of neighbours, none included."""

    def __init__(self, channels: int, gated: bool = True):
        super().__init__(channels)
        self.attention = GSTA(channels, spatial_maps=8, temporal_maps=4, gated=gated)

    def squeeze(self, prepared):
        return self.attention.squeeze(prepared)

    def fuse(self, prepared, summaries):
        return self.attention.distribute(prepared, summaries)

    def blur_mask(self, x: torch.Tensor) -> torch.Tensor:
        """Q of Eq. 7 for a frame's features, (B, 1, H, W): 1 where it is blurred and is not listened to."""
        return self.attention.gate(self.prepare(x)).sigmoid()


class NonLocalFusion(Fusion):
    """The non-local block of Net5, on features averaged down to 1/16 of the frame's size: at full size its matrix does
    not fit into any memory. Its work grows with the square of the number of frames."""

    def __init__(self, channels: int, reduction: int):
        super().__init__(channels)
        self.reduction = reduction
        self.attention = NonLocal(channels, efficient=True)

    def squeeze(self, prepared):
        return adaptive_avg_pool2d(prepared, [-(-side // self.reduction) for side in prepared.shape[-2:]])

    def fuse(self, prepared, summaries):
        heard = self.attention(torch.stack(list(summaries), 1))[:, 0]
        return interpolate(heard, prepared.shape[-2:], mode="bilinear", align_corners=False)


class ConcatFusion(Fusion):
    """No attention (Net1): the features of a fixed number of frames, the current one first, merged by a 1x1, then the
    convolutions of the same residual block."""

    def __init__(self, channels: int, frames: int):
        super().__init__(channels)
        self.merge = JoiningConv2d(frames * channels, channels, 1)

    def summarise(self, x):
        return x

    def forward(self, x, neighbours, picks=None, own=None):
        return self._add(x, self.prepare(self.merge(x, *neighbours)))


def _of(summary: Summary, clip: int) -> Summary:
    """The summary of one clip of a batch."""
    if isinstance(summary, FrameSummary):
        return FrameSummary(summary.aggregate[clip : clip + 1], summary.mean[clip : clip + 1])
    return summary[clip : clip + 1]
