"""Folders of published data sets, known by how they are laid out, with the splits of the papers.

GOPRO_Large      train|test/SCENE/{blur_gamma, blur, sharp}/*.png       22 and 11 scenes, 2103 and 1111 frames
GOPRO_Large_all  train|test/SCENE/*.png                                 the same scenes at 240 Hz, sharp
DVD              quantitative_datasets/SCENE/{input, GT}/*.jpg          61 scenes to train on, 10 to test on
BSD              train|valid|test/SCENE/{Blur, Sharp}/RGB/*.png         of one pair of exposures, such as BSD_2ms16ms
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vdeblur_fast.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg"}
HIGH_SPEED = "GOPRO_Large_all"
# The ten that Su et al. (CVPR 2017) keep for testing.
DVD_TEST = {"720p_240fps_2", *(f"IMG_00{n:02}" for n in (3, 21, 30, 31, 32, 33, 37, 39, 49))}
_PARTS = {"train": "train", "val": "valid", "test": "test"}
_PAIRS = {
    "GOPRO_Large": (("blur_gamma", "blur"), "sharp"),
    "BSD": (("Blur/RGB",), "Sharp/RGB"),
    "DVD": (("input",), "GT"),
}
_NAMED = re.compile(r"GOPR\d+_(\d+)_\w+")  # the number in the middle is how many frames GOPRO_Large averages


@dataclass(frozen=True)
class Scene:
    """A scene's folders of blurry and sharp frames; of GOPRO_Large_all both are the folder of its sharp frames, and
    `averaged` is the number of them that make a blurry one (0 elsewhere)."""

    name: str
    blurry: Path
    sharp: Path
    averaged: int = 0


@dataclass(frozen=True)
class Layout:
    """A data set: its name and the scenes of its parts "train", "val" (BSD alone) and "test"."""

    name: str
    folder: Path
    parts: dict[str, list[Scene]]

    def scenes(self, split: str) -> list[Scene]:
        """The scenes of a part, each whole.

        Raises UserError for a part that is not there, or a scene with no frames or not as many blurry as sharp ones.
        """
        scenes = self.parts.get(split, [])
        if not scenes:
            raise UserError(f"{self.folder} is {self.name} without its {_PARTS[split]} part; add that folder")
        for scene in scenes:
            blurry, sharp = len(frames_of(scene.blurry)), len(frames_of(scene.sharp))
            if not blurry or blurry != sharp:
                raise UserError(
                    f"{scene.blurry} holds {blurry} frames and {scene.sharp} {sharp}; the data set is not whole,"
                    f" unpack it again"
                )
        return scenes


def frames_of(folder: Path) -> list[Path]:
    """The pictures in a folder by name; none where there is no such folder."""
    return sorted(path for path in _visible(folder) if path.suffix.lower() in SUFFIXES)


def find_layout(folder: Path) -> Layout | None:
    """The data set that lies in `folder`, or None for any other folder.

    Raises UserError for a folder of several BSD data sets.
    """
    several = [path for path in _visible(folder) if path.name.startswith("BSD_") and path.is_dir()]
    if len(several) > 1:
        raise UserError(f"{folder} holds {len(several)} data sets; choose one, such as {several[0]}")
    inside = folder / "quantitative_datasets"
    folder = several[0] if several else inside if inside.is_dir() else folder
    for name, (blurry, sharp) in _PAIRS.items():
        names = [kind for kind in blurry if any((one / kind).is_dir() for _, one in _scene_folders(folder, name))]
        found = [(part, one) for part, one in _scene_folders(folder, name) if (one / sharp).is_dir()]
        if names and found:
            parts: dict[str, list[Scene]] = {}
            for part, one in _scene_folders(folder, name):
                parts.setdefault(part, []).append(Scene(one.name, one / names[0], one / sharp))
            return Layout(f"{name} {_exposures(folder)}".strip() if name == "BSD" else name, folder, parts)
    return _high_speed(folder)


def _high_speed(folder: Path) -> Layout | None:
    parts: dict[str, list[Scene]] = {}
    for part, one in _scene_folders(folder, HIGH_SPEED):
        if (named := _NAMED.fullmatch(one.name)) and frames_of(one):
            parts.setdefault(part, []).append(Scene(one.name, one, one, int(named[1])))
    return Layout(HIGH_SPEED, folder, parts) if parts else None


def _scene_folders(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """The folders in which scenes may lie, with the part each belongs to."""
    if name == "DVD":
        for one in _visible(folder):
            if one.is_dir() and one.name not in _PARTS.values():
                yield "test" if one.name in DVD_TEST else "train", one
        return
    for part, called in _PARTS.items():
        yield from ((part, one) for one in _visible(folder / called) if one.is_dir())


def _exposures(folder: Path) -> str:
    """Such as "2ms16ms" for a folder called BSD_2ms16ms."""
    return folder.name.removeprefix("BSD_") if folder.name.startswith("BSD_") else ""


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
