"""Frames into a folder of PNG images, or into one image."""

from pathlib import Path

import numpy as np

from vdeblur_fast.video.atomic import AtomicOutput
from vdeblur_fast.video.errors import OutputError, output_error
from vdeblur_fast.video.frame import Frame


class ImageWriter:
    """Writes frames as PNG images, 8 or 16 bits as the source is; the folder appears when it is whole.

    path       the folder; or, with `single`, one image file of any kind OpenCV writes
    source     the reader of the frames; images keep the names of its files, frames of a video are numbered
    size       (W, H) of the images, where they are not of the source's size
    overwrite  replace an existing folder, if it holds nothing but images

    The interface is that of `VideoWriter`. A video that is to be turned for display comes out upright.
    """

    def __init__(self, path, source, size=None, overwrite=False, single=False):
        self.path = Path(path)
        self.warnings: list[str] = []
        self._size = size or (source.width, source.height)
        self._turn = source.orientation
        self._single = single
        self._names = _names(source)
        self._written = 0
        if single and (source.frames_estimate or 2) > 1:
            raise OutputError(f"{self.path} is one image, but {source.path} has many; name a folder ending in /")
        self._output = AtomicOutput(self.path, source.path, overwrite, folder=not single)

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
        image = frame.image
        if frame.alpha is not None and frame.alpha.shape == image.shape[:2]:
            image = np.dstack((image, frame.alpha))
        image = self._turn.apply(image) if self._turn else image
        name = self._names.get(frame.name) or f"{self._written:06d}.png"
        target = self._output.temporary if self._single else self._output.temporary / name
        _write(target, image, self.path)
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


def _names(source) -> dict[str, str]:
    """Input name -> output name: the same with .png, or with .png added where two would be called alike."""
    names = [file.name for file in getattr(source, "files", ())]
    stems = [Path(name).stem for name in names]
    return {
        name: f"{stem}.png" if stems.count(stem) == 1 else f"{name}.png"
        for name, stem in zip(names, stems, strict=True)
    }


def _write(target: Path, image: np.ndarray, path: Path) -> None:
    import cv2

    code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    quality = {
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 98],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 98],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, 101],
    }.get(target.suffix.lower(), [])
    try:
        coded = cv2.imencode(target.suffix, cv2.cvtColor(image, code), quality)[1]
    except cv2.error as error:
        raise OutputError(f"{path} cannot be written as {target.suffix}; use .png") from error
    try:
        target.write_bytes(coded)
    except OSError as error:
        raise output_error(error, path) from error
