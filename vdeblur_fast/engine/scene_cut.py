"""Notices when the picture jumps to another scene, so that nothing is carried from one into the other."""

from collections import deque

import torch
from torch.nn.functional import adaptive_avg_pool2d

THUMBNAIL = (36, 64)
# A cut changes the thumbnail by this much of the full range, and by this factor more than the frames before it did.
# Flashes count as cuts, twice; that costs a little sharpness on two frames and nothing else.
LEAST_CHANGE = 0.06
LEAST_RATIO = 3.0
MEMORY = 5


class SceneCutDetector:
    """Compares small grey versions of neighbouring frames."""

    def __init__(self):
        self._previous: torch.Tensor | None = None
        self._changes: deque[float] = deque(maxlen=MEMORY)

    def is_cut(self, frame: torch.Tensor) -> bool:
        """frame (1, 3, H, W) in 0..1, the next of the video -> whether a new scene begins with it."""
        thumbnail = adaptive_avg_pool2d(frame.mean(1, keepdim=True), THUMBNAIL)
        previous, self._previous = self._previous, thumbnail
        if previous is None:
            return False
        change = (thumbnail - previous).abs().mean().item()
        usual = sum(self._changes) / len(self._changes) if self._changes else 0.0
        cut = change >= LEAST_CHANGE and change >= LEAST_RATIO * usual
        if cut:
            self._changes.clear()
        else:
            self._changes.append(change)
        return cut
