"""The papers' way through a long video, for comparison: windows that know nothing of each other."""

from collections import deque
from collections.abc import Iterator
from itertools import chain

import torch

from ..reference.networks import VideoNetwork
from .scene import Scene


class WindowedScene:
    """Windows of `length` frames, neighbours sharing `overlap`, the state zero at the start of each.

    As the published MMP-RNN and ESTRNN code evaluates (20 frames, overlap 4), the last window moved back to end with
    the last frame, each image taken from the first window that has it; but the ends of the video are bridged, not
    dropped.
    """

    def __init__(self, network: VideoNetwork, length: int = 20, overlap: int = 4):
        reach = network.past + network.future
        if overlap < reach or length <= overlap:
            raise ValueError(
                f"windows of {length} frames with an overlap of {overlap}: the overlap must be at least {reach}, "
                "the frames a network looks back and ahead, and less than the window"
            )
        self._network, self._overlap = network, overlap
        self._frames: deque[torch.Tensor] = deque(maxlen=length)
        self._due = 0  # frames, the last of `_frames`, whose image has not been given
        self._until_run = length
        self.chosen: list[int] = []  # the neighbours that the last image was made of, as offsets in frames

    def push(self, frame: torch.Tensor) -> Iterator[torch.Tensor]:
        self._frames.append(frame)
        self._due += 1
        self._until_run -= 1
        if not self._until_run:
            self._until_run = self._frames.maxlen - self._overlap
            yield from self._run(self._network.future)

    def flush(self) -> Iterator[torch.Tensor]:
        if self._due:
            yield from self._run(0)

    def _run(self, held_back: int) -> Iterator[torch.Tensor]:
        """The images due from a fresh start at the oldest frame held, but for the last `held_back`."""
        first, last = len(self._frames) - self._due, len(self._frames) - held_back
        self._due = held_back
        scene = Scene(self._network)
        ready = (image for frame in self._frames for image in scene.push(frame))
        for i, image in enumerate(chain(ready, scene.flush())):
            if first <= i < last:
                self.chosen = scene.chosen
                yield image
