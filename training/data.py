"""From a folder to the clips that are trained on and those that are measured on."""

from pathlib import Path

from torch.utils.data import Dataset

from vdeblur_fast.errors import UserError

from .recipes import Recipe
from .synthesis import SynthesisDataset

VALIDATION_SEED = 20220710


def training_clips(folder: Path, recipe: Recipe, seed: int) -> Dataset:
    """As many samples as the recipe uses, from the train part of the folder; UserError for an empty one."""
    return _synthesis(folder, "train", recipe, recipe.crop, seed, recipe.batch * recipe.steps)


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

    made = SynthesisDataset(folder, split, recipe.frames, crop, seed=seed, length=length, degrade=recipe.degraded)
    cv2.setNumThreads(0)  # OpenCV's threads do not live on in worker processes, which would wait for them
    return made
