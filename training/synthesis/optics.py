"""What a lens and bright lights add: discs out of focus, and light that the sensor clips.

Blur out of focus that stays, a soft background behind a sharp subject, is what the photographer chose, and no frame of
the clip knows better: it belongs to the target as much as to the blurry frame, and a network shall leave it alone. A
lens that hunts for its focus is another thing: neighbours in focus show what is missing, so there the target is in
focus.
"""

from functools import lru_cache

import cv2
import numpy as np


@lru_cache(maxsize=64)
def disc(radius: float) -> np.ndarray:
    """(n, n) float32, n odd: a disc of `radius` pixels, each value the share of its pixel that the disc covers."""
    reach, fine = int(np.ceil(radius)), 5
    along = (np.arange((2 * reach + 1) * fine) + 0.5) / fine - reach - 0.5
    inside = np.hypot(along, along[:, None]) <= max(radius, 0.5)
    return inside.reshape(2 * reach + 1, fine, -1, fine).mean((1, 3)).astype(np.float32)


def out_of_focus(light: np.ndarray, radius: float) -> np.ndarray:
    """Light (H, W, C) float32, of which every point becomes a disc of `radius` pixels."""
    kernel = disc(round(4 * radius) / 4)
    return cv2.filter2D(light, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)


def hunting(clip: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """A clip (T, H, W, C) whose lens swings through its focus: discs of 0 to `most` pixels, none in half of the time.

    The lens is taken to stand still within an exposure, so that its disc and the smear of the camera may be applied
    one after the other.
    """
    swing = np.sin(2 * np.pi * (rng.uniform(0.04, 0.12) * np.arange(len(clip)) + rng.random()))
    radii = most * np.maximum(swing, 0)
    return np.stack(
        [out_of_focus(frame, radius) if radius > 0.3 else frame for frame, radius in zip(clip, radii, strict=True)]
    )


def add_lamps(light: np.ndarray, count: int, rng: np.random.Generator) -> None:
    """Puts `count` small lamps, 3 to 30 times as bright as white, into a texture (h, w, 4), and dims the rest.

    Under a moving camera they draw its path: streaks that are white where the sensor clips.
    """
    light[..., :3] *= rng.uniform(0.2, 1)
    height, width = light.shape[:2]
    for _ in range(count):
        spot = disc(round(rng.uniform(1, 5), 1))
        side = len(spot)
        if side > min(height, width):
            continue
        top, left = rng.integers(0, (height - side + 1, width - side + 1))
        colour = 10 ** rng.uniform(0.5, 1.5) * np.float32([1, rng.uniform(0.6, 1), rng.uniform(0.3, 1)])
        place = light[top : top + side, left : left + side, :3]
        place += spot[..., None] * (colour - place)
