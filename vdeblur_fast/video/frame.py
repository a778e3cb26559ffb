"""One picture of a video with its place in time."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np


@dataclass(slots=True)
class Frame:
    """An image and when it is shown.

    image      (H, W, 3) RGB, uint8 or uint16 (full scale, 0..65535)
    pts        time of presentation in units of `time_base`
    time_base  seconds per unit
    duration   in the same unit; 0 where unknown
    name       file name, for a frame that is an image file
    alpha      (H, W) transparency of an image file that has one, same dtype as `image`
    profile    ICC profile of an image file that has one: what its colours are
    exif       of an image file that has it: date, camera and the like
    """

    image: np.ndarray
    pts: int
    time_base: Fraction
    duration: int = 0
    name: str | None = None
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None

    @property
    def time(self) -> Fraction:
        """Time of presentation in seconds, exactly."""
        return self.pts * self.time_base

    def with_image(self, image: np.ndarray) -> "Frame":
        """The same moment with another picture."""
        return replace(self, image=image)
