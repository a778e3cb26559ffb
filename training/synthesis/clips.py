"""Blurry clips from sharp clips: the mean light of consecutive frames, as MMP-RNN and GOPRO do (Eq. 1).

A window of tau frames is averaged every T frames (tau <= T: the exposure and the period). Ordinary footage
moves more than a pixel from frame to frame, which would show as ghosts; there, frames are interpolated along
optical flow until steps are about a pixel. The sharp target is the window's middle frame: windows are odd, for an
even one has no frame in its middle, and the one beside it is half a frame off.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .archive import FLOW_SCALE, SharpClip
from .flow import between, inserts, lengths, motion_magnitude
from .layers import light_of
from .response import Response
from .stills import Exposures

TAUS = (3, 7, 9, 11, 13, 15)
_ODDS = (0.1, 0.21, 0.21, 0.21, 0.21, 0.06)
_SHORTEST = 3  # frames of the smallest window
_LONGEST = 25  # pixels of mean smear that a window shall not exceed
_MARGIN = 16  # pixels rendered around a crop, so that fetched pixels come from inside


def average(lights: Iterable[np.ndarray], aheads: Sequence[np.ndarray], backs: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of N frames of linear light (H, W, C), with frames in between where they are far apart (Eq. 1).

    Args:
        lights: N frames, float32; two at a time are kept.
        aheads, backs: N - 1 flows (H, W, 2) from each frame to the next, and back.
    """
    parts = inserts(aheads)
    lights = iter(lights)
    before = next(lights)
    total = before.copy()
    for after, ahead, back in zip(lights, aheads, backs, strict=True):
        for j in range(1, parts):
            cv2.accumulate(between(before, after, ahead, back, j / parts), total)
        cv2.accumulate(after, total)
        before = after
    return total / (len(aheads) * parts + 1)


def smear_of(aheads: Sequence[np.ndarray], backs: Sequence[np.ndarray]) -> np.ndarray:
    """Path length (H, W) in pixels through N frames: N - 1 times the mean movement of Eq. 2 and 3."""
    return motion_magnitude(aheads, backs) * len(aheads)


def averaged_clip(
    clip: SharpClip, rng: np.random.Generator, response: Response, frames: int, size: tuple[int, int]
) -> Exposures:
    """A random crop, scale and stretch of a sharp clip that `can_average`."""
    start, tau, period = pick_windows(clip, rng, frames)
    view = View.random(clip, rng, size, start)
    tau = min(tau, view.longest_window(start, start + (frames - 1) * period + tau))
    exposures = []
    for first in range(start, start + frames * period, period):
        lights = [view.light(k, response) for k in range(first, first + tau)]
        aheads = [view.flow(clip.ahead[k]) for k in range(first, first + tau - 1)]
        backs = [view.flow(clip.back[k]) for k in range(first, first + tau - 1)]
        blurry, sharp, smear = average(lights, aheads, backs), lights[tau // 2], smear_of(aheads, backs)
        exposures.append([view.inner(part) for part in (blurry[..., :3], sharp[..., :3], smear)])
    return Exposures(*(np.stack(part) for part in zip(*exposures, strict=True)))


def pick_windows(clip: SharpClip, rng: np.random.Generator, frames: int) -> tuple[int, int, int]:
    """Start, tau and period of `frames` windows between two cuts; smaller ones where the clip is short."""
    tau = int(rng.choice(TAUS, p=_ODDS))
    period = tau + int(rng.integers(1, 5)) * (rng.random() < 0.4)
    for exposure, every in [(tau, period), (tau, tau), (7, 7), (_SHORTEST, _SHORTEST)]:
        needed = (frames - 1) * every + exposure
        fitting = [(first, last) for first, last in clip.runs() if last - first >= needed]
        if fitting:
            first, last = fitting[rng.integers(len(fitting))]
            return int(rng.integers(first, last - needed + 1)), exposure, every
    raise ValueError(f"pick_windows: the clip has no {frames * _SHORTEST} frames without a cut")


def can_average(clip: SharpClip, frames: int) -> bool:
    """Whether the clip has room for `frames` windows of the shortest kind."""
    return any(last - first >= frames * _SHORTEST for first, last in clip.runs())


@dataclass(frozen=True)
class View:
    """A part of a clip's frame, shown at another scale.

    Attributes:
        corner, extent: (y, x) and (height, width) of the part, in the clip's pixels.
        size: (height, width) in output pixels, with the margin.
    """

    clip: SharpClip
    corner: np.ndarray
    extent: np.ndarray
    size: np.ndarray

    @classmethod
    def random(cls, clip: SharpClip, rng: np.random.Generator, size: tuple[int, int], start: int) -> "View":
        """Scale 0.5 to 1, larger where the frame is too small; of a few places the liveliest at `start`."""
        room, padded = np.array(clip.frames.shape[1:3]), np.array(size) + 2 * _MARGIN
        scale = max(rng.uniform(0.5, 1), *(padded / room))
        extent = np.clip(np.round(padded / scale).astype(int), 1, room)
        places = [rng.integers(0, room - extent + 1) for _ in range(rng.integers(1, 5))]
        views = [cls(clip, place, extent, padded) for place in places]
        return max(views, key=lambda view: np.abs(view.flow(clip.ahead[start])).mean())

    def longest_window(self, first: int, last: int) -> int:
        """The most frames, 3 or more and odd, that keep the smear from `first` to `last` near _LONGEST."""
        speeds = [lengths(self.flow(self.clip.ahead[k])).mean() for k in range(first, last - 1, 5)]
        return max(_SHORTEST, int(_LONGEST / max(max(speeds), 1e-3)) // 2 * 2 + 1)

    def light(self, index: int, response: Response) -> np.ndarray:
        """Frame `index` -> (H, W, 4) float32 linear light."""
        (top, left), (height, width) = self.corner, self.extent
        part = self.clip.frames[index, top : top + height, left : left + width]
        part = cv2.resize(part, self.size[::-1].tolist(), interpolation=cv2.INTER_LINEAR)
        return light_of(part, response)

    def flow(self, small: np.ndarray) -> np.ndarray:
        """A flow of the whole frame at 1 / FLOW_SCALE -> (H, W, 2) float32, of this part in output pixels."""
        first = self.corner // FLOW_SCALE
        last = -(-(self.corner + self.extent) // FLOW_SCALE) + 1
        small = small[first[0] : last[0], first[1] : last[1]].astype(np.float32)
        step = self.extent / self.size / FLOW_SCALE
        shift = self.corner / FLOW_SCALE - first + step / 2 - 0.5  # where the centre of output pixel 0 lies
        to_small = np.array([[step[1], 0, shift[1]], [0, step[0], shift[0]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        wide = self.size[::-1].tolist()
        part = cv2.warpAffine(small, to_small, wide, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return part * (self.size / self.extent)[::-1].astype(np.float32)

    def inner(self, image: np.ndarray) -> np.ndarray:
        """What is left without the margin."""
        return image[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
