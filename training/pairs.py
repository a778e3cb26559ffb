"""Training clips from the pairs of published data sets, and from their sharp frames at 240 Hz.

As the papers do: every stretch of consecutive frames of a scene is a clip, one random crop for all its frames, flips
and quarter turns; time runs forward. (MMP-RNN's: ESTRNN and DAVID flip alone. Quarter turns are for all here.)
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from vdeblur_fast.errors import UserError

from .layouts import Layout, Scene, frames_of
from .synthesis.clips import smear_of
from .synthesis.dataset import random_turn
from .synthesis.degrade import stored
from .synthesis.flow import flow, gray, motion_magnitude
from .synthesis.response import Response
from .synthesis.shutter import Shutter
from .synthesis.sources import read_still
from .synthesis.stills import BLURRED, MAGNITUDE_K

GAMMA = Response(srgb=0, gamma=2.2)  # with which GOPRO_Large's blur_gamma was averaged


class PairedClips(Dataset):
    """Clips of a data set of blurry and sharp frames; without end. Item i depends on `seed` and i alone.

    Args:
        layout, split: where from; see `find_layout`.
        frames, crop: frames of a clip, side of its pictures in pixels.
        length: number of items.

    Item i is a dict of float32 tensors `blurry` and `sharp` (T, 3, H, W) in 0..1.

    Raises:
        UserError: a part that is not there or not whole, no scene of so many frames, pictures smaller than the crop.
    """

    backwards = False  # whether time runs either way

    def __init__(self, layout: Layout, split: str, frames: int, crop: int, seed: int = 0, length: int = 1_000_000):
        self.frames, self.crop, self.seed, self.length = frames, crop, seed, length
        scenes = layout.scenes(split)
        self.files = {scene: (frames_of(scene.blurry), frames_of(scene.sharp)) for scene in scenes}
        self.scenes = [scene for scene in scenes if self.starts(scene) > 0]
        if not self.scenes:
            raise UserError(f"no scene of {layout.folder} is long enough for --frames {frames}; use fewer")
        for scene in self.scenes:
            height, width = read_still(self.files[scene][1][0]).shape[:2]
            if crop > min(height, width):
                raise UserError(f"the frames of {scene.sharp} are {width}x{height}, too small for --crop {crop}")
        starts = np.array([self.starts(scene) for scene in self.scenes])
        self.shares = starts / starts.sum()

    def starts(self, scene: Scene) -> int:
        """Frames of the scene with which a clip may begin."""
        return len(self.files[scene][1]) - self.frames + 1

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if not 0 <= index < self.length:
            raise IndexError(f"{type(self).__name__}: index {index} is outside 0..{self.length - 1}")
        rng = np.random.default_rng([self.seed, index])
        scene = self.scenes[rng.choice(len(self.scenes), p=self.shares)]
        start = int(rng.integers(self.starts(scene)))
        parts = self.clip(scene, start, rng)
        turn = random_turn(rng, (self.crop, self.crop), self.backwards)
        return {name: torch.from_numpy(turn(part).transpose(0, 3, 1, 2).copy()) for name, part in parts.items()}

    def clip(self, scene: Scene, start: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The parts of a clip, (T, H, W, C) float32."""
        blurry, sharp = (files[start : start + self.frames] for files in self.files[scene])
        cut = Cut(rng, self.crop)
        return {
            "blurry": np.stack([cut(path) for path in blurry]).astype(np.float32) / 255,
            "sharp": np.stack([cut(path) for path in sharp]).astype(np.float32) / 255,
        }


class AveragedClips(PairedClips):
    """Clips of sharp frames at 240 Hz, of which tau make a blurry one and the middle one its sharp one; a clip begins
    at any frame (MMP-RNN section 4.1).

    shutter: taus and periods of a paper; without one, tau is what GOPRO_Large takes for the scene, 7, 11 or 13, and
    exposures follow each other without a gap.

    Items have `magnitude` (MMP-RNN Eq. 2 and 3) and `mask`, (T, 1, H, W), as well, if `magnitude` is asked for: they
    cost the flow between all frames.
    """

    def __init__(self, *where, shutter: Shutter | None = None, magnitude: bool = False, **settings):
        self.shutter, self.magnitude = shutter, magnitude
        super().__init__(*where, **settings)

    def starts(self, scene: Scene) -> int:
        span = self.shutter.span(self.frames) if self.shutter else self.frames * scene.averaged
        return len(self.files[scene][1]) - span + 1

    def clip(self, scene: Scene, start: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        tau = self.shutter.exposure(rng) if self.shutter else scene.averaged
        period = self.shutter.period(tau, rng) if self.shutter else tau
        cut = Cut(rng, self.crop)
        exposures = []
        for first in range(start, start + self.frames * period, period):
            window = [cut(path) for path in self.files[scene][1][first : first + tau]]
            blurry = stored(np.mean([GAMMA.to_light(frame) for frame in window], 0, dtype=np.float32), GAMMA)
            exposure = {"blurry": np.float32(blurry) / 255, "sharp": np.float32(window[tau // 2]) / 255}
            exposures.append(exposure | (motion(window) if self.magnitude else {}))
        return {name: np.stack([exposure[name] for exposure in exposures]) for name in exposures[0]}


class Cut:
    """The same random square of every picture."""

    def __init__(self, rng: np.random.Generator, side: int):
        self.side, self.place = side, rng.random(2)

    def __call__(self, path: Path) -> np.ndarray:
        picture = read_still(path)
        room = np.array(picture.shape[:2]) - self.side
        top, left = (self.place * (room + 1)).astype(int)
        return picture[top : top + self.side, left : left + self.side]


def motion(window: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Magnitude and mask (H, W, 1) of the frames of an exposure, (H, W, 3) uint8: the mean movement from frame to
    frame, whatever their number, as the paper has it."""
    grays = [gray(frame) for frame in window]
    moves = [flow(a, b) for a, b in pairwise(grays)], [flow(b, a) for a, b in pairwise(grays)]
    magnitude = np.minimum(motion_magnitude(*moves) / MAGNITUDE_K, 1)[..., None].astype(np.float32)
    return {"magnitude": magnitude, "mask": (smear_of(*moves)[..., None] > BLURRED).astype(np.float32)}
