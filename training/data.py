"""From a folder to the clips that are trained on and those that are measured on."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from vdeblur_fast.errors import UserError

from .recipes import Recipe
from .synthesis import SynthesisDataset

VALIDATION_SEED = 20220710


def training_clips(folder: Path, recipe: Recipe, seed: int) -> Dataset:
    """As many samples as the recipe uses, from the train part of the folder; UserError for an empty one."""
    made = _synthesis(folder, "train", recipe, recipe.crop, seed, recipe.batch * recipe.steps)
    return WithDraws(made, seed) if recipe.kind == "selection" else made


class WithDraws(Dataset):
    """Clips with 26 random numbers in [0, 1) each, "draws": what is picked at random in training depends on the clip,
    not on which process has it."""

    def __init__(self, clips: Dataset, seed: int, count: int = 26):
        self.clips, self.seed, self.count = clips, seed, count

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        draws = np.random.default_rng([self.seed, index, self.count]).random(self.count, np.float32)
        return {**self.clips[index], "draws": torch.from_numpy(draws)}

    def __len__(self) -> int:
        return len(self.clips)


def validation_clips(folder: Path, recipe: Recipe, clips: int, crop: int | None = None) -> tuple[Dataset, str]:
    """`clips` samples that are the same in every training, and the name of the part of the folder that they
    are from.

    A folder without a val part gives other samples of its train part: better than nothing, and named so.
    """
    for split in ("val", "train"):
        try:
            made = _synthesis(folder, split, recipe, crop or recipe.crop, VALIDATION_SEED, clips)
        except UserError:
            if split == "train":
                raise
        else:
            return made, split
    raise AssertionError("the last split was tried")


def _synthesis(folder: Path, split: str, recipe: Recipe, crop: int, seed: int, length: int) -> Dataset:
    import cv2

    made = SynthesisDataset(
        folder,
        split,
        recipe.frames,
        crop,
        seed=seed,
        length=length,
        degrade=recipe.degraded,
        shutter=recipe.shutter(),
    )
    cv2.setNumThreads(0)  # OpenCV's threads do not live on in worker processes, which would wait for them
    return made
