"""Optical flow between sharp frames (OpenCV DIS): frames in between, motion magnitude, scene cuts."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

_SMALLEST = 64  # DIS needs room for its pyramid; smaller frames are mirrored out to this
_CUT = 28  # mean difference of two thumbnails, in 8-bit levels, from which the scene has changed


def gray(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) RGB uint8 or uint16 -> (H, W) uint8."""
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def flow(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where each pixel of `source` went in `target`, both (H, W) uint8 -> (H, W, 2) float32 pixels."""
    height, width = source.shape
    down, right = max(0, _SMALLEST - height), max(0, _SMALLEST - width)
    if down or right:
        source, target = (
            cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE) for image in (source, target)
        )
    estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return estimator.calc(source, target, None)[:height, :width]


def lengths(vectors: np.ndarray) -> np.ndarray:
    """(..., 2) -> (...): the lengths, to the last bit the same wherever they lie in memory.

    OpenCV's own magnitude is faster, but its last bit depends on the alignment.
    """
    return np.sqrt(np.square(vectors[..., 0]) + np.square(vectors[..., 1]))


def is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two consecutive frames, (H, W) uint8 gray, show different scenes."""
    small = (cv2.resize(image, (32, 18), interpolation=cv2.INTER_AREA) for image in (before, after))
    return cv2.absdiff(*small).mean() > _CUT


def inserts(aheads: Sequence[np.ndarray]) -> int:
    """Into how many parts, 1 to 8, the time between frames is cut so that a part moves about a pixel.

    Args:
        aheads: (H, W, 2) flows from each frame to the next; the fastest hundredth of the pixels may
            move more.
    """
    fastest = max((np.percentile(lengths(flow[::4, ::4]), 99) for flow in aheads), default=0)
    return int(np.clip(np.ceil(fastest), 1, 8))


def between(before: np.ndarray, after: np.ndarray, ahead: np.ndarray, back: np.ndarray, time: float) -> np.ndarray:
    """The frame at `time` in (0, 1) between two frames of linear light.

    The flows from the middle frame to both neighbours are combined from theirs (Jiang et al., Super SloMo,
    CVPR 2018, Eq. 4), both neighbours are fetched along them, and blended by nearness.

    Args:
        before, after: (H, W, C) float32.
        ahead, back: (H, W, 2) float32, flows from before to after and from after to before.
    """
    rest = 1 - time
    to_before = time * time * back - rest * time * ahead
    to_after = rest * rest * ahead - time * rest * back
    return cv2.addWeighted(_fetch(before, to_before), rest, _fetch(after, to_after), time, 0)


def motion_magnitude(aheads: Sequence[np.ndarray], backs: Sequence[np.ndarray]) -> np.ndarray:
    """Mean movement per frame of N frames: K times the map of MMP-RNN Eq. 3, with Eq. 2 inside.

    Args:
        aheads: N - 1 flows (H, W, 2) from frame i to i + 1.
        backs: N - 1 flows (H, W, 2) from frame i + 1 to i.

    Returns:
        (H, W) float32 pixels. The end frames have one flow only, which then counts whole, as the paper says
        below Eq. 2.
    """
    if len(aheads) == 0:
        raise ValueError("motion_magnitude: one frame does not move, give the flows of at least two")
    moves = [lengths(flow) for flow in (*aheads, *backs)]
    return (sum(moves) + moves[0] + moves[-1]) / (2 * len(aheads) + 2)


def _fetch(image: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Each pixel's value from where `move` points."""
    there = _places(*move.shape[:2]) + move
    return cv2.remap(image, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=4)
def _places(height: int, width: int) -> np.ndarray:
    y, x = np.indices((height, width), dtype=np.float32)
    return np.stack([x, y], axis=-1)
