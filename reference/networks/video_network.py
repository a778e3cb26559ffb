"""What every network of the package looks like from outside."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn


class VideoNetwork(nn.Module):
    """A network that sharpens a video, one frame after the other.

    Images are RGB in 0..1, (B, 3, H, W), and come back so, not clamped. H and W must be multiples of `multiple` and at
    least `minimum`; a stream pads them (see `vdeblur_fast.Deblurrer`).

    A subclass gives two steps, and everything else follows from them:

    * `encode(frame, state)`: once per frame, in order; what the frame is to itself and to its neighbours.
    * `decode(window, state)`: once per output; the entries of `past` frames, it and `future` frames -> its image.

    Both take and return a state of their own (None at the start), which only the network understands.
    """

    past: int = 0
    future: int = 0
    multiple: int = 1
    minimum: int = 1

    def encode(self, frame: torch.Tensor, state: Any = None) -> tuple[Any, Any]:
        """frame (B, 3, H, W), state -> (entry, state)"""
        raise NotImplementedError

    def decode(self, window: Sequence[Any], state: Any = None) -> tuple[torch.Tensor, Any]:
        """window of past + 1 + future entries, state -> (image (B, 3, H, W), state)"""
        raise NotImplementedError

    def forward(self, clip: torch.Tensor, ends: Literal["replicate", "valid"] = "replicate") -> torch.Tensor:
        """clip (B, T, 3, H, W) -> (B, T, 3, H, W), or (B, T - past - future, 3, H, W) with ends="valid".

        ends="valid" is what the papers do; with "replicate" the entries of the first and the last frame stand in for
        the missing neighbours.

        Raises ValueError for a clip of the wrong shape, and for ends="valid" on a clip shorter than the window.
        """
        self.check(clip)
        frames = clip.shape[1]
        reach = self.past + 1 + self.future
        if ends == "valid" and frames < reach:
            raise ValueError(f'ends="valid" needs clips of at least {reach} frames, got {frames}')
        entries, state = [], None
        for t in range(frames):
            entry, state = self.encode(clip[:, t], state)
            entries.append(entry)
        centres = range(self.past, frames - self.future) if ends == "valid" else range(frames)
        images, state = [], None
        for t in centres:
            image, state = self.decode(self.window(entries, t), state)
            images.append(image)
        return torch.stack(images, 1)

    def window(self, entries: Sequence[Any], centre: int) -> list[Any]:
        """The entries around `centre`, the first and the last repeated where the clip ends."""
        last = len(entries) - 1
        return [entries[min(max(t, 0), last)] for t in range(centre - self.past, centre + self.future + 1)]

    def check(self, clip: torch.Tensor) -> None:
        if clip.dim() != 5 or clip.shape[2] != 3:
            raise ValueError(f"{type(self).__name__}: clip must be (B, T, 3, H, W), got {tuple(clip.shape)}")
        height, width = clip.shape[-2:]
        if height % self.multiple or width % self.multiple or min(height, width) < self.minimum:
            raise ValueError(
                f"{type(self).__name__}: height and width must be multiples of {self.multiple} and at least "
                f"{self.minimum}, got {height}x{width}; pad the clip, or use vdeblur_fast.Deblurrer, which does"
            )
