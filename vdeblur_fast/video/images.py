"""A folder of images, a numbered sequence or a single image as a stream of frames."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vdeblur_fast.video.colour import FULL, RGB, Colour
from vdeblur_fast.video.errors import InputError
from vdeblur_fast.video.frame import Frame
from vdeblur_fast.video.image_file import eight_bits, holds_more, read_image, read_image_file
from vdeblur_fast.video.planes import Layout
from vdeblur_fast.video.span import Span, check_span, exact

EXTENSIONS = {
    ".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".ppm", ".pgm", ".pbm",
    ".pnm", ".avif",
}  # fmt: skip


def is_image(path: Path) -> bool:
    """Whether a file name is that of an image that OpenCV reads, and not a hidden file."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def natural(path: Path) -> list:
    """Sorting key that puts frame_10 after frame_9."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if index % 2 else (0, part.casefold()) for index, part in enumerate(parts)] + [path.name]


def find_images(path: Path) -> list[Path]:
    """The images that `path` names, in natural order: a folder, an image, or a pattern like frames/%05d.png.

    Raises InputError where there is none.
    """
    if path.is_dir():
        found = sorted((p for p in path.iterdir() if is_image(p) and p.is_file()), key=natural)
        if not found:
            raise InputError(f"the folder {path} has no images in it; name a folder of png, jpg, tif ... files")
        return found
    if re.search(r"%0?\d*d", path.name):
        expression = re.sub(r"%0?\d*d", r"\\d+", re.escape(path.name).replace(r"\%", "%"))
        folder = path.parent if path.parent.is_dir() else None
        found = sorted((p for p in folder.iterdir() if re.fullmatch(expression, p.name)), key=natural) if folder else []
        if not found:
            raise InputError(f"no file matches {path}; check the folder and the number of digits")
        return found
    if not path.exists():
        raise InputError(f"{path} does not exist; check the name and the folder")
    return [path]


class ImageReader:
    """The images of a folder or of a pattern, or one image, read as `VideoReader` reads a video.

    path        the folder, pattern or file; 8 or 16 bits, grey, colour or with transparency (`Frame.alpha`)
    start, end  seconds at `frame_rate` frames per second (default 30)

    Photographs that say how they are to be turned come upright. All images must have one size; the first one
    gives it and the depth. After an iteration `problems` holds a sentence for images that could not be read and
    were left out, and for what was taken of the others only in part.

    Raises InputError: nothing there, nothing readable, sizes differ.
    """

    is_images = True
    orientation = None
    sample_aspect_ratio = None
    interlaced = False
    lost_kinds = frozenset()
    codec = "image"

    def __init__(self, path, start=None, end=None, upright=False, frame_rate=Fraction(30)):
        self.path = Path(path)
        self.files = find_images(self.path)
        self.problems: list[str] = []
        self.frame_rate = Fraction(frame_rate)
        self.time_base = 1 / self.frame_rate
        check_span(start, end)
        self.span = Span(Fraction(0), exact(start) or None, exact(end))
        self._places = [i for i in range(len(self.files)) if self._inside(i)]
        if not self._places:
            seconds = float(len(self.files) / self.frame_rate)
            lasts = f"which lasts {seconds:.2f} s at {self.frame_rate} images a second"
            raise InputError(f"there is no image of {self.path} in the chosen span ({self.span}), {lasts}")
        first = next((image for image in map(read_image, self.files) if image is not None), None)
        if first is None:
            raise InputError(f"{self.path} is damaged or no image: none of {len(self.files)} could be read")
        self.height, self.width = first.shape[:2]
        self.bit_depth = first.dtype.itemsize * 8
        self.has_alpha = first.shape[2] == 4
        self._dtype = first.dtype
        self.layout = Layout("gbr", self.bit_depth)
        self.colour = Colour(matrix=RGB, range=FULL, hd=self.height >= 720)
        self.side_data: dict[str, bytes] = {}

    def __enter__(self) -> "ImageReader":
        return self

    def __exit__(self, *_) -> None:
        """Nothing stays open between iterations."""

    @property
    def frames_estimate(self) -> int:
        return len(self._places)

    @property
    def duration(self) -> Fraction:
        return len(self._places) / self.frame_rate

    def __iter__(self) -> Iterator[Frame]:
        self.problems = []
        bad, deep, partial = [], [], []
        for place in self._places:
            file = self.files[place]
            image, profile, exif = read_image_file(file)
            if image is None:
                bad.append(file.name)
                continue
            if image.shape[:2] != (self.height, self.width):
                raise InputError(
                    f"{file} is {image.shape[1]}x{image.shape[0]} but the images before it are "
                    f"{self.width}x{self.height}; all images of a sequence must have one size"
                )
            if image.dtype.itemsize > self._dtype.itemsize:
                deep.append(file.name)
            if holds_more(file):
                partial.append(file.name)
            image = _to_depth(image, self._dtype)
            alpha = image[..., 3].copy() if image.shape[2] == 4 else None
            rgb = np.ascontiguousarray(image[..., :3])
            yield Frame(rgb, place, self.time_base, 1, file.name, alpha, profile, exif)
        self._report(bad, deep, partial)

    def _report(self, bad: list[str], deep: list[str], partial: list[str]) -> None:
        """Says what was wrong, once everything was read."""
        if bad:
            self.problems.append(
                f"{self.path.name} is damaged: {len(self._places) - len(bad)} of {len(self._places)} images "
                f"could be read ({_some(bad)} could not)"
            )
        if deep:
            self.problems.append(
                f"the first image has 8 bits, so the 16 bits of others were reduced to 8 ({_some(deep)}); "
                "to keep them, let the first one have 16"
            )
        if partial:
            remedy = (
                "give it a name ending in .apng" if Path(partial[0]).suffix.lower() == ".png" else "save each as a file"
            )
            self.problems.append(
                f"only the first image was taken of files that hold several ({_some(partial)}); for all, {remedy}"
            )

    def _inside(self, place: int) -> bool:
        time = place * self.time_base
        return not (self.span.before(time) or self.span.after(time))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def _to_depth(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if image.dtype == dtype:
        return image
    return image.astype(np.uint16) * 257 if dtype == np.uint16 else eight_bits(image)
