"""Frames into a folder of PNG images, or into one image."""

from pathlib import Path

import numpy as np

from vdeblur_fast.video.atomic import AtomicOutput
from vdeblur_fast.video.errors import OutputError, output_error
from vdeblur_fast.video.exif import LONGEST
from vdeblur_fast.video.frame import Frame
from vdeblur_fast.video.image_file import (
    COLOURLESS,
    EIGHT_BITS,
    OPAQUE,
    WITH_METADATA,
    eight_bits,
    encode_image,
    is_profile_of_rgb,
)


class ImageWriter:
    """Writes frames as PNG images, 8 or 16 bits as the source is; the folder appears when it is whole.

    path       the folder; or, with `single`, one image file of any kind OpenCV writes
    source     the reader of the frames; images keep the names of its files, frames of a video are numbered
    size       (W, H) of the images, where they are not of the source's size
    overwrite  replace an existing folder, if it holds nothing but images that this class has written

    The interface is that of `VideoWriter`. A video that is to be turned for display comes out upright.
    """

    def __init__(self, path, source, size=None, overwrite=False, single=False):
        self.path = Path(path)
        self.warnings: list[str] = []
        self._source = source
        self._size = size or (source.width, source.height)
        self._turn = source.orientation
        self._single = single
        self._suffix = self.path.suffix.lower() if single else ".png"
        self._names = _names(source)
        self._written = 0
        if single and (source.frames_estimate or 2) > 1:
            raise OutputError(f"{self.path} is one image, but {source.path} has many; name a folder ending in /")
        if self._suffix in COLOURLESS:
            raise OutputError(f"{self.path} would have no colours, which {self._suffix} files cannot hold; use .png")
        if source.has_alpha and not source.is_images:  # of a video, whose frames come without it
            self._warn(f"the transparency of {source.path.name} was left out")
        files = getattr(source, "files", ())
        self._output = AtomicOutput(self.path, source.path, overwrite, folder=not single, inputs=files)

    def __enter__(self) -> "ImageWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        self.abort() if kind else self.close()

    def write(self, frame: Frame) -> None:
        """Writes a frame whose image is (H, W, 3) uint8 or uint16 of the size the writer was made for."""
        if (frame.image.shape[1], frame.image.shape[0]) != self._size:
            raise ValueError(f"the writer was made for {self._size} images (W, H), got {frame.image.shape[1::-1]}")
        if self._single and self._written:
            raise OutputError(f"{self.path} is one image, but there are more; name a folder ending in /")
        name = self._names.get(frame.name) or f"{self._written:06d}.png"
        target = self._output.temporary if self._single else self._output.temporary / name
        coded = encode_image(self._fitting(frame), self._suffix, self._profile(frame), self._exif(frame))
        if coded is None:
            size = "{}x{}".format(*self._size)
            raise OutputError(f"{self.path} cannot be written: no {self._suffix} file can be made of {size}; use .png")
        try:
            target.write_bytes(coded)
        except OSError as error:
            raise output_error(error, self.path) from error
        self._written += 1

    def close(self) -> None:
        """Puts the finished folder in its place."""
        if not self._written:
            self.abort()
            raise OutputError(f"no frame was written, so there is no {self.path}")
        self._output.commit()

    def abort(self) -> None:
        """Leaves nothing behind."""
        self._output.discard()

    def _fitting(self, frame: Frame) -> np.ndarray:
        """The image as it is shown, with what files of this kind hold; the rest is told."""
        image = frame.image
        if frame.alpha is not None:
            if self._suffix not in OPAQUE and frame.alpha.shape == image.shape[:2]:
                image = np.dstack((image, frame.alpha))
            else:
                self._warn(f"the transparency of {self._source.path.name} was left out")
        if self._suffix in EIGHT_BITS and image.dtype == np.uint16:
            self._warn(f"the colours were reduced from {self._source.bit_depth} to 8 bits")
            image = eight_bits(image)
        return self._turn.apply(image) if self._turn else image

    def _profile(self, frame: Frame) -> bytes | None:
        """The frame's colour profile, where it is one of RGB and the file can hold it; else it is told."""
        if frame.profile and not (self._suffix in WITH_METADATA and is_profile_of_rgb(frame.profile)):
            self._warn(f"the colour profile of {self._source.path.name} was left out")
            return None
        return frame.profile

    def _exif(self, frame: Frame) -> bytes | None:
        """What the frame's file said of it, where the file can hold that; else it is told."""
        if frame.exif and (self._suffix not in WITH_METADATA or len(frame.exif) > LONGEST):
            self._warn(f"the EXIF data of {self._source.path.name} (date, camera) was left out")
            return None
        return frame.exif

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)


def _names(source) -> dict[str, str]:
    """Input name -> output name: the same with .png, or with .png added where two would be called alike.

    No two differ in capitals only, for there are file systems that take these for one.
    """
    names = [file.name for file in getattr(source, "files", ())]
    stems = [Path(name).stem.casefold() for name in names]
    found: dict[str, str] = {}
    taken = set()
    for name, stem in zip(names, stems, strict=True):
        new = f"{Path(name).stem}.png" if stems.count(stem) == 1 else f"{name}.png"
        while new.casefold() in taken:
            new = f"{new}.png"
        taken.add(new.casefold())
        found[name] = new
    return found
