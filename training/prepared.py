"""Training samples made beforehand and kept in a folder.

A sample costs as much processor time as a fifth of a training step of a small network, and on a machine with a fast GPU
and few cores much more than the step. Made beforehand, a little larger than the crop that is trained on, and seen again
and again in other crops, turns and orders, the same samples serve many trainings.
`python -m vdeblur_fast.training.prepare` makes them; `python -m vdeblur_fast.training --prepared FOLDER` uses them.
"""

import json
import shutil
from bisect import bisect
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from vdeblur_fast.errors import UserError

from .checkpoint import written_whole
from .synthesis.dataset import random_turn

DTYPES = {"blurry": np.uint8, "sharp": np.uint8, "magnitude": np.uint16, "mask": np.uint8}
ABOUT = "prepared.json"  # written last: a folder without it is not whole


def prepare(clips: Dataset, folder: Path, count: int, workers: int = 0, about: dict | None = None) -> None:
    """Writes samples 0 to count - 1 of `clips` to `folder`: NAME.npy (count, T, H, W, C) each, and prepared.json.

    Values in 0..1 are rounded to 8 bits, magnitudes to 16. Pairs of a data set have no magnitude and no mask, and their
    time runs forward (`backwards` of the data set), which prepared.json tells.

    Raises UserError where the folder holds prepared samples already, or the disk has no room for them.
    """
    if (folder / ABOUT).exists():
        raise UserError(f"{folder} holds prepared samples already; remove it or name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    first = {name: part.permute(0, 2, 3, 1) for name, part in clips[0].items() if name in DTYPES}
    needed = count * sum(part.numel() * np.dtype(DTYPES[name]).itemsize for name, part in first.items())
    if (free := shutil.disk_usage(folder).free) < needed:
        raise UserError(
            f"{count} samples take {needed / 1e9:.1f} GB and {folder} has room for {free / 1e9:.1f} GB; make fewer"
            f" --samples"
        )
    for name in DTYPES:  # of a preparation that did not come to its end
        (folder / f"{name}.npy").unlink(missing_ok=True)
    files = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", DTYPES[name], (count, *part.shape))
        for name, part in first.items()
    }
    numbers = range(count)
    loader = DataLoader(clips, batch_size=None, sampler=numbers, num_workers=workers)
    for number, sample in zip(tqdm(numbers, unit="sample"), loader, strict=True):
        for name, file in files.items():
            whole = np.iinfo(DTYPES[name]).max
            file[number] = (sample[name].permute(0, 2, 3, 1).numpy() * whole + 0.5).astype(DTYPES[name])
    for file in files.values():
        file.flush()
    made = {"samples": count, "backwards": getattr(clips, "backwards", True), **(about or {})}
    with written_whole(folder / ABOUT) as file:
        file.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


def opened(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a folder that `prepare` wrote, (count, T, H, W, C) each, by name; they stay on the disk.

    Raises UserError where the folder is not whole.
    """
    if not (folder / ABOUT).exists():
        raise UserError(f"{folder} holds no prepared samples; make them with python -m vdeblur_fast.training.prepare")
    files = {name: folder / f"{name}.npy" for name in DTYPES}
    try:
        count = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["samples"]
        found = {name: np.load(path, mmap_mode="r") for name, path in files.items() if path.exists()}
    except (ValueError, KeyError, EOFError):  # what NumPy and json say of files that are cut off
        count, found = 0, {}
    if not found or any(len(array) != count for array in found.values()):
        raise UserError(f"the samples of {folder} are not whole; copy them again, or make them anew")
    return found


def sample_of(parts: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Parts as they are kept, (T, H, W, C) -> as they were before, (T, C, H, W), float32 in 0..1."""
    return {
        name: torch.from_numpy(np.ascontiguousarray(part.transpose(0, 3, 1, 2), np.float32) / np.iinfo(part.dtype).max)
        for name, part in parts.items()
    }


class PreparedClips(Dataset):
    """Training samples from folders that `prepare` wrote; without end, in a new order each time round.

    Item i, a dict as SynthesisDataset's, depends on `seed` and i alone.

    Args:
        folders: what `prepare` wrote; of several, all samples are taken as those of one.
        crop: side of a sample in pixels, at most the prepared ones'.
        frames: frames of a sample, at most the prepared ones'.
        length: number of items.

    Raises:
        UserError: a folder is not whole, its samples are smaller or shorter than asked for, or they have no motion
            magnitude where those of another have one.
    """

    def __init__(self, folders: Path | Sequence[Path], crop: int, frames: int, seed: int = 0, length: int = 1_000_000):
        folders = [folders] if isinstance(folders, Path) else list(folders)
        self.files = [opened(folder) for folder in folders]
        told = [json.loads((folder / ABOUT).read_text(encoding="utf-8")) for folder in folders]
        self.backwards = [about.get("backwards", True) for about in told]
        for folder, files in zip(folders, self.files, strict=True):
            long, height, width = files["blurry"].shape[1:4]
            if crop > min(height, width) or frames > long:
                raise UserError(
                    f"the samples of {folder} have {long} frames of {height}x{width}, too little for --frames {frames} "
                    f"--crop {crop}"
                )
            if files.keys() != self.files[0].keys():
                raise UserError(
                    f"the samples of {folder} have {', '.join(files)} and those of {folders[0]} have "
                    f"{', '.join(self.files[0])}; train on one of them"
                )
        self.ends = list(accumulate(len(files["blurry"]) for files in self.files))
        self.size, self.seed, self.length = (frames, crop, crop), seed, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        if not 0 <= index < self.length:
            raise IndexError(f"PreparedClips: index {index} is outside 0..{self.length - 1}")
        round_, place = divmod(index, self.ends[-1])
        number = _order(self.seed, round_, self.ends[-1])[place]
        folder = bisect(self.ends, number)
        files, from_its_end = self.files[folder], number - self.ends[folder]
        rng = np.random.default_rng([self.seed, index, 1])
        starts = rng.integers(0, np.subtract(files["blurry"].shape[1:4], self.size), endpoint=True)
        cut = tuple(slice(start, start + size) for start, size in zip(starts, self.size, strict=True))
        turn = random_turn(rng, self.size[1:], self.backwards[folder])
        return sample_of({name: turn(file[from_its_end][cut]) for name, file in files.items()})


@lru_cache(maxsize=2)  # samples are asked for nearly in order: this round's, and while it ends the next one's
def _order(seed: int, round_: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, round_]).permutation(count)
