"""Tiny folders, laid out as the data sets of the papers."""

from pathlib import Path

import cv2
import numpy as np
from skimage import data

LAYOUTS = {
    "GOPRO_Large": ("train/GOPR0372_07_00", "train/GOPR0374_11_00", "test/GOPR0384_11_00", "test/GOPR0385_11_01"),
    "GOPRO_Large_all": ("train/GOPR0372_07_00", "train/GOPR0374_11_00", "test/GOPR0384_11_00"),
    "DVD": ("IMG_0001", "IMG_0002", "IMG_0003", "720p_240fps_2"),
    "BSD": ("train/000", "train/001", "valid/010", "test/020"),
}
_FOLDERS = {
    "GOPRO_Large": ("blur_gamma", "sharp", ".png"),
    "DVD": ("input", "GT", ".jpg"),
    "BSD": ("Blur/RGB", "Sharp/RGB", ".png"),
}


def make_dataset(root: Path, name: str, frames: int = 6, size: tuple[int, int] = (40, 48)) -> Path:
    """Writes scenes of a pan over a photograph, and of it blurred; the folder to give as DIR."""
    folder = root / ("BSD_2ms16ms" if name == "BSD" else name)
    inside = folder / "quantitative_datasets" if name == "DVD" else folder
    for number, scene in enumerate(LAYOUTS[name]):
        for t in range(frames):
            picture = _pan(number, t, size)
            if name == "GOPRO_Large_all":
                _write(inside / scene / f"{t:06d}.png", picture)
                continue
            blurry, sharp, suffix = _FOLDERS[name]
            _write(inside / scene / sharp / f"{t:05d}{suffix}", picture)
            _write(inside / scene / blurry / f"{t:05d}{suffix}", cv2.blur(picture, (5, 1)))
            if name == "GOPRO_Large":
                _write(inside / scene / "blur" / f"{t:05d}{suffix}", cv2.blur(picture, (9, 1)))
    return folder


def _pan(number: int, t: int, size: tuple[int, int]) -> np.ndarray:
    left = 60 * number + t
    return data.astronaut()[100 : 100 + size[0], left : left + size[1]]


def _write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))
