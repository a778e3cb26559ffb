"""From a folder to the clips that are trained on and those that are measured on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from vdeblur_fast.errors import UserError

from .layouts import HIGH_SPEED, Layout, find_layout, half_of_pairs
from .pairs import AveragedClips, PairedClips
from .prepared import PreparedClips
from .recipes import Recipe
from .synthesis import SynthesisDataset, Variety
from .synthesis.dataset import end_threads
from .synthesis.on_device import DeviceClips
from .synthesis.sources import NothingFound

VALIDATION_SEED = 20220710


def training_clips(
    folder: Path, recipe: Recipe, seed: int, prepared: Sequence[Path] | None = None, on_device: bool = False
) -> Dataset:
    """As many samples as the recipe uses, from the train part of the folder or, made beforehand, from `prepared`;
    UserError for an empty one.

    on_device: they are made by `render` of the data set, from batches that its `collate` puts together.
    """
    length = recipe.batch * recipe.steps
    if on_device:
        return _on_device(folder, recipe, seed, length, prepared)
    if prepared is not None:
        made = PreparedClips(prepared, recipe.crop, recipe.frames, seed, length)
        if recipe.kind == "magnitude" and "magnitude" not in made.files[0]:
            raise UserError(f"the samples of {prepared[0]} do not tell how far things move, which {recipe.name} learns")
    else:
        made = clips_of(folder, "train", recipe, recipe.crop, seed, length)
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

    A folder without a val part gives other samples of its train part: better than nothing, and named so. GOPRO and DVD
    have no val part either: they give their test part, on which the papers' code chooses its weights too. For figures
    to compare, take the last weights then, not the best.
    """
    layout = find_layout(folder)
    splits = [name for name in ("val", "test") if layout.parts.get(name)][:1] if layout else ["val"]
    for split in [*splits, "train"]:
        try:
            made = clips_of(folder, split, recipe, crop or recipe.crop, VALIDATION_SEED, clips)
        except NothingFound:
            if split == "train":
                raise
        else:
            return made, split
    raise AssertionError("the last split was tried")


def clips_of(folder: Path, split: str, recipe: Recipe, crop: int, seed: int, length: int) -> Dataset:
    """Samples for a recipe from one part of a folder: of a published data set its pairs, of any other folder blur made
    from its sharp stills and clips. UserError for an empty one, and for blurry and sharp frames in any other order."""
    layout = find_layout(folder)
    if layout is None and folder.is_dir() and (half := half_of_pairs(folder)):
        raise UserError(
            f"{half} is half of blurry and sharp frames, but {folder} is laid out as none of the data sets that "
            f"are known (see README); lay it out so, or give the folder of the sharp ones alone"
        )
    made = (
        _pairs(layout, split, recipe, crop, seed, length)
        if layout
        else SynthesisDataset(
            folder,
            split,
            recipe.frames,
            crop,
            seed=seed,
            length=length,
            degrade=recipe.degraded,
            shutter=recipe.shutter(),
            variety=Variety() if recipe.varied else None,
        )
    )
    end_threads()
    return made


def _on_device(folder: Path, recipe: Recipe, seed: int, length: int, prepared: Sequence[Path] | None) -> Dataset:
    if prepared is not None or recipe.kind == "selection" or find_layout(folder) is not None:
        what = f"--prepared {prepared[0]}" if prepared else recipe.name if recipe.kind == "selection" else folder
        raise UserError(f"samples for {what} cannot be made on a device; leave out --synthesis device")
    return DeviceClips(
        folder,
        "train",
        recipe.frames,
        recipe.crop,
        seed,
        length,
        recipe.degraded,
        recipe.shutter(),
        Variety() if recipe.varied else None,
    )


def _pairs(layout: Layout, split: str, recipe: Recipe, crop: int, seed: int, length: int) -> Dataset:
    settings = {"frames": recipe.frames, "crop": crop, "seed": seed, "length": length}
    learns_magnitude = recipe.kind == "magnitude"
    if layout.name == HIGH_SPEED:
        return AveragedClips(layout, split, shutter=recipe.shutter(), magnitude=learns_magnitude, **settings)
    if learns_magnitude:
        raise UserError(
            f"{layout.folder} is {layout.name}, which does not tell how far things move; train {recipe.name} on"
            f" {HIGH_SPEED}"
        )
    if 0 < len(recipe.taus) < 4:  # for one of DAVID's levels of blur; of pairs all levels would learn the same
        raise UserError(
            f"{layout.folder} is {layout.name}, which has blur of all lengths; train {recipe.name}, which is for one "
            f"of them, on {HIGH_SPEED}"
        )
    return PairedClips(layout, split, **settings)
