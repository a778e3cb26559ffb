"""Which stills and clips of a folder belong to a split, and reading the stills."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vdeblur_fast.errors import UserError

STILL_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
CLIP_SUFFIXES = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts"}
SPLITS = ("train", "val")


class NothingFound(UserError):
    """A folder has nothing for a split."""


@dataclass(frozen=True)
class Sources:
    """Paths of sharp stills and sharp clips, sorted."""

    stills: list[Path]
    clips: list[Path]


def find_sources(folder: str | Path, split: str | None) -> Sources:
    """The stills and clips in `folder` that belong to `split` ("train", "val", or None for both).

    A MANIFEST.csv in the folder decides, by its columns `path` and `suggested_split` (or `split`); files that
    it gives to neither split are left out. Without one, the folders `train/` and `val/` decide, if there are
    any; without those, everything belongs to train.

    Raises:
        UserError: no such folder, or a manifest without these columns or naming a missing file.
        NothingFound: nothing of that split.
    """
    folder = Path(folder)
    if split not in (*SPLITS, None):
        raise ValueError(f'find_sources: split must be "train", "val" or None, got {split!r}')
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give the folder that holds the sharp clips and stills")
    wanted = SPLITS if split is None else (split,)
    if (folder / "MANIFEST.csv").exists():
        files = _from_manifest(folder, wanted)
    elif any((folder / name).is_dir() for name in SPLITS):
        files = [path for name in wanted for path in _walk(folder / name)]
    else:
        files = _walk(folder) if "train" in wanted else []
    found = Sources(_of_kind(files, STILL_SUFFIXES), _of_kind(files, CLIP_SUFFIXES))
    if not (found.stills or found.clips):
        part = f" for the split {split!r}" if split else ""
        raise NothingFound(
            f"{folder} holds no clips or stills{part}; put sharp videos or photographs there,"
            f" or in its subfolders train and val"
        )
    return found


def read_still(path: Path) -> np.ndarray:
    """A still -> (H, W, 3) RGB uint8."""
    import cv2

    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB) if path.stat().st_size else None
    if picture is None:
        raise UserError(f"{path} cannot be read as a picture; repair it or take it out of the folder")
    return picture


def _from_manifest(folder: Path, wanted: tuple[str, ...]) -> list[Path]:
    manifest = folder / "MANIFEST.csv"
    with manifest.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    column = next((name for name in ("suggested_split", "split") if rows and name in rows[0]), None)
    if column is None or "path" not in rows[0]:
        raise UserError(f"{manifest} has no columns path and suggested_split; add them or remove the file")
    files = [folder / row["path"] for row in rows if row[column] in wanted]
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise UserError(f"{manifest} names {missing[0]}, which does not exist; correct the line or add the file")
    return files


def _walk(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(map(_is_hidden, path.relative_to(folder).parts))
    ]


def _is_hidden(name: str) -> bool:
    """Also what archives of macOS carry along."""
    return name.startswith(".") or name == "__MACOSX"


def _of_kind(files: list[Path], suffixes: set[str]) -> list[Path]:
    return sorted(path for path in files if path.suffix.lower() in suffixes)
