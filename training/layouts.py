"""Folders of published data sets, known by how they are laid out, with the splits of the papers.

GOPRO_Large      train|test/SCENE/{blur_gamma, blur, sharp}/*.png       22 and 11 scenes, 2103 and 1111 frames
GOPRO_Large_all  train|test/SCENE/*.png                                 the same scenes at 240 Hz, sharp
DVD              quantitative_datasets/SCENE/{input, GT}/*.jpg          61 scenes to train on, 10 to test on
                 (or train|test/SCENE, as it is handed on too)
BSD              train|valid|test/SCENE/{Blur, Sharp}/RGB/*.png         of one pair of exposures, such as BSD_2ms16ms
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vdeblur_fast.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg"}
HIGH_SPEED = "GOPRO_Large_all"
DEPTH = 3  # folders around a data set, at most
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

        Raises UserError for a part that is not there, or a scene with no frames or whose blurry and sharp ones are not
        of the same names.
        """
        scenes = self.parts.get(split, [])
        if not scenes:
            raise UserError(f"{self.folder} is {self.name} without its {_PARTS[split]} part; add that folder")
        for scene in scenes:
            blurry, sharp = ([path.stem for path in frames_of(one)] for one in (scene.blurry, scene.sharp))
            if not blurry or len(blurry) != len(sharp):
                raise UserError(
                    f"{scene.blurry} holds {len(blurry)} frames and {scene.sharp} {len(sharp)}; the data set is not"
                    f" whole, unpack it again"
                )
            if blurry != sharp:
                one, other = next(pair for pair in zip(blurry, sharp, strict=True) if pair[0] != pair[1])
                raise UserError(
                    f"{scene.blurry} holds the frame {one} where {scene.sharp} holds {other}; the data set is not"
                    f" whole, unpack it again"
                )
        return scenes


def frames_of(folder: Path) -> list[Path]:
    """The pictures in a folder by name; none where there is no such folder."""
    return sorted(path for path in _visible(folder) if path.suffix.lower() in SUFFIXES)


def find_layout(folder: Path) -> Layout | None:
    """The data set that lies in `folder`, or as the only one in folders of it, as archives have it; None for any other.

    Raises UserError for a folder of several data sets.
    """
    level = [folder]
    for _ in range(DEPTH + 1):
        found = [layout for one in level if (layout := _layout_of(one))]
        if len(found) > 1:
            raise UserError(f"{folder} holds {len(found)} data sets; choose one, such as {found[0].folder}")
        if found:
            return found[0]
        level = [inside for one in level for inside in _visible(one) if inside.is_dir()]
    return None


def half_of_pairs(folder: Path) -> Path | None:
    """A folder anywhere in `folder` that holds the blurry frames of sharp ones beside it."""
    pairs = [(blurry, sharp) for kinds, sharp in _PAIRS.values() for blurry in kinds]
    halves = [(blurry.partition("/")[0], sharp.partition("/")[0]) for blurry, sharp in pairs]
    for one, inside, _ in os.walk(folder):
        for blurry, sharp in halves:
            if blurry in inside and sharp in inside:
                return Path(one, blurry)
    return None


def _layout_of(folder: Path) -> Layout | None:
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
    for part, called in _PARTS.items():
        yield from ((part, one) for one in _visible(folder / called) if one.is_dir())


def _exposures(folder: Path) -> str:
    """Such as "2ms16ms" for a folder called BSD_2ms16ms."""
    name = folder.resolve().name
    return name.removeprefix("BSD_") if name.startswith("BSD_") else ""


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
