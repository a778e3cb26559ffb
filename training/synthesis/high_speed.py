"""Blurry clips as from a high-speed camera: tau frames averaged, one window every T frames (STRCNN+DTB, Eq. 1).

The papers film with 240 frames a second, so that nothing moves more than about a pixel from frame to frame. Ordinary
footage is cut into parts along optical flow until that is so; tau and T count these parts. As long as the period
allows, windows lie such that their middle frames, the sharp targets, are frames that were filmed.
"""

from functools import lru_cache

import numpy as np

from .archive import SharpClip
from .clips import View
from .flow import between, inserts, lengths
from .response import Response
from .shutter import Shutter
from .stills import Exposures

_LOOK = 30  # filmed frames whose motion decides how finely time is cut


def high_speed_clip(
    clip: SharpClip,
    rng: np.random.Generator,
    response: Response,
    frames: int,
    size: tuple[int, int],
    shutter: Shutter,
) -> Exposures:
    """A random crop, scale and stretch of a sharp clip with a scene of three frames or more.

    Time is cut more finely where a scene is too short for the windows: tau and T are kept, and the blur is smaller.
    """
    scenes = [(first, last) for first, last in clip.runs() if last - first >= 3]
    sizes = np.array([last - first for first, last in scenes])
    first, last = scenes[rng.choice(len(scenes), p=sizes / sizes.sum())]
    anchor = int(rng.integers(first, last - 1))
    view = View.random(clip, rng, size, anchor)
    tau = shutter.exposure(rng)
    parts = _power_of_two(inserts([view.flow(clip.ahead[k]) for k in range(anchor, min(anchor + _LOOK, last - 1), 3)]))
    while True:
        period = shutter.period(tau, rng, multiple=parts)
        phase = -(tau // 2) % parts
        spanned = -(-(phase + (frames - 1) * period + tau - 1) // parts)
        if spanned < last - first:
            break
        parts *= 2
    camera = _Camera(view, min(anchor, last - 1 - spanned), parts, response)
    exposures = []
    for start in range(phase, phase + frames * period, period):
        parts_of = camera.light(start, tau), camera.frame(start + tau // 2)[..., :3], camera.smear(start, tau)
        exposures.append([view.inner(part) for part in parts_of])
    return Exposures(*(np.stack(part) for part in zip(*exposures, strict=True)))


def _power_of_two(number: int) -> int:
    """The smallest that is not less."""
    return 1 << (number - 1).bit_length()


class _Camera:
    """A view of a clip with `parts` frames in the time of one, frame 0 being the filmed frame `start`."""

    def __init__(self, view: View, start: int, parts: int, response: Response):
        self.view, self.start, self.parts = view, start, parts
        self._filmed = lru_cache(4)(lambda k: view.light(start + k, response))
        self._flows = lru_cache(4)(
            lambda k: (view.flow(view.clip.ahead[start + k]), view.flow(view.clip.back[start + k]))
        )

    def frame(self, number: int) -> np.ndarray:
        """Linear light (H, W, 4)."""
        k, part = divmod(number, self.parts)
        if part == 0:
            return self._filmed(k)
        return between(self._filmed(k), self._filmed(k + 1), *self._flows(k), part / self.parts)

    def light(self, first: int, tau: int) -> np.ndarray:
        """The mean of tau frames, (H, W, 3)."""
        total = np.zeros_like(self.frame(first)[..., :3])
        for number in range(first, first + tau):
            total += self.frame(number)[..., :3]
        return total / tau

    def smear(self, first: int, tau: int) -> np.ndarray:
        """Path length (H, W) in pixels through tau frames: movements both ways are averaged, as in MMP-RNN's Eq. 2."""
        total = np.zeros(self.view.size, np.float32)
        for number in range(first, first + tau - 1):
            ahead, back = self._flows(number // self.parts)
            total += (lengths(ahead) + lengths(back)) / (2 * self.parts)
        return total
