"""Gated spatio-temporal attention: every pixel of a frame hears from every pixel of every frame."""

from collections.abc import Sequence

import torch
from torch import nn

from .. import ops
from .frame_summary import FrameSummary


class GSTA(nn.Module):
    """Gated spatio-temporal attention (Suin and Rajagopalan, CVPR 2021, section 3.1, equations 1 to 8).

    x (B, T, channels, H, W) -> y (B, channels, H, W) for the frame `center`, and on demand the blur mask
    Q (B, T, 1, H, W), 1 where the gate closes. No residual: the paper's network adds its own.

    A frame reaches the others only through its FrameSummary, so a stream squeezes every frame once and keeps the
    summaries; `forward(x)` is `distribute(x[:, center], [squeeze(frame) for each frame of x])`.

    Equivalent to (per clip, P = H * W, sums and softmaxes in float32):
        A_s = softmax_P(f_s(x)); Q = sigmoid(f_q(x)); G_s = sum over P of A_s * (1 - Q) * x
        A_t = softmax_T(f_t(mean over P of x)); G = sum over T of G_s * A_t
        y = G @ softmax_MN(f_p(x[center]))
    """

    ops = ops

    def __init__(self, channels: int, spatial_maps: int = 8, temporal_maps: int = 4, gated: bool = True):
        super().__init__()
        sizes = {"channels": channels, "spatial_maps": spatial_maps, "temporal_maps": temporal_maps}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"GSTA: {name} must be at least 1, got {value}")
        self.spatial = nn.Conv2d(channels, spatial_maps, 1)
        self.gate = nn.Conv2d(channels, 1, 1) if gated else None
        self.temporal = nn.Conv1d(channels, temporal_maps, 1)
        self.pixel = nn.Conv2d(channels, spatial_maps * temporal_maps, 1)

    def forward(
        self, x: torch.Tensor, center: int | None = None, return_mask: bool = False
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """x (B, T, C, H, W), `center` the index of the current frame (default T // 2) -> y, or (y, Q)."""
        if x.dim() != 5 or x.shape[1] < 1:
            raise ValueError(f"GSTA: x must be (B, T, C, H, W) with at least one frame, got {tuple(x.shape)}")
        frames = x.shape[1]
        center = frames // 2 if center is None else center
        if not -frames <= center < frames:
            raise ValueError(f"GSTA: center must be the index of one of {frames} frames, got {center}")
        if return_mask and self.gate is None:
            raise ValueError("GSTA: return_mask needs the gate; build the module with gated=True")
        squeezed = self._spatial_squeeze(x, return_mask=return_mask)
        y = self._distribute(x[:, center], squeezed.aggregate, squeezed.mean)
        return (y, squeezed.mask) if return_mask else y

    def squeeze(self, x: torch.Tensor) -> FrameSummary:
        """One frame (or one tile of a frame) x (B, C, H, W) -> its summary."""
        if x.dim() != 4:
            raise ValueError(f"GSTA.squeeze: x must be (B, C, H, W), got {tuple(x.shape)}")
        squeezed = self._spatial_squeeze(x[:, None], return_statistics=True)
        return FrameSummary(*(part[:, 0] for part in squeezed[:4]), pixels=x.shape[2] * x.shape[3])

    def distribute(self, x: torch.Tensor, summaries: Sequence[FrameSummary]) -> torch.Tensor:
        """The current frame x (B, C, H, W) and the summaries of all frames, its own among them -> y (B, C, H, W)."""
        if x.dim() != 4:
            raise ValueError(f"GSTA.distribute: x must be (B, C, H, W), got {tuple(x.shape)}")
        if not summaries:
            raise ValueError("GSTA.distribute: needs the summary of at least one frame, got none")
        aggregate = torch.stack([summary.aggregate for summary in summaries], 1)
        return self._distribute(x, aggregate, torch.stack([summary.mean for summary in summaries], 1))

    def _spatial_squeeze(self, x: torch.Tensor, **wanted: bool) -> ops.SpatialSqueeze:
        gate = () if self.gate is None else (self.gate.weight.flatten(), self.gate.bias)
        return self.ops.spatial_squeeze(x, self.spatial.weight.flatten(1), self.spatial.bias, *gate, **wanted)

    def _distribute(self, x: torch.Tensor, aggregate: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        mixed = self.ops.temporal_squeeze(aggregate, mean, self.temporal.weight.flatten(1), self.temporal.bias)
        return self.ops.pixel_distribute(x, mixed, self.pixel.weight.flatten(1), self.pixel.bias)
