"""Chroma planes to the size of the picture and back, so that there and back again changes nothing.

A chroma sample stands either on the first of the two pixels it covers (H.264 and later, across) or halfway
between them (down; both ways in JPEG and MPEG-1). Doubling interpolates linearly between the samples. Halving
takes the dual filter of a biorthogonal pair (Cohen, Daubechies, Feauveau 1992: CDF 5/3 on samples, CDF 3/1
between them), which undoes the doubling exactly; a plain average would blur the colours a little more with
every generation. Colours that were never halved before take the gentle average instead, because the dual
filter overshoots at sharp edges.
"""

import cv2
import numpy as np

DUAL = {"first": (-1 / 8, 2 / 8, 6 / 8, 2 / 8, -1 / 8), "middle": (-1 / 4, 3 / 4, 3 / 4, -1 / 4)}
AVERAGE = {"first": (1 / 4, 2 / 4, 1 / 4), "middle": (1 / 2, 1 / 2)}
BORDER = {"first": cv2.BORDER_REFLECT_101, "middle": cv2.BORDER_REFLECT}


def double(plane: np.ndarray, axis: int, site: str, size: int) -> np.ndarray:
    """A float32 plane with `size` samples along `axis` instead of half as many; site "first" or "middle"."""
    before, after = _neighbours(plane, axis)
    if site == "first":
        pair = (plane, (plane + after) * 0.5)
    else:
        pair = (0.75 * plane + 0.25 * before, 0.75 * plane + 0.25 * after)
    shape = list(plane.shape)
    shape[axis] *= 2
    both = np.stack(pair, axis=axis + 1).reshape(shape)
    return both[:size] if axis == 0 else both[:, :size]


def halve(plane: np.ndarray, axis: int, site: str, was_halved: bool) -> np.ndarray:
    """A float32 plane with half the samples along `axis` (rounded up); undoes `double` where `was_halved`."""
    if plane.shape[axis] % 2:
        last = plane[-1:] if axis == 0 else plane[:, -1:]
        plane = np.concatenate((plane, last), axis=axis)
    taps = np.array((DUAL if was_halved else AVERAGE)[site], np.float32)
    one = np.ones(1, np.float32)
    across, down = (one, taps) if axis == 0 else (taps, one)
    anchor = (len(taps) - 1) // 2
    corner = (0, anchor) if axis == 0 else (anchor, 0)
    smooth = cv2.sepFilter2D(plane, cv2.CV_32F, across, down, anchor=corner, borderType=BORDER[site])
    return smooth[::2] if axis == 0 else smooth[:, ::2]


def _neighbours(plane: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    if axis == 0:
        return np.concatenate((plane[:1], plane[:-1])), np.concatenate((plane[1:], plane[-1:]))
    return (
        np.concatenate((plane[:, :1], plane[:, :-1]), axis=1),
        np.concatenate((plane[:, 1:], plane[:, -1:]), axis=1),
    )
