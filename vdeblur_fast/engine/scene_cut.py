"""Notices when the picture jumps to another scene, so that nothing is carried from one into the other."""

from collections import deque
from statistics import median

import torch
from torch.nn.functional import adaptive_avg_pool2d

THUMBNAIL = (36, 64)
ENOUGH = 4  # rows and columns of a frame for each of the thumbnail: all of a large one take longer and tell no more
BINS = 16
# A cut changes the thumbnail by this much of the full range, this factor more than the frames before it did, and moves
# this share of the pixels to other brightnesses. A pan does the first, its start the second, neither the third.
LEAST_CHANGE = 0.06
LEAST_RATIO = 3.0
LEAST_MOVED = 0.2
MEMORY = 5


class SceneCutDetector:
    """Compares small versions of neighbouring frames. A flash counts as two cuts; that costs a little and harms
    nothing."""

    def __init__(self):
        self._previous: tuple[torch.Tensor, torch.Tensor] | None = None
        self._changes: deque[float] = deque(maxlen=MEMORY)

    def is_cut(self, frame: torch.Tensor) -> bool:
        """frame (1, 3, H, W) in 0..1, the next of the video -> whether a new scene begins with it."""
        every = max(1, min(side // (ENOUGH * small) for side, small in zip(frame.shape[-2:], THUMBNAIL, strict=True)))
        thumbnail = adaptive_avg_pool2d(frame[..., ::every, ::every], THUMBNAIL)[0].cpu()
        histogram = torch.stack([torch.histc(channel, BINS, 0, 1) for channel in thumbnail]) / thumbnail[0].numel()
        previous, self._previous = self._previous, (thumbnail, histogram)
        if previous is None:
            return False
        change = (thumbnail - previous[0]).abs().mean().item()
        moved = (histogram - previous[1]).abs().sum().item() / 6  # each pixel that moved counts twice, in 3 channels
        usual = median(self._changes) if self._changes else 0.0
        self._changes.append(change)
        return change >= LEAST_CHANGE and change >= LEAST_RATIO * usual and moved >= LEAST_MOVED
