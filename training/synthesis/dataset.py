"""The endless, repeatable supply of training clips: `SynthesisDataset`."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from vdeblur_fast.errors import UserError

from .archive import archived
from .clips import averaged_clip, can_average
from .degrade import Degradation
from .high_speed import high_speed_clip
from .response import Response
from .shutter import Shutter
from .sources import find_sources, read_still
from .stills import BLURRED, Exposures, magnitude_of, shaken_clip
from .variety import PLAIN, Kind, Variety


class SynthesisDataset(Dataset):
    """Pairs of blurry and sharp clips made from a folder of sharp stills and clips.

    Sample i depends on `seed` and i only, whatever worker or process makes it.

    Args:
        folder: any folder of clips and stills, with or without a MANIFEST.csv (see `find_sources`).
        split: "train", "val" or None for both.
        frames: frames of a sample, T.
        crop: side of the square crop in pixels, or (height, width).
        seed: any non-negative int.
        length: number of samples; there is no natural end, so the default never ends in practice.
        clip_share: share of the samples made from clips, in [0, 1]; the rest is made from stills. Where a
            folder has only one of the two, all samples come from it.
        cache: folder for the decoded clips; by default $VDEBLUR_CACHE, else ~/.cache/vdeblur_fast.
        degrade: whether blurry frames may get noise and compression.
        shutter: exposures and periods of a paper, instead of the mixture of many.
        variety: how often a sample is of each special kind: rolling shutter, parallax, lights, focus, long or no blur.
            None for none of them.

    Item i is a dict of float32 tensors: `blurry` and `sharp` (T, 3, H, W) in 0..1, `magnitude` (T, 1, H, W)
    in 0..1 (MMP-RNN Eq. 3, K = 15) and `mask` (T, 1, H, W), 1 where the exposure smears more than one pixel.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str | None = "train",
        frames: int = 8,
        crop: int | tuple[int, int] = 128,
        seed: int = 0,
        length: int = 1_000_000,
        clip_share: float = 0.25,
        cache: str | Path | None = None,
        degrade: bool = True,
        shutter: Shutter | None = None,
        variety: Variety | None = None,
    ) -> None:
        self.size = (crop, crop) if isinstance(crop, int) else tuple(crop)
        if frames < 1 or length < 0 or min(self.size) < 16 or not 0 <= clip_share <= 1:
            raise ValueError(
                f"SynthesisDataset: frames must be at least 1, crop at least 16, length not negative and"
                f" clip_share in [0, 1], got {frames}, {crop}, {length} and {clip_share}"
            )
        self.frames, self.seed, self.length, self.degrade = frames, seed, length, degrade
        self.shutter, self.variety = shutter, variety
        sources = find_sources(folder, split)
        self.stills = [read_still(path) for path in sources.stills]
        self.clip_share = clip_share if self.stills else 1.0
        clips = sources.clips if self.clip_share > 0 else []
        cache = Path(cache) if cache is not None else None
        self.clips = [clip for path in clips if can_average(clip := archived(path, cache), frames)]
        if not (self.stills or self.clips):
            raise UserError(
                f"no clip in {folder} is long enough for {frames} blurry frames; use fewer frames or longer clips"
            )
        end_threads()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if not 0 <= index < self.length:
            raise IndexError(f"SynthesisDataset: index {index} is outside 0..{self.length - 1}")
        return self.made(index)[0]

    def made(self, index: int) -> tuple[dict[str, torch.Tensor], str]:
        """A sample, and in a few words what was done to it."""
        rng, kind, response = begun(self.seed, index, self.variety, self.size)
        from_clip = bool(self.clips) and rng.random() < self.clip_share
        clip = self._from_clip(rng, response) if from_clip else self._from_stills(rng, response, kind)
        if kind.sharp:
            clip = Exposures(clip.sharp, clip.sharp, np.zeros_like(clip.smear))
        degradation = Degradation.random(rng) if self.degrade else Degradation()
        blurry = degradation.apply(clip.blurry, response, rng)
        sharp, smear = response.to_signal(clip.sharp), clip.smear[..., None]
        parts = {
            "blurry": blurry.astype(np.float32) / 255,
            "sharp": sharp,
            "magnitude": magnitude_of(smear),
            "mask": (smear > BLURRED).astype(np.float32),
        }
        turn = random_turn(rng, self.size)
        sample = {name: torch.from_numpy(turn(part).transpose(0, 3, 1, 2).copy()) for name, part in parts.items()}
        source = "clip" + " + highlights" * (kind.headroom > 1) + " + sharp" * kind.sharp if from_clip else str(kind)
        return sample, " ".join(filter(None, [source, str(degradation), f"{smear.mean():.0f} px"]))

    def _from_clip(self, rng: np.random.Generator, response: Response) -> Exposures:
        clip = self.clips[rng.integers(len(self.clips))]
        if self.shutter is not None:
            return high_speed_clip(clip, rng, response, self.frames, self.size, self.shutter)
        return averaged_clip(clip, rng, response, self.frames, self.size)

    def _from_stills(self, rng: np.random.Generator, response: Response, kind: Kind) -> Exposures:
        objects = len(kind.nearness) or rng.choice(3, p=[0.5, 0.35, 0.15])
        chosen = rng.choice(len(self.stills), 1 + min(objects, len(self.stills) - 1), replace=False)
        pictures = [self.stills[k] for k in chosen]
        if self.shutter is None:
            return shaken_clip(pictures, rng, response, self.frames, self.size, kind=kind)
        blur, duty = self.shutter.shake(rng)
        return shaken_clip(pictures, rng, response, self.frames, self.size, blur, duty=duty, kind=kind)


def end_threads() -> None:
    """For a process before others that make samples are forked from it: OpenCV's threads do not live on in them, and
    they would wait for them or fall over what is left of them. Told to use one, it ends the others at once; told to
    use none, it keeps them."""
    cv2.setNumThreads(1)


def begun(
    seed: int, index: int, variety: Variety | None, size: tuple[int, int]
) -> tuple[np.random.Generator, Kind, Response]:
    """What every sample begins with: its random numbers, what kind it is and how its camera answers to light."""
    cv2.setNumThreads(1)  # samples are made side by side in workers
    rng = np.random.default_rng([seed, index])
    kind = variety.draw(np.random.default_rng([seed, index, 1]), size) if variety else PLAIN
    response = Response.random(rng)
    return rng, kind, response.with_headroom(kind.headroom) if kind.headroom > 1 else response


def random_turn(rng: np.random.Generator, size: tuple[int, int], backwards: bool = True):
    """A random flip, direction of time (forward alone without `backwards`) and, for square crops, quarter turn of
    (T, H, W, C) arrays."""
    turns, time, across = draw_turn(rng, size)
    time = time if backwards else 1
    return lambda clip: np.rot90(clip, turns, axes=(1, 2))[::time, :, ::across]


def draw_turn(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int, int]:
    """Quarter turns, direction of time and of the rows."""
    turns = rng.integers(4) if size[0] == size[1] else 2 * rng.integers(2)
    time, across = rng.choice([-1, 1], 2)
    return int(turns), int(time), int(across)
